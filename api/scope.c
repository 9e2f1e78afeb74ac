#include "api/scope.h"

#include <string.h>

#include "api/group.h"
#include "api/resource.h"
#include "api/subscription.h"

/* "…/registries/r" of "…/registries/r/repositories/team/app": what has a row. */
static enum fault root_of(struct op *op, const struct resource_id *id, struct resource_id *ret)
{
    const char *type_end = id->type + strcspn(id->type, "/");
    size_t name_len = strcspn(id->names, "/");

    return resource_id_parse(op,
                             arena_printf(&op->arena, "%s/providers/%s/%.*s/%.*s", id->scope,
                                          id->provider, (int)(type_end - id->type), id->type,
                                          (int)name_len, id->names),
                             ret);
}

enum fault scope_check(struct op *op, const char *scope, struct resource_id *ret)
{
    struct resource_id root;
    struct subscription subscription;
    struct resource row;
    struct group group;

    TRY(resource_id_parse(op, scope, ret));
    if (!ret->subscription)
        return OK;
    TRY(subscription_find(op, ret->subscription, &subscription));
    if (!ret->group)
        return OK;
    TRY(group_get(op, ret->subscription, ret->group, &group));
    if (!ret->type) {
        ret->path = group.id;
        return OK;
    }
    TRY(root_of(op, ret, &root));
    TRY(resource_get(op, &root, &row));
    ret->path = arena_printf(&op->arena, "%s%s", row.id, ret->path + strlen(root.path));
    return OK;
}
