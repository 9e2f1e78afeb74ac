#include "core/durable.h"

#include <unistd.h>

#include "core/loop.h"
#include "tests/unit/unit.h"

enum { ROW_PUT };
static const struct db_stmt stmts[] = {
    [ROW_PUT] = {"INSERT INTO core.migration (folder, name, sha256) VALUES ('durable', $1, '')"},
    {0},
};

/*
 * Parking itself is core/dispatch.c's, tried end to end. Here: what call_durable decides before it
 * parks, by whether a flushing connection was up when the commit began.
 */
static void test_without_a_flusher_the_committing_connection_flushes(void)
{
    struct call c = {0};

    unit_op(&c.op);
    db_register(stmts);
    CU_ASSERT_EQUAL(db_flusher, 0);
    CU_ASSERT_EQUAL(db_begin(&c.op), OK);
    CU_ASSERT_EQUAL(db_query(&c.op, &stmts[ROW_PUT], NULL, DB_TEXT("a")), OK);
    CU_ASSERT_EQUAL(db_commit_async(&c.op), OK);
    CU_ASSERT_EQUAL(call_durable(&c), OK);
    CU_ASSERT_EQUAL(db_exec(&c.op, "DELETE FROM core.migration WHERE folder = 'durable'"), OK);
    unit_op_end(&c.op);
}

static void test_with_a_flusher_the_call_parks(void)
{
    struct call c = {0};

    unit_op(&c.op);
    durable_start();
    CU_ASSERT_NOT_EQUAL(db_flusher, 0);
    CU_ASSERT_EQUAL(db_begin(&c.op), OK);
    CU_ASSERT_EQUAL(db_query(&c.op, &stmts[ROW_PUT], NULL, DB_TEXT("b")), OK);
    CU_ASSERT_EQUAL(db_commit_async(&c.op), OK);
    CU_ASSERT_EQUAL(call_durable(&c), PARKED);
    CU_ASSERT_PTR_NOT_NULL(c.dispatch.park);
    CU_ASSERT_EQUAL(c.durable.flusher, db_flusher);
    durable_stop();
    CU_ASSERT_EQUAL(db_flusher, 0);
    CU_ASSERT_EQUAL(db_exec(&c.op, "DELETE FROM core.migration WHERE folder = 'durable'"), OK);
    unit_op_end(&c.op);
}

/* One more worker connects while a call is parked: that says nothing of the flushing connection. */
static void test_another_connection_does_not_fail_parked_calls(void)
{
    struct loop loop = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake_sent = true};
    struct call c = {.loop = &loop};
    struct db *other = db_open();
    struct loop_task *back = NULL;
    struct op op;

    loop.tasks_tail = &loop.tasks;
    unit_op(&c.op);
    durable_start();
    CU_ASSERT_EQUAL(db_begin(&c.op), OK);
    CU_ASSERT_EQUAL(db_query(&c.op, &stmts[ROW_PUT], NULL, DB_TEXT("c")), OK);
    CU_ASSERT_EQUAL(db_commit_async(&c.op), OK);
    CU_ASSERT_EQUAL(call_durable(&c), PARKED);
    op_init(&op);
    op.db = other;
    CU_ASSERT_EQUAL(db_check(&op), OK);
    c.dispatch.park(&c);
    while (!back) {
        usleep(1000);
        pthread_mutex_lock(&loop.lock);
        back = loop.tasks;
        pthread_mutex_unlock(&loop.lock);
    }
    CU_ASSERT_PTR_NULL(c.op.message);
    durable_stop();
    op_free(&op);
    db_close(other);
    CU_ASSERT_EQUAL(db_exec(&c.op, "DELETE FROM core.migration WHERE folder = 'durable'"), OK);
    unit_op_end(&c.op);
}

CU_TestInfo core_durable_tests[] = {
    {"without a flusher the committing connection flushes",
     test_without_a_flusher_the_committing_connection_flushes                                 },
    {"with a flusher the call parks",                       test_with_a_flusher_the_call_parks},
    {"another connection does not fail parked calls",
     test_another_connection_does_not_fail_parked_calls                                       },
    CU_TEST_INFO_NULL,
};
