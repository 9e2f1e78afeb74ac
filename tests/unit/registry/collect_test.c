#include "registry/collect.h"

#include "tests/unit/registry/store.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* A blob with a link stays; without one it is loose, and then its row goes. */
static void test_loose_blobs(void)
{
    struct repository repository;
    struct loose_blob *loose;
    const char *cursor = "";
    int64_t registry, size;
    bool deleted;
    struct op op;
    size_t n;

    store_begin(&op, &registry, &repository);
    store_link(&op, &repository, A);
    store_link(&op, &repository, B);
    CU_ASSERT_EQUAL_FATAL(collect_loose_blobs(&op, &cursor, 100, &loose, &n), OK);
    CU_ASSERT_EQUAL(n, 0);
    CU_ASSERT_STRING_EQUAL(cursor, "");
    CU_ASSERT_EQUAL(blob_unlink(&op, repository.id, A), OK);
    CU_ASSERT_EQUAL(blob_unlink(&op, repository.id, A), NOT_FOUND);
    CU_ASSERT_EQUAL_FATAL(collect_loose_blobs(&op, &cursor, 1, &loose, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_STRING_EQUAL(loose[0].digest, A);
    CU_ASSERT_STRING_EQUAL(cursor, A);
    CU_ASSERT_EQUAL(collect_blob(&op, B, &deleted), OK);
    CU_ASSERT_FALSE(deleted);
    CU_ASSERT_EQUAL(collect_blob(&op, A, &deleted), OK);
    CU_ASSERT(deleted);
    CU_ASSERT_EQUAL(blob_row_size(&op, A, &size), OK);
    CU_ASSERT_EQUAL(size, -1);
    unit_op_end(&op);
}

static void test_known(void)
{
    static const char *const digests[] = {A, B};
    static const char *const ids[] = {"01234567-89ab-4def-8123-456789abcdef",
                                      "01234567-89ab-4def-8123-456789abcde0"};
    struct repository repository;
    const char **known;
    int64_t registry;
    struct op op;
    size_t n;

    store_begin(&op, &registry, &repository);
    store_link(&op, &repository, B);
    CU_ASSERT_EQUAL_FATAL(collect_known_blobs(&op, digests, 2, &known, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_STRING_EQUAL(known[0], B);
    CU_ASSERT_EQUAL_FATAL(upload_insert(&op, repository.id, ids[0], HASH_SHA256), OK);
    CU_ASSERT_EQUAL_FATAL(collect_known_uploads(&op, ids, 2, &known, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_STRING_EQUAL(known[0], ids[0]);
    unit_op_end(&op);
}

CU_TestInfo registry_collect_tests[] = {
    {"loose blobs", test_loose_blobs},
    {"known",       test_known      },
    CU_TEST_INFO_NULL,
};
