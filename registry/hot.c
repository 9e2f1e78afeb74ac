#include "registry/hot.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "registry/api.h"
#include "registry/pulls.h"
#include "registry/registry.h"

#define SETS        4096 /* of 8 slots */
#define WAYS        8
#define LOCKS       256
#define GENERATIONS 1024
#define BYTES_MAX   ((size_t)32 << 20)
#define ENTRY_MAX   ((size_t)64 << 10)

enum kind { KIND_MANIFEST = 'm', KIND_BLOB = 'b' };

/* Immutable but for the counters; freed by its last holder. */
struct entry {
    atomic_int refs;
    atomic_uint pull_batch; /* the batch of pulls.h its last pull was noted in */
    enum kind kind;
    unsigned generation;
    uint64_t hash;
    int64_t registry_id, repository_id;
    int64_t until_ms; /* 0: no end */
    int64_t size;     /* of a blob */
    size_t bytes;     /* all of this, for the budget */
    struct bytes content;
    const char *repository, *reference, *digest, *media_type; /* in data */
    char data[];
};

struct set {
    struct entry *entries[WAYS];
    uint32_t used[WAYS], clock;
};

static bool enabled;
static struct set *sets;
static pthread_mutex_t locks[LOCKS];
static atomic_uint generations[GENERATIONS];
static atomic_size_t total_bytes;
static atomic_uint hand; /* where the next eviction looks */

void hot_start(void)
{
    enabled = !db_is_shared();
    if (!enabled)
        return;
    sets = calloc(SETS, sizeof(*sets));
    if (!sets)
        abort();
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&locks[i], NULL);
}

static void entry_release(void *arg)
{
    struct entry *e = arg;

    if (e && atomic_fetch_sub(&e->refs, 1) == 1) {
        atomic_fetch_sub(&total_bytes, e->bytes);
        free(e);
    }
}

/* ---- keys ---- */

static uint64_t hash_text(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return (h ^ 0xff) * 0x100000001b3u;
}

static uint64_t hash_repository(int64_t registry_id, const char *repository)
{
    return hash_text(0xcbf29ce484222325u ^ (uint64_t)registry_id * 0x9e3779b97f4a7c15u, repository);
}

static uint64_t hash_key(enum kind kind, int64_t registry_id, const char *repository,
                         const char *reference)
{
    uint64_t h = hash_text(hash_repository(registry_id, repository) ^ kind, reference);

    return h ^ h >> 29;
}

static atomic_uint *generation_of(int64_t registry_id, const char *repository)
{
    uint64_t h = hash_repository(registry_id, repository);

    return &generations[(h ^ h >> 32) % GENERATIONS];
}

unsigned hot_generation(int64_t registry_id, const char *repository)
{
    return atomic_load(generation_of(registry_id, repository));
}

void hot_changed(int64_t registry_id, const char *repository)
{
    atomic_fetch_add(generation_of(registry_id, repository), 1);
}

static bool is_this(const struct entry *e, uint64_t hash, enum kind kind, int64_t registry_id,
                    const char *repository, const char *reference)
{
    return e && e->hash == hash && e->kind == kind && e->registry_id == registry_id &&
           strcmp(e->repository, repository) == 0 && strcmp(e->reference, reference) == 0;
}

/* ---- keeping ---- */

static void evict_somewhere(void)
{
    size_t at = atomic_fetch_add(&hand, 1) % SETS;
    struct set *set = &sets[at];
    struct entry *out[WAYS];

    pthread_mutex_lock(&locks[at % LOCKS]);
    memcpy(out, set->entries, sizeof(out));
    memset(set->entries, 0, sizeof(set->entries));
    pthread_mutex_unlock(&locks[at % LOCKS]);
    for (size_t i = 0; i < WAYS; i++)
        entry_release(out[i]);
}

/* The slot of the same key, else a free one, else the one not used for longest. */
static size_t choose(const struct set *set, const struct entry *e)
{
    size_t oldest = 0;

    for (size_t i = 0; i < WAYS; i++)
        if (is_this(set->entries[i], e->hash, e->kind, e->registry_id, e->repository, e->reference))
            return i;
    for (size_t i = 0; i < WAYS; i++) {
        if (!set->entries[i])
            return i;
        if (set->clock - set->used[i] > set->clock - set->used[oldest])
            oldest = i;
    }
    return oldest;
}

static void keep(struct entry *e)
{
    size_t at = e->hash % SETS, way;
    struct set *set = &sets[at];
    struct entry *old;

    atomic_fetch_add(&total_bytes, e->bytes);
    for (int i = 0; i < 64 && atomic_load(&total_bytes) > BYTES_MAX; i++)
        evict_somewhere();
    pthread_mutex_lock(&locks[at % LOCKS]);
    way = choose(set, e);
    old = set->entries[way];
    set->entries[way] = e;
    set->used[way] = ++set->clock;
    pthread_mutex_unlock(&locks[at % LOCKS]);
    entry_release(old);
}

static const char *put_text(char **at, const char *s)
{
    char *start = *at;
    size_t len = strlen(s) + 1;

    memcpy(start, s, len);
    *at += len;
    return start;
}

static struct entry *entry_new(enum kind kind, int64_t registry_id, const char *repository,
                               const char *reference, const char *digest, const char *media_type,
                               struct bytes content)
{
    size_t bytes = sizeof(struct entry) + strlen(repository) + strlen(reference) + strlen(digest) +
                   strlen(media_type) + 4 + content.len;
    struct entry *e = bytes <= ENTRY_MAX ? malloc(bytes) : NULL;
    char *at;

    if (!e)
        return NULL;
    *e = (struct entry){.kind = kind, .registry_id = registry_id, .bytes = bytes};
    atomic_init(&e->refs, 1);
    atomic_init(&e->pull_batch, pulls_batch() - 1);
    at = e->data;
    e->repository = put_text(&at, repository);
    e->reference = put_text(&at, reference);
    e->digest = put_text(&at, digest);
    e->media_type = put_text(&at, media_type);
    if (content.len)
        memcpy(at, content.data, content.len);
    e->content = (struct bytes){at, content.len};
    e->hash = hash_key(kind, registry_id, repository, reference);
    return e;
}

void hot_keep_manifest(unsigned generation, int64_t registry_id, const char *repository,
                       const char *reference, const struct manifest_content *manifest)
{
    struct entry *e = enabled ? entry_new(KIND_MANIFEST, registry_id, repository, reference,
                                          manifest->digest, manifest->media_type, manifest->content)
                              : NULL;

    if (!e)
        return;
    e->generation = generation;
    e->repository_id = manifest->repository_id;
    keep(e);
}

void hot_keep_blob(unsigned generation, int64_t registry_id, const char *repository,
                   const char *digest, const struct blob *blob)
{
    int64_t fresh_s = blob->leased_s - registry_settings->blob_lease_s / 2;
    struct entry *e = enabled && fresh_s > 0 ? entry_new(KIND_BLOB, registry_id, repository, digest,
                                                         digest, "", (struct bytes){NULL, 0})
                                             : NULL;

    if (!e)
        return;
    e->generation = generation;
    e->size = blob->size;
    e->until_ms = now_ms() + fresh_s * 1000;
    keep(e);
}

/* ---- answering ---- */

static struct entry *find(struct call *c, enum kind kind, const char *reference)
{
    const struct target *target = &caller_of(c)->target;
    int64_t id = target->registry->id;
    uint64_t hash = hash_key(kind, id, target->repository, reference);
    size_t at = hash % SETS;
    struct set *set = &sets[at];
    struct entry *e = NULL;

    pthread_mutex_lock(&locks[at % LOCKS]);
    for (size_t i = 0; i < WAYS && !e; i++) {
        if (is_this(set->entries[i], hash, kind, id, target->repository, reference)) {
            e = set->entries[i];
            atomic_fetch_add(&e->refs, 1);
            set->used[i] = ++set->clock;
        }
    }
    pthread_mutex_unlock(&locks[at % LOCKS]);
    if (!e)
        return NULL;
    arena_defer(&c->op.arena, entry_release, e);
    if (e->generation != hot_generation(id, target->repository) ||
        (e->until_ms && e->until_ms < now_ms()))
        return NULL;
    return e;
}

enum fault hot_manifest_get(struct call *c)
{
    struct entry *e = enabled ? find(c, KIND_MANIFEST, c->path_args[1]) : NULL;

    if (!e || caller_of(c)->target.registry->options.quarantine)
        return WOULD_BLOCK;
    if (atomic_exchange(&e->pull_batch, pulls_batch()) != pulls_batch())
        pulls_note(e->repository_id, e->reference, e->digest);
    return api_reply_manifest(c, e->digest, e->media_type, e->content);
}

enum fault hot_blob_head(struct call *c)
{
    struct entry *e = enabled && c->method == HEAD ? find(c, KIND_BLOB, c->path_args[1]) : NULL;

    if (!e)
        return WOULD_BLOCK;
    return api_reply_blob_head(c, e->digest, e->size);
}
