#include "api/continuous_deployment.h"

#include <string.h>

#include "tests/unit/unit.h"

#define G     "/subscriptions/s/resourceGroups/"
#define ACI   "/providers/Microsoft.ContainerInstance/containerGroups/"
#define AKS   "/providers/Microsoft.ContainerService/managedClusters/"
#define ROLLS "/namespaces/dev/deployments/web"

static const struct {
    const char *path, *id, *ns, *name; /* id NULL: no place */
} cases[] = {
    {G "g" ACI "app",                                                     G "g" ACI "app",          NULL,  NULL         },
    {G "namespaces" ACI "app",                                            G "namespaces" ACI "app", NULL,  NULL         },
    {G "g" ACI "deployments",                                             G "g" ACI "deployments",  NULL,  NULL         },
    {G "g" AKS "c" ROLLS,                                                 G "g" AKS "c",            "dev", "web"        },
    {G "g" AKS "c/Namespaces/dev/Deployments/web",                        G "g" AKS "c",            "dev", "web"        },
    {G "namespaces" AKS "c" ROLLS,                                        G "namespaces" AKS "c",   "dev", "web"        },
    {G "g" AKS "namespaces/namespaces/providers/deployments/deployments", G "g" AKS "namespaces",
     "providers",                                                                                          "deployments"},
    {G "g" AKS "c",                                                       NULL,                     NULL,  NULL         },
    {G "g" AKS "c/namespaces/dev",                                        NULL,                     NULL,  NULL         },
    {G "g" AKS "c/namespaces/dev/deployments",                            NULL,                     NULL,  NULL         },
    {G "g" AKS "c/namespaces/dev/statefulsets/web",                       NULL,                     NULL,  NULL         },
    {G "g" AKS "c/namespaces/Dev_/deployments/web",                       NULL,                     NULL,  NULL         },
    {G "g" AKS "c" ROLLS "/",                                             NULL,                     NULL,  NULL         },
    {G "g" AKS "c" ROLLS "/x/y",                                          NULL,                     NULL,  NULL         },
    {G "g" ACI "app" ROLLS,                                               NULL,                     NULL,  NULL         },
    {G "g",                                                               NULL,                     NULL,  NULL         },
    {"https://example.org/namespaces/a/deployments/b",                    NULL,                     NULL,  NULL         },
    {"",                                                                  NULL,                     NULL,  NULL         },
};

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void test_places(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct deployment_place place = {0};
        struct op op;
        enum fault fault;

        op_init(&op);
        fault = continuous_deployment_place(&op, cases[i].path, &place);
        CU_ASSERT_EQUAL(fault, cases[i].id ? OK : INVALID);
        CU_ASSERT(same(place.id, cases[i].id) && same(place.ns, cases[i].ns) &&
                  same(place.name, cases[i].name));
        op_free(&op);
    }
}

CU_TestInfo api_continuous_deployment_tests[] = {
    {"paths of what runs images", test_places},
    CU_TEST_INFO_NULL,
};
