#include "api/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "core/durable.h"
#include "core/hub.h"

#define SETS        2048 /* of 8 slots */
#define WAYS        8
#define LOCKS       128
#define GENERATIONS 4096
#define BYTES_MAX   ((size_t)32 << 20)
#define ENTRY_MAX   ((size_t)32 << 10)

/* Immutable; freed by its last holder. */
struct entry {
    atomic_int refs;
    unsigned generation;
    uint64_t hash;
    size_t bytes; /* all of this, for the budget */
    const char *key;
    struct bytes json;
    char data[];
};

struct set {
    struct entry *entries[WAYS];
    unsigned next; /* the slot that gives way */
};

static bool enabled;
static struct set *sets;
static pthread_mutex_t locks[LOCKS];
static atomic_uint generations[GENERATIONS];
static atomic_size_t total_bytes;
static atomic_uint hand; /* where the next eviction looks */

/* PostgreSQL was away: what had been committed but not flushed may be gone. */
static void heard(const char *payload)
{
    if (!payload)
        cache_changed_all();
}

void cache_start(void)
{
    enabled = !db_is_shared();
    if (!enabled || sets)
        return;
    sets = calloc(SETS, sizeof(*sets));
    if (!sets)
        abort();
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&locks[i], NULL);
    hub_listen("api-cache", heard);
}

static void entry_release(void *arg)
{
    struct entry *e = arg;

    if (e && atomic_fetch_sub(&e->refs, 1) == 1) {
        atomic_fetch_sub(&total_bytes, e->bytes);
        free(e);
    }
}

static uint64_t hash_key(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return h ^ h >> 29;
}

unsigned cache_generation(const char *key)
{
    return atomic_load(&generations[hash_key(key) % GENERATIONS]);
}

void cache_changed(const char *key)
{
    atomic_fetch_add(&generations[hash_key(key) % GENERATIONS], 1);
}

void cache_changed_all(void)
{
    for (size_t i = 0; i < GENERATIONS; i++)
        atomic_fetch_add(&generations[i], 1);
}

enum fault cache_commit(struct call *c, const char *key)
{
    enum fault fault = call_commit(c);

    cache_changed(key);
    return fault;
}

/* ---- keeping ---- */

static void evict_somewhere(void)
{
    size_t at = atomic_fetch_add(&hand, 1) % SETS;
    struct entry *out[WAYS];

    pthread_mutex_lock(&locks[at % LOCKS]);
    memcpy(out, sets[at].entries, sizeof(out));
    memset(sets[at].entries, 0, sizeof(out));
    pthread_mutex_unlock(&locks[at % LOCKS]);
    for (size_t i = 0; i < WAYS; i++)
        entry_release(out[i]);
}

static struct entry *entry_new(const char *key, unsigned generation, struct bytes json)
{
    size_t key_len = strlen(key) + 1, bytes = sizeof(struct entry) + key_len + json.len;
    struct entry *e = bytes <= ENTRY_MAX ? malloc(bytes) : NULL;

    if (!e)
        return NULL;
    *e = (struct entry){.generation = generation, .hash = hash_key(key), .bytes = bytes};
    atomic_init(&e->refs, 1);
    memcpy(e->data, key, key_len);
    memcpy(e->data + key_len, json.data, json.len);
    e->key = e->data;
    e->json = (struct bytes){e->data + key_len, json.len};
    return e;
}

static void keep(struct entry *e)
{
    size_t at = e->hash % SETS, way = WAYS;
    struct set *set = &sets[at];
    struct entry *old;

    atomic_fetch_add(&total_bytes, e->bytes);
    for (int i = 0; i < 64 && atomic_load(&total_bytes) > BYTES_MAX; i++)
        evict_somewhere();
    pthread_mutex_lock(&locks[at % LOCKS]);
    for (size_t i = 0; i < WAYS && way == WAYS; i++)
        if (set->entries[i] && strcmp(set->entries[i]->key, e->key) == 0)
            way = i;
    for (size_t i = 0; i < WAYS && way == WAYS; i++)
        if (!set->entries[i])
            way = i;
    if (way == WAYS)
        way = set->next++ % WAYS;
    old = set->entries[way];
    set->entries[way] = e;
    pthread_mutex_unlock(&locks[at % LOCKS]);
    entry_release(old);
}

enum fault cache_reply(struct call *c, unsigned generation, const json_t *value)
{
    const char *text = json_text_of(&c->op, value);
    struct entry *e = enabled ? entry_new(arm_id(c)->key, generation, BYTES(text)) : NULL;

    if (e)
        keep(e);
    return reply_bytes(c, 200, "application/json; charset=utf-8", BYTES(text));
}

/* ---- answering ---- */

enum fault arm_get_cached(struct call *c)
{
    const char *key = arm_id(c)->key;
    uint64_t hash = hash_key(key);
    size_t at = hash % SETS;
    struct entry *e = NULL;

    if (!enabled || c->method != GET)
        return WOULD_BLOCK;
    pthread_mutex_lock(&locks[at % LOCKS]);
    for (size_t i = 0; i < WAYS && !e; i++) {
        struct entry *candidate = sets[at].entries[i];

        if (candidate && candidate->hash == hash && strcmp(candidate->key, key) == 0) {
            e = candidate;
            atomic_fetch_add(&e->refs, 1);
        }
    }
    pthread_mutex_unlock(&locks[at % LOCKS]);
    if (!e)
        return WOULD_BLOCK;
    arena_defer(&c->op.arena, entry_release, e);
    if (e->generation != cache_generation(key))
        return WOULD_BLOCK;
    return reply_bytes(c, 200, "application/json; charset=utf-8", e->json);
}
