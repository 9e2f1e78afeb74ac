/*
 * All registries in memory: an entry for each, immutable, in one piece of malloc, freed by its last
 * holder; two hash tables find it. A lock is held only to look up or to swap.
 *
 *~ Order: whoever changed a row re-reads it after the commit, under the lock of its stripe, so what
 *is ~ read last is put in last. Reading all takes every stripe.
 */
#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/db.h"
#include "core/hub.h"
#include "registry/pack.h"
#include "registry/registry_store.h"
#include "registry/webhook.h"

#define STRIPES       32 /* all held at once: ThreadSanitizer follows no more than 63 */
#define BUCKETS_FIRST 64
#define MISSED_MAX    4096

struct entry {
    atomic_int refs;
    struct entry *next_by_name, *next_by_id; /* under lock */
    struct registry registry;
    char data[];
};

struct index {
    struct entry **by_name, **by_id;
    size_t buckets, n, anonymous;
};

static struct index memory;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t stripes[STRIPES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* What was heard of and could not be read. */
static struct {
    pthread_mutex_t lock;
    int64_t ids[MISSED_MAX];
    size_t n;
    bool all;
} missed = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void init(void)
{
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_init(&stripes[i], NULL);
}

static void *get_memory(size_t size)
{
    void *p = calloc(1, size);

    if (!p)
        abort();
    return p;
}

/* ---- entries ---- */

static void release(void *arg)
{
    struct entry *e = arg;

    if (e && atomic_fetch_sub(&e->refs, 1) == 1)
        free(e);
}

static const struct webhook_filter *pack_webhooks(struct packer *p, const struct registry *from)
{
    struct webhook_filter *copy =
        pack(p, from->webhooks, from->n_webhooks * sizeof(*from->webhooks));

    for (size_t i = 0; i < from->n_webhooks; i++) {
        const char *scope = pack_text(p, from->webhooks[i].scope);

        if (copy)
            copy[i].scope = scope;
    }
    return copy;
}

static void pack_registry(struct packer *p, const struct registry *from,
                          const struct ip_range *ranges, struct registry *to)
{
    *to = *from;
    to->name = pack_text(p, from->name);
    to->scope = pack_text(p, from->scope);
    to->retention_updated = pack_text(p, from->retention_updated);
    to->created = pack_text(p, from->created);
    to->updated = pack_text(p, from->updated);
    for (size_t i = 0; i < ARRAY_LEN(from->passwords); i++)
        if (from->passwords[i].data)
            to->passwords[i].data = pack(p, from->passwords[i].data, from->passwords[i].len);
    to->options.ip_rules = pack_texts(p, from->options.ip_rules, from->options.n_ip_rules);
    to->ranges = pack(p, ranges, from->options.n_ip_rules * sizeof(*ranges));
    to->webhooks = pack_webhooks(p, from);
}

static struct entry *entry_new(struct op *op, const struct registry *from)
{
    size_t n = from->options.n_ip_rules;
    struct ip_range *ranges = arena_alloc(&op->arena, (n + 1) * sizeof(*ranges));
    struct packer packer = {NULL, 0};
    struct registry counted;
    struct entry *e;

    for (size_t i = 0; i < n; i++)
        ip_range_parse(from->options.ip_rules[i], &ranges[i]);
    pack_registry(&packer, from, ranges, &counted);
    e = get_memory(sizeof(*e) + packer.size);
    atomic_init(&e->refs, 1);
    packer.at = e->data;
    pack_registry(&packer, from, ranges, &e->registry);
    return e;
}

/* ---- the tables ---- */

static size_t hash_name(const char *name)
{
    size_t h = 1469598103934665603u;

    for (; *name; name++)
        h = (h ^ (size_t)tolower((unsigned char)*name)) * 1099511628211u;
    return h;
}

static size_t hash_id(int64_t id)
{
    return (size_t)id * 11400714819323198485u >> 20;
}

static void table_init(struct index *t, size_t n)
{
    size_t buckets = BUCKETS_FIRST;

    while (buckets < n)
        buckets *= 2;
    *t = (struct index){.buckets = buckets,
                        .by_name = get_memory(buckets * sizeof(struct entry *)),
                        .by_id = get_memory(buckets * sizeof(struct entry *))};
}

static void table_free(struct index *t)
{
    free(t->by_name);
    free(t->by_id);
    *t = (struct index){0};
}

static void table_add(struct index *t, struct entry *e)
{
    struct entry **name = &t->by_name[hash_name(e->registry.name) % t->buckets];
    struct entry **id = &t->by_id[hash_id(e->registry.id) % t->buckets];

    e->next_by_name = *name;
    *name = e;
    e->next_by_id = *id;
    *id = e;
    t->n++;
    t->anonymous += e->registry.options.anonymous_pull;
}

static void table_grow(struct index *t)
{
    struct index bigger;

    table_init(&bigger, t->buckets * 2);
    for (size_t i = 0; i < t->buckets; i++) {
        struct entry *next;

        for (struct entry *e = t->by_id[i]; e; e = next) {
            next = e->next_by_id;
            table_add(&bigger, e);
        }
    }
    table_free(t);
    *t = bigger;
}

static struct entry *table_take(struct index *t, int64_t id)
{
    struct entry **at = t->buckets ? &t->by_id[hash_id(id) % t->buckets] : NULL, *e;

    while (at && *at && (*at)->registry.id != id)
        at = &(*at)->next_by_id;
    if (!at || !*at)
        return NULL;
    e = *at;
    *at = e->next_by_id;
    at = &t->by_name[hash_name(e->registry.name) % t->buckets];
    while (*at != e)
        at = &(*at)->next_by_name;
    *at = e->next_by_name;
    t->n--;
    t->anonymous -= e->registry.options.anonymous_pull;
    return e;
}

static void table_release_all(struct index *t)
{
    for (size_t i = 0; i < t->buckets; i++) {
        struct entry *next;

        for (struct entry *e = t->by_id[i]; e; e = next) {
            next = e->next_by_id;
            release(e);
        }
    }
    table_free(t);
}

/* ---- looking up ---- */

static const struct registry *hold(struct op *op, struct entry *e)
{
    if (!e)
        return NULL;
    arena_defer(&op->arena, release, e);
    return &e->registry;
}

const struct registry *registry_find(struct op *op, const char *name)
{
    size_t hash = hash_name(name);
    struct entry *e;

    pthread_mutex_lock(&lock);
    e = memory.buckets ? memory.by_name[hash % memory.buckets] : NULL;
    while (e && strcasecmp(e->registry.name, name) != 0)
        e = e->next_by_name;
    if (e)
        atomic_fetch_add(&e->refs, 1);
    pthread_mutex_unlock(&lock);
    return hold(op, e);
}

const struct registry *registry_find_id(struct op *op, int64_t id)
{
    struct entry *e;

    pthread_mutex_lock(&lock);
    e = memory.buckets ? memory.by_id[hash_id(id) % memory.buckets] : NULL;
    while (e && e->registry.id != id)
        e = e->next_by_id;
    if (e)
        atomic_fetch_add(&e->refs, 1);
    pthread_mutex_unlock(&lock);
    return hold(op, e);
}

static int64_t version_of(int64_t id)
{
    struct op op;
    const struct registry *r;
    int64_t version;

    op_init(&op);
    r = registry_find_id(&op, id);
    version = r ? r->version : -1;
    op_free(&op);
    return version;
}

bool registry_any_anonymous(void)
{
    bool any;

    pthread_mutex_lock(&lock);
    any = memory.anonymous > 0;
    pthread_mutex_unlock(&lock);
    return any;
}

/* The entries of a list, released with the arena. */
struct held {
    size_t n;
    const struct registry **registries;
};

static void release_held(void *arg)
{
    struct held *held = arg;

    for (size_t i = 0; i < held->n; i++)
        release((char *)held->registries[i] - offsetof(struct entry, registry));
}

static int by_name(const void *a, const void *b)
{
    const struct registry *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

const struct registry *const *registry_all(struct op *op, size_t *ret_n)
{
    struct held *held = arena_alloc(&op->arena, sizeof(*held));

    pthread_mutex_lock(&lock);
    held->registries = arena_alloc(&op->arena, (memory.n + 1) * sizeof(*held->registries));
    for (size_t i = 0; i < memory.buckets; i++) {
        for (struct entry *e = memory.by_id[i]; e; e = e->next_by_id) {
            atomic_fetch_add(&e->refs, 1);
            held->registries[held->n++] = &e->registry;
        }
    }
    pthread_mutex_unlock(&lock);
    arena_defer(&op->arena, release_held, held);
    qsort(held->registries, held->n, sizeof(*held->registries), by_name);
    *ret_n = held->n;
    return held->registries;
}

/* ---- reading rows ---- */

static void put(int64_t id, struct entry *e)
{
    struct entry *old;

    pthread_mutex_lock(&lock);
    old = table_take(&memory, id);
    if (e) {
        if (!memory.buckets)
            table_init(&memory, 0);
        if (memory.n >= memory.buckets)
            table_grow(&memory);
        table_add(&memory, e);
    }
    pthread_mutex_unlock(&lock);
    release(old);
}

static enum fault read_one(struct op *op, int64_t id)
{
    struct registry *rows;
    size_t n;

    TRY(registry_store_select(op, id, &rows, &n));
    put(id, n ? entry_new(op, &rows[0]) : NULL);
    return OK;
}

static void miss(int64_t id)
{
    pthread_mutex_lock(&missed.lock);
    if (id == EVERY_REGISTRY || missed.n == MISSED_MAX)
        missed.all = true;
    else
        missed.ids[missed.n++] = id;
    pthread_mutex_unlock(&missed.lock);
}

enum fault registry_changed(struct op *op, int64_t id)
{
    pthread_mutex_t *stripe = &stripes[(size_t)id % STRIPES];
    enum fault fault;

    pthread_once(&once, init);
    pthread_mutex_lock(stripe);
    fault = read_one(op, id);
    pthread_mutex_unlock(stripe);
    if (fault != OK)
        miss(id);
    return fault;
}

static enum fault read_all(struct op *op)
{
    struct index fresh, old;
    struct registry *rows;
    size_t n;

    TRY(registry_store_select(op, EVERY_REGISTRY, &rows, &n));
    table_init(&fresh, n);
    for (size_t i = 0; i < n; i++)
        table_add(&fresh, entry_new(op, &rows[i]));
    pthread_mutex_lock(&lock);
    old = memory;
    memory = fresh;
    pthread_mutex_unlock(&lock);
    table_release_all(&old);
    return OK;
}

enum fault registry_reload(struct op *op)
{
    struct op own; /* 100 000 rows need not live as long as the caller's op */
    enum fault fault;

    pthread_once(&once, init);
    op_init(&own);
    own.db = op->db;
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_lock(&stripes[i]);
    fault = read_all(&own);
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_unlock(&stripes[i]);
    if (fault != OK)
        fail(op, fault, "the registries cannot be read: %s", own.message);
    own.db = NULL;
    op_free(&own);
    return fault;
}

void registry_refresh(struct op *op)
{
    int64_t ids[64];
    size_t n = 0;
    bool all;

    pthread_mutex_lock(&missed.lock);
    all = missed.all;
    missed.all = false;
    while (!all && missed.n > 0 && n < ARRAY_LEN(ids))
        ids[n++] = missed.ids[--missed.n];
    if (all)
        missed.n = 0;
    pthread_mutex_unlock(&missed.lock);
    if (all && registry_reload(op) != OK)
        miss(EVERY_REGISTRY);
    for (size_t i = 0; i < n; i++)
        registry_changed(op, ids[i]); /* notes it again when it fails */
    op_clear_fault(op);
}

/* ---- hearing of changes ---- */

static struct db *hub_db; /* the hub's thread has no connection for us: made when first needed */

/* On the hub's thread. What this process changes it re-reads itself. */
static void heard(const char *payload)
{
    int64_t id = EVERY_REGISTRY, version, known;
    struct op op;
    char *end;

    if (!db_is_shared())
        return; /* nobody else writes, and what could not be read is noted */
    if (payload) {
        id = strtoll(payload, &end, 10);
        version = strtoll(end, NULL, 10);
        known = version_of(id);
        if (version == INT64_MAX ? known < 0 : known >= version)
            return;
    }
    miss(id);
    if (!hub_db)
        hub_db = db_open();
    op_init(&op);
    op.db = hub_db;
    registry_refresh(&op);
    db_op_ended(&op);
    op.db = NULL;
    op_free(&op);
}

void registry_listen(void)
{
    hub_listen("registry", heard);
}

void registry_stop(void)
{
    struct index old;

    pthread_mutex_lock(&lock);
    old = memory;
    memory = (struct index){0};
    pthread_mutex_unlock(&lock);
    table_release_all(&old);
    if (hub_db)
        db_close(hub_db);
    hub_db = NULL;
}
