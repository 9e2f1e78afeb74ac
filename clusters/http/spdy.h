/*
 * SPDY/3.1 frames (SPDY Protocol Draft 3.1), the server's side: a reader that takes bytes as they
 * come and gives events, and frames to send. Kubernetes' clients speak it for exec, attach and
 * port-forward; their library knows no flow control, so WINDOW_UPDATE and SETTINGS are read over.
 */
#ifndef SUNDOG_CLUSTERS_HTTP_SPDY_H
#define SUNDOG_CLUSTERS_HTTP_SPDY_H

#include <zlib.h>

#include "core/op.h"

#define SPDY_HEADERS_MAX 32
#define SPDY_BLOCK_MAX   8192 /* of a frame but DATA; of its headers when unpacked */
#define SPDY_HEAD_LEN    8
#define SPDY_REPLY_MAX   64
#define SPDY_STREAM_MAX  0x7fffffffu

enum spdy_event_kind {
    SPDY_MORE, /* all bytes are read; give more */
    SPDY_OPEN, /* a stream of the client: id, headers */
    SPDY_DATA, /* a piece of a stream's data */
    SPDY_RESET,
    SPDY_PING,   /* answer with the same id */
    SPDY_GOAWAY, /* the client opens no more streams */
    SPDY_BROKEN  /* end the connection; the reader gives nothing more */
};
struct spdy_header {
    const char *name, *value; /* name in lower case; of several values the first */
};
struct spdy_event {
    enum spdy_event_kind kind;
    uint32_t id;
    bool last;                         /* OPEN, DATA: the client says nothing more on this stream */
    struct bytes data;                 /* DATA */
    const struct spdy_header *headers; /* OPEN; good until the next call */
    size_t n_headers;
};

struct spdy_reader {
    z_stream inflate;
    uint8_t head[SPDY_HEAD_LEN];
    size_t n_head;
    uint64_t left; /* of the frame */
    uint8_t body[SPDY_BLOCK_MAX];
    size_t n_body;
    uint32_t newest; /* the client's streams rise */
    bool in_frame, broken;
    char block[SPDY_BLOCK_MAX + 1];
    struct spdy_header headers[SPDY_HEADERS_MAX];
    size_t n_headers;
};
void spdy_reader_init(struct spdy_reader *reader);
void spdy_reader_free(struct spdy_reader *reader);
/* The next event out of *in, which is moved on past what was read. */
struct spdy_event spdy_read(struct spdy_reader *reader, struct bytes *in);
const char *spdy_header(const struct spdy_event *event, const char *name); /* NULL */

/* ---- to send ---- */

struct spdy_writer {
    z_stream deflate;
};
void spdy_writer_init(struct spdy_writer *writer);
void spdy_writer_free(struct spdy_writer *writer);
/* SYN_REPLY without headers. Replies must be sent in the order they are made. */
size_t spdy_reply(struct spdy_writer *writer, uint8_t frame[SPDY_REPLY_MAX], uint32_t id);
/* Head of a DATA frame of len bytes (below 2^24). */
void spdy_data_head(uint8_t head[SPDY_HEAD_LEN], uint32_t id, size_t len, bool last);
/* Whole frames; their bytes. */
#define SPDY_REFUSED 3
#define SPDY_CANCEL  5
size_t spdy_reset(uint8_t frame[16], uint32_t id, uint32_t why);
size_t spdy_ping(uint8_t frame[12], uint32_t id);
size_t spdy_goaway(uint8_t frame[16], uint32_t newest);

/* What header blocks are compressed with; its length. For tests, too. */
size_t spdy_dictionary(const uint8_t **ret);

#endif
