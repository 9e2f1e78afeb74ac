#include "web/page.h"

#include <string.h>

#include "tests/unit/unit.h"

static struct page page_on(struct call *c)
{
    struct page p = {.c = c, .op = &c->op};

    text_init(&p.out, &c->op.arena, PAGE_MAX);
    return p;
}

static void test_escaping(void)
{
    static const char hostile[] = "<script>alert(\"1\")</script>&'";
    struct call c = {.query = ""};
    struct page p;

    op_init(&c.op);
    p = page_on(&c);
    page_anchor(&p, "/x?\"><script>", hostile);
    page_cell_state(&p, hostile);
    page_command(&p, hostile, hostile);
    page_time(&p, "2026-11-21T12:00:00\"><script>");
    page_field(&p, hostile, "text", "n", hostile, hostile);
    CU_ASSERT_PTR_NULL(strstr(p.out.data, "<script"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(p.out.data, "&lt;script&gt;alert(\"1\")&lt;/script&gt;&amp;'</a>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(p.out.data, "href=\"/x?&quot;&gt;&lt;script&gt;\""));
    op_free(&c.op);
}

static void test_words(void)
{
    static const struct {
        int64_t n;
        const char *bytes, *count;
    } cases[] = {
        {0,                "0 B",      "0"                    },
        {1023,             "1023 B",   "1,023"                },
        {1024,             "1.0 KiB",  "1,024"                },
        {150 * 1024,       "150 KiB",  "153,600"              },
        {INT64_C(5) << 30, "5.0 GiB",  "5,368,709,120"        },
        {INT64_C(1) << 50, "1024 TiB", "1,125,899,906,842,624"},
    };
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CU_ASSERT_STRING_EQUAL(page_bytes(&op, cases[i].n), cases[i].bytes);
        CU_ASSERT_STRING_EQUAL(page_count(&op, cases[i].n), cases[i].count);
    }
    CU_ASSERT_STRING_EQUAL(page_url(&op, "/a/%s?b=%s", (const char *const[]){"x/y z", "\"&"}),
                           "/a/x%2Fy%20z?b=%22%26");
    CU_ASSERT_STRING_EQUAL(page_of(&op, "/subscriptions/s/x y"), "/console/subscriptions/s/x%20y");
    CU_ASSERT_STRING_EQUAL(shell_word(&op, "a-b_c.d/e:f"), "a-b_c.d/e:f");
    CU_ASSERT_STRING_EQUAL(shell_word(&op, "g(1)"), "'g(1)'");
    CU_ASSERT_STRING_EQUAL(shell_word(&op, "it's; rm -rf $HOME"), "'it'\\''s; rm -rf $HOME'");
    CU_ASSERT_STRING_EQUAL(shell_word(&op, ""), "''");
    op_free(&op);
}

/* Of 250 rows, each third matches: one page of 84, then none. */
static void test_listing(void)
{
    static const struct {
        const char *query;
        size_t shown, total, number;
    } cases[] = {
        {"",                250 < PAGE_ROWS ? 250 : PAGE_ROWS, 250, 0},
        {"page=3",          50,                                250, 2},
        {"page=9",          0,                                 250, 8},
        {"page=-1",         PAGE_ROWS,                         250, 0},
        {"q=FIZZ",          84,                                84,  0},
        {"q=fizz&page=2",   0,                                 84,  1},
        {"q=%3Cnothing%3E", 0,                                 0,   0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct call c = {.query = cases[i].query};
        struct listing l;
        struct page p;
        size_t shown = 0;

        op_init(&c.op);
        p = page_on(&c);
        l = page_listing(&p);
        for (int row = 0; row < 250; row++)
            shown += page_shows(&l, row % 3 == 0 ? "a Fizz row" : "a row");
        CU_ASSERT_EQUAL(shown, cases[i].shown);
        CU_ASSERT_EQUAL(l.total, cases[i].total);
        CU_ASSERT_EQUAL(l.number, cases[i].number);
        page_search(&p, &l, "Name");
        page_pages(&p, &l);
        CU_ASSERT_PTR_NULL(strstr(p.out.data, "<nothing"));
        op_free(&c.op);
    }
}

static void test_marks(void)
{
    static const struct {
        const char *first, *next, *html;
    } cases[] = {
        {NULL, NULL,   ""                                                        },
        {"?a", NULL,   "<a href=\"?a\">Newest</a> </nav>"                        },
        {NULL, "?b&c", "> <a href=\"?b&amp;c\">Older</a></nav>"                  },
        {"?a", "?b",   "<a href=\"?a\">Newest</a> <a href=\"?b\">Older</a></nav>"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct call c = {.query = ""};
        struct page p;

        op_init(&c.op);
        p = page_on(&c);
        page_marks(&p, "Newest", cases[i].first, "Older", cases[i].next);
        CU_ASSERT_EQUAL(p.out.len > 0, *cases[i].html != '\0');
        CU_ASSERT_TRUE(p.out.len == 0 || strstr(p.out.data, cases[i].html));
        op_free(&c.op);
    }
}

static void test_cookies(void)
{
    static const struct {
        const char *header, *value;
    } cases[] = {
        {"sundog-session=abc",                     "abc"},
        {"a=b; sundog-session=abc; c=d",           "abc"},
        {"xsundog-session=no; sundog-session=yes", "yes"},
        {"sundog-session",                         NULL },
        {"a=sundog-session=abc",                   NULL },
        {"",                                       NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct header header = {"cookie", cases[i].header};
        struct call c = {.headers = &header, .n_headers = 1};
        const char *found;

        op_init(&c.op);
        found = cookie_find(&c, SESSION_COOKIE);
        CU_ASSERT_TRUE(found && cases[i].value ? strcmp(found, cases[i].value) == 0
                                               : found == cases[i].value);
        op_free(&c.op);
    }
}

CU_TestInfo web_page_tests[] = {
    {"escaping", test_escaping},
    {"words",    test_words   },
    {"listing",  test_listing },
    {"marks",    test_marks   },
    {"cookies",  test_cookies },
    CU_TEST_INFO_NULL,
};
