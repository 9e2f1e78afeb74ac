/* Giving a role by a form: to whom, which, where. */
#include <string.h>

#include "api/arm.h"
#include "auth/guid.h"
#include "clusters/object/object.h"
#include "core/seal.h"
#include "core/uri.h"
#include "web/access.h"
#include "web/create.h"
#include "web/pages.h"

/* ---- which role ---- */

/* All that there are, by name in order: some may be given in one subscription only, and the scope
 * is not chosen yet. */
static enum fault roles(struct page *p, json_t **ret)
{
    json_t *all, *one, *some = json_keep(p->op, json_array());
    size_t i;

    TRY(ask_manager_all(p->c, ACCESS_ROLES "roleDefinitions", ACCESS_MAX, &all));
    json_array_foreach(all, i, one)
    {
        json_array_append_new(some, json_pack("[s,s]", text_at_or(one, "name", ""),
                                              text_at_or(one, "properties.roleName", "")));
    }
    *ret = some;
    return OK;
}

static const struct create_field fields[] = {
    {"principal",                                                "To whom", .hint = "ann@sundog.localhost, an application id, a name"},
    {"role", "Role", "acdd72a7-3385-48ef-bd42-f606fba81ae7", .list = roles},
    {"scope",                                                     "Where", .wide = true, .hint = "/subscriptions/ID/resourceGroups/NAME, or any id"},
    {0                   },
};

/* ---- to whom ---- */

struct principal_found {
    const char *id, *type;
    size_t n;
};

#define UNIQUE_WAYS 2 /* of these, the first */
static const struct {
    const char *path, *member, *type;
} ways[] = {
    {"/users",             "userPrincipalName", "User"            },
    {"/servicePrincipals", "appId",             "ServicePrincipal"},
    {"/users",             "displayName",       "User"            },
    {"/groups",            "displayName",       "Group"           },
    {"/servicePrincipals", "displayName",       "ServicePrincipal"},
};

static enum fault try_way(struct call *c, size_t way, const char *typed,
                          struct principal_found *found)
{
    const char *filter =
        arena_printf(&c->op.arena, "%s eq %s", ways[way].member, ask_text(&c->op, typed));
    json_t *answer;
    size_t n;

    TRY(ask_graph(c, GET,
                  arena_printf(&c->op.arena, "%s?$top=2&$filter=%s", ways[way].path,
                               uri_encode(&c->op.arena, filter, "")),
                  NULL, &answer));
    n = json_array_size(at(answer, "value"));
    if (n && !found->n) {
        found->id = text_at_or(json_array_get(at(answer, "value"), 0), "id", "");
        found->type = ways[way].type;
    }
    found->n += n;
    return OK;
}

static const char *type_of(const json_t *object)
{
    static const char *const types[][2] = {
        {"#microsoft.graph.user",             "User"            },
        {"#microsoft.graph.group",            "Group"           },
        {"#microsoft.graph.servicePrincipal", "ServicePrincipal"},
    };
    const char *kind = json_string_value(json_object_get(object, "@odata.type"));

    for (size_t i = 0; kind && i < ARRAY_LEN(types); i++)
        if (strcmp(kind, types[i][0]) == 0)
            return types[i][1];
    return NULL;
}

static enum fault find_by_id(struct call *c, const char *id, struct principal_found *found)
{
    json_t *object;
    enum fault fault =
        ask_graph(c, GET, arena_printf(&c->op.arena, "/directoryObjects/%s", id), NULL, &object);

    if (fault == NOT_FOUND) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    if (type_of(object))
        *found = (struct principal_found){id, type_of(object), 1};
    return OK;
}

/* As az's --assignee: an object id, a name to sign in by, an application id; or how it is shown. */
static enum fault find_principal(struct call *c, const char *typed, struct principal_found *ret)
{
    struct principal_found found = {0};

    if (guid_is(typed))
        TRY(find_by_id(c, guid_lower(&c->op, typed), &found));
    for (size_t i = 0; !found.n && i < UNIQUE_WAYS; i++)
        TRY(try_way(c, i, typed, &found));
    for (size_t i = UNIQUE_WAYS, known = found.n; !known && i < ARRAY_LEN(ways); i++)
        TRY(try_way(c, i, typed, &found));
    if (!found.n)
        return fail(&c->op, INVALID, "there is no user, group or application \"%.100s\"", typed);
    if (found.n > 1)
        return fail(&c->op, INVALID, "several are named \"%.100s\": give the object id", typed);
    *ret = found;
    return OK;
}

/* ---- the form ---- */

static enum fault read_form(struct call *c, const struct create_form *form, struct created *ret)
{
    const char *principal, *role, *scope, *below;
    struct principal_found found = {0};
    struct op *op = &c->op;
    char id[GUID_LENGTH + 1];

    TRY(create_needed(c, form, "principal", &principal));
    TRY(create_needed(c, form, "role", &role));
    TRY(create_needed(c, form, "scope", &scope));
    if (*scope != '/')
        return fail(op, INVALID,
                    "the scope is the id of a resource, a resource group or a"
                    " subscription: it begins with \"/\"");
    TRY(find_principal(c, principal, &found));
    random_uuid(id);
    below = strcmp(scope, "/") == 0 ? "" : page_of(op, scope) + strlen("/console");
    ret->path = arena_printf(&op->arena, "%s" ACCESS_ROLES "roleAssignments/%s", below, id);
    ret->body =
        json_keep(op, json_pack("{s:{s:s, s:s, s:s}}", "properties", "principalId", found.id,
                                "principalType", found.type, "roleDefinitionId",
                                arena_printf(&op->arena, ACCESS_ROLES "roleDefinitions/%s", role)));
    ret->command = arena_printf(&op->arena,
                                "az role assignment create --assignee-object-id %s"
                                " --assignee-principal-type %s --role %s --scope %s",
                                found.id, found.type, shell_word(op, role), shell_word(op, scope));
    ret->may_exist = true; /* its name is a new one */
    ret->said = "The role is given, from now on.";
    ret->link = "/console/access";
    return OK;
}

static const struct create_form form = {
    .title = "Give a role",
    .fields = fields,
    .read = read_form,
};
static const struct crumb crumbs[] = {
    {"Access", "/console/access"},
    {0       },
};

enum fault access_new_page(struct call *c)
{
    return create_page(c, &form, crumbs);
}

enum fault access_new_post(struct call *c)
{
    return create_post(c, &form, crumbs);
}
