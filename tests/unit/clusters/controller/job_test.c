/* Jobs: completions, parallelism, failures, indexes, suspension, deadlines, ends. */
#include "tests/unit/clusters/controller/stage.h"

#define JOB(more)                                                                                  \
    "{\"metadata\":{\"name\":\"j\"},\"spec\":{" more                                               \
    "\"template\":{\"spec\":{\"restartPolicy\":\"Never\",\"containers\":[{\"name\":\"c\","         \
    "\"image\":\"i\"}]}}}}"

static void check_condition(struct stage *s, const char *type, const char *reason)
{
    json_t *tree = stage_get(s, "jobs", "j"), *condition;
    bool found = false;
    size_t i;

    json_array_foreach(at(tree, "status.conditions"), i, condition)
    {
        if (strcmp(text_at(condition, "type"), type) == 0 &&
            strcmp(text_at(condition, "status"), "True") == 0) {
            found = true;
            CU_ASSERT_STRING_EQUAL(text_at_or(condition, "reason", ""), reason);
        }
    }
    CU_ASSERT(found);
    json_decref(tree);
}

static void begin(struct stage *s, const char *phase)
{
    stage_begin(s);
    stage_node(s, "n1");
    s->end_phase = phase;
}

static void test_completions(void)
{
    struct stage s;
    json_t *pods, *pod;
    size_t i;

    begin(&s, "Succeeded");
    stage_create(&s, "jobs", JOB("\"completions\":5,\"parallelism\":2,"));
    stage_expect(&s, "jobs", "j", "status.succeeded", "5");
    stage_expect(&s, "jobs", "j", "status.active", "");
    check_condition(&s, "SuccessCriteriaMet", "CompletionsReached");
    check_condition(&s, "Complete", "CompletionsReached");
    CU_ASSERT_EQUAL(stage_count(&s, "pods"), 5);
    pods = stage_list(&s, "pods");
    json_array_foreach(pods, i, pod)
    {
        stage_expect(&s, "pods", text_at(pod, "metadata.name"), "metadata.finalizers", "");
    }
    json_decref(pods);
    stage_delete(&s, "jobs", "j", "Background");
    stage_expect_count(&s, "pods", 0);
    stage_end(&s);
}

static void test_failures(void)
{
    struct stage s;

    begin(&s, "Failed");
    stage_create(&s, "jobs", JOB("\"backoffLimit\":0,"));
    stage_expect(&s, "jobs", "j", "status.failed", "1");
    check_condition(&s, "FailureTarget", "BackoffLimitExceeded");
    check_condition(&s, "Failed", "BackoffLimitExceeded");
    CU_ASSERT_EQUAL(stage_count(&s, "pods"), 1);
    stage_end(&s);
}

static void test_indexes(void)
{
    struct stage s;
    json_t *pods, *pod;
    size_t i;

    begin(&s, "Succeeded");
    stage_create(&s, "jobs",
                 JOB("\"completions\":4,\"parallelism\":4,\"completionMode\":\"Indexed\","));
    stage_expect(&s, "jobs", "j", "status.completedIndexes", "0-3");
    stage_expect(&s, "jobs", "j", "status.succeeded", "4");
    pods = stage_list(&s, "pods");
    CU_ASSERT_EQUAL(json_array_size(pods), 4);
    json_array_foreach(pods, i, pod)
    {
        const char *index = annotation_of(pod, "batch.kubernetes.io/job-completion-index");
        const json_t *env = json_object_get(json_array_get(at(pod, "spec.containers"), 0), "env");

        CU_ASSERT_PTR_NOT_NULL_FATAL(index);
        CU_ASSERT_STRING_EQUAL(text_at_or(pod, "spec.hostname", ""),
                               arena_printf(&s.f.op.arena, "j-%s", index));
        CU_ASSERT_STRING_EQUAL(text_at_or(json_array_get(env, 0), "name", ""),
                               "JOB_COMPLETION_INDEX");
    }
    json_decref(pods);
    stage_end(&s);
}

static void test_suspension(void)
{
    struct stage s;

    begin(&s, NULL);
    stage_create(&s, "jobs", JOB("\"suspend\":true,\"parallelism\":2,\"completions\":2,"));
    stage_expect(&s, "jobs", "j", "status.ready", "0");
    check_condition(&s, "Suspended", "JobSuspended");
    CU_ASSERT_EQUAL(stage_count(&s, "pods"), 0);
    stage_patch(&s, "jobs", "j", NULL, "{\"spec\":{\"suspend\":false}}");
    stage_expect(&s, "jobs", "j", "status.ready", "2");
    stage_patch(&s, "jobs", "j", NULL, "{\"spec\":{\"suspend\":true}}");
    stage_expect_count(&s, "pods", 0);
    stage_expect(&s, "jobs", "j", "status.failed", ""); /* these are not its failures */
    stage_patch(&s, "jobs", "j", NULL, "{\"spec\":{\"suspend\":false,\"parallelism\":1}}");
    stage_expect(&s, "jobs", "j", "status.ready", "1");
    s.end_phase = "Succeeded";
    stage_end(&s);
}

/* A pod that somebody deletes has failed. */
static void test_deleted_pod(void)
{
    struct stage s;
    json_t *pods;

    begin(&s, NULL);
    stage_create(&s, "jobs", JOB(""));
    stage_expect(&s, "jobs", "j", "status.ready", "1");
    pods = stage_list(&s, "pods");
    stage_delete(&s, "pods", text_at(json_array_get(pods, 0), "metadata.name"), NULL);
    json_decref(pods);
    stage_expect(&s, "jobs", "j", "status.failed", "1");
    stage_end(&s);
}

static void test_ends(void)
{
    struct stage s;

    begin(&s, NULL);
    stage_create(&s, "jobs", JOB("\"activeDeadlineSeconds\":1,"));
    stage_expect(&s, "jobs", "j", "status.ready", "1");
    stage_expect(&s, "jobs", "j", "status.active", "");
    check_condition(&s, "Failed", "DeadlineExceeded");
    stage_delete(&s, "jobs", "j", "Background");
    stage_expect_count(&s, "pods", 0);
    s.end_phase = "Succeeded";
    stage_create(&s, "jobs", JOB("\"ttlSecondsAfterFinished\":1,"));
    stage_expect(&s, "jobs", "j", "metadata.name", "j");
    stage_expect(&s, "jobs", "j", "metadata.name", "");
    stage_expect_count(&s, "pods", 0);
    stage_end(&s);
}

/* One success is enough, says its rule. */
static void test_success_policy(void)
{
    struct stage s;

    begin(&s, "Succeeded");
    stage_create(&s, "jobs",
                 JOB("\"completions\":3,\"parallelism\":1,\"completionMode\":\"Indexed\","
                     "\"successPolicy\":{\"rules\":[{\"succeededIndexes\":\"0\"}]},"));
    stage_expect(&s, "jobs", "j", "status.completedIndexes", "0");
    check_condition(&s, "SuccessCriteriaMet", "SuccessPolicy");
    check_condition(&s, "Complete", "SuccessPolicy");
    stage_end(&s);
}

static void test_indexes_lost(void)
{
    struct stage s;

    begin(&s, "Failed");
    stage_create(&s, "jobs",
                 JOB("\"completions\":2,\"parallelism\":2,\"completionMode\":\"Indexed\","
                     "\"backoffLimitPerIndex\":0,"));
    stage_expect(&s, "jobs", "j", "status.failedIndexes", "0,1");
    check_condition(&s, "FailureTarget", "FailedIndexes");
    check_condition(&s, "Failed", "FailedIndexes");
    stage_end(&s);
}

/* The stage's pods have a condition that they are not ready. */
static void test_failure_policy(void)
{
    struct stage s;

    begin(&s, "Failed");
    stage_create(&s, "jobs",
                 JOB("\"podFailurePolicy\":{\"rules\":[{\"action\":\"FailJob\",\"onPodConditions\":"
                     "[{\"type\":\"Ready\",\"status\":\"False\"}]}]},"));
    stage_expect(&s, "jobs", "j", "status.failed", "1");
    check_condition(&s, "Failed", "PodFailurePolicy");
    stage_end(&s);
}

CU_TestInfo clusters_controller_job_tests[] = {
    {"five completions, two at a time",   test_completions   },
    {"one failure is one too many",       test_failures      },
    {"every index has its pod",           test_indexes       },
    {"suspended and resumed, two ways",   test_suspension    },
    {"who is deleted has not done it",    test_deleted_pod   },
    {"deadlines and lives after the end", test_ends          },
    {"success by its rules",              test_success_policy},
    {"indexes that are lost",             test_indexes_lost  },
    {"failures by their rules",           test_failure_policy},
    CU_TEST_INFO_NULL,
};
