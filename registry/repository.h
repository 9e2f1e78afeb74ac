/*
 * Repositories: a name within a registry, and what may be done with its content.
 */
#ifndef SUNDOG_REGISTRY_REPOSITORY_H
#define SUNDOG_REGISTRY_REPOSITORY_H

#include "core/json.h"
#include "core/op.h"

/* ACR's locks, the same at three levels: repository, manifest, tag. All must allow. */
struct attributes {
    bool delete_enabled, write_enabled, read_enabled, list_enabled;
};
/* What a PATCH changes: "t", "f", or NULL for what stays as it is. */
struct attribute_changes {
    const char *delete_enabled, *write_enabled, *read_enabled, *list_enabled;
};
extern const struct json_field attributes_json[];

/* FORBIDDEN on "lock" when !allowed; what: "deleting", "the tag \"v1\"". */
enum fault check_lock(struct op *op, bool allowed, const char *doing, const char *what);

struct repository {
    int64_t id;
    const char *name;
    struct attributes attributes;
};

/* NOT_FOUND on "name". */
enum fault repository_find(struct op *op, int64_t registry_id, const char *name,
                           struct repository *ret);
/* The same within an open transaction: it stays until that ends, since a deletion waits. */
enum fault repository_hold(struct op *op, int64_t registry_id, const char *name,
                           struct repository *ret);
/* And made when it is not there. */
enum fault repository_make(struct op *op, int64_t registry_id, const char *name,
                           struct repository *ret);

struct repository_details {
    const char *created, *updated;
    int64_t manifest_count, tag_count;
    struct attributes attributes;
};
/* NOT_FOUND on "name". */
enum fault repository_details(struct op *op, int64_t registry_id, const char *name,
                              struct repository_details *ret);
enum fault repository_change(struct op *op, int64_t id, const struct attribute_changes *changes);
/*
 * Names after last (exclusive; "" = from the start) of repositories that hold a manifest and are
 * listed; at most max of them, sorted by bytes.
 */
enum fault repository_list(struct op *op, int64_t registry_id, const char *last, int64_t max,
                           const char ***ret_names, size_t *ret_n);
/*
 * Delete it with all it holds, within the open transaction; its blobs are left to collection.
 * FORBIDDEN on "lock" when it, or any manifest or tag in it, is locked: then nothing is deleted.
 */
enum fault repository_delete(struct op *op, const struct repository *repository,
                             const char ***ret_manifests, size_t *ret_n_manifests,
                             const char ***ret_tags, size_t *ret_n_tags);
void repository_store_start(void);

/* The four columns, for statements and their readers; and the parameters of an UPDATE's coalesce.
 */
#define ATTRIBUTE_COLUMNS "delete_enabled, write_enabled, read_enabled, list_enabled"
struct db_rows;
struct attributes attributes_from_row(const struct db_rows *rows);
#define ATTRIBUTE_PARAMS(changes)                                                                  \
    DB_TEXT((changes)->delete_enabled), DB_TEXT((changes)->write_enabled),                         \
        DB_TEXT((changes)->read_enabled), DB_TEXT((changes)->list_enabled)

#endif
