#include "registry/scope_map.h"

#include <string.h>

#include "auth/scope.h"
#include "registry/registry_token.h"
#include "tests/unit/registry/store.h"

static void test_actions(void)
{
    static const struct {
        const char *action;
        bool valid;
    } cases[] = {
        {"repositories/app/content/read",       true },
        {"repositories/team/app/content/write", true },
        {"repositories/team/*/metadata/read",   true },
        {"repositories/team-*/content/delete",  true },
        {"repositories/*/metadata/write",       true },
        {"gateway/edge1/config/read",           true },
        {"gateway/edge1/message/write",         true },
        {"repositories/app/content/list",       false},
        {"repositories//content/read",          false},
        {"repositories/Te*am/content/read",     false},
        {"repositories/UPPER/content/read",     false},
        {"repositories/app",                    false},
        {"gateway/a/b/config/read",             false},
        {"gateway/edge1/content/read",          false},
        {"",                                    false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CU_ASSERT_EQUAL(scope_map_action_is_valid(cases[i].action), cases[i].valid);
}

static void test_rights(void)
{
    static const char *const actions[] = {
        "repositories/app/content/read", "repositories/team/*/content/write",
        "repositories/team/*/metadata/read", "gateway/edge1/config/read"};
    static const struct {
        const char *repository;
        unsigned rights;
    } cases[] = {
        {"app",        SCOPE_PULL                      },
        {"app2",       0                               },
        {"team/x",     SCOPE_PUSH | SCOPE_METADATA_READ},
        {"team",       0                               },
        {"team/x/y",   SCOPE_PUSH | SCOPE_METADATA_READ},
        {"other/team", 0                               },
        {NULL,         SCOPE_CATALOG                   },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CU_ASSERT_EQUAL(scope_map_rights(actions, ARRAY_LEN(actions), cases[i].repository),
                        cases[i].rights);
    CU_ASSERT_EQUAL(scope_map_rights(actions, 1, NULL), 0);
}

static void begin(struct op *op, struct registry *registry)
{
    struct repository repository;

    *registry = (struct registry){.name = "unittests", .created = "2026-11-21T00:00:00.0000000Z"};
    scope_map_store_start();
    registry_token_store_start();
    store_begin(op, &registry->id, &repository);
}

static void test_rows(void)
{
    static const char *const actions[] = {"repositories/app/content/read"};
    static const char *const bad[] = {"repositories/app/content/grow"};
    struct scope_map map = {.name = "My-map_1",
                            .description = "one",
                            .actions = actions,
                            .n_actions = 1},
                     got, *list;
    struct registry registry;
    struct op op;
    bool created;
    size_t n;

    begin(&op, &registry);
    CU_ASSERT_EQUAL_FATAL(scope_map_put(&op, &registry, &map, &created), OK);
    CU_ASSERT_TRUE(created);
    CU_ASSERT_EQUAL_FATAL(scope_map_put(&op, &registry, &map, &created), OK);
    CU_ASSERT_FALSE(created);
    CU_ASSERT_EQUAL_FATAL(scope_map_get(&op, &registry, "MY-MAP_1", &got), OK);
    CU_ASSERT_STRING_EQUAL(got.name, "My-map_1");
    CU_ASSERT_EQUAL_FATAL(got.n_actions, 1);
    CU_ASSERT_STRING_EQUAL(got.actions[0], actions[0]);
    CU_ASSERT_EQUAL_FATAL(scope_map_get(&op, &registry, "_repositories_PULL", &got), OK);
    CU_ASSERT_TRUE(got.is_system);
    CU_ASSERT_EQUAL_FATAL(scope_map_list(&op, &registry, "", 100, &list, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 6);
    CU_ASSERT_STRING_EQUAL(list[5].name, "My-map_1");
    CU_ASSERT_EQUAL_FATAL(scope_map_list(&op, &registry, "_repositories_push", 2, &list, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 2);
    CU_ASSERT_STRING_EQUAL(list[0].name, "_repositories_push_metadata_write");
    CU_ASSERT_STRING_EQUAL(list[1].name, "My-map_1");
    CU_ASSERT_EQUAL_FATAL(scope_map_list(&op, &registry, "my-map_1", 2, &list, &n), OK);
    CU_ASSERT_EQUAL(n, 0);
    map.actions = bad;
    CU_ASSERT_EQUAL(scope_map_put(&op, &registry, &map, &created), INVALID);
    CU_ASSERT_STRING_EQUAL(op.noun, "actions");
    map.name = "_repositories_pull";
    CU_ASSERT_EQUAL(scope_map_put(&op, &registry, &map, &created), FORBIDDEN);
    CU_ASSERT_EQUAL(scope_map_delete(&op, &registry, "_repositories_pull"), FORBIDDEN);
    CU_ASSERT_EQUAL(scope_map_delete(&op, &registry, "my-map_1"), OK);
    CU_ASSERT_EQUAL(scope_map_delete(&op, &registry, "my-map_1"), NOT_FOUND);
    unit_op_end(&op);
}

static void test_tokens(void)
{
    static const char *const actions[] = {"repositories/app/content/read"};
    struct scope_map map = {.name = "mymap", .actions = actions, .n_actions = 1};
    struct registry_token token = {.name = "robot", .scope_map = "nomap", .enabled = true}, got;
    const struct token_rights *rights;
    const char *password, *again;
    struct registry registry;
    struct op op;
    bool created;

    begin(&op, &registry);
    CU_ASSERT_EQUAL(registry_token_put(&op, &registry, &token, &created), INVALID);
    CU_ASSERT_STRING_EQUAL(op.noun, "scopeMapId");
    op_clear_fault(&op);
    CU_ASSERT_EQUAL_FATAL(scope_map_put(&op, &registry, &map, &created), OK);
    token.scope_map = "MyMap";
    CU_ASSERT_EQUAL_FATAL(registry_token_put(&op, &registry, &token, &created), OK);
    CU_ASSERT_TRUE(created);
    CU_ASSERT_EQUAL(scope_map_delete(&op, &registry, "mymap"), CONFLICT);
    op_clear_fault(&op);
    CU_ASSERT_EQUAL_FATAL(registry_token_generate(&op, registry.id, "robot", 0, NULL, &password),
                          OK);
    CU_ASSERT_EQUAL_FATAL(
        registry_token_generate(&op, registry.id, "robot", 1, "2030-02-28T00:00:00.000Z", &again),
        OK);
    CU_ASSERT(strlen(password) >= 32 && strcmp(password, again) != 0);
    CU_ASSERT_EQUAL_FATAL(registry_token_get(&op, registry.id, "ROBOT", &got), OK);
    CU_ASSERT_STRING_EQUAL(got.scope_map, "mymap");
    CU_ASSERT(got.passwords[0].set && !got.passwords[0].expiry);
    CU_ASSERT_STRING_EQUAL(got.passwords[1].expiry, "2030-02-28T00:00:00.0000000Z");
    CU_ASSERT_EQUAL(registry_token_find(&op, &registry, "robot", false, &rights), WOULD_BLOCK);
    CU_ASSERT_EQUAL_FATAL(registry_token_find(&op, &registry, "Robot", true, &rights), OK);
    CU_ASSERT_EQUAL(rights->n_actions, 1);
    CU_ASSERT_EQUAL_FATAL(registry_token_find(&op, &registry, "robot", false, &rights), OK);
    CU_ASSERT_EQUAL(rights->expires_s[1], 1898467200);
    scope_map_changed(registry.id);
    CU_ASSERT_EQUAL(registry_token_find(&op, &registry, "robot", false, &rights), WOULD_BLOCK);
    CU_ASSERT_EQUAL(registry_token_forget(&op, registry.id, "robot", 0), OK);
    CU_ASSERT_EQUAL_FATAL(registry_token_get(&op, registry.id, "robot", &got), OK);
    CU_ASSERT_FALSE(got.passwords[0].set);
    CU_ASSERT_EQUAL(registry_token_delete(&op, registry.id, "robot"), OK);
    CU_ASSERT_EQUAL(registry_token_find(&op, &registry, "robot", true, &rights), NOT_FOUND);
    registry_token_stop();
    unit_op_end(&op);
}

static void test_expiry(void)
{
    static const char *const bad[] = {"2030-02-30T00:00:00Z",
                                      "2030-13-01T00:00:00Z",
                                      "tomorrow",
                                      "2030-01-01",
                                      "2030-01-01T00:00:00",
                                      "2030-01-01T25:00:00Z",
                                      "2030-01-01T00:00:00.Z",
                                      "2030-01-01T00:00:00+99:00"};
    struct registry_token token = {.name = "robot", .enabled = true};
    struct registry registry;
    const char *password;
    struct op op;
    bool created;

    begin(&op, &registry);
    CU_ASSERT_EQUAL_FATAL(registry_token_put(&op, &registry, &token, &created), OK);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CU_ASSERT_EQUAL(registry_token_generate(&op, registry.id, "robot", 0, bad[i], &password),
                        INVALID);
    CU_ASSERT_EQUAL(registry_token_generate(&op, registry.id, "robot", 0,
                                            "2030-01-01T00:00:00.1234567+02:00", &password),
                    OK);
    unit_op_end(&op);
}

CU_TestInfo registry_scope_map_tests[] = {
    {"actions and patterns",              test_actions},
    {"rights on a repository",            test_rights },
    {"rows, and the system's maps",       test_rows   },
    {"tokens in rows and in memory",      test_tokens },
    {"expiry is checked before SQL sees", test_expiry },
    CU_TEST_INFO_NULL,
};
