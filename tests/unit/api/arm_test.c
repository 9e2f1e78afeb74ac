/* The dialect, preconditions, pages: what needs neither a token nor a database. */
#include "api/arm.h"

#include <string.h>

#include "api/page.h"
#include "tests/unit/unit.h"

static void begin(struct call *c, const char *query)
{
    memset(c, 0, sizeof(*c));
    op_init(&c->op);
    c->path = "/subscriptions/s/resourceGroups";
    c->query = query;
    c->base_url = "https://host:1";
    c->reply.fd = -1;
}

static const char *rendered(struct call *c, int row)
{
    arm_dialect.render(c, &arm_dialect.rows[row]);
    CU_ASSERT_EQUAL_FATAL(c->reply.n_parts, 1);
    return arena_strndup(&c->op.arena, c->reply.parts[0].bytes.data, c->reply.parts[0].bytes.len);
}

static void test_dialect(void)
{
    struct call c;

    begin(&c, "");
    fail_on(&c.op, "digest", INVALID, "it is \"wrong\"");
    CU_ASSERT_STRING_EQUAL(
        rendered(&c, 1),
        "{\"error\":{\"code\":\"BadRequest\",\"message\":\"it is \\\"wrong\\\"\"}}");
    CU_ASSERT_EQUAL(c.reply.status, 400);
    op_free(&c.op);
    begin(&c, "");
    arm_fail_at(&c.op, "InvalidThing", INVALID, "properties.x", "no %d", 1);
    CU_ASSERT_STRING_EQUAL(rendered(&c, 1),
                           "{\"error\":{\"code\":\"InvalidThing\",\"message\":\"no "
                           "1\",\"target\":\"properties.x\"}}");
    op_free(&c.op);
}

static enum fault check(const char *name, const char *value, const char *etag)
{
    struct header header = {name, value};
    struct call c;
    enum fault fault;

    begin(&c, "");
    c.headers = &header;
    c.n_headers = 1;
    fault = arm_preconditions(&c, etag);
    op_free(&c.op);
    return fault;
}

static void test_preconditions(void)
{
    CU_ASSERT_EQUAL(check("if-match", "\"3\"", "\"3\""), OK);
    CU_ASSERT_EQUAL(check("if-match", "3", "\"3\""), OK);
    CU_ASSERT_EQUAL(check("if-match", "W/\"3\"", "\"3\""), OK);
    CU_ASSERT_EQUAL(check("if-match", "\"1\" , \"3\"", "\"3\""), OK);
    CU_ASSERT_EQUAL(check("if-match", "*", "\"3\""), OK);
    CU_ASSERT_EQUAL(check("if-match", "*", NULL), PRECONDITION);
    CU_ASSERT_EQUAL(check("if-match", "\"2\"", "\"3\""), PRECONDITION);
    CU_ASSERT_EQUAL(check("if-none-match", "*", NULL), OK);
    CU_ASSERT_EQUAL(check("if-none-match", "*", "\"3\""), PRECONDITION);
    CU_ASSERT_EQUAL(check("if-none-match", "\"2\"", "\"3\""), OK);
}

static void test_pages(void)
{
    struct arm_page page;
    struct call c;

    begin(&c, "");
    CU_ASSERT_EQUAL(page_read_arm(&c, 100, &page), OK);
    CU_ASSERT_EQUAL(page.top, 100);
    CU_ASSERT_EQUAL(page.limit, 101);
    op_free(&c.op);
    begin(&c, "$top=5&%24skiptoken=L2E&api-version=1");
    CU_ASSERT_EQUAL(page_read_arm(&c, 100, &page), OK);
    CU_ASSERT_EQUAL(page.top, 5);
    CU_ASSERT_STRING_EQUAL(page.last, "/a");
    CU_ASSERT_EQUAL(page_reply(&c, json_new_array(&c.op), "/b"), OK);
    CU_ASSERT_STRING_EQUAL(
        arena_strndup(&c.op.arena, c.reply.parts[0].bytes.data, c.reply.parts[0].bytes.len),
        "{\"value\":[],\"nextLink\":\"https://host:1/subscriptions/s/"
        "resourceGroups?$top=5&api-version=1&%24skiptoken=L2I\"}");
    op_free(&c.op);
    begin(&c, "$top=0");
    CU_ASSERT_EQUAL(page_read_arm(&c, 100, &page), INVALID);
    op_free(&c.op);
    begin(&c, "$top=x");
    CU_ASSERT_EQUAL(page_read_arm(&c, 100, &page), INVALID);
    op_free(&c.op);
    begin(&c, "$skiptoken=!!");
    CU_ASSERT_EQUAL(page_read_arm(&c, 100, &page), INVALID);
    op_free(&c.op);
}

CU_TestInfo api_arm_tests[] = {
    {"errors as Resource Manager writes them", test_dialect      },
    {"If-Match and If-None-Match",             test_preconditions},
    {"pages and their links",                  test_pages        },
    CU_TEST_INFO_NULL,
};
