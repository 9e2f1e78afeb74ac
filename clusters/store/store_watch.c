/* History and who is told of events: listeners of this process, clients' watches. */
#include <stdlib.h>
#include <string.h>

#include "clusters/store/store_internal.h"

#define BACKLOG_STEP 256

/* ---- history: a ring, bounded by number and bytes ---- */

/* What an event keeps alive that nobody else may: the previous revision, and its parsed tree. */
static size_t weight(const struct event *e)
{
    size_t bytes = sizeof(*e) + sizeof(struct object) + e->object->text.len;

    if (e->previous && atomic_load(&e->previous->tree))
        bytes += e->previous->text.len * 6;
    return bytes;
}

static void drop_oldest(struct history *h)
{
    struct event *e = &h->events[h->first];
    size_t bytes = weight(e);

    h->floor = e->revision;
    /* a tree may have been parsed since it was weighed */
    h->bytes -= bytes < h->bytes ? bytes : h->bytes;
    object_drop(e->object);
    object_drop(e->previous);
    h->first = (h->first + 1) % h->cap;
    h->n--;
}

static void grow(struct history *h)
{
    size_t cap = h->cap ? h->cap * 2 : 64;
    struct event *events = malloc(cap * sizeof(*events));

    if (!events)
        abort();
    for (size_t i = 0; i < h->n; i++)
        events[i] = h->events[(h->first + i) % h->cap];
    free(h->events);
    h->events = events;
    h->cap = cap;
    h->first = 0;
}

void history_add(struct history *h, const struct event *event)
{
    while (h->n && (h->n >= HISTORY_MAX || h->bytes > HISTORY_BYTES))
        drop_oldest(h);
    if (h->n == h->cap)
        grow(h);
    h->events[(h->first + h->n++) % h->cap] = *event;
    h->bytes += weight(event);
}

void history_clear(struct history *h)
{
    while (h->n)
        drop_oldest(h);
    free(h->events);
    *h = (struct history){0};
}

/* Index of the first event after a revision. */
static size_t history_find(const struct history *h, int64_t revision)
{
    size_t low = 0, high = h->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (h->events[(h->first + middle) % h->cap].revision <= revision)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- which watches want an event ---- */

/* A watch is in the slot of the narrowest thing it names: a name, a label, a namespace. */
enum want { WANT_NAME, WANT_LABEL, WANT_ANY };

static size_t mix(size_t hash, const char *text)
{
    hash = hash * 31 + 1;
    for (const char *p = text ? text : "*"; *p; p++)
        hash = hash * 31 + (unsigned char)*p;
    return hash;
}

static size_t slot(enum want want, const struct resource *r, const char *ns, const char *a,
                   const char *b)
{
    size_t hash = (size_t)r->index * 4 + want;

    return mix(mix(mix(hash, ns), a), b) % WATCH_SLOTS;
}

static size_t slot_of_watch(const struct watch *w)
{
    const struct resource *r = w->resource->stored_as;

    if (w->name)
        return slot(WANT_NAME, r, w->ns, w->name, NULL);
    if (w->key)
        return slot(WANT_LABEL, r, w->ns, w->key, w->value);
    return slot(WANT_ANY, r, w->ns, NULL, NULL);
}

static bool has_label(const struct object *o, const struct watch *w)
{
    const char *value;

    if (!o || !o->labels)
        return false;
    value = json_string_value(json_object_get(o->labels, w->key));
    return value && strcmp(value, w->value) == 0;
}

static bool wants(const struct watch *w, const struct event *e)
{
    const struct object *o = e->object;

    if (o->resource != w->resource->stored_as || e->revision <= w->seen)
        return false;
    if ((w->ns && strcmp(w->ns, o->ns) != 0) || (w->name && strcmp(w->name, o->name) != 0))
        return false;
    return !w->key || has_label(o, w) || has_label(e->previous, w);
}

static void unlink_watch(struct store *store, struct watch *w)
{
    if (!w->pprev)
        return;
    *w->pprev = w->next;
    if (w->next)
        w->next->pprev = w->pprev;
    w->next = NULL;
    w->pprev = NULL;
    store->n_watches--;
}

static void end_watch(struct store *store, struct watch *w)
{
    unlink_watch(store, w);
    if (w->ended)
        w->ended(w);
}

static void tell_slot(struct store *store, size_t i, const struct event *e)
{
    struct watch *next;

    for (struct watch *w = store->watches[i]; w; w = next) {
        next = w->next;
        if (!wants(w, e))
            continue;
        w->seen = e->revision;
        if (!w->accept(w, e))
            end_watch(store, w);
    }
}

static void tell_labels(struct store *store, const struct object *o, const struct event *e)
{
    const char *key;
    json_t *value;

    if (!o || !o->labels)
        return;
    json_object_foreach(o->labels, key, value)
    {
        const char *text = json_string_value(value);

        tell_slot(store, slot(WANT_LABEL, o->resource, o->ns, key, text), e);
        tell_slot(store, slot(WANT_LABEL, o->resource, NULL, key, text), e);
    }
}

void store_tell_listeners(struct store *store, const struct event *e)
{
    pthread_mutex_lock(&store->watch_lock);
    for (struct listener *l = store->listeners; l; l = l->next)
        if (!e || !l->resource || l->resource->stored_as == e->object->resource)
            l->heard(l->user, e);
    pthread_mutex_unlock(&store->watch_lock);
}

void store_tell(struct store *store, const struct event *e)
{
    const struct object *o = e->object;

    pthread_mutex_lock(&store->watch_lock);
    if (store->n_watches) {
        tell_slot(store, slot(WANT_NAME, o->resource, o->ns, o->name, NULL), e);
        tell_slot(store, slot(WANT_NAME, o->resource, NULL, o->name, NULL), e);
        tell_labels(store, o, e);
        tell_labels(store, e->previous, e);
        tell_slot(store, slot(WANT_ANY, o->resource, o->ns, NULL, NULL), e);
        tell_slot(store, slot(WANT_ANY, o->resource, NULL, NULL, NULL), e);
    }
    pthread_mutex_unlock(&store->watch_lock);
}

static void tick_slot(struct store *store, size_t i, int64_t revision)
{
    struct watch *next;

    for (struct watch *w = store->watches[i]; w; w = next) {
        next = w->next;
        if (w->tick && !w->tick(w, revision))
            end_watch(store, w);
    }
}

void store_tick(struct store *store)
{
    int64_t revision;

    pthread_mutex_lock(&store->watch_lock);
    revision = store_revision(store);
    for (size_t i = 0; i < WATCH_SLOTS && store->n_watches; i++)
        tick_slot(store, i, revision);
    pthread_mutex_unlock(&store->watch_lock);
}

void store_end_watches(struct store *store)
{
    pthread_mutex_lock(&store->watch_lock);
    for (size_t i = 0; i < WATCH_SLOTS; i++)
        while (store->watches[i])
            end_watch(store, store->watches[i]);
    pthread_mutex_unlock(&store->watch_lock);
}

/* ---- coming and going ---- */

static void link_watch(struct store *store, struct watch *w)
{
    struct watch **head = &store->watches[slot_of_watch(w)];

    w->next = *head;
    if (w->next)
        w->next->pprev = &w->next;
    w->pprev = head;
    *head = w;
    store->n_watches++;
}

struct backlog {
    struct event events[BACKLOG_STEP];
    size_t n;
    int64_t upto; /* everything up to here was looked at */
};

/* Under lock. GONE when history does not reach back to w->seen. */
static enum fault take_backlog(struct store *store, const struct watch *w, struct backlog *b)
{
    const struct history *h = &store->history;
    size_t i;

    b->n = 0;
    b->upto = store->revision;
    if (w->seen < h->floor)
        return GONE;
    for (i = history_find(h, w->seen); i < h->n && b->n < BACKLOG_STEP; i++) {
        struct event e = h->events[(h->first + i) % h->cap];

        if (!wants(w, &e))
            continue;
        object_hold(e.object);
        if (e.previous)
            object_hold(e.previous);
        b->events[b->n++] = e;
    }
    if (i < h->n)
        b->upto = b->events[b->n - 1].revision;
    return OK;
}

static bool give_backlog(struct watch *w, struct backlog *b)
{
    bool going = true;

    for (size_t i = 0; i < b->n; i++) {
        going = going && w->accept(w, &b->events[i]);
        object_drop(b->events[i].object);
        object_drop(b->events[i].previous);
    }
    w->seen = b->upto;
    return going;
}

static enum fault too_old(struct op *op, struct store *store, int64_t from)
{
    return fail_on(op, "Expired", GONE, "too old resource version: %lld (%lld)", (long long)from,
                   (long long)store_revision(store));
}

enum fault store_watch(struct op *op, struct store *store, struct watch *w, int64_t from)
{
    enum fault fault = OK;
    bool linked = false, going = true;
    struct backlog *b = arena_alloc(&op->arena, sizeof(*b));

    w->store = store;
    w->seen = from ? from : store_revision(store);
    w->next = NULL;
    w->pprev = NULL;
    while (fault == OK && !linked && going) {
        pthread_mutex_lock(&store->watch_lock);
        pthread_mutex_lock(&store->lock);
        fault = take_backlog(store, w, b);
        linked = fault == OK && b->n == 0;
        if (linked) {
            w->seen = w->seen > b->upto ? w->seen : b->upto;
            link_watch(store, w);
        }
        pthread_mutex_unlock(&store->lock);
        pthread_mutex_unlock(&store->watch_lock);
        if (fault == OK && !linked)
            going = give_backlog(w, b);
    }
    if (fault != OK)
        return too_old(op, store, from);
    if (!going && w->ended)
        w->ended(w);
    return OK;
}

void store_unwatch(struct watch *w)
{
    if (!w->store)
        return;
    pthread_mutex_lock(&w->store->watch_lock);
    unlink_watch(w->store, w);
    pthread_mutex_unlock(&w->store->watch_lock);
}

void store_listen(struct store *store, const struct resource *r,
                  void (*heard)(void *user, const struct event *event), void *user)
{
    struct listener *l = calloc(1, sizeof(*l)), **at = &store->listeners;

    if (!l)
        abort();
    l->resource = r;
    l->heard = heard;
    l->user = user;
    pthread_mutex_lock(&store->watch_lock);
    while (*at)
        at = &(*at)->next;
    *at = l;
    pthread_mutex_unlock(&store->watch_lock);
}

void store_unlisten(struct store *store, void (*heard)(void *user, const struct event *event),
                    void *user)
{
    struct listener **at = &store->listeners;

    pthread_mutex_lock(&store->watch_lock);
    while (*at) {
        struct listener *l = *at;

        if (l->heard == heard && l->user == user) {
            *at = l->next;
            free(l);
        } else {
            at = &l->next;
        }
    }
    pthread_mutex_unlock(&store->watch_lock);
}
