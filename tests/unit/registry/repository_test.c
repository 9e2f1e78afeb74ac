#include "registry/repository.h"

#include <string.h>

#include "tests/unit/registry/store.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void put_index(struct op *op, int64_t repository_id, const char *digest, const char *tag)
{
    struct manifest m;

    CU_ASSERT_EQUAL_FATAL(
        manifest_parse(op, MEDIA_OCI_INDEX, BYTES("{\"schemaVersion\":2,\"manifests\":[]}"), &m),
        OK);
    m.digest = digest;
    CU_ASSERT_EQUAL_FATAL(manifest_put(op, repository_id, &m, &tag, tag ? 1 : 0), OK);
}

static void test_make_and_find(void)
{
    struct repository repository, again;
    int64_t registry;
    struct op op;

    store_begin(&op, &registry, &repository);
    CU_ASSERT_EQUAL(repository_make(&op, registry, "team/app", &again), OK);
    CU_ASSERT_EQUAL(again.id, repository.id);
    CU_ASSERT(again.attributes.write_enabled && again.attributes.list_enabled);
    CU_ASSERT_EQUAL(repository_find(&op, registry, "nothing", &again), NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(op.noun, "name");
    unit_op_end(&op);
}

static void test_list(void)
{
    static const char *const names[] = {"b", "a/z", "a", "c", "a-b"};
    struct attribute_changes hide = {.list_enabled = "f"};
    struct repository repository;
    const char **found;
    int64_t registry;
    struct op op;
    size_t n;

    store_begin(&op, &registry, &repository);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CU_ASSERT_EQUAL_FATAL(repository_make(&op, registry, names[i], &repository), OK);
        put_index(&op, repository.id, A, NULL);
    }
    CU_ASSERT_EQUAL_FATAL(repository_list(&op, registry, "", 10, &found, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 5); /* team/app is empty */
    CU_ASSERT_STRING_EQUAL(found[0], "a");
    CU_ASSERT_STRING_EQUAL(found[1], "a-b"); /* by bytes */
    CU_ASSERT_STRING_EQUAL(found[2], "a/z");
    CU_ASSERT_EQUAL(repository_change(&op, repository.id, &hide), OK);
    CU_ASSERT_EQUAL_FATAL(repository_list(&op, registry, "a", 2, &found, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 2);
    CU_ASSERT_STRING_EQUAL(found[0], "a/z");
    CU_ASSERT_STRING_EQUAL(found[1], "b");
    unit_op_end(&op);
}

static void test_details(void)
{
    struct repository repository;
    struct repository_details details;
    int64_t registry;
    struct op op;

    store_begin(&op, &registry, &repository);
    put_index(&op, repository.id, A, "v1");
    put_index(&op, repository.id, B, "v2");
    CU_ASSERT_EQUAL_FATAL(repository_details(&op, registry, repository.name, &details), OK);
    CU_ASSERT_EQUAL(details.manifest_count, 2);
    CU_ASSERT_EQUAL(details.tag_count, 2);
    CU_ASSERT_EQUAL(strlen(details.created), strlen("2026-11-20T12:00:00.1234560Z"));
    unit_op_end(&op);
}

static void test_delete(void)
{
    struct attribute_changes lock = {.write_enabled = "f"}, free_again = {.write_enabled = "t"};
    const char **manifests, **tags;
    struct repository repository, gone;
    size_t n_manifests, n_tags;
    int64_t registry;
    struct op op;

    store_begin(&op, &registry, &repository);
    put_index(&op, repository.id, A, "v1");
    CU_ASSERT_EQUAL(manifest_change(&op, repository.id, A, &lock, NULL, NULL), OK);
    CU_ASSERT_EQUAL(repository_delete(&op, &repository, &manifests, &n_manifests, &tags, &n_tags),
                    FORBIDDEN);
    CU_ASSERT_STRING_EQUAL(op.noun, "lock");
    CU_ASSERT_EQUAL(manifest_change(&op, repository.id, A, &free_again, NULL, NULL), OK);
    CU_ASSERT_EQUAL(repository_delete(&op, &repository, &manifests, &n_manifests, &tags, &n_tags),
                    OK);
    CU_ASSERT_EQUAL_FATAL(n_manifests, 1);
    CU_ASSERT_STRING_EQUAL(manifests[0], A);
    CU_ASSERT_EQUAL_FATAL(n_tags, 1);
    CU_ASSERT_STRING_EQUAL(tags[0], "v1");
    CU_ASSERT_EQUAL(repository_find(&op, registry, "team/app", &gone), NOT_FOUND);
    unit_op_end(&op);
}

CU_TestInfo registry_repository_tests[] = {
    {"make and find", test_make_and_find},
    {"list",          test_list         },
    {"details",       test_details      },
    {"delete",        test_delete       },
    CU_TEST_INFO_NULL,
};
