#include <string.h>

#include "instances/network_host.h"
#include "tests/unit/unit.h"

static void test_ranges_are_read(void)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"10.213.0.0/17",   true },
        {"10.213.128.0/17", true },
        {"192.168.4.0/28",  true },
        {"10.0.0.0/8",      true },
        {"10.213.0.1/17",   false},
        {"10.213.64.0/17",  false},
        {"10.0.0.0/7",      false},
        {"10.0.0.0/29",     false},
        {"10.0.0.0/",       false},
        {"10.0.0.0/ 8",     false},
        {"10.0.0.0/-8",     false},
        {"10.0.0.0/8x",     false},
        {"10.0.0.0",        false},
        {"10.0.0/8",        false},
        {"::/8",            false},
        {"",                false},
    };
    struct network_range range;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CU_ASSERT_EQUAL(network_range_parse(cases[i].text, &range), cases[i].good);
    }
}

static bool overlap(const char *a, const char *b)
{
    struct network_range x, y;

    return network_range_parse(a, &x) && network_range_parse(b, &y) &&
           network_ranges_overlap(x, y) && network_ranges_overlap(y, x);
}

static void test_overlaps(void)
{
    struct network_range pair[RANGES], before = {0}, all = {10u << 24, 8};

    CU_ASSERT_TRUE(overlap("10.0.0.0/8", "10.213.0.0/17"));
    CU_ASSERT_TRUE(overlap("10.213.0.0/17", "10.213.0.0/17"));
    CU_ASSERT_FALSE(overlap("10.213.0.0/17", "10.213.128.0/17"));
    CU_ASSERT_FALSE(overlap("10.213.0.0/16", "10.214.0.0/16"));
    for (unsigned n = 0; network_candidate(n, pair); n++) {
        CU_ASSERT_FALSE(network_ranges_overlap(pair[0], pair[1]));
        CU_ASSERT_TRUE(network_ranges_overlap(pair[0], all));
        CU_ASSERT_TRUE(n == 0 || !network_ranges_overlap(pair[0], before));
        before = pair[0];
    }
    CU_ASSERT_NOT_EQUAL(before.prefix, 0);
}

CU_TestInfo instances_network_tests[] = {
    {"ranges are read", test_ranges_are_read},
    {"overlaps",        test_overlaps       },
    CU_TEST_INFO_NULL,
};
