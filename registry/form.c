#include "registry/form.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define BOUNDARY_MAX 70 /* RFC 2046 */

/* refresh_token → refreshToken */
static const char *camel(struct arena *arena, const char *name)
{
    char *copy = arena_strdup(arena, name), *to = copy;

    for (const char *from = name; *from; from++) {
        if (*from == '_' && from[1])
            *to++ = (char)toupper((unsigned char)*++from);
        else
            *to++ = *from;
    }
    *to = '\0';
    return copy;
}

static const char *boundary_of(struct arena *arena, const char *content_type)
{
    const char *at = strcasestr(content_type, "boundary=");
    size_t len;

    if (!at)
        return NULL;
    at += strlen("boundary=");
    len = *at == '"' ? strcspn(++at, "\"") : strcspn(at, "; \t");
    if (len == 0 || len > BOUNDARY_MAX)
        return NULL;
    return arena_printf(arena, "\r\n--%.*s", (int)len, at);
}

/* Does a part's head name this field? */
static bool head_names(struct arena *arena, const char *head, size_t len, const char *name)
{
    const char *text = arena_strndup(arena, head, len);
    const char *at = strcasestr(text, "content-disposition:");
    const char *quoted = arena_printf(arena, "name=\"%s\"", name);
    const char *bare = arena_printf(arena, "name=%s", name);
    const char *found;

    if (!at)
        return false;
    if (strstr(at, quoted))
        return true;
    found = strstr(at, bare);
    return found && strchr("; \t\r\n", found[strlen(bare)]);
}

const char *form_part(struct arena *arena, const char *content_type, struct bytes body,
                      const char *name, size_t nth)
{
    const char *boundary = boundary_of(arena, content_type), *at, *end, *text;
    size_t len = body.len + 2;

    if (!boundary)
        return NULL;
    /* with a line break before the first boundary, so that all look the same */
    text = arena_alloc(arena, len + 1);
    memcpy((char *)text, "\r\n", 2);
    if (body.len)
        memcpy((char *)text + 2, body.data, body.len);
    at = memmem(text, len, boundary, strlen(boundary));
    while (at) {
        const char *head = at + strlen(boundary), *value;
        size_t left = len - (size_t)(head - text);

        value = memmem(head, left, "\r\n\r\n", 4);
        end = memmem(head, left, boundary, strlen(boundary));
        if (!value || !end || value > end)
            return NULL;
        if (head_names(arena, head, (size_t)(value - head), name) && nth-- == 0) {
            value += 4;
            if (value > end || memchr(value, '\0', (size_t)(end - value)))
                return NULL;
            return arena_strndup(arena, value, (size_t)(end - value));
        }
        at = end;
    }
    return NULL;
}

static const char *one(struct call *c, const char *name, size_t nth)
{
    const char *type = call_header(c, "content-type");

    if (type && strncasecmp(type, "multipart/form-data", strlen("multipart/form-data")) == 0)
        return form_part(&c->op.arena, type, c->body, name, nth);
    return call_form(c, name, nth);
}

const char *form_value(struct call *c, const char *name, size_t nth)
{
    const char *value = one(c, name, nth);

    if (!value && strchr(name, '_'))
        value = one(c, camel(&c->op.arena, name), nth);
    return value;
}
