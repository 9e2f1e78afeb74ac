#include "core/uri.h"

#include <ctype.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *uri_decode(struct arena *arena, struct bytes text, bool plus)
{
    const char *in = text.data;
    char *out = arena_alloc(arena, text.len + 1), *p = out;

    for (size_t i = 0; i < text.len; i++) {
        char c = in[i];

        if (c == '%') {
            int hi = i + 2 < text.len ? hex_value(in[i + 1]) : -1;
            int lo = i + 2 < text.len ? hex_value(in[i + 2]) : -1;

            if (hi < 0 || lo < 0)
                return NULL;
            c = (char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0')
            return NULL;
        *p++ = c;
    }
    *p = '\0';
    return out;
}

char *uri_encode(struct arena *arena, const char *text, const char *keep)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_alloc(arena, 3 * strlen(text) + 1), *p = out;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (isalnum(c) || strchr("-._~", c) || strchr(keep, c)) {
            *p++ = (char)c;
        } else {
            *p++ = '%';
            *p++ = digits[c >> 4];
            *p++ = digits[c & 15];
        }
    }
    return out;
}

/* Names may be encoded too: "%24filter". */
static bool is_named(struct arena *arena, struct bytes key, const char *name)
{
    const char *decoded;

    if (key.len == strlen(name) && memcmp(key.data, name, key.len) == 0)
        return true;
    if (key.len < strlen(name) || !memchr(key.data, '%', key.len))
        return false;
    decoded = uri_decode(arena, key, true);
    return decoded && strcmp(decoded, name) == 0;
}

const char *uri_parameter(struct arena *arena, struct bytes form, const char *name, size_t nth)
{
    const char *p = form.data, *end = p + form.len;

    while (p < end) {
        const char *amp = memchr(p, '&', (size_t)(end - p));
        const char *stop = amp ? amp : end, *eq = memchr(p, '=', (size_t)(stop - p));
        const char *key_end = eq ? eq : stop;

        if (is_named(arena, (struct bytes){p, (size_t)(key_end - p)}, name) && nth-- == 0) {
            const char *value = eq ? eq + 1 : stop;

            return uri_decode(arena, (struct bytes){value, (size_t)(stop - value)}, true);
        }
        p = stop + 1;
    }
    return NULL;
}
