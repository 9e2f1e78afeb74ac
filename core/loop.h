/*
 * Event loops: one thread each, with an h2o context. A loop accepts, parses, sends; it never
 * blocks. Other threads reach it only by loop_post (core/call.h).
 */
#ifndef SUNDOG_CORE_LOOP_H
#define SUNDOG_CORE_LOOP_H

#include <h2o.h>

#include "core/call.h"
#include "core/realm.h"
#include "core/settings.h"

#define LOOPS_MAX 8

/* Read buffers of plain uploads are kept for reuse: 256 KiB from malloc costs 64 page faults. */
#define IO_BUFFER_BYTES ((size_t)256 << 10)
#define IO_BUFFERS_KEPT 16
struct io_buffer {
    struct chunk chunk;
    struct loop *loop;
    struct io_buffer *next;
    char data[];
};

struct loop {
    int index;
    h2o_evloop_t *evloop;
    h2o_context_t context;           /* HTTP/2 */
    h2o_accept_ctx_t accept;         /* for h2o_http2_accept */
    struct loop_listener *listeners; /* listening sockets of this loop */
    h2o_timeout_t tick;              /* a second: all connection time limits hang on it */
    h2o_timeout_entry_t tick_entry;
    h2o_linklist_t connections; /* struct http1; the longest idle first */
    size_t n_connections;
    atomic_int n_calls;     /* calls not freed yet */
    atomic_int n_abandoned; /* of these, those whose client left */
    struct io_buffer *spare_buffers;
    size_t n_spare_buffers;
    bool draining;
    int64_t drain_deadline_ms;
    pthread_t thread;
    /* tasks from other threads */
    pthread_mutex_t lock;
    struct loop_task *tasks, **tasks_tail;
    bool wake_sent;
    h2o_multithread_receiver_t receiver;
    h2o_multithread_message_t wake;
};

extern struct loop loops[LOOPS_MAX];
extern size_t n_loops;

struct io_buffer *io_buffer_take(struct loop *loop); /* on the loop */
void io_buffer_give(struct chunk *chunk);            /* on the loop; fits chunk.release */

/* Make n loops and their threads; listeners (bound, listening fds) are shared by all of them. */
struct listener {
    int fd;
    bool metadata; /* containers reach it: only routes with .metadata are answered */
    bool tls;
    struct realm *realm; /* whose door it is; NULL: the common one */
};
void loops_start(size_t n, const struct listener *listeners, size_t n_listeners);
/* One more listener for all loops, now or once they start. Takes fd. */
void loops_listen(struct listener listener);
/* Close a realm's listeners and its connections, busy ones after their reply. */
void loops_unlisten(struct realm *realm);
/* Close those of its connections that are still there, but where somebody works on a request. */
void loops_cut(struct realm *realm);
/* No new connections; running calls go on for at most timeout_s. Returns when the threads ended. */
void loops_drain(int64_t timeout_s);

/* ---- transports ---- */

/* HTTP/1.1 front (core/http1.c): takes the socket. */
void http1_setup(void); /* metrics; before loops_start */
void http1_accept(struct loop *loop, h2o_socket_t *sock, const struct listener *listener);
void http1_leave_realm(struct loop *loop, const struct realm *realm); /* loops_unlisten */
void http1_cut_realm(struct loop *loop, const struct realm *realm);   /* loops_cut */
void http1_tick(struct loop *loop);  /* once a second: time limits */
void http1_drain(struct loop *loop); /* close what is idle, let the rest end */
/* HTTP/2 by libh2o (core/http2.c). */
void http2_setup(void); /* the shared h2o configuration; before loops_start */
extern h2o_globalconf_t http2_config;
void http2_accept(struct loop *loop, h2o_socket_t *sock);
size_t http2_connections(struct loop *loop);

#endif
