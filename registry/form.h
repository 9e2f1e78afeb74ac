/*
 * The body of the token endpoints: application/x-www-form-urlencoded from every shipped client,
 * multipart/form-data by the newer description of the API (facts §2.2), whose names may be in camel
 * case.
 */
#ifndef SUNDOG_REGISTRY_FORM_H
#define SUNDOG_REGISTRY_FORM_H

#include "core/call.h"

/* The nth value of a field by its name in snake case ("refresh_token": or "refreshToken"); NULL:
   none. */
const char *form_value(struct call *c, const char *name, size_t nth);
/* A part of a multipart body; the boundary is from the Content-Type. For form_value, and tests. */
const char *form_part(struct arena *arena, const char *content_type, struct bytes body,
                      const char *name, size_t nth);

#endif
