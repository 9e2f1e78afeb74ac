/* The rows of jobs, and what goes with a job's subscription. */
#include "api/job.h"

#include <string.h>

#include "api/group.h"
#include "api/subscription.h"
#include "tests/unit/unit.h"

static struct job wanted(struct op *op, const char *name)
{
    struct job job = {.name = name, .application = "o", .app_id = "a", .registry = "r"};

    CU_ASSERT_EQUAL_FATAL(subscription_make(op, name, &job.subscription), OK);
    return job;
}

static void begin(struct op *op)
{
    struct settings settings = {0};

    unit_op(op);
    job_store_start();
    group_store_start();
    CU_ASSERT_EQUAL_FATAL(subscription_start(op, &settings), OK);
    CU_ASSERT_EQUAL_FATAL(db_begin(op), OK);
}

static void end(struct op *op)
{
    subscription_stop();
    unit_op_end(op);
}

static void test_rows(void)
{
    struct job one, two, now, *list;
    struct op op;
    bool there;
    size_t n;

    begin(&op);
    one = wanted(&op, "one");
    two = wanted(&op, "two");
    CU_ASSERT_EQUAL_FATAL(job_insert(&op, &one, 0), OK);
    CU_ASSERT_EQUAL_FATAL(job_insert(&op, &two, 60), OK);
    CU_ASSERT_EQUAL(job_insert(&op, &one, 0), CONFLICT);
    CU_ASSERT_STRING_EQUAL(op.noun, "JobExists");
    CU_ASSERT_EQUAL_FATAL(job_get(&op, "one", &now), OK);
    CU_ASSERT_PTR_NULL(now.ends);
    CU_ASSERT_EQUAL_FATAL(job_get(&op, "two", &now), OK);
    CU_ASSERT_PTR_NOT_NULL(now.ends);
    CU_ASSERT_EQUAL(job_get(&op, "three", &now), NOT_FOUND);
    CU_ASSERT_EQUAL_FATAL(job_list(&op, "one", 10, &list, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_STRING_EQUAL(list[0].name, "two");
    CU_ASSERT_EQUAL_FATAL(job_hold(&op, "three", &there, &now), OK);
    CU_ASSERT(!there);
    end(&op);
}

static void test_doomed(void)
{
    const char **names;
    struct job job;
    struct op op;
    bool there;
    size_t n;

    begin(&op);
    job = wanted(&op, "late");
    CU_ASSERT_EQUAL_FATAL(job_insert(&op, &job, 60), OK);
    job = wanted(&op, "lasting");
    CU_ASSERT_EQUAL_FATAL(job_insert(&op, &job, 0), OK);
    CU_ASSERT_EQUAL_FATAL(job_list_doomed(&op, &names, &n), OK);
    CU_ASSERT_EQUAL(n, 0);
    CU_ASSERT_EQUAL_FATAL(job_hold(&op, "late", &there, &job), OK);
    CU_ASSERT(there && !job.doomed);
    CU_ASSERT_EQUAL_FATAL(job_hold(&op, "lasting", &there, &job), OK);
    CU_ASSERT(there && !job.doomed);
    CU_ASSERT_EQUAL_FATAL(
        db_exec(&op, "UPDATE api.job SET ends = now() - interval '1 second' WHERE ends > now()"),
        OK);
    CU_ASSERT_EQUAL_FATAL(job_list_doomed(&op, &names, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_STRING_EQUAL(names[0], "late");
    CU_ASSERT_EQUAL_FATAL(job_hold(&op, "late", &there, &job), OK);
    CU_ASSERT(there && job.doomed && !job.deleting);
    CU_ASSERT_EQUAL_FATAL(job_set_deleting(&op, "lasting"), OK);
    CU_ASSERT_EQUAL_FATAL(job_list_doomed(&op, &names, &n), OK);
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_EQUAL_FATAL(job_hold(&op, "lasting", &there, &job), OK);
    CU_ASSERT(there && job.doomed && job.deleting);
    end(&op);
}

/* Rows that name it go along; a resource group stands in the way. */
static void test_subscription_delete(void)
{
    struct group group = {.name = "g", .location = "eastus", .tags = "{}"}, made;
    struct job job, now;
    struct op op;
    bool created;

    begin(&op);
    job = wanted(&op, "gone");
    CU_ASSERT_EQUAL_FATAL(job_insert(&op, &job, 0), OK);
    CU_ASSERT_EQUAL_FATAL(
        db_exec(&op, "INSERT INTO api.quota SELECT subscription, 'p', 'n', 1 FROM api.job;"
                     "INSERT INTO api.tag_name SELECT subscription, 'k', 'k' FROM api.job;"
                     "INSERT INTO api.tag_value SELECT subscription, 'k', 'v', 'v' FROM api.job;"
                     "INSERT INTO api.provider_registration SELECT subscription, 'p', 'Registered'"
                     " FROM api.job"),
        OK);
    CU_ASSERT_EQUAL_FATAL(subscription_delete(&op, job.subscription), OK);
    CU_ASSERT_EQUAL(job_get(&op, "gone", &now), NOT_FOUND);
    job = wanted(&op, "full");
    group.subscription = job.subscription;
    CU_ASSERT_EQUAL_FATAL(group_put(&op, &group, &made, &created), OK);
    CU_ASSERT_EQUAL(subscription_delete(&op, job.subscription), CONFLICT);
    end(&op);
}

CU_TestInfo api_job_tests[] = {
    {"rows",                 test_rows               },
    {"doomed",               test_doomed             },
    {"a subscription's end", test_subscription_delete},
    CU_TEST_INFO_NULL,
};
