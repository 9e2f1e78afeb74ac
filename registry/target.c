#include "registry/target.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *const suffixes[] = {".azurecr.localhost", ".azurecr.io"};

/* The length of the registry's label in host, or 0. */
static size_t label_length(const char *host)
{
    size_t len = strcspn(host, ":"), suffix_len;

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        suffix_len = strlen(suffixes[i]);
        if (len > suffix_len && strncasecmp(host + len - suffix_len, suffixes[i], suffix_len) == 0)
            return len - suffix_len;
    }
    return 0;
}

const char *host_registry(struct arena *arena, const char *host)
{
    size_t len = label_length(host);

    return len ? arena_strndup(arena, host, len) : NULL;
}

bool registry_owns_host(const char *host)
{
    return label_length(host) > 0;
}

enum fault target_split(struct op *op, const char *host, const char *name, struct target *ret)
{
    struct target t = {.registry_name = host_registry(&op->arena, host)};

    t.by_name = t.registry_name != NULL;
    t.full_name = t.repository = name;
    if (!t.by_name && name) {
        size_t len = strcspn(name, "/");

        t.registry_name = arena_strndup(&op->arena, name, len);
        t.repository = name[len] ? name + len + 1 : NULL;
    }
    if (t.repository)
        TRY(check_repository_name(op, t.repository));
    if (t.registry_name && !t.by_name && !registry_name_is_valid(t.registry_name))
        return fail_on(op, "name", INVALID,
                       "\"%.60s\" is no registry's name: by path it comes first", t.registry_name);
    *ret = t;
    return OK;
}

enum fault target_find(struct op *op, const char *host, const char *name, struct target *ret)
{
    TRY(target_split(op, host, name, ret));
    if (ret->registry_name)
        ret->registry = registry_find(op, ret->registry_name);
    return OK;
}

const char *login_server(struct op *op, const struct call *c, const struct target *target)
{
    if (target->by_name)
        return arena_strndup(&op->arena, c->host, strcspn(c->host, ":"));
    return arena_printf(&op->arena, "%s%s", target->registry->name, suffixes[0]);
}
