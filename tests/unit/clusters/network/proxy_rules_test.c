#include "clusters/network/proxy_rules.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct proxy_config config = {"10.244.0.0/16", "10.0.0.0/16",     "10.0.0.10",
                                           "10.213.128.9",  "10.213.128.0/17", "10.213.128.1"};

#define NOTHING ((const char *const[]){NULL})

static const struct endpoint two[] = {
    {"10.244.0.5", 8080, "n1"},
    {"10.244.1.5", 8080, "n2"}
};
static const struct node_address nodes[] = {
    {"n1", "10.213.128.9" },
    {"n2", "10.213.128.10"}
};

static struct service_port web(size_t endpoints)
{
    static const char *const ips[] = {"10.0.0.50", NULL};

    return (struct service_port){.ns = "default",
                                 .service = "web",
                                 .port_name = "http",
                                 .port = 80,
                                 .cluster_ips = ips,
                                 .endpoints = two,
                                 .n_endpoints = endpoints};
}

static const char *change(struct op *op, const struct pieces *from, const struct service_port *port,
                          struct pieces **ret)
{
    const struct proxy_state state = {port, port != NULL, NULL, 0, nodes, 2, NOTHING};

    *ret = proxy_pieces(op, &config, &state);
    return proxy_difference(op, from, *ret);
}

static void test_base_rules(void)
{
    struct op op;
    const char *rules;

    op_init(&op);
    rules = proxy_base_rules(&op, &config);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(rules, "oifname eth0 ip saddr 10.244.0.0/16 snat to 10.213.128.9"));
    CU_ASSERT_PTR_NOT_NULL(strstr(rules, "iifname cni0 ip saddr != 10.244.0.0/16 drop"));
    op_free(&op);
}

static void test_a_service(void)
{
    struct service_port port = web(2);
    struct pieces *pieces;
    const char *rules;
    struct op op;

    op_init(&op);
    rules = change(&op, NULL, &port, &pieces);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rules);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(rules, "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.0.5 . "
                      "8080, 1 : 10.244.1.5 . 8080 }\n"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(rules, "add element ip cluster service_ips { 10.0.0.50 . tcp . 80 : goto svc_"));
    CU_ASSERT_PTR_NOT_NULL(strstr(rules, "hairpin { 10.244.0.5 . 10.244.0.5 }"));
    /* what is led to is there before what leads to it */
    CU_ASSERT_TRUE(strstr(rules, "add chain") < strstr(rules, "service_ips"));
    op_free(&op);
}

static void test_nothing_changes_nothing(void)
{
    struct service_port port = web(2);
    struct pieces *first, *second;
    struct op op;

    op_init(&op);
    CU_ASSERT_PTR_NOT_NULL(change(&op, NULL, &port, &first));
    CU_ASSERT_PTR_NULL(change(&op, first, &port, &second));
    op_free(&op);
}

/* The old chain goes after the map leads to the new one. */
static void test_an_endpoint_goes(void)
{
    struct service_port before = web(2), after = web(1);
    struct pieces *first, *second;
    const char *rules, *add, *del, *chain;
    struct op op;

    op_init(&op);
    (void)change(&op, NULL, &before, &first);
    rules = change(&op, first, &after, &second);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rules);
    del = strstr(rules, "delete element ip cluster service_ips { 10.0.0.50 . tcp . 80 }");
    add = strstr(rules, "add element ip cluster service_ips { 10.0.0.50 . tcp . 80 : goto svc_");
    chain = strstr(rules, "delete chain");
    CU_ASSERT_TRUE(del && add && chain && del < add && add < chain);
    CU_ASSERT_PTR_NOT_NULL(strstr(rules, "dnat to 10.244.0.5:8080"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(rules, "delete element ip cluster hairpin { 10.244.1.5 . 10.244.1.5 }"));
    CU_ASSERT_PTR_NULL(strstr(rules, "node_ips"));
    op_free(&op);
}

static void test_without_endpoints(void)
{
    struct service_port port = web(0);
    struct pieces *pieces;
    const char *rules;
    struct op op;

    op_init(&op);
    port.node_port = 30080;
    rules = change(&op, NULL, &port, &pieces);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rules);
    CU_ASSERT_PTR_NOT_NULL(strstr(rules, "refused { 10.0.0.50 . tcp . 80 }"));
    CU_ASSERT_PTR_NOT_NULL(strstr(rules, "refused_node_ports { tcp . 30080 }"));
    CU_ASSERT_PTR_NULL(strstr(rules, "add chain"));
    op_free(&op);
}

static void test_affinity(void)
{
    struct service_port before = web(2), after = web(1);
    struct pieces *first, *second;
    const char *rules;
    struct op op;

    op_init(&op);
    before.affinity_s = after.affinity_s = 10800;
    rules = change(&op, NULL, &before, &first);
    CU_ASSERT_PTR_NOT_NULL(strstr(rules, "flags dynamic,timeout; timeout 10800s;"));
    CU_ASSERT_PTR_NOT_NULL(strstr(rules, "update @aff_"));
    rules = change(&op, first, &after, &second);
    CU_ASSERT_PTR_NULL(strstr(rules, "add set")); /* who stays is remembered */
    CU_ASSERT_PTR_NOT_NULL(strstr(rules, "delete set"));
    op_free(&op);
}

static void test_local_policy(void)
{
    struct service_port port = web(1);
    struct pieces *pieces;
    const char *rules;
    struct op op;

    op_init(&op);
    port.node_port = 30080;
    port.local_only_external = true;
    rules = change(&op, NULL, &port, &pieces);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rules);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(rules, "local_node_ports { 10.213.128.9 . tcp . 30080 : goto svc_"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(rules, "local_node_ports { 10.213.128.10 . tcp . 30080 : drop }"));
    op_free(&op);
}

/* Two services that claim one address: one has it, and nothing breaks. */
static void test_one_address_twice(void)
{
    struct service_port ports[] = {web(2), web(1)};
    const struct proxy_state state = {ports, 2, NULL, 0, nodes, 2, NOTHING};
    struct pieces *pieces;
    const char *rules, *at;
    struct op op;

    op_init(&op);
    pieces = proxy_pieces(&op, &config, &state);
    rules = proxy_difference(&op, NULL, pieces);
    at = strstr(rules, "add element ip cluster service_ips");
    CU_ASSERT_TRUE(at && !strstr(at + 1, "add element ip cluster service_ips"));
    op_free(&op);
}

CU_TestInfo clusters_network_proxy_rules_tests[] = {
    {"what every cluster has",      test_base_rules             },
    {"a service",                   test_a_service              },
    {"nothing changes nothing",     test_nothing_changes_nothing},
    {"an endpoint goes",            test_an_endpoint_goes       },
    {"a service without endpoints", test_without_endpoints      },
    {"session affinity",            test_affinity               },
    {"local policy",                test_local_policy           },
    {"one address, two services",   test_one_address_twice      },
    CU_TEST_INFO_NULL,
};
