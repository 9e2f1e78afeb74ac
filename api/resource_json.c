#include <string.h>

#include "api/provider.h"

static json_t *brief(struct op *op, const struct resource *r)
{
    const struct resource_type *type = resource_type_find(r->type);
    json_t *out = json_new_object(op);

    json_set_text(out, "id", r->id);
    json_set_text(out, "name", r->name);
    json_set_text(out, "type", r->type);
    json_set_text(out, "location", r->location);
    if (!type || type->tracked)
        json_set_raw(out, "tags", r->tags);
    json_set_raw(out, "sku", r->sku);
    json_set_text(out, "kind", r->kind);
    json_set_raw(out, "identity", r->identity);
    json_set_text(out, "managedBy", r->managed_by);
    return out;
}

json_t *resource_json(struct op *op, const struct resource *r)
{
    json_t *out = brief(op, r), *system = json_new_object(op);

    json_set_text(system, "createdBy", r->created_by);
    json_set_text(system, "createdByType", r->created_by_kind);
    json_set_text(system, "createdAt", r->created);
    json_set_text(system, "lastModifiedBy", r->changed_by);
    json_set_text(system, "lastModifiedByType", r->changed_by_kind);
    json_set_text(system, "lastModifiedAt", r->changed);
    json_object_set(out, "systemData", system);
    return out;
}

const char *resource_etag(struct op *op, const struct resource *r)
{
    return arena_printf(&op->arena, "\"%lld\"", (long long)r->version);
}
