#include "core/wait.h"

#include <unistd.h>

#include "core/loop.h"
#include "core/pool.h"
#include "tests/unit/unit.h"

/* A request that waits, and the loop that it comes back to. */
struct parked {
    struct call call;
    struct loop loop;
    atomic_bool so;
    atomic_int looks;
    bool answered, reached, had_db;
};

static bool is_so(struct op *op, void *arg)
{
    struct parked *p = arg;

    p->had_db = op->db != NULL;
    atomic_fetch_add(&p->looks, 1);
    if (!atomic_load(&p->so))
        (void)fail(op, NOT_FOUND, "a fault counts as no");
    return atomic_load(&p->so);
}

static enum fault answer(struct call *c, bool reached, void *arg)
{
    struct parked *p = arg;

    CU_ASSERT_PTR_NULL(c->op.message);
    p->answered = true;
    p->reached = reached;
    return OK;
}

static void begin(struct parked *p, const char *key, int64_t timeout_ms)
{
    const struct wait wait = {key, timeout_ms, is_so, answer, p};

    memset(&p->call, 0, sizeof(p->call));
    p->loop = (struct loop){.lock = PTHREAD_MUTEX_INITIALIZER, .wake_sent = true};
    p->loop.tasks_tail = &p->loop.tasks;
    p->call.loop = &p->loop;
    p->answered = p->reached = p->had_db = false;
    atomic_store(&p->looks, 0);
    op_init(&p->call.op);
    CU_ASSERT_EQUAL(wait_park(&p->call, &wait), PARKED);
    p->call.dispatch.park(&p->call);
}

static bool is_back(struct parked *p)
{
    bool back;

    pthread_mutex_lock(&p->loop.lock);
    back = p->loop.tasks != NULL;
    pthread_mutex_unlock(&p->loop.lock);
    return back;
}

static void until_back(struct parked *p)
{
    while (!is_back(p))
        usleep(1000);
    CU_ASSERT(p->answered);
    op_free(&p->call.op);
}

static struct pool *before;

static void start(void)
{
    unit_database();
    before = workers;
    workers = pool_new("wait-test", 2, 100, true);
    waits_start();
}

static void stop(void)
{
    waits_stop();
    pool_free(workers);
    workers = before;
}

static void test_reached(void)
{
    struct parked p = {0};

    start();
    atomic_store(&p.so, true); /* before anybody says so */
    begin(&p, "a", 60000);
    until_back(&p);
    CU_ASSERT(p.reached);
    CU_ASSERT(p.had_db);
    atomic_store(&p.so, false);
    begin(&p, "a", 60000);
    while (!atomic_load(&p.looks))
        usleep(1000);
    wait_wake("b"); /* somebody else's */
    wait_wake("a"); /* not yet */
    while (atomic_load(&p.looks) < 2)
        usleep(1000);
    CU_ASSERT_FALSE(is_back(&p));
    atomic_store(&p.so, true);
    wait_wake("a");
    until_back(&p);
    CU_ASSERT(p.reached);
    stop();
}

static void test_late(void)
{
    struct parked p = {0};
    int64_t began;

    start();
    began = now_ms();
    begin(&p, "a", 50);
    until_back(&p);
    CU_ASSERT_FALSE(p.reached);
    CU_ASSERT(now_ms() - began >= 50);
    stop();
}

/* Many are woken at once, again and again: each comes back once. */
static void test_many(void)
{
    static struct parked p[100];

    start();
    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        atomic_store(&p[i].so, false);
        begin(&p[i], "a", 60000);
    }
    for (int i = 0; i < 50; i++)
        wait_wake("a");
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        atomic_store(&p[i].so, true);
    wait_wake("a");
    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        until_back(&p[i]);
        CU_ASSERT(p[i].reached);
    }
    stop();
}

static void test_stop(void)
{
    struct parked p = {0}, late = {0};

    start();
    begin(&p, "a", 60000);
    waits_stop();
    until_back(&p);
    CU_ASSERT_FALSE(p.reached);
    begin(&late, "a", 60000); /* who comes too late is answered all the same */
    until_back(&late);
    CU_ASSERT_FALSE(late.reached);
    stop();
}

CU_TestInfo core_wait_tests[] = {
    {"answered when it is so",        test_reached},
    {"answered when time is over",    test_late   },
    {"a hundred come back once each", test_many   },
    {"the end answers who waits",     test_stop   },
    CU_TEST_INFO_NULL,
};
