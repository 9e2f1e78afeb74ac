/* Table output (`kubectl get`): columns as golden/table-columns.json, cells as upstream prints
   them. Resources without columns of their own have Name and Age. */
#ifndef SUNDOG_CLUSTERS_OBJECT_TABLE_H
#define SUNDOG_CLUSTERS_OBJECT_TABLE_H

#include "clusters/object/object.h"

/* `"columnDefinitions":[…]` as JSON text (without the comma after it); static. */
const char *table_columns(const struct resource *r);
/* Append one row {"cells":[…],"object":…}. object: the text of that member (metadata only, or
   whole), "null" to leave it out. now: Unix seconds, for ages. */
void table_row(struct op *op, struct text *out, const struct resource *r, const json_t *tree,
               struct bytes object, int64_t now);

#endif
