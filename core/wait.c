/* Parked requests by key, with one thread for their clocks. */
#include "core/wait.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/db.h"

struct waiter {
    struct waiter *next;
    struct task task; /* on the workers: look, and answer */
    struct call *c;
    struct wait wait;
    int64_t deadline_ms;
    bool taken; /* a worker looks at it */
    bool again; /* somebody has said something meanwhile */
    bool late;  /* its time is over */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t clock;
    struct waiter *waiters;
    bool running;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- a worker's turn ---- */

static void answer(struct waiter *w, bool reached)
{
    struct call *c = w->c;
    enum fault fault;

    for (int tries = 1;; tries++) {
        fault = w->wait.answer(c, reached, w->wait.arg);
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

static void unlink_waiter(struct waiter *w)
{
    struct waiter **at = &state.waiters;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

static bool is_so(struct waiter *w)
{
    bool yes = w->wait.is_so(&w->c->op, w->wait.arg);

    op_clear_fault(&w->c->op);
    return yes;
}

static void on_worker(struct task *task, struct db *db)
{
    struct waiter *w = (struct waiter *)((char *)task - offsetof(struct waiter, task));
    bool reached, ends;

    w->c->op.db = db;
    do {
        reached = is_so(w);
        pthread_mutex_lock(&state.lock);
        ends = reached || w->late;
        if (ends)
            unlink_waiter(w);
        else if (!w->again) {
            db_op_ended(&w->c->op);
            w->c->op.db = NULL;
            w->taken = false; /* from here on it is others' again */
            pthread_mutex_unlock(&state.lock);
            return;
        }
        w->again = false;
        pthread_mutex_unlock(&state.lock);
    } while (!ends);
    answer(w, reached);
}

/* Under the lock. */
static void look_at(struct waiter *w)
{
    if (w->taken) {
        w->again = true;
        return;
    }
    w->taken = true;
    w->again = false;
    w->task.run = on_worker;
    pool_post_always(call_pool(w->c), &w->task);
}

/* ---- from outside ---- */

static void begin(struct call *c)
{
    struct waiter *w = c->scratch;

    c->scratch = NULL;
    pthread_mutex_lock(&state.lock);
    w->late = !state.running;
    w->next = state.waiters;
    state.waiters = w;
    look_at(w);
    pthread_cond_signal(&state.changed);
    pthread_mutex_unlock(&state.lock);
}

enum fault wait_park(struct call *c, const struct wait *wait)
{
    struct waiter *w = calloc(1, sizeof(*w));

    if (!w)
        abort();
    w->c = c;
    w->wait = *wait;
    w->wait.key = arena_strdup(&c->op.arena, wait->key);
    w->deadline_ms = now_ms() + wait->timeout_ms;
    c->scratch = w;
    return call_park(c, begin);
}

void wait_wake(const char *key)
{
    pthread_mutex_lock(&state.lock);
    for (struct waiter *w = state.waiters; w; w = w->next)
        if (strcmp(w->wait.key, key) == 0)
            look_at(w);
    pthread_mutex_unlock(&state.lock);
}

/* ---- the clock ---- */

/* Those whose time is over are looked at once more. When is the next? -1: nobody waits. */
static int64_t expire(int64_t now)
{
    int64_t next = -1;

    for (struct waiter *w = state.waiters; w; w = w->next) {
        if (!w->late && w->deadline_ms <= now) {
            w->late = true;
            look_at(w);
        } else if (!w->late && (next < 0 || w->deadline_ms < next)) {
            next = w->deadline_ms;
        }
    }
    return next;
}

static void *clock_main(void *arg)
{
    (void)arg;
    pthread_setname_np(pthread_self(), "wait-clock");
    pthread_mutex_lock(&state.lock);
    while (state.running) {
        int64_t next = expire(now_ms());
        struct timespec until = {.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000};

        if (next < 0)
            pthread_cond_wait(&state.changed, &state.lock);
        else
            pthread_cond_timedwait(&state.changed, &state.lock, &until);
    }
    pthread_mutex_unlock(&state.lock);
    return NULL;
}

void waits_start(void)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&state.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    state.running = true;
    if (pthread_create(&state.clock, NULL, clock_main, NULL))
        abort();
}

void waits_stop(void)
{
    pthread_mutex_lock(&state.lock);
    if (!state.running) {
        pthread_mutex_unlock(&state.lock);
        return;
    }
    state.running = false;
    expire(INT64_MAX);
    pthread_cond_signal(&state.changed);
    pthread_mutex_unlock(&state.lock);
    pthread_join(state.clock, NULL);
}
