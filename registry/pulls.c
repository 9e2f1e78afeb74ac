#include "registry/pulls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "registry/names.h"

#define PULLS_MAX 4096 /* a power of two */
#define PROBES    8

struct pull {
    int64_t repository_id, time_s;
    char name[DIGEST_MAX + 1]; /* a tag, or a digest */
};

enum { WRITE_MANIFESTS, WRITE_TAGS };
#define PULLED                                                                                     \
    "FROM (SELECT unnest($1::text[])::bigint AS repository_id, unnest($2::text[]) AS name,"        \
    " to_timestamp(unnest($3::text[])::bigint) AS at) p"
static const struct db_stmt stmts[] = {
    [WRITE_MANIFESTS] = {"UPDATE registry.manifest m SET last_pulled = p.at " PULLED
                         " WHERE m.repository_id = p.repository_id AND m.digest = p.name"},
    [WRITE_TAGS] = {"UPDATE registry.tag t SET last_pulled = p.at " PULLED
                    " WHERE t.repository_id = p.repository_id AND t.name = p.name"},
    {0},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pull *table;
static size_t n_noted;
static atomic_uint batch;

void pulls_start(void)
{
    db_register(stmts);
    pthread_mutex_lock(&lock);
    table = calloc(PULLS_MAX, sizeof(*table));
    if (!table)
        abort();
    pthread_mutex_unlock(&lock);
}

unsigned pulls_batch(void)
{
    return atomic_load_explicit(&batch, memory_order_relaxed);
}

static size_t hash(int64_t id, const char *name)
{
    uint64_t h = 0xcbf29ce484222325u ^ (uint64_t)id;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

static void note(int64_t repository_id, const char *name, int64_t time_s)
{
    size_t at = hash(repository_id, name);

    for (size_t i = 0; i < PROBES; i++) {
        struct pull *p = &table[(at + i) & (PULLS_MAX - 1)];

        if (p->time_s && (p->repository_id != repository_id || strcmp(p->name, name) != 0))
            continue;
        if (!p->time_s)
            n_noted++;
        p->repository_id = repository_id;
        p->time_s = time_s;
        memcpy(p->name, name, strlen(name) + 1);
        return;
    }
}

void pulls_note(int64_t repository_id, const char *reference, const char *digest)
{
    int64_t now = wall_s();

    if (strlen(reference) > DIGEST_MAX || strlen(digest) > DIGEST_MAX)
        return;
    pthread_mutex_lock(&lock);
    if (table) {
        note(repository_id, digest, now);
        if (!reference_is_digest(reference))
            note(repository_id, reference, now);
    }
    pthread_mutex_unlock(&lock);
}

static struct pull *take(size_t *ret_n)
{
    struct pull *fresh = calloc(PULLS_MAX, sizeof(*fresh)), *taken = NULL;

    if (!fresh)
        abort();
    pthread_mutex_lock(&lock);
    *ret_n = n_noted;
    if (table && n_noted > 0) {
        taken = table;
        table = fresh;
        n_noted = 0;
        fresh = NULL;
        atomic_fetch_add(&batch, 1);
    }
    pthread_mutex_unlock(&lock);
    free(fresh);
    return taken;
}

static enum fault write_some(struct op *op, const struct db_stmt *stmt, const struct pull *pulls,
                             size_t max, bool digests)
{
    const char **ids = arena_alloc(&op->arena, max * sizeof(*ids));
    const char **names = arena_alloc(&op->arena, max * sizeof(*names));
    const char **times = arena_alloc(&op->arena, max * sizeof(*times));
    size_t n = 0;

    for (size_t i = 0; i < PULLS_MAX; i++) {
        if (!pulls[i].time_s || reference_is_digest(pulls[i].name) != digests)
            continue;
        ids[n] = arena_printf(&op->arena, "%lld", (long long)pulls[i].repository_id);
        times[n] = arena_printf(&op->arena, "%lld", (long long)pulls[i].time_s);
        names[n++] = pulls[i].name;
    }
    return n ? db_query(op, stmt, NULL, DB_TEXTS(ids, n), DB_TEXTS(names, n), DB_TEXTS(times, n))
             : OK;
}

enum fault pulls_write(struct op *op)
{
    size_t n;
    struct pull *pulls = take(&n);

    if (!pulls)
        return OK;
    arena_defer(&op->arena, free, pulls);
    TRY(db_begin(op));
    TRY(write_some(op, &stmts[WRITE_MANIFESTS], pulls, n, true));
    TRY(write_some(op, &stmts[WRITE_TAGS], pulls, n, false));
    return db_commit_async(op);
}
