#include "core/json.h"

#include <string.h>

#include "tests/unit/unit.h"

struct piece {
    int64_t number;
};
struct thing {
    const char *name, *secret, *raw;
    int64_t size;
    bool on, has_on;
    struct piece part, *parts;
    size_t n_parts, n_tags;
    const char **tags;
};
static const struct json_field part_json[] = {INT(piece, number, "number", 0, 9, REQUIRED), {0}};
static const struct json_field thing_json[] = {
    TEXT(thing, name, "name", 1, 8, REQUIRED),
    TEXT(thing, secret, "secret", 0, 8, READ_ONLY | OMIT_NULL),
    INT(thing, size, "size", -10, 10, 0),
    BOOL_IF(thing, on, has_on, "on", 0),
    OBJECT(thing, part, "part", part_json, 0),
    LIST(thing, parts, n_parts, "parts", part_json, piece, OMIT_NULL),
    TEXTS(thing, tags, n_tags, "tags", OMIT_NULL),
    RAW(thing, raw, "raw", OMIT_NULL),
    {0},
};

static enum fault read_thing(struct op *op, const char *text, struct thing *thing)
{
    json_t *value;

    memset(thing, 0, sizeof(*thing));
    TRY(json_parse(op, BYTES(text), &value));
    return json_read(op, thing_json, value, thing);
}

static const struct {
    const char *text, *message; /* NULL: it is fine */
} cases[] = {
    {"{\"name\":\"a\"}",                               NULL                                 },
    {" {\"name\":\"\\u00e9\\n\"} ",                    NULL                                 },
    {"{\"name\":\"a\",\"size\":null}",                 NULL                                 },
    {"{\"name\":\"a\",\"secret\":\"ignored\"}",        NULL                                 },
    {"",                                               "the JSON text is empty"             },
    {"{}",                                             "name is missing"                    },
    {"{\"name\":null}",                                "name is missing"                    },
    {"{\"name\":1}",                                   "name must be a string"              },
    {"{\"name\":\"\"}",                                "name must have 1 to 8 bytes, not 0" },
    {"{\"name\":\"123456789\"}",                       "name must have 1 to 8 bytes, not 9" },
    {"{\"name\":\"a\",\"size\":11}",                   "size must be between -10 and 10"    },
    {"{\"name\":\"a\",\"size\":1.5}",                  "size must be a whole number"        },
    {"{\"name\":\"a\",\"on\":1}",                      "on must be true or false"           },
    {"{\"name\":\"a\",\"part\":[]}",                   "part must be an object"             },
    {"{\"name\":\"a\",\"part\":{\"number\":10}}",      "part.number must be between 0 and 9"},
    {"{\"name\":\"a\",\"parts\":[{\"number\":1},{}]}", "parts[1].number is missing"         },
    {"{\"name\":\"a\",\"parts\":{}}",                  "parts must be an array"             },
    {"{\"name\":\"a\",\"tags\":[\"x\",1]}",            "tags[1] must be a string"           },
    {"{\"name\":\"a\",\"nam\":1}",                     "\"nam\" is not known"               },
    {"[1]",                                            "the JSON text must be an object"    },
    {"{\"name\":\"a\",\"name\":\"b\"}",                "invalid JSON"                       },
    {"{\"name\":\"a\"}x",                              "invalid JSON"                       },
    {"{\"name\":\"\xff\"}",                            "invalid JSON"                       },
    {"{\"name\":\"\\u0000\"}",                         "invalid JSON"                       },
    {"{\"name\":\"a\",\"size\":99999999999999999999}", "invalid JSON"                       },
    {"\"text\"",                                       "invalid JSON"                       },
};

static void test_reading(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct thing thing;
        struct op op;
        enum fault fault;

        op_init(&op);
        fault = read_thing(&op, cases[i].text, &thing);
        CU_ASSERT_EQUAL(fault, cases[i].message ? INVALID : OK);
        if (cases[i].message && op.message) {
            CU_ASSERT_NSTRING_EQUAL(op.message, cases[i].message, strlen(cases[i].message));
        }
        op_free(&op);
    }
}

static void test_depth(void)
{
    char text[140];
    struct op op;
    json_t *value;

    op_init(&op);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    CU_ASSERT_EQUAL(json_parse(&op, (struct bytes){text, 130}, &value), INVALID);
    CU_ASSERT_EQUAL(json_parse(&op, (struct bytes){text + 1, 128}, &value), OK);
    CU_ASSERT_EQUAL(json_parse(&op, BYTES("[\"[[[[\\\"[[\"]"), &value), OK);
    op_free(&op);
}

static void test_round_trip(void)
{
    static const char text[] =
        "{\"name\":\"q\\\"\\\\\\u0001\\n\",\"size\":-3,\"on\":true,\"part\":{\"number\":4},"
        "\"parts\":[{\"number\":1},{\"number\":2}],\"tags\":[\"x\",\"\"],\"raw\":{\"a\":[1,null]}}";
    struct thing thing;
    struct text out;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(read_thing(&op, text, &thing), OK);
    CU_ASSERT(thing.has_on && thing.on && thing.n_parts == 2 && thing.n_tags == 2);
    text_init(&out, &op.arena, 4096);
    json_write(&out, thing_json, &thing);
    CU_ASSERT_STRING_EQUAL(out.data, text);
    op_free(&op);
}

static const struct {
    const char *plain, *quoted;
} quotes[] = {
    {"",             "\"\""                                    },
    {"a\tb",         "\"a\\tb\""                               },
    {"\xc3\xa9",     "\"\xc3\xa9\""                            },
    {"\xff"
     "a",       "\"\xef\xbf\xbd"
     "a\""                                       },
    {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {"\xe2\x82",     "\"\xef\xbf\xbd\xef\xbf\xbd\""            },
    {"\x7f",         "\"\\u007f\""                             },
};

static void test_quoting(void)
{
    for (size_t i = 0; i < ARRAY_LEN(quotes); i++) {
        struct arena arena;
        struct text out;

        arena_init(&arena);
        text_init(&out, &arena, 256);
        json_quote(&out, quotes[i].plain);
        CU_ASSERT_STRING_EQUAL(out.data, quotes[i].quoted);
        arena_free(&arena);
    }
}

static void test_clean(void)
{
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } printed[] = {
        {"plain",            5, "plain"                               },
        {"\xc3\xa4",         2, "\xc3\xa4"                            },
        {"\xc3",             1, "\xef\xbf\xbd"                        },
        {"a\0b",             3,
         "a\xef\xbf\xbd"
         "b"                                                          },
        {"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80"                    },
        {"\xf0\x9f\x98",     3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80",     3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"",                 0, ""                                    },
    };
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(printed); i++) {
        struct text out;

        text_init(&out, &op.arena, 256);
        utf8_clean(&out, (struct bytes){arena_memdup(&op.arena, printed[i].in, printed[i].len),
                                        printed[i].len});
        CU_ASSERT_STRING_EQUAL(out.data, printed[i].out);
    }
    op_free(&op);
}

static void test_text(void)
{
    json_t *value;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(json_parse(&op, BYTES("{\"a\":\"b\",\"n\":1,\"z\":null}"), &value), OK);
    CU_ASSERT_STRING_EQUAL(json_text(value, "a"), "b");
    CU_ASSERT_STRING_EQUAL(json_text(value, "n"), "");
    CU_ASSERT_STRING_EQUAL(json_text(value, "z"), "");
    CU_ASSERT_STRING_EQUAL(json_text(value, "none"), "");
    CU_ASSERT_STRING_EQUAL(json_text(NULL, "a"), "");
    op_free(&op);
}

CU_TestInfo core_json_tests[] = {
    {"reading by a table",                test_reading   },
    {"depth is limited",                  test_depth     },
    {"written is what was read",          test_round_trip},
    {"the text of a member",              test_text      },
    {"quoting",                           test_quoting   },
    {"what programs print becomes UTF-8", test_clean     },
    CU_TEST_INFO_NULL,
};
