#include "registry/pack.h"

#include <string.h>

void *pack(struct packer *p, const void *data, size_t size)
{
    size_t room = (size + 15) & ~(size_t)15;
    char *start = p->at;

    p->size += room;
    if (!start)
        return NULL;
    if (size)
        memcpy(start, data, size);
    p->at += room;
    return start;
}

const char *pack_text(struct packer *p, const char *s)
{
    return s ? pack(p, s, strlen(s) + 1) : NULL;
}

const char *const *pack_texts(struct packer *p, const char *const *list, size_t n)
{
    const char **copy = pack(p, list, n * sizeof(*copy));

    for (size_t i = 0; i < n; i++) {
        const char *text = pack_text(p, list[i]);

        if (copy)
            copy[i] = text;
    }
    return copy;
}
