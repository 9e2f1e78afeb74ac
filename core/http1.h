/*
 * The HTTP/1.1 front (RFC 9112): our own, because libh2o 2.2.5 buffers whole bodies before any
 * handler runs. http1.c reads heads and bodies, http1_reply.c sends. One request at a time on a
 * connection.
 */
#ifndef SUNDOG_CORE_HTTP1_H
#define SUNDOG_CORE_HTTP1_H

#include "core/loop.h"

/* libh2o exports picohttpparser without a header for it. */
struct phr_chunked_decoder {
    size_t bytes_left_in_chunk;
    char consume_trailer, hex_count_, state_;
};
ssize_t phr_decode_chunked(struct phr_chunked_decoder *decoder, char *buf, size_t *bufsz);
struct phr_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};
int phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                      const char **path, size_t *path_len, int *minor_version,
                      struct phr_header *headers, size_t *num_headers, size_t last_len);

enum http1_state {
    H1_HANDSHAKE, /* TLS */
    H1_HEAD,      /* waiting for, or reading, a request's head */
    H1_BUSY,      /* dispatch has the call */
    H1_BODY,      /* the body goes into memory or the sink */
    H1_REPLY,
    H1_STREAM, /* the reply goes on */
    H1_LINGER, /* the reply is sent, the rest of an unwanted body is thrown away */
};

struct http1 {
    h2o_linklist_t link; /* in loop->connections */
    struct loop *loop;
    h2o_socket_t *sock;
    bool tls, metadata, keep_alive, expects_continue, chunked, paused, own_reads;
    bool cut_off;     /* the body goes on beyond what is taken */
    bool reply_waits; /* for "100 Continue" to be out */
    enum http1_state state;
    struct call *call;
    int64_t progress_ms; /* when something last moved */
    int64_t head_since_ms;

    /* the body still to come */
    int64_t body_left; /* with Content-Length */
    struct phr_chunked_decoder decoder;
    struct text body;     /* CALL lane */
    struct io_buffer *in; /* UPLOAD: being filled */
    size_t in_len;

    /* the reply going out */
    size_t part; /* of call->reply.parts */
    int64_t part_sent;
    int64_t ahead;         /* an uncached file is being read up to here; 0: it is cached */
    struct io_buffer *out; /* file bytes on their way through TLS */
    size_t out_len;
    struct {
        struct task task; /* on the io pool: make a file window resident */
        struct loop_task back;
        bool pending;
        ssize_t result;
        int64_t offset;
        size_t want;
    } fill;
    char *stream_out; /* being written */
    bool stream_writing, stream_end, stream_held;
    bool closing; /* close once fill is back */
    char client[64], local[64];
    struct realm *realm;             /* whose door it came through, or named by SNI; NULL */
    struct certificate *certificate; /* its client's; NULL */
};

void http1_close(struct http1 *h);
void http1_next(struct http1 *h); /* the reply is out: on to the next request, or the end */
void http1_send_reply(struct call *c);
void http1_flush(struct call *c);
void http1_fill_init(struct http1 *h);

/* ---- http1_realm.c ---- */
void http1_realm_setup(void);
void http1_realm_accept(struct http1 *h, struct realm *realm); /* realm: the listener's */
void http1_realm_begin(struct http1 *h, struct call *c);
void http1_realm_forget(struct http1 *h);

#endif
