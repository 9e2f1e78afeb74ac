/*
 * JSON as people write templates and az sends them: // and comments between slash and star, names
 * without quotes, texts over several lines, texts in single quotes, a comma before a closing
 * bracket. A name that is there twice means its last value.
 */
#ifndef SUNDOG_API_TEMPLATE_LENIENT_H
#define SUNDOG_API_TEMPLATE_LENIENT_H

#include <jansson.h>

#include "core/op.h"

/* In op's arena. INVALID on "InvalidRequestContent" says where and what; depth ≤ 48. */
enum fault lenient_parse(struct op *op, struct bytes text, json_t **ret);

#endif
