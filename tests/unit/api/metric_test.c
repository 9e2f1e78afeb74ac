#include "api/metric.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct metric_kind kind = {
    .name = "Use", .primary = "Average", .dimensions = {"node", "pod", NULL}
};

static void test_durations(void)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"PT1M",                   60   },
        {"PT2S",                   2    },
        {"PT1H30M",                5400 },
        {"P1D",                    86400},
        {"PT24H",                  86400},
        {"P1DT1S",                 86401},
        {"",                       0    },
        {"P",                      0    },
        {"PT",                     0    },
        {"1M",                     0    },
        {"P1M",                    0    }, /* a month is not so many seconds */
        {"PT1",                    0    },
        {"PT-1M",                  0    },
        {"PT9999999999999999999M", 0    },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CU_ASSERT_EQUAL(metric_duration(cases[i].text), cases[i].seconds);
}

static void test_filters(void)
{
    static const struct {
        const char *filter, *values;
        bool fits;
    } cases[] = {
        {NULL,                                            "n1/p1",    true },
        {"",                                              "n1/p1",    true },
        {"node eq '*'",                                   "n1/p1",    true },
        {"Node eq 'N1'",                                  "n1/p1",    true },
        {"node eq 'n2'",                                  "n1/p1",    false},
        {"pod eq 'p1' or pod eq 'p2'",                    "n1/p2",    true },
        {"(pod eq 'p1' or pod eq 'p2') and node eq 'n1'", "n1/p3",    false},
        {"node ne 'n1'",                                  "n1/p1",    false},
        {"node ne 'n1'",                                  "n2/p1",    true },
        {"pod sw 'web-'",                                 "n1/web-1", true },
        {"pod sw 'web-'",                                 "n1/we",    false},
        {"pod eq 'it''s'",                                "n1/it's",  true },
    };
    static const char *const wrong[] = {
        "node",           "node eq",     "node eq n1",
        "node eq 'n1",    "node gt '1'", "node eq '1' pod eq '2'",
        "(node eq 'n1'",  "and",         "node eq '1' or pod eq '2'",
        "node eq '1' and"};
    struct metric_filter filter;
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CU_ASSERT_EQUAL_FATAL(metric_filter_parse(&op, cases[i].filter, &filter), OK);
        CU_ASSERT_EQUAL(metric_filter_fits(&filter, &kind, cases[i].values), cases[i].fits);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        CU_ASSERT_EQUAL(metric_filter_parse(&op, wrong[i], &filter), INVALID);
    op_free(&op);
}

/* What a filter names is told apart, the rest is added up. */
static void test_folding(void)
{
    struct meter_point p[] = {
        {60,  1, 10, 10, 10},
        {60,  3, 6,  1,  3 },
        {120, 1, 5,  5,  5 }
    };
    const struct meter_series meters[] = {
        {"n1/p1", &p[0], 1},
        {"n1/p2", &p[1], 2},
        {"n2/p1", &p[0], 1},
    };
    struct metric_query q = {.rolled_up = "", .order = METRIC_AVERAGE, .descending = true};
    struct meter_series *s;
    struct op op;
    size_t n;

    op_init(&op);
    CU_ASSERT_EQUAL(metric_fold(&op, &q, &kind, meters, 3, &s, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_EQUAL_FATAL(s[0].n, 2);
    CU_ASSERT_EQUAL(metric_figure(&s[0].points[0], METRIC_COUNT), 5);
    CU_ASSERT_EQUAL(metric_figure(&s[0].points[0], METRIC_TOTAL), 26);
    CU_ASSERT_EQUAL(metric_figure(&s[0].points[0], METRIC_MINIMUM), 1);
    CU_ASSERT_EQUAL(metric_figure(&s[0].points[0], METRIC_MAXIMUM), 10);
    CU_ASSERT_DOUBLE_EQUAL(metric_figure(&s[0].points[0], METRIC_AVERAGE), 5.2, 1e-9);
    CU_ASSERT_EQUAL(metric_filter_parse(&op, "node eq '*'", &q.filter), OK);
    CU_ASSERT_EQUAL(metric_fold(&op, &q, &kind, meters, 3, &s, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 2);
    CU_ASSERT_STRING_EQUAL(s[0].dimensions, "n2"); /* 10 on average, the other 4.2 */
    CU_ASSERT_STRING_EQUAL(s[1].dimensions, "n1");
    q.top = 1;
    CU_ASSERT_EQUAL(metric_fold(&op, &q, &kind, meters, 3, &s, &n), OK);
    CU_ASSERT_EQUAL(n, 1);
    q.rolled_up = "Node";
    CU_ASSERT_FALSE(metric_splits(&q, &kind, 0));
    op_free(&op);
}

CU_TestInfo api_metric_tests[] = {
    {"ISO 8601 durations",                              test_durations},
    {"$filter on dimensions",                           test_filters  },
    {"meters are added up, sorted, and cut to the top", test_folding  },
    CU_TEST_INFO_NULL,
};
