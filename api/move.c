/* Moving resources to another group or subscription: all of them in one transaction. */
#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/cache.h"
#include "api/group.h"
#include "api/handlers.h"
#include "api/lock.h"
#include "api/operation.h"
#include "api/provider.h"
#include "core/db.h"
#include "core/meter.h"

#define RESOURCES_MAX 800

/* One that moves. */
struct mover {
    struct resource row;
    const struct resource_type *type;
    struct resource_id from, to;
    const char *new_id; /* once it is moved */
};
struct move {
    struct resource_id target; /* the group */
    struct group group;
    struct mover *movers;
    size_t n;
};

static enum fault refuse(struct op *op, const char *target, const char *fmt, const char *what)
{
    return arm_fail_at(op, "ResourceMoveProviderValidationFailed", CONFLICT, target, fmt, what);
}

static enum fault read_target(struct call *c, const json_t *body, struct move *m)
{
    const char *path = NULL;
    struct op *op = &c->op;

    TRY(body_required(op, body, "targetResourceGroup"));
    TRY(body_text(op, body, "targetResourceGroup", 1, ID_MAX_BYTES, &path));
    TRY(resource_id_parse(op, path, &m->target));
    if (!m->target.group || m->target.type || m->target.rest)
        return arm_fail_at(op, "InvalidResourceGroupId", INVALID, "targetResourceGroup",
                           "'%s' is not the id of a resource group.", path);
    TRY(arm_need(c, m->target.path, "Microsoft.Resources/subscriptions/resourceGroups/write"));
    TRY(group_get(op, m->target.subscription, m->target.group, &m->group));
    if (strcmp(m->group.state, "Deleting") == 0)
        return fail_on(op, "ResourceGroupBeingDeleted", CONFLICT,
                       "The resource group '%s' is in deprovisioning state and cannot perform this "
                       "operation.",
                       m->group.name);
    if (strcmp(m->group.key, arm_id(c)->key) == 0)
        return arm_fail_at(op, "ResourceMoveSourceAndTargetSame", INVALID, "targetResourceGroup",
                           "The source and the target are the same resource group.");
    return OK;
}

static enum fault check_one(struct call *c, const struct move *m, struct mover *one,
                            const char *path)
{
    struct op *op = &c->op;
    struct resource there;
    const char *to;
    enum fault fault;

    TRY(resource_id_parse(op, path, &one->from));
    if (!one->from.type || one->from.rest || !id_is_within(one->from.key, arm_id(c)->key))
        return refuse(op, path, "'%s' is not a resource of the source resource group.", path);
    if (strchr(one->from.type, '/'))
        return refuse(op, path, "'%s' moves with what it belongs to only.", path);
    TRY(resource_get_for_update(op, &one->from, &one->row));
    one->type = resource_type_find(one->row.type);
    if (!one->type || !one->type->move)
        return refuse(op, path, "Resources of type '%s' cannot be moved.", one->row.type);
    TRY(lock_check(op, PUT, one->from.path));
    to = arena_printf(&op->arena, "%s%s", m->group.id,
                      one->row.id + (strstr(one->row.key, "/providers/") - one->row.key));
    TRY(resource_id_parse(op, to, &one->to));
    fault = resource_get(op, &one->to, &there);
    if (fault == OK)
        return refuse(op, path, "'%s' exists already.", to);
    op_clear_fault(op);
    return fault == NOT_FOUND ? OK : fault;
}

static enum fault read_move(struct call *c, struct move *m)
{
    struct op *op = &c->op;
    const char **ids = NULL;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_required(op, body, "resources"));
    TRY(body_texts(op, body, "resources", RESOURCES_MAX, ID_MAX_BYTES, &ids, &m->n));
    if (m->n == 0)
        return arm_fail_at(op, "InvalidRequestContent", INVALID, "resources",
                           "At least one resource is needed.");
    TRY(db_begin(op));
    TRY(read_target(c, body, m));
    m->movers = arena_alloc(&op->arena, m->n * sizeof(*m->movers));
    for (size_t i = 0; i < m->n; i++)
        TRY(check_one(c, m, &m->movers[i], ids[i]));
    return OK;
}

static enum fault move_one(struct op *op, const struct move *m, struct mover *one)
{
    TRY(one->type->move(op, &one->row, &one->to));
    TRY(resource_rekey(op, &one->row, &m->target, m->group.name, &one->new_id));
    TRY(lock_delete_below(op, one->from.key));
    return role_assignment_delete_below(op, one->from.key);
}

/* After the commit. */
static enum fault reload(struct op *op, const struct move *m)
{
    cache_changed_all();
    for (size_t i = 0; i < m->n; i++)
        meter_moved(m->movers[i].from.key, id_lower(op, m->movers[i].new_id));
    for (size_t i = 0; i < m->n; i++)
        if (m->movers[i].type->changed)
            TRY(m->movers[i].type->changed(op, &m->movers[i].row));
    TRY(lock_reload(op));
    return role_reload(op);
}

enum fault resource_move(struct call *c)
{
    struct operation o = {.kind = "resource.move", .provider = "Microsoft.Resources"};
    struct op *op = &c->op;
    struct move m = {0};

    TRY(read_move(c, &m));
    for (size_t i = 0; i < m.n; i++)
        TRY(move_one(op, &m, &m.movers[i]));
    TRY(operation_start(c, &o));
    TRY(operation_finish(op, o.id, OPERATION_SUCCEEDED, NULL, NULL, NULL));
    TRY(db_commit(op));
    TRY(reload(op, &m));
    operation_headers(c, &o, OPERATION_LOCATION);
    return reply_empty(c, 202);
}

enum fault resource_validate_move(struct call *c)
{
    struct move m = {0};

    TRY(read_move(c, &m));
    db_rollback(&c->op);
    return reply_empty(c, 204);
}
