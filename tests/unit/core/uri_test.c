#include "core/uri.h"

#include <string.h>

#include "tests/unit/unit.h"

static void test_decode(void)
{
    struct op op;

    op_init(&op);
    CU_ASSERT_STRING_EQUAL(uri_decode(&op.arena, BYTES("a%2Fb%3ac+d"), false), "a/b:c+d");
    CU_ASSERT_STRING_EQUAL(uri_decode(&op.arena, BYTES("a+b%2B"), true), "a b+");
    CU_ASSERT_PTR_NULL(uri_decode(&op.arena, BYTES("%"), false));
    CU_ASSERT_PTR_NULL(uri_decode(&op.arena, BYTES("%2"), false));
    CU_ASSERT_PTR_NULL(uri_decode(&op.arena, BYTES("%zz"), false));
    CU_ASSERT_PTR_NULL(uri_decode(&op.arena, BYTES("a%00b"), false));
    op_free(&op);
}

static void test_encode(void)
{
    struct op op;

    op_init(&op);
    CU_ASSERT_STRING_EQUAL(uri_encode(&op.arena, "a/b c&\xc3\xa9", "/"), "a/b%20c%26%C3%A9");
    CU_ASSERT_STRING_EQUAL(uri_encode(&op.arena, "a/b", ""), "a%2Fb");
    op_free(&op);
}

static void test_parameters(void)
{
    struct bytes form = BYTES("scope=a&n=2&scope=b+c&empty=&bare&scopes=x");
    struct op op;

    op_init(&op);
    CU_ASSERT_STRING_EQUAL(uri_parameter(&op.arena, form, "scope", 0), "a");
    CU_ASSERT_STRING_EQUAL(uri_parameter(&op.arena, form, "scope", 1), "b c");
    CU_ASSERT_PTR_NULL(uri_parameter(&op.arena, form, "scope", 2));
    CU_ASSERT_STRING_EQUAL(uri_parameter(&op.arena, form, "empty", 0), "");
    CU_ASSERT_STRING_EQUAL(uri_parameter(&op.arena, form, "bare", 0), "");
    CU_ASSERT_PTR_NULL(uri_parameter(&op.arena, form, "scop", 0));
    CU_ASSERT_STRING_EQUAL(uri_parameter(&op.arena, BYTES("%24top=5&$top=6"), "$top", 1), "6");
    CU_ASSERT_STRING_EQUAL(uri_parameter(&op.arena, BYTES("%24top=5"), "$top", 0), "5");
    CU_ASSERT_PTR_NULL(uri_parameter(&op.arena, BYTES(""), "n", 0));
    op_free(&op);
}

CU_TestInfo core_uri_tests[] = {
    {"decode",     test_decode    },
    {"encode",     test_encode    },
    {"parameters", test_parameters},
    CU_TEST_INFO_NULL,
};
