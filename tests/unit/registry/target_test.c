#include "registry/target.h"

#include "tests/unit/unit.h"

static const struct {
    const char *host, *name;
    enum fault fault;
    const char *registry, *repository;
} cases[] = {
    {"localhost:8480",                "sundog/app",      OK,      "sundog", "app"     },
    {"127.0.0.1",                     "sundog/team/app", OK,      "sundog", "team/app"},
    {"[::1]:8480",                    "sundog/app",      OK,      "sundog", "app"     },
    {"localhost:8480",                "sundog",          OK,      "sundog", NULL      },
    {"localhost:8480",                NULL,              OK,      NULL,     NULL      },
    {"localhost:8480",                "sun/app",         INVALID, NULL,     NULL      }, /* too short for a registry */
    {"localhost:8480",                "sundog/App",      INVALID, NULL,     NULL      },
    {"sundog.azurecr.localhost:8443", "team/app",        OK,      "sundog", "team/app"},
    {"Sundog.AzureCR.io",             "app",             OK,      "Sundog", "app"     },
    {"sundog.azurecr.io",             NULL,              OK,      "sundog", NULL      },
    {".azurecr.io",                   "sundog/app",      OK,      "sundog", "app"     }, /* no label: an ordinary host */
    {"sundog.azurecr.io",             "a//b",            INVALID, NULL,     NULL      },
};

static void same(const char *a, const char *b)
{
    if (a && b) {
        CU_ASSERT_STRING_EQUAL(a, b);
    } else {
        CU_ASSERT_PTR_EQUAL(a, b);
    }
}

static void test_cases(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct target target = {0};
        struct op op;

        op_init(&op);
        CU_ASSERT_EQUAL(target_find(&op, cases[i].host, cases[i].name, &target), cases[i].fault);
        if (cases[i].fault == OK) {
            same(target.registry_name, cases[i].registry);
            same(target.repository, cases[i].repository);
        } else {
            CU_ASSERT_STRING_EQUAL(op.noun, "name");
        }
        op_free(&op);
    }
}

CU_TestInfo registry_target_tests[] = {
    {"cases", test_cases},
    CU_TEST_INFO_NULL,
};
