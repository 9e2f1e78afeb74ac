/* Microsoft.Authorization/roleAssignments at any scope, over auth/role.h. */
#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "api/page.h"
#include "api/role_json.h"
#include "api/scope.h"
#include "core/db.h"

#define ASSIGNMENT_TYPE "Microsoft.Authorization/roleAssignments"

static json_t *assignment_json(struct op *op, const struct role_assignment *a)
{
    json_t *out = json_new_object(op), *p = json_new_object(op);
    const char *scope = strcmp(a->scope, "/") == 0 ? "" : a->scope;

    json_set_text(out, "id",
                  arena_printf(&op->arena, "%s/providers/" ASSIGNMENT_TYPE "/%s", scope, a->id));
    json_set_text(out, "type", ASSIGNMENT_TYPE);
    json_set_text(out, "name", a->id);
    json_set_text(p, "roleDefinitionId", role_definition_path(op, a->scope, a->role_id));
    json_set_text(p, "principalId", a->principal_id);
    json_set_text(p, "principalType", a->principal_type);
    json_set_text(p, "scope", a->scope);
    json_set_text(p, "condition", a->condition);
    json_set_text(p, "conditionVersion", a->condition_version);
    json_set_text(p, "description", a->description);
    json_set_text(p, "createdOn", a->created);
    json_set_text(p, "updatedOn", a->updated);
    json_set_text(p, "createdBy", a->created_by);
    json_set_text(p, "updatedBy", a->updated_by);
    json_object_set(out, "properties", p);
    return out;
}

enum fault role_assignment_api_list(struct call *c)
{
    static const char *const names[] = {"principalId", "atScope", "assignedTo", "roleDefinitionId",
                                        NULL};
    struct op *op = &c->op;
    struct role_filter wanted = {.scope = arm_id(c)->scope};
    json_t *values = json_new_array(op);
    struct role_assignment *all;
    const char *role;
    struct filter *filter;
    struct arm_page page;
    size_t n;

    TRY(page_read_arm(c, PAGE_DEFAULT, &page));
    TRY(filter_parse(op, call_query(c, "$filter", 0), &filter));
    TRY(filter_check(op, filter, names));
    wanted.at_scope_only = filter_call(filter, "atScope") != NULL;
    wanted.principal_id = filter_equal(filter, "principalId");
    wanted.assigned_to = filter_call(filter, "assignedTo");
    role = filter_equal(filter, "roleDefinitionId");
    wanted.role_id = role && strrchr(role, '/') ? strrchr(role, '/') + 1 : role;
    wanted.last = page.last;
    wanted.max = page.limit;
    TRY(role_assignment_list(op, &wanted, &all, &n));
    for (size_t i = 0; i < n && (int64_t)i < page.top; i++)
        json_array_append(values, assignment_json(op, &all[i]));
    return page_reply(c, values, (int64_t)n > page.top ? all[page.top - 1].id : NULL);
}

static enum fault missing(struct call *c)
{
    return fail_on(&c->op, "RoleAssignmentNotFound", NOT_FOUND,
                   "The role assignment '%.100s' is not found.", arm_id(c)->name);
}

enum fault role_assignment_api_get(struct call *c)
{
    struct role_assignment a;
    enum fault fault =
        role_assignment_get(&c->op, arm_id(c)->scope, id_lower(&c->op, arm_id(c)->name), &a);

    if (fault == NOT_FOUND)
        return missing(c);
    TRY(fault);
    return arm_reply(c, 200, assignment_json(&c->op, &a));
}

static enum fault read_assignment(struct call *c, struct role_assignment *a)
{
    static const char *const types[] = {"User",         "Group",  "ServicePrincipal",
                                        "ForeignGroup", "Device", NULL};
    struct op *op = &c->op;
    const char *role = NULL;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_required(op, body, "properties.roleDefinitionId"));
    TRY(body_required(op, body, "properties.principalId"));
    TRY(body_text(op, body, "properties.roleDefinitionId", 36, ID_MAX_BYTES, &role));
    TRY(body_text(op, body, "properties.principalId", 36, 36, &a->principal_id));
    TRY(body_choice(op, body, "properties.principalType", types, &a->principal_type));
    TRY(body_text(op, body, "properties.condition", 0, 8192, &a->condition));
    TRY(body_text(op, body, "properties.conditionVersion", 0, 16, &a->condition_version));
    TRY(body_text(op, body, "properties.description", 0, 1024, &a->description));
    role = strrchr(role, '/') ? strrchr(role, '/') + 1 : role;
    if (!guid_is_well_formed(role) || !guid_is_well_formed(a->principal_id))
        return arm_fail_at(op, "BadRequestFormat", INVALID, "properties",
                           "The roleDefinitionId must end in a GUID, and the principalId be one.");
    a->role_id = id_lower(op, role);
    a->principal_id = id_lower(op, a->principal_id);
    return OK;
}

enum fault role_assignment_api_put(struct call *c)
{
    const struct resource_id *id = arm_id(c);
    struct op *op = &c->op;
    struct role_assignment wanted = {.id = id_lower(op, id->name)}, now;
    struct resource_id scope;
    bool created;

    if (!guid_is_well_formed(id->name))
        return fail_on(op, "InvalidRoleAssignmentId", INVALID,
                       "The role assignment ID '%.100s' is not valid. The role assignment ID must "
                       "be a GUID.",
                       id->name);
    TRY(read_assignment(c, &wanted));
    TRY(scope_check(op, id->scope, &scope));
    wanted.scope = scope.path;
    TRY(db_begin(op));
    TRY(role_assignment_put(op, &wanted, arm_who(c)->object_id, &created));
    TRY(db_commit(op));
    TRY(role_reload(op));
    TRY(role_assignment_get(op, wanted.scope, wanted.id, &now));
    return arm_reply(c, created ? 201 : 200, assignment_json(op, &now));
}

enum fault role_assignment_api_delete(struct call *c)
{
    struct op *op = &c->op;
    struct role_assignment gone;
    enum fault fault;

    TRY(db_begin(op));
    fault = role_assignment_delete(op, arm_id(c)->scope, id_lower(op, arm_id(c)->name), &gone);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return reply_empty(c, 204);
    }
    TRY(fault);
    TRY(db_commit(op));
    TRY(role_reload(op));
    return arm_reply(c, 200, assignment_json(op, &gone));
}
