#include "auth/scope.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct {
    const char *text;
    size_t n;
    const char *name; /* of the first */
    unsigned actions;
} good[] = {
    {"",                                             0, NULL,              0                      },
    {"   ",                                          0, NULL,              0                      },
    {"repository:app:pull",                          1, "app",             SCOPE_PULL             },
    {"repository:team/app:pull,push",                1, "team/app",        SCOPE_PULL | SCOPE_PUSH},
    {"repository:host:5000/app:pull",                1, "host:5000/app",   SCOPE_PULL             },
    {"repository:app:*",                             1, "app",             SCOPE_ALL_REPOSITORY   },
    {"repository:app:metadata_read,deleted_restore", 1, "app",
     SCOPE_METADATA_READ | SCOPE_DELETED_RESTORE                                                  },
    {"repository:app:fly,pull",                      1, "app",             SCOPE_PULL             },
    {"repository:app:",                              1, "app",             0                      },
    {"repository(plugin):app:push",                  1, "app",             SCOPE_PUSH             },
    {"registry:catalog:*",                           1, "catalog",         SCOPE_CATALOG          },
    {"registry:deleted_catalog:*",                   1, "deleted_catalog", SCOPE_DELETED_CATALOG  },
    {"registry:catalog:pull",                        1, "catalog",         0                      },
    {"other:thing:*",                                1, "thing",           0                      },
    {" repository:a:pull  repository:b:push ",       2, "a",               SCOPE_PULL             },
};
static const char *const bad[] = {
    "repository", "repository:a",         "repository::pull",     ":a:pull",
    "(r:a:pull",  "repository:a\"b:pull", "repository:a\tb:pull", "repository:a:pull x"};

static void test_parsing(void)
{
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct scope *scopes;
        struct op op;
        size_t n;

        op_init(&op);
        CU_ASSERT_EQUAL_FATAL(scope_parse(&op, good[i].text, &scopes, &n), OK);
        CU_ASSERT_EQUAL_FATAL(n, good[i].n);
        if (n > 0) {
            CU_ASSERT_STRING_EQUAL(scopes[0].name, good[i].name);
            CU_ASSERT_EQUAL(scopes[0].actions, good[i].actions);
        }
        op_free(&op);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct scope *scopes;
        struct op op;
        size_t n;

        op_init(&op);
        CU_ASSERT_EQUAL(scope_parse(&op, bad[i], &scopes, &n), INVALID);
        op_free(&op);
    }
}

static void test_limits(void)
{
    struct scope *scopes;
    struct text text;
    struct op op;
    size_t n;

    op_init(&op);
    text_init(&text, &op.arena, 65536);
    for (int i = 0; i < 64; i++)
        text_printf(&text, "repository:r%d:pull ", i);
    CU_ASSERT_EQUAL(scope_parse(&op, text.data, &scopes, &n), OK);
    CU_ASSERT_EQUAL(n, 64);
    text_str(&text, "repository:more:pull");
    CU_ASSERT_EQUAL(scope_parse(&op, text.data, &scopes, &n), INVALID);
    while (!text.overflow)
        text_str(&text, "                                        ");
    CU_ASSERT_EQUAL(scope_parse(&op, text.data, &scopes, &n), INVALID);
    op_free(&op);
}

static void test_writing(void)
{
    struct op op;

    op_init(&op);
    CU_ASSERT_STRING_EQUAL(scope_actions_text(&op, SCOPE_PUSH | SCOPE_PULL), "pull,push");
    CU_ASSERT_STRING_EQUAL(scope_actions_text(&op, SCOPE_CATALOG), "*");
    CU_ASSERT_STRING_EQUAL(scope_actions_text(&op, 0), "");
    CU_ASSERT_EQUAL(scope_action_parse("pullx", 4), SCOPE_PULL);
    CU_ASSERT_EQUAL(scope_action_parse("pul", 3), 0);
    op_free(&op);
}

CU_TestInfo auth_scope_tests[] = {
    {"parsing", test_parsing},
    {"limits",  test_limits },
    {"writing", test_writing},
    CU_TEST_INFO_NULL,
};
