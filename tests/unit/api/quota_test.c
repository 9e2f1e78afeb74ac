/* Quotas: found by name, changed, and asked by what adds, on a database. */
#include "api/quota.h"

#include "api/group.h"
#include "tests/unit/unit.h"

#define S "00000000-0000-0000-0000-00000000000b"

static void begin(struct op *op)
{
    unit_op(op);
    group_store_start();
    CU_ASSERT_EQUAL_FATAL(quota_start(op), OK);
    CU_ASSERT_EQUAL_FATAL(db_begin(op), OK);
    CU_ASSERT_EQUAL_FATAL(
        db_exec(op, "INSERT INTO api.subscription (id, name) VALUES ('" S "', 'u')"), OK);
}

static void end(struct op *op)
{
    quota_stop();
    unit_op_end(op);
}

static void test_find(void)
{
    CU_ASSERT_PTR_EQUAL(quota_find("microsoft.RESOURCES", "ResourceGroups"), &quota_groups);
    CU_ASSERT_PTR_NULL(quota_find("Microsoft.Resources", "registries"));
    CU_ASSERT_PTR_NULL(quota_find("Microsoft.Resources", ""));
    CU_ASSERT_PTR_NOT_NULL(quota_for_type("microsoft.containerregistry/REGISTRIES"));
    CU_ASSERT_PTR_NULL(quota_for_type("Microsoft.ContainerRegistry/registries/webhooks"));
}

static void test_set(void)
{
    struct quota_request request = {.value = 1, .location = "eastus", .who = "me"}, *all;
    struct group w = {.subscription = S, .name = "a", .location = "eastus", .tags = "{}"}, now;
    int64_t used;
    bool created;
    struct op op;
    size_t n;

    begin(&op);
    CU_ASSERT_EQUAL(quota_limit(&op, S, &quota_groups), 980);
    CU_ASSERT_EQUAL_FATAL(quota_set(&op, S, &quota_groups, &request), OK);
    CU_ASSERT_EQUAL_FATAL(quota_reload(&op), OK);
    CU_ASSERT_EQUAL(quota_limit(&op, S, &quota_groups), 1);
    CU_ASSERT_EQUAL(quota_limit(&op, S, &quota_of_type), 800);
    CU_ASSERT_EQUAL(quota_limit(&op, "another", &quota_groups), 980);
    CU_ASSERT_EQUAL_FATAL(group_put(&op, &w, &now, &created), OK);
    CU_ASSERT_EQUAL_FATAL(quota_usage(&op, S, &quota_groups, &used), OK);
    CU_ASSERT_EQUAL(used, 1);
    w.name = "b";
    CU_ASSERT_EQUAL(group_put(&op, &w, &now, &created), CONFLICT);
    CU_ASSERT_STRING_EQUAL(op.noun, "ResourceGroupQuotaExceeded");
    request.value = 2;
    CU_ASSERT_EQUAL_FATAL(quota_set(&op, S, &quota_groups, &request), OK);
    CU_ASSERT_EQUAL_FATAL(quota_reload(&op), OK);
    CU_ASSERT_EQUAL(group_put(&op, &w, &now, &created), OK);
    CU_ASSERT_EQUAL_FATAL(quota_requests(&op, S, "Microsoft.Resources", 0, 10, &all, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 2);
    CU_ASSERT_EQUAL(all[0].value, 2);
    CU_ASSERT_EQUAL_FATAL(
        quota_requests(&op, S, "Microsoft.Resources", all[0].number, 10, &all, &n), OK);
    CU_ASSERT_EQUAL(n, 1);
    CU_ASSERT_EQUAL(quota_request_get(&op, S, "Microsoft.Resources", "x", &request), NOT_FOUND);
    end(&op);
}

CU_TestInfo api_quota_tests[] = {
    {"quotas by name and by type",   test_find},
    {"a quota is changed and asked", test_set },
    CU_TEST_INFO_NULL,
};
