/* Submitting changes, and what becomes of them: shown, or never. */
#include <stdlib.h>
#include <string.h>

#include "clusters/object/status.h"
#include "clusters/store/store_internal.h"

/* ---- text of a revision ---- */

struct buffer {
    char *data;
    size_t len, cap;
};

static int append(const char *data, size_t len, void *user)
{
    struct buffer *b = user;

    if (b->len + len + 1 > b->cap) {
        b->cap = (b->len + len + 1) * 2;
        b->data = realloc(b->data, b->cap);
        if (!b->data)
            abort();
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return 0;
}

static void append_text(struct buffer *b, const char *text)
{
    append(text, strlen(text), b);
}

static void append_member(struct buffer *b, const char *name, const json_t *value)
{
    append_text(b, b->data[b->len - 1] == '{' ? "\"" : ",\"");
    append_text(b, name);
    append_text(b, "\":");
    json_dump_callback(value, append, b, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void append_metadata(struct buffer *b, json_t *metadata, int64_t revision)
{
    char text[48];
    const char *name;
    json_t *value;

    append_text(b, "{");
    json_object_foreach(metadata, name, value)
    {
        if (strcmp(name, "resourceVersion") != 0)
            append_member(b, name, value);
    }
    if (revision) {
        snprintf(text, sizeof(text), "%s\"resourceVersion\":\"%lld\"",
                 b->data[b->len - 1] == '{' ? "" : ",", (long long)revision);
        append_text(b, text);
    }
    append_text(b, "}");
}

/* Kind and version first, as upstream: lists of typed objects leave them out, by their length. */
static struct bytes encode(struct buffer *b, const struct resource *r, const json_t *tree,
                           int64_t revision)
{
    const char *name;
    json_t *value;

    append_text(b, "{\"kind\":\"");
    append_text(b, r->kind);
    append_text(b, "\",\"apiVersion\":\"");
    append_text(b, resource_api_version(r));
    append_text(b, "\",\"metadata\":");
    append_metadata(b, json_object_get(tree, "metadata"), revision);
    json_object_foreach((json_t *)tree, name, value)
    {
        if (strcmp(name, "kind") != 0 && strcmp(name, "apiVersion") != 0 &&
            strcmp(name, "metadata") != 0)
            append_member(b, name, value);
    }
    append_text(b, "}");
    return (struct bytes){b->data, b->len};
}

struct object *store_draft(struct op *op, const struct write *w, int64_t revision)
{
    struct buffer b = {0};
    struct bytes text = encode(&b, w->resource, w->tree, revision);
    struct object *made =
        object_make(w->resource, w->ns ? w->ns : "", w->name, revision, text, w->tree);

    free(b.data);
    object_drop_later(op, made);
    return made;
}

/* ---- pending changes, under write_lock ---- */

static size_t slot_of(const struct resource *r, const char *ns, const char *name)
{
    size_t hash = (size_t)r->index;

    for (const char *p = ns; *p; p++)
        hash = hash * 31 + (unsigned char)*p;
    for (const char *p = name; *p; p++)
        hash = hash * 31 + (unsigned char)*p;
    return hash % PENDING_SLOTS;
}

static struct pending_change *find_pending(struct store *store, const struct resource *r,
                                           const char *ns, const char *name)
{
    struct pending_change *c = store->pending[slot_of(r, ns, name)];

    while (c && (c->object->resource != r || object_compare(c->object, ns, name) != 0))
        c = c->hash_next;
    return c;
}

/* The object as a writer sees it, held; NULL: none. */
static struct object *latest(struct store *store, const struct resource *r, const char *ns,
                             const char *name)
{
    struct pending_change *c = find_pending(store, r, ns, name);

    if (!c)
        return store_get(store, r, ns, name);
    return c->kind == EVENT_DELETED ? NULL : object_hold(c->object);
}

struct object *store_latest(struct op *op, struct store *store, const struct resource *r,
                            const char *ns, const char *name)
{
    struct object *object;

    pthread_mutex_lock(&store->write_lock);
    object = latest(store, r->stored_as, ns ? ns : "", name);
    pthread_mutex_unlock(&store->write_lock);
    object_drop_later(op, object);
    return object;
}

enum fault store_list_latest(struct op *op, struct store *store, const struct resource *r,
                             const char *ns, struct store_page *ret)
{
    enum fault fault;
    size_t n = 0, pending = 0;
    struct object **all;

    r = r->stored_as;
    pthread_mutex_lock(&store->write_lock); /* nothing is published meanwhile */
    fault = store_list(op, store, r, ns, NULL, NULL, 0, 0, ret);
    for (size_t i = 0; i < PENDING_SLOTS; i++)
        for (struct pending_change *c = store->pending[i]; c; c = c->hash_next)
            pending++;
    all = arena_alloc(&op->arena, (ret->n + pending + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n; i++)
        if (!find_pending(store, r, ns, ret->objects[i]->name))
            all[n++] = ret->objects[i];
    for (size_t i = 0; i < PENDING_SLOTS; i++) {
        for (struct pending_change *c = store->pending[i]; c; c = c->hash_next) {
            struct object *o = c->object;

            if (o->resource != r || strcmp(o->ns, ns) != 0 || c->kind == EVENT_DELETED ||
                find_pending(store, r, ns, o->name) != c)
                continue;
            all[n++] = object_hold(o);
            object_drop_later(op, o);
        }
    }
    pthread_mutex_unlock(&store->write_lock);
    ret->objects = all;
    ret->n = n;
    return fault;
}

void change_free(struct pending_change *change)
{
    object_drop(change->object);
    object_drop(change->previous);
    free(change);
}

static void unhash(struct store *store, struct pending_change *change)
{
    struct object *o = change->object;
    struct pending_change **at = &store->pending[slot_of(o->resource, o->ns, o->name)];

    while (*at != change)
        at = &(*at)->hash_next;
    *at = change->hash_next;
}

/* ---- submit ---- */

static enum fault check(struct op *op, const struct write *w, const struct object *now)
{
    const struct resource *r = w->resource;

    if (w->change == CHANGE_CREATE)
        return now ? already_exists(op, r, w->name) : OK;
    if (!now)
        return not_found(op, r, w->name);
    if (w->expected_uid && strcmp(w->expected_uid, now->uid) != 0)
        return conflict(op, r, w->name,
                        arena_printf(&op->arena,
                                     "Precondition failed: UID in precondition: %s, UID in "
                                     "object meta: %s",
                                     w->expected_uid, now->uid));
    if (w->expected && w->expected != now->revision)
        return conflict(op, r, w->name, CONFLICT_MODIFIED);
    return OK;
}

/* An update that says what is there. The trees' resourceVersion is not compared. */
static bool is_same(const struct write *w, struct object *now)
{
    const json_t *tree = object_tree(now), *metadata = json_object_get(tree, "metadata");
    const json_t *wanted = json_object_get(w->tree, "metadata");
    const char *name;
    json_t *value;

    if (json_object_size(tree) != json_object_size(w->tree))
        return false;
    json_object_foreach((json_t *)w->tree, name, value)
    {
        if (strcmp(name, "metadata") != 0 && !json_equal(value, json_object_get(tree, name)))
            return false;
    }
    if (json_object_size(metadata) !=
        json_object_size(wanted) + (json_object_get(wanted, "resourceVersion") ? 0 : 1))
        return false;
    json_object_foreach((json_t *)wanted, name, value)
    {
        if (strcmp(name, "resourceVersion") != 0 &&
            !json_equal(value, json_object_get(metadata, name)))
            return false;
    }
    return true;
}

static const enum event_kind kinds[] = {[CHANGE_CREATE] = EVENT_ADDED,
                                        [CHANGE_UPDATE] = EVENT_MODIFIED,
                                        [CHANGE_DELETE] = EVENT_DELETED};

static struct pending_change *enqueue(struct store *store, const struct write *w,
                                      struct object *now)
{
    struct pending_change *older = find_pending(store, w->resource, w->ns ? w->ns : "", w->name);
    struct pending_change *c = calloc(1, sizeof(*c)), **slot;
    const json_t *tree = w->tree ? w->tree : object_tree(now);
    struct buffer b = {0};
    struct bytes text;

    if (!c)
        abort();
    if (older && !older->taken)
        older->superseded_by = c;
    text = encode(&b, w->resource, tree, ++store->last);
    c->kind = kinds[w->change];
    c->object = object_make(w->resource, w->ns ? w->ns : "", w->name, store->last, text, tree);
    c->previous = now ? object_hold(now) : NULL;
    free(b.data);
    slot = &store->pending[slot_of(w->resource, c->object->ns, w->name)];
    c->hash_next = *slot;
    *slot = c;
    *store->queue_tail = c;
    store->queue_tail = &c->next;
    return c;
}

static enum fault submit_one(struct op *op, struct store *store, const struct write *w,
                             int64_t *ret_revision, struct object **ret_object)
{
    struct object *now = latest(store, w->resource, w->ns ? w->ns : "", w->name);
    struct object *made;

    object_drop_later(op, now);
    TRY(check(op, w, now));
    if (w->change == CHANGE_UPDATE && is_same(w, now))
        made = now;
    else
        made = enqueue(store, w, now)->object;
    if (ret_object) {
        *ret_object = object_hold(made);
        object_drop_later(op, made);
    }
    *ret_revision = made->revision;
    return OK;
}

static enum fault check_owner(struct op *op, struct store *store)
{
    if (store->is_lost || store->unknown)
        return fail_on(op, "ServiceUnavailable", UNAVAILABLE, UNAVAILABLE_WHY);
    return OK;
}

enum fault store_submit(struct op *op, struct store *store, const struct write *write,
                        int64_t *ret_revision, struct object **ret_object)
{
    enum fault fault;

    pthread_mutex_lock(&store->write_lock);
    fault = check_owner(op, store);
    if (fault == OK)
        fault = submit_one(op, store, write, ret_revision, ret_object);
    if (fault == OK && store->queue)
        store_dirty(store);
    pthread_mutex_unlock(&store->write_lock);
    return fault;
}

enum fault store_submit_all(struct op *op, struct store *store, const struct write *writes,
                            size_t n, int64_t *ret_revision)
{
    enum fault fault;
    int64_t revision = 0, newest = 0;

    pthread_mutex_lock(&store->write_lock);
    fault = check_owner(op, store);
    for (size_t i = 0; i < n && fault == OK; i++) {
        struct object *now =
            latest(store, writes[i].resource, writes[i].ns ? writes[i].ns : "", writes[i].name);

        object_drop_later(op, now);
        fault = check(op, &writes[i], now);
    }
    for (size_t i = 0; i < n && fault == OK; i++) {
        fault = submit_one(op, store, &writes[i], &revision, NULL);
        newest = revision > newest ? revision : newest;
    }
    if (fault == OK && store->queue)
        store_dirty(store);
    pthread_mutex_unlock(&store->write_lock);
    if (fault == OK)
        *ret_revision = newest;
    return fault;
}

/* ---- outcome ---- */

/* Under write_lock: is it known what became of a revision? */
static bool settled(struct store *store, int64_t revision, enum fault *ret_fault)
{
    for (size_t i = 0; i < store->n_failed; i++) {
        if (revision >= store->failed[i].first && revision <= store->failed[i].last) {
            *ret_fault = UNAVAILABLE;
            return true;
        }
    }
    *ret_fault = OK;
    return store_revision(store) >= revision;
}

/* Under write_lock. Waiters' structs belong to who waits: gone once done. */
static void settle_waiters(struct store *store, struct waiter **ret_calls)
{
    struct waiter **at = &store->waiters;
    bool thread_waits = false;

    while (*at) {
        struct waiter *w = *at;

        if (!settled(store, w->revision, &w->fault)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        if (w->call) {
            w->next = *ret_calls;
            *ret_calls = w;
        } else {
            w->done = true;
            thread_waits = true;
        }
    }
    if (thread_waits)
        pthread_cond_broadcast(&store->waited);
}

static enum fault not_written(struct op *op)
{
    return fail_on(op, "ServiceUnavailable", UNAVAILABLE,
                   "the change could not be written to the database");
}

void store_answer_waiters(struct store *store)
{
    struct waiter *calls = NULL;

    pthread_mutex_lock(&store->write_lock);
    settle_waiters(store, &calls);
    pthread_mutex_unlock(&store->write_lock);
    while (calls) {
        struct waiter *next = calls->next; /* it lies in the call's arena */
        struct call *c = calls->call;

        call_complete(c, calls->fault == OK ? OK : not_written(&c->op));
        calls = next;
    }
}

enum fault store_wait(struct op *op, struct store *store, int64_t revision)
{
    struct waiter w = {.revision = revision, .store = store};

    if (revision == 0)
        return OK;
    pthread_mutex_lock(&store->write_lock);
    w.done = settled(store, revision, &w.fault);
    if (!w.done) {
        w.next = store->waiters;
        store->waiters = &w;
    }
    while (!w.done)
        pthread_cond_wait(&store->waited, &store->write_lock);
    pthread_mutex_unlock(&store->write_lock);
    return w.fault == OK ? OK : not_written(op);
}

static void park(struct call *c)
{
    struct waiter *w = c->scratch;
    struct store *store = w->store;
    enum fault fault = OK;
    bool done;

    pthread_mutex_lock(&store->write_lock);
    done = settled(store, w->revision, &fault);
    if (!done) {
        w->next = store->waiters;
        store->waiters = w;
    }
    pthread_mutex_unlock(&store->write_lock);
    if (done)
        call_complete(c, fault == OK ? OK : not_written(&c->op));
}

enum fault store_park(struct call *c, struct store *store, int64_t revision)
{
    struct waiter *w;

    if (revision == 0)
        return OK;
    w = arena_alloc(&c->op.arena, sizeof(*w));
    w->revision = revision;
    w->store = store;
    w->call = c;
    c->scratch = w;
    return call_park(c, park);
}

static void show(struct store *store, struct pending_change *c)
{
    struct object *o = c->object;
    struct bucket *bucket = &store->buckets[o->resource->index];
    struct event event = {c->kind, o->revision, object_hold(o),
                          c->previous ? object_hold(c->previous) : NULL};

    bucket_set(bucket, o->ns, o->name, c->kind == EVENT_DELETED ? NULL : object_hold(o));
    bucket->changed = o->revision;
    history_add(&store->history, &event);
}

void store_publish(struct store *store, struct pending_change *batch, int64_t revision)
{
    pthread_mutex_lock(&store->write_lock);
    pthread_mutex_lock(&store->lock);
    for (struct pending_change *c = batch; c; c = c->next) {
        show(store, c);
        unhash(store, c);
    }
    store->revision = revision;
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_unlock(&store->write_lock);
}

/* Numbers once given are not given again: who heard of one must not meet another's object. */
static void remember_failed(struct store *store, int64_t first, int64_t last)
{
    size_t n = store->n_failed;

    if (n && store->failed[n - 1].last + 1 == first) {
        store->failed[n - 1].last = last;
        return;
    }
    if (n == FAILED_MAX) {
        memmove(store->failed, store->failed + 1, (FAILED_MAX - 1) * sizeof(store->failed[0]));
        n--;
    }
    store->failed[n].first = first;
    store->failed[n].last = last;
    store->n_failed = n + 1;
}

void store_discard(struct store *store)
{
    if (store->queue)
        remember_failed(store, store->queue->object->revision, store->last);
    while (store->queue) {
        struct pending_change *next = store->queue->next;

        unhash(store, store->queue);
        change_free(store->queue);
        store->queue = next;
    }
    store->queue_tail = &store->queue;
}
