/*
 * Listening sockets from "ADDR:PORT" settings, and who holds a port that is taken.
 */
#ifndef SUNDOG_CORE_LISTEN_H
#define SUNDOG_CORE_LISTEN_H

#include "core/op.h"

/* Bind "127.0.0.1:8443", "[::1]:0", "*:80" without listening yet. CONFLICT: the port is taken (the
   message names the holder); INVALID: malformed; NOT_FOUND: this machine has no such address. */
enum fault listen_bind(struct op *op, const char *address, int *ret_fd);
/* "127.0.0.1:41233": where a bound socket really is. */
const char *listen_address(struct op *op, int fd);
/* The same of an address, into buffer; "" when it has none. */
struct sockaddr;
void listen_text(const struct sockaddr *address, size_t len, char *buffer, size_t size);
bool listen_is_loopback(int fd);
/* "dockerd (pid 812)" of the process listening on a TCP port; "another process" when we may not
 * see. */
const char *listen_holder(struct op *op, int port);

#endif
