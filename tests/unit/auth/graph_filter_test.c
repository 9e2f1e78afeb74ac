#include "auth/graph.h"

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

CU_TestInfo auth_graph_filter_tests[] = {
    {"cases", test_cases},
    CU_TEST_INFO_NULL,
};
