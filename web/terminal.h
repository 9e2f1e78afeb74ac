/*
 * A shell in a page: a terminal, and the WebSocket that it speaks to. It ends with the session of
 * the console that opened it: signing out, a day's end, or its principal's sessions revoked.
 */
#ifndef SUNDOG_WEB_TERMINAL_H
#define SUNDOG_WEB_TERMINAL_H

#include "instances/exec_session.h"
#include "web/page.h"

#define TERMINAL_SHELL "/bin/sh"

/* socket: the path of a STREAM route of the console's. */
void terminal_add(struct page *p, const char *socket);
/* That route's handler, first. FORBIDDEN: a page of another origin asks. */
enum fault terminal_check_origin(struct call *c);
/* And at its end: whoever asks may have the session. uri: any that ends in its path. */
enum fault terminal_enter(struct call *c, const char *uri, const char *password);
void terminal_start(void);
void terminal_stop(void);

#endif
