/*
 * Rows of registries: what registry.c and registry_memory.c need of registry_store.c.
 */
#ifndef SUNDOG_REGISTRY_REGISTRY_STORE_H
#define SUNDOG_REGISTRY_REGISTRY_STORE_H

#include "registry/registry.h"

#define EVERY_REGISTRY ((int64_t)0)

/* All of them, or the one of this id; strings live in op's arena. */
enum fault registry_store_select(struct op *op, int64_t id, struct registry **ret_registries,
                                 size_t *ret_n);
/* *ret_id is 0 when there is one of that name already. scope may be NULL. */
enum fault registry_store_insert(struct op *op, const char *name, const char *scope,
                                 const struct registry_options *options, int64_t *ret_id);
/* Hold the row until the transaction ends and make a new version of it, with NOTIFY. NOT_FOUND. */
enum fault registry_store_touch(struct op *op, int64_t id);
/* Only hold it: for what is counted against its tier's limits. NOT_FOUND. */
enum fault registry_store_hold(struct op *op, int64_t id, enum sku *ret_sku);
enum fault registry_store_set(struct op *op, int64_t id, const struct registry_options *options);
enum fault registry_store_set_scope(struct op *op, int64_t id, const char *scope);
/* Seals it. which: 0 or 1. */
enum fault registry_store_set_password(struct op *op, int64_t id, int which, const char *password);
enum fault registry_store_delete(struct op *op, int64_t id);
enum fault registry_store_exists(struct op *op, const char *name, bool *ret_exists);
void registry_store_start(void);

#endif
