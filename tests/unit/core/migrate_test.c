#include "core/migrate.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct migration first[] = {
    {"0001_init", "CREATE SCHEMA tmig; CREATE TABLE tmig.a (id int);", "aa"},
    {0      }
};
static const struct migration second[] = {
    {"0001_init", "CREATE SCHEMA tmig; CREATE TABLE tmig.a (id int);", "aa"},
    {"0002_more",       "CREATE TABLE tmig.b (id int); INSERT INTO tmig.a VALUES (1);", "bb"},
    {0}
};
static const struct migration broken[] = {
    {"0001_init", "CREATE SCHEMA tmig; CREATE TABLE tmig.a (id int);", "aa"},
    {"0002_more",       "CREATE TABLE tmig.c (id int); SELECT wrong;", "bb"},
    {0}
};
static const struct migration changed[] = {
    {"0001_init", "SELECT 1;", "cc"},
    {0      }
};

/* The run's own services, and one more whose migrations are to be tried. */
static enum fault migrate_with(struct op *op, const struct migration *migrations)
{
    const struct service extra = {.name = "tmig", .migrations = migrations};
    const struct service *services[8];
    size_t n = 0;

    while (unit_services[n]) {
        services[n] = unit_services[n];
        n++;
    }
    services[n++] = migrations ? &extra : NULL;
    services[n] = NULL;
    return migrate(op, services);
}

static void test_migrations(void)
{
    struct op op;

    unit_op(&op);
    CU_ASSERT_EQUAL(migrate_with(&op, NULL), OK);
    CU_ASSERT_EQUAL(migrate_with(&op, first), OK);
    CU_ASSERT_EQUAL(migrate_with(&op, first), OK);
    /* One that fails leaves nothing of itself. */
    CU_ASSERT_NOT_EQUAL(migrate_with(&op, broken), OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "tmig/0002_more failed"));
    CU_ASSERT_NOT_EQUAL(db_exec(&op, "SELECT * FROM tmig.c"), OK);
    CU_ASSERT_EQUAL(migrate_with(&op, second), OK);
    CU_ASSERT_EQUAL(db_exec(&op, "SELECT * FROM tmig.b"), OK);
    /* Newer than we are, and changed after it was applied. */
    CU_ASSERT_EQUAL(migrate_with(&op, first), CONFLICT);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "tmig/0002_more"));
    CU_ASSERT_EQUAL(migrate_with(&op, NULL), CONFLICT);
    CU_ASSERT_EQUAL(migrate_with(&op, changed), CONFLICT);
    CU_ASSERT_EQUAL(db_exec(&op, "DROP SCHEMA tmig CASCADE;"
                                 "DELETE FROM core.migration WHERE folder = 'tmig'"),
                    OK);
    CU_ASSERT_EQUAL(migrate_with(&op, NULL), OK);
    unit_op_end(&op);
}

CU_TestInfo core_migrate_tests[] = {
    {"applied once, in order, whole; strangers refused", test_migrations},
    CU_TEST_INFO_NULL,
};
