/*
 * Sets of field paths as FieldsV1 trees (structured-merge-diff): "f:name" a member,
 * `k:{"name":"x"}` an item by its keys, `v:"x"` an item by its value, "." the thing itself beside
 * what is in it. A node without children is in the set itself. All results are new references.
 */
#ifndef SUNDOG_CLUSTERS_OBJECT_FIELD_SET_H
#define SUNDOG_CLUSTERS_OBJECT_FIELD_SET_H

#include "clusters/object/object.h"

json_t *set_union(const json_t *a, const json_t *b);
json_t *set_difference(const json_t *a, const json_t *b);
json_t *set_intersection(const json_t *a, const json_t *b);
bool set_is_empty(const json_t *set);
/* Call each(".data.k") for every path of the set, as conflicts name them. */
void set_paths(struct op *op, const json_t *set, void (*each)(void *user, const char *path),
               void *user);

/* All that tree says, as its schema takes it apart. type NULL: maps are granular, lists atomic. */
json_t *set_of(struct op *op, const struct type *type, const json_t *tree);
/* What next has that old had not or had otherwise, and what old had and next has not. old NULL: an
   object with nothing in it. */
void set_compare(struct op *op, const struct type *type, const json_t *old, const json_t *next,
                 json_t **ret_changed, json_t **ret_removed);
/* Take out of tree what gone names and kept (may be NULL) does not. */
void set_remove(struct op *op, const struct type *type, json_t *tree, const json_t *gone,
                const json_t *kept);
/* config laid over live: granular maps and lists by key are joined, the rest is replaced. */
json_t *typed_merge(struct op *op, const struct type *type, const json_t *live,
                    const json_t *config);

#endif
