/* Groups, their lists, and operations, on a database. */
#include "api/group.h"

#include <string.h>

#include "api/operation.h"
#include "tests/unit/unit.h"

#define S "00000000-0000-0000-0000-00000000000a"

static struct group wanted(const char *name, const char *location, const char *tags)
{
    return (struct group){.subscription = S, .name = name, .location = location, .tags = tags};
}

static void begin(struct op *op)
{
    unit_op(op);
    group_store_start();
    operation_store_start();
    CU_ASSERT_EQUAL_FATAL(db_begin(op), OK);
    CU_ASSERT_EQUAL_FATAL(
        db_exec(op, "INSERT INTO api.subscription (id, name) VALUES ('" S "', 'u')"), OK);
}

static void test_put(void)
{
    struct group w = wanted("Rg1", "eastus", "{\"a\":\"b\"}"), now, again;
    bool created;
    struct op op;

    begin(&op);
    CU_ASSERT_EQUAL_FATAL(group_put(&op, &w, &now, &created), OK);
    CU_ASSERT(created);
    CU_ASSERT_EQUAL(now.version, 1);
    w.name = "rG1";
    CU_ASSERT_EQUAL_FATAL(group_put(&op, &w, &again, &created), OK);
    CU_ASSERT(!created);
    CU_ASSERT_EQUAL(again.version, 1); /* nothing changed */
    CU_ASSERT_STRING_EQUAL(again.id, "/subscriptions/" S "/resourceGroups/Rg1");
    w.tags = "{}";
    CU_ASSERT_EQUAL_FATAL(group_put(&op, &w, &again, &created), OK);
    CU_ASSERT_EQUAL(again.version, 2);
    w.location = "westus";
    CU_ASSERT_EQUAL(group_put(&op, &w, &again, &created), CONFLICT);
    CU_ASSERT_STRING_EQUAL(op.noun, "InvalidResourceGroupLocation");
    CU_ASSERT_EQUAL(group_get(&op, S, "nope", &again), NOT_FOUND);
    unit_op_end(&op);
}

static void test_deleting(void)
{
    struct group w = wanted("rg", "eastus", "{}"), now;
    const char *operation, *state, **keys;
    bool created;
    struct op op;
    size_t n;

    begin(&op);
    CU_ASSERT_EQUAL_FATAL(group_put(&op, &w, &now, &created), OK);
    CU_ASSERT_EQUAL_FATAL(group_set_deleting(&op, now.key, "one", &operation), OK);
    CU_ASSERT_PTR_NULL(operation);
    CU_ASSERT_EQUAL_FATAL(group_set_deleting(&op, now.key, "two", &operation), OK);
    CU_ASSERT_STRING_EQUAL(operation, "one");
    CU_ASSERT_EQUAL(group_put(&op, &w, &now, &created), CONFLICT);
    CU_ASSERT_STRING_EQUAL(op.noun, "ResourceGroupBeingDeleted");
    CU_ASSERT_EQUAL_FATAL(group_list_deleting(&op, "", &keys, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_EQUAL(group_delete_row(&op, keys[0]), OK);
    CU_ASSERT_EQUAL(group_operation(&op, keys[0], &state, &operation), OK);
    CU_ASSERT_PTR_NULL(state);
    CU_ASSERT_EQUAL(group_set_deleting(&op, keys[0], "three", &operation), NOT_FOUND);
    unit_op_end(&op);
}

static void test_list(void)
{
    struct group_filter filter = {.subscription = S, .last = "", .limit = 10};
    struct group now, *all;
    bool created;
    struct op op;
    size_t n;

    begin(&op);
    for (int i = 0; i < 15; i++) {
        struct group w = wanted(arena_printf(&op.arena, "G%02d", i), "eastus",
                                i % 2 ? "{\"Env\":\"x\"}" : "{\"Env\":\"y\"}");

        CU_ASSERT_EQUAL_FATAL(group_put(&op, &w, &now, &created), OK);
    }
    CU_ASSERT_EQUAL_FATAL(group_list(&op, &filter, &all, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 10);
    CU_ASSERT_STRING_EQUAL(all[0].name, "G00");
    filter.last = all[9].key;
    CU_ASSERT_EQUAL_FATAL(group_list(&op, &filter, &all, &n), OK);
    CU_ASSERT_EQUAL(n, 5);
    filter.last = "";
    filter.tag_name = "env";
    filter.tag_value = "x";
    CU_ASSERT_EQUAL_FATAL(group_list(&op, &filter, &all, &n), OK);
    CU_ASSERT_EQUAL(n, 7);
    unit_op_end(&op);
}

static void test_quota(void)
{
    struct group w = wanted("one-more", "eastus", "{}"), now;
    bool created;
    struct op op;

    begin(&op);
    CU_ASSERT_EQUAL_FATAL(
        db_exec(&op, "INSERT INTO api.resource_group (key, subscription, name, location)"
                     " SELECT '/subscriptions/" S "/resourcegroups/g' || i, '" S "', 'g' || i,"
                     " 'eastus' FROM generate_series(1, 980) i"),
        OK);
    CU_ASSERT_EQUAL(group_put(&op, &w, &now, &created), CONFLICT);
    CU_ASSERT_STRING_EQUAL(op.noun, "ResourceGroupQuotaExceeded");
    w.name = "g7"; /* one that is there may change */
    CU_ASSERT_EQUAL(group_put(&op, &w, &now, &created), OK);
    unit_op_end(&op);
}

static void test_operation(void)
{
    struct operation o;
    struct op op;

    begin(&op);
    CU_ASSERT_EQUAL_FATAL(
        db_exec(&op, "INSERT INTO api.operation (id, kind, subscription, resource_id, provider,"
                     " location, who) VALUES ('x', 'k', '" S "', '/r', 'P', 'l', 'w')"),
        OK);
    CU_ASSERT_EQUAL(operation_progress(&op, "x", "{\"done\":1}", 50), OK);
    CU_ASSERT_EQUAL(operation_finish(&op, "x", OPERATION_FAILED, "Bad", "why", NULL), OK);
    CU_ASSERT_EQUAL(operation_finish(&op, "x", OPERATION_SUCCEEDED, NULL, NULL, "{}"), OK);
    CU_ASSERT_EQUAL_FATAL(operation_get(&op, "X", &o), OK);
    CU_ASSERT_EQUAL(o.status, OPERATION_FAILED); /* the first end stays */
    CU_ASSERT_STRING_EQUAL(o.code, "Bad");
    CU_ASSERT_EQUAL(o.percent, 50);
    CU_ASSERT_EQUAL(operation_get(&op, "y", &o), NOT_FOUND);
    unit_op_end(&op);
}

CU_TestInfo api_group_tests[] = {
    {"a group put once, again, otherwise", test_put      },
    {"a group under deletion",             test_deleting },
    {"groups in pages and by tag",         test_list     },
    {"no more groups than 980",            test_quota    },
    {"an operation ends once",             test_operation},
    CU_TEST_INFO_NULL,
};
