/* Talking to supervisors, from the server. */
#ifndef SUNDOG_INSTANCES_SANDBOX_SOCKET_H
#define SUNDOG_INSTANCES_SANDBOX_SOCKET_H

#include "core/message.h"

/* DIR; NULL before sandbox_start. */
const char *sandbox_data(void);
/* A connection; GONE: nobody is there. */
enum fault sandbox_connect(struct op *op, const char *id, int *ret_fd);
/* One call on a connection of its own. with may be NULL; it is released. */
enum fault sandbox_ask(struct op *op, const char *id, const char *call, json_t *with,
                       struct message *ret);

/* ---- sandbox_watch.c: one thread that hears of ends ---- */
enum fault watch_start(struct op *op);
void watch_stop(void);
/* Hear of this one from now on. GONE: nobody is there. */
enum fault watch_add(struct op *op, const char *id);

#endif
