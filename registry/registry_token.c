/*
 * Repository tokens in memory. An entry remembers the generation its registry had before its
 * SELECT; every change of a token or a map makes a new one, so nothing stale is ever used.
 */
#include "registry/registry_token.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/hub.h"
#include "registry/pack.h"
#include "registry/registry_token_store.h"
#include "registry/scope_map_store.h"

#define SLOTS       16384
#define LOCKS       64
#define GENERATIONS 1024

struct entry {
    atomic_int refs;
    unsigned generation;
    const char *key;
    struct token_rights token;
    char data[];
};

static struct entry *slots[SLOTS];
static pthread_mutex_t locks[LOCKS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_uint generations[GENERATIONS];

static void init(void)
{
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&locks[i], NULL);
}

static atomic_uint *generation_of(int64_t registry_id)
{
    return &generations[(size_t)registry_id % GENERATIONS];
}

static size_t slot_of(int64_t registry_id, const char *key)
{
    size_t h = 1469598103934665603u ^ (size_t)registry_id;

    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 1099511628211u;
    return (h ^ h >> 29) % SLOTS;
}

static void release(void *arg)
{
    struct entry *e = arg;

    if (e && atomic_fetch_sub(&e->refs, 1) == 1)
        free(e);
}

static void pack_token(struct packer *p, const struct token_rights *from, struct token_rights *to)
{
    *to = *from;
    to->name = pack_text(p, from->name);
    for (size_t i = 0; i < ARRAY_LEN(from->hashes); i++)
        to->hashes[i] = pack_text(p, from->hashes[i]);
    to->actions = pack_texts(p, from->actions, from->n_actions);
}

static struct entry *entry_new(const struct token_rights *token, const char *key,
                               unsigned generation)
{
    struct packer packer = {NULL, 0};
    struct token_rights counted;
    struct entry *e;

    pack_token(&packer, token, &counted);
    pack_text(&packer, key);
    e = calloc(1, sizeof(*e) + packer.size);
    if (!e)
        abort();
    atomic_init(&e->refs, 1);
    e->generation = generation;
    packer.at = e->data;
    pack_token(&packer, token, &e->token);
    e->key = pack_text(&packer, key);
    return e;
}

static struct entry *look_up(int64_t registry_id, const char *key)
{
    size_t at = slot_of(registry_id, key);
    struct entry *e;

    pthread_mutex_lock(&locks[at % LOCKS]);
    e = slots[at];
    if (e && e->token.registry_id == registry_id && strcmp(e->key, key) == 0 &&
        e->generation == atomic_load(generation_of(registry_id)))
        atomic_fetch_add(&e->refs, 1);
    else
        e = NULL;
    pthread_mutex_unlock(&locks[at % LOCKS]);
    return e;
}

/* The caller's reference besides the table's. */
static void keep(struct entry *e)
{
    size_t at = slot_of(e->token.registry_id, e->key);
    struct entry *old;

    atomic_fetch_add(&e->refs, 1);
    pthread_mutex_lock(&locks[at % LOCKS]);
    old = slots[at];
    slots[at] = e;
    pthread_mutex_unlock(&locks[at % LOCKS]);
    release(old);
}

enum fault registry_token_find(struct op *op, const struct registry *registry, const char *name,
                               bool may_block, const struct token_rights **ret)
{
    const char *key = registry_item_key(op, name);
    struct token_rights token;
    unsigned generation;
    struct entry *e;

    if (!registry_item_name_is_valid(name, "-"))
        return fail_on(op, "token", NOT_FOUND, "no token has such a name");
    pthread_once(&once, init);
    e = look_up(registry->id, key);
    if (!e) {
        if (!may_block)
            return WOULD_BLOCK;
        generation = atomic_load(generation_of(registry->id));
        TRY(registry_token_store_rights(op, registry->id, key, &token));
        e = entry_new(&token, key, generation);
        keep(e);
    }
    arena_defer(&op->arena, release, e);
    *ret = &e->token;
    return OK;
}

void scope_map_changed(int64_t registry_id)
{
    atomic_fetch_add(generation_of(registry_id), 1);
}

static void heard(const char *payload)
{
    if (payload)
        scope_map_changed(strtoll(payload, NULL, 10));
    for (size_t i = 0; !payload && i < GENERATIONS; i++)
        atomic_fetch_add(&generations[i], 1);
}

void registry_token_listen(void)
{
    hub_listen("registry_token", heard);
}

void registry_token_stop(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        release(slots[i]);
        slots[i] = NULL;
    }
}
