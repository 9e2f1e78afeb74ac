#include "registry/registry.h"

#include <string.h>

#include "registry/form.h"
#include "tests/unit/registry/store.h"

static void test_network(void)
{
    static const char *const rules[] = {"192.0.2.0/24", "198.51.100.7", "2001:db8::/33",
                                        "10.0.0.0/7"};
    static const struct {
        const char *client;
        bool admitted;
    } cases[] = {
        {"192.0.2.1",          true },
        {"192.0.3.1",          false},
        {"198.51.100.7",       true },
        {"198.51.100.8",       false},
        {"2001:db8:1::1",      true },
        {"2001:db8:8000::1",   false},
        {"::ffff:192.0.2.200", true },
        {"11.255.255.255",     true },
        {"12.0.0.0",           false},
        {"127.0.0.1",          false},
        {"::1",                false},
    };
    struct ip_range ranges[ARRAY_LEN(rules)];
    struct registry registry = {
        .ranges = ranges,
        .options = {.public_access = true,
                    .deny = true,
                    .ip_rules = rules,
                    .n_ip_rules = ARRAY_LEN(rules)}
    };

    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        CU_ASSERT_TRUE(ip_range_parse(rules[i], &ranges[i]));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CU_ASSERT_EQUAL(registry_admits(&registry, cases[i].client), cases[i].admitted);
    registry.options.public_access = false;
    CU_ASSERT_FALSE(registry_admits(&registry, "192.0.2.1"));
    registry.options = (struct registry_options){.public_access = true};
    CU_ASSERT_TRUE(registry_admits(&registry, "127.0.0.1"));
}

static void test_ranges(void)
{
    static const char *const bad[] = {"",          "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1",
                                      "192.0.2",   "::/129",       "name",       "192.0.2.0/8x",
                                      "1.2.3.4/ 8"};
    struct ip_range range;

    for (size_t i = 0; i + 1 < ARRAY_LEN(bad); i++)
        CU_ASSERT_FALSE(ip_range_parse(bad[i], &range));
    CU_ASSERT_TRUE(ip_range_parse("0.0.0.0/0", &range));
    CU_ASSERT_EQUAL(range.bits, 96);
}

static void test_tiers(void)
{
    struct registry_options options;
    struct op op;

    op_init(&op);
    registry_options_default(&options, SKU_BASIC);
    CU_ASSERT_EQUAL(registry_options_check(&op, &options), OK);
    options.anonymous_pull = true;
    CU_ASSERT_EQUAL(registry_options_check(&op, &options), INVALID);
    CU_ASSERT_STRING_EQUAL(op.noun, "anonymousPullEnabled");
    options.sku = SKU_STANDARD;
    CU_ASSERT_EQUAL(registry_options_check(&op, &options), OK);
    options.retention = true;
    CU_ASSERT_EQUAL(registry_options_check(&op, &options), INVALID);
    options.sku = SKU_PREMIUM;
    CU_ASSERT_EQUAL(registry_options_check(&op, &options), OK);
    options.retention_days = 366;
    CU_ASSERT_EQUAL(registry_options_check(&op, &options), INVALID);
    op_free(&op);
}

static void test_changes(void)
{
    struct repository repository;
    struct registry_options options;
    struct registry *found;
    const char *before;
    struct registry_usage usage;
    int64_t id, other;
    struct op op;
    size_t n;

    store_begin(&op, &id, &repository);
    registry_options_default(&options, SKU_PREMIUM);
    options.deny = true;
    options.ip_rules = (const char *const[]){"192.0.2.0/24", "::1"};
    options.n_ip_rules = 2;
    options.retention = true;
    options.retention_days = 3;
    options.abac = true;
    CU_ASSERT_EQUAL(registry_name_check(&op, "UNITtests"), CONFLICT);
    CU_ASSERT_EQUAL(registry_name_check(&op, "a-b-c"), INVALID);
    CU_ASSERT_EQUAL(registry_create(&op, "unittests", NULL, &options, &other), CONFLICT);
    op_clear_fault(&op);
    CU_ASSERT_EQUAL_FATAL(registry_update(&op, id, &options), OK);
    CU_ASSERT_EQUAL_FATAL(registry_set_scope(&op, id, "/subscriptions/x"), OK);
    CU_ASSERT_EQUAL_FATAL(registry_store_select(&op, id, &found, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_STRING_EQUAL(found->scope, "/subscriptions/x");
    CU_ASSERT(found->options.deny && found->options.abac && found->options.retention &&
              !found->options.quarantine && found->options.public_access);
    CU_ASSERT_EQUAL(found->options.sku, SKU_PREMIUM);
    CU_ASSERT_EQUAL(found->options.retention_days, 3);
    CU_ASSERT_EQUAL_FATAL(found->options.n_ip_rules, 2);
    CU_ASSERT_STRING_EQUAL(found->options.ip_rules[1], "::1");
    before = registry_password(&op, found, 1);
    CU_ASSERT_EQUAL(registry_regenerate(&op, id, 1), OK);
    CU_ASSERT_EQUAL_FATAL(registry_store_select(&op, id, &found, &n), OK);
    CU_ASSERT_STRING_NOT_EQUAL(registry_password(&op, found, 1), before);
    CU_ASSERT_EQUAL(registry_usage(&op, id, &usage), OK);
    CU_ASSERT_EQUAL(usage.repositories, 1);
    CU_ASSERT_EQUAL(registry_delete(&op, id), OK);
    CU_ASSERT_EQUAL(registry_delete(&op, id), NOT_FOUND);
    CU_ASSERT_EQUAL(repository_find(&op, id, "team/app", &repository), NOT_FOUND);
    unit_op_end(&op);
}

static void test_form(void)
{
    static const char type[] = "multipart/form-data; boundary=XyZ";
    struct bytes body = BYTES("--XyZ\r\nContent-Disposition: form-data; name=\"grantType\"\r\n\r\n"
                              "access_token\r\n--XyZ\r\ncontent-disposition: form-data; "
                              "name=scope\r\n\r\na\r\n--XyZ\r\n"
                              "Content-Disposition: form-data; name=\"scope\"\r\n\r\n\r\n"
                              "--XyZ--\r\n");
    struct arena arena;

    arena_init(&arena);
    CU_ASSERT_STRING_EQUAL(form_part(&arena, type, body, "grantType", 0), "access_token");
    CU_ASSERT_STRING_EQUAL(form_part(&arena, type, body, "scope", 0), "a");
    CU_ASSERT_STRING_EQUAL(form_part(&arena, type, body, "scope", 1), "");
    CU_ASSERT_PTR_NULL(form_part(&arena, type, body, "scope", 2));
    CU_ASSERT_PTR_NULL(form_part(&arena, type, body, "grant", 0));
    CU_ASSERT_PTR_NULL(form_part(&arena, "multipart/form-data", body, "scope", 0));
    CU_ASSERT_PTR_NULL(form_part(&arena, type, (struct bytes){NULL, 0}, "scope", 0));
    arena_free(&arena);
}

CU_TestInfo registry_registry_tests[] = {
    {"network rules",        test_network},
    {"addresses and blocks", test_ranges },
    {"what a tier may",      test_tiers  },
    {"rows",                 test_changes},
    {"multipart forms",      test_form   },
    CU_TEST_INFO_NULL,
};
