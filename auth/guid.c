#include "auth/guid.h"

#include <ctype.h>
#include <string.h>

bool guid_is(const char *text)
{
    for (int i = 0; i < GUID_LENGTH; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return !text[GUID_LENGTH];
}

const char *guid_lower(struct op *op, const char *text)
{
    char *copy;

    if (!guid_is(text))
        return NULL;
    copy = arena_strdup(&op->arena, text);
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}
