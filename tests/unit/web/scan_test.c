#include "web/scan.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct scan_member members[] = {
    {"metadata", "name"},
    {NULL,          "message"},
    {"metadata","ownerReferences"},
    {"series", "at"},
    {0         },
};

static void check(struct bytes found, const char *wanted)
{
    CU_ASSERT_EQUAL(found.len, strlen(wanted));
    CU_ASSERT_NSTRING_EQUAL(found.data ? found.data : "", wanted, strlen(wanted));
}

static void test_members(void)
{
    static const char list[] =
        "{\"kind\":\"L\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":["
        "{\"metadata\":{\"labels\":{\"name\":\"no\"},\"name\":\"a\",\"x\":[{\"name\":\"no\"}]},"
        "\"spec\":{\"name\":\"no\",\"message\":\"no\"},\"message\":\"say \\\"name\\\": {[\\\\\"},"
        "{\"name\":\"no\",\"metadata\":{\"ownerReferences\":[{\"name\":\"no\"}],\"name\":\"b\"},"
        "\"series\":{\"count\":2,\"at\":\"now\"},\"count\":1,\"ok\":true}]}";
    struct scanned *all;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(scan_items(&op, BYTES(list), members, &all), 2);
    check(all[0].members[0], "a");
    check(all[0].members[1], "say \\\"name\\\": {[\\\\");
    CU_ASSERT_PTR_NULL(all[0].members[2].data);
    check(all[1].members[0], "b");
    check(all[1].members[2], "[");
    check(all[1].members[3], "now");
    CU_ASSERT_NSTRING_EQUAL(all[1].text.data, "{\"name\":\"no\",\"metadata\"", 23);
    CU_ASSERT_EQUAL(((const char *)all[1].text.data)[all[1].text.len], ']');
    op_free(&op);
}

static void test_what_is_no_list(void)
{
    static const char *const cases[] = {"", "{}", "{\"items\":[]}", "{\"items\":[1,2]}",
                                        "{\"items\":null}"};
    struct scanned *all;
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CU_ASSERT_EQUAL(scan_items(&op, BYTES(cases[i]), members, &all), 0);
    op_free(&op);
}

/* Cut off anywhere, it is read to its end and no further. */
static void test_cut_off(void)
{
    static const char list[] = "{\"items\":[{\"metadata\":{\"name\":\"a\\\"b\"},\"message\":\"\\";
    struct scanned *all;
    struct op op;

    op_init(&op);
    for (size_t len = 0; len < sizeof(list); len++) {
        const char *cut = arena_strndup(&op.arena, list, len);

        CU_ASSERT_TRUE(scan_items(&op, BYTES(cut), members, &all) <= 1);
    }
    op_free(&op);
}

static void test_many(void)
{
    struct scanned *all;
    struct text text;
    struct op op;

    op_init(&op);
    text_init(&text, &op.arena, 1 << 20);
    text_str(&text, "{\"items\":[");
    for (int i = 0; i < 1000; i++)
        text_printf(&text, "%s{\"metadata\":{\"name\":\"n%d\"}}", i ? "," : "", i);
    text_str(&text, "]}");
    CU_ASSERT_EQUAL_FATAL(scan_items(&op, text_bytes(&text), members, &all), 1000);
    check(all[0].members[0], "n0");
    check(all[999].members[0], "n999");
    op_free(&op);
}

CU_TestInfo web_scan_tests[] = {
    {"members",         test_members        },
    {"what is no list", test_what_is_no_list},
    {"cut off",         test_cut_off        },
    {"many",            test_many           },
    CU_TEST_INFO_NULL,
};
