/*
 * What processes of ours say to each other: a JSON object and file descriptors, over a unix socket
 * that keeps messages apart (SOCK_SEQPACKET). A big body travels in a memfd of its own.
 */
#ifndef SUNDOG_CORE_MESSAGE_H
#define SUNDOG_CORE_MESSAGE_H

#include <jansson.h>

#include "core/op.h"

#define MESSAGE_BODY_MAX ((size_t)16 << 20)
#define MESSAGE_FDS_MAX  8

struct message {
    json_t *body; /* an object, never NULL once received; in op's arena */
    int fds[MESSAGE_FDS_MAX];
    size_t n_fds;
};

/* Blocks until it is sent. The descriptors stay the caller's. UNAVAILABLE: nobody is there. */
enum fault message_send(struct op *op, int socket, const json_t *body, const int *fds,
                        size_t n_fds);
/* Blocks. The descriptors (close-on-exec) are the caller's. UNAVAILABLE: the other side has ended;
   INVALID: not a message of ours. */
enum fault message_receive(struct op *op, int socket, struct message *ret);
void message_close_fds(struct message *message);

/* An answer: OK with body (NULL: empty) and fds, or the fault that op holds. */
enum fault message_answer(struct op *op, int socket, enum fault fault, json_t *body, const int *fds,
                          size_t n_fds);
/* Send, wait for the answer; its fault, noun and text become op's. */
enum fault message_call(struct op *op, int socket, const json_t *body, const int *fds, size_t n_fds,
                        struct message *ret);

/* ---- reading bodies: strict, since the other side may not be trusted ---- */

/* INVALID names the member. text: NUL-free, at most max bytes; *ret stays when it is absent and not
   required. */
enum fault message_text(struct op *op, const json_t *body, const char *member, size_t max,
                        bool required, const char **ret);
enum fault message_int(struct op *op, const json_t *body, const char *member, int64_t min,
                       int64_t max, int64_t *ret); /* absent: *ret stays */
enum fault message_bool(struct op *op, const json_t *body, const char *member, bool *ret);
/* A NULL-terminated list of texts; absent: an empty one. */
enum fault message_texts(struct op *op, const json_t *body, const char *member, size_t max_each,
                         size_t max_n, const char *const **ret, size_t *ret_n);

#endif
