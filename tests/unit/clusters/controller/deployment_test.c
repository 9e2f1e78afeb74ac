/* Deployments and ReplicaSets: rollouts within their limits, and what is said of them. */
#include "tests/unit/clusters/controller/stage.h"

#define DEPLOYMENT(replicas, more, image)                                                          \
    "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"replicas\":" replicas "," more                     \
    "\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":"  \
    "\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"" image "\"}]}}}}"
#define IMAGE(image)                                                                               \
    "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"" image        \
    "\"}]}}}}"

/* Sums over all sets after every single change: what a watcher could ever see. */
struct limits {
    int64_t wanted[64], available[64], most, least_available;
    char names[64][64];
    size_t n;
};

static void heard(void *user, const struct event *event)
{
    struct limits *l = user;
    int64_t wanted = 0, available = 0;
    size_t i;

    if (!event)
        return;
    for (i = 0; i < l->n && strcmp(l->names[i], event->object->name) != 0; i++)
        ;
    if (i == 64)
        return;
    if (i == l->n)
        snprintf(l->names[l->n++], 64, "%s", event->object->name);
    l->wanted[i] =
        event->kind == EVENT_DELETED ? 0 : int_at(object_tree(event->object), "spec.replicas", 0);
    l->available[i] = event->kind == EVENT_DELETED
                          ? 0
                          : int_at(object_tree(event->object), "status.availableReplicas", 0);
    for (i = 0; i < l->n; i++) {
        wanted += l->wanted[i];
        available += l->available[i];
    }
    l->most = wanted > l->most ? wanted : l->most;
    l->least_available = available < l->least_available ? available : l->least_available;
}

static void watch_limits(struct stage *s, struct limits *l)
{
    json_t *sets = stage_list(s, "replicasets"), *set;
    size_t i;

    memset(l, 0, sizeof(*l));
    l->least_available = INT64_MAX;
    json_array_foreach(sets, i, set)
    {
        snprintf(l->names[l->n], 64, "%s", text_at(set, "metadata.name"));
        l->wanted[l->n] = int_at(set, "spec.replicas", 0);
        l->available[l->n++] = int_at(set, "status.availableReplicas", 0);
    }
    json_decref(sets);
    store_listen(s->f.cluster.store, stage_resource("replicasets"), heard, l);
}

static void check_condition(struct stage *s, const char *type, const char *status,
                            const char *reason)
{
    json_t *tree = stage_get(s, "deployments", "d"), *condition;
    bool found = false;
    size_t i;

    json_array_foreach(at(tree, "status.conditions"), i, condition)
    {
        if (strcmp(text_at(condition, "type"), type) != 0)
            continue;
        found = true;
        CU_ASSERT_STRING_EQUAL(text_at(condition, "status"), status);
        CU_ASSERT_STRING_EQUAL(text_at(condition, "reason"), reason);
        CU_ASSERT_PTR_NOT_NULL(text_at(condition, "lastUpdateTime"));
    }
    CU_ASSERT(found);
    json_decref(tree);
}

/* The replicas that the set with that image is to have; -1: there is none. */
static int64_t replicas_with(struct stage *s, const char *image)
{
    json_t *sets = stage_list(s, "replicasets"), *set;
    int64_t n = -1;
    size_t i;

    json_array_foreach(sets, i, set)
    {
        const json_t *container = json_array_get(at(set, "spec.template.spec.containers"), 0);

        if (strcmp(text_at_or(container, "image", ""), image) == 0)
            n = int_at(set, "spec.replicas", 0);
    }
    json_decref(sets);
    return n;
}

static const char *revision_of(struct stage *s)
{
    static char text[16];
    json_t *tree = stage_get(s, "deployments", "d");

    snprintf(text, sizeof(text), "%s",
             annotation_of(tree, "deployment.kubernetes.io/revision")
                 ? annotation_of(tree, "deployment.kubernetes.io/revision")
                 : "");
    json_decref(tree);
    return text;
}

static bool has_rolled(struct stage *s, const void *arg)
{
    json_t *tree = stage_get(s, "deployments", "d");
    int64_t wanted = int_at(tree, "spec.replicas", -1);
    bool yes =
        int_at(tree, "status.observedGeneration", 0) == int_at(tree, "metadata.generation", -1) &&
        int_at(tree, "status.replicas", 0) == wanted &&
        int_at(tree, "status.updatedReplicas", 0) == wanted &&
        int_at(tree, "status.availableReplicas", 0) == wanted;

    (void)arg;
    json_decref(tree);
    return yes;
}

static void expect_rolled(struct stage *s)
{
    CU_ASSERT(stage_until(s, has_rolled, NULL));
}

static void test_rollout(void)
{
    struct limits limits;
    struct stage s;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(&s, "deployments", DEPLOYMENT("4", "", "i:1"));
    expect_rolled(&s);
    CU_ASSERT_STRING_EQUAL(revision_of(&s), "1");
    check_condition(&s, "Available", "True", "MinimumReplicasAvailable");
    check_condition(&s, "Progressing", "True", "NewReplicaSetAvailable");
    watch_limits(&s, &limits);
    stage_patch(&s, "deployments", "d", NULL, IMAGE("i:2"));
    expect_rolled(&s);
    CU_ASSERT_EQUAL(replicas_with(&s, "i:1"), 0);
    CU_ASSERT_EQUAL(replicas_with(&s, "i:2"), 4);
    CU_ASSERT_STRING_EQUAL(revision_of(&s), "2");
    CU_ASSERT_EQUAL(limits.most, 5);        /* 25 % of 4, upwards */
    CU_ASSERT(limits.least_available >= 3); /* and downwards */
    /* undo: the old template is its old set again, with a new revision */
    stage_patch(&s, "deployments", "d", NULL, IMAGE("i:1"));
    expect_rolled(&s);
    CU_ASSERT_EQUAL(stage_count(&s, "replicasets"), 2);
    CU_ASSERT_EQUAL(replicas_with(&s, "i:1"), 4);
    CU_ASSERT_STRING_EQUAL(revision_of(&s), "3");
    CU_ASSERT(limits.most <= 5);
    CU_ASSERT(limits.least_available >= 3);
    store_unlisten(s.f.cluster.store, heard, &limits);
    /* a pod that dies comes back, and is no rollout */
    {
        json_t *pods = stage_list(&s, "pods");

        stage_delete(&s, "pods", text_at(json_array_get(pods, 0), "metadata.name"), NULL);
        json_decref(pods);
    }
    stage_expect(&s, "deployments", "d", "status.unavailableReplicas", "");
    expect_rolled(&s);
    check_condition(&s, "Progressing", "True", "NewReplicaSetAvailable");
    stage_expect_count(&s, "pods", 4);
    stage_delete(&s, "deployments", "d", NULL);
    stage_expect_count(&s, "pods", 0);
    stage_expect_count(&s, "replicasets", 0);
    stage_end(&s);
}

static bool has_stuck(struct stage *s, const void *arg)
{
    (void)arg;
    return replicas_with(s, "i:1") == 8 && replicas_with(s, "i:2") == 5;
}

static bool has_shared(struct stage *s, const void *arg)
{
    const int64_t *wanted = arg;

    return replicas_with(s, "i:1") == wanted[0] && replicas_with(s, "i:2") == wanted[1];
}

/* As the conformance suite does it: 10 + 3 surge, 2 unavailable, stuck; then 30. */
static void test_shares(void)
{
    static const int64_t larger[] = {20, 13}, smaller[] = {2, 4};
    struct stage s;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(&s, "deployments",
                 DEPLOYMENT("10",
                            "\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{"
                            "\"maxSurge\":3,\"maxUnavailable\":2}},",
                            "i:1"));
    expect_rolled(&s);
    s.pods_stay_unready = true;
    stage_patch(&s, "deployments", "d", NULL, IMAGE("i:2"));
    CU_ASSERT(stage_until(&s, has_stuck, NULL));
    stage_patch(&s, "deployments", "d", NULL, "{\"spec\":{\"replicas\":30}}");
    CU_ASSERT(stage_until(&s, has_shared, larger));
    stage_patch(&s, "deployments", "d", NULL, "{\"spec\":{\"replicas\":4}}");
    CU_ASSERT(stage_until(&s, has_shared, smaller)); /* two of the ready ones are enough */
    stage_patch(&s, "deployments", "d", NULL, "{\"spec\":{\"replicas\":0}}");
    stage_expect_count(&s, "pods", 0);
    stage_end(&s);
}

static void test_pause(void)
{
    struct stage s;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(&s, "deployments", DEPLOYMENT("2", "\"paused\":true,", "i:1"));
    stage_expect(&s, "deployments", "d", "status.observedGeneration", "1");
    check_condition(&s, "Progressing", "Unknown", "DeploymentPaused");
    CU_ASSERT_EQUAL(stage_count(&s, "replicasets"), 0);
    stage_patch(&s, "deployments", "d", NULL, "{\"spec\":{\"paused\":null}}");
    expect_rolled(&s);
    stage_patch(&s, "deployments", "d", NULL, "{\"spec\":{\"paused\":true}}");
    stage_patch(&s, "deployments", "d", NULL, IMAGE("i:2"));
    stage_patch(&s, "deployments", "d", NULL, "{\"spec\":{\"replicas\":3}}");
    stage_expect(&s, "deployments", "d", "status.availableReplicas", "3");
    CU_ASSERT_EQUAL(replicas_with(&s, "i:2"), -1);
    stage_patch(&s, "deployments", "d", NULL, "{\"spec\":{\"paused\":false}}");
    expect_rolled(&s);
    CU_ASSERT_EQUAL(replicas_with(&s, "i:2"), 3);
    stage_end(&s);
}

static void test_recreate(void)
{
    struct limits limits;
    struct stage s;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(&s, "deployments",
                 DEPLOYMENT("2", "\"strategy\":{\"type\":\"Recreate\"},", "i:1"));
    expect_rolled(&s);
    watch_limits(&s, &limits);
    stage_patch(&s, "deployments", "d", NULL, IMAGE("i:2"));
    expect_rolled(&s);
    CU_ASSERT_EQUAL(limits.most, 2); /* never both */
    store_unlisten(s.f.cluster.store, heard, &limits);
    stage_end(&s);
}

static bool is_late(struct stage *s, const void *arg)
{
    json_t *tree = stage_get(s, "deployments", "d"), *condition;
    bool yes = false;
    size_t i;

    json_array_foreach(at(tree, "status.conditions"), i, condition)
    {
        yes |= strcmp(text_at(condition, "reason"), arg) == 0;
    }
    json_decref(tree);
    return yes;
}

static void test_deadline_and_history(void)
{
    struct stage s;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(
        &s, "deployments",
        DEPLOYMENT("1", "\"progressDeadlineSeconds\":1,\"revisionHistoryLimit\":1,", "i:1"));
    expect_rolled(&s);
    stage_patch(&s, "deployments", "d", NULL, IMAGE("i:2"));
    expect_rolled(&s);
    stage_patch(&s, "deployments", "d", NULL, IMAGE("i:3"));
    expect_rolled(&s);
    stage_expect_count(&s, "replicasets", 2);
    s.pods_stay_unready = true;
    stage_patch(&s, "deployments", "d", NULL, IMAGE("i:4"));
    CU_ASSERT(stage_until(&s, is_late, "ProgressDeadlineExceeded"));
    check_condition(&s, "Progressing", "False", "ProgressDeadlineExceeded");
    CU_ASSERT_STRING_EQUAL(revision_of(&s), "4");
    stage_end(&s);
}

#define SET(name, replicas)                                                                        \
    "{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"replicas\":" replicas                       \
    ",\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{"       \
    "\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"

static void test_adoption(void)
{
    struct stage s;
    json_t *pod;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(&s, "pods",
                 "{\"metadata\":{\"name\":\"p\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":"
                 "[{\"name\":\"c\",\"image\":\"i\"}]}}");
    stage_create(&s, "replicasets", SET("r", "1"));
    stage_expect(&s, "replicasets", "r", "status.readyReplicas", "1");
    CU_ASSERT_EQUAL(stage_count(&s, "pods"), 1);
    pod = stage_get(&s, "pods", "p");
    CU_ASSERT_STRING_EQUAL(text_at_or(controller_of(pod), "name", ""), "r");
    json_decref(pod);
    /* it is let go when its labels say so, and another is made */
    stage_patch(&s, "pods", "p", NULL, "{\"metadata\":{\"labels\":{\"a\":\"z\"}}}");
    stage_expect_count(&s, "pods", 2);
    stage_expect(&s, "pods", "p", "metadata.ownerReferences", "");
    stage_expect(&s, "replicasets", "r", "status.readyReplicas", "1");
    stage_delete(&s, "replicasets", "r", "Orphan");
    stage_expect(&s, "replicasets", "r", "metadata.name", "");
    CU_ASSERT_EQUAL(stage_count(&s, "pods"), 2);
    stage_end(&s);
}

static void test_replication_controller(void)
{
    struct stage s;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(&s, "replicationcontrollers",
                 "{\"metadata\":{\"name\":\"r\"},\"spec\":{\"replicas\":2,\"selector\":{\"a\":"
                 "\"b\"},\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}},\"spec\":{"
                 "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}");
    stage_expect(&s, "replicationcontrollers", "r", "status.availableReplicas", "2");
    stage_patch(&s, "replicationcontrollers", "r", NULL, "{\"spec\":{\"replicas\":1}}");
    stage_expect(&s, "replicationcontrollers", "r", "status.replicas", "1");
    stage_expect_count(&s, "pods", 1);
    stage_delete(&s, "replicationcontrollers", "r", "Background");
    stage_expect_count(&s, "pods", 0);
    stage_end(&s);
}

/* Three pods on two nodes: of the two that share a node one goes. */
static void test_surplus(void)
{
    struct stage s;
    json_t *pods;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_node(&s, "n2");
    stage_create(&s, "replicasets", SET("r", "3"));
    stage_expect(&s, "replicasets", "r", "status.readyReplicas", "3");
    stage_patch(&s, "replicasets", "r", NULL, "{\"spec\":{\"replicas\":2}}");
    stage_expect_count(&s, "pods", 2);
    pods = stage_list(&s, "pods");
    CU_ASSERT_STRING_NOT_EQUAL(text_at_or(json_array_get(pods, 0), "spec.nodeName", ""),
                               text_at_or(json_array_get(pods, 1), "spec.nodeName", ""));
    json_decref(pods);
    stage_end(&s);
}

/* Closed in the midst of it, nothing runs any more. */
static void test_close(void)
{
    struct stage s;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(&s, "deployments", DEPLOYMENT("20", "", "i:1"));
    stage_turn(&s);
    stage_end(&s);
}

CU_TestInfo clusters_controller_deployment_tests[] = {
    {"rollouts keep their limits, and are undone", test_rollout               },
    {"a rollout is scaled in proportion",          test_shares                },
    {"pause and resume",                           test_pause                 },
    {"Recreate ends all before it begins",         test_recreate              },
    {"deadlines are noticed, history is short",    test_deadline_and_history  },
    {"sets adopt pods and let them go",            test_adoption              },
    {"replication controllers",                    test_replication_controller},
    {"controllers close while they are at work",   test_close                 },
    {"surplus pods go where most are",             test_surplus               },
    CU_TEST_INFO_NULL,
};
