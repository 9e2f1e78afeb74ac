/*
 * Lists of words as one text with a line for each: how text[] columns come out of SQL
 * (array_to_string(x, E'\n')), and how few words of a row are kept together.
 */
#ifndef SUNDOG_REGISTRY_LINES_H
#define SUNDOG_REGISTRY_LINES_H

#include "core/op.h"

/* "a\nb" → {"a", "b"}; NULL and "" → none. All in op's arena. */
const char *const *lines_split(struct op *op, const char *text, size_t *ret_n);

#endif
