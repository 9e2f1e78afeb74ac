/*
 * Percent-encoding (RFC 3986), query and form parameters.
 */
#ifndef SUNDOG_CORE_URI_H
#define SUNDOG_CORE_URI_H

#include "core/op.h"

/* Decode %XX; plus: '+' is a space (forms and queries). NULL: malformed, or it holds a NUL. */
char *uri_decode(struct arena *arena, struct bytes text, bool plus);
/* Encode all but unreserved characters and those in keep ("/" for paths). */
char *uri_encode(struct arena *arena, const char *text, const char *keep);
/* The nth value of name in "a=1&b=2", decoded; NULL when there is none (or it is malformed). */
const char *uri_parameter(struct arena *arena, struct bytes form, const char *name, size_t nth);

#endif
