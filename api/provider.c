#include "api/provider.h"

#include <string.h>
#include <strings.h>

#include "core/db.h"
#include "core/meter.h"
#include "core/reconcile.h"

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

enum fault resource_remove(struct op *op, const struct resource *r, int64_t *ret_again_ms)
{
    const struct resource_type *type = resource_type_find(r->type);
    struct resource_id id;
    bool existed;

    *ret_again_ms = RECONCILE_DONE;
    TRY(resource_id_parse(op, r->id, &id));
    if (type && type->remove)
        TRY(type->remove(op, r, ret_again_ms));
    if (*ret_again_ms != RECONCILE_DONE)
        return db_commit(op);
    TRY(resource_delete(op, &id, &existed));
    TRY(db_commit(op));
    meter_forget(id.key); /* before an heir has figures */
    return type && type->changed ? type->changed(op, r) : OK;
}
