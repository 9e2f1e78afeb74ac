/* Connecting sockets that somebody in another network namespace has made. */
#ifndef SUNDOG_INSTANCES_DIAL_H
#define SUNDOG_INSTANCES_DIAL_H

#include "core/op.h"

/* Connect socket (non-blocking, TCP over IPv4; taken, also on failure) and wait until it is.
   UNAVAILABLE in the words Go's users know: "connection refused", "i/o timeout". Ends soon when op
   is cancelled. */
enum fault dial(struct op *op, int socket, const char *address, int port, int64_t timeout_ms,
                int *ret_fd);

#endif
