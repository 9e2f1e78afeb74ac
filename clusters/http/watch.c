/*
 * Watches: a stream that the store's committing thread feeds. What exists already (no resource
 * version given) is sent first, as fast as the client reads; then events from there on.
 *
 *~ Between two selectors' answers an object comes (ADDED) or goes (DELETED, as it was before).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/http/kubernetes.h"
#include "core/seal.h"
#include "core/server.h"
#include "core/stream.h"

#define BOOKMARK_MS 60000
#define TIMEOUT_S   1800 /* at least, when the client names none: half an hour to a whole one */
#define QUEUE_LOW   ((size_t)256 << 10)
#define CACHE_SLOTS 4

struct watcher {
    struct watch watch;
    struct stream *stream;
    struct call *call; /* lives until on_close */
    struct kube *kube;
    struct accepted accepted;
    const char *include;
    struct chosen chosen;
    bool bookmarks, columns_sent;
    int64_t deadline_ms, bookmark_ms, revision;
    /* what exists already, while it is being sent */
    struct op initial; /* holds page; freed when it is sent: a watch lasts long */
    struct store_page page;
    size_t sent;
    bool live; /* the store feeds it */
};

static const char *const kind_names[] = {
    [EVENT_ADDED] = "ADDED", [EVENT_MODIFIED] = "MODIFIED", [EVENT_DELETED] = "DELETED"};

/* ---- one serialisation for all watchers of an event ---- */

struct cached {
    const struct store *store;
    const struct resource *resource;
    int64_t revision;
    const char *kind, *include, *version;
    enum form form;
    char *data;
    size_t len, cap;
};
struct cache {
    struct cached slots[CACHE_SLOTS];
    unsigned next;
};
static pthread_key_t cache_key; /* each thread has its own: the committing one, mostly */
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;

static void cache_free(void *arg)
{
    struct cache *cache = arg;

    for (unsigned i = 0; i < CACHE_SLOTS; i++)
        free(cache->slots[i].data);
    free(cache);
}

static void cache_setup(void)
{
    if (pthread_key_create(&cache_key, cache_free) != 0)
        abort();
}

static struct cache *cache_of_thread(void)
{
    struct cache *cache;

    pthread_once(&cache_once, cache_setup);
    cache = pthread_getspecific(cache_key);
    if (!cache) {
        cache = calloc(1, sizeof(*cache));
        if (!cache || pthread_setspecific(cache_key, cache) != 0)
            abort();
    }
    return cache;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || strcmp(a, b) == 0;
}

static struct cached *cached_find(struct cache *cache, const struct watcher *w, const char *kind,
                                  int64_t revision)
{
    for (unsigned i = 0; i < CACHE_SLOTS; i++) {
        struct cached *e = &cache->slots[i];

        if (e->kind && e->revision == revision && e->store == w->watch.store && e->kind == kind &&
            e->form == w->accepted.form && e->resource == w->kube->r.resource &&
            same_text(e->include, w->include) && same_text(e->version, w->accepted.version))
            return e;
    }
    return NULL;
}

/* include and version are compared, not kept: of a request they live shorter than this. */
static const char *const includes[] = {"None", "Metadata", "Object"};
static const char *const versions[] = {"v1", "v1beta1"};

static const char *interned(const char *const *texts, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(texts[i], text) == 0)
            return texts[i];
    return texts[n - 1];
}

/* {"type":"ADDED","object":…} and a line's end, in e's own buffer. */
static void fill(struct cached *e, const char *kind, struct bytes object)
{
    size_t need = object.len + 64;

    if (e->cap < need) {
        e->cap = need * 2;
        free(e->data);
        e->data = malloc(e->cap);
        if (!e->data)
            abort();
    }
    e->len = (size_t)snprintf(e->data, 64, "{\"type\":\"%s\",\"object\":", kind);
    memcpy(e->data + e->len, object.data, object.len);
    memcpy(e->data + e->len + object.len, "}\n", 2);
    e->len += object.len + 2;
}

/* The text of an object that has gone out of sight: as it was, with the event's revision. */
static struct bytes text_at_revision(struct op *op, const struct object *object, int64_t revision)
{
    char was[64];
    const char *at_version;
    struct text out;

    snprintf(was, sizeof(was), "\"resourceVersion\":\"%lld\"}", (long long)object->revision);
    at_version = strstr(object->text.data, was);
    if (!at_version)
        return object->text;
    text_init(&out, &op->arena, object->text.len + 64);
    text_add(&out, object->text.data, (size_t)(at_version - (const char *)object->text.data));
    text_printf(&out, "\"resourceVersion\":\"%lld\"}", (long long)revision);
    text_str(&out, at_version + strlen(was));
    return text_bytes(&out);
}

static bool send_event(struct watcher *w, const char *kind, struct object *object, int64_t revision)
{
    bool first = w->accepted.form == FORM_TABLE && !w->columns_sent;
    struct cache *cache = cache_of_thread();
    struct cached *e = first ? NULL : cached_find(cache, w, kind, revision);
    struct bytes text;
    struct op op;

    if (!e) {
        op_init(&op);
        text =
            object->revision == revision ? object->text : text_at_revision(&op, object, revision);
        e = &cache->slots[cache->next++ % CACHE_SLOTS];
        fill(e, kind,
             shape_object(&op, &w->kube->r, &w->accepted, object, text, first, w->include));
        *e = (struct cached){.store = w->watch.store,
                             .resource = w->kube->r.resource,
                             .revision = first ? -1 : revision,
                             .kind = kind,
                             .include = w->include,
                             .version = w->accepted.version,
                             .form = w->accepted.form,
                             .data = e->data,
                             .len = e->len,
                             .cap = e->cap};
        op_free(&op);
        w->columns_sent = true;
    }
    return stream_send(w->stream, (struct bytes){e->data, e->len});
}

/* ---- the store's side ---- */

static bool accept(struct watch *watch, const struct event *e)
{
    struct watcher *w = watch->user;
    bool now = e->kind != EVENT_DELETED && is_chosen(&w->chosen, e->object);
    bool before = e->previous && is_chosen(&w->chosen, e->previous);

    w->revision = e->revision;
    if (!now && !before)
        return true;
    if (e->kind == EVENT_DELETED)
        return send_event(w, kind_names[EVENT_DELETED], e->object, e->revision);
    if (!now)
        return send_event(w, kind_names[EVENT_DELETED], e->previous, e->revision);
    return send_event(w, kind_names[before ? EVENT_MODIFIED : EVENT_ADDED], e->object, e->revision);
}

static bool send_bookmark(struct watcher *w, int64_t revision)
{
    const struct resource *r = w->kube->r.resource;
    const char *kind = r->kind, *version = resource_api_version(r), *rest = "";
    struct text out;
    struct op op;
    bool sent;

    op_init(&op);
    text_init(&out, &op.arena, 1024);
    if (w->accepted.form != FORM_JSON) {
        kind = w->accepted.form == FORM_TABLE ? "Table" : "PartialObjectMetadata";
        version = arena_printf(&op.arena, "meta.k8s.io/%s", w->accepted.version);
    }
    if (w->accepted.form == FORM_TABLE)
        rest = ",\"columnDefinitions\":null,\"rows\":[]";
    text_printf(&out,
                "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\","
                "\"metadata\":{\"resourceVersion\":\"%lld\"",
                kind, version, (long long)revision);
    if (w->accepted.form != FORM_TABLE)
        text_str(&out, ",\"creationTimestamp\":null");
    text_printf(&out, "}%s}}\n", rest);
    sent = stream_send(w->stream, text_bytes(&out));
    op_free(&op);
    return sent;
}

static bool tick(struct watch *watch, int64_t revision)
{
    struct watcher *w = watch->user;
    int64_t now = now_ms();
    bool over = now >= w->deadline_ms || server_ending();

    if (w->bookmarks && (over || now >= w->bookmark_ms)) {
        w->bookmark_ms = now + BOOKMARK_MS;
        if (!send_bookmark(w, revision))
            return false;
    }
    return !over;
}

static void ended(struct watch *watch)
{
    struct watcher *w = watch->user;

    stream_end(w->stream);
}

/* ---- what exists already ---- */

static void send_gone(struct watcher *w, struct op *op)
{
    json_t *status = status_of(op);
    struct bytes text = object_encode(op, status);

    json_decref(status);
    stream_send(w->stream, (struct bytes){"{\"type\":\"ERROR\",\"object\":", 25});
    stream_send(w->stream, text);
    stream_send(w->stream, (struct bytes){"}\n", 2});
    stream_end(w->stream);
}

/* Give the watch over to the store, once all that existed is sent. */
static void go_live(struct watcher *w)
{
    int64_t from = w->page.revision;
    struct op op;

    op_init(&op);
    w->live = true;
    w->page = (struct store_page){0};
    op_free(&w->initial);
    if (store_watch(&op, w->kube->cluster->store, &w->watch, from) != OK)
        send_gone(w, &op);
    op_free(&op);
}

static void pump(struct watcher *w)
{
    while (!w->live && stream_queued(w->stream) < QUEUE_LOW) {
        struct object *object;

        if (w->sent == w->page.n) {
            go_live(w);
            return;
        }
        object = w->page.objects[w->sent++];
        if (is_chosen(&w->chosen, object) &&
            !send_event(w, kind_names[EVENT_ADDED], object, object->revision))
            return;
    }
}

static void on_room(struct stream *stream)
{
    pump(stream->user);
}

static void on_close(struct stream *stream)
{
    struct watcher *w = stream->user;

    store_unwatch(&w->watch);
    op_free(&w->initial);
    stream_release(stream); /* the cluster is released with the call */
}

/* ---- the request ---- */

static enum fault forbid_initial(struct call *c)
{
    static const char message[] = "Forbidden: sendInitialEvents is forbidden for watch unless the "
                                  "WatchList feature gate is enabled";

    return status_fail(&c->op, INVALID, "Invalid",
                       json_pack("{s:s, s:s, s:[{s:s, s:s, s:s}]}", "group", "meta.k8s.io", "kind",
                                 "ListOptions", "causes", "reason", "FieldValueForbidden",
                                 "message", message, "field", "sendInitialEvents"),
                       "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: %s", message);
}

static enum fault forbid_match(struct call *c)
{
    static const char message[] = "Forbidden: resourceVersionMatch is forbidden for watch unless "
                                  "sendInitialEvents is provided";

    return status_fail(&c->op, INVALID, "Invalid",
                       json_pack("{s:s, s:s, s:[{s:s, s:s, s:s}]}", "group", "meta.k8s.io", "kind",
                                 "ListOptions", "causes", "reason", "FieldValueForbidden",
                                 "message", message, "field", "resourceVersionMatch"),
                       "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: %s",
                       message);
}

/* A selector that begins with key=value narrows whom the store asks. */
static void narrow(struct call *c, struct watch *watch)
{
    const char *text = call_query(c, "labelSelector", 0);
    size_t key, skip, value;

    if (!text)
        return;
    key = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./");
    skip = strspn(text + key, "=");
    value = strspn(text + key + skip,
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    if (!key || skip < 1 || skip > 2 || !value ||
        (text[key + skip + value] && text[key + skip + value] != ','))
        return;
    watch->key = arena_strndup(&c->op.arena, text, key);
    watch->value = arena_strndup(&c->op.arena, text + key + skip, value);
}

static enum fault read_timeout(struct call *c, struct watcher *w)
{
    int64_t seconds = 0;
    char uuid[37];

    TRY(query_int(c, "timeoutSeconds", 0, &seconds));
    if (seconds <= 0) {
        random_uuid(uuid);
        uuid[4] = '\0';
        seconds = TIMEOUT_S + (int64_t)(strtoul(uuid, NULL, 16) % TIMEOUT_S);
    }
    w->deadline_ms = now_ms() + seconds * 1000;
    w->bookmark_ms = now_ms() + BOOKMARK_MS;
    return OK;
}

static enum fault read_watch(struct call *c, struct watcher *w)
{
    struct kube *k = KUBE(c);
    const char *match = call_query(c, "resourceVersionMatch", 0);

    if (call_query(c, "sendInitialEvents", 0))
        return forbid_initial(c);
    if (match && *match)
        return forbid_match(c);
    TRY(negotiate(c, &w->accepted));
    w->accepted.pretty = false;
    w->accepted.version = interned(versions, ARRAY_LEN(versions), w->accepted.version);
    w->include = interned(includes, ARRAY_LEN(includes), include_object(c));
    TRY(read_selectors(c, &c->op.arena, &w->chosen));
    TRY(query_bool(c, "allowWatchBookmarks", false, &w->bookmarks));
    TRY(read_timeout(c, w));
    w->call = c;
    w->kube = k;
    w->watch =
        (struct watch){.accept = accept,
                       .tick = tick,
                       .ended = ended,
                       .user = w,
                       .resource = k->r.resource,
                       .ns = k->r.resource->namespaced ? k->r.ns : NULL,
                       .name = w->chosen.fields ? field_selector_name(w->chosen.fields) : NULL};
    narrow(c, &w->watch);
    return OK;
}

/* Upstream opens the stream and says in it that the revision is gone. */
static enum fault answer_gone(struct call *c)
{
    json_t *status = status_of(&c->op);
    const char *text = object_encode(&c->op, status).data;

    json_decref(status);
    op_clear_fault(&c->op);
    return reply_bytes(
        c, 200, "application/json",
        BYTES(arena_printf(&c->op.arena, "{\"type\":\"ERROR\",\"object\":%s}\n", text)));
}

static enum fault parse_from(struct call *c, int64_t *ret)
{
    const char *text = call_query(c, "resourceVersion", 0);
    char *end = NULL;

    *ret = 0;
    if (!text || !*text)
        return OK;
    *ret = strtoll(text, &end, 10);
    if (*end || *ret < 0)
        return status_fail(&c->op, INVALID, "Invalid", NULL,
                           "ListOptions.meta.k8s.io \"\" is invalid: resourceVersion: Invalid "
                           "value: \"%s\": strconv.ParseUint: parsing \"%s\": invalid syntax",
                           text, text);
    return OK;
}

static void open_stream(struct call *c, struct watcher *w)
{
    reply_header(c, "Content-Type", "application/json");
    w->stream = stream_open(c, 200);
    w->stream->user = w;
    w->stream->on_close = on_close;
    w->stream->on_room = on_room;
}

enum fault kube_watch(struct call *c)
{
    struct kube *k = KUBE(c);
    struct watcher *w = arena_alloc(&c->op.arena, sizeof(*w));
    unsigned verbs = k->r.resource->verbs;
    int64_t from = 0;

    if (!(verbs & VERB_WATCH))
        return not_allowed(&c->op);
    op_init(&w->initial);
    TRY(read_watch(c, w));
    TRY(parse_from(c, &from));
    if (!from) {
        TRY(store_list(&w->initial, k->cluster->store, k->r.resource, k->r.ns, NULL, NULL, 0, 0,
                       &w->page)); /* the newest view: never refused */
        open_stream(c, w);
        pump(w);
        return OK;
    }
    open_stream(c, w);
    w->live = true;
    if (store_watch(&c->op, k->cluster->store, &w->watch, from) == OK)
        return OK;
    stream_closed(w->stream); /* on_close lets go of it, this of the loop's part */
    c->stream = NULL;
    return answer_gone(c);
}
