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

/* What root would refuse the whole for is left out, and the rest is taken. */
static void test_cleaned(void)
{
    static const struct endpoint endpoints[] = {
        {"10.244.0.5", 80,    "n\"1"},
        {"fd00::1",    80,    "n1"  },
        {"10.0.0.01",  80,    NULL  },
        {"10.244.0.6", 70000, NULL  }
    };
    const char *many[101] = {0}, *lots[101] = {0};
    static char name[301];
    const struct service_port ports[] = {
        {.ns = "a",
         .service = "x",
         .port_name = "a\"b",
         .port = 80,
         .node_port = 70000,
         .cluster_ips = TEXT_LIST("10.0.0.9", "fd00::9"),
         .external_ips = many,
         .source_ranges = lots,
         .affinity_s = 100000,
         .endpoints = endpoints,
         .n_endpoints = 4},
        {.ns = "a",                     .service = "y",                 .port = 80,       .source_ranges = TEXT_LIST("fd00::/8", "10.0.0.0")},
        {.ns = "a",                  .service = "z\"",                                .port = 80                               },
        {.ns = name,                                      .service = "long",                                         .port = 80      },
        {.ns = "a", .service = "none", .port = 0},
    };
    const struct proxy_state state = {.ports = ports, .n_ports = 5};
    struct proxy_state clean, back;
    json_t *json = NULL;
    size_t n = 0;
    struct op op;

    memset(name, 'a', 300);
    for (size_t i = 0; i < 100; i++) {
        many[i] = i % 10 == 3 ? "fd00::1" : "192.0.2.1";
        lots[i] = i == 3 ? "10.0.0.0/33" : "10.0.0.0/8";
    }
    op_init(&op);
    clean = proxy_state_clean(&op, &state);
    CU_ASSERT_EQUAL_FATAL(proxy_state_write(&op, &clean, &json), OK);
    CU_ASSERT_EQUAL_FATAL(proxy_state_read(&op, json, &back), OK);
    CU_ASSERT_EQUAL_FATAL(back.n_ports, 2);
    CU_ASSERT_PTR_NULL(back.ports[0].port_name);
    CU_ASSERT_EQUAL(back.ports[0].node_port, 0);
    CU_ASSERT_EQUAL(back.ports[0].affinity_s, 86400);
    CU_ASSERT_STRING_EQUAL(back.ports[0].cluster_ips[0], "10.0.0.9");
    CU_ASSERT_PTR_NULL(back.ports[0].cluster_ips[1]);
    while (back.ports[0].external_ips[n])
        n++;
    CU_ASSERT_EQUAL(n, 64);
    for (n = 0; back.ports[0].source_ranges[n];)
        n++;
    CU_ASSERT_EQUAL(n, 40);
    CU_ASSERT_EQUAL_FATAL(back.ports[0].n_endpoints, 1);
    CU_ASSERT_PTR_NULL(back.ports[0].endpoints[0].node);
    CU_ASSERT_STRING_EQUAL(back.ports[1].source_ranges[0], "0.0.0.0/32"); /* not all */
    op_free(&op);
}

static void test_cleaned_nodes(void)
{
    const struct host_port host_ports[] = {
        {"10.1.1.1", "::1", 80,    80, false, "10.244.0.5"},
        {"10.1.1.1", "",    80,    0,  false, "10.244.0.5"},
        {"10.1.1.1", "",    70000, 80, false, "10.244.0.5"},
        {"10.1.1.1", "",    80,    80, false, "fd00::1"   },
        {NULL,       "",    80,    80, false, "10.244.0.5"},
        {"10.1.1.1", NULL,  81,    80, false, "10.244.0.5"}
    };
    const struct node_address nodes[] = {
        {"n1",   "10.1.1.1", "fd00::/64"},
        {"n\"2", "10.1.1.2", NULL       },
        {"n3",   "fd00::3",  NULL       }
    };
    const struct proxy_state state = {NULL, 0, host_ports, 6, nodes, 3, TEXT_LIST("x", "10.2.2.2")};
    struct proxy_state clean, back;
    json_t *json = NULL;
    struct op op;

    op_init(&op);
    clean = proxy_state_clean(&op, &state);
    CU_ASSERT_EQUAL_FATAL(proxy_state_write(&op, &clean, &json), OK);
    CU_ASSERT_EQUAL_FATAL(proxy_state_read(&op, json, &back), OK);
    CU_ASSERT_EQUAL_FATAL(back.n_host_ports, 1);
    CU_ASSERT_EQUAL(back.host_ports[0].host_port, 81);
    CU_ASSERT_EQUAL_FATAL(back.n_nodes, 1);
    CU_ASSERT_PTR_NULL(back.nodes[0].pod_cidr);
    CU_ASSERT_STRING_EQUAL(back.load_balancer_ips[0], "10.2.2.2");
    op_free(&op);
}

CU_TestInfo clusters_network_proxy_json_tests[] = {
    {"there and back",            test_returns      },
    {"what is refused",           test_refused      },
    {"what is left out",          test_cleaned      },
    {"what is left out of nodes", test_cleaned_nodes},
    CU_TEST_INFO_NULL,
};
