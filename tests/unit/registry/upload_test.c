#include "registry/upload.h"

#include "tests/unit/unit.h"

static const struct {
    const char *text;
    bool good;
    int64_t first, last;
} ranges[] = {
    {"0-0",                    true,  0,  0 },
    {"10-99",                  true,  10, 99},
    {"bytes 10-99",            true,  10, 99},
    {"bytes 10-99/200",        true,  10, 99},
    {"",                       false, 0,  0 },
    {"-5",                     false, 0,  0 },
    {"5-",                     false, 0,  0 },
    {"10-5",                   false, 0,  0 },
    {"1-2x",                   false, 0,  0 },
    {"a-b",                    false, 0,  0 },
    {"+1-2",                   false, 0,  0 },
    {"99999999999999999999-1", false, 0,  0 },
};

static void test_ranges(void)
{
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        int64_t first = -1, last = -1;

        CU_ASSERT_EQUAL(upload_range_parse(ranges[i].text, &first, &last), ranges[i].good);
        if (ranges[i].good) {
            CU_ASSERT_EQUAL(first, ranges[i].first);
            CU_ASSERT_EQUAL(last, ranges[i].last);
        }
    }
}

CU_TestInfo registry_upload_tests[] = {
    {"ranges", test_ranges},
    CU_TEST_INFO_NULL,
};
