/* GUIDs as text: 8-4-4-4-12 hexadecimal digits. */
#ifndef SUNDOG_AUTH_GUID_H
#define SUNDOG_AUTH_GUID_H

#include "core/op.h"

#define GUID_LENGTH 36

bool guid_is(const char *text);
/* In lower case, as it is kept; NULL when it is none. In op's arena. */
const char *guid_lower(struct op *op, const char *text);

#endif
