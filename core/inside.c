#include "core/inside.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "core/loop.h"
#include "core/stream.h"

#define LISTEN_MS  2000
#define ALONE_MS   60000
#define STREAM_MAX ((size_t)1 << 20)

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t news;
    bool is_done, has_more;
};

static void completed(struct call *c)
{
    struct waiting *w = c->connection;

    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    pthread_cond_signal(&w->news);
    pthread_mutex_unlock(&w->lock);
}

/* Its stream has bytes or has ended. */
static void heard(struct call *c)
{
    struct waiting *w = c->connection;

    pthread_mutex_lock(&w->lock);
    w->has_more = true;
    pthread_cond_signal(&w->news);
    pthread_mutex_unlock(&w->lock);
}

static void set_headers(struct call *c, const char *correlation_id, const struct header *asked)
{
    size_t n = 0;

    while (asked && asked[n].name)
        n++;
    c->headers = arena_alloc(&c->op.arena, (n + 1) * sizeof(*c->headers));
    for (size_t i = 0; i < n; i++)
        c->headers[i] = asked[i];
    c->headers[n] = (struct header){"x-ms-correlation-request-id", correlation_id};
    c->n_headers = n + 1;
}

static struct call *begin(struct loop *loop, const struct inside_origin *origin,
                          const struct inside *asked)
{
    struct call *c = call_new(loop, NULL, NULL);

    c->method = asked->method;
    c->target = asked->target;
    c->host = asked->host ? asked->host : origin->host;
    c->tls = origin->tls;
    c->realm = asked->realm;
    c->http_major = 1;
    c->client = origin->client;
    c->vouched = asked->vouched;
    c->certificate = asked->certificate;
    set_headers(c, origin->correlation_id, asked->headers);
    c->content_length = (int64_t)asked->body.len;
    c->body_state = asked->body.len ? BODY_COMPLETE : BODY_NONE;
    c->body = asked->body;
    c->dispatch.completed = completed;
    c->dispatch.heard = heard;
    return c;
}

/* ---- what is streamed ---- */

/* False: nothing came until then. */
static bool wait_for_more(struct waiting *w, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    bool more;

    pthread_mutex_lock(&w->lock);
    while (!w->has_more && pthread_cond_timedwait(&w->news, &w->lock, &until) == 0)
        ;
    more = w->has_more;
    w->has_more = false;
    pthread_mutex_unlock(&w->lock);
    return more;
}

static void keep_end(struct text *out)
{
    size_t kept = out->len < STREAM_MAX / 2 ? out->len : STREAM_MAX / 2;

    memmove(out->data, out->data + out->len - kept, kept);
    out->len = kept;
    out->data[kept] = '\0';
}

static bool take(struct call *c, struct text *out)
{
    struct stream_part *parts;
    bool ended;

    parts = stream_take(c->stream, &ended);
    for (struct stream_part *part = parts; part; part = part->next) {
        if (out->len + part->len > STREAM_MAX)
            keep_end(out);
        text_add(out, part->data, part->len);
    }
    stream_parts_free(parts);
    return !ended;
}

/* It becomes an ordinary reply. Nobody posts to a stream that is closed. */
static void listen_to(struct call *c, struct waiting *w)
{
    int64_t until_ms = now_ms() + LISTEN_MS;
    struct text out;

    if (!c->stream)
        return;
    text_init(&out, &c->op.arena, STREAM_MAX + 1);
    while (take(c, &out) && now_ms() < until_ms && wait_for_more(w, until_ms))
        ;
    stream_closed(c->stream);
    c->stream = NULL;
    c->reply.parts[0] = (struct part){.bytes = text_bytes(&out), .length = (int64_t)out.len};
    c->reply.n_parts = 1;
    c->reply.content_length = (int64_t)out.len;
}

/* By the clock of now_ms. */
static void waiting_init(struct waiting *w)
{
    pthread_condattr_t clock;

    *w = (struct waiting){0};
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&w->news, &clock);
    pthread_condattr_destroy(&clock);
}

static void ask(struct call *c, struct db *db)
{
    struct waiting w;

    waiting_init(&w);
    c->connection = &w;
    dispatch_inside(c, db);
    pthread_mutex_lock(&w.lock);
    while (!w.is_done)
        pthread_cond_wait(&w.news, &w.lock);
    pthread_mutex_unlock(&w.lock);
    listen_to(c, &w);
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.news);
    c->connection = NULL;
}

struct call *call_inside(struct call *outer, const struct inside *asked)
{
    struct inside_origin origin = {outer->host, outer->client, outer->correlation_id, outer->tls};
    struct call *c = begin(outer->loop, &origin, asked);

    c->local = outer->local;
    c->http_major = outer->http_major;
    c->op.deadline_ms = outer->op.deadline_ms;
    ask(c, outer->op.db);
    return c;
}

const struct header inside_json_headers[] = {
    {"content-type", "application/json"},
    {0             },
};

static void release(void *call)
{
    call_free(call);
}

struct call *call_alone(struct op *op, const struct inside_origin *origin,
                        const struct inside *asked)
{
    struct call *c = begin(&loops[0], origin, asked);

    arena_defer(&op->arena, release, c);
    c->op.deadline_ms = now_ms() + ALONE_MS;
    ask(c, op->db);
    return c;
}

const char *inside_header(const struct call *inner, const char *name)
{
    for (size_t i = 0; i < inner->reply.n_headers; i++)
        if (strcasecmp(inner->reply.headers[i].name, name) == 0)
            return inner->reply.headers[i].value;
    return NULL;
}

struct bytes inside_body(const struct call *inner)
{
    const struct reply *r = &inner->reply;

    return r->n_parts == 1 && r->fd < 0 ? r->parts[0].bytes : BYTES("");
}

static void drop(void *value)
{
    json_decref(value);
}

json_t *inside_json(struct op *op, const struct call *inner)
{
    struct bytes body = inside_body(inner);
    json_t *value = body.len ? json_loadb(body.data, body.len, JSON_DECODE_ANY, NULL) : NULL;

    arena_defer(&op->arena, drop, value);
    return value;
}

enum fault inside_read(struct op *op, const struct call *inner, size_t max, struct bytes *ret)
{
    const struct reply *r = &inner->reply;
    size_t size, done = 0;
    char *data;

    if (r->fd < 0 || r->n_parts != 1) {
        *ret = inside_body(inner);
        return OK;
    }
    if (r->parts[0].length > (int64_t)max)
        return fail(op, TOO_LARGE, "it is larger than %zu bytes", max);
    size = (size_t)r->parts[0].length;
    data = arena_alloc(&op->arena, size + 1);
    while (done < size) {
        ssize_t n = pread(r->fd, data + done, size - done, r->parts[0].offset + (off_t)done);

        if (n <= 0)
            return fail(op, INTERNAL, "a file of ours cannot be read");
        done += (size_t)n;
    }
    *ret = (struct bytes){data, size};
    return OK;
}
