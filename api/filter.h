/*
 * OData $filter, as much as Resource Manager's lists know: NAME eq|ne|ge|gt|le|lt 'text',
 * substringof('text', NAME), startswith(NAME, 'text'), atScope(), assignedTo('text'), and, or, not,
 * parentheses.
 */
#ifndef SUNDOG_API_FILTER_H
#define SUNDOG_API_FILTER_H

#include "api/arm.h"

struct filter;
/* text NULL or empty: *ret NULL. INVALID on "InvalidFilterInQueryString". */
enum fault filter_parse(struct op *op, const char *text, struct filter **ret);
/* The text that name must be equal to for the filter to hold at all; NULL: there is none. */
const char *filter_equal(const struct filter *filter, const char *name);
/* A text that one of these names (NULL-terminated) must contain, in any case, for the filter to
   hold at all; NULL: none is known. */
const char *filter_contained(const struct filter *filter, const char *const *names);
/* Is a name in it at all? */
bool filter_names(const struct filter *filter, const char *name);
/* The text after "NAME ge" or "NAME le" (upper) that must hold; NULL: there is none. */
const char *filter_bound(const struct filter *filter, const char *name, bool upper);
/* The argument of a function that must hold ("" for atScope()); NULL: it need not. */
const char *filter_call(const struct filter *filter, const char *function);
/*
 * Does it hold? value gives what a name stands for (NULL: nothing) and arg is passed on. Texts are
 * compared without case; ge, gt, le, lt by bytes. tagName and tagValue hold when one and the same
 * tag has both.
 */
bool filter_holds(const struct filter *filter, const char *(*value)(void *arg, const char *name),
                  void *arg, const json_t *tags);
/* Every name in it is among these (NULL-terminated). INVALID names the one that is not. */
enum fault filter_check(struct op *op, const struct filter *filter, const char *const *names);

#endif
