/* Custom roles and assignments in the database; auth/role.h has what other folders use. */
#ifndef SUNDOG_AUTH_ROLE_STORE_H
#define SUNDOG_AUTH_ROLE_STORE_H

#include "auth/role.h"

void role_store_start(void);
/* All custom roles, sorted by id, in op's arena. */
enum fault role_store_load(struct op *op, struct role_definition **ret, size_t *ret_n);
/* Lower case, "" for "/", without a slash at its end. INVALID: not a scope. */
enum fault role_scope_key(struct op *op, const char *scope, const char **ret);

#endif
