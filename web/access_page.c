/* Who the viewer is and may do what, and who else may: role assignments by the API. */
#include "web/access.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/arm.h"
#include "auth/entra.h"
#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/create.h"
#include "web/pages.h"
#include "web/subscriptions.h"

#define FOUND_MAX     10 /* principals of a kind that are searched for */
#define WRITE_ACTION  "Microsoft.Authorization/roleAssignments/write"
#define DELETE_ACTION "Microsoft.Authorization/roleAssignments/delete"

/* ---- in order ---- */

static int by_scope(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;
    int order =
        strcasecmp(text_at_or(*x, "properties.scope", ""), text_at_or(*y, "properties.scope", ""));

    return order ? order : strcmp(text_at_or(*x, "id", ""), text_at_or(*y, "id", ""));
}

static json_t *sorted(struct op *op, json_t *by_id)
{
    json_t **list = arena_alloc(&op->arena, (json_object_size(by_id) + 1) * sizeof(*list));
    json_t *out = json_keep(op, json_array()), *one;
    const char *id;
    size_t n = 0;

    json_object_foreach(by_id, id, one)
    {
        list[n++] = one;
    }
    qsort(list, n, sizeof(*list), by_scope);
    for (size_t i = 0; i < n; i++)
        json_array_append(out, list[i]);
    return out;
}

/* ---- names ---- */

/* Asked for once each; one that cannot be read stays its GUID. */
static const char *role_of(struct page *p, struct access *a, const json_t *assignment)
{
    const char *id = id_name(text_at_or(assignment, "properties.roleDefinitionId", ""));
    json_t *known = json_object_get(a->roles, id), *answer = NULL;

    if (!known) {
        const char *path = arena_printf(&p->op->arena, ACCESS_ROLES "roleDefinitions/%s", id);
        bool found = ask_manager(p->c, path, &answer) == OK;

        op_clear_fault(p->op);
        known = json_string(found ? text_at_or(answer, "properties.roleName", id) : id);
        json_object_set_new(a->roles, id, known);
    }
    return json_string_value(known);
}

static const char *name_of(const struct access *a, const json_t *assignment)
{
    const char *id = text_at_or(assignment, "properties.principalId", "");
    const char *name = json_string_value(json_object_get(a->names, id));

    return name ? name : id;
}

static void note_names(json_t *names, const json_t *objects)
{
    json_t *object;
    size_t i;

    json_array_foreach(objects, i, object)
    {
        json_object_set_new(names, text_at_or(object, "id", ""),
                            json_string(text_at_or(object, "displayName", "")));
    }
}

/* Of the principals of these assignments, at most so many as one answer gives. */
static enum fault learn_names(struct page *p, struct access *a, const json_t *assignments)
{
    json_t *ids = json_keep(p->op, json_array()), *body, *answer, *one;
    size_t i;

    json_array_foreach(assignments, i, one)
    {
        json_t *id = at(one, "properties.principalId");

        if (id && !json_object_get(a->names, json_string_value(id)) &&
            json_array_size(ids) < ACCESS_NAMES_MAX)
            json_array_append(ids, id);
    }
    if (!json_array_size(ids))
        return OK;
    body = json_keep(p->op, json_pack("{s:O}", "ids", ids));
    TRY(ask_graph(p->c, POST, "/directoryObjects/getByIds", body, &answer));
    note_names(a->names, at(answer, "value"));
    return OK;
}

const char *access_starts_with(struct op *op, const char *member, const char *q)
{
    return arena_printf(&op->arena, "startswith(%s,%s)", member, ask_text(op, q));
}

static enum fault find_names(struct page *p, struct access *a, const char *q)
{
    static const char *const kinds[] = {"/users", "/groups", "/servicePrincipals"};
    const char *filter = uri_encode(&p->op->arena, access_starts_with(p->op, "displayName", q), "");
    json_t *answer;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        TRY(ask_graph(
            p->c, GET,
            arena_printf(&p->op->arena, "%s?$top=%d&$filter=%s", kinds[i], FOUND_MAX, filter), NULL,
            &answer));
        note_names(a->found_names, at(answer, "value"));
    }
    json_object_update(a->names, a->found_names);
    return OK;
}

static enum fault find_roles(struct page *p, struct access *a, const char *q)
{
    json_t *definitions, *one;
    size_t i;

    TRY(ask_manager_all(p->c, ACCESS_ROLES "roleDefinitions", ACCESS_MAX, &definitions));
    json_array_foreach(definitions, i, one)
    {
        const char *name = text_at_or(one, "properties.roleName", "");

        if (strcasestr(name, q))
            json_object_set_new(a->found_roles, text_at_or(one, "name", ""), json_string(name));
    }
    json_object_update(a->roles, a->found_roles);
    return OK;
}

/* ---- tables ---- */

static void add_scope(struct page *p, const char *scope)
{
    const char *group = strcasestr(scope, "/resourceGroups/");
    bool is_group = group && !strchr(group + strlen("/resourceGroups/"), '/');

    page_cell_link(p, is_group ? page_of(p->op, scope) : NULL,
                   strcmp(scope, "/") == 0 ? "/ (everything)" : scope);
}

static const char *kind_of(const char *type)
{
    return strcmp(type, "ServicePrincipal") == 0 ? "Application" : type;
}

static void add_own(struct page *p, struct access *a, const json_t *own)
{
    json_t *one;
    size_t i;

    if (!json_array_size(own)) {
        page_empty(p,
                   a->n_scopes
                       ? "You have no role where you may read them."
                       : "You may not read role assignments anywhere, so yours are not shown"
                         " either. An Owner or User Access Administrator can tell you.",
                   NULL);
        return;
    }
    page_table_begin(p, "Your roles", (const char *const[]){"Role", "Scope", "Through", NULL});
    json_array_foreach(own, i, one)
    {
        bool direct = strcmp(text_at_or(one, "properties.principalId", ""), p->who->object_id) == 0;

        page_row_begin(p);
        page_cell(p, role_of(p, a, one));
        add_scope(p, text_at_or(one, "properties.scope", ""));
        page_cell(p, direct ? "yourself" : name_of(a, one));
        page_row_end(p);
    }
    page_table_end(p);
}

static void add_removal(struct page *p, struct access *a, const json_t *one)
{
    const char *id = text_at_or(one, "id", ""), *const parts[] = {id};
    const char *scope = text_at_or(one, "properties.scope", "");

    page_cell_begin(p);
    if (page_may(p, scope, DELETE_ACTION))
        page_danger(p, page_url(p->op, "/console/access/delete?id=%s", parts), "Remove",
                    arena_printf(&p->op->arena, "%s is no longer %s at %s, from now on.",
                                 name_of(a, one), role_of(p, a, one), scope));
    page_cell_end(p);
}

static void add_all(struct page *p, struct access *a, const json_t *shown)
{
    json_t *one;
    size_t i;

    page_table_begin(p, "Role assignments",
                     (const char *const[]){"Principal", "Kind", "Role", "Scope", "", NULL});
    json_array_foreach(shown, i, one)
    {
        page_row_begin(p);
        page_cell(p, name_of(a, one));
        page_cell(p, kind_of(text_at_or(one, "properties.principalType", "")));
        page_cell(p, role_of(p, a, one));
        add_scope(p, text_at_or(one, "properties.scope", ""));
        add_removal(p, a, one);
        page_row_end(p);
    }
    page_table_end(p);
}

/* Where the viewer may give roles, the topmost such place is what the form begins with. */
static void add_give(struct page *p, const struct access *a)
{
    for (size_t i = 0; i < a->n_scopes; i++) {
        const char *scope = *a->scopes[i] ? a->scopes[i] : "/";

        if (!page_may(p, scope, WRITE_ACTION))
            continue;
        create_link(p, page_url(p->op, "/console/access/new?scope=%s", &scope), "Give a role");
        return;
    }
}

static enum fault add_assignments(struct page *p, struct access *a)
{
    json_t *shown = json_keep(p->op, json_object()), *list;
    struct listing l = page_listing(p);
    struct resource_place place = resource_place_of(p->c);
    bool more;

    if (*l.q) {
        TRY(find_roles(p, a, l.q));
        TRY(find_names(p, a, l.q));
    }
    TRY(access_read(p, a, *l.q, &place, shown, &more));
    list = sorted(p->op, shown);
    TRY(learn_names(p, a, list));
    page_heading(p, "Role assignments");
    add_give(p, a);
    page_search(p, &l, "How the principal's name begins, or the role");
    if (json_array_size(list))
        add_all(p, a, list);
    else
        page_empty(p, *l.q ? "Nothing matches." : "There is none.", NULL);
    resource_place_pages(p, l.q, more ? &place : NULL);
    return OK;
}

/* ---- the page ---- */

static void add_who(struct page *p)
{
    bool user = p->who->kind == IDENTITY_USER;

    page_facts_begin(p);
    page_fact(p, "You are", p->who->name);
    page_fact(p, "Kind", user ? "User" : "Application");
    page_fact(p, "Object id", p->who->object_id);
    page_fact(p, "Tenant", entra_tenant());
    page_facts_end(p);
}

static void add_commands(struct page *p)
{
    page_command(p, "The same by az",
                 arena_printf(&p->op->arena,
                              "az role assignment list --all --include-groups --assignee %s\n"
                              "az role assignment create --assignee NAME --role Reader --scope"
                              " SCOPE\n"
                              "az role assignment delete --assignee NAME --role Reader --scope"
                              " SCOPE",
                              p->who->object_id));
}

enum fault access_page(struct call *c)
{
    struct access a = {0};
    json_t *own;
    struct page p;

    a.own = json_keep(&c->op, json_object());
    a.found_roles = json_keep(&c->op, json_object());
    a.found_names = json_keep(&c->op, json_object());
    a.scopes = arena_alloc(&c->op.arena, ACCESS_SCOPES_MAX * sizeof(*a.scopes));
    a.roles = json_keep(&c->op, json_object());
    a.names = json_keep(&c->op, json_object());
    page_begin(c, &p, "Access", NULL);
    access_tabs(&p, "");
    add_who(&p);
    TRY(access_scopes(c, &a));
    own = sorted(&c->op, a.own);
    TRY(learn_names(&p, &a, own));
    page_heading(&p, "Your roles");
    add_own(&p, &a, own);
    if (a.n_scopes)
        TRY(add_assignments(&p, &a));
    add_commands(&p);
    return page_end(&p);
}

enum fault access_delete(struct call *c)
{
    const char *id = call_query(c, "id", 0);

    TRY(page_check_form(c));
    if (!id || !strcasestr(id, ACCESS_ROLES "roleAssignments/"))
        return fail(&c->op, INVALID, "this is no role assignment");
    TRY(ask_manager_do(c, DELETE, page_of(&c->op, id) + strlen("/console"), NULL, NULL));
    return page_go(c, "The role assignment was removed.", "/console/access");
}
