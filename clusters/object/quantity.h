/* resource.Quantity: exact decimal numbers with suffixes ("100m", "1.5Gi", "1e3"). */
#ifndef SUNDOG_CLUSTERS_OBJECT_QUANTITY_H
#define SUNDOG_CLUSTERS_OBJECT_QUANTITY_H

#include "core/op.h"

struct quantity {
    __int128 nano; /* value × 10⁹; what is finer is rounded up */
    char format;   /* 'B' binary suffixes, 'D' decimal, 'E' exponent */
};
bool quantity_parse(const char *text, struct quantity *ret); /* false: not one */
/* The canonical form, in op's arena: "1500m", "2Gi", "1k". */
const char *quantity_text(struct op *op, struct quantity q);
int64_t quantity_value(struct quantity q); /* rounded up, cut to int64 */
int64_t quantity_millis(struct quantity q);
/* Of a text that may be NULL or wrong: 0. */
int64_t quantity_value_of(const char *text);
int64_t quantity_millis_of(const char *text);
/* In a's format; in b's when a is 0. Formats are 'B', 'D', 'E': {0} + b works. */
struct quantity quantity_add(struct quantity a, struct quantity b);
struct quantity quantity_subtract(struct quantity a, struct quantity b);
int quantity_compare(struct quantity a, struct quantity b);

#endif
