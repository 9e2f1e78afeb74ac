#include "core/inside.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
};

static void completed(struct call *c)
{
    struct waiting *w = c->connection;

    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

static void set_headers(struct call *outer, struct call *c, const struct header *asked)
{
    size_t n = 0;

    while (asked && asked[n].name)
        n++;
    c->headers = arena_alloc(&c->op.arena, (n + 1) * sizeof(*c->headers));
    for (size_t i = 0; i < n; i++)
        c->headers[i] = asked[i];
    c->headers[n] = (struct header){"x-ms-correlation-request-id", outer->correlation_id};
    c->n_headers = n + 1;
}

static struct call *begin(struct call *outer, const struct inside *asked)
{
    struct call *c = call_new(outer->loop, NULL, NULL);

    c->method = asked->method;
    c->target = asked->target;
    c->host = asked->host ? asked->host : outer->host;
    c->tls = outer->tls;
    c->realm = asked->realm;
    c->local = outer->local;
    c->http_major = outer->http_major;
    c->client = outer->client;
    c->vouched = asked->vouched;
    c->certificate = asked->certificate;
    set_headers(outer, c, asked->headers);
    c->content_length = (int64_t)asked->body.len;
    c->body_state = asked->body.len ? BODY_COMPLETE : BODY_NONE;
    c->body = asked->body;
    c->op.deadline_ms = outer->op.deadline_ms;
    c->dispatch.completed = completed;
    return c;
}

struct call *call_inside(struct call *outer, const struct inside *asked)
{
    struct waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    struct call *c = begin(outer, asked);

    c->connection = &w;
    dispatch_inside(c, outer->op.db);
    pthread_mutex_lock(&w.lock);
    while (!w.is_done)
        pthread_cond_wait(&w.done, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.done);
    c->connection = NULL;
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
