#include "api/body.h"

#include <string.h>

#include "api/location.h"
#include "tests/unit/unit.h"

static json_t *body_of(struct call *c, const char *text)
{
    json_t *body = NULL;

    c->body = BYTES(text);
    CU_ASSERT_EQUAL_FATAL(body_read(c, false, &body), OK);
    return body;
}

static void begin(struct call *c)
{
    memset(c, 0, sizeof(*c));
    op_init(&c->op);
}

static void test_members(void)
{
    const char *text = "kept", *choice = NULL, **texts = NULL;
    static const char *const choices[] = {"Basic", "Premium", NULL};
    bool flag = false;
    int64_t number = 3;
    struct call c;
    json_t *body;
    size_t n = 0;

    begin(&c);
    body = body_of(&c, "{\"Properties\":{\"Name\":\"x\",\"on\":true,\"n\":7,\"sku\":\"premium\","
                       "\"list\":[\"a\",\"b\"],\"none\":null}}");
    CU_ASSERT_EQUAL(body_text(&c.op, body, "properties.none", 1, 9, &text), OK);
    CU_ASSERT_STRING_EQUAL(text, "kept");
    CU_ASSERT_EQUAL(body_text(&c.op, body, "properties.name", 1, 9, &text), OK);
    CU_ASSERT_STRING_EQUAL(text, "x");
    CU_ASSERT_EQUAL(body_bool(&c.op, body, "properties.on", &flag), OK);
    CU_ASSERT(flag);
    CU_ASSERT_EQUAL(body_int(&c.op, body, "properties.n", 0, 7, &number), OK);
    CU_ASSERT_EQUAL(number, 7);
    CU_ASSERT_EQUAL(body_choice(&c.op, body, "properties.sku", choices, &choice), OK);
    CU_ASSERT_STRING_EQUAL(choice, "Premium");
    CU_ASSERT_EQUAL(body_texts(&c.op, body, "properties.list", 2, 1, &texts, &n), OK);
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_EQUAL(body_texts(&c.op, body, "properties.list", 1, 1, &texts, &n), INVALID);
    CU_ASSERT_EQUAL(body_int(&c.op, body, "properties.n", 0, 6, &number), INVALID);
    CU_ASSERT_STRING_EQUAL(c.op.detail, "{\"target\":\"properties.n\"}");
    CU_ASSERT_EQUAL(body_text(&c.op, body, "properties.on", 1, 9, &text), INVALID);
    CU_ASSERT_EQUAL(body_required(&c.op, body, "properties.none"), INVALID);
    CU_ASSERT_EQUAL(body_required(&c.op, body, "properties.n"), OK);
    op_free(&c.op);
}

static void test_bodies(void)
{
    static const char *const bad[] = {"[]", "1", "{", "{\"a\":1,\"a\":2}", "{} x", "\"\""};
    struct call c;
    json_t *body;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        begin(&c);
        c.body = BYTES(bad[i]);
        CU_ASSERT_EQUAL(body_read(&c, false, &body), INVALID);
        CU_ASSERT_STRING_EQUAL(c.op.noun, "InvalidRequestContent");
        op_free(&c.op);
    }
    begin(&c);
    CU_ASSERT_EQUAL(body_read(&c, false, &body), INVALID);
    CU_ASSERT_EQUAL(body_read(&c, true, &body), OK);
    CU_ASSERT_EQUAL(json_object_size(body), 0);
    op_free(&c.op);
}

static enum fault tags(struct call *c, const char *json, const char **ret)
{
    return body_tags(&c->op, body_of(c, json), ret, NULL);
}

static void test_tags(void)
{
    const char *text;
    struct text many;
    struct call c;

    begin(&c);
    CU_ASSERT_EQUAL(tags(&c, "{}", &text), OK);
    CU_ASSERT_STRING_EQUAL(text, "{}");
    CU_ASSERT_EQUAL(tags(&c, "{\"tags\":{\"a\":\"b\"}}", &text), OK);
    CU_ASSERT_STRING_EQUAL(text, "{\"a\":\"b\"}");
    CU_ASSERT_EQUAL(tags(&c, "{\"tags\":{\"a\":1}}", &text), INVALID);
    CU_ASSERT_EQUAL(tags(&c, "{\"tags\":{\"\":\"\"}}", &text), INVALID);
    CU_ASSERT_EQUAL(tags(&c, "{\"tags\":{\"a/b\":\"\"}}", &text), INVALID);
    CU_ASSERT_STRING_EQUAL(c.op.noun, "InvalidTagNameCharacters");
    CU_ASSERT_EQUAL(tags(&c, "{\"tags\":{\"a\":\"\",\"A\":\"\"}}", &text), INVALID);
    CU_ASSERT_EQUAL(tags(&c, "{\"tags\":[]}", &text), INVALID);
    text_init(&many, &c.op.arena, 4096);
    for (int i = 0; i < 51; i++)
        text_printf(&many, "%s\"t%d\":\"\"", i ? "," : "{\"tags\":{", i);
    text_str(&many, "}}");
    CU_ASSERT_EQUAL(tags(&c, many.data, &text), INVALID);
    CU_ASSERT_STRING_EQUAL(c.op.noun, "TagCountExceeded");
    op_free(&c.op);
}

static void test_locations(void)
{
    CU_ASSERT_STRING_EQUAL(location_find("East US")->name, "eastus");
    CU_ASSERT_STRING_EQUAL(location_find("EASTUS2")->name, "eastus2");
    CU_ASSERT_STRING_EQUAL(location_find("west europe")->name, "westeurope");
    CU_ASSERT_STRING_EQUAL(location_find("local")->name, "local");
    CU_ASSERT_PTR_NULL(location_find("mars"));
    CU_ASSERT_PTR_NULL(location_find(""));
    CU_ASSERT_PTR_NULL(location_find(NULL));
}

static void test_ignored(void)
{
    static const char *const known[] = {"a", NULL};
    struct call c;

    begin(&c);
    body_ignored(&c, body_of(&c, "{\"A\":1}"), known);
    CU_ASSERT_EQUAL(c.reply.n_headers, 0);
    body_ignored(&c, body_of(&c, "{\"b\":1,\"x\\r\\ny\":1,\"c\":2}"), known);
    CU_ASSERT_EQUAL_FATAL(c.reply.n_headers, 1);
    CU_ASSERT_STRING_EQUAL(c.reply.headers[0].value, "b, c");
    op_free(&c.op);
}

CU_TestInfo api_body_tests[] = {
    {"members by path",             test_members  },
    {"bodies that are none",        test_bodies   },
    {"tags and their limits",       test_tags     },
    {"locations however written",   test_locations},
    {"what has no effect is named", test_ignored  },
    CU_TEST_INFO_NULL,
};
