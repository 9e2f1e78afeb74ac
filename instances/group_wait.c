/*
 * Requests that wait for their group: parked, and answered by a worker when the group is where they
 * want it, or after their time.
 */
#include "instances/group_wait.h"

#include <stdlib.h>

#include "core/db.h"
#include "instances/group_run.h"

struct waiter {
    struct waiter *next;
    struct task task; /* on the workers: the answer */
    struct call *c;
    int64_t group_id, generation, deadline_ms;
    enum group_goal goal;
    group_answer answer;
    void *arg;
    bool reached;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct waiter *waiters;
static bool ending;

static bool is_reached(const struct waiter *w, const struct container_group *g)
{
    if (!g || g->generation > w->generation)
        return true;                   /* gone, or another request's now */
    if (g->generation < w->generation) /* read before the request's commit */
        return false;
    if (g->observed != g->generation || w->goal == GROUP_GOAL_GONE)
        return false;
    return w->goal == GROUP_GOAL_BEGUN || g->provisioning >= PROVISIONING_SUCCEEDED ||
           g->state == GROUP_STOPPED;
}

static void answer_on_worker(struct task *task, struct db *db)
{
    struct waiter *w = (struct waiter *)((char *)task - offsetof(struct waiter, task));
    struct call *c = w->c;
    enum fault fault;

    c->op.db = db;
    for (int tries = 1;; tries++) {
        fault = w->answer(c, w->reached, w->arg);
        if (fault == OK || !db_wants_retry(&c->op) || tries == 3)
            break;
        db_rollback(&c->op);
        reply_reset(c);
        op_clear_fault(&c->op);
    }
    db_op_ended(&c->op);
    c->op.db = NULL;
    free(w);
    call_complete(c, fault);
}

/* Take those out that fit, and have them answered. */
static void take(bool (*fits)(const struct waiter *w, const void *arg), const void *arg,
                 bool reached)
{
    struct waiter *taken = NULL, **at = &waiters, *w;

    pthread_mutex_lock(&lock);
    while ((w = *at)) {
        if (!fits(w, arg)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = taken;
        taken = w;
    }
    pthread_mutex_unlock(&lock);
    while ((w = taken)) {
        taken = w->next;
        w->reached = reached;
        w->task.run = answer_on_worker;
        pool_post_always(call_pool(w->c), &w->task);
    }
}

static bool fits_group(const struct waiter *w, const void *arg)
{
    const struct container_group *g = arg;

    return w->group_id == g->id && is_reached(w, g);
}

static bool fits_id(const struct waiter *w, const void *arg)
{
    return w->group_id == *(const int64_t *)arg;
}

static bool fits_time(const struct waiter *w, const void *arg)
{
    return w->deadline_ms <= *(const int64_t *)arg;
}

void group_waiters_look(const struct container_group *g)
{
    take(fits_group, g, true);
}

void group_waiters_gone(int64_t id)
{
    take(fits_id, &id, true);
}

int64_t group_waiters_expire(void)
{
    int64_t now = now_ms(), next = -1;

    take(fits_time, &now, false);
    pthread_mutex_lock(&lock);
    for (const struct waiter *w = waiters; w; w = w->next)
        if (next < 0 || w->deadline_ms - now < next)
            next = w->deadline_ms - now;
    pthread_mutex_unlock(&lock);
    return next;
}

bool group_is_waited_for(int64_t id)
{
    bool found = false;

    pthread_mutex_lock(&lock);
    for (const struct waiter *w = waiters; w && !found; w = w->next)
        found = w->group_id == id;
    pthread_mutex_unlock(&lock);
    return found;
}

void group_waiters_stop(void)
{
    int64_t never = INT64_MAX;

    pthread_mutex_lock(&lock);
    ending = true;
    pthread_mutex_unlock(&lock);
    take(fits_time, &never, false);
}

void group_waiters_start(void)
{
    ending = false;
}

static void begin(struct call *c)
{
    struct waiter *w = c->scratch;
    bool late;

    c->scratch = NULL;
    pthread_mutex_lock(&lock);
    late = ending;
    if (!late) {
        w->next = waiters;
        waiters = w;
    }
    pthread_mutex_unlock(&lock);
    if (late) {
        w->task.run = answer_on_worker;
        pool_post_always(call_pool(w->c), &w->task);
        return;
    }
    group_waiters_begun(w->group_id, w->deadline_ms - now_ms());
}

enum fault group_wait(struct call *c, int64_t group_id, int64_t generation, enum group_goal goal,
                      int64_t timeout_ms, group_answer answer, void *arg)
{
    struct waiter *w = calloc(1, sizeof(*w));

    if (!w)
        abort();
    w->c = c;
    w->group_id = group_id;
    w->generation = generation;
    w->goal = goal;
    w->deadline_ms = now_ms() + timeout_ms;
    w->answer = answer;
    w->arg = arg;
    c->scratch = w;
    return call_park(c, begin);
}
