#include "registry/principal.h"

#include <string.h>

#include "auth/assignment_store.h"
#include "auth/directory.h"
#include "auth/object.h"
#include "auth/role.h"
#include "auth/role_store.h"
#include "core/seal.h"
#include "tests/unit/unit.h"

#define RG                "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/team"
#define REG               RG "/providers/Microsoft.ContainerRegistry/registries/acme"
#define REPOSITORY_READER "b93aa761-3e63-49ed-ac28-beffa264f7ac"
#define ALL               (SCOPE_ALL_REPOSITORY | SCOPE_CATALOG)
#define READ              "Microsoft.ContainerRegistry/registries/repositories/content/read"

static struct identity begin(struct op *op)
{
    struct object_row row = {.kind = OBJECT_SERVICE_PRINCIPAL, .name = "sp", .enabled = true};
    char app_id[37];

    unit_op(op);
    object_store_start();
    role_store_start();
    assignment_store_start();
    directory_store_start();
    CU_ASSERT_EQUAL_FATAL(db_begin(op), OK);
    random_uuid(app_id);
    row.app_id = app_id;
    CU_ASSERT_EQUAL_FATAL(object_insert(op, &row), OK);
    return (struct identity){.object_id = row.id};
}

static void assign(struct op *op, const struct identity *who, const char *role, const char *scope,
                   const char *condition)
{
    struct role_assignment a = {.scope = scope,
                                .role_id = role,
                                .principal_id = who->object_id,
                                .condition = condition,
                                .condition_version = condition ? "2.0" : NULL};
    bool created;
    char id[37];

    random_uuid(id);
    a.id = id;
    CU_ASSERT_EQUAL_FATAL(role_assignment_put(op, &a, "tests", &created), OK);
    CU_ASSERT_EQUAL_FATAL(directory_reload(op), OK);
}

/* What each of Azure's roles is worth, with the registry in either mode. */
static void test_roles(void)
{
    static const struct {
        const char *role, *scope;
        bool abac;
        unsigned app, other, catalog; /* on team/app, on other, on the registry itself */
    } cases[] = {
        {ROLE_ACR_PULL,     REG,                          false, SCOPE_PULL | SCOPE_METADATA_READ,
         SCOPE_PULL | SCOPE_METADATA_READ,                                                                       SCOPE_CATALOG},
        {ROLE_ACR_PUSH,     RG,                           false,
         SCOPE_PULL | SCOPE_PUSH | SCOPE_METADATA_READ | SCOPE_METADATA_WRITE,
         SCOPE_PULL | SCOPE_PUSH | SCOPE_METADATA_READ | SCOPE_METADATA_WRITE,                                   SCOPE_CATALOG},
        {ROLE_ACR_DELETE,   REG,                          false, SCOPE_DELETE,                     SCOPE_DELETE, 0            },
        {ROLE_ACR_PULL,     REG "/repositories/team/app", false, SCOPE_PULL | SCOPE_METADATA_READ, 0,
         0                                                                                                                    },
        {ROLE_ACR_PULL,     REG "2",                      false, 0,                                0,            0            },
        {ROLE_OWNER,        RG,                           false,
         SCOPE_PULL | SCOPE_PUSH | SCOPE_DELETE | SCOPE_METADATA_READ | SCOPE_METADATA_WRITE,
         SCOPE_PULL | SCOPE_PUSH | SCOPE_DELETE | SCOPE_METADATA_READ | SCOPE_METADATA_WRITE,
         SCOPE_CATALOG                                                                                                        },
        {REPOSITORY_READER, REG,                          false, 0,                                0,            0            },
        {ROLE_ACR_PULL,     REG,                          true,  0,                                0,            0            }, /* the old roles give nothing any more */
        {ROLE_OWNER,        RG,                           true,  0,                                0,            0            },
        {REPOSITORY_READER, REG,                          true,  SCOPE_PULL | SCOPE_METADATA_READ,
         SCOPE_PULL | SCOPE_METADATA_READ,                                                                       0            },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct registry registry = {.id = 1, .name = "acme", .scope = REG};
        struct principal principal = {.kind = PRINCIPAL_ENTRA};
        struct identity who;
        struct op op;

        who = begin(&op);
        principal.identity = &who;
        registry.options.abac = cases[i].abac;
        assign(&op, &who, cases[i].role, cases[i].scope, NULL);
        CU_ASSERT_EQUAL(principal_rights(&op, &principal, &registry, "team/app", ALL),
                        cases[i].app);
        CU_ASSERT_EQUAL(principal_rights(&op, &principal, &registry, "other", ALL), cases[i].other);
        CU_ASSERT_EQUAL(principal_rights(&op, &principal, &registry, NULL, ALL), cases[i].catalog);
        registry.scope = NULL;
        CU_ASSERT_EQUAL(principal_rights(&op, &principal, &registry, "team/app", ALL), 0);
        unit_op_end(&op);
        directory_stop();
    }
}

static void test_condition(void)
{
    static const char condition[] =
        "((!(ActionMatches{'" READ "'})) OR (@Request[Microsoft.ContainerRegistry/registries/"
        "repositories:name] StringStartsWith 'team/'))";
    struct registry registry = {.id = 1, .name = "acme", .scope = REG, .options = {.abac = true}};
    struct principal principal = {.kind = PRINCIPAL_ENTRA};
    struct identity who;
    struct op op;

    who = begin(&op);
    principal.identity = &who;
    assign(&op, &who, REPOSITORY_READER, REG, condition);
    CU_ASSERT_EQUAL(principal_rights(&op, &principal, &registry, "team/app", SCOPE_PULL),
                    SCOPE_PULL);
    CU_ASSERT_EQUAL(principal_rights(&op, &principal, &registry, "other", SCOPE_PULL), 0);
    principal.by_arm_token = true; /* which this registry does not take */
    CU_ASSERT_EQUAL(principal_rights(&op, &principal, &registry, "team/app", SCOPE_PULL), 0);
    registry.options.arm_tokens = true;
    CU_ASSERT_EQUAL(principal_rights(&op, &principal, &registry, "team/app", SCOPE_PULL),
                    SCOPE_PULL);
    CU_ASSERT_FALSE(principal_may_quarantine(&op, &principal, &registry, false));
    unit_op_end(&op);
    directory_stop();
}

static void test_others(void)
{
    static const char *const actions[] = {"repositories/app/content/read"};
    struct token_rights token = {.actions = actions, .n_actions = 1};
    struct registry registry = {.id = 1, .name = "acme", .options = {.admin_enabled = true}};
    struct principal admin = {.kind = PRINCIPAL_ADMIN, .registry_id = 1},
                     robot = {.kind = PRINCIPAL_TOKEN, .registry_id = 1, .token = &token},
                     nobody = {.kind = PRINCIPAL_ANONYMOUS};
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(principal_rights(&op, &admin, &registry, "app", ALL), SCOPE_ALL_REPOSITORY);
    CU_ASSERT_EQUAL(principal_rights(&op, &robot, &registry, "app", ALL), SCOPE_PULL);
    CU_ASSERT_EQUAL(principal_rights(&op, &robot, &registry, "app2", ALL), 0);
    principal_mend(&op, &robot, &registry, "app2", SCOPE_PULL);
    CU_ASSERT_PTR_NULL(op.mend); /* nobody traces */
    CU_ASSERT_EQUAL(principal_rights(&op, &nobody, &registry, "app", ALL), 0);
    registry.id = 2;
    CU_ASSERT_EQUAL(principal_rights(&op, &admin, &registry, "app", ALL), 0);
    CU_ASSERT_EQUAL(principal_rights(&op, &robot, &registry, "app", ALL), 0);
    registry.options.anonymous_pull = true;
    CU_ASSERT_EQUAL(principal_rights(&op, &nobody, &registry, "app", ALL),
                    SCOPE_PULL | SCOPE_METADATA_READ);
    CU_ASSERT_EQUAL(principal_rights(&op, &nobody, &registry, NULL, ALL), 0);
    CU_ASSERT_EQUAL(principal_rights(&op, &admin, NULL, "app", ALL), 0);
    op_free(&op);
}

CU_TestInfo registry_principal_tests[] = {
    {"what roles are worth here",        test_roles    },
    {"conditions name repositories",     test_condition},
    {"admin, repository tokens, nobody", test_others   },
    CU_TEST_INFO_NULL,
};
