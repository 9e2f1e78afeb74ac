#include "web/log_view.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

/* What stands between the pre's tags. */
static const char *shown(struct call *c, const char *log)
{
    static const char mark[] = "aria-label=\"L\">\n";
    struct page p = {.c = c, .op = &c->op};
    char *from, *end;

    text_init(&p.out, &c->op.arena, PAGE_MAX);
    log_view(&p, "L", log);
    from = strstr(p.out.data, mark);
    end = from ? strstr(from, "</pre>") : NULL;
    if (!end)
        return "";
    *end = '\0';
    return from + strlen(mark);
}

static void test_harmless(void)
{
    static const struct {
        const char *log, *shown;
    } cases[] = {
        {"plain\n\ttabbed\n",                      "plain\n\ttabbed\n"                    },
        {"<script>&amp;</pre>\n",                  "&lt;script&gt;&amp;amp;&lt;/pre&gt;\n"},
        {"\x1b[1;31mred\x1b[0m \x1b[2K\x1b[?25lx", "red x"                                },
        {"\x1b]0;title\x07",                       "\u241b]0;title\u2407"                 },
        {"\x1b[",                                  "\u241b["                              },
        {"a\r\nb\rc\b\x7f",                        "a\nb\u240dc\u2408\u2421"              },
        {"\xc2\x9b"
         "31m \xe2\x80\xae"
         "evil\xe2\x81\xa6",              "\ufffd31m \ufffd"
         "evil\ufffd"                                },
        {"\xc3\xa9\xe2\x80\xa6",                   "\xc3\xa9\xe2\x80\xa6"                 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct call c = {0};

        op_init(&c.op);
        CU_ASSERT_STRING_EQUAL(shown(&c, cases[i].log), cases[i].shown);
        op_free(&c.op);
    }
}

static void test_long(void)
{
    struct call c = {0};
    struct text log;
    const char *out;

    op_init(&c.op);
    text_init(&log, &c.op.arena, 1 << 24);
    for (int i = 0; i < 700; i++)
        text_printf(&log, "line %d\n", i);
    out = shown(&c, log.data);
    CU_ASSERT_TRUE(strncmp(out, "line 200\n", 9) == 0);
    CU_ASSERT_STRING_EQUAL(out + strlen(out) - 9, "line 699\n");
    /* lines of 5,000 bytes that are five times as long in HTML */
    text_init(&log, &c.op.arena, 1 << 24);
    for (int i = 0; i < 50; i++) {
        for (int n = 0; n < 5000; n++)
            text_str(&log, "&");
        text_str(&log, "\n");
    }
    out = shown(&c, log.data);
    CU_ASSERT_TRUE(strlen(out) > LOG_VIEW_MAX / 2 && strlen(out) <= LOG_VIEW_MAX);
    CU_ASSERT_EQUAL(strlen(out) % 25001, 0);
    /* one endless line of characters of three bytes: cut between two of them */
    text_init(&log, &c.op.arena, 1 << 24);
    for (int i = 0; i < 100000; i++)
        text_str(&log, "\u20ac");
    out = shown(&c, log.data);
    CU_ASSERT_TRUE(strncmp(out, "\u20ac", 3) == 0 && strlen(out) <= LOG_VIEW_MAX);
    op_free(&c.op);
}

CU_TestInfo web_log_view_tests[] = {
    {"harmless", test_harmless},
    {"long",     test_long    },
    CU_TEST_INFO_NULL,
};
