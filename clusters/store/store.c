/* Objects and the committed view: what readers see. */
#include "clusters/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "clusters/store/store_internal.h"
#include "core/db.h"
#include "core/seal.h"

enum { CLUSTER_GET, OBJECTS };
static const struct db_stmt stmts[] = {
    [CLUSTER_GET] = {"SELECT revision FROM clusters.managed_cluster WHERE id = $1 AND epoch = $2"},
    [OBJECTS] = {"SELECT resource, namespace, name, revision, document FROM clusters.object "
                 "WHERE cluster = $1"},
    {0},
};

/* ---- objects ---- */

struct object *object_make(const struct resource *r, const char *ns, const char *name,
                           int64_t revision, struct bytes text, const json_t *tree)
{
    const json_t *metadata = json_object_get(tree, "metadata");
    const json_t *labels = json_object_get(metadata, "labels");
    const char *uid = json_string_value(json_object_get(metadata, "uid"));
    size_t ns_size = strlen(ns) + 1, name_size = strlen(name) + 1;
    size_t uid_size = uid ? strlen(uid) + 1 : 1;
    struct object *o = malloc(sizeof(*o) + text.len + 1 + ns_size + name_size + uid_size);
    char *at;

    if (!o)
        abort();
    memset(o, 0, sizeof(*o));
    at = (char *)(o + 1);
    memcpy(at, text.data, text.len);
    at[text.len] = '\0';
    o->text = (struct bytes){at, text.len};
    o->ns = memcpy(at + text.len + 1, ns, ns_size);
    o->name = memcpy(at + text.len + 1 + ns_size, name, name_size);
    o->uid = memcpy(at + text.len + 1 + ns_size + name_size, uid ? uid : "", uid_size);
    o->resource = r;
    o->revision = revision;
    o->deleting = json_is_string(json_object_get(metadata, "deletionTimestamp"));
    /* a copy of its own: the tree's reference counts belong to another thread */
    if (json_is_object(labels) && json_object_size(labels))
        o->labels = json_deep_copy(labels);
    o->refs = 1;
    return o;
}

struct object *object_hold(struct object *object)
{
    atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
    return object;
}

void object_drop(struct object *object)
{
    if (!object || atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) > 1)
        return;
    json_decref(atomic_load(&object->tree));
    json_decref(object->labels);
    free(object);
}

static void drop(void *object)
{
    object_drop(object);
}

void object_drop_later(struct op *op, struct object *object)
{
    if (object)
        arena_defer(&op->arena, drop, object);
}

const json_t *object_tree(struct object *object)
{
    json_t *tree = atomic_load_explicit(&object->tree, memory_order_acquire), *none = NULL;

    if (tree)
        return tree;
    tree = json_loadb(object->text.data, object->text.len, JSON_ALLOW_NUL, NULL);
    if (!tree)
        abort(); /* we wrote that text */
    if (atomic_compare_exchange_strong(&object->tree, &none, tree))
        return tree;
    json_decref(tree); /* another thread was faster */
    return none;
}

int object_compare(const struct object *a, const char *ns, const char *name)
{
    int order = strcmp(a->ns, ns);

    return order ? order : strcmp(a->name, name);
}

/* ---- buckets ---- */

size_t bucket_find(const struct bucket *bucket, const char *ns, const char *name)
{
    size_t low = 0, high = bucket->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (object_compare(bucket->objects[middle], ns, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct bucket *bucket, size_t i, const char *ns, const char *name)
{
    return i < bucket->n && object_compare(bucket->objects[i], ns, name) == 0;
}

static void insert(struct bucket *bucket, size_t i, struct object *object)
{
    if (bucket->n == bucket->cap) {
        bucket->cap = bucket->cap ? bucket->cap * 2 : 4;
        bucket->objects = realloc(bucket->objects, bucket->cap * sizeof(struct object *));
        if (!bucket->objects)
            abort();
    }
    memmove(bucket->objects + i + 1, bucket->objects + i,
            (bucket->n - i) * sizeof(struct object *));
    bucket->objects[i] = object;
    bucket->n++;
}

void bucket_set(struct bucket *bucket, const char *ns, const char *name, struct object *object)
{
    size_t i = bucket_find(bucket, ns, name);

    if (!is_at(bucket, i, ns, name)) {
        if (object)
            insert(bucket, i, object);
        return;
    }
    object_drop(bucket->objects[i]);
    if (object) {
        bucket->objects[i] = object;
        return;
    }
    memmove(bucket->objects + i, bucket->objects + i + 1,
            (--bucket->n - i) * sizeof(struct object *));
}

void store_clear(struct store *store)
{
    for (size_t i = 0; i < RESOURCE_INDEX_MAX; i++) {
        struct bucket *b = &store->buckets[i];

        for (size_t j = 0; j < b->n; j++)
            object_drop(b->objects[j]);
        free(b->objects);
        *b = (struct bucket){0};
    }
    history_clear(&store->history);
}

/* ---- life ---- */

static const struct resource *resource_named(const char *qualified)
{
    for (size_t i = 0; all_resources[i]; i++) {
        const struct resource *r = all_resources[i];

        if (r->stored_as == r && !r->virtual_ && strcmp(resource_qualified(r), qualified) == 0)
            return r;
    }
    return NULL;
}

/* Secrets lie sealed in the database (DESIGN §2). */
static enum fault document_of(struct op *op, struct store *store, const struct resource *r,
                              const struct db_rows *rows, struct bytes *ret)
{
    const char *text = db_text(rows, "document");
    struct bytes sealed;

    *ret = BYTES(text);
    if (text[0] == '{')
        return OK;
    if (!base64_decode(&op->arena, text, false, &sealed))
        return fail(op, INTERNAL, "a row of %s is damaged", resource_qualified(r));
    return unseal(op, arena_printf(&op->arena, "clusters/object/%lld", (long long)store->cluster),
                  sealed, ret);
}

static enum fault load_row(struct op *op, struct store *store, const struct resource *r,
                           const struct db_rows *rows)
{
    const char *ns = db_text(rows, "namespace"), *name = db_text(rows, "name");
    int64_t revision = db_int(rows, "revision");
    struct bucket *bucket = &store->buckets[r->index];
    struct bytes text = {0};
    struct object *object;
    json_t *tree;

    TRY(document_of(op, store, r, rows, &text));
    tree = json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);
    if (!tree)
        return fail(op, INTERNAL, "%s \"%s\" is damaged in the database", r->kind, name);
    object = object_make(r, ns, name, revision, text, tree);
    json_decref(tree);
    bucket_set(bucket, ns, name, object);
    if (bucket->changed < revision)
        bucket->changed = revision;
    return OK;
}

enum fault store_load(struct op *op, struct store *store)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[CLUSTER_GET], &rows, DB_INT(store->cluster), DB_INT(store->epoch)));
    if (!db_next(&rows))
        return fail(op, NOT_FOUND, "another process owns the cluster");
    store->revision = db_int(&rows, "revision");
    TRY(db_query(op, &stmts[OBJECTS], &rows, DB_INT(store->cluster)));
    while (db_next(&rows)) {
        const struct resource *r = resource_named(db_text(&rows, "resource"));

        if (r) /* else a later version's: it stays where it is */
            TRY(load_row(op, store, r, &rows));
    }
    store->history.floor = store->revision;
    return OK;
}

static void locks_init(struct store *store)
{
    pthread_mutex_init(&store->write_lock, NULL);
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->watch_lock, NULL);
    pthread_cond_init(&store->waited, NULL);
}

static void store_free(struct store *store)
{
    store_clear(store);
    while (store->listeners) {
        struct listener *next = store->listeners->next;

        free(store->listeners);
        store->listeners = next;
    }
    pthread_mutex_destroy(&store->write_lock);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->watch_lock);
    pthread_cond_destroy(&store->waited);
    free(store);
}

enum fault store_open(struct op *op, int64_t cluster, int64_t epoch, void *user,
                      void (*lost)(void *user), struct store **ret)
{
    struct store *store = calloc(1, sizeof(*store));
    enum fault fault;

    if (!store)
        abort();
    locks_init(store);
    store->cluster = cluster;
    store->epoch = epoch;
    store->user = user;
    store->lost = lost;
    store->queue_tail = &store->queue;
    db_register(stmts);
    fault = store_load(op, store);
    if (fault != OK) {
        store_free(store);
        return fault;
    }
    /* revisions from 1: "0" means any to clients */
    store->last = store->revision = store->revision ? store->revision : 1;
    store->history.floor = store->revision;
    store_enroll(store);
    *ret = store;
    return OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store_leave(store);
    store_end_watches(store);
    store_free(store);
}

void *store_user(struct store *store)
{
    return store->user;
}

int64_t store_revision(struct store *store)
{
    int64_t revision;

    pthread_mutex_lock(&store->lock);
    revision = store->revision;
    pthread_mutex_unlock(&store->lock);
    return revision;
}

/* ---- reading ---- */

struct object *store_get(struct store *store, const struct resource *r, const char *ns,
                         const char *name)
{
    const struct bucket *bucket = &store->buckets[r->stored_as->index];
    struct object *object = NULL;
    size_t i;

    if (!ns)
        ns = "";
    pthread_mutex_lock(&store->lock);
    i = bucket_find(bucket, ns, name);
    if (is_at(bucket, i, ns, name))
        object = object_hold(bucket->objects[i]);
    pthread_mutex_unlock(&store->lock);
    return object;
}

struct object *store_read(struct op *op, struct store *store, const struct resource *r,
                          const char *ns, const char *name)
{
    struct object *object = store_get(store, r, ns, name);

    object_drop_later(op, object);
    return object;
}

int64_t store_changed(struct store *store, const struct resource *r)
{
    int64_t changed;

    pthread_mutex_lock(&store->lock);
    changed = store->buckets[r->stored_as->index].changed;
    pthread_mutex_unlock(&store->lock);
    return changed;
}

static bool in_namespace(const struct object *object, const char *ns)
{
    return !ns || strcmp(object->ns, ns) == 0;
}

/* The first object of ns, and one past its last. */
static void range_of(const struct bucket *bucket, const char *ns, size_t *ret_from, size_t *ret_end)
{
    *ret_from = 0;
    *ret_end = bucket->n;
    if (!ns)
        return;
    *ret_from = bucket_find(bucket, ns, "");
    /* names are ASCII letters: DEL sorts after all of them */
    *ret_end = bucket_find(bucket, ns, "\x7f");
}

size_t store_count(struct store *store, const struct resource *r, const char *ns)
{
    size_t from = 0, end = 0;

    pthread_mutex_lock(&store->lock);
    range_of(&store->buckets[r->stored_as->index], ns, &from, &end);
    pthread_mutex_unlock(&store->lock);
    return end - from;
}

/* ---- lists ---- */

struct held {
    struct object **objects;
    size_t n;
};

static void drop_all(void *arg)
{
    struct held *held = arg;

    for (size_t i = 0; i < held->n; i++)
        object_drop(held->objects[i]);
    free(held->objects);
}

static struct held *held_new(struct op *op, size_t cap)
{
    struct held *held = arena_alloc(&op->arena, sizeof(*held));

    held->objects = malloc((cap ? cap : 1) * sizeof(struct object *));
    if (!held->objects)
        abort();
    arena_defer(&op->arena, drop_all, held);
    return held;
}

static size_t after_key(const struct bucket *bucket, const char *ns, const char *name)
{
    size_t i = bucket_find(bucket, ns, name);

    return is_at(bucket, i, ns, name) ? i + 1 : i;
}

/* Under lock: a page of what bucket holds now. */
static void take_page(struct op *op, const struct bucket *bucket, const char *ns,
                      const char *after_ns, const char *after_name, size_t max,
                      struct store_page *ret)
{
    size_t from = 0, end = 0, skip;
    struct held *held;

    range_of(bucket, ns, &from, &end);
    if (after_name) {
        skip = after_key(bucket, after_ns ? after_ns : "", after_name);
        if (from < skip)
            from = skip;
        if (from > end)
            from = end;
    }
    ret->remaining = max && end - from > max ? end - from - max : 0;
    end -= ret->remaining;
    held = held_new(op, end - from);
    for (size_t i = from; i < end; i++)
        held->objects[held->n++] = object_hold(bucket->objects[i]);
    ret->objects = held->objects;
    ret->n = held->n;
}

/* Undo the events after revision `at`, the newest first, on a copy. Under lock. */
static void undo(struct store *store, const struct resource *r, const char *ns, int64_t at,
                 struct bucket *copy)
{
    const struct history *h = &store->history;

    for (size_t i = h->n; i > 0; i--) {
        const struct event *e = &h->events[(h->first + i - 1) % h->cap];

        if (e->revision <= at)
            return;
        if (e->object->resource != r || !in_namespace(e->object, ns))
            continue;
        bucket_set(copy, e->object->ns, e->object->name,
                   e->previous ? object_hold(e->previous) : NULL);
    }
}

static void copy_range(const struct bucket *bucket, const char *ns, struct bucket *copy)
{
    size_t from = 0, end = 0;

    range_of(bucket, ns, &from, &end);
    copy->cap = end - from + 16;
    copy->objects = malloc(copy->cap * sizeof(struct object *));
    if (!copy->objects)
        abort();
    for (size_t i = from; i < end; i++)
        copy->objects[copy->n++] = object_hold(bucket->objects[i]);
}

static void list_past(struct op *op, struct store *store, const struct resource *r, const char *ns,
                      const char *after_ns, const char *after_name, size_t max, int64_t at,
                      struct store_page *ret)
{
    struct bucket copy = {0};

    copy_range(&store->buckets[r->index], ns, &copy);
    undo(store, r, ns, at, &copy);
    take_page(op, &copy, ns, after_ns, after_name, max, ret);
    for (size_t i = 0; i < copy.n; i++)
        object_drop(copy.objects[i]);
    free(copy.objects);
}

enum fault store_list(struct op *op, struct store *store, const struct resource *r, const char *ns,
                      const char *after_ns, const char *after_name, size_t max, int64_t at,
                      struct store_page *ret)
{
    const struct bucket *bucket;
    bool gone;

    r = r->stored_as;
    bucket = &store->buckets[r->index];
    pthread_mutex_lock(&store->lock);
    gone = at && at < store->history.floor && at < bucket->changed;
    if (!gone) {
        ret->revision = at && at < store->revision ? at : store->revision;
        if (at && at < bucket->changed)
            list_past(op, store, r, ns, after_ns, after_name, max, at, ret);
        else
            take_page(op, bucket, ns, after_ns, after_name, max, ret);
    }
    pthread_mutex_unlock(&store->lock);
    if (gone)
        return fail_on(op, "Expired", GONE, "the provided resource version is too old");
    return OK;
}
