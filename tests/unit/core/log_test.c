#include "core/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char *read_log(struct op *op, const char *path)
{
    char *text = arena_alloc(&op->arena, 65536);
    FILE *in = fopen(path, "r");

    if (in) {
        text[fread(text, 1, 65535, in)] = '\0';
        fclose(in);
    }
    return text;
}

static const struct {
    const char *value, *quoted;
} values[] = {
    {"plain",            "plain"                  },
    {"/v2/a:b",          "/v2/a:b"                },
    {"",                 "\"\""                   },
    {"two words",        "\"two words\""          },
    {"a=b",              "\"a=b\""                },
    {"say \"hi\"\\",     "\"say \\\"hi\\\"\\\\\"" },
    {"line\nmsg=forged", "\"line\\x0amsg=forged\""},
    {"\x1b[31m",         "\"\\x1b[31m\""          },
};

static void test_quoting(void)
{
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        CU_ASSERT_STRING_EQUAL(log_quote(&op.arena, values[i].value), values[i].quoted);
    }
    op_free(&op);
}

static void test_lines(void)
{
    struct call c = {.method = GET,
                     .path = "/v2/a b",
                     .target = "/v2/a%20b?secret=x",
                     .host = "h",
                     .client = "127.0.0.1",
                     .id = "id-1",
                     .reply.status = 404,
                     .op.fault = NOT_FOUND,
                     .op.message = "no such thing"};
    const char *path, *text;
    struct op op;

    op_init(&op);
    path = arena_printf(&op.arena, "%s/test.log", unit_folder());
    log_open(path, "info");
    log_event(LOG_DEBUG_, "not seen", "%s", "");
    log_event(LOG_INFO_, "two words", "n=%d", 7);
    log_call(&c);
    log_flush();
    text = read_log(&op, path);
    CU_ASSERT_PTR_NULL(strstr(text, "not seen"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "level=info msg=\"two words\" n=7\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "method=GET host=h path=\"/v2/a b\" status=404"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "fault=not_found") ? text : strstr(text, "reason="));
    CU_ASSERT_PTR_NULL(strstr(text, "secret=x"));
    log_open(path, "debug");
    c.target = "/t?service=s&pass%77ord=hidden1&n=2&token=hidden2&_state=&hidden3=x&flag";
    log_call(&c);
    log_flush();
    text = read_log(&op, path);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "path=\"/t?service=s&pass%77ord=*&n=2&token=*&_state=*&hidden3=*&flag\""));
    CU_ASSERT_PTR_NULL(strstr(text, "hidden1"));
    CU_ASSERT_PTR_NULL(strstr(text, "hidden2"));
    rename(path, arena_printf(&op.arena, "%s.1", path));
    log_reopen();
    log_event(LOG_WARN_, "after rotation", "%s", "");
    text = read_log(&op, path);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "after rotation"));
    CU_ASSERT_PTR_NULL(strstr(text, "two words"));
    op_free(&op);
}

CU_TestInfo core_log_tests[] = {
    {"quoting", test_quoting},
    {"lines",   test_lines  },
    CU_TEST_INFO_NULL,
};
