#include "core/range.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct {
    const char *value;
    int64_t size;
    enum fault fault;
    size_t n;
    int64_t first, last; /* of the first */
} cases[] = {
    {NULL,                         100, OK,    0, 0,  0 },
    {"bytes=0-9",                  100, OK,    1, 0,  9 },
    {"BYTES=0-9",                  100, OK,    1, 0,  9 },
    {"bytes=90-",                  100, OK,    1, 90, 99},
    {"bytes=-10",                  100, OK,    1, 90, 99},
    {"bytes=-1000",                100, OK,    1, 0,  99},
    {"bytes=90-1000",              100, OK,    1, 90, 99},
    {"bytes=0-0, 5-6 ,-1",         100, OK,    3, 0,  0 },
    {"bytes=0-0,200-300",          100, OK,    1, 0,  0 },
    {"bytes=100-",                 100, RANGE, 0, 0,  0 },
    {"bytes=500-0",                100, RANGE, 0, 0,  0 },
    {"bytes=-0",                   100, RANGE, 0, 0,  0 },
    {"bytes=0-",                   0,   RANGE, 0, 0,  0 },
    {"bytes=",                     100, OK,    0, 0,  0 },
    {"bytes=a-b",                  100, OK,    0, 0,  0 },
    {"bytes=1",                    100, OK,    0, 0,  0 },
    {"bytes=1-2x",                 100, OK,    0, 0,  0 },
    {"lines=1-2",                  100, OK,    0, 0,  0 },
    {"bytes=9999999999999999999-", 100, OK,    0, 0,  0 },
};

static void test_ranges(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct range ranges[RANGES_MAX] = {
            {0, 0}
        };
        size_t n = 99;

        CU_ASSERT_EQUAL(range_parse(cases[i].value, cases[i].size, ranges, &n), cases[i].fault);
        CU_ASSERT_EQUAL(n, cases[i].n);
        CU_ASSERT_EQUAL(ranges[0].first, cases[i].n ? cases[i].first : ranges[0].first);
        CU_ASSERT_EQUAL(ranges[0].last, cases[i].n ? cases[i].last : ranges[0].last);
    }
}

static void test_too_many_are_ignored(void)
{
    char value[256] = "bytes=0-0";
    struct range ranges[RANGES_MAX];
    size_t n;

    for (int i = 1; i < RANGES_MAX; i++)
        strncat(value, ",0-0", sizeof(value) - strlen(value) - 1);
    CU_ASSERT_EQUAL(range_parse(value, 10, ranges, &n), OK);
    CU_ASSERT_EQUAL(n, RANGES_MAX);
    strncat(value, ",0-0", sizeof(value) - strlen(value) - 1);
    CU_ASSERT_EQUAL(range_parse(value, 10, ranges, &n), OK);
    CU_ASSERT_EQUAL(n, 0);
}

static void test_decimal(void)
{
    const char *s = "123x";

    CU_ASSERT_EQUAL(decimal_parse(&s), 123);
    CU_ASSERT_STRING_EQUAL(s, "x");
    CU_ASSERT_EQUAL(decimal_parse(&s), -1);
    s = "1234567890123456789";
    CU_ASSERT_EQUAL(decimal_parse(&s), -1);
}

CU_TestInfo core_range_tests[] = {
    {"ranges",               test_ranges              },
    {"too many are ignored", test_too_many_are_ignored},
    {"decimal numbers",      test_decimal             },
    CU_TEST_INFO_NULL,
};
