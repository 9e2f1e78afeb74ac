/* What role definitions and role assignments share on the wire. */
#ifndef SUNDOG_API_ROLE_JSON_H
#define SUNDOG_API_ROLE_JSON_H

#include "core/op.h"

/* "/subscriptions/S/providers/Microsoft.Authorization/roleDefinitions/ID" for a scope in S. */
const char *role_definition_path(struct op *op, const char *scope, const char *id);
bool guid_is_well_formed(const char *text);

#endif
