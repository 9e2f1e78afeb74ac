/* What the registry's tests share: a registry and a repository in a transaction that is rolled
 * back. */
#ifndef SUNDOG_TESTS_UNIT_REGISTRY_STORE_H
#define SUNDOG_TESTS_UNIT_REGISTRY_STORE_H

#include "registry/blob.h"
#include "registry/collect.h"
#include "registry/manifest.h"
#include "registry/registry_store.h"
#include "registry/repository.h"
#include "registry/tag.h"
#include "registry/upload.h"
#include "tests/unit/unit.h"

/* Registers the stores' statements, begins, and makes registry "unittests" with "team/app" in it.
 */
static inline void store_begin(struct op *op, int64_t *registry, struct repository *repository)
{
    struct registry_options options;

    registry_settings = unit_settings();
    unit_op(op);
    registry_store_start();
    repository_store_start();
    blob_store_start();
    upload_store_start();
    manifest_store_start();
    tag_store_start();
    collect_store_start();
    CU_ASSERT_EQUAL_FATAL(db_begin(op), OK);
    registry_options_default(&options, SKU_PREMIUM);
    options.admin_enabled = true;
    CU_ASSERT_EQUAL_FATAL(registry_create(op, "UnitTests", NULL, &options, registry), OK);
    CU_ASSERT_NOT_EQUAL_FATAL(*registry, 0);
    CU_ASSERT_EQUAL_FATAL(repository_make(op, *registry, "team/app", repository), OK);
}

/* A blob of ten bytes that has a row and a link, but no file. */
static inline void store_link(struct op *op, const struct repository *repository,
                              const char *digest)
{
    int64_t size;

    CU_ASSERT_EQUAL_FATAL(blob_row_size(op, digest, &size), OK);
    if (size < 0) {
        CU_ASSERT_EQUAL_FATAL(blob_insert(op, digest, 10), OK);
    }
    CU_ASSERT_EQUAL_FATAL(blob_link(op, repository->id, digest), OK);
}

#endif
