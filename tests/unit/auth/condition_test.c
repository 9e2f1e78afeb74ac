#include "auth/condition.h"

#include <string.h>

#include "auth/glob.h"
#include "tests/unit/unit.h"

#define NAME    "@Request[Microsoft.ContainerRegistry/registries/repositories:name]"
#define CONTENT "Microsoft.ContainerRegistry/registries/repositories/content/read"

/* The form the portal writes for "pull from hello-world only". */
#define PUBLISHED(compare)                                                                         \
    "((!(ActionMatches{'" CONTENT "'}) AND !(ActionMatches{'Microsoft.ContainerRegistry/"          \
    "registries/repositories/metadata/read'})) OR (" NAME " " compare "))"

static const struct {
    const char *condition, *action, *repository;
    int holds; /* -1: not understood */
} cases[] = {
    {PUBLISHED("StringEqualsIgnoreCase 'hello-world'"),                CONTENT,      "Hello-World",  1 },
    {PUBLISHED("StringEqualsIgnoreCase 'hello-world'"),                CONTENT,      "hello-worlds", 0 },
    {PUBLISHED("StringEqualsIgnoreCase 'hello-world'"),                CONTENT,      NULL,           0 },
    {PUBLISHED("StringEqualsIgnoreCase 'hello-world'"),                "Other/read", NULL,           1 },
    {PUBLISHED("StringEquals 'a'"),                                    CONTENT,      "A",            0 },
    {PUBLISHED("StringStartsWith 'team/'"),                            CONTENT,      "team/x",       1 },
    {PUBLISHED("StringStartsWith 'team/'"),                            CONTENT,      "teams/x",      0 },
    {PUBLISHED("StringLike 'team-?/*'"),                               CONTENT,      "team-a/b/c",   1 },
    {PUBLISHED("StringLike 'team-?/*'"),                               CONTENT,      "team-/b",      0 },
    {PUBLISHED("StringNotEquals 'a'"),                                 CONTENT,      "b",            1 },
    {PUBLISHED("StringNotEquals 'a'"),                                 CONTENT,      NULL,           0 },
    {PUBLISHED("ForAnyOfAnyValues:StringEqualsIgnoreCase {'a', 'b'}"), CONTENT,      "B",            1 },
    {PUBLISHED("ForAnyOfAnyValues:StringEqualsIgnoreCase {'a', 'b'}"), CONTENT,      "c",            0 },
    {PUBLISHED("ForAllOfAnyValues:StringNotLike {'a*', 'b*'}"),        CONTENT,      "c",            1 },
    {PUBLISHED("ForAllOfAnyValues:StringNotLike {'a*', 'b*'}"),        CONTENT,      "bx",           0 },
    {"NOT ActionMatches{'x/*'}",                                       "y/z",        NULL,           1 },
    {"!!ActionMatches{'x/*'} && ActionMatches{'*/Z'}",                 "X/z",        NULL,           1 },
    {"ActionMatches{'a'} || ActionMatches{'b'}",                       "b",          NULL,           1 },
    {NAME " StringEquals 'it''s'",                                     "x",          "it's",         1 },
    {"",                                                               "x",          NULL,           -1},
    {"(ActionMatches{'a'}",                                            "x",          NULL,           -1},
    {"ActionMatches{'a'} ORDER",                                       "x",          NULL,           -1},
    {"ActionMatches{'a'}}",                                            "x",          NULL,           -1},
    {"ActionMatches{'a}",                                              "x",          NULL,           -1},
    {NAME " NumericEquals 3",                                          "x",          NULL,           -1},
    {NAME " StringEquals {'a'}",                                       "x",          NULL,           -1},
    {"@Resource[Microsoft.Storage/x:name] StringEquals 'a'",           "x",          NULL,           -1},
    {"SubOperationMatches{'a'}",                                       "x",          NULL,           -1},
};

static void test_cases(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct condition *condition = NULL;
        struct op op;
        int holds = -1;

        op_init(&op);
        if (condition_parse(&op, cases[i].condition, &condition) == OK)
            holds = condition_holds(condition, cases[i].action, cases[i].repository);
        if (holds != cases[i].holds)
            fprintf(stderr, "case %zu: %s\n", i, cases[i].condition);
        CU_ASSERT_EQUAL(holds, cases[i].holds);
        op_free(&op);
    }
}

static void test_limits(void)
{
    const struct condition *condition;
    struct text deep;
    struct op op;

    op_init(&op);
    text_init(&deep, &op.arena, 20000);
    for (int i = 0; i < 100; i++)
        text_str(&deep, "(");
    CU_ASSERT_EQUAL(condition_parse(&op, deep.data, &condition), INVALID);
    for (int i = 0; i < 9000; i++)
        text_str(&deep, " ");
    CU_ASSERT_EQUAL(condition_parse(&op, deep.data, &condition), INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "longer"));
    op_free(&op);
}

static const struct {
    const char *pattern, *text;
    bool matches;
} globs[] = {
    {"*",               "anything/at/all",     true },
    {"*/read",          "Microsoft.X/a/READ",  true },
    {"*/read",          "Microsoft.X/a/write", false},
    {"Microsoft.A/*/b", "microsoft.a/x/y/b",   true },
    {"Microsoft.A/*/b", "microsoft.a/b",       false},
    {"a*b*c",           "abxbxc",              true },
    {"a*b*c",           "abxbx",               false},
    {"",                "",                    true },
    {"?",               "x",                   false},
};

static void test_glob(void)
{
    for (size_t i = 0; i < ARRAY_LEN(globs); i++) {
        CU_ASSERT_EQUAL(glob_match(globs[i].pattern, globs[i].text, true, false), globs[i].matches);
    }
    CU_ASSERT(scope_contains("", "/subscriptions/s"));
    CU_ASSERT(scope_contains("/subscriptions/s", "/SUBSCRIPTIONS/S/resourceGroups/g"));
    CU_ASSERT_FALSE(scope_contains("/subscriptions/s", "/subscriptions/sx"));
    CU_ASSERT_FALSE(scope_contains("/subscriptions/s/resourcegroups/g", "/subscriptions/s"));
}

CU_TestInfo auth_condition_tests[] = {
    {"published and other forms", test_cases },
    {"limits",                    test_limits},
    {"patterns and scopes",       test_glob  },
    CU_TEST_INFO_NULL,
};
