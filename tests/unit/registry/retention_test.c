#include "registry/retention.h"

#include <string.h>

#include "registry/webhook.h"
#include "tests/unit/registry/store.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define D "sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define E "sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

static void put(struct op *op, int64_t repository_id, const char *digest, const char *json,
                const char *tag)
{
    struct manifest m;

    CU_ASSERT_EQUAL_FATAL(manifest_parse(op, MEDIA_OCI_INDEX, BYTES(json), &m), OK);
    m.digest = digest;
    CU_ASSERT_EQUAL_FATAL(manifest_put(op, repository_id, &m, &tag, tag ? 1 : 0), OK);
}

static bool is_there(struct op *op, int64_t repository_id, const char *digest)
{
    struct manifest_details details;
    bool there = manifest_details(op, repository_id, digest, &details) == OK;

    op_clear_fault(op);
    return there;
}

/* Committed, since a round has transactions of its own; deleted at the end. */
static void test_round(void)
{
    static const char empty[] = "{\"schemaVersion\":2,\"manifests\":[]}";
    static const char parent[] = "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
                                 "\"" MEDIA_OCI_INDEX "\",\"digest\":\"" B "\",\"size\":1}]}";
    static const char referrer[] =
        "{\"schemaVersion\":2,\"manifests\":[],\"subject\":{"
        "\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"digest\":\"" A "\",\"size\":1}}";
    struct attribute_changes lock = {.delete_enabled = "f"};
    struct registry_options options;
    struct repository repository;
    int64_t id;
    struct op op;

    retention_store_start();
    webhook_store_start();
    store_begin(&op, &id, &repository);
    put(&op, repository.id, A, empty, NULL);    /* goes */
    put(&op, repository.id, B, empty, NULL);    /* in an index */
    put(&op, repository.id, C, parent, "v1");   /* tagged */
    put(&op, repository.id, D, referrer, NULL); /* has a subject */
    put(&op, repository.id, E, empty, NULL);    /* locked */
    CU_ASSERT_EQUAL(manifest_change(&op, repository.id, E, &lock, NULL, NULL), OK);
    registry_options_default(&options, SKU_PREMIUM);
    options.retention = true;
    options.retention_days = 1;
    CU_ASSERT_EQUAL_FATAL(registry_update(&op, id, &options), OK);
    CU_ASSERT_EQUAL_FATAL(db_commit(&op), OK);
    CU_ASSERT_EQUAL_FATAL(registry_changed(&op, id), OK);
    CU_ASSERT_EQUAL(retention_round(&op), OK);
    CU_ASSERT_TRUE(is_there(&op, repository.id, A)); /* only since now */
    options.retention_days = 0;
    CU_ASSERT_EQUAL(registry_update(&op, id, &options), OK);
    CU_ASSERT_EQUAL(registry_changed(&op, id), OK);
    CU_ASSERT_EQUAL(retention_round(&op), OK);
    CU_ASSERT_FALSE(is_there(&op, repository.id, A));
    CU_ASSERT_TRUE(is_there(&op, repository.id, B));
    CU_ASSERT_TRUE(is_there(&op, repository.id, C));
    CU_ASSERT_TRUE(is_there(&op, repository.id, D));
    CU_ASSERT_TRUE(is_there(&op, repository.id, E));
    CU_ASSERT_EQUAL(tag_delete(&op, repository.id, "v1", "tag"), OK);
    CU_ASSERT_EQUAL(retention_round(&op), OK);
    CU_ASSERT_FALSE(is_there(&op, repository.id, C));
    CU_ASSERT_EQUAL(retention_round(&op), OK); /* now nothing lists it */
    CU_ASSERT_FALSE(is_there(&op, repository.id, B));
    CU_ASSERT_EQUAL(registry_delete(&op, id), OK);
    CU_ASSERT_EQUAL(registry_changed(&op, id), OK);
    registry_stop();
    unit_op_end(&op);
}

CU_TestInfo registry_retention_tests[] = {
    {"what goes and what stays", test_round},
    CU_TEST_INFO_NULL,
};
