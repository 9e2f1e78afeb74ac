#include "registry/names.h"

#include <ctype.h>
#include <string.h>

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_alnum(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

bool registry_name_is_valid(const char *name)
{
    size_t len = 0;

    for (; name[len]; len++)
        if (!is_alnum(name[len]) || len == REGISTRY_NAME_MAX)
            return false;
    return len >= REGISTRY_NAME_MIN;
}

/* One separator: ".", "_", "__" or any number of "-". Returns what follows, or NULL. */
static const char *skip_separator(const char *p)
{
    if (*p == '.')
        return p + 1;
    if (*p == '_')
        return p[1] == '_' ? p + 2 : p + 1;
    if (*p != '-')
        return NULL;
    while (*p == '-')
        p++;
    return p;
}

bool repository_name_is_valid(const char *name)
{
    const char *p = name;

    if (strnlen(name, REPOSITORY_NAME_MAX + 1) > REPOSITORY_NAME_MAX)
        return false;
    for (;;) {
        if (!is_lower_or_digit(*p))
            return false;
        while (is_lower_or_digit(*p))
            p++;
        if (*p == '\0')
            return true;
        p = *p == '/' ? p + 1 : skip_separator(p);
        if (!p)
            return false;
    }
}

bool tag_is_valid(const char *tag)
{
    size_t len = 0;

    if (*tag == '.' || *tag == '-')
        return false;
    for (; tag[len]; len++)
        if ((!is_alnum(tag[len]) && !strchr("._-", tag[len])) || len == TAG_MAX)
            return false;
    return len > 0;
}

static bool is_hex_of(const char *hex, size_t len)
{
    size_t i = 0;

    while (i < len && is_hex(hex[i]))
        i++;
    return i == len && hex[i] == '\0';
}

bool digest_is_valid(const char *digest)
{
    if (strncmp(digest, "sha256:", 7) == 0)
        return is_hex_of(digest + 7, 64);
    return strncmp(digest, "sha512:", 7) == 0 && is_hex_of(digest + 7, 128);
}

bool reference_is_digest(const char *reference)
{
    return strchr(reference, ':') != NULL;
}

bool uuid_is_valid(const char *id)
{
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? id[i] != '-' : !is_hex(id[i]))
            return false;
    }
    return id[36] == '\0';
}

enum fault check_repository_name(struct op *op, const char *name)
{
    if (repository_name_is_valid(name))
        return OK;
    return fail_on(op, "name", INVALID, "\"%.300s\" is no repository name", name);
}

enum fault check_tag(struct op *op, const char *tag)
{
    if (tag_is_valid(tag))
        return OK;
    return fail_on(op, "tag", INVALID, "\"%.200s\" is neither a tag nor a digest", tag);
}

enum fault check_digest(struct op *op, const char *digest)
{
    if (digest_is_valid(digest))
        return OK;
    return fail_on(op, "digest", INVALID, "\"%.200s\" is no sha256 or sha512 digest", digest);
}
