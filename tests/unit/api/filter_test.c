#include "api/filter.h"

#include <string.h>
#include <strings.h>

#include "tests/unit/unit.h"

static const char *value(void *arg, const char *name)
{
    (void)arg;
    if (strcasecmp(name, "name") == 0)
        return "Web1";
    if (strcasecmp(name, "location") == 0)
        return "eastus";
    return strcasecmp(name, "at") == 0 ? "2026-11-20T12:00:00Z" : NULL;
}

enum { YES, NO, WRONG };
static const struct {
    const char *text;
    int result;
} cases[] = {
    {"",                                                    YES  },
    {"  ",                                                  YES  },
    {"name eq 'web1'",                                      YES  },
    {"name ne 'web1'",                                      NO   },
    {"name eq 'web2' or location eq 'eastus'",              YES  },
    {"name eq 'web2' or name eq 'x' and location eq 'y'",   NO   },
    {"(name eq 'web1' or name eq 'x') and location eq 'y'", NO   },
    {"not (name eq 'web2')",                                YES  },
    {"substringof('EB', name)",                             YES  },
    {"startswith(name,'we') and not startswith(name,'x')",  YES  },
    {"tagName eq 'env' and tagValue eq 'prod'",             YES  },
    {"tagname eq 'env' and tagvalue eq 'x'",                NO   },
    {"tagName eq 'other' and tagValue eq 'prod'",           NO   },
    {"missing eq 'x'",                                      NO   },
    {"missing ne 'x'",                                      YES  },
    {"at ge 2026-11-20T00:00:00Z and at lt '2026-11-21'",   YES  },
    {"at gt 2026-12",                                       NO   },
    {"name eq 'it''s'",                                     NO   },
    {"atScope()",                                           YES  },
    {"name",                                                WRONG},
    {"name eq",                                             WRONG},
    {"name eq 'x",                                          WRONG},
    {"name like 'x'",                                       WRONG},
    {"(name eq 'x'",                                        WRONG},
    {"name eq 'x' and",                                     WRONG},
    {"name eq 'x' 'y'",                                     WRONG},
    {"system('x')",                                         WRONG},
    {"substringof('x' name)",                               WRONG},
    {"((((((((((((((((((((((((((((((((((((((((name eq 'x'", WRONG},
};

static void test_cases(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter *filter;
        json_t *tags;
        struct op op;

        op_init(&op);
        tags = json_keep(&op, json_pack("{s:s,s:s}", "Env", "prod", "Other", "x"));
        if (cases[i].result == WRONG) {
            CU_ASSERT_EQUAL(filter_parse(&op, cases[i].text, &filter), INVALID);
            CU_ASSERT_STRING_EQUAL(op.noun, "InvalidFilterInQueryString");
        } else {
            CU_ASSERT_EQUAL_FATAL(filter_parse(&op, cases[i].text, &filter), OK);
            CU_ASSERT_EQUAL(filter_holds(filter, value, NULL, tags), cases[i].result == YES);
        }
        op_free(&op);
    }
}

static void test_needed(void)
{
    static const char *const names[] = {"name", "at", "assignedTo", NULL};
    struct filter *filter;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(
        filter_parse(&op, "at ge 2026 and (NAME eq 'a' and assignedTo('b')) and at le '2027'",
                     &filter),
        OK);
    CU_ASSERT_STRING_EQUAL(filter_equal(filter, "name"), "a");
    CU_ASSERT_STRING_EQUAL(filter_call(filter, "assignedTo"), "b");
    CU_ASSERT_STRING_EQUAL(filter_bound(filter, "at", false), "2026");
    CU_ASSERT_STRING_EQUAL(filter_bound(filter, "at", true), "2027");
    CU_ASSERT_EQUAL(filter_check(&op, filter, names), OK);
    CU_ASSERT_EQUAL(filter_check(&op, filter, names + 1), INVALID);
    CU_ASSERT_EQUAL_FATAL(filter_parse(&op, "name eq 'a' or name eq 'b'", &filter), OK);
    CU_ASSERT_PTR_NULL(filter_equal(filter, "name"));
    op_free(&op);
}

static const struct {
    const char *filter, *contained;
    bool by_tag;
} needs[] = {
    {"substringof('ab',name) or substringof('AB',resourceGroup)",                           "ab", false},
    {"resourceType eq 'x/y' and (substringof('q',name) or substringof('q',resourceGroup))", "q",
     false                                                                                             },
    {"startswith(name,'a') and kind eq 'b'",                                                "a",  false},
    {"NAME eq 'a'",                                                                         "a",  false},
    {"substringof('a',name) or substringof('b',name)",                                      NULL, false},
    {"substringof('a',name) or kind eq 'a'",                                                NULL, false},
    {"not substringof('a',name)",                                                           NULL, false},
    {"name ne 'a'",                                                                         NULL, false},
    {"substringof('a',location)",                                                           NULL, false},
    {"kind eq 'b' or (tagName eq 'a' and tagValue eq 'b')",                                 NULL, true },
    {"",                                                                                    NULL, false},
};

static void test_needs(void)
{
    static const char *const names[] = {"name", "resourceGroup", NULL};

    for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
        struct filter *filter;
        const char *text;
        struct op op;

        op_init(&op);
        CU_ASSERT_EQUAL_FATAL(filter_parse(&op, needs[i].filter, &filter), OK);
        text = filter_contained(filter, names);
        CU_ASSERT((!text && !needs[i].contained) ||
                  (text && needs[i].contained && strcmp(text, needs[i].contained) == 0));
        CU_ASSERT_EQUAL(filter_names(filter, "tagName"), needs[i].by_tag);
        op_free(&op);
    }
}

CU_TestInfo api_filter_tests[] = {
    {"needs",                          test_needs },
    {"filters, good and bad",          test_cases },
    {"what must hold for all to hold", test_needed},
    CU_TEST_INFO_NULL,
};
