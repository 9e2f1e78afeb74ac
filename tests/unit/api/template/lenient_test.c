#include "api/template/lenient.h"

#include <string.h>

#include "api/arm.h"
#include "tests/unit/unit.h"

static const struct {
    const char *text, *wanted; /* NULL: refused */
} cases[] = {
    {"{\"a\": 1}",                                                         "{\"a\":1}"                },
    {"{properties: {template:{\"x\": [1, 2,],},},}",
     "{\"properties\":{\"template\":{\"x\":[1,2]}}}"                                                  },
    {"// first\n{ /* in\nbetween */ 'a' : 'it\\'s' // last\n}\n/* end */", "{\"a\":\"it's\"}"         },
    {"{\"a\": \"two\nlines\"}",                                            "{\"a\":\"two\\nlines\"}"  },
    {"{\"a\": \"http://x/*y*/\"}",                                         "{\"a\":\"http://x/*y*/\"}"},
    {"{\"a\": 1, \"a\": 2}",                                               "{\"a\":2}"                },
    {"{$schema: -1.5e2, b_c-d: [true, false, null]}",
     "{\"$schema\":-150.0,\"b_c-d\":[true,false,null]}"                                               },
    {"\"\\u00e4\\ud83d\\ude00\\n\\/\"",                                    "\"ä😀\\n/\""           },
    {"\xef\xbb\xbf{}",                                                     "{}"                       },
    {"[]",                                                                 "[]"                       },
    {"{",                                                                  NULL                       },
    {"{\"a\"}",                                                            NULL                       },
    {"{\"a\": }",                                                          NULL                       },
    {"{\"a\": 1 \"b\": 2}",                                                NULL                       },
    {"{,}",                                                                NULL                       },
    {"[1 2]",                                                              NULL                       },
    {"\"abc",                                                              NULL                       },
    {"\"\\x\"",                                                            NULL                       },
    {"\"\\u12\"",                                                          NULL                       },
    {"\"\\u0000\"",                                                        NULL                       },
    {"\"\\ud800\"",                                                        NULL                       },
    {"\"\\ud800\\u0041\"",                                                 NULL                       },
    {"\"\\udc00\"",                                                        NULL                       },
    {"\"\xff\"",                                                           NULL                       },
    {"/* no end",                                                          NULL                       },
    {"nul",                                                                NULL                       },
    {"1.2.3",                                                              NULL                       },
    {"99999999999999999999",                                               NULL                       },
    {"--1",                                                                NULL                       },
    {"{} {}",                                                              NULL                       },
    {"",                                                                   NULL                       },
    {"/",                                                                  NULL                       },
};

static void test_cases(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *value;
        struct op op;
        enum fault fault;

        op_init(&op);
        fault = lenient_parse(&op, BYTES(cases[i].text), &value);
        if (fault == OK && cases[i].wanted) {
            CU_ASSERT_STRING_EQUAL(json_text_of(&op, value), cases[i].wanted);
        } else {
            CU_ASSERT_PTR_NULL(cases[i].wanted);
            CU_ASSERT_EQUAL(fault, INVALID);
            CU_ASSERT_STRING_EQUAL(op.noun, "InvalidRequestContent");
        }
        op_free(&op);
    }
}

static void test_depth(void)
{
    char text[4096];
    json_t *value;
    struct op op;

    op_init(&op);
    memset(text, '[', sizeof(text));
    CU_ASSERT_EQUAL(lenient_parse(&op, (struct bytes){text, sizeof(text)}, &value), INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "too deeply"));
    op_free(&op);
}

static void test_where(void)
{
    json_t *value;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(lenient_parse(&op, BYTES("{\n  \"a\": 1\n  \"b\": 2}"), &value), INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "line 3, position 3"));
    op_free(&op);
}

CU_TestInfo api_template_lenient_tests[] = {
    {"what is read and what not", test_cases},
    {"depth has an end",          test_depth},
    {"where it is wrong is told", test_where},
    CU_TEST_INFO_NULL,
};
