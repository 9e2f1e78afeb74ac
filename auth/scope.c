#include "auth/scope.h"

#include <string.h>

#define SCOPES_MAX     64
#define SCOPE_TEXT_MAX 16384

static const struct {
    const char *name;
    unsigned action;
} actions[] = {
    {"pull",            SCOPE_PULL           },
    {"push",            SCOPE_PUSH           },
    {"delete",          SCOPE_DELETE         },
    {"metadata_read",   SCOPE_METADATA_READ  },
    {"metadata_write",  SCOPE_METADATA_WRITE },
    {"deleted_read",    SCOPE_DELETED_READ   },
    {"deleted_restore", SCOPE_DELETED_RESTORE},
};

unsigned scope_action_parse(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (strlen(actions[i].name) == len && memcmp(actions[i].name, name, len) == 0)
            return actions[i].action;
    }
    return 0;
}

/* What "*" means: all of the type, and for the registry the one thing that is named. */
static unsigned all_of(const struct scope *scope)
{
    if (strcmp(scope->type, "repository") == 0)
        return SCOPE_ALL_REPOSITORY;
    if (strcmp(scope->type, "registry") != 0)
        return 0;
    if (strcmp(scope->name, "catalog") == 0)
        return SCOPE_CATALOG;
    return strcmp(scope->name, "deleted_catalog") == 0 ? SCOPE_DELETED_CATALOG : 0;
}

static unsigned parse_actions(const struct scope *scope, const char *text, size_t len)
{
    unsigned found = 0;

    while (len > 0) {
        const char *comma = memchr(text, ',', len);
        size_t n = comma ? (size_t)(comma - text) : len;

        if (n == 1 && *text == '*')
            found |= all_of(scope);
        else if (strcmp(scope->type, "repository") == 0)
            found |= scope_action_parse(text, n);
        text += comma ? n + 1 : n;
        len -= comma ? n + 1 : n;
    }
    return found;
}

static bool printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] == 0x7f || text[i] == '"' || text[i] == '\\')
            return false;
    }
    return true;
}

/* type[(class)]:name:actions, where name may hold ':' itself (a host's port). */
static enum fault parse_one(struct op *op, const char *text, size_t len, struct scope *ret)
{
    const char *first = memchr(text, ':', len), *last = memrchr(text, ':', len);
    size_t type_len;

    if (!printable(text, len) || !first || first == last || first == text || last == first + 1)
        return fail(op, INVALID, "invalid scope \"%.*s\": type:name:actions is expected",
                    len > 128 ? 128 : (int)len, text);
    type_len = strcspn(text, "(:");
    if (type_len == 0)
        return fail(op, INVALID, "a scope without a type");
    ret->type = arena_strndup(&op->arena, text, type_len);
    ret->name = arena_strndup(&op->arena, first + 1, (size_t)(last - first) - 1);
    ret->actions = parse_actions(ret, last + 1, (size_t)(text + len - last) - 1);
    return OK;
}

enum fault scope_parse(struct op *op, const char *text, struct scope **ret_scopes, size_t *ret_n)
{
    struct scope *scopes = arena_alloc(&op->arena, SCOPES_MAX * sizeof(*scopes));
    size_t n = 0;

    if (strlen(text) > SCOPE_TEXT_MAX)
        return fail(op, INVALID, "the scope is longer than %d bytes", SCOPE_TEXT_MAX);
    while (*(text += strspn(text, " "))) {
        size_t len = strcspn(text, " ");

        if (n == SCOPES_MAX)
            return fail(op, INVALID, "more than %d scopes", SCOPES_MAX);
        TRY(parse_one(op, text, len, &scopes[n]));
        n++;
        text += len;
    }
    *ret_scopes = scopes;
    *ret_n = n;
    return OK;
}

const char *scope_actions_text(struct op *op, unsigned wanted)
{
    struct text text;

    text_init(&text, &op->arena, 256);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
        if (wanted & actions[i].action)
            text_printf(&text, "%s%s", text.len > 0 ? "," : "", actions[i].name);
    }
    if (wanted & (SCOPE_CATALOG | SCOPE_DELETED_CATALOG))
        text_printf(&text, "%s*", text.len > 0 ? "," : "");
    return text.data;
}
