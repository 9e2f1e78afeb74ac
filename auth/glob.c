#include "auth/glob.h"

#include <string.h>
#include <strings.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool same(char pattern, char text, bool any_case, bool question)
{
    if (pattern == '?' && question)
        return true;
    return pattern == text || (any_case && lower(pattern) == lower(text));
}

/* Going back to the last star is enough: an earlier one could only take what the last takes. */
bool glob_match(const char *pattern, const char *text, bool any_case, bool question)
{
    const char *star = NULL, *retry = NULL;

    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*pattern && same(*pattern, *text, any_case, question)) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool scope_contains(const char *scope, const char *path)
{
    size_t len = strlen(scope);

    return strncasecmp(scope, path, len) == 0 && (path[len] == '\0' || path[len] == '/');
}
