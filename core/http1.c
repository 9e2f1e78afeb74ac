/*
 * HTTP/1.1, the reading half. A request is authorised before the first byte of its body is read:
 * until dispatch calls receive, the socket is simply not read, and "100 Continue" is not sent.
 */
#include "core/http1.h"

#include <ctype.h>
#include <errno.h>
#include <h2o/http2.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/metrics.h"
#include "core/range.h"
#include "core/server.h"
#include "core/stream.h"
#include "core/tls.h"

#define HEAD_MAX    ((size_t)64 << 10) /* request line and headers */
#define HEADERS_MAX 100
#define LINGER_MS   2000
#define TLS_RCVBUF  (512 << 10)
#define H2_PREFACE  "PRI * HTTP/2.0\r\n"

static void on_readable(h2o_socket_t *sock, const char *err);
static void on_body(h2o_socket_t *sock, const char *err);
static void read_head(struct http1 *h);
static bool pass_on(struct http1 *h);
static void http1_receive(struct call *c);
static void http1_resume(struct call *c);

static const struct transport http1_transport = {http1_send_reply, http1_receive, http1_resume,
                                                 http1_flush};

/* ---- connections ---- */

static struct metric connections_total = {"sundog_connections_total", "Connections accepted.",
                                          "counter", 0, NULL};

void http1_setup(void)
{
    metric_register(&connections_total);
    http1_realm_setup();
}

static void evict_idle(struct loop *loop)
{
    struct http1 *h;

    if (h2o_linklist_is_empty(&loop->connections))
        return;
    h = H2O_STRUCT_FROM_MEMBER(struct http1, link, loop->connections.next);
    if (h->state == H1_HEAD)
        http1_close(h);
}

static void to_tail(struct http1 *h)
{
    h2o_linklist_unlink(&h->link);
    h2o_linklist_insert(&h->loop->connections, &h->link);
}

/* The socket is another's now (HTTP/2), or closed. */
static void forget(struct http1 *h)
{
    h2o_linklist_unlink(&h->link);
    h->loop->n_connections--;
    if (h->out)
        io_buffer_give(&h->out->chunk);
    if (h->in)
        io_buffer_give(&h->in->chunk);
    http1_realm_forget(h);
    free(h->stream_out);
    free(h);
}

void http1_close(struct http1 *h)
{
    struct call *c = h->call;

    if (h->state == H1_BODY && h->in)
        pass_on(h); /* what came of a body is good to go on from */
    if (h->sock) {
        h2o_socket_close(h->sock);
        h->sock = NULL;
    }
    if (h->fill.pending) { /* the io pool reads into our buffer, out of the call's file */
        h->closing = true;
        return;
    }
    h->call = NULL;
    if (c)
        dispatch_abandon(c);
    forget(h);
}

static void start_reading(struct http1 *h)
{
    h->state = H1_HEAD;
    h->head_since_ms = 0;
    h2o_socket_read_start(h->sock, on_readable);
}

static void hand_to_http2(struct http1 *h)
{
    struct loop *loop = h->loop;
    h2o_socket_t *sock = h->sock;

    h2o_socket_read_stop(sock);
    h->sock = NULL;
    forget(h);
    http2_accept(loop, sock);
}

static void on_handshake(h2o_socket_t *sock, const char *err)
{
    struct http1 *h = sock->data;
    h2o_iovec_t protocol;

    if (err) {
        http1_close(h);
        return;
    }
    protocol = h2o_socket_ssl_get_selected_protocol(sock);
    if (protocol.len == 2 && memcmp(protocol.base, "h2", 2) == 0)
        hand_to_http2(h);
    else
        http1_next(h); /* the first request may have come together with the handshake's end */
}

static void read_client_address(struct http1 *h)
{
    struct sockaddr_storage peer;
    socklen_t len = h2o_socket_getpeername(h->sock, (struct sockaddr *)&peer);
    size_t n = len ? h2o_socket_getnumerichost((struct sockaddr *)&peer, len, h->client) : SIZE_MAX;

    if (n == SIZE_MAX)
        n = 0;
    h->client[n] = '\0';
}

static void start_handshake(struct http1 *h)
{
    SSL_CTX *ctx = h->realm ? realm_tls(h->realm) : h->loop->accept.ssl_ctx;

    h->state = H1_HANDSHAKE;
    h2o_socket_ssl_handshake(h->sock, ctx, NULL, on_handshake);
    if (h->realm)
        SSL_CTX_free(ctx); /* the SSL has a reference of its own */
}

void http1_accept(struct loop *loop, h2o_socket_t *sock, const struct listener *listener)
{
    struct http1 *h;
    int on = 1, rcvbuf = TLS_RCVBUF;

    if (loop->n_connections >= (size_t)server_settings->connections_max)
        evict_idle(loop);
    if (loop->n_connections >= (size_t)server_settings->connections_max) {
        h2o_socket_close(sock);
        return;
    }
    h = calloc(1, sizeof(*h));
    if (!h)
        abort();
    h->loop = loop;
    h->sock = sock;
    h->tls = listener->tls;
    h->metadata = listener->metadata;
    h->progress_ms = now_ms();
    sock->data = h;
    setsockopt(h2o_socket_get_fd(sock), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    read_client_address(h);
    http1_realm_accept(h, listener->realm);
    http1_fill_init(h);
    h2o_linklist_insert(&loop->connections, &h->link);
    loop->n_connections++;
    atomic_fetch_add_explicit(&connections_total.value, 1, memory_order_relaxed);
    if (h->tls) {
        /* h2o reads all that waits before it decrypts any of it: let that be a bounded lot */
        setsockopt(h2o_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
        start_handshake(h);
    } else {
        start_reading(h);
    }
}

/* ---- the head ---- */

static const char *lower(char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        name[i] = (char)tolower((unsigned char)name[i]);
    name[len] = '\0';
    return name;
}

struct head {
    const char *method, *target;
    size_t method_len, target_len, n;
    int minor;
    struct phr_header headers[HEADERS_MAX];
};

/* Headers into the call; false: one that we must not guess about (RFC 9112 5.2, 6.3). */
static bool copy_headers(struct call *c, const struct head *head)
{
    c->headers = arena_alloc(&c->op.arena, (head->n + 1) * sizeof(*c->headers));
    for (size_t i = 0; i < head->n; i++) {
        const struct phr_header *p = &head->headers[i];

        if (!p->name || !p->name_len)
            return false; /* obsolete line folding */
        c->headers[c->n_headers++] =
            (struct header){lower(arena_strndup(&c->op.arena, p->name, p->name_len), p->name_len),
                            arena_strndup(&c->op.arena, p->value, p->value_len)};
    }
    return true;
}

static size_t count_header(const struct call *c, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_headers; i++)
        n += strcmp(c->headers[i].name, name) == 0;
    return n;
}

/* RFC 9112 6.3. Both Transfer-Encoding and Content-Length, or two lengths, is an attack. */
static bool read_framing(struct http1 *h, struct call *c)
{
    const char *te = call_header(c, "transfer-encoding"), *cl = call_header(c, "content-length");
    size_t n_te = count_header(c, "transfer-encoding"), n_cl = count_header(c, "content-length");

    h->chunked = false;
    h->body_left = 0;
    if (n_te > 1 || n_cl > 1 || (n_te && n_cl) || count_header(c, "host") > 1)
        return false;
    if (te) {
        if (strcasecmp(te, "chunked") != 0)
            return false;
        h->chunked = true;
        h->decoder = (struct phr_chunked_decoder){.consume_trailer = 1};
        c->content_length = -1;
    } else if (cl) {
        const char *p = cl;
        int64_t n = decimal_parse(&p);

        if (n < 0 || *p)
            return false;
        c->content_length = h->body_left = n;
    }
    c->body_state = c->content_length ? BODY_COMING : BODY_NONE;
    return true;
}

static void read_connection(struct http1 *h, const struct call *c, int minor)
{
    const char *connection = call_header(c, "connection"), *expect = call_header(c, "expect");

    h->keep_alive = minor >= 1;
    if (connection && strcasestr(connection, "close"))
        h->keep_alive = false;
    else if (connection && strcasestr(connection, "keep-alive"))
        h->keep_alive = true;
    h->expects_continue = minor >= 1 && expect && strcasecmp(expect, "100-continue") == 0;
}

static void on_bad_head_sent(h2o_socket_t *sock, const char *err)
{
    (void)err;
    http1_close(sock->data);
}

static void bad_head(struct http1 *h, struct call *c)
{
    static char reply[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
                          "Connection: close\r\n\r\n";
    h2o_iovec_t out = h2o_iovec_init(reply, sizeof(reply) - 1);

    if (c)
        call_free(c);
    h->call = NULL;
    h->state = H1_LINGER;
    h->progress_ms = now_ms();
    h2o_socket_read_stop(h->sock);
    h2o_socket_write(h->sock, &out, 1, on_bad_head_sent);
}

/* The read buffer of a connection that waits must cost nothing: 5,000 of them do. */
static void release_input(struct http1 *h)
{
    if (h->sock->input->size)
        return;
    h2o_buffer_dispose(&h->sock->input);
    h2o_buffer_init(&h->sock->input, &h2o_socket_buffer_prototype);
}

static void begin(struct http1 *h, const struct head *head, size_t head_len)
{
    struct call *c = call_new(h->loop, &http1_transport, h);
    const char *host = NULL;

    h->call = c;
    c->tls = h->tls;
    c->metadata = h->metadata;
    http1_realm_begin(h, c);
    c->http_major = 1;
    c->client = arena_strdup(&c->op.arena, h->client); /* outlives the connection */
    c->method = method_parse(head->method, head->method_len);
    c->target = arena_strndup(&c->op.arena, head->target, head->target_len);
    if (!copy_headers(c, head) || !read_framing(h, c) || strlen(c->target) != head->target_len ||
        (!(host = call_header(c, "host")) && head->minor >= 1)) {
        bad_head(h, c);
        return;
    }
    c->host = host ? host : "";
    read_connection(h, c, head->minor);
    c->received_bytes = (int64_t)head_len;
    h2o_buffer_consume(&h->sock->input, head_len);
    h2o_socket_read_stop(h->sock);
    h->state = H1_BUSY;
    h->progress_ms = now_ms();
    dispatch_begin(c);
}

static void read_head(struct http1 *h)
{
    h2o_buffer_t *in = h->sock->input;
    struct head head = {.n = HEADERS_MAX};
    int len;

    if (in->size >= sizeof(H2_PREFACE) - 1 &&
        !memcmp(in->bytes, H2_PREFACE, sizeof(H2_PREFACE) - 1)) {
        hand_to_http2(h);
        return;
    }
    len = phr_parse_request(in->bytes, in->size, &head.method, &head.method_len, &head.target,
                            &head.target_len, &head.minor, head.headers, &head.n, 0);
    if (len > 0 && (size_t)len <= HEAD_MAX)
        begin(h, &head, (size_t)len);
    else if (len != -2 || in->size > HEAD_MAX)
        bad_head(h, NULL);
    else if (in->size && !h->head_since_ms)
        h->head_since_ms = now_ms();
}

static void on_readable(h2o_socket_t *sock, const char *err)
{
    struct http1 *h = sock->data;

    if (err) {
        http1_close(h);
        return;
    }
    h->progress_ms = now_ms();
    if (sock->input->size)
        read_head(h);
}

void http1_next(struct http1 *h)
{
    h->call = NULL;
    h->progress_ms = now_ms();
    release_input(h);
    to_tail(h);
    if (h->loop->draining) {
        http1_close(h);
        return;
    }
    start_reading(h);
    if (h->sock->input->size)
        read_head(h); /* pipelined */
}

/* ---- the body ---- */

static void body_done(struct http1 *h)
{
    struct call *c = h->call;

    h2o_socket_read_stop(h->sock);
    if (h->own_reads)
        h2o_socket_dont_read(h->sock, 0);
    h->own_reads = false;
    h->state = H1_BUSY;
    if (c->route->lane != UPLOAD)
        c->body = text_bytes(&h->body);
    dispatch_body_end(c, BODY_COMPLETE);
}

static void body_broken(struct http1 *h)
{
    http1_close(h);
}

/*
 * Bytes of the connection, decoded in place. *len becomes what belongs to the body. Returns how
 * many bytes of the buffer were used up, headers of chunks included; -1: malformed; *done at the
 * end.
 */
static ssize_t decode(struct http1 *h, char *data, size_t *len, bool *done)
{
    size_t given = *len;
    ssize_t left;

    if (!h->chunked) {
        if ((int64_t)*len > h->body_left)
            *len = (size_t)h->body_left;
        h->body_left -= (int64_t)*len;
        *done = h->body_left == 0;
        return (ssize_t)*len;
    }
    left = phr_decode_chunked(&h->decoder, data, len);
    if (left == -1)
        return -1;
    *done = left >= 0;
    return (ssize_t)given - (left > 0 ? left : 0);
}

static void pause_reading(struct http1 *h)
{
    h->paused = true;
    h2o_socket_read_stop(h->sock);
}

/* What is left of a buffer behind the body is the next request's: back to where heads are read. */
static void give_back(struct http1 *h, const char *rest, size_t len)
{
    h2o_iovec_t room = h2o_buffer_reserve(&h->sock->input, len);

    memcpy(room.base, rest, len);
    h->sock->input->size += len;
}

/* UPLOAD: what has been gathered goes to the sink. False: the sink is full for now. */
static bool pass_on(struct http1 *h)
{
    struct io_buffer *buffer = h->in;

    if (!buffer)
        return true;
    h->in = NULL;
    buffer->chunk.bytes = (struct bytes){buffer->data, h->in_len};
    buffer->chunk.release = io_buffer_give;
    h->in_len = 0;
    return dispatch_chunk(h->call, &buffer->chunk);
}

/*
 * UPLOAD: len more bytes of the connection are in the buffer. It goes to the sink when it is full
 * or the body has ended: few large chunks cost less than many. True: more may be read now; false:
 * the body is whole, the sink is full, or the connection is gone.
 */
static bool gather(struct http1 *h, size_t len)
{
    char *data = h->in->data + h->in_len;
    size_t given = len;
    bool done = false;
    ssize_t used = decode(h, data, &len, &done);

    if (used < 0) {
        body_broken(h);
        return false;
    }
    if ((size_t)used < given) /* chunked: the decoder moved it behind the data */
        give_back(h, data + (h->chunked ? len : (size_t)used), given - (size_t)used);
    h->in_len += len;
    h->call->received_bytes += (int64_t)len;
    h->progress_ms = now_ms();
    if ((done || h->in_len == IO_BUFFER_BYTES) && !pass_on(h) && !done)
        pause_reading(h);
    if (done)
        body_done(h);
    return !done && !h->paused;
}

/* Room for the body's next bytes. */
static size_t make_room(struct http1 *h)
{
    size_t room;

    if (!h->in)
        h->in = io_buffer_take(h->loop);
    room = IO_BUFFER_BYTES - h->in_len;
    return !h->chunked && h->body_left < (int64_t)room ? (size_t)h->body_left : room;
}

/* What h2o has read (and decrypted) goes into buffers of ours: its own cost more to give away than
   a copy does. What a full sink leaves stays in h2o's. */
static bool pass_input(struct http1 *h)
{
    bool more = true;

    while (more && h->sock->input->size) {
        size_t len = make_room(h);

        if (len > h->sock->input->size)
            len = h->sock->input->size;
        memcpy(h->in->data + h->in_len, h->sock->input->bytes, len);
        h2o_buffer_consume(&h->sock->input, len);
        more = gather(h, len);
    }
    return more;
}

/* CALL: copied, up to the route's limit; beyond it nothing is kept and dispatch says TOO_LARGE. */
static bool copy_input(struct http1 *h)
{
    h2o_buffer_t *in = h->sock->input;
    size_t total = in->size, len = total;
    bool done = false;
    ssize_t used = decode(h, in->bytes, &len, &done);

    if (used < 0) {
        body_broken(h);
        return false;
    }
    text_add(&h->body, in->bytes, len);
    h->call->received_bytes += (int64_t)len;
    if (h->chunked && (size_t)used < total)
        memmove(in->bytes + used, in->bytes + len, total - (size_t)used);
    h2o_buffer_consume(&h->sock->input, (size_t)used);
    if (h->body.overflow) { /* the limit is in the text: one byte more than allowed */
        h->keep_alive = false;
        h->cut_off = true;
        h->body.len = h->body.max;
        done = true;
    }
    if (done)
        body_done(h);
    return !done;
}

/* False: no more of the body is to be read now, or the connection is gone. */
static bool take_body(struct http1 *h)
{
    h->progress_ms = now_ms();
    if (!h->sock->input->size)
        return true;
    return h->call->route->lane == UPLOAD ? pass_input(h) : copy_input(h);
}

/* Plain uploads: we read the socket ourselves, into buffers that are used again and again. */
static void own_read(struct http1 *h)
{
    size_t room = make_room(h);
    ssize_t got = recv(h2o_socket_get_fd(h->sock), h->in->data + h->in_len, room, MSG_DONTWAIT);

    if (got > 0)
        gather(h, (size_t)got);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        body_broken(h);
}

static void on_body(h2o_socket_t *sock, const char *err)
{
    struct http1 *h = sock->data;

    if (err)
        body_broken(h);
    else if (h->own_reads)
        own_read(h);
    else
        take_body(h);
}

static void on_continue_sent(h2o_socket_t *sock, const char *err)
{
    struct http1 *h = sock->data;

    if (err)
        http1_close(h);
    else if (h->reply_waits)
        http1_send_reply(h->call);
}

static void begin_body(struct http1 *h)
{
    h->state = H1_BODY;
    h->paused = false;
    h->progress_ms = now_ms();
    if (!take_body(h))
        return;
    if (h->call->route->lane == UPLOAD && !h->tls) {
        h->own_reads = true;
        h2o_socket_dont_read(h->sock, 1);
    }
    h2o_socket_read_start(h->sock, on_body);
}

static void http1_receive(struct call *c)
{
    struct http1 *h = c->connection;
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    h2o_iovec_t out = h2o_iovec_init(go_on, sizeof(go_on) - 1);

    if (c->route->lane != UPLOAD) {
        size_t max = c->route->body_max ? c->route->body_max : (size_t)64 << 10;

        text_init(&h->body, &c->op.arena, max + 1);
    }
    if (c->content_length == 0) { /* an UPLOAD without a body: the sink still opens and finishes */
        body_done(h);
        return;
    }
    if (h->expects_continue && !h->sock->input->size)
        h2o_socket_write(h->sock, &out, 1, on_continue_sent);
    begin_body(h);
}

static void http1_resume(struct call *c)
{
    struct http1 *h = c->connection;

    if (h->state != H1_BODY || !h->paused)
        return;
    h->paused = false;
    if (take_body(h)) /* what h2o had read when the sink was full */
        h2o_socket_read_start(h->sock, on_body);
}

/* ---- time ---- */

static int64_t time_limit_ms(const struct http1 *h)
{
    const struct settings *s = server_settings;

    switch (h->state) {
    case H1_HANDSHAKE:
        return s->head_timeout_s * 1000;
    case H1_HEAD:
        return s->idle_timeout_s * 1000;
    case H1_BODY:
        return h->paused ? INT64_MAX : s->body_timeout_s * 1000;
    case H1_REPLY:
        return h->fill.pending ? INT64_MAX : s->body_timeout_s * 1000;
    case H1_LINGER:
        return LINGER_MS;
    case H1_STREAM:
        /* a terminal may stand still for as long as somebody looks at it */
        return h->stream_writing && h->call->reply.status != 101 ? s->body_timeout_s * 1000
                                                                 : INT64_MAX;
    case H1_BUSY:
        break;
    }
    return INT64_MAX;
}

static bool has_left(const struct http1 *h)
{
    struct pollfd p = {.fd = h2o_socket_get_fd(h->sock), .events = 0};

    return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

static bool is_over(const struct http1 *h, int64_t now)
{
    if (h->closing)
        return false;
    if (h->state == H1_HEAD && h->head_since_ms &&
        now - h->head_since_ms > server_settings->head_timeout_s * 1000)
        return true;
    if (h->state == H1_BUSY && now - h->progress_ms > 1000 && has_left(h))
        return true;
    return now - h->progress_ms > time_limit_ms(h);
}

void http1_tick(struct loop *loop)
{
    int64_t now = now_ms();
    h2o_linklist_t *link = loop->connections.next;

    while (link != &loop->connections) {
        struct http1 *h = H2O_STRUCT_FROM_MEMBER(struct http1, link, link);

        link = link->next;
        if (is_over(h, now))
            http1_close(h);
    }
}

void http1_drain(struct loop *loop)
{
    h2o_linklist_t *link = loop->connections.next;

    while (link != &loop->connections) {
        struct http1 *h = H2O_STRUCT_FROM_MEMBER(struct http1, link, link);

        link = link->next;
        h->keep_alive = false;
        /* a terminal has no end of its own to wait for */
        if (h->state == H1_HANDSHAKE || (h->state == H1_HEAD && !h->sock->input->size) ||
            (h->state == H1_STREAM && h->call->reply.status == 101))
            http1_close(h);
    }
}
