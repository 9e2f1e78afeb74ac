#include "instances/address.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define LEASE                                                                                      \
    "INSERT INTO instances.address_lease (host, range, index, owner) VALUES ('address-host', "

/* Who has leases, as "range:owner range:owner ". */
static const char *owners(struct op *op)
{
    struct text out;
    PGresult *result =
        PQexec(db_pgconn(op->db), "SELECT range || ':' || owner FROM instances.address_lease"
                                  " WHERE host IN ('address-host', 'other-host')"
                                  " ORDER BY owner, range, host");

    text_init(&out, &op->arena, 4096);
    for (int i = 0; i < PQntuples(result); i++)
        text_printf(&out, "%s ", PQgetvalue(result, i, 0));
    PQclear(result);
    return out.data;
}

static void begin(struct op *op)
{
    unit_op(op);
    address_open("address-host");
    CU_ASSERT_EQUAL_FATAL(db_begin(op), OK);
    CU_ASSERT_EQUAL(db_exec(op, LEASE "0, 1, 'c1/lb/a')"), OK);
    CU_ASSERT_EQUAL(db_exec(op, LEASE "0, 2, 'c1/lb/b')"), OK);
    CU_ASSERT_EQUAL(db_exec(op, LEASE "1, 1, 'c1/lb/b')"), OK);
    CU_ASSERT_EQUAL(db_exec(op, LEASE "0, 3, 'c1/lb/bb')"), OK);
    CU_ASSERT_EQUAL(db_exec(op, LEASE "0, 4, 'c1/node')"), OK);
    CU_ASSERT_EQUAL(db_exec(op, LEASE "0, 5, 'c11/lb/b')"), OK);
    CU_ASSERT_EQUAL(db_exec(op, "INSERT INTO instances.address_lease (host, range, index, owner)"
                                " VALUES ('other-host', 0, 1, 'c1/lb/z')"),
                    OK);
}

static void test_others_give_back(void)
{
    static const char *const kept[] = {"a", "nobody"};
    size_t given = 9;
    struct op op;

    begin(&op);
    CU_ASSERT_EQUAL(address_give_others(&op, RANGE_PUBLIC, "c1/lb/", kept, 2, &given), OK);
    CU_ASSERT_EQUAL(given, 2);
    CU_ASSERT_STRING_EQUAL(owners(&op), "0:c1/lb/a 1:c1/lb/b 0:c1/lb/z 0:c1/node 0:c11/lb/b ");
    CU_ASSERT_EQUAL(address_give_others(&op, RANGE_PUBLIC, "c1/lb/", kept, 2, &given), OK);
    CU_ASSERT_EQUAL(given, 0);
    CU_ASSERT_EQUAL(address_give_others(&op, RANGE_PUBLIC, "c1/lb/", NULL, 0, &given), OK);
    CU_ASSERT_EQUAL(given, 1);
    unit_op_end(&op);
}

/* No wildcard in a prefix counts as one; one that ends in "/" is of all that begin so. */
static void test_prefixes(void)
{
    size_t given = 9;
    struct op op;

    begin(&op);
    CU_ASSERT_EQUAL(address_give_others(&op, RANGE_PUBLIC, "c_/lb/", NULL, 0, &given), OK);
    CU_ASSERT_EQUAL(address_give_others(&op, RANGE_PUBLIC, "%", NULL, 0, &given), OK);
    CU_ASSERT_EQUAL(given, 0);
    CU_ASSERT_EQUAL(address_give(&op, "c1/lb/a"), OK);
    CU_ASSERT_EQUAL(address_give(&op, "c11/"), OK);
    CU_ASSERT_STRING_EQUAL(owners(&op), "0:c1/lb/b 1:c1/lb/b 0:c1/lb/bb 0:c1/lb/z 0:c1/node ");
    unit_op_end(&op);
}

/* Of each fifty addresses one is free: who looks at the same moment finds the same. */
#define CROWD                                                                                      \
    "INSERT INTO instances.address_lease SELECT 'crowded-host', 1, i, 'unit/' || i"                \
    " FROM generate_series(0, 20000) i WHERE i % 50 <> 0"
#define SEEKERS 4
#define FINDS   50

static struct {
    pthread_mutex_t lock;
    bool held[30000];
    int found, twice, faults;
} crowd = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(int64_t index, bool held)
{
    pthread_mutex_lock(&crowd.lock);
    if (index < 0 || index >= (int64_t)ARRAY_LEN(crowd.held)) {
        crowd.faults++;
    } else {
        crowd.found += held;
        crowd.twice += held && crowd.held[index];
        crowd.held[index] = held;
    }
    pthread_mutex_unlock(&crowd.lock);
}

static void *seek(void *arg)
{
    struct op op;

    (void)arg;
    op_init(&op);
    op.db = db_open();
    for (int i = 0; i < FINDS; i++) {
        int64_t index = -1;

        if (db_begin(&op) == OK)
            (void)address_find(&op, "crowded-host", RANGE_PRIVATE, &index);
        note(index, true);
        usleep(1000);
        note(index, false);
        db_rollback(&op);
        op_clear_fault(&op);
    }
    db_close(op.db);
    op_free(&op);
    return NULL;
}

static void test_what_one_found_nobody_else_finds(void)
{
    pthread_t threads[SEEKERS];
    struct op op;

    unit_op(&op);
    address_open("crowded-host");
    CU_ASSERT_EQUAL_FATAL(db_exec(&op, CROWD), OK);
    for (int i = 0; i < SEEKERS; i++)
        pthread_create(&threads[i], NULL, seek, NULL);
    for (int i = 0; i < SEEKERS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(crowd.found, SEEKERS * FINDS);
    CU_ASSERT_EQUAL(crowd.twice, 0);
    CU_ASSERT_EQUAL(crowd.faults, 0);
    CU_ASSERT_EQUAL(db_exec(&op, "DELETE FROM instances.address_lease WHERE host = 'crowded-host'"),
                    OK);
    unit_op_end(&op);
}

CU_TestInfo instances_address_tests[] = {
    {"others give back",                 test_others_give_back                },
    {"prefixes",                         test_prefixes                        },
    {"what one found nobody else finds", test_what_one_found_nobody_else_finds},
    CU_TEST_INFO_NULL,
};
