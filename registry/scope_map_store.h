/*
 * What scope_map.c, scope_map_store.c and registry_token_store.c share.
 */
#ifndef SUNDOG_REGISTRY_SCOPE_MAP_STORE_H
#define SUNDOG_REGISTRY_SCOPE_MAP_STORE_H

#include "registry/scope_map.h"

/* The system's map of that name, or NULL. */
const struct scope_map *scope_map_system(const char *name);
/* The system's maps after last ("": all). */
size_t scope_map_systems(const char *last, const struct scope_map **ret);
/* May it be stored? INVALID, FORBIDDEN: it is the system's. */
enum fault scope_map_check(struct op *op, const struct scope_map *map);
/* 5 to 50 letters, digits and characters of also. */
bool registry_item_name_is_valid(const char *name, const char *also);
/* In lower case: names differ without regard to it. */
const char *registry_item_key(struct op *op, const char *name);
/* In the transaction: other `serve` forget this registry's tokens. */
enum fault scope_map_notify(struct op *op, int64_t registry_id);
/* The actions of a map by its key; none when there is no such map. */
enum fault scope_map_actions(struct op *op, int64_t registry_id, const char *key,
                             const char *const **ret_actions, size_t *ret_n, bool *ret_found);

#endif
