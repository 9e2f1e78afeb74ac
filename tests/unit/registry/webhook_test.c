#include "registry/webhook.h"

#include <string.h>

#include "registry/webhook_store.h"
#include "tests/unit/registry/store.h"

static void test_scopes(void)
{
    static const struct {
        const char *scope, *repository, *tag;
        bool fits;
    } cases[] = {
        {"",            "team/app",  "v1",     true },
        {"",            "team/app",  NULL,     true },
        {"team/app:v1", "team/app",  "v1",     true },
        {"team/app:v1", "team/app",  "v2",     false},
        {"team/app:v1", "team/app",  NULL,     false},
        {"team/app:*",  "team/app",  "v1",     true },
        {"team/app:*",  "team/app",  NULL,     true },
        {"team/app",    "team/app",  "latest", true },
        {"team/app",    "team/app",  "v1",     false},
        {"team/*:*",    "team/app",  "v1",     true },
        {"team/app:v*", "team/app",  "v1",     true },
        {"team/app:*",  "team/app2", "v1",     false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CU_ASSERT_EQUAL(webhook_scope_fits(cases[i].scope, cases[i].repository, cases[i].tag),
                        cases[i].fits);
}

static void test_masks(void)
{
    static const struct header headers[] = {
        {"Authorization", "Basic abc"},
        {"X-Api-Key",     "k"        },
        {"X-Colour",      "blue"     }
    };
    struct op op;

    op_init(&op);
    CU_ASSERT_STRING_EQUAL(
        webhook_headers_json(&op, headers, 3, true),
        "{\"Authorization\":\"******\",\"X-Api-Key\":\"******\",\"X-Colour\":\"blue\"}");
    CU_ASSERT_STRING_EQUAL(webhook_masked_uri(&op, "http://h:1/p?code=x#f"), "http://h:1/p?******");
    CU_ASSERT_STRING_EQUAL(webhook_masked_uri(&op, "https://u:p@h/p"), "https://******@h/p");
    CU_ASSERT_STRING_EQUAL(webhook_masked_uri(&op, "http://h"), "http://h");
    op_free(&op);
}

static void test_check(void)
{
    static const struct header good[] =
        {
            {"X-Colour", "blue"}
    },
                               split[] = {{"X-A", "a\r\nB: c"}}, ours[] = {{"Content-Length", "3"}};
    static const struct {
        struct webhook_wanted wanted;
        const char *noun; /* NULL: fine */
    } cases[] = {
        {{"hook1", true, "", 1, "http://127.0.0.1:9/x", good, 1, false}, NULL           },
        {{"hook1", true, "team/app:*", 1, "https://h", NULL, 0, false},  NULL           },
        {{"hook", true, "", 1, "http://h/", NULL, 0, false},             "name"         },
        {{"hook-1", true, "", 1, "http://h/", NULL, 0, false},           "name"         },
        {{"hook1", true, "", 0, "http://h/", NULL, 0, false},            "actions"      },
        {{"hook1", true, "a:b:c", 1, "http://h/", NULL, 0, false},       "scope"        },
        {{"hook1", true, "Team", 1, "http://h/", NULL, 0, false},        "scope"        },
        {{"hook1", true, "", 1, "ftp://h/", NULL, 0, false},             "serviceUri"   },
        {{"hook1", true, "", 1, "http://", NULL, 0, false},              "serviceUri"   },
        {{"hook1", true, "", 1, "http://h/a b", NULL, 0, false},         "serviceUri"   },
        {{"hook1", true, "", 1, "http://h/", split, 1, false},           "customHeaders"},
        {{"hook1", true, "", 1, "http://h/", ours, 1, false},            "customHeaders"},
    };
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        op_clear_fault(&op);
        CU_ASSERT_EQUAL(webhook_check(&op, &cases[i].wanted), cases[i].noun ? INVALID : OK);
        if (cases[i].noun) {
            CU_ASSERT_STRING_EQUAL(op.noun, cases[i].noun);
        }
    }
    op_free(&op);
}

static void test_rows(void)
{
    static const struct header headers[] = {
        {"Authorization", "Bearer very-secret"}
    };
    struct webhook_wanted wanted = {
        "hook1", true, "team/app:*", WEBHOOK_PUSH, "http://127.0.0.1:9/x?code=very-secret",
        headers, 1,    false};
    struct webhook_target target = {"team/app", "v1", "sha256:aa", MEDIA_OCI_MANIFEST, 12};
    struct webhook_filter filter = {.actions = WEBHOOK_PUSH, .scope = "team/app:*"};
    struct registry registry = {.name = "unittests", .webhooks = &filter, .n_webhooks = 1}, *found;
    struct webhook_delivery delivery;
    struct webhook_event *events;
    struct webhook_callback callback;
    struct repository repository;
    struct webhook webhook;
    struct op op;
    bool created;
    size_t n;

    webhook_store_start();
    store_begin(&op, &registry.id, &repository);
    CU_ASSERT_EQUAL_FATAL(webhook_put(&op, &registry, &wanted, &created), OK);
    CU_ASSERT_TRUE(created);
    CU_ASSERT_EQUAL_FATAL(webhook_get(&op, registry.id, "HOOK1", &webhook), OK);
    filter.id = webhook.id;
    wanted.service_uri = NULL;
    wanted.keep_headers = true;
    wanted.n_headers = 0;
    CU_ASSERT_EQUAL_FATAL(webhook_put(&op, &registry, &wanted, &created), OK);
    CU_ASSERT_FALSE(created);
    CU_ASSERT_EQUAL_FATAL(webhook_callback(&op, registry.id, "hook1", &callback), OK);
    CU_ASSERT_STRING_EQUAL(callback.service_uri, "http://127.0.0.1:9/x?code=very-secret");
    CU_ASSERT_EQUAL_FATAL(callback.n_headers, 1);
    CU_ASSERT_STRING_EQUAL(callback.headers[0].value, "Bearer very-secret");
    CU_ASSERT_EQUAL_FATAL(registry_store_select(&op, registry.id, &found, &n), OK);
    CU_ASSERT_EQUAL_FATAL(found->n_webhooks, 1);
    CU_ASSERT_STRING_EQUAL(found->webhooks[0].scope, "team/app:*");

    CU_ASSERT_EQUAL_FATAL(webhook_event(&op, &registry, WEBHOOK_PUSH, &target, NULL), OK);
    CU_ASSERT_EQUAL_FATAL(webhook_event(&op, &registry, WEBHOOK_DELETE, &target, NULL), OK);
    CU_ASSERT_EQUAL_FATAL(webhook_claim(&op, webhook.id, &delivery), OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(delivery.content, "\"action\":\"push\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(delivery.content, "\"tag\":\"v1\""));
    CU_ASSERT_EQUAL(delivery.tries, 1);
    CU_ASSERT_EQUAL(webhook_claim(&op, webhook.id, &delivery), NOT_FOUND);
    CU_ASSERT_EQUAL_FATAL(webhook_events(&op, registry.id, "hook1", &events, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_EQUAL(webhook_delete(&op, registry.id, "hook1"), OK);
    CU_ASSERT_EQUAL(webhook_get(&op, registry.id, "hook1", &webhook), NOT_FOUND);
    unit_op_end(&op);
}

CU_TestInfo registry_webhook_tests[] = {
    {"what a scope fits",         test_scopes},
    {"what is masked",            test_masks },
    {"what is taken",             test_check },
    {"webhooks and their events", test_rows  },
    CU_TEST_INFO_NULL,
};
