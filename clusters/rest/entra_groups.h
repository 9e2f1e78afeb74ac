/* The directory's groups of an Entra principal, as RBAC subjects name them. */
#ifndef SUNDOG_CLUSTERS_REST_ENTRA_GROUPS_H
#define SUNDOG_CLUSTERS_REST_ENTRA_GROUPS_H

#include "core/op.h"

/* Object ids, nested groups included, then "system:authenticated"; NULL-terminated, op's arena's.
 */
const char *const *entra_groups(struct op *op, const char *object_id);

#endif
