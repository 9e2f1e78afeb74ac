/*
 * Server-side apply and metadata.managedFields (structured-merge-diff's rules): who set which
 * field. Sets of paths are FieldsV1: "f:name", `k:{"name":"x"}`, `v:"x"`, "i:0", ".".
 */
#ifndef SUNDOG_CLUSTERS_OBJECT_MANAGED_FIELDS_H
#define SUNDOG_CLUSTERS_OBJECT_MANAGED_FIELDS_H

#include "clusters/object/object.h"

struct manager {
    const char *name;        /* fieldManager=, or the user agent's text before the first "/" */
    const char *subresource; /* NULL, "status", "scale" */
    const char *api_version; /* of the request: "apps/v1" */
};
/*
 * Apply config on live (NULL: it does not exist yet). Fields that this manager applied before and
 * now leaves out are removed, unless others own them. Without force, fields of other managers with
 * another value are a CONFLICT ("Conflict", 409) with one cause FieldManagerConflict each:
 * `Apply failed with 1 conflict: conflict with "x" using v1: .data.k`.
 * *ret: the merged object, managedFields not yet brought up to date. type NULL: maps are granular,
 * lists atomic.
 */
enum fault managed_apply(struct op *op, const struct type *type, const json_t *live,
                         const json_t *config, const struct manager *manager, bool force,
                         json_t **ret);
/*
 * Write next's metadata.managedFields after an update by manager (operation Update): fields whose
 * value differs from live's (NULL: a create) become this manager's and are taken from others' sets;
 * removed ones leave all sets. At most 10 update entries of distinct managers are kept (older ones
 * are joined as "ancient-changes"). next's own managedFields (what the client sent): absent or kept
 * as live's; `[]` or `[{}]` clears all. now: Unix seconds.
 */
enum fault managed_update(struct op *op, const struct type *type, const json_t *live, json_t *next,
                          const struct manager *manager, int64_t now);
/* The same after managed_apply: manager's Apply entry becomes what config names. */
enum fault managed_applied(struct op *op, const struct type *type, const json_t *live,
                           const json_t *config, json_t *next, const struct manager *manager,
                           int64_t now);

#endif
