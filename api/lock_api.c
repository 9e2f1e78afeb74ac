/* Microsoft.Authorization/locks at any scope. */
#include <string.h>

#include "api/body.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "api/lock.h"
#include "api/page.h"
#include "api/scope.h"
#include "core/db.h"

#define NAME_MAX_BYTES 260

static json_t *lock_json(struct op *op, const struct lock *l)
{
    json_t *out = json_new_object(op), *p = json_new_object(op), *system = json_new_object(op);

    json_set_text(out, "id", l->id);
    json_set_text(out, "name", l->name);
    json_set_text(out, "type", "Microsoft.Authorization/locks");
    json_set_text(p, "level", l->level);
    json_set_text(p, "notes", l->notes);
    json_set_raw(p, "owners", l->owners);
    json_object_set(out, "properties", p);
    json_set_text(system, "createdBy", l->created_by);
    json_set_text(system, "createdByType", l->created_by_kind);
    json_set_text(system, "createdAt", l->created);
    json_set_text(system, "lastModifiedBy", l->changed_by);
    json_set_text(system, "lastModifiedByType", l->changed_by_kind);
    json_set_text(system, "lastModifiedAt", l->changed);
    json_object_set(out, "systemData", system);
    return out;
}

static enum fault read_owners(struct op *op, const json_t *body, const char **ret)
{
    json_t *owners, *owner;
    size_t i;

    TRY(body_array(op, body, "properties.owners", 50, &owners));
    if (!owners)
        return OK;
    json_array_foreach(owners, i, owner)
    {
        const char *id = NULL;

        TRY(body_required(op, owner, "applicationId"));
        TRY(body_text(op, owner, "applicationId", 1, 128, &id));
    }
    *ret = json_text_of(op, owners);
    return OK;
}

static enum fault read_lock(struct call *c, struct lock *ret)
{
    static const char *const levels[] = {"CanNotDelete", "ReadOnly", "NotSpecified", NULL};
    struct op *op = &c->op;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_required(op, body, "properties.level"));
    TRY(body_choice(op, body, "properties.level", levels, &ret->level));
    TRY(body_text(op, body, "properties.notes", 0, 512, &ret->notes));
    TRY(read_owners(op, body, &ret->owners));
    if (strcmp(ret->level, "NotSpecified") == 0)
        return arm_fail_at(op, "InvalidLockLevel", INVALID, "properties.level",
                           "The lock level must be CanNotDelete or ReadOnly.");
    if (strlen(ret->name) > NAME_MAX_BYTES || strpbrk(ret->name, "<>%&:\\?/"))
        return arm_fail_at(op, "InvalidLockName", INVALID, "name",
                           "The lock name must have at most %d characters and none of "
                           "'<,>,%%,&,:,\\,?,/'.",
                           NAME_MAX_BYTES);
    return OK;
}

enum fault lock_api_put(struct call *c)
{
    const struct resource_id *id = arm_id(c);
    struct lock wanted = {.name = id->name}, now;
    struct op *op = &c->op;
    struct resource_id scope;
    bool created;

    TRY(read_lock(c, &wanted));
    TRY(scope_check(op, id->scope, &scope));
    wanted.id = arena_printf(&op->arena, "%s/providers/Microsoft.Authorization/locks/%s",
                             scope.path, id->name);
    wanted.key = id->key;
    wanted.scope = scope.key;
    TRY(db_begin(op));
    TRY(lock_put(c, &wanted, &created));
    TRY(lock_get(op, id->key, &now));
    TRY(db_commit(op));
    TRY(lock_reload(op));
    return arm_reply(c, created ? 201 : 200, lock_json(op, &now));
}

enum fault lock_api_get(struct call *c)
{
    struct lock lock;

    TRY(lock_get(&c->op, arm_id(c)->key, &lock));
    return arm_reply(c, 200, lock_json(&c->op, &lock));
}

/* With atScope() those at the scope and above it, else also those below. */
enum fault lock_api_list(struct call *c)
{
    struct op *op = &c->op;
    json_t *values = json_new_array(op);
    const char *scope = id_lower(op, arm_id(c)->scope);
    struct filter *filter;
    struct lock *locks;
    size_t n;

    TRY(filter_parse(op, call_query(c, "$filter", 0), &filter));
    TRY(lock_list(op, scope, false, &locks, &n));
    for (size_t i = 0; i < n; i++)
        if (!filter_call(filter, "atScope") || id_is_within(scope, locks[i].scope))
            json_array_append(values, lock_json(op, &locks[i]));
    return page_reply(c, values, NULL);
}

enum fault lock_api_delete(struct call *c)
{
    struct op *op = &c->op;
    bool existed;

    TRY(db_begin(op));
    TRY(lock_delete(op, arm_id(c)->key, &existed));
    TRY(db_commit(op));
    TRY(lock_reload(op));
    return reply_empty(c, existed ? 200 : 204);
}
