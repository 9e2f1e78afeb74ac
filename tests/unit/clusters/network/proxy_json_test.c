#include "clusters/network/proxy_json.h"

#include <string.h>

#include "core/json.h"
#include "tests/unit/unit.h"

#define TEXT_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_returns(void)
{
    const struct endpoint endpoints[] = {
        {"10.244.0.5", 8080, "n1"}
    };
    const struct service_port ports[] = {
        {.ns = "default",
         .service = "dns",
         .port_name = "dns",
         .udp = true,
         .port = 53,
         .node_port = 30053,
         .cluster_ips = TEXT_LIST("10.0.0.9"),
         .load_balancer_ips = TEXT_LIST("10.213.0.9"),
         .source_ranges = TEXT_LIST("0.0.0.0/0", "192.0.2.1/32"),
         .affinity_s = 60,
         .local_only_external = true,
         .endpoints = endpoints,
         .n_endpoints = 1}
    };
    const struct host_port host_ports[] = {
        {"10.213.128.9", "127.0.0.1", 80, 8080, true, "10.244.0.5"}
    };
    const struct node_address nodes[] = {
        {"n1", "10.213.128.9"}
    };
    const struct proxy_state state = {ports, 1, host_ports, 1, nodes, 1, TEXT_LIST("10.213.0.9")};
    struct proxy_state back;
    json_t *json = NULL;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(proxy_state_write(&op, &state, &json), OK);
    CU_ASSERT_EQUAL_FATAL(proxy_state_read(&op, json, &back), OK);
    CU_ASSERT_TRUE(back.ports[0].udp && back.ports[0].local_only_external);
    CU_ASSERT_EQUAL(back.ports[0].node_port, 30053);
    CU_ASSERT_EQUAL(back.ports[0].affinity_s, 60);
    CU_ASSERT_STRING_EQUAL(back.ports[0].source_ranges[1], "192.0.2.1/32");
    CU_ASSERT_STRING_EQUAL(back.ports[0].endpoints[0].node, "n1");
    CU_ASSERT_PTR_NULL(back.ports[0].external_ips[0]);
    CU_ASSERT_STRING_EQUAL(back.host_ports[0].host_ip, "127.0.0.1");
    CU_ASSERT_STRING_EQUAL(back.nodes[0].address, "10.213.128.9");
    CU_ASSERT_STRING_EQUAL(back.load_balancer_ips[0], "10.213.0.9");
    op_free(&op);
}

static void test_refused(void)
{
    static const char *const cases[] = {
        "{\"ports\":1}",
        "{\"ports\":[{\"service\":\"x\",\"port\":1}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\\\"; }\",\"port\":1}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\",\"port\":0}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\",\"port\":65536}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\",\"port\":1,\"clusterIPs\":[\"10.0.0.01\"]}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\",\"port\":1,\"clusterIPs\":[\"::1\"]}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\",\"port\":1,\"clusterIPs\":[\"10.0.0.1 }\"]}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\",\"port\":1,\"sourceRanges\":[\"10.0.0.0/"
        "33\"]}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\",\"port\":1,\"sourceRanges\":[\"10.0.0.0/"
        "08\"]}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\",\"port\":1,\"sourceRanges\":[\"10.0.0.0\"]}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\",\"port\":1,\"sourceRanges\":[\"10.0.0.0/8 "
        "\"]}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\",\"port\":1,\"affinityS\":86401}]}",
        "{\"ports\":[{\"ns\":\"a\",\"service\":\"x\",\"port\":1,\"endpoints\":[{\"port\":1}]}]}",
        "{\"hostPorts\":[{\"nodeAddress\":\"10.1.1.1\",\"hostPort\":1,\"podPort\":1}]}",
        "{\"nodes\":[{\"node\":\"n\",\"address\":\"x\"}]}",
        "{\"loadBalancerIPs\":[\"10.0.0.1/32\"]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct proxy_state state;
        json_t *json = NULL;
        struct op op;

        op_init(&op);
        CU_ASSERT_EQUAL_FATAL(json_parse(&op, BYTES(cases[i]), &json), OK);
        CU_ASSERT_EQUAL(proxy_state_read(&op, json, &state), INVALID);
        op_free(&op);
    }
}

CU_TestInfo clusters_network_proxy_json_tests[] = {
    {"there and back",  test_returns},
    {"what is refused", test_refused},
    CU_TEST_INFO_NULL,
};
