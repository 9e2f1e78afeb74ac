/* The four kinds of PATCH, on trees. None changes its arguments; results are op's arena's. */
#ifndef SUNDOG_CLUSTERS_OBJECT_PATCH_H
#define SUNDOG_CLUSTERS_OBJECT_PATCH_H

#include "clusters/object/object.h"

/* RFC 6902; a failed `test` and a path that is not there are INVALID ("Invalid", 422) in
   upstream's words. At most 10,000 operations. */
enum fault patch_json(struct op *op, const json_t *tree, const json_t *patch, json_t **ret);
/* RFC 7386. */
enum fault patch_merge(struct op *op, const json_t *tree, const json_t *patch, json_t **ret);
/*
 * Strategic merge by the table: lists with a merge key are merged by it, $patch: delete | replace |
 * merge, $retainKeys, $deleteFromPrimitiveList/x, $setElementOrder/x. type must not be NULL.
 */
enum fault patch_strategic(struct op *op, const struct type *type, const json_t *tree,
                           const json_t *patch, json_t **ret);

#endif
