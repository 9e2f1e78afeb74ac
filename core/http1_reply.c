/*
 * HTTP/1.1, the sending half. Memory goes out in one write; files by sendfile(2) on plain sockets
 * and through a buffer on TLS. The loop must not wait for a disk: bytes that are not in the page
 * cache (RWF_NOWAIT tells) are first fetched by the io pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "core/http1.h"
#include "core/stream.h"

#define SENDFILE_STEP ((size_t)1 << 20)
#define AHEAD_BYTES   ((int64_t)16 << 20)
#define TURN_BYTES    ((int64_t)4 << 20) /* of one connection, before others have their turn */
#define IOVS_MAX      (REPLY_PARTS_MAX + 1)

static void send_more(struct http1 *h);

static const char *reason(int status)
{
    switch (status) {
#define REASON(code, text)                                                                         \
    case code:                                                                                     \
        return text;
        REASON(101, "Switching Protocols")
        REASON(200, "OK")
        REASON(201, "Created")
        REASON(202, "Accepted")
        REASON(204, "No Content")
        REASON(206, "Partial Content")
        REASON(301, "Moved Permanently")
        REASON(302, "Found")
        REASON(304, "Not Modified")
        REASON(307, "Temporary Redirect")
        REASON(400, "Bad Request")
        REASON(401, "Unauthorized")
        REASON(403, "Forbidden")
        REASON(404, "Not Found")
        REASON(405, "Method Not Allowed")
        REASON(409, "Conflict")
        REASON(410, "Gone")
        REASON(412, "Precondition Failed")
        REASON(413, "Content Too Large")
        REASON(416, "Range Not Satisfiable")
        REASON(429, "Too Many Requests")
        REASON(500, "Internal Server Error")
        REASON(501, "Not Implemented")
        REASON(503, "Service Unavailable")
        REASON(507, "Insufficient Storage")
#undef REASON
    }
    return "Status";
}

/* RFC 9110 5.6.7; made once a second and thread. */
static const char *http_date(void)
{
    static __thread time_t made_for;
    static __thread char date[40];
    time_t now = time(NULL);
    struct tm tm;

    if (now != made_for) {
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
        made_for = now;
    }
    return date;
}

static struct bytes make_head(struct http1 *h)
{
    struct call *c = h->call;
    const struct reply *r = &c->reply;
    struct text head;

    text_init(&head, &c->op.arena, (size_t)128 << 10);
    text_printf(&head, "HTTP/1.1 %d %s\r\nDate: %s\r\n", r->status, reason(r->status), http_date());
    if (r->content_length < 0 && r->status != 101)
        text_str(&head, "Transfer-Encoding: chunked\r\n");
    else if (r->status != 101 && r->status != 204 && r->status != 304)
        text_printf(&head, "Content-Length: %lld\r\n", (long long)r->content_length);
    for (size_t i = 0; i < r->n_headers; i++) {
        text_str(&head, r->headers[i].name);
        text_add(&head, ": ", 2);
        text_str(&head, r->headers[i].value);
        text_add(&head, "\r\n", 2);
    }
    text_printf(&head, "Connection: %s\r\n\r\n",
                r->status == 101 ? "Upgrade"
                : h->keep_alive  ? "keep-alive"
                                 : "close");
    return text_bytes(&head);
}

/* ---- after the last byte ---- */

static void on_linger(h2o_socket_t *sock, const char *err)
{
    struct http1 *h = sock->data;

    if (err) {
        http1_close(h);
        return;
    }
    h2o_buffer_consume(&sock->input, sock->input->size);
}

/* The client may still be sending a body nobody wants. Closing now would reset the connection and
   could take our reply with it: say that we are done, and read on for a moment. */
static void linger(struct http1 *h)
{
    h->state = H1_LINGER;
    h->progress_ms = now_ms();
    shutdown(h2o_socket_get_fd(h->sock), SHUT_WR);
    h2o_socket_read_start(h->sock, on_linger);
}

static void reply_sent(struct http1 *h)
{
    struct call *c = h->call;
    bool unread = c->body_state == BODY_COMING || h->cut_off;

    h->call = NULL;
    if (h->out) {
        io_buffer_give(&h->out->chunk);
        h->out = NULL;
    }
    dispatch_done(c);
    if (unread)
        linger(h);
    else if (h->keep_alive)
        http1_next(h);
    else
        http1_close(h);
}

/* ---- files ---- */

static void on_written(h2o_socket_t *sock, const char *err)
{
    struct http1 *h = sock->data;

    if (err) {
        http1_close(h);
        return;
    }
    h->progress_ms = now_ms();
    send_more(h);
}

/*
 * A file that is not cached comes in by windows read ahead: sequential reads of 128 KiB, the
 * kernel's own measure, leave a fast disk idle most of the time.
 */
struct read_ahead {
    struct task task;
    int fd; /* its own: the call may end first */
    int64_t offset;
};

static void read_ahead_on_io(struct task *task, struct db *db)
{
    struct read_ahead *ahead = H2O_STRUCT_FROM_MEMBER(struct read_ahead, task, task);

    (void)db;
    posix_fadvise(ahead->fd, ahead->offset, AHEAD_BYTES, POSIX_FADV_WILLNEED);
    close(ahead->fd);
    free(ahead);
}

static void read_ahead(struct http1 *h, int64_t offset, int64_t end)
{
    struct read_ahead *ahead;

    if (!h->ahead || offset + AHEAD_BYTES / 2 < h->ahead || h->ahead >= end)
        return;
    ahead = calloc(1, sizeof(*ahead));
    if (!ahead)
        abort();
    ahead->task.run = read_ahead_on_io;
    ahead->fd = fcntl(h->call->reply.fd, F_DUPFD_CLOEXEC, 3);
    ahead->offset = h->ahead;
    h->ahead += AHEAD_BYTES;
    pool_post_always(io_pool, &ahead->task);
}

static void on_filled(struct loop_task *task);

static void fill_on_io(struct task *task, struct db *db)
{
    struct http1 *h = H2O_STRUCT_FROM_MEMBER(struct http1, fill.task, task);
    int fd = h->call->reply.fd;
    char last;

    (void)db;
    posix_fadvise(fd, h->fill.offset, AHEAD_BYTES, POSIX_FADV_WILLNEED);
    if (h->tls) {
        h->fill.result = pread(fd, h->out->data, h->fill.want, h->fill.offset);
    } else { /* into the page cache only: sendfile takes it from there */
        h->fill.result = pread(fd, &last, 1, h->fill.offset + (off_t)h->fill.want - 1);
    }
    loop_post(h->loop, &h->fill.back);
}

void http1_fill_init(struct http1 *h)
{
    h->fill.task.run = fill_on_io;
    h->fill.back.run = on_filled;
}

static void fill(struct http1 *h, int64_t offset, size_t want)
{
    h->fill.pending = true;
    h->fill.offset = offset;
    h->fill.want = want;
    h->ahead = offset + AHEAD_BYTES;
    pool_post_always(io_pool, &h->fill.task);
}

static void write_out(struct http1 *h)
{
    h2o_iovec_t iov = h2o_iovec_init(h->out->data, h->out_len);

    h->part_sent += (int64_t)h->out_len;
    h2o_socket_write(h->sock, &iov, 1, on_written);
}

static void on_filled(struct loop_task *task)
{
    struct http1 *h = H2O_STRUCT_FROM_MEMBER(struct http1, fill.back, task);

    h->fill.pending = false;
    if (h->closing || h->fill.result <= 0) {
        http1_close(h);
        return;
    }
    h->progress_ms = now_ms();
    if (h->tls) {
        h->out_len = (size_t)h->fill.result;
        write_out(h);
    } else {
        send_more(h);
    }
}

static ssize_t read_cached(int fd, void *data, size_t len, int64_t offset)
{
    struct iovec iov = {data, len};
    ssize_t got = preadv2(fd, &iov, 1, offset, RWF_NOWAIT);

    if (got < 0 && errno == EOPNOTSUPP) /* tmpfs: it is memory anyway */
        got = pread(fd, data, len, offset);
    return got;
}

static bool is_cached(int fd, int64_t offset, size_t len)
{
    char byte;

    return read_cached(fd, &byte, 1, offset) == 1 &&
           read_cached(fd, &byte, 1, offset + (int64_t)len - 1) == 1;
}

static void send_file_tls(struct http1 *h, const struct part *part)
{
    int64_t offset = part->offset + h->part_sent, left = part->length - h->part_sent;
    size_t want = left < (int64_t)IO_BUFFER_BYTES ? (size_t)left : IO_BUFFER_BYTES;
    ssize_t got;

    if (!h->out)
        h->out = io_buffer_take(h->loop);
    read_ahead(h, offset, part->offset + part->length);
    got = read_cached(h->call->reply.fd, h->out->data, want, offset);
    if (got > 0) {
        h->out_len = (size_t)got;
        write_out(h);
    } else if (got < 0 && errno == EAGAIN) {
        fill(h, offset, want);
    } else {
        http1_close(h); /* shorter than its row says: the client must not take it for whole */
    }
}

static void send_file_plain(struct http1 *h, const struct part *part)
{
    int64_t budget = TURN_BYTES;

    while (h->part_sent < part->length && budget > 0) {
        off_t offset = part->offset + h->part_sent;
        int64_t left = part->length - h->part_sent;
        size_t want = left < (int64_t)SENDFILE_STEP ? (size_t)left : SENDFILE_STEP;
        ssize_t sent;

        read_ahead(h, offset, part->offset + part->length);
        if (!is_cached(h->call->reply.fd, offset, want)) {
            fill(h, offset, want);
            return;
        }
        sent = sendfile(h2o_socket_get_fd(h->sock), h->call->reply.fd, &offset, want);
        if (sent <= 0) {
            if (sent == 0 || errno != EAGAIN)
                http1_close(h);
            else
                h2o_socket_notify_write(h->sock, on_written);
            return;
        }
        h->part_sent += sent;
        budget -= sent;
    }
    if (h->part_sent < part->length) {
        h2o_socket_notify_write(h->sock, on_written);
        return;
    }
    h->part++;
    h->part_sent = 0;
    send_more(h);
}

/* ---- streams ---- */

static void on_stream_written(h2o_socket_t *sock, const char *err)
{
    struct http1 *h = sock->data;

    h->stream_writing = false;
    free(h->stream_out);
    h->stream_out = NULL;
    h->progress_ms = now_ms();
    if (err)
        http1_close(h);
    else if (!h->stream_end)
        http1_flush(h->call);
    else if (h->call->reply.status == 101)
        http1_close(h);
    else
        reply_sent(h);
}

/* One buffer of all that waits. A WATCH frames it as one chunk (RFC 9112 7.1); "0" is its end. */
static size_t frame(struct http1 *h, const struct stream_part *parts, bool chunked)
{
    size_t total = 0, n = 0;

    for (const struct stream_part *p = parts; p; p = p->next)
        total += p->len;
    h->stream_out = malloc(total + 64);
    if (!h->stream_out)
        abort();
    if (chunked && total)
        n = (size_t)snprintf(h->stream_out, 32, "%zx\r\n", total);
    for (const struct stream_part *p = parts; p; p = p->next) {
        memcpy(h->stream_out + n, p->data, p->len);
        n += p->len;
    }
    if (chunked) {
        const char *tail = total ? h->stream_end ? "\r\n0\r\n\r\n" : "\r\n" : "0\r\n\r\n";

        memcpy(h->stream_out + n, tail, strlen(tail));
        n += strlen(tail);
    }
    return n;
}

static void on_stream_readable(h2o_socket_t *sock, const char *err);

/* As the stream's owner wants it now. */
static void hold_or_read(struct http1 *h)
{
    bool held = stream_is_held(h->call->stream);

    if (held == h->stream_held)
        return;
    h->stream_held = held;
    if (held)
        h2o_socket_read_stop(h->sock);
    else
        h2o_socket_read_start(h->sock, on_stream_readable);
}

void http1_flush(struct call *c)
{
    struct http1 *h = c->connection;
    struct stream_part *parts;
    h2o_iovec_t iov;

    if (h->state != H1_STREAM)
        return;
    if (stream_is_cut(c->stream)) { /* also in the middle of a write, which may never end */
        http1_close(h);
        return;
    }
    hold_or_read(h);
    if (h->stream_writing)
        return;
    parts = stream_take(c->stream, &h->stream_end);
    if (!parts && !h->stream_end)
        return;
    iov = h2o_iovec_init(NULL, frame(h, parts, c->reply.status != 101));
    iov.base = h->stream_out;
    stream_parts_free(parts);
    c->sent_bytes += (int64_t)iov.len;
    h->stream_writing = true;
    h2o_socket_write(h->sock, &iov, 1, on_stream_written);
}

static void on_stream_readable(h2o_socket_t *sock, const char *err)
{
    struct http1 *h = sock->data;
    struct stream *s = h->call->stream;

    if (err) {
        http1_close(h);
        return;
    }
    if (h->call->reply.status == 101 && s->on_data && sock->input->size)
        s->on_data(s, (struct bytes){sock->input->bytes, sock->input->size});
    h2o_buffer_consume(&sock->input, sock->input->size);
}

/* The head is out. We go on reading: that is how a client that leaves is noticed. */
static void stream_begin(struct http1 *h)
{
    h->state = H1_STREAM;
    h->keep_alive = false; /* what a WATCH client sends meanwhile was thrown away */
    if (h->sock->input->size)
        on_stream_readable(h->sock, NULL);
    if (!h->sock)
        return;
    h2o_socket_read_start(h->sock, on_stream_readable);
    http1_flush(h->call);
}

/* ---- the reply ---- */

/* Memory parts from h->part on, as many as follow each other. */
static size_t gather(struct http1 *h, h2o_iovec_t *iovs, size_t n)
{
    const struct reply *r = &h->call->reply;

    for (; h->part < r->n_parts && r->parts[h->part].bytes.data && n < IOVS_MAX; h->part++) {
        struct bytes bytes = r->parts[h->part].bytes;

        iovs[n++] = h2o_iovec_init(bytes.data, bytes.len);
    }
    return n;
}

static void send_more(struct http1 *h)
{
    const struct reply *r = &h->call->reply;
    h2o_iovec_t iovs[IOVS_MAX];
    size_t n = gather(h, iovs, 0);

    if (n > 0) {
        h2o_socket_write(h->sock, iovs, n, on_written);
        return;
    }
    if (h->part < r->n_parts && h->part_sent == r->parts[h->part].length) {
        h->part++;
        h->part_sent = 0;
        send_more(h);
        return;
    }
    if (h->part == r->n_parts && h->call->stream && h->call->method != HEAD)
        stream_begin(h);
    else if (h->part == r->n_parts)
        reply_sent(h);
    else if (h->tls)
        send_file_tls(h, &r->parts[h->part]);
    else
        send_file_plain(h, &r->parts[h->part]);
}

void http1_send_reply(struct call *c)
{
    struct http1 *h = c->connection;
    h2o_iovec_t iovs[IOVS_MAX];
    struct bytes head;
    size_t n = 1;

    h->reply_waits = h2o_socket_is_writing(h->sock);
    if (h->reply_waits)
        return;
    if (c->reply.close || c->body_state == BODY_COMING || h->loop->draining)
        h->keep_alive = false;
    h2o_socket_read_stop(h->sock);
    if (h->own_reads)
        h2o_socket_dont_read(h->sock, 0);
    h->own_reads = false;
    h->state = H1_REPLY;
    h->part = 0;
    h->part_sent = 0;
    h->ahead = 0;
    h->progress_ms = now_ms();
    head = make_head(h);
    iovs[0] = h2o_iovec_init(head.data, head.len);
    if (c->method == HEAD)
        h->part = c->reply.n_parts;
    else
        n = gather(h, iovs, 1);
    c->sent_bytes = (int64_t)head.len;
    if (c->method != HEAD && c->reply.content_length > 0)
        c->sent_bytes += c->reply.content_length;
    h2o_socket_write(h->sock, iovs, n, on_written);
}
