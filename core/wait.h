/*
 * Requests that wait for something to become so (DESIGN §4.1): parked, looked after again whenever
 * somebody says that its key has moved, and answered by a worker when it is so or its time is over.
 */
#ifndef SUNDOG_CORE_WAIT_H
#define SUNDOG_CORE_WAIT_H

#include "core/call.h"

struct wait {
    const char *key; /* what wait_wake names: "cluster/7" */
    int64_t timeout_ms;
    /* On a worker with op->db: is it so? A fault counts as no. */
    bool (*is_so)(struct op *op, void *arg);
    /* On a worker with c->op.db: fill in the reply. reached false: its time is over. */
    enum fault (*answer)(struct call *c, bool reached, void *arg);
    void *arg; /* lives in the call's arena */
};
/* To be returned by a handler, after its commit. It is looked at once when the waiting has begun,
   so nothing is missed. */
enum fault wait_park(struct call *c, const struct wait *wait);
/* Something about key has changed. Any thread. */
void wait_wake(const char *key);

void waits_start(void);
void waits_stop(void); /* everybody is answered with reached false */

#endif
