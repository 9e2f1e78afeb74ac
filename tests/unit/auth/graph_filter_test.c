#include "auth/graph.h"

#include <strings.h>

#include "tests/unit/unit.h"

static const struct {
    const char *filter;
    int fits; /* -1: not understood */
} cases[] = {
    {NULL,                                                              1 },
    {"",                                                                1 },
    {"displayName eq 'It''s'",                                          1 },
    {"displayName eq 'it''S'",                                          1 },
    {"displayName ne 'x'",                                              1 },
    {"startswith(displayName,'it')",                                    1 },
    {"startswith(displayName, 'x')",                                    0 },
    {"tags/any(t:t eq 'b')",                                            1 },
    {"tags/any(t:t eq 'c')",                                            0 },
    {"web/homePageUrl eq 'u'",                                          1 },
    {"displayName in ('a','It''s')",                                    1 },
    {"displayName in ('a')",                                            0 },
    {"accountEnabled eq true",                                          1 },
    {"accountEnabled eq false",                                         0 },
    {"mail eq null and nothing eq null",                                1 },
    {"displayName eq 'x' or accountEnabled eq true",                    1 },
    {"displayName eq 'x' and accountEnabled eq true or mail eq null",   1 },
    {"displayName eq 'x' and (accountEnabled eq true or mail eq null)", 0 },
    {"not (displayName eq 'x')",                                        1 },
    {"NOT displayName EQ 'x'",                                          1 },
    {"displayName eq",                                                  -1},
    {"displayName eq 'x",                                               -1},
    {"displayName like 'x'",                                            -1},
    {"(displayName eq 'x'",                                             -1},
    {"displayName eq 'x') ",                                            -1},
    {"startswith(displayName)",                                         -1},
    {"tags/any(t:t ne 'b')",                                            -1},
    {"displayName in ()",                                               -1},
    {"eq 'x'",                                                          -1},
};

static void test_cases(void)
{
    json_t *object =
        json_pack("{s:s, s:b, s:n, s:[s, s], s:{s:s}}", "displayName", "It's", "accountEnabled", 1,
                  "mail", "tags", "a", "b", "web", "homePageUrl", "u");

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct op op;
        bool fits = false;
        int said;

        op_init(&op);
        said = graph_filter(&op, cases[i].filter, object, &fits) == OK ? fits : -1;
        if (said != cases[i].fits)
            fprintf(stderr, "%s: %d\n", cases[i].filter, said);
        CU_ASSERT_EQUAL(said, cases[i].fits);
        op_free(&op);
    }
    json_decref(object);
}

#define APP "0b1c2d3e-0000-4000-8000-00000000ABCD"

static const struct {
    const char *filter, *name, *upn, *app;
} narrowed[] = {
    {"startswith(displayName,'It''s %_')",  "It's %_", NULL,  NULL},
    {" startsWith ( displayName , 'a' ) ",  "a",       NULL,  NULL},
    {"displayName eq 'x'",                  "x",       NULL,  NULL},
    {"displayName EQ 'x' ",                 "x",       NULL,  NULL},
    {"userPrincipalName eq 'a@b'",          NULL,      "a@b", NULL},
    {"appId eq '" APP "'",                  NULL,      NULL,  APP },
    {"appId eq 'x'",                        NULL,      NULL,  NULL},
    {"displayName ne 'x'",                  NULL,      NULL,  NULL},
    {"displayName in ('x')",                NULL,      NULL,  NULL},
    {"not displayName eq 'x'",              NULL,      NULL,  NULL},
    {"displayName eq 'x' or mail eq null",  NULL,      NULL,  NULL},
    {"displayName eq null",                 NULL,      NULL,  NULL},
    {"startswith(userPrincipalName,'x')",   NULL,      NULL,  NULL},
    {"startswith(displayName,'x') or true", NULL,      NULL,  NULL},
    {"startswith(displayName,'x'",          NULL,      NULL,  NULL},
    {"web/displayName eq 'x'",              NULL,      NULL,  NULL},
    {"",                                    NULL,      NULL,  NULL},
    {NULL,                                  NULL,      NULL,  NULL},
};

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcasecmp(a, b) == 0 : a == b;
}

static void test_narrow(void)
{
    for (size_t i = 0; i < ARRAY_LEN(narrowed); i++) {
        struct object_filter f = {0};
        struct op op;

        op_init(&op);
        graph_filter_narrow(&op, narrowed[i].filter, &f);
        if (!is_same(f.name_begins, narrowed[i].name))
            fprintf(stderr, "%s: %s\n", narrowed[i].filter, f.name_begins);
        CU_ASSERT(is_same(f.name_begins, narrowed[i].name));
        CU_ASSERT(is_same(f.upn, narrowed[i].upn));
        CU_ASSERT(is_same(f.app_id, narrowed[i].app));
        op_free(&op);
    }
}

CU_TestInfo auth_graph_filter_tests[] = {
    {"cases",  test_cases },
    {"narrow", test_narrow},
    CU_TEST_INFO_NULL,
};
