/* Parking a request until its group is where it wants it (DESIGN §4.1). */
#ifndef SUNDOG_INSTANCES_GROUP_WAIT_H
#define SUNDOG_INSTANCES_GROUP_WAIT_H

#include "instances/group.h"

enum group_goal {
    GROUP_GOAL_SETTLED, /* provisioning has ended, one way or the other */
    GROUP_GOAL_BEGUN,   /* what ran of an older generation has ended */
    GROUP_GOAL_GONE,
};
/* On a worker, with a connection: fill in the reply. reached: false after the time. */
typedef enum fault (*group_answer)(struct call *c, bool reached, void *arg);
/*
 * To be returned by a handler, after its commit. generation: of that commit; a later one ends the
 * waiting, too. The group is looked at once more when the waiting has begun, so nothing is missed.
 */
enum fault group_wait(struct call *c, int64_t group_id, int64_t generation, enum group_goal goal,
                      int64_t timeout_ms, group_answer answer, void *arg);

/* ---- the reconciler's ---- */

void group_waiters_start(void);
int64_t group_waiters_expire(void); /* ms until the next is due; -1: nobody waits */
bool group_is_waited_for(int64_t id);
/* In group_reconcile.c: look at the group, and at the clock after so many ms. */
void group_waiters_begun(int64_t group_id, int64_t timeout_ms);

#endif
