/* PodDisruptionBudgets: what they allow, and evictions under them. */
#include "tests/unit/clusters/controller/stage.h"

#define DEPLOYMENT(replicas)                                                                       \
    "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":" replicas                              \
    ",\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":" \
    "\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"
#define BUDGET(rule)                                                                               \
    "{\"metadata\":{\"name\":\"p\"},\"spec\":{" rule                                               \
    "\"selector\":{\"matchLabels\":{\"a\":\"b\"}}}}"
#define POD(name)                                                                                  \
    "{\"metadata\":{\"name\":\"" name "\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":"     \
    "[{\"name\":\"c\",\"image\":\"i\"}]}}"

static void expect_budget(struct stage *s, const char *expected, const char *desired,
                          const char *healthy, const char *allowed)
{
    stage_expect(s, "poddisruptionbudgets", "p", "status.expectedPods", expected);
    stage_expect(s, "poddisruptionbudgets", "p", "status.desiredHealthy", desired);
    stage_expect(s, "poddisruptionbudgets", "p", "status.currentHealthy", healthy);
    stage_expect(s, "poddisruptionbudgets", "p", "status.disruptionsAllowed", allowed);
}

/* The fault of an eviction. */
static enum fault evict(struct stage *s, const char *pod)
{
    const struct delete_options options = {.grace_s = -1};
    struct rest r = stage_rest(s, "pods", pod);
    enum fault fault;
    struct op op;

    op_init(&op);
    r.subresource = "eviction";
    fault = rest_evict(&op, &r, &options);
    if (fault == OK && r.revision)
        CU_ASSERT_EQUAL(store_wait(&op, s->f.cluster.store, r.revision), OK);
    op_free(&op);
    return fault;
}

/* How many of the present pods can be evicted one after the other, without a turn between. */
static size_t evict_all(struct stage *s)
{
    json_t *pods = stage_list(s, "pods"), *pod;
    size_t i, n = 0;

    json_array_foreach(pods, i, pod)
    {
        enum fault fault = evict(s, text_at(pod, "metadata.name"));

        CU_ASSERT(fault == OK || fault == TOO_MANY);
        n += fault == OK;
    }
    json_decref(pods);
    return n;
}

static const struct {
    const char *rule, *desired, *allowed;
    size_t evicted;
} cases[] = {
    {"\"minAvailable\":3,",         "3", "1", 1},
    {"\"minAvailable\":\"50%\",",   "2", "2", 2},
    {"\"minAvailable\":\"51%\",",   "3", "1", 1},
    {"\"minAvailable\":9,",         "9", "0", 0},
    {"\"maxUnavailable\":1,",       "3", "1", 1},
    {"\"maxUnavailable\":\"30%\",", "2", "2", 2},
    {"\"maxUnavailable\":0,",       "4", "0", 0},
    {"\"maxUnavailable\":9,",       "0", "4", 4},
    {"",                            "1", "3", 3},
};

static void test_budgets(void)
{
    struct stage s;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char budget[256];

        stage_begin(&s);
        stage_node(&s, "n1");
        stage_create(&s, "deployments", DEPLOYMENT("4"));
        snprintf(budget, sizeof(budget), BUDGET("%s"), cases[i].rule);
        stage_create(&s, "poddisruptionbudgets", budget);
        expect_budget(&s, "4", cases[i].desired, "4", cases[i].allowed);
        CU_ASSERT_EQUAL(evict_all(&s), cases[i].evicted);
        expect_budget(&s, "4", cases[i].desired, "4", cases[i].allowed); /* others came */
        stage_end(&s);
    }
}

static const char *condition(struct stage *s)
{
    static char text[128];
    json_t *tree = stage_get(s, "poddisruptionbudgets", "p");
    const json_t *first = json_array_get(at(tree, "status.conditions"), 0);

    snprintf(text, sizeof(text), "%s %s %s", text_at_or(first, "type", ""),
             text_at_or(first, "status", ""), text_at_or(first, "reason", ""));
    json_decref(tree);
    return text;
}

static bool has_condition(struct stage *s, const void *arg)
{
    return strcmp(condition(s), arg) == 0;
}

/* Pods that nobody controls count for numbers only; of those whose controller has no number of
   replicas it cannot be said how many there should be. */
static void test_other_pods(void)
{
    struct stage s;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(&s, "pods", POD("x"));
    stage_create(&s, "pods", POD("y"));
    stage_create(&s, "poddisruptionbudgets", BUDGET("\"minAvailable\":1,"));
    expect_budget(&s, "2", "1", "2", "1");
    CU_ASSERT(stage_until(&s, has_condition, "DisruptionAllowed True SufficientPods"));
    stage_delete(&s, "poddisruptionbudgets", "p", NULL);
    stage_create(&s, "poddisruptionbudgets", BUDGET("\"maxUnavailable\":1,"));
    expect_budget(&s, "0", "0", "2", "0");
    CU_ASSERT(stage_until(&s, has_condition, "DisruptionAllowed False InsufficientPods"));
    stage_patch(&s, "pods", "x", NULL,
                "{\"metadata\":{\"ownerReferences\":[{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\","
                "\"name\":\"j\",\"uid\":\"11111111-1111-4111-8111-111111111111\",\"controller\":"
                "true}]}}");
    CU_ASSERT(stage_until(&s, has_condition, "DisruptionAllowed False SyncFailed"));
    CU_ASSERT_EQUAL(evict(&s, "y"), TOO_MANY);
    stage_end(&s);
}

/* Who is not ready may go while enough others are (IfHealthyBudget), or always. */
static void test_unready_pods(void)
{
    struct stage s;

    stage_begin(&s);
    stage_node(&s, "n1");
    s.pods_stay_unready = true;
    stage_create(&s, "pods", POD("x"));
    stage_expect(&s, "pods", "x", "status.phase", "Running");
    stage_create(&s, "poddisruptionbudgets", BUDGET("\"minAvailable\":1,"));
    expect_budget(&s, "1", "1", "0", "0");
    CU_ASSERT_EQUAL(evict(&s, "x"), TOO_MANY);
    s.pods_stay_unready = false;
    stage_create(&s, "pods", POD("y"));
    expect_budget(&s, "2", "1", "1", "0");
    CU_ASSERT_EQUAL(evict(&s, "y"), TOO_MANY);
    CU_ASSERT_EQUAL(evict(&s, "x"), OK);
    stage_expect_count(&s, "pods", 1);
    s.pods_stay_unready = true;
    stage_create(&s, "pods", POD("z"));
    stage_expect(&s, "pods", "z", "status.phase", "Running");
    stage_delete(&s, "pods", "y", NULL);
    expect_budget(&s, "1", "1", "0", "0");
    CU_ASSERT_EQUAL(evict(&s, "z"), TOO_MANY);
    stage_patch(&s, "poddisruptionbudgets", "p", NULL,
                "{\"spec\":{\"unhealthyPodEvictionPolicy\":\"AlwaysAllow\"}}");
    CU_ASSERT_EQUAL(evict(&s, "z"), OK);
    stage_end(&s);
}

CU_TestInfo clusters_controller_disruption_tests[] = {
    {"budgets",      test_budgets     },
    {"other pods",   test_other_pods  },
    {"unready pods", test_unready_pods},
    CU_TEST_INFO_NULL,
};
