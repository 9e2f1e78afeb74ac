/*
 * Byte ranges (RFC 9110 §14): "bytes=0-99,-5".
 */
#ifndef SUNDOG_CORE_RANGE_H
#define SUNDOG_CORE_RANGE_H

#include "core/op.h"

#define RANGES_MAX 16

struct range {
    int64_t first, last; /* inclusive, both inside the representation */
};

/*
 * OK with *ret_n = 0: serve the whole (no ranges, another unit, malformed, or too many of them).
 * OK with *ret_n > 0: these. RANGE: none can be satisfied, or one ends before it begins.
 */
enum fault range_parse(const char *value, int64_t size, struct range ranges[RANGES_MAX],
                       size_t *ret_n);
/* A decimal number without sign, at most 18 digits; *s moves behind it. -1: none there. */
int64_t decimal_parse(const char **s);

#endif
