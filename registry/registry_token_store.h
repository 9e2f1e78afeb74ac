/*
 * Rows of repository tokens as registry_token.c keeps them in memory.
 */
#ifndef SUNDOG_REGISTRY_REGISTRY_TOKEN_STORE_H
#define SUNDOG_REGISTRY_REGISTRY_TOKEN_STORE_H

#include "registry/registry_token.h"

/* With the actions of its map as they are now; strings in op's arena. NOT_FOUND. */
enum fault registry_token_store_rights(struct op *op, int64_t registry_id, const char *key,
                                       struct token_rights *ret);

#endif
