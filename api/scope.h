/* Things that hang on any scope (tags, locks, role assignments): does the scope exist? */
#ifndef SUNDOG_API_SCOPE_H
#define SUNDOG_API_SCOPE_H

#include "api/arm.h"

/*
 * Parse what an extension hangs on. OK: the tenant ("/"), a subscription, a group, a resource, or
 * something below a resource that exists; path is then as these were made, however it was written
 * here. NOT_FOUND as the group or resource says it.
 */
enum fault scope_check(struct op *op, const char *scope, struct resource_id *ret);

#endif
