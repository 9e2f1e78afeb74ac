#include "api/managed_cluster.h"

#include <string.h>

#include "core/json.h"
#include "tests/unit/unit.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static json_t *parsed(struct op *op, const char *text)
{
    json_t *json = NULL;

    CU_ASSERT_EQUAL_FATAL(json_parse(op, BYTES(text), &json), OK);
    return json;
}

/* ---- pools ---- */

static const struct {
    const char *members;
    const char *code; /* NULL: it is fine */
} pools[] = {
    {"",                                                                             NULL                      },
    {",\"nodeLabels\":{\"a\":\"b\",\"x.example/y\":\"\"}",                           NULL                      },
    {",\"nodeLabels\":{\"" A63 "\":\"" A63 "\"}",                                    NULL                      },
    {",\"nodeLabels\":{\"" A63 "a\":\"b\"}",                                         "InvalidParameter"        },
    {",\"nodeLabels\":{\"a\":\"" A63 "a\"}",                                         "InvalidParameter"        },
    {",\"nodeLabels\":{\"a b\":\"c\"}",                                              "InvalidParameter"        },
    {",\"nodeLabels\":{\"a\":\"-\"}",                                                "InvalidParameter"        },
    {",\"nodeTaints\":[\"k=v:NoSchedule\",\"k:NoExecute\",\"k=:PreferNoSchedule\"]", NULL                      },
    {",\"nodeTaints\":[\"" A63 "a=v:NoSchedule\"]",                                  "InvalidParameter"        },
    {",\"nodeTaints\":[\"k=" A63 "a:NoSchedule\"]",                                  "InvalidParameter"        },
    {",\"nodeTaints\":[\"k=v=w:NoSchedule\"]",                                       "InvalidParameter"        },
    {",\"nodeTaints\":[\":NoSchedule\"]",                                            "InvalidParameter"        },
    {",\"nodeTaints\":[\"k=v:Never\"]",                                              "InvalidParameter"        },
    {",\"tags\":{\"a\":\"b\"}",                                                      NULL                      },
    {",\"tags\":{\"a<b\":\"b\"}",                                                    "InvalidTagNameCharacters"},
};

static void test_pools(void)
{
    for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
        struct op op;
        json_t *p;
        enum fault fault;

        op_init(&op);
        p = parsed(&op, arena_printf(&op.arena,
                                     "{\"vmSize\":\"Standard_DS2_v2\",\"mode\":\"User\","
                                     "\"orchestratorVersion\":\"" AKS_VERSION "\"%s}",
                                     pools[i].members));
        fault = agent_pool_check(&op, "pool1", "properties", p);
        CU_ASSERT_EQUAL(fault, pools[i].code ? INVALID : OK);
        if (pools[i].code)
            CU_ASSERT_STRING_EQUAL(op.noun, pools[i].code);
        op_free(&op);
    }
}

/* ---- how much ---- */

static void test_sizes(void)
{
    static const struct {
        const char *cidr;
        size_t pools;
        int64_t nodes;
        bool good;
    } cases[] = {
        {"10.244.0.0/16", 100, 256,  true },
        {"10.244.0.0/16", 101, 1,    false},
        {"10.244.0.0/16", 1,   257,  false},
        {"10.244.0.0/24", 1,   1,    true },
        {"10.244.0.0/24", 1,   2,    false},
        {"10.0.0.0/8",    5,   5000, true },
        {"10.0.0.0/8",    6,   5001, false},
        {"10.0.0.0/11",   6,   5000, true },
        {"10.0.0.0/12",   6,   4096, true },
        {"10.0.0.0/12",   6,   4097, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct op op;
        json_t *p;

        op_init(&op);
        p = parsed(&op, arena_printf(&op.arena, "{\"networkProfile\":{\"podCidr\":\"%s\"}}",
                                     cases[i].cidr));
        CU_ASSERT_EQUAL(managed_cluster_size_check(&op, p, cases[i].pools, cases[i].nodes),
                        cases[i].good ? OK : INVALID);
        op_free(&op);
    }
}

static enum fault check_ranges(struct op *op, size_t n, const char *range)
{
    json_t *p = parsed(op, "{\"kubernetesVersion\":\"" AKS_VERSION "\",\"dnsPrefix\":\"c\","
                           "\"networkProfile\":{\"podCidr\":\"10.244.0.0/16\","
                           "\"serviceCidr\":\"10.0.0.0/16\",\"dnsServiceIP\":\"10.0.0.10\"},"
                           "\"apiServerAccessProfile\":{\"authorizedIPRanges\":[]}}");
    json_t *list =
        json_object_get(json_object_get(p, "apiServerAccessProfile"), "authorizedIPRanges");

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(range));
    return managed_cluster_check(op, "c", p, NULL);
}

static void test_ranges(void)
{
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(check_ranges(&op, 200, "203.0.113.50/32"), OK);
    CU_ASSERT_EQUAL(check_ranges(&op, 201, "203.0.113.50/32"), INVALID);
    CU_ASSERT_EQUAL(check_ranges(&op, 1, A63), INVALID);
    CU_ASSERT_EQUAL(properties_size_check(&op, "p", "1234", 4), OK);
    CU_ASSERT_EQUAL(properties_size_check(&op, "p", "12345", 4), INVALID);
    op_free(&op);
}

CU_TestInfo api_managed_cluster_tests[] = {
    {"labels, taints and tags of pools", test_pools },
    {"pools and nodes",                  test_sizes },
    {"authorised ranges, documents",     test_ranges},
    CU_TEST_INFO_NULL,
};
