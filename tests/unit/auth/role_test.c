#include "auth/role.h"

#include <string.h>

#include "auth/assignment_store.h"
#include "auth/builtin_roles.h"
#include "auth/directory.h"
#include "auth/guid.h"
#include "auth/object.h"
#include "auth/role_store.h"
#include "auth/tenant.h"
#include "core/seal.h"
#include "tests/unit/unit.h"

#define SUB  "/subscriptions/11111111-1111-1111-1111-111111111111"
#define RG   SUB "/resourceGroups/Team"
#define REG  RG "/providers/Microsoft.ContainerRegistry/registries/acme"
#define PULL "Microsoft.ContainerRegistry/registries/pull/read"
#define PUSH "Microsoft.ContainerRegistry/registries/push/write"
#define READ "Microsoft.ContainerRegistry/registries/repositories/content/read"

/* In a transaction that is rolled back; the directory is read from within it. */
static void start(struct op *op)
{
    unit_op(op);
    object_store_start();
    role_store_start();
    assignment_store_start();
    directory_store_start();
    CU_ASSERT_EQUAL_FATAL(db_begin(op), OK);
}

static void end(struct op *op)
{
    unit_op_end(op);
    directory_stop();
}

static struct identity make(struct op *op, enum object_kind kind, const char *name)
{
    struct object_row row = {.kind = kind, .name = name, .enabled = true};
    char app_id[37];

    random_uuid(app_id);
    if (kind == OBJECT_SERVICE_PRINCIPAL)
        row.app_id = app_id;
    if (kind == OBJECT_USER)
        row.upn = name;
    CU_ASSERT_EQUAL_FATAL(object_insert(op, &row), OK);
    return (struct identity){.object_id = row.id};
}

static enum fault assign_with(struct op *op, const struct identity *who, const char *role,
                              const char *scope, const char *condition)
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
    TRY(role_assignment_put(op, &a, "tests", &created));
    return directory_reload(op);
}

static void assign(struct op *op, const struct identity *who, const char *role, const char *scope)
{
    CU_ASSERT_EQUAL_FATAL(assign_with(op, who, role, scope, NULL), OK);
}

static void test_inheritance(void)
{
    struct identity who, other;
    struct op op;

    start(&op);
    who = make(&op, OBJECT_SERVICE_PRINCIPAL, "sp");
    other = make(&op, OBJECT_SERVICE_PRINCIPAL, "other");
    assign(&op, &who, ROLE_ACR_PULL, RG "/");
    CU_ASSERT(role_allows(&op, &who, REG, PULL));
    CU_ASSERT(role_allows(&op, &who,
                          "/SUBSCRIPTIONS/11111111-1111-1111-1111-111111111111/"
                          "resourcegroups/TEAM",
                          PULL));
    CU_ASSERT_FALSE(role_allows(&op, &who, REG, PUSH));
    CU_ASSERT_FALSE(role_allows(&op, &who, SUB, PULL));
    CU_ASSERT_FALSE(role_allows(&op, &who, RG "s", PULL));
    CU_ASSERT_FALSE(role_allows(&op, &other, REG, PULL));
    CU_ASSERT(role_sees(&op, &who, SUB));
    CU_ASSERT(role_sees(&op, &who, REG));
    CU_ASSERT_FALSE(role_sees(&op, &who, SUB "/resourceGroups/other"));
    CU_ASSERT_FALSE(role_sees(&op, &other, "/"));
    end(&op);
}

static void test_not_actions(void)
{
    struct identity contributor, owner;
    struct op op;

    start(&op);
    contributor = make(&op, OBJECT_USER, "c@x");
    owner = make(&op, OBJECT_USER, "o@x");
    assign(&op, &contributor, ROLE_CONTRIBUTOR, "/");
    assign(&op, &owner, ROLE_OWNER, "/");
    CU_ASSERT(role_allows(&op, &contributor, REG, "Microsoft.ContainerRegistry/registries/write"));
    CU_ASSERT_FALSE(
        role_allows(&op, &contributor, REG, "Microsoft.Authorization/roleAssignments/write"));
    CU_ASSERT(role_allows(&op, &owner, "/", "Microsoft.Authorization/roleAssignments/write"));
    /* Owner is a role of the control plane: it has no data actions. */
    CU_ASSERT_FALSE(role_allows_data(&op, &owner, REG, READ, "app"));
    end(&op);
}

static void test_groups(void)
{
    struct identity user, inner, outer;
    struct op op;

    start(&op);
    user = make(&op, OBJECT_USER, "u@x");
    inner = make(&op, OBJECT_GROUP, "inner");
    outer = make(&op, OBJECT_GROUP, "outer");
    CU_ASSERT_EQUAL(link_add(&op, outer.object_id, "member", inner.object_id), OK);
    CU_ASSERT_EQUAL(link_add(&op, inner.object_id, "member", outer.object_id), OK); /* a circle */
    CU_ASSERT_EQUAL(link_add(&op, inner.object_id, "member", user.object_id), OK);
    CU_ASSERT_EQUAL(link_add(&op, inner.object_id, "member", user.object_id), CONFLICT);
    assign(&op, &outer, ROLE_ACR_PUSH, REG);
    CU_ASSERT(role_allows(&op, &user, REG, PUSH));
    CU_ASSERT_EQUAL(link_delete(&op, inner.object_id, "member", user.object_id), OK);
    CU_ASSERT_EQUAL(directory_reload(&op), OK);
    CU_ASSERT_FALSE(role_allows(&op, &user, REG, PUSH));
    end(&op);
}

static void test_repository_condition(void)
{
    static const char condition[] =
        "((!(ActionMatches{'" READ "'})) OR (@Request[Microsoft.ContainerRegistry/registries/"
        "repositories:name] StringStartsWith 'team/'))";
    struct identity who;
    struct op op;

    start(&op);
    who = make(&op, OBJECT_SERVICE_PRINCIPAL, "sp");
    CU_ASSERT_EQUAL(assign_with(&op, &who, "b93aa761-3e63-49ed-ac28-beffa264f7ac", REG, condition),
                    OK);
    CU_ASSERT(role_allows_data(&op, &who, REG, READ, "team/app"));
    CU_ASSERT_FALSE(role_allows_data(&op, &who, REG, READ, "other/app"));
    CU_ASSERT_FALSE(role_allows_data(&op, &who, REG, READ, NULL));
    CU_ASSERT_EQUAL(assign_with(&op, &who, ROLE_READER, REG, "nonsense"), INVALID);
    end(&op);
}

static void test_assignments(void)
{
    struct role_assignment a = {.scope = REG, .role_id = ROLE_READER}, got, *list;
    struct role_filter filter = {.scope = RG};
    struct identity who;
    struct op op;
    bool created;
    size_t n;
    char id[37];

    start(&op);
    who = make(&op, OBJECT_SERVICE_PRINCIPAL, "sp");
    random_uuid(id);
    a.id = id;
    a.principal_id = "00000000-0000-0000-0000-00000000dead";
    CU_ASSERT_EQUAL(role_assignment_put(&op, &a, "me", &created), NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(op.noun, "PrincipalNotFound");
    a.principal_id = who.object_id;
    a.role_id = "00000000-0000-0000-0000-00000000dead";
    CU_ASSERT_EQUAL(role_assignment_put(&op, &a, "me", &created), NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(op.noun, "RoleDefinitionDoesNotExist");
    a.role_id = ROLE_READER;
    CU_ASSERT_EQUAL_FATAL(role_assignment_put(&op, &a, "me", &created), OK);
    CU_ASSERT(created);
    CU_ASSERT_EQUAL(role_assignment_put(&op, &a, "me", &created), OK);
    CU_ASSERT_FALSE(created);
    a.role_id = ROLE_OWNER;
    CU_ASSERT_EQUAL(role_assignment_put(&op, &a, "me", &created), CONFLICT);
    CU_ASSERT_STRING_EQUAL(op.noun, "RoleAssignmentUpdateNotPermitted");
    random_uuid(id);
    a.role_id = ROLE_READER;
    CU_ASSERT_EQUAL(role_assignment_put(&op, &a, "me", &created), CONFLICT);
    CU_ASSERT_STRING_EQUAL(op.noun, "RoleAssignmentExists");

    filter.principal_id = who.object_id;
    CU_ASSERT_EQUAL(role_assignment_list(&op, &filter, &list, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_STRING_EQUAL(list[0].scope, REG);
    CU_ASSERT_STRING_EQUAL(list[0].principal_type, "ServicePrincipal");
    filter.at_scope_only = true;
    CU_ASSERT_EQUAL(role_assignment_list(&op, &filter, &list, &n), OK);
    CU_ASSERT_EQUAL(n, 0);
    filter.scope = REG "/repositories/x";
    CU_ASSERT_EQUAL(role_assignment_list(&op, &filter, &list, &n), OK);
    CU_ASSERT_EQUAL(n, 1);
    filter.exact = true;
    CU_ASSERT_EQUAL(role_assignment_list(&op, &filter, &list, &n), OK);
    CU_ASSERT_EQUAL(n, 0);
    CU_ASSERT_EQUAL(role_assignment_get(&op, RG, list[0].id ? list[0].id : id, &got), NOT_FOUND);
    CU_ASSERT_EQUAL(role_assignment_delete_below(&op, RG), OK);
    filter = (struct role_filter){.scope = "/", .principal_id = who.object_id};
    CU_ASSERT_EQUAL(role_assignment_list(&op, &filter, &list, &n), OK);
    CU_ASSERT_EQUAL(n, 0);
    end(&op);
}

static void test_custom_roles(void)
{
    static const char *const actions[] = {"Microsoft.ContainerRegistry/*/read"}, *const scopes[] = {
                                                                                     SUB};
    struct role_definition role = {.id = "aaaaaaaa-0000-4000-8000-000000000001",
                                   .name = "Looker",
                                   .actions = actions,
                                   .n_actions = 1,
                                   .assignable_scopes = scopes,
                                   .n_assignable_scopes = 1};
    struct role_definition got, *list;
    struct identity who;
    struct op op;
    size_t n;

    start(&op);
    who = make(&op, OBJECT_SERVICE_PRINCIPAL, "sp");
    CU_ASSERT_EQUAL_FATAL(role_definition_put(&op, &role, "me"), OK);
    CU_ASSERT_EQUAL(role_definition_get(&op, role.id, &got), OK);
    CU_ASSERT(got.custom && got.n_actions == 1);
    CU_ASSERT_EQUAL(role_definition_list(&op, RG, &list, &n), OK);
    CU_ASSERT_EQUAL(n, n_builtin_roles + 1);
    CU_ASSERT_EQUAL(role_definition_list(&op, "/subscriptions/other", &list, &n), OK);
    CU_ASSERT_EQUAL(n, n_builtin_roles);
    assign(&op, &who, role.id, REG);
    CU_ASSERT(role_allows(&op, &who, REG, PULL));
    CU_ASSERT_EQUAL(role_definition_delete(&op, role.id), CONFLICT);
    role.name = "Owner";
    CU_ASSERT_EQUAL(role_definition_put(&op, &role, "me"), CONFLICT);
    role.id = ROLE_OWNER;
    CU_ASSERT_EQUAL(role_definition_put(&op, &role, "me"), FORBIDDEN);
    role.id = "x";
    CU_ASSERT_EQUAL(role_definition_put(&op, &role, "me"), INVALID);
    end(&op);
}

static void test_builtin(void)
{
    for (size_t i = 0; i < n_builtin_roles; i++) {
        CU_ASSERT(guid_is(builtin_roles[i].id));
        CU_ASSERT_PTR_EQUAL(builtin_role(builtin_roles[i].id), &builtin_roles[i]);
        CU_ASSERT(builtin_roles[i].n_actions + builtin_roles[i].n_data_actions > 0);
    }
    CU_ASSERT_PTR_NULL(builtin_role("nothing"));
}

static void test_passwords(void)
{
    struct op op;
    char *hash;

    op_init(&op);
    hash = password_hash(&op, "correct horse");
    CU_ASSERT(password_verify(hash, "correct horse"));
    CU_ASSERT_FALSE(password_verify(hash, "correct horsf"));
    CU_ASSERT_FALSE(password_verify("scrypt$x", "correct horse"));
    CU_ASSERT_FALSE(password_verify("", ""));
    op_free(&op);
}

/* The narrowest built-in role, for hints. */
static void test_least(void)
{
    static const struct {
        const char *action;
        bool data;
        const char *role;
    } cases[] = {
        {PULL,                                                    false, "AcrPull"                             },
        {PUSH,                                                    false, "AcrPush"                             },
        {"Microsoft.Resources/subscriptions/resourceGroups/read", false, "Reader"                              },
        {"Microsoft.Authorization/roleAssignments/write",         false,
         "Role Based Access Control Administrator"                                                             },
        {READ,                                                    true,  "Container Registry Repository Reader"},
        {READ,                                                    false, "Reader"                              },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *found = role_least(cases[i].action, cases[i].data);

        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        CU_ASSERT_STRING_EQUAL(found, cases[i].role);
    }
    CU_ASSERT_PTR_NULL(role_least("Nothing/at/all", true));
}

CU_TestInfo auth_role_tests[] = {
    {"inherited downwards only", test_inheritance         },
    {"notActions, data actions", test_not_actions         },
    {"groups in groups",         test_groups              },
    {"repository condition",     test_repository_condition},
    {"assignments",              test_assignments         },
    {"custom roles",             test_custom_roles        },
    {"built-in roles",           test_builtin             },
    {"passwords",                test_passwords           },
    {"the narrowest role",       test_least               },
    CU_TEST_INFO_NULL,
};
