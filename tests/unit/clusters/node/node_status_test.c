/* What the agent writes into a node's status, and what of it is others'. */
#include "clusters/node/node_status.h"

#include "clusters/controller/workload.h"
#include "tests/unit/clusters/controller/stage.h"

static void test_others_write_too(void)
{
    struct node_spec spec = {.name = "n",
                             .pod_cidr = "10.244.0.0/24",
                             .address = "10.1.0.4",
                             .cpu_millis = 2000,
                             .memory_bytes = (int64_t)8 << 30,
                             .max_pods = 110,
                             .labels = json_object(),
                             .taints = json_array()};
    struct stage s = {.ns = "default"};
    struct nodes *nodes = nodes_new();
    bool changed = false;
    json_t *node;

    fixture_rest(&s.f);
    CU_ASSERT_EQUAL(nodes_set(&s.f.op, &s.f.cluster, nodes, &spec, 1, &changed), OK);
    stage_patch(&s, "nodes", "n", "status",
                "{\"status\":{\"capacity\":{\"example.com/dongle\":\"4\",\"pods\":\"1\"},"
                "\"volumesInUse\":[\"v\"],\"conditions\":["
                "{\"type\":\"KernelDeadlock\",\"status\":\"False\"}]}}");
    spec.max_pods = 50; /* it is written anew */
    CU_ASSERT_EQUAL(nodes_set(&s.f.op, &s.f.cluster, nodes, &spec, 1, &changed), OK);
    node = stage_get(&s, "nodes", "n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(node);
    CU_ASSERT_STRING_EQUAL(text_at_or(condition_of(node, "KernelDeadlock"), "status", ""), "False");
    CU_ASSERT_STRING_EQUAL(text_at_or(condition_of(node, "Ready"), "status", ""), "True");
    CU_ASSERT_EQUAL(json_array_size(at(node, "status.volumesInUse")), 1);
    CU_ASSERT_STRING_EQUAL(text_at_or(at(node, "status.capacity"), "pods", ""), "50");
    for (size_t i = 0; i < 2; i++) {
        const char *dongles = json_string_value(json_object_get(
            at(node, i ? "status.capacity" : "status.allocatable"), "example.com/dongle"));

        CU_ASSERT_STRING_EQUAL(dongles ? dongles : "", "4");
    }
    json_decref(node);
    nodes_free(nodes);
    json_decref((json_t *)(uintptr_t)spec.labels);
    json_decref((json_t *)(uintptr_t)spec.taints);
    fixture_end(&s.f);
}

CU_TestInfo clusters_node_node_status_tests[] = {
    {"what others write stays", test_others_write_too},
    CU_TEST_INFO_NULL,
};
