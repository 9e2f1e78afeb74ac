/*
 * HTTP/2 by libh2o. It hands over a request only when its body has come whole (spooled to a file
 * beyond 4 MiB), so UPLOAD bodies are fed to the sink from there, as copies: a stream that the
 * client resets takes its memory with it at once, whoever reads it.
 */
#include <errno.h>
#include <h2o.h>

#include <h2o/http2.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/listen.h"
#include "core/loop.h"
#include "core/server.h"
#include "core/stream.h"

h2o_globalconf_t http2_config;

struct h2_stream {
    struct call *call;
    h2o_req_t *req;
    h2o_generator_t generator;
    size_t fed;  /* of the entity, to the sink */
    size_t part; /* of the reply */
    int64_t part_sent;
    struct window *window;
    bool paused, final;
    bool sending;             /* h2o has bytes of ours and will call on_proceed */
    struct stream_part *said; /* of call->stream, being sent */
};

/* File bytes on their way out. While the io pool reads into it, it keeps the call alive. */
struct window {
    struct h2_stream *stream; /* NULL: the stream was reset meanwhile */
    struct call *call;
    struct io_buffer *buffer;
    struct task task;
    struct loop_task back;
    int64_t offset;
    size_t want;
    ssize_t got;
    bool in_pool;
};

static void http2_answer(struct call *c);
static void http2_receive(struct call *c);
static void http2_flush(struct call *c);
static void feed(struct h2_stream *s);

static void http2_resume(struct call *c)
{
    struct h2_stream *s = c->connection;

    s->paused = false;
    feed(s);
}

static const struct transport http2_transport = {http2_answer, http2_receive, http2_resume,
                                                 http2_flush};

/* ---- the request ---- */

static char *dup_iovec(struct call *c, h2o_iovec_t v)
{
    return arena_strndup(&c->op.arena, v.base, v.len);
}

static void copy_headers(struct call *c, const h2o_req_t *req)
{
    c->headers = arena_alloc(&c->op.arena, (req->headers.size + 1) * sizeof(*c->headers));
    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *p = &req->headers.entries[i];

        c->headers[c->n_headers++] =
            (struct header){dup_iovec(c, *p->name), dup_iovec(c, p->value)};
    }
}

static void copy_client(struct call *c, h2o_req_t *req)
{
    struct sockaddr_storage peer;
    socklen_t len = req->conn->callbacks->get_peername(req->conn, (struct sockaddr *)&peer);
    char buf[NI_MAXHOST];
    size_t n = len ? h2o_socket_getnumerichost((struct sockaddr *)&peer, len, buf) : SIZE_MAX;

    c->client = n == SIZE_MAX ? "" : arena_strndup(&c->op.arena, buf, n);
}

static void copy_local(struct call *c, h2o_req_t *req)
{
    struct sockaddr_storage local;
    socklen_t len = req->conn->callbacks->get_sockname(req->conn, (struct sockaddr *)&local);
    char buf[64] = "";

    if (len)
        listen_text((struct sockaddr *)&local, len, buf, sizeof(buf));
    c->local = arena_strdup(&c->op.arena, buf);
}

static void window_free(struct window *w)
{
    if (!w)
        return;
    io_buffer_give(&w->buffer->chunk);
    free(w);
}

/* The stream ends, by its reply or by a reset: h2o frees the request's pool. */
static void on_dispose(void *ptr)
{
    struct h2_stream *s = ptr;

    if (s->window && s->window->in_pool) {
        s->window->stream = NULL;
        return;
    }
    window_free(s->window);
    stream_parts_free(s->said);
    if (s->final)
        dispatch_done(s->call);
    else
        dispatch_abandon(s->call);
}

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, context, req->conn->ctx);
    struct h2_stream *s = h2o_mem_alloc_shared(&req->pool, sizeof(*s), on_dispose);
    struct call *c = call_new(loop, &http2_transport, s);
    h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);

    (void)self;
    *s = (struct h2_stream){.call = c, .req = req};
    c->http_major = 2;
    c->tls = sock->ssl != NULL;
    c->method = method_parse(req->method.base, req->method.len);
    c->target = dup_iovec(c, req->path);
    c->host = dup_iovec(c, req->authority);
    copy_headers(c, req);
    copy_client(c, req);
    copy_local(c, req);
    c->content_length = (int64_t)req->entity.len;
    c->body_state = req->entity.len ? BODY_COMING : BODY_NONE;
    c->received_bytes = (int64_t)req->entity.len;
    dispatch_begin(c);
    return 0;
}

/* ---- its body ---- */

static void feed(struct h2_stream *s)
{
    h2o_iovec_t entity = s->req->entity;

    while (s->fed < entity.len && !s->paused) {
        struct io_buffer *buffer = io_buffer_take(s->call->loop);
        size_t len = entity.len - s->fed;

        if (len > IO_BUFFER_BYTES)
            len = IO_BUFFER_BYTES;
        memcpy(buffer->data, entity.base + s->fed, len);
        s->fed += len;
        buffer->chunk.bytes = (struct bytes){buffer->data, len};
        buffer->chunk.release = io_buffer_give;
        s->paused = !dispatch_chunk(s->call, &buffer->chunk);
    }
    if (s->fed == entity.len) {
        s->paused = false;
        dispatch_body_end(s->call, BODY_COMPLETE);
    }
}

static void http2_receive(struct call *c)
{
    struct h2_stream *s = c->connection;

    if (c->route->lane == UPLOAD) {
        feed(s);
        return;
    }
    c->body = (struct bytes){arena_memdup(&c->op.arena, s->req->entity.base, s->req->entity.len),
                             s->req->entity.len};
    dispatch_body_end(c, BODY_COMPLETE);
}

/* ---- the reply ---- */

static void send_more(struct h2_stream *s);

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    struct h2_stream *s = H2O_STRUCT_FROM_MEMBER(struct h2_stream, generator, generator);

    (void)req;
    s->sending = false;
    if (s->call->stream)
        http2_flush(s->call);
    else
        send_more(s);
}

static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    (void)generator; /* on_dispose follows */
    (void)req;
}

static void end(struct h2_stream *s, h2o_send_state_t state)
{
    s->final = true; /* what was given to h2o_send stays until on_dispose */
    h2o_send(s->req, NULL, 0, state);
}

static void send_window(struct h2_stream *s)
{
    h2o_iovec_t iov = h2o_iovec_init(s->window->buffer->data, (size_t)s->window->got);

    s->part_sent += s->window->got;
    h2o_send(s->req, &iov, 1, H2O_SEND_STATE_IN_PROGRESS);
}

static void read_window(struct task *task, struct db *db)
{
    struct window *w = H2O_STRUCT_FROM_MEMBER(struct window, task, task);

    (void)db;
    w->got = pread(w->call->reply.fd, w->buffer->data, w->want, w->offset);
    loop_post(w->call->loop, &w->back);
}

static void window_back(struct loop_task *task)
{
    struct window *w = H2O_STRUCT_FROM_MEMBER(struct window, back, task);

    w->in_pool = false;
    if (!w->stream) {
        dispatch_abandon(w->call);
        window_free(w);
    } else if (w->got <= 0) {
        end(w->stream, H2O_SEND_STATE_ERROR);
    } else {
        send_window(w->stream);
    }
}

static struct window *window_of(struct h2_stream *s)
{
    struct window *w = s->window;

    if (w)
        return w;
    w = s->window = calloc(1, sizeof(*w));
    if (!w)
        abort();
    w->stream = s;
    w->call = s->call;
    w->buffer = io_buffer_take(s->call->loop);
    w->task.run = read_window;
    w->back.run = window_back;
    return w;
}

static void send_file(struct h2_stream *s, const struct part *part)
{
    struct window *w = window_of(s);
    int64_t left = part->length - s->part_sent;
    struct iovec iov;

    w->offset = part->offset + s->part_sent;
    w->want = left < (int64_t)IO_BUFFER_BYTES ? (size_t)left : IO_BUFFER_BYTES;
    iov = (struct iovec){w->buffer->data, w->want};
    w->got = preadv2(s->call->reply.fd, &iov, 1, w->offset, RWF_NOWAIT);
    if (w->got > 0) {
        send_window(s);
    } else if (w->got < 0 && (errno == EAGAIN || errno == EOPNOTSUPP)) {
        w->in_pool = true;
        pool_post_always(io_pool, &w->task);
    } else {
        end(s, H2O_SEND_STATE_ERROR);
    }
}

static void send_more(struct h2_stream *s)
{
    const struct reply *r = &s->call->reply;
    const struct part *part = &r->parts[s->part];

    if (s->part < r->n_parts && !part->bytes.data && s->part_sent == part->length) {
        s->part++;
        s->part_sent = 0;
        part++;
    }
    if (s->part == r->n_parts || s->call->method == HEAD) {
        end(s, H2O_SEND_STATE_FINAL);
    } else if (part->bytes.data) {
        h2o_iovec_t iov = h2o_iovec_init(part->bytes.data, part->bytes.len);

        s->part++;
        h2o_send(s->req, &iov, 1, H2O_SEND_STATE_IN_PROGRESS);
    } else {
        send_file(s, part);
    }
}

/* WATCH over HTTP/2: one part at a time, the next when h2o asks for more. */
static void http2_flush(struct call *c)
{
    struct h2_stream *s = c->connection;
    struct stream_part *done = s->said;
    h2o_iovec_t iov;
    bool over = false;

    if (s->sending || s->final)
        return;
    if (done) {
        s->said = done->next;
        free(done);
    }
    if (stream_is_cut(c->stream)) {
        end(s, H2O_SEND_STATE_ERROR);
        return;
    }
    if (!s->said)
        s->said = stream_take(c->stream, &over);
    if (s->said) {
        iov = h2o_iovec_init(s->said->data, s->said->len);
        c->sent_bytes += (int64_t)s->said->len;
        s->sending = true;
        h2o_send(s->req, &iov, 1, H2O_SEND_STATE_IN_PROGRESS);
    } else if (over) {
        end(s, H2O_SEND_STATE_FINAL);
    }
}

static void http2_answer(struct call *c)
{
    struct h2_stream *s = c->connection;
    h2o_req_t *req = s->req;

    req->res.status = c->reply.status;
    req->res.reason = "";
    req->res.content_length =
        c->reply.status == 204 || c->reply.status == 304 || c->reply.content_length < 0
            ? SIZE_MAX
            : (size_t)c->reply.content_length;
    for (size_t i = 0; i < c->reply.n_headers; i++) {
        const struct header *p = &c->reply.headers[i];
        size_t len = strlen(p->name);
        char *name = h2o_mem_alloc_pool(&req->pool, len + 1);

        for (size_t k = 0; k <= len; k++) /* RFC 9113 8.2: lower case */
            name[k] = (char)h2o_tolower(p->name[k]);
        h2o_add_header_by_str(&req->pool, &req->res.headers, name, len, 1, NULL, p->value,
                              strlen(p->value));
    }
    c->sent_bytes = c->method == HEAD || c->reply.content_length < 0 ? 0 : c->reply.content_length;
    s->generator = (h2o_generator_t){on_proceed, on_stop};
    h2o_start_response(req, &s->generator);
    if (c->stream && c->method != HEAD)
        http2_flush(c);
    else
        send_more(s);
}

/* ---- connections ---- */

void http2_accept(struct loop *loop, h2o_socket_t *sock)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    /* a plain connection begins with the preface still in sock->input; TLS told us by ALPN */
    h2o_http2_accept(&loop->accept, sock, now);
}

size_t http2_connections(struct loop *loop)
{
    size_t n = 0;

    for (h2o_linklist_t *link = loop->context.http2._conns.next;
         link != &loop->context.http2._conns; link = link->next)
        n++;
    return n;
}

void http2_setup(void)
{
    h2o_hostconf_t *host;
    h2o_handler_t *handler;

    h2o_config_init(&http2_config);
    http2_config.max_request_entity_size = (size_t)server_settings->h2_body_max;
    http2_config.http2.idle_timeout = (uint64_t)server_settings->idle_timeout_s * 1000;
    http2_config.server_name = h2o_iovec_init(H2O_STRLIT("sundog"));
    host = h2o_config_register_host(&http2_config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    handler = h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(*handler));
    handler->on_req = on_request;
    h2o_socket_buffer_mmap_settings.threshold = (size_t)4 << 20; /* bodies beyond go to a file */
}
