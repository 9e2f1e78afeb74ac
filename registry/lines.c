#include "registry/lines.h"

#include <string.h>

const char *const *lines_split(struct op *op, const char *text, size_t *ret_n)
{
    const char **list;
    size_t n = 0, max = 1;

    text = text ? text : "";
    for (const char *p = text; *p; p++)
        max += *p == '\n';
    list = arena_alloc(&op->arena, (max + 1) * sizeof(*list));
    while (*text) {
        size_t len = strcspn(text, "\n");

        list[n++] = arena_strndup(&op->arena, text, len);
        text += text[len] ? len + 1 : len;
    }
    *ret_n = n;
    return list;
}
