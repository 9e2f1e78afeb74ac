/*
 * A stream: a reply that goes on. In the WATCH lane the server alone speaks (HTTP/1.1 chunks,
 * HTTP/2 DATA); in the STREAM lane both do, after an HTTP/1.1 Upgrade (101). Any thread may send;
 * the loop writes. A client that reads too slowly is cut off at a limit instead of filling our
 * memory.
 */
#ifndef SUNDOG_CORE_STREAM_H
#define SUNDOG_CORE_STREAM_H

#include "core/call.h"

#define STREAM_QUEUE_MAX ((size_t)1 << 20) /* bytes waiting for a slow client */

struct stream_part {
    struct stream_part *next;
    size_t len;
    char data[];
};

struct stream {
    /* The client's bytes, on the loop (STREAM); must not block. */
    void (*on_data)(struct stream *stream, struct bytes data);
    /* Once, on the loop: the client left, or the end was sent. Nothing follows. May be NULL. */
    void (*on_close)(struct stream *stream);
    /* On the loop, with no lock held: what waited was taken, there is room again. May be NULL. */
    void (*on_room)(struct stream *stream);
    void *user;

    /* owned by core/stream.c and the transports */
    struct call *call;
    atomic_int refs; /* the opener's and the loop's */
    pthread_mutex_t lock;
    struct stream_part *parts, **parts_tail;
    size_t queued;
    bool open, ended, posted, too_slow, held;
    struct loop_task task;
};

/*
 * In a handler: make the reply a stream. Set c->reply's headers first; status 200 (WATCH), or 101
 * with an Upgrade header (STREAM). The result is the opener's until stream_release.
 */
struct stream *stream_open(struct call *c, int status);
/* Copy data to the client's queue. False: it has left, was ended, or is too slow (and is cut off).
 */
bool stream_send(struct stream *stream, struct bytes data);
/* Bytes that wait for the client: who watches them never makes it too slow. */
size_t stream_queued(struct stream *stream);
/* STREAM: read no more from the client (but for what is on its way to on_data already), or again.
   That it has left may be noticed late meanwhile. */
void stream_hold(struct stream *stream, bool hold);
void stream_end(struct stream *stream); /* after what is queued */
void stream_release(struct stream *stream);

/* ---- transports, on the loop ---- */

/* All that waits, in order, as one list to be freed by stream_parts_free; *ret_end: nothing
 * follows. */
struct stream_part *stream_take(struct stream *stream, bool *ret_end);
void stream_parts_free(struct stream_part *parts);
bool stream_is_cut(struct stream *stream); /* too slow: close the connection */
bool stream_is_held(struct stream *stream);
void stream_closed(struct stream *stream); /* gives back the loop's reference */

#endif
