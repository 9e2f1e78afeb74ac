#include "api/provider.h"

#include <string.h>
#include <strings.h>

const struct provider *provider_find(const char *name)
{
    for (const struct provider *const *p = providers; *p; p++)
        if (strcasecmp((*p)->name, name) == 0)
            return *p;
    return NULL;
}

static const struct provider *provider_of(const char *full_type, const char **ret_type)
{
    for (const struct provider *const *p = providers; full_type && *p; p++) {
        size_t len = strlen((*p)->name);

        if (strncasecmp((*p)->name, full_type, len) == 0 && full_type[len] == '/') {
            *ret_type = full_type + len + 1;
            return *p;
        }
    }
    return NULL;
}

const struct resource_type *resource_type_find(const char *full_type)
{
    const char *type;
    const struct provider *p = provider_of(full_type, &type);

    for (const struct resource_type *t = p ? p->types : NULL; t && t->type; t++)
        if (strcasecmp(t->type, type) == 0)
            return t;
    return NULL;
}

const char *full_type_spelled(struct op *op, const char *full_type)
{
    const struct resource_type *t = resource_type_find(full_type);
    const char *type;

    if (!t)
        return full_type;
    return arena_printf(&op->arena, "%s/%s", provider_of(full_type, &type)->name, t->type);
}
