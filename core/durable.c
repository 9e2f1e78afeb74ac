/*
 *~ Why one flush is enough for all: PostgreSQL's log is one sequence, and flushing it up to a
 *record ~ flushes everything before. A commit that returned before our flush began lies before it.
 *
 * The trap is a crash of PostgreSQL between a commit and the flush: connected anew, the flush would
 * succeed and the commit be lost. So each commit remembers which flushing connection was up when it
 * began (db_commit_flusher), and only a flush on that very connection makes it durable.
 */
#include "core/durable.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "core/db.h"
#include "core/metrics.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct call *parked, **tail;
    bool ending, running;
    pthread_t thread;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static struct metric flushes = {.name = "sundog_durable_flushes_total",
                                .help = "flushes that made parked calls durable",
                                .type = "counter"};
static struct metric flushed = {
    .name = "sundog_durable_calls_total", .help = "calls completed by them", .type = "counter"};

/* ---- the flushing thread ---- */

/* Wait for parked calls, at most a second: the connection is looked after meanwhile. */
static struct call *take_parked(bool *ret_ending)
{
    struct timespec until;
    struct call *list;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    pthread_mutex_lock(&state.lock);
    while (!state.parked && !state.ending &&
           pthread_cond_timedwait(&state.more, &state.lock, &until) == 0)
        ;
    list = state.parked;
    state.parked = NULL;
    state.tail = &state.parked;
    *ret_ending = state.ending;
    pthread_mutex_unlock(&state.lock);
    return list;
}

/* session: the connection that has flushed; 0: none has. */
static void complete(struct call *list, unsigned session)
{
    while (list) {
        struct call *c = list;
        enum fault fault = OK;

        list = c->durable.next;
        if (session == 0 || c->durable.flusher != session)
            fault = fail(&c->op, UNAVAILABLE,
                         "the database went away before this was safe on its disk");
        atomic_fetch_add_explicit(&flushed.value, 1, memory_order_relaxed);
        call_complete(c, fault); /* from here on the call is another's */
    }
}

static void run_once(struct db *db, struct call *list)
{
    struct op op;
    enum fault fault;
    unsigned session;

    op_init(&op);
    op.db = db;
    /* This connection's own number, not db_flusher: a connection made elsewhere clears that, which
       says nothing of this one. */
    session = db_session(&op);
    fault = list ? db_flush(&op, session) : db_check(&op);
    db_flusher = db_session(&op);
    if (list)
        atomic_fetch_add_explicit(&flushes.value, 1, memory_order_relaxed);
    complete(list, fault == OK ? session : 0);
    op_free(&op);
}

static void *durable_main(void *arg)
{
    struct db *db = arg;
    bool ending = false;
    struct call *list;

    pthread_setname_np(pthread_self(), "durable");
    do {
        list = take_parked(&ending);
        run_once(db, list);
    } while (list || !ending);
    db_flusher = 0;
    db_close(db);
    return NULL;
}

void durable_start(void)
{
    struct db *db = db_open();

    metric_register(&flushes);
    metric_register(&flushed);
    state.tail = &state.parked;
    state.ending = false;
    run_once(db, NULL); /* so that the first call finds it connected */
    state.running = pthread_create(&state.thread, NULL, durable_main, db) == 0;
    if (!state.running)
        abort();
}

void durable_stop(void)
{
    if (!state.running)
        return;
    pthread_mutex_lock(&state.lock);
    state.ending = true;
    pthread_cond_signal(&state.more);
    pthread_mutex_unlock(&state.lock);
    pthread_join(state.thread, NULL);
    state.running = false;
}

/* ---- parking ---- */

static void park(struct call *c)
{
    pthread_mutex_lock(&state.lock);
    c->durable.next = NULL;
    *state.tail = c;
    state.tail = &c->durable.next;
    pthread_cond_signal(&state.more);
    pthread_mutex_unlock(&state.lock);
}

enum fault call_durable(struct call *c)
{
    unsigned flusher = db_commit_flusher(&c->op);

    if (flusher != 0 && flusher == db_flusher) {
        c->durable.flusher = flusher;
        return call_park(c, park);
    }
    /* No flusher, or a later one: the connection that committed can still tell. */
    return db_flush(&c->op, db_commit_session(&c->op));
}

enum fault call_commit(struct call *c)
{
    if (workers && pool_has_one_busy(workers))
        return db_commit(&c->op);
    TRY(db_commit_async(&c->op));
    return call_durable(c);
}
