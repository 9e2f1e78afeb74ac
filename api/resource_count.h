/* How many resources there are, for whoever may read them all: no list need be read for that. */
#ifndef SUNDOG_API_RESOURCE_COUNT_H
#define SUNDOG_API_RESOURCE_COUNT_H

#include "core/op.h"

struct resource_count {
    const char *type; /* full */
    int64_t n, failed;
};
/* How many of each type stand in a subscription's lists, and how many of them have failed. */
enum fault resource_count(struct op *op, const char *subscription, struct resource_count **ret,
                          size_t *ret_n);

#endif
