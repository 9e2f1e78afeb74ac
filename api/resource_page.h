/* A service's own list of one type: what the caller may read of a subscription or group, in pages.
 */
#ifndef SUNDOG_API_RESOURCE_PAGE_H
#define SUNDOG_API_RESOURCE_PAGE_H

#include "api/resource.h"

/*
 * Answers a GET of a collection. type: the full one. Who may read the whole subscription or group
 * sees all of it; who has rights on some resources only sees those; others are FORBIDDEN. render
 * appends the value of each of n resources, sorted by key, to values, and may leave some out.
 */
enum fault resource_page_reply(struct call *c, const char *type,
                               enum fault (*render)(struct op *op, const struct resource *list,
                                                    size_t n, json_t *values));

#endif
