/* Microsoft.Authorization/roleDefinitions and permissions at any scope, over auth/role.h. */
#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "api/page.h"
#include "api/role_json.h"
#include "api/scope.h"
#include "core/db.h"

#define DEFINITION_TYPE "Microsoft.Authorization/roleDefinitions"
#define ACTIONS_MAX     2000
#define SCOPES_MAX      2000

static json_t *texts_json(const char *const *texts, size_t n)
{
    json_t *out = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(out, json_string(texts[i]));
    return out;
}

static json_t *permission_json(const struct role_definition *d)
{
    json_t *out = json_object();

    json_object_set_new(out, "actions", texts_json(d->actions, d->n_actions));
    json_object_set_new(out, "notActions", texts_json(d->not_actions, d->n_not_actions));
    json_object_set_new(out, "dataActions", texts_json(d->data_actions, d->n_data_actions));
    json_object_set_new(out, "notDataActions",
                        texts_json(d->not_data_actions, d->n_not_data_actions));
    return out;
}

const char *role_definition_path(struct op *op, const char *scope, const char *id)
{
    struct resource_id parsed;

    if (scope && resource_id_parse(op, scope, &parsed) == OK && parsed.subscription)
        return arena_printf(&op->arena, "/subscriptions/%s/providers/" DEFINITION_TYPE "/%s",
                            parsed.subscription, id);
    return arena_printf(&op->arena, "/providers/" DEFINITION_TYPE "/%s", id);
}

static json_t *definition_json(struct call *c, const struct role_definition *d)
{
    struct op *op = &c->op;
    json_t *out = json_new_object(op), *p = json_new_object(op);

    json_set_text(out, "id", role_definition_path(op, arm_id(c)->scope, d->id));
    json_set_text(out, "type", DEFINITION_TYPE);
    json_set_text(out, "name", d->id);
    json_set_text(p, "roleName", d->name);
    json_set_text(p, "type", d->custom ? "CustomRole" : "BuiltInRole");
    json_set_text(p, "description", d->description);
    json_object_set_new(p, "assignableScopes",
                        texts_json(d->assignable_scopes, d->n_assignable_scopes));
    json_object_set_new(p, "permissions", json_pack("[o]", permission_json(d)));
    json_set_text(p, "createdOn", d->created);
    json_set_text(p, "updatedOn", d->updated);
    json_set_text(p, "createdBy", d->created_by);
    json_set_text(p, "updatedBy", d->updated_by);
    json_object_set(out, "properties", p);
    return out;
}

static const char *value_of(void *arg, const char *name)
{
    const struct role_definition *d = arg;

    if (strcasecmp(name, "roleName") == 0)
        return d->name;
    if (strcasecmp(name, "type") == 0)
        return d->custom ? "CustomRole" : "BuiltInRole";
    return NULL;
}

enum fault role_definition_api_list(struct call *c)
{
    static const char *const names[] = {"roleName", "type", "atScope", NULL};
    struct op *op = &c->op;
    json_t *values = json_new_array(op);
    struct role_definition *all;
    const char *text = call_query(c, "$filter", 0);
    struct filter *filter = NULL;
    size_t n;

    if (!text || strcasecmp(text, "atScopeAndBelow()") != 0)
        TRY(filter_parse(op, text, &filter));
    TRY(filter_check(op, filter, names));
    TRY(role_definition_list(op, arm_id(c)->scope, &all, &n));
    for (size_t i = 0; i < n; i++)
        if (filter_holds(filter, value_of, &all[i], NULL))
            json_array_append(values, definition_json(c, &all[i]));
    return page_reply(c, values, NULL);
}

enum fault role_definition_api_get(struct call *c)
{
    struct role_definition d;
    enum fault fault = role_definition_get(&c->op, id_lower(&c->op, arm_id(c)->name), &d);

    if (fault == NOT_FOUND)
        return fail_on(&c->op, "RoleDefinitionDoesNotExist", NOT_FOUND,
                       "The specified role definition with ID '%s' does not exist.",
                       arm_id(c)->name);
    TRY(fault);
    return arm_reply(c, 200, definition_json(c, &d));
}

bool guid_is_well_formed(const char *text)
{
    if (strlen(text) != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i]))
            return false;
    }
    return true;
}

/* Several permissions are one here: our rows have one list of each kind. */
static enum fault read_permissions(struct op *op, const json_t *body, struct role_definition *d)
{
    json_t *list, *one;
    const char **texts[4] = {NULL, NULL, NULL, NULL};
    static const char *const names[] = {"actions", "notActions", "dataActions", "notDataActions"};
    size_t n[4] = {0};

    TRY(body_required(op, body, "properties.permissions"));
    TRY(body_array(op, body, "properties.permissions", 1, &list));
    one = json_array_get(list, 0);
    for (size_t i = 0; one && i < ARRAY_LEN(names); i++)
        TRY(body_texts(op, one, names[i], ACTIONS_MAX, 512, &texts[i], &n[i]));
    d->actions = texts[0];
    d->not_actions = texts[1];
    d->data_actions = texts[2];
    d->not_data_actions = texts[3];
    d->n_actions = n[0];
    d->n_not_actions = n[1];
    d->n_data_actions = n[2];
    d->n_not_data_actions = n[3];
    return OK;
}

static enum fault read_definition(struct call *c, struct role_definition *d)
{
    struct op *op = &c->op;
    const char *type = NULL, **scopes = NULL;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_required(op, body, "properties.roleName"));
    TRY(body_text(op, body, "properties.roleName", 1, 128, &d->name));
    TRY(body_text(op, body, "properties.description", 0, 2048, &d->description));
    TRY(body_text(op, body, "properties.type", 0, 64, &type));
    TRY(read_permissions(op, body, d));
    TRY(body_required(op, body, "properties.assignableScopes"));
    TRY(body_texts(op, body, "properties.assignableScopes", SCOPES_MAX, ID_MAX_BYTES, &scopes,
                   &d->n_assignable_scopes));
    d->assignable_scopes = scopes;
    if (d->n_assignable_scopes == 0)
        return arm_fail_at(op, "InvalidRoleDefinition", INVALID, "properties.assignableScopes",
                           "A role must be assignable somewhere.");
    if (type && strcasecmp(type, "BuiltInRole") == 0)
        return arm_fail_at(op, "RoleDefinitionBuiltIn", INVALID, "properties.type",
                           "Only roles of type CustomRole can be made.");
    return OK;
}

/* The right to change a role is needed on every scope that it is assignable at. */
static enum fault need_on_all(struct call *c, const char *const *scopes, size_t n)
{
    struct resource_id id;

    for (size_t i = 0; i < n; i++) {
        TRY(scope_check(&c->op, scopes[i], &id));
        TRY(arm_need(c, id.path, c->route->action));
    }
    return OK;
}

enum fault role_definition_api_put(struct call *c)
{
    const struct resource_id *id = arm_id(c);
    struct op *op = &c->op;
    struct role_definition wanted = {.id = id_lower(op, id->name), .custom = true}, now;

    if (!guid_is_well_formed(id->name))
        return fail_on(op, "InvalidRoleDefinitionId", INVALID,
                       "The role definition ID '%.100s' is not valid. The role definition ID must "
                       "be a GUID.",
                       id->name);
    TRY(read_definition(c, &wanted));
    if (role_definition_get(op, wanted.id, &now) == OK)
        TRY(need_on_all(c, now.assignable_scopes, now.n_assignable_scopes));
    op_clear_fault(op);
    TRY(need_on_all(c, wanted.assignable_scopes, wanted.n_assignable_scopes));
    TRY(db_begin(op));
    TRY(role_definition_put(op, &wanted, arm_who(c)->object_id));
    TRY(db_commit(op));
    TRY(role_reload(op));
    TRY(role_definition_get(op, wanted.id, &now));
    return arm_reply(c, 201, definition_json(c, &now));
}

enum fault role_definition_api_delete(struct call *c)
{
    struct op *op = &c->op;
    const char *id = id_lower(op, arm_id(c)->name);
    struct role_definition now;
    enum fault fault = role_definition_get(op, id, &now);

    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return reply_empty(c, 204);
    }
    TRY(fault);
    if (now.custom)
        TRY(need_on_all(c, now.assignable_scopes, now.n_assignable_scopes));
    TRY(db_begin(op));
    TRY(role_definition_delete(op, id));
    TRY(db_commit(op));
    TRY(role_reload(op));
    return arm_reply(c, 200, definition_json(c, &now));
}

/* What the caller may do here: the permissions of each role it has at the scope or above. */
enum fault role_permissions(struct call *c)
{
    struct op *op = &c->op;
    struct role_filter filter = {.scope = arm_id(c)->scope,
                                 .at_scope_only = true,
                                 .assigned_to = arm_who(c)->object_id,
                                 .max = 1000};
    json_t *values = json_new_array(op);
    struct role_assignment *all;
    struct role_definition d;
    size_t n;

    TRY(role_assignment_list(op, &filter, &all, &n));
    for (size_t i = 0; i < n; i++)
        if (role_definition_get(op, all[i].role_id, &d) == OK)
            json_array_append_new(values, permission_json(&d));
    op_clear_fault(op);
    return page_reply(c, values, NULL);
}
