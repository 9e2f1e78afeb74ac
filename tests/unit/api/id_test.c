#include "api/id.h"

#include <string.h>

#include "tests/unit/unit.h"

#define S   "/subscriptions/AAAA"
#define G   S "/resourceGroups/Rg1"
#define ACR G "/providers/Microsoft.ContainerRegistry"

static const struct {
    const char *path, *id, *group, *full_type, *names, *parent, *scope, *rest;
} cases[] = {
    {"/",                                                                                           "/",                                    NULL,  NULL,                                      NULL,      "/",                 "/",                                       NULL             },
    {"/tenants",                                                                                    "/",                                    NULL,  NULL,                                      NULL,      "/",                 "/",                                       "tenants"        },
    {"/subscriptions",                                                                              "/",                                    NULL,  NULL,                                      NULL,      "/",                 "/",                                       "subscriptions"  },
    {S,                                                                                             S,                                      NULL,  NULL,                                      NULL,      "/",                 S,                                         NULL             },
    {S "/resourcegroups",                                                                           S,                                      NULL,  NULL,                                      NULL,      "/",                 S,                                         "resourcegroups" },
    {G,                                                                                             G,                                      "Rg1", NULL,                                      NULL,      S,                   G,                                         NULL             },
    {G "/",                                                                                         G,                                      "Rg1", NULL,                                      NULL,      S,                   G,                                         NULL             },
    {G "/moveResources",                                                                            G,                                      "Rg1", NULL,                                      NULL,      S,                   G,                                         "moveResources"  },
    {"/subscriptions//AAAA//resourceGroups/Rg1",                                                    G,                                      "Rg1", NULL,                                      NULL,      S,                   G,                                         NULL             },
    {ACR "/registries",                                                                             ACR,                                    "Rg1", NULL,                                      NULL,      G,                   G,                                         "registries"     },
    {ACR "/registries/r",                                                                           ACR "/registries/r",                    "Rg1", "Microsoft.ContainerRegistry/registries",  "r",
     G,                                                                                                                                                                                                                       G,                                         NULL             },
    {ACR "/registries/r/listCredentials",                                                           ACR "/registries/r",                    "Rg1",
     "Microsoft.ContainerRegistry/registries",                                                                                                                                                "r",       G,                   G,                                         "listCredentials"},
    {ACR "/registries/r/webhooks/w",                                                                ACR "/registries/r/webhooks/w",         "Rg1",
     "Microsoft.ContainerRegistry/registries/webhooks",                                                                                                                                       "r/w",     ACR "/registries/r", G,                                         NULL             },
    {ACR "/registries/r/providers/Microsoft.Authorization/locks/l",
     ACR "/registries/r/providers/Microsoft.Authorization/locks/l",                                                                         "Rg1",
     "Microsoft.Authorization/locks",                                                                                                                                                         "l",       ACR "/registries/r", ACR "/registries/r",                       NULL             },
    {G "/providers/Microsoft.Authorization/locks",                                                  G "/providers/Microsoft.Authorization", "Rg1",
     NULL,                                                                                                                                                                                    NULL,      G,                   G,                                         "locks"          },
    {"/providers/Microsoft.Authorization/roleDefinitions/x",
     "/providers/Microsoft.Authorization/roleDefinitions/x",                                                                                NULL,
     "Microsoft.Authorization/roleDefinitions",                                                                                                                                               "x",       "/",                 "/",                                       NULL             },
    {ACR "/registries/r/repositories/a/b/c",                                                        ACR "/registries/r/repositories/a/b/c", "Rg1",
     "Microsoft.ContainerRegistry/registries/repositories",                                                                                                                                   "r/a/b/c", ACR "/registries/r", G,
     NULL                                                                                                                                                                                                                                                                                 },
    {ACR "/registries/r/repositories/team/app/providers/Microsoft.Authorization/roleAssignments/x",
     ACR "/registries/r/repositories/team/app/providers/Microsoft.Authorization/roleAssignments/x",
     "Rg1",                                                                                                                                        "Microsoft.Authorization/roleAssignments", "x",
     ACR "/registries/r/repositories/team/app",                                                                                                                                                                               ACR "/registries/r/repositories/team/app", NULL             },
    {S "/tagNames/a/tagValues/b",                                                                   S "/tagNames/a/tagValues/b",            NULL,  NULL,                                      NULL,      "/",
     S "/tagNames/a/tagValues/b",                                                                                                                                                                                                                                        NULL             },
    {S "/providers/Microsoft.X/register",                                                           S "/providers/Microsoft.X",             NULL,  NULL,                                      NULL,      S,                   S,
     "register"                                                                                                                                                                                                                                                                           },
};

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void test_parse(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct resource_id id;
        struct op op;

        op_init(&op);
        CU_ASSERT_EQUAL_FATAL(resource_id_parse(&op, cases[i].path, &id), OK);
        CU_ASSERT_STRING_EQUAL(id.path, cases[i].id);
        CU_ASSERT_STRING_EQUAL(id.key, id_lower(&op, cases[i].id));
        CU_ASSERT(same(id.group, cases[i].group));
        CU_ASSERT(same(id.full_type, cases[i].full_type));
        CU_ASSERT(same(id.names, cases[i].full_type ? cases[i].names : NULL));
        CU_ASSERT_STRING_EQUAL(id.parent, cases[i].parent);
        CU_ASSERT_STRING_EQUAL(id.scope, cases[i].scope);
        CU_ASSERT(same(id.rest, cases[i].rest));
        op_free(&op);
    }
}

static void test_limits(void)
{
    struct resource_id id;
    struct text path;
    struct op op;

    op_init(&op);
    text_init(&path, &op.arena, 10000);
    for (int i = 0; i < 100; i++)
        text_str(&path, "/a");
    CU_ASSERT_EQUAL(resource_id_parse(&op, path.data, &id), INVALID);
    for (int i = 0; i < 2000; i++)
        text_str(&path, "a");
    CU_ASSERT_EQUAL(resource_id_parse(&op, path.data, &id), INVALID);
    CU_ASSERT_EQUAL(
        resource_id_parse(&op, S "/tagNames/x/providers/Microsoft.Authorization/locks/l", &id),
        INVALID);
    CU_ASSERT_EQUAL(resource_id_parse(&op, S "/providers", &id), OK);
    op_free(&op);
}

static void test_within(void)
{
    CU_ASSERT(id_is_within("/a/b", "/"));
    CU_ASSERT(id_is_within("/a/b", "/a"));
    CU_ASSERT(id_is_within("/a/b", "/a/b"));
    CU_ASSERT(!id_is_within("/a/bc", "/a/b"));
    CU_ASSERT(!id_is_within("/a", "/a/b"));
}

CU_TestInfo api_id_tests[] = {
    {"ids of every shape",       test_parse },
    {"ids too long or too deep", test_limits},
    {"an id within another",     test_within},
    CU_TEST_INFO_NULL,
};
