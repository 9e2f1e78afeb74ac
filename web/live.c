/*
 * One key a viewer: each second its page is asked for as its browser would, by the same cookie, and
 * sent if it is another than before. So what a page shows is live without a word in the page, and
 * ends with the session.
 */
#include "web/live.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/inside.h"
#include "core/json.h"
#include "core/loop.h"
#include "core/reconcile.h"
#include "core/server.h"
#include "core/stream.h"

#define THREADS     2
#define LOOK_MS     1000
#define QUIET_LOOKS 15 /* without news something is sent, so that a dead client is noticed */
#define VIEWERS_MAX 1000
#define DEADLINE_MS 30000

struct viewer {
    struct viewer *next;
    struct stream *stream;
    struct call *root; /* what the page is asked within */
    const char *page, *cookie;
    char key[24], etag[40];
    int quiet;
    bool gone; /* the browser has left */
};

static struct {
    pthread_mutex_t lock;
    struct viewer *viewers;
    size_t n;
    long long last;
    struct reconciler *reconciler;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the table ---- */

static struct viewer *find(const char *key)
{
    struct viewer *v;

    pthread_mutex_lock(&state.lock);
    for (v = state.viewers; v && strcmp(v->key, key) != 0; v = v->next)
        ;
    pthread_mutex_unlock(&state.lock);
    return v;
}

static bool add(struct viewer *v)
{
    bool room;

    pthread_mutex_lock(&state.lock);
    room = state.n < VIEWERS_MAX;
    if (room) {
        snprintf(v->key, sizeof(v->key), "%lld", ++state.last);
        v->next = state.viewers;
        state.viewers = v;
        state.n++;
    }
    pthread_mutex_unlock(&state.lock);
    return room;
}

static void drop(struct viewer *v)
{
    pthread_mutex_lock(&state.lock);
    for (struct viewer **p = &state.viewers; *p; p = &(*p)->next)
        if (*p == v) {
            *p = v->next;
            state.n--;
            break;
        }
    pthread_mutex_unlock(&state.lock);
    stream_release(v->stream);
    call_free(v->root);
    free(v);
}

static bool is_gone(struct viewer *v)
{
    bool gone;

    pthread_mutex_lock(&state.lock);
    gone = v->gone;
    pthread_mutex_unlock(&state.lock);
    return gone;
}

static void on_close(struct stream *stream)
{
    struct viewer *v = stream->user;

    pthread_mutex_lock(&state.lock);
    v->gone = true;
    reconciler_add(state.reconciler, v->key);
    pthread_mutex_unlock(&state.lock);
}

/* ---- looking ---- */

/* What stands in <main>; users' text has no tag in it. */
static struct bytes content_of(struct bytes page)
{
    static const char begin[] = "<main id=\"main\">", end[] = "</main>";
    const char *from = memmem(page.data, page.len, begin, strlen(begin)), *to;

    if (!from)
        return BYTES("");
    from += strlen(begin);
    to = memmem(from, page.len - (size_t)(from - (const char *)page.data), end, strlen(end));
    return to ? (struct bytes){from, (size_t)(to - from)} : BYTES("");
}

static void tell(struct viewer *v, struct op *op, struct bytes content)
{
    const char *text = arena_strndup(&op->arena, content.data, content.len);
    struct text out;

    text_init(&out, &op->arena, content.len * 6 + 64);
    text_str(&out, "data: ");
    json_quote(&out, text);
    text_str(&out, "\n\n");
    if (!out.overflow)
        stream_send(v->stream, text_bytes(&out));
}

static bool look(struct viewer *v, struct op *op)
{
    const struct header headers[] = {
        {"cookie", v->cookie},
        {0       },
    };
    const struct inside asked = {.method = GET, .target = v->page, .headers = headers};
    struct call *page;
    const char *etag;
    bool good;

    v->root->op.db = op->db;
    v->root->op.deadline_ms = now_ms() + DEADLINE_MS;
    page = call_inside(v->root, &asked);
    v->root->op.db = NULL;
    etag = inside_header(page, "etag");
    good = page->reply.status == 200 && etag;
    if (good && strcmp(etag, v->etag) != 0) {
        snprintf(v->etag, sizeof(v->etag), "%s", etag);
        tell(v, op, content_of(inside_body(page)));
        v->quiet = 0;
    } else if (++v->quiet >= QUIET_LOOKS) {
        stream_send(v->stream, BYTES(":\n\n"));
        v->quiet = 0;
    }
    good = good || page->reply.status >= 500; /* it may come back */
    call_free(page);
    return good;
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    struct viewer *v = find(key);

    if (!v)
        return OK;
    if (is_gone(v)) {
        drop(v);
        return OK;
    }
    if (server_ending() || !look(v, op)) {
        stream_send(v->stream, BYTES("event: gone\ndata:\n\n"));
        stream_end(v->stream); /* on_close brings the last step */
        return OK;
    }
    *ret_again_ms = LOOK_MS;
    return OK;
}

/* ---- beginning ---- */

static struct call *root_of(struct call *c)
{
    struct call *root = call_new(c->loop, NULL, NULL);

    root->host = arena_strdup(&root->op.arena, c->host);
    root->client = arena_strdup(&root->op.arena, c->client);
    root->local = c->local ? arena_strdup(&root->op.arena, c->local) : NULL;
    root->correlation_id = arena_strdup(&root->op.arena, c->correlation_id);
    root->tls = c->tls;
    root->http_major = c->http_major;
    return root;
}

enum fault live_open(struct call *c)
{
    const char *page = call_query(c, "page", 0), *cookie = call_header(c, "cookie");
    struct viewer *v;

    if (!page || strncmp(page, "/console", 8) != 0 || strncmp(page, "/console/live", 13) == 0)
        return fail(&c->op, INVALID, "page must be a path of the console");
    v = calloc(1, sizeof(*v));
    if (!v)
        abort();
    v->root = root_of(c);
    v->page = arena_strdup(&v->root->op.arena, page);
    v->cookie = arena_strdup(&v->root->op.arena, cookie ? cookie : "");
    if (!add(v)) {
        call_free(v->root);
        free(v);
        return fail(&c->op, TOO_MANY, "too many pages are looked at already");
    }
    reply_header(c, "Content-Type", "text/event-stream");
    reply_header(c, "Cache-Control", "no-store");
    v->stream = stream_open(c, 200);
    v->stream->user = v;
    v->stream->on_close = on_close;
    reconciler_add(state.reconciler, v->key);
    return OK;
}

void live_start(void)
{
    state.reconciler = reconciler_new("live", THREADS, step);
}

void live_stop(void)
{
    reconciler_free(state.reconciler);
    state.reconciler = NULL;
    while (state.viewers)
        drop(state.viewers);
}
