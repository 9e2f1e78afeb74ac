/* What the agent writes into a pod's status, and what of it is others'. */
#include <stdio.h>

#include "clusters/node/pod_agent.h"
#include "tests/unit/clusters/controller/stage.h"

/* A pass over pod "p", whose only container runs. */
struct look {
    struct stage s;
    struct pod_memory memory;
    struct container_memory container;
    struct container_state state;
    struct pod_pass p;
};

static const char pod_text[] =
    "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"i\"}],"
    "\"readinessGates\":[%s]}}";

static void make_pod(struct look *l, const char *gates)
{
    char text[512];

    snprintf(text, sizeof(text), pod_text, gates);
    stage_create(&l->s, "pods", text);
}

static void look_begin(struct look *l, const char *gates)
{
    struct fixture *f = &l->s.f;

    memset(l, 0, sizeof(*l));
    l->s.ns = "default";
    fixture_rest(f);
    stage_create(&l->s, "serviceaccounts", "{\"metadata\":{\"name\":\"default\"}}");
    make_pod(l, gates);
    snprintf(l->container.name, sizeof(l->container.name), "main");
    l->container.started = l->container.ready = true;
    l->memory.containers = &l->container;
    l->memory.n_containers = 1;
    l->state = (struct container_state){.name = "main", .phase = CONTAINER_RUNNING, .pid = 1};
    l->p = (struct pod_pass){.op = &f->op,
                             .cluster = &f->cluster,
                             .memory = &l->memory,
                             .states = &l->state,
                             .n_states = 1,
                             .alive = true,
                             .node = "n"};
    l->p.object = store_read(&f->op, f->cluster.store, stage_resource("pods"), "default", "p");
    CU_ASSERT_PTR_NOT_NULL_FATAL(l->p.object);
    l->p.pod = object_tree(l->p.object);
    l->p.spec = json_object_get(l->p.pod, "spec");
}

/* The pod once the pass has written; the caller's. */
static json_t *written(struct look *l)
{
    json_t *pod;

    CU_ASSERT_EQUAL(pod_write_status(&l->p), OK);
    pod = stage_get(&l->s, "pods", "p");
    CU_ASSERT_PTR_NOT_NULL_FATAL(pod);
    return pod;
}

static void expect_ready(const json_t *pod, const char *status, const char *reason,
                         const char *message)
{
    const json_t *ready = condition_of(pod, "Ready");

    CU_ASSERT_STRING_EQUAL(text_at_or(ready, "status", ""), status);
    CU_ASSERT_STRING_EQUAL(text_at_or(ready, "reason", ""), reason);
    CU_ASSERT_STRING_EQUAL(text_at_or(ready, "message", ""), message);
}

/* The pass stands on what the pod was before they wrote. */
static void test_others_write_meanwhile(void)
{
    struct look l;
    json_t *pod;

    look_begin(&l, "");
    stage_patch(&l.s, "pods", "p", "status",
                "{\"status\":{\"nominatedNodeName\":\"n9\","
                "\"resourceClaimStatuses\":[{\"name\":\"c\"}],\"conditions\":["
                "{\"type\":\"DisruptionTarget\",\"status\":\"True\",\"reason\":\"why\"},"
                "{\"type\":\"Ready\",\"status\":\"Unknown\",\"reason\":\"NotOurs\"}]}}");
    pod = written(&l);
    CU_ASSERT_STRING_EQUAL(text_at_or(pod, "status.phase", ""), "Running");
    CU_ASSERT_STRING_EQUAL(text_at_or(pod, "status.nominatedNodeName", ""), "n9");
    CU_ASSERT_EQUAL(json_array_size(at(pod, "status.resourceClaimStatuses")), 1);
    CU_ASSERT_STRING_EQUAL(text_at_or(condition_of(pod, "DisruptionTarget"), "reason", ""), "why");
    expect_ready(pod, "True", "", "");
    json_decref(pod);
    fixture_end(&l.s.f);
}

static void test_readiness_gates(void)
{
    static const struct {
        const char *conditions;
        bool unready; /* the container */
        const char *status, *reason, *message;
    } cases[] = {
        {"",                                                                                 false, "False", "ReadinessGatesNotReady",
         "corresponding condition of pod readiness gate \"a/x\" does not exist., "
         "corresponding condition of pod readiness gate \"b/y\" does not exist."                                                                                               },
        {"{\"type\":\"a/x\",\"status\":\"True\"},{\"type\":\"b/y\",\"status\":\"False\"}",   false,
         "False",                                                                                            "ReadinessGatesNotReady",
         "the status of pod readiness gate \"b/y\" is not \"True\", but False"                                                                                                 },
        {"{\"type\":\"a/x\",\"status\":\"True\"},{\"type\":\"b/y\",\"status\":\"True\"}",    true,
         "False",                                                                                            "ContainersNotReady",     "containers with unready status: [main]"},
        {"{\"type\":\"a/x\",\"status\":\"True\"},{\"type\":\"b/y\",\"status\":\"True\"}",    false,
         "True",                                                                                             "",                       ""                                      },
        {"{\"type\":\"a/x\",\"status\":\"Unknown\"},{\"type\":\"b/y\",\"status\":\"True\"}", false,
         "False",                                                                                            "ReadinessGatesNotReady",
         "the status of pod readiness gate \"a/x\" is not \"True\", but Unknown"                                                                                               },
    };
    struct look l;

    look_begin(&l, "{\"conditionType\":\"a/x\"},{\"conditionType\":\"b/y\"}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[256];
        json_t *pod;

        snprintf(text, sizeof(text), "{\"status\":{\"conditions\":[%s]}}", cases[i].conditions);
        stage_patch(&l.s, "pods", "p", "status", text);
        l.container.ready = !cases[i].unready;
        pod = written(&l);
        expect_ready(pod, cases[i].status, cases[i].reason, cases[i].message);
        CU_ASSERT_STRING_EQUAL(text_at_or(condition_of(pod, "ContainersReady"), "status", ""),
                               cases[i].unready ? "False" : "True");
        json_decref(pod);
    }
    fixture_end(&l.s.f);
}

static void test_an_end_is_the_last_phase(void)
{
    struct look l;
    json_t *pod;

    look_begin(&l, "");
    stage_patch(&l.s, "pods", "p", "status",
                "{\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\"}}");
    pod = written(&l);
    CU_ASSERT_STRING_EQUAL(text_at_or(pod, "status.phase", ""), "Failed");
    CU_ASSERT_STRING_EQUAL(text_at_or(pod, "status.reason", ""), "Evicted");
    CU_ASSERT_EQUAL(json_array_size(at(pod, "status.containerStatuses")), 1);
    json_decref(pod);
    fixture_end(&l.s.f);
}

static void test_another_of_its_name(void)
{
    struct look l;
    json_t *pod;

    look_begin(&l, "");
    stage_delete(&l.s, "pods", "p", NULL);
    CU_ASSERT_EQUAL(pod_write_status(&l.p), OK); /* it is gone */
    make_pod(&l, "");
    pod = written(&l);
    CU_ASSERT_STRING_EQUAL(text_at_or(pod, "status.phase", ""), "Pending");
    CU_ASSERT_PTR_NULL(at(pod, "status.containerStatuses"));
    json_decref(pod);
    fixture_end(&l.s.f);
}

CU_TestInfo clusters_node_pod_status_tests[] = {
    {"what others write meanwhile stays",     test_others_write_meanwhile  },
    {"readiness gates",                       test_readiness_gates         },
    {"an end is the last phase",              test_an_end_is_the_last_phase},
    {"another pod of its name is left alone", test_another_of_its_name     },
    CU_TEST_INFO_NULL,
};
