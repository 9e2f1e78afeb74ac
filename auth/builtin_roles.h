/* Azure's built-in roles that matter to containers, registries and clusters, as published. */
#ifndef SUNDOG_AUTH_BUILTIN_ROLES_H
#define SUNDOG_AUTH_BUILTIN_ROLES_H

#include "auth/role.h"

extern const struct role_definition builtin_roles[];
extern const size_t n_builtin_roles;

/* NULL: no such role. */
const struct role_definition *builtin_role(const char *id);

#endif
