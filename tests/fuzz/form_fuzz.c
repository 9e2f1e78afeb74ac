/* multipart/form-data (registry/form.h): the first line is the Content-Type. */
#include <string.h>

#include "registry/form.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"grant_type", "accessToken", "scope"};
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    struct arena arena;
    struct bytes body;
    const char *type;

    if (!end)
        return 0;
    arena_init(&arena);
    type = arena_strndup(&arena, data, (size_t)(end - data));
    body = (struct bytes){end + 1, size - (size_t)(end + 1 - data)};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        for (size_t nth = 0; nth < 2; nth++)
            form_part(&arena, type, body, names[i], nth);
    arena_free(&arena);
    return 0;
}
