#include "core/db.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { ECHO, MAKE, ROW_PUT, ROW_GET, COUNT, SLEEP, BACKEND, KILL, LOCK, BAD_UTF8, DIVIDE };
static const struct db_stmt stmts[] = {
    [ECHO] = {"SELECT $1::text AS t, $2::int8 AS i, $3::bool AS b, $4::bytea AS y, $5::text[] AS a,"
              " cardinality($5::text[]) AS n"},
    [MAKE] = {"CREATE TEMP TABLE IF NOT EXISTS scratch (id int8 PRIMARY KEY, t text)"},
    [ROW_PUT] = {"INSERT INTO core.migration (folder, name, sha256) VALUES ('test', $1, $2)"},
    [ROW_GET] = {"SELECT name, sha256 FROM core.migration WHERE folder = 'test' ORDER BY name"},
    [COUNT] = {"SELECT count(*) AS n FROM core.migration WHERE folder = 'test'"},
    [SLEEP] = {"SELECT pg_sleep($1) IS NULL AS nothing"},
    [BACKEND] = {"SELECT pg_backend_pid() AS pid"},
    [KILL] = {"SELECT pg_terminate_backend($1::int4, 60000) AS done"}, /* it has ended, then */
    [LOCK] = {"SELECT pg_advisory_xact_lock($1) IS NULL AS nothing"},
    [BAD_UTF8] = {"SELECT $1::text AS t"},
    [DIVIDE] = {"SELECT 1 / $1::int4 AS q"},
    {0},
};

static int64_t count_rows(struct op *op)
{
    struct db_rows rows;

    CU_ASSERT_EQUAL_FATAL(db_query(op, &stmts[COUNT], &rows), OK);
    CU_ASSERT_FATAL(db_next(&rows));
    return db_int(&rows, "n");
}

static void test_values(void)
{
    const char *const texts[] = {"a\"b", "c\\d,{}", "", "NULL"};
    struct db_rows rows;
    struct bytes bytes;
    struct op op;

    unit_op(&op);
    CU_ASSERT_EQUAL_FATAL(db_query(&op, &stmts[ECHO], &rows, DB_TEXT("x'y"), DB_INT(INT64_MIN),
                                   DB_BOOL(true), DB_BYTES(((struct bytes){"\0\xff", 2})),
                                   DB_TEXTS(texts, 4)),
                          OK);
    CU_ASSERT_FATAL(db_next(&rows));
    CU_ASSERT_STRING_EQUAL(db_text(&rows, "t"), "x'y");
    CU_ASSERT_EQUAL(db_int(&rows, "i"), INT64_MIN);
    CU_ASSERT(db_bool(&rows, "b"));
    bytes = db_bytes(&rows, "y");
    CU_ASSERT(bytes.len == 2 && memcmp(bytes.data, "\0\xff", 2) == 0);
    CU_ASSERT_STRING_EQUAL(db_text(&rows, "a"), "{\"a\\\"b\",\"c\\\\d,{}\",\"\",\"NULL\"}");
    CU_ASSERT_EQUAL(db_int(&rows, "n"), 4);
    CU_ASSERT_FALSE(db_next(&rows));
    unit_op_end(&op);
}

static void test_nulls(void)
{
    struct db_rows rows;
    struct op op;

    unit_op(&op);
    CU_ASSERT_EQUAL_FATAL(db_query(&op, &stmts[ECHO], &rows, DB_TEXT(NULL), DB_INT(0),
                                   DB_BOOL(false), DB_BYTES(((struct bytes){NULL, 0})),
                                   DB_TEXTS(NULL, 0)),
                          OK);
    CU_ASSERT_FATAL(db_next(&rows));
    CU_ASSERT_PTR_NULL(db_text(&rows, "t"));
    CU_ASSERT(db_is_null(&rows, "t"));
    CU_ASSERT_EQUAL(db_int(&rows, "i"), 0);
    CU_ASSERT_FALSE(db_bool(&rows, "b"));
    CU_ASSERT_PTR_NULL(db_bytes(&rows, "y").data);
    CU_ASSERT_STRING_EQUAL(db_text(&rows, "a"), "{}");
    CU_ASSERT_EQUAL(db_int(&rows, "n"), 0);
    unit_op_end(&op);
}

static void test_faults(void)
{
    struct op op;

    unit_op(&op);
    CU_ASSERT_EQUAL(db_query(&op, &stmts[DIVIDE], NULL, DB_INT(0)), INVALID);
    CU_ASSERT_EQUAL(db_query(&op, &stmts[BAD_UTF8], NULL, DB_TEXT("\xff")), INVALID);
    CU_ASSERT_EQUAL(db_begin(&op), OK);
    CU_ASSERT_EQUAL(db_query(&op, &stmts[ROW_PUT], NULL, DB_TEXT("a"), DB_TEXT("1")), OK);
    CU_ASSERT_EQUAL(db_query(&op, &stmts[ROW_PUT], NULL, DB_TEXT("a"), DB_TEXT("1")), CONFLICT);
    /* A commit after a failure would roll back in silence: it must say so. */
    CU_ASSERT_EQUAL(db_commit(&op), INTERNAL);
    CU_ASSERT_FALSE(db_in_transaction(&op));
    CU_ASSERT_EQUAL(count_rows(&op), 0);
    unit_op_end(&op);
}

static void test_transactions(void)
{
    struct db_rows rows;
    struct op op;

    unit_op(&op);
    CU_ASSERT_EQUAL(db_begin(&op), OK);
    CU_ASSERT_EQUAL(db_commit(&op), OK); /* nothing done: nothing sent */
    CU_ASSERT_EQUAL(db_begin(&op), OK);
    CU_ASSERT(db_in_transaction(&op));
    CU_ASSERT_EQUAL(db_query(&op, &stmts[ROW_PUT], &rows, DB_TEXT("b"), DB_TEXT("2")), OK);
    CU_ASSERT_EQUAL(rows.affected, 1);
    CU_ASSERT_EQUAL(count_rows(&op), 1);
    db_rollback(&op);
    CU_ASSERT_EQUAL(count_rows(&op), 0);
    CU_ASSERT_EQUAL(db_begin(&op), OK);
    CU_ASSERT_EQUAL(db_query(&op, &stmts[ROW_PUT], NULL, DB_TEXT("c"), DB_TEXT("3")), OK);
    CU_ASSERT_EQUAL(db_commit_async(&op), OK);
    CU_ASSERT_FALSE(db_in_transaction(&op));
    CU_ASSERT_EQUAL(db_flush(&op, db_commit_session(&op)), OK);
    CU_ASSERT_EQUAL(db_flush(&op, db_commit_session(&op) + 1), UNAVAILABLE);
    CU_ASSERT_EQUAL(db_query(&op, &stmts[ROW_GET], &rows), OK);
    CU_ASSERT(db_next(&rows));
    CU_ASSERT_STRING_EQUAL(db_text(&rows, "name"), "c");
    CU_ASSERT_STRING_EQUAL(db_text(&rows, "sha256"), "3");
    CU_ASSERT_EQUAL(db_exec(&op, "DELETE FROM core.migration WHERE folder = 'test'"), OK);
    op_clear_fault(&op);
    unit_op_end(&op);
}

/* Ends the connection of op's thread from another one. */
static void cut(struct op *op)
{
    struct op other;
    struct db_rows rows;
    int64_t pid;

    CU_ASSERT_EQUAL_FATAL(db_query(op, &stmts[BACKEND], &rows), OK);
    CU_ASSERT_FATAL(db_next(&rows));
    pid = db_int(&rows, "pid");
    op_init(&other);
    other.db = db_open();
    CU_ASSERT_EQUAL_FATAL(db_query(&other, &stmts[KILL], &rows, DB_INT(pid)), OK);
    CU_ASSERT(db_next(&rows) && db_bool(&rows, "done"));
    db_close(other.db);
    op_free(&other);
}

static void test_a_lost_connection(void)
{
    unsigned session;
    struct op op;

    unit_op(&op);
    CU_ASSERT_EQUAL(db_check(&op), OK);
    session = db_session(&op);
    usleep(110000); /* past the back-off */
    cut(&op);
    /* Between two operations nobody notices. */
    CU_ASSERT_EQUAL(count_rows(&op), 0);
    CU_ASSERT_NOT_EQUAL(db_session(&op), session);
    CU_ASSERT_EQUAL(db_flush(&op, session), UNAVAILABLE);
    usleep(110000);
    /* Within a transaction all of it is gone, and nothing runs until it is rolled back. */
    CU_ASSERT_EQUAL(db_begin(&op), OK);
    CU_ASSERT_EQUAL(db_query(&op, &stmts[ROW_PUT], NULL, DB_TEXT("d"), DB_TEXT("4")), OK);
    cut(&op);
    CU_ASSERT_EQUAL(db_query(&op, &stmts[ROW_PUT], NULL, DB_TEXT("e"), DB_TEXT("5")), UNAVAILABLE);
    CU_ASSERT_EQUAL(db_query(&op, &stmts[ROW_PUT], NULL, DB_TEXT("f"), DB_TEXT("6")), UNAVAILABLE);
    CU_ASSERT_EQUAL(db_commit(&op), UNAVAILABLE);
    db_rollback(&op);
    usleep(110000);
    CU_ASSERT_EQUAL(count_rows(&op), 0);
    unit_op_end(&op);
}

struct rival {
    pthread_t thread;
    pthread_barrier_t *both;
    int64_t first, second;
    enum fault fault;
    bool retry;
};

static void *rival_main(void *arg)
{
    struct rival *rival = arg;
    struct op op;

    op_init(&op);
    op.db = db_open();
    rival->fault = db_begin(&op);
    if (rival->fault == OK)
        rival->fault = db_query(&op, &stmts[LOCK], NULL, DB_INT(rival->first));
    pthread_barrier_wait(rival->both);
    if (rival->fault == OK)
        rival->fault = db_query(&op, &stmts[LOCK], NULL, DB_INT(rival->second));
    rival->retry = db_wants_retry(&op);
    db_op_ended(&op);
    db_close(op.db);
    op_free(&op);
    return NULL;
}

static void test_a_deadlock_is_to_be_run_again(void)
{
    struct rival rivals[2] = {
        {.first = 71, .second = 72},
        {.first = 72, .second = 71}
    };
    pthread_barrier_t both;

    unit_database();
    pthread_barrier_init(&both, NULL, 2);
    for (int i = 0; i < 2; i++) {
        rivals[i].both = &both;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&rivals[i].thread, NULL, rival_main, &rivals[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(rivals[i].thread, NULL);
    pthread_barrier_destroy(&both);
    CU_ASSERT((rivals[0].fault == OK) != (rivals[1].fault == OK));
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(rivals[i].retry, rivals[i].fault != OK);
    }
}

static void test_an_unreachable_server(void)
{
    const char *conninfo = unit_database();
    enum fault fault;
    int64_t began;
    struct op op;

    op_init(&op);
    db_configure("host=/nonexistent dbname=x", false);
    op.db = db_open();
    began = now_ms();
    CU_ASSERT_EQUAL(db_check(&op), UNAVAILABLE);
    CU_ASSERT_EQUAL(db_begin(&op), UNAVAILABLE);
    db_configure(conninfo, false);
    fault = db_check(&op);
    CU_ASSERT(fault == UNAVAILABLE || now_ms() - began >= 100); /* the back-off */
    usleep(110000);
    CU_ASSERT_EQUAL(db_check(&op), OK);
    db_close(op.db);
    op_free(&op);
}

/* unit_database has prepared them all: here is how a wrong one would show. */
static void test_a_wrong_statement_is_a_bug(void)
{
    struct text text;
    struct op op;

    unit_op(&op);
    db_register(stmts);
    CU_ASSERT_EQUAL(db_check(&op), OK);
    CU_ASSERT_EQUAL(db_exec(&op, "SELECT no_such_function()"), INTERNAL);
    text_init(&text, &op.arena, 4096);
    db_metrics(&text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "sundog_db_statements_total"));
    unit_op_end(&op);
}

CU_TestInfo core_db_tests[] = {
    {"a wrong statement is a bug",    test_a_wrong_statement_is_a_bug   },
    {"values",                        test_values                       },
    {"NULLs",                         test_nulls                        },
    {"faults",                        test_faults                       },
    {"transactions",                  test_transactions                 },
    {"a lost connection",             test_a_lost_connection            },
    {"a deadlock is to be run again", test_a_deadlock_is_to_be_run_again},
    {"an unreachable server",         test_an_unreachable_server        },
    CU_TEST_INFO_NULL,
};
