/* Which node a pod gets, why none, and who must leave one. */
#include "clusters/controller/scheduler.h"
#include "tests/unit/clusters/controller/stage.h"

#define POD_OF(name, meta, spec, more)                                                             \
    "{\"metadata\":{\"name\":\"" name "\"" meta "},\"spec\":{" spec                                \
    "\"containers\":[{\"name\":\"c\",\"image\":\"i\"" more "}]}}"
#define CPU(n) ",\"resources\":{\"requests\":{\"cpu\":\"" n "\"}}"

struct refusal {
    const char *name, *why;
};

/* A node that is new has a taint until it was seen Ready: the first reason need not be the last. */
static bool is_refused(struct stage *s, const void *arg)
{
    const struct refusal *wanted = arg;
    json_t *pod = stage_get(s, "pods", wanted->name), *condition;
    bool yes = false;
    size_t i;

    json_array_foreach(at(pod, "status.conditions"), i, condition)
    {
        yes |= strcmp(text_at_or(condition, "type", ""), "PodScheduled") == 0 &&
               strcmp(text_at_or(condition, "reason", ""), "Unschedulable") == 0 &&
               strstr(text_at_or(condition, "message", ""), wanted->why);
    }
    json_decref(pod);
    return yes;
}

static void refused(struct stage *s, const char *name, const char *why)
{
    const struct refusal wanted = {name, why};

    CU_ASSERT(stage_until(s, is_refused, &wanted));
}

static void placed(struct stage *s, const char *name, const char *node)
{
    stage_expect(s, "pods", name, "spec.nodeName", node);
}

static void two_nodes(struct stage *s)
{
    stage_begin(s);
    stage_node(s, "n1");
    stage_node(s, "n2");
    stage_patch(s, "nodes", "n1", NULL,
                "{\"metadata\":{\"labels\":{\"disk\":\"ssd\",\"zone\":\"a\"}}}");
    stage_patch(s, "nodes", "n2", NULL, "{\"metadata\":{\"labels\":{\"zone\":\"b\"}}}");
}

static void test_fit(void)
{
    struct stage s;

    stage_begin(&s);
    stage_create(&s, "pods", POD_OF("none", "", "", ""));
    refused(&s, "none", "no nodes available to schedule pods");
    stage_node(&s, "n1");
    placed(&s, "none", "n1");
    stage_create(&s, "pods", POD_OF("big", "", "", CPU("3")));
    placed(&s, "big", "n1");
    stage_create(&s, "pods", POD_OF("more", "", "", CPU("2")));
    refused(&s, "more", "0/1 nodes are available: 1 Insufficient cpu.");
    stage_delete(&s, "pods", "big", NULL); /* what makes room brings back who waits */
    placed(&s, "more", "n1");
    stage_create(&s, "pods",
                 POD_OF("other", "", "",
                        ",\"resources\":{\"limits\":{\"x.example/gpu\":\"1\"},\"requests\":{"
                        "\"x.example/gpu\":\"1\"}}"));
    refused(&s, "other", "Insufficient x.example/gpu");
    stage_end(&s);
}

#define AFFINITY(terms)                                                                            \
    "\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{"         \
    "\"nodeSelectorTerms\":[" terms "]}}},"
#define AGAINST(kind, key)                                                                         \
    "\"affinity\":{\"" kind "\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{"            \
    "\"topologyKey\":\"" key "\",\"labelSelector\":{\"matchLabels\":{\"app\":\"x\"}}}]}},"
#define APP ",\"labels\":{\"app\":\"x\"}"

static void test_selectors(void)
{
    struct stage s;

    two_nodes(&s);
    stage_create(&s, "pods", POD_OF("ssd", "", "\"nodeSelector\":{\"disk\":\"ssd\"},", ""));
    placed(&s, "ssd", "n1");
    stage_create(&s, "pods", POD_OF("tape", "", "\"nodeSelector\":{\"disk\":\"tape\"},", ""));
    refused(&s, "tape",
            "0/2 nodes are available: 2 node(s) didn't match Pod's node "
            "affinity/selector.");
    stage_create(&s, "pods",
                 POD_OF("b", "",
                        AFFINITY("{\"matchExpressions\":[{\"key\":\"zone\",\"operator\":\"NotIn\","
                                 "\"values\":[\"a\"]}]}"),
                        ""));
    placed(&s, "b", "n2");
    stage_create(&s, "pods",
                 POD_OF("n", "",
                        AFFINITY("{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\","
                                 "\"values\":[\"n2\"]}]}"),
                        ""));
    placed(&s, "n", "n2");
    /* with and against others */
    stage_create(&s, "pods", POD_OF("x1", APP, "\"nodeSelector\":{\"zone\":\"b\"},", ""));
    placed(&s, "x1", "n2");
    stage_create(&s, "pods", POD_OF("with", "", AGAINST("podAffinity", "zone"), ""));
    placed(&s, "with", "n2");
    stage_create(&s, "pods", POD_OF("off", APP, AGAINST("podAntiAffinity", "zone"), ""));
    placed(&s, "off", "n1");
    stage_create(&s, "pods", POD_OF("off2", APP, AGAINST("podAntiAffinity", "zone"), ""));
    refused(&s, "off2", "didn't match pod anti-affinity rules");
    stage_create(&s, "pods", POD_OF("x3", APP, "\"nodeSelector\":{\"zone\":\"a\"},", ""));
    refused(&s, "x3", "didn't satisfy existing pods anti-affinity rules");
    stage_end(&s);
}

#define PORT(ip) ",\"ports\":[{\"containerPort\":80,\"hostPort\":8080,\"hostIP\":\"" ip "\"}]"

static void test_ports(void)
{
    struct stage s;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(&s, "pods", POD_OF("a", "", "", PORT("127.0.0.1")));
    placed(&s, "a", "n1");
    stage_create(&s, "pods", POD_OF("b", "", "", PORT("127.0.0.2")));
    placed(&s, "b", "n1");
    stage_create(&s, "pods", POD_OF("c", "", "", PORT("0.0.0.0")));
    refused(&s, "c", "1 node(s) didn't have free ports for the requested pod ports.");
    stage_end(&s);
}

#define TAINT(effect)                                                                              \
    "{\"spec\":{\"taints\":[{\"key\":\"k\",\"value\":\"v\",\"effect\":\"" effect "\"}]}}"
#define TOLERATES(seconds)                                                                         \
    "\"tolerations\":[{\"key\":\"k\",\"operator\":\"Exists\",\"effect\":\"NoExecute\"" seconds "}" \
    "]"                                                                                            \
    ","

static void test_taints(void)
{
    struct stage s;
    json_t *pod;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(&s, "pods", POD_OF("stays", "", TOLERATES(""), ""));
    stage_create(&s, "pods", POD_OF("later", "", TOLERATES(",\"tolerationSeconds\":1"), ""));
    stage_create(&s, "pods", POD_OF("never", "", TOLERATES(",\"tolerationSeconds\":3600"), ""));
    stage_create(&s, "pods", POD_OF("goes", "", "", ""));
    placed(&s, "goes", "n1");
    placed(&s, "never", "n1");
    placed(&s, "later", "n1");
    placed(&s, "stays", "n1");
    stage_patch(&s, "nodes", "n1", NULL, TAINT("NoSchedule"));
    stage_create(&s, "pods", POD_OF("new", "", "", ""));
    refused(&s, "new", "1 node(s) had untolerated taint {k: v}.");
    stage_patch(&s, "nodes", "n1", NULL, TAINT("NoExecute"));
    stage_expect(&s, "pods", "goes", "metadata.name", "");
    stage_expect(&s, "pods", "later", "metadata.name", ""); /* the taint said no time */
    pod = stage_get(&s, "pods", "never");
    CU_ASSERT_PTR_NULL(text_at(pod, "metadata.deletionTimestamp"));
    json_decref(pod);
    stage_expect(&s, "pods", "stays", "status.phase", "Running");
    stage_patch(&s, "nodes", "n1", NULL, "{\"spec\":{\"taints\":null,\"unschedulable\":true}}");
    stage_expect(&s, "nodes", "n1", "spec.taints",
                 "[{\"key\": \"node.kubernetes.io/unschedulable\", \"effect\": \"NoSchedule\"}]");
    refused(&s, "new", "");
    stage_patch(&s, "nodes", "n1", NULL, "{\"spec\":{\"unschedulable\":null}}");
    placed(&s, "new", "n1");
    stage_delete(&s, "nodes", "n1", NULL); /* pods of no node are nobody's */
    stage_expect_count(&s, "pods", 0);
    stage_end(&s);
}

#define SPREAD                                                                                     \
    "\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"kubernetes.io/hostname\","    \
    "\"whenUnsatisfiable\":\"DoNotSchedule\",\"labelSelector\":{\"matchLabels\":{\"app\":\"x\"}}}" \
    "],"

static void test_spread(void)
{
    struct stage s;
    json_t *pods, *pod;
    size_t i, first = 0;

    two_nodes(&s);
    for (i = 0; i < 4; i++) {
        char text[512];

        snprintf(text, sizeof(text), POD_OF("p%zu", APP, SPREAD, ""), i);
        stage_create(&s, "pods", text);
    }
    for (i = 0; i < 4; i++) {
        char name[8];

        snprintf(name, sizeof(name), "p%zu", i);
        stage_expect(&s, "pods", name, "status.phase", "Running");
    }
    pods = stage_list(&s, "pods");
    json_array_foreach(pods, i, pod)
    {
        first += strcmp(text_at(pod, "spec.nodeName"), "n1") == 0;
    }
    CU_ASSERT_EQUAL(first, 2);
    json_decref(pods);
    stage_end(&s);
}

static void test_preemption(void)
{
    struct stage s;
    json_t *pod;

    two_nodes(&s);
    stage_create(&s, "priorityclasses", "{\"metadata\":{\"name\":\"high\"},\"value\":100}");
    stage_create(&s, "priorityclasses", "{\"metadata\":{\"name\":\"low\"},\"value\":1}");
    stage_create(&s, "pods",
                 POD_OF("low", "", "\"priorityClassName\":\"low\",\"nodeName\":\"n1\",", CPU("3")));
    stage_create(&s, "pods", POD_OF("small", "", "\"nodeName\":\"n1\",", CPU("500m")));
    stage_create(
        &s, "pods",
        POD_OF("mid", "", "\"priorityClassName\":\"high\",\"nodeName\":\"n2\",", CPU("3")));
    stage_create(&s, "pods", POD_OF("same", "", "\"priorityClassName\":\"low\",", CPU("2")));
    refused(&s, "same", "2 Insufficient cpu");
    stage_create(&s, "pods", POD_OF("never", "", "", CPU("9")));
    refused(&s, "never", "2 Insufficient cpu");
    stage_create(&s, "pods", POD_OF("high", "", "\"priorityClassName\":\"high\",", CPU("3")));
    placed(&s, "high", "n1");
    stage_expect(&s, "pods", "low", "metadata.name", "");
    stage_expect(&s, "pods", "high", "status.nominatedNodeName", "n1");
    pod = stage_get(&s, "pods", "small"); /* it may stay */
    CU_ASSERT_PTR_NOT_NULL_FATAL(pod);
    CU_ASSERT_PTR_NULL(text_at(pod, "metadata.deletionTimestamp"));
    json_decref(pod);
    stage_expect(&s, "pods", "mid", "status.phase", "Running");
    stage_end(&s);
}

static void test_needs(void)
{
    json_t *pod = json_loads(
        "{\"spec\":{\"overhead\":{\"cpu\":\"10m\"},\"initContainers\":[{\"resources\":{"
        "\"requests\":{\"cpu\":\"1\",\"memory\":\"1Mi\"}}},{\"restartPolicy\":\"Always\","
        "\"resources\":{\"requests\":{\"cpu\":\"100m\"}}}],\"containers\":[{\"resources\":{"
        "\"requests\":{\"cpu\":\"200m\",\"memory\":\"1Gi\"}}},{\"resources\":{\"requests\":{"
        "\"memory\":\"1Gi\"}}}]}}",
        0, NULL);
    struct pod_needs needs;
    struct op op;

    op_init(&op);
    needs = pod_needs(&op, pod);
    CU_ASSERT_EQUAL(needs.cpu_millis, 1010);
    CU_ASSERT_EQUAL(needs.memory, INT64_C(2) << 30);
    op_free(&op);
    json_decref(pod);
}

#define WAITS_SINCE(time)                                                                          \
    "{\"status\":{\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","                \
    "\"lastTransitionTime\":\"" time "\"}]}"

static void test_retries(void)
{
    static const struct {
        const char *pod;
        int64_t ms;
    } rows[] = {
        {"{}",                                                                                  5000  },
        {WAITS_SINCE("1970-01-01T01:00:00Z") "}",                                               5000  },
        {WAITS_SINCE("1970-01-01T00:59:59Z") "}",                                               5000  },
        {WAITS_SINCE("1970-01-01T00:59:00Z") "}",                                               60000 },
        {WAITS_SINCE("1970-01-01T00:00:00Z") "}",                                               300000},
        {WAITS_SINCE("1970-01-01T02:00:00Z") "}",                                               5000  },
        {WAITS_SINCE("1970-01-01T00:00:00Z") ",\"spec\":{\"affinity\":{\"podAffinity\":{}}}}",
         5000                                                                                         },
        {WAITS_SINCE("1970-01-01T00:00:00Z") ",\"spec\":{\"topologySpreadConstraints\":[{}]}}",
         5000                                                                                         },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *pod = json_loads(rows[i].pod, 0, NULL);

        CU_ASSERT_EQUAL(scheduler_retry_ms(pod, 3600), rows[i].ms);
        json_decref(pod);
    }
}

CU_TestInfo clusters_controller_scheduler_tests[] = {
    {"pods go where there is room", test_fit       },
    {"selectors and affinities",    test_selectors },
    {"host ports",                  test_ports     },
    {"taints and who must go",      test_taints    },
    {"evenly spread",               test_spread    },
    {"what a pod needs",            test_needs     },
    {"who matters less makes room", test_preemption},
    {"when it is tried again",      test_retries   },
    CU_TEST_INFO_NULL,
};
