/* Who the viewer is and may do what, and who else may: role assignments by the API. */
#include "web/access.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/entra.h"
#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/pages.h"
#include "web/subscriptions.h"

#define ROLES         "/providers/Microsoft.Authorization/"
#define DELETE_ACTION "Microsoft.Authorization/roleAssignments/delete"

/* What is drawn: assignments by scope, and names as far as they are known. */
struct access {
    json_t *own, *all; /* {id: assignment} */
    bool reads;        /* anywhere */
    json_t *roles;     /* {GUID: name} */
    json_t *names;     /* {object id: display name} */
    const char *root;  /* where assignments could be read first: "" or "/subscriptions/S" */
};

static json_t *kept(struct op *op, json_t *value)
{
    arena_defer(&op->arena, (void (*)(void *))json_decref, value);
    return value;
}

/* ---- assignments ---- */

static enum fault add_some(struct call *c, const char *scope, const char *filter, json_t *into)
{
    json_t *some, *one;
    size_t i;

    TRY(ask_manager_all(c,
                        arena_printf(&c->op.arena, "%s" ROLES "roleAssignments%s", scope, filter),
                        ACCESS_MAX, &some));
    json_array_foreach(some, i, one)
    {
        json_object_set(into, text_at_or(one, "id", ""), one);
    }
    return OK;
}

/* Where the viewer may read them, from the top down; *found: somewhere. */
static enum fault try_scope(struct call *c, const char *scope, const char *own, struct access *a,
                            bool *found)
{
    enum fault fault = add_some(c, scope, "", a->all);

    *found = fault == OK;
    if (fault == FORBIDDEN || fault == NOT_FOUND) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    TRY(add_some(c, scope, own, a->own));
    if (!a->reads)
        a->root = scope;
    a->reads = true;
    return OK;
}

static enum fault try_groups(struct call *c, const char *subscription, const char *own,
                             struct access *a)
{
    json_t *groups, *group;
    bool found;
    size_t i;
    enum fault fault = ask_manager_all(
        c, arena_printf(&c->op.arena, "%s/resourcegroups", subscription), ACCESS_MAX, &groups);

    if (fault == FORBIDDEN) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    json_array_foreach(groups, i, group)
    {
        const char *id = text_at_or(group, "id", "");

        TRY(try_scope(c, page_of(&c->op, id) + strlen("/console"), own, a, &found));
    }
    return OK;
}

static enum fault gather(struct call *c, struct access *a)
{
    const char *id = ((const struct session *)c->caller)->who->object_id, *own;
    json_t *subscriptions, *subscription;
    bool found;
    size_t i;

    own = arena_printf(
        &c->op.arena, "?$filter=%s",
        uri_encode(&c->op.arena, arena_printf(&c->op.arena, "assignedTo('%s')", id), ""));
    TRY(try_scope(c, "", own, a, &found));
    if (found) /* that is all of them */
        return OK;
    TRY(subscriptions_of(c, &subscriptions));
    json_array_foreach(subscriptions, i, subscription)
    {
        const char *scope = arena_printf(&c->op.arena, "/subscriptions/%s",
                                         text_at_or(subscription, "subscriptionId", ""));

        TRY(try_scope(c, scope, own, a, &found));
        if (!found)
            TRY(try_groups(c, scope, own, a));
    }
    return OK;
}

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
    json_t *out = kept(op, json_array()), *one;
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
    json_t *known = json_object_get(a->roles, id), *answer;

    if (!known) {
        const char *path =
            arena_printf(&p->op->arena, "%s" ROLES "roleDefinitions/%s", a->root, id);
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

static void note_names(struct access *a, const json_t *objects)
{
    json_t *object;
    size_t i;

    json_array_foreach(objects, i, object)
    {
        json_object_set_new(a->names, text_at_or(object, "id", ""),
                            json_string(text_at_or(object, "displayName", "")));
    }
}

/* Of the principals of these assignments, at most so many as one answer gives. */
static enum fault learn_names(struct page *p, struct access *a, const json_t *assignments)
{
    json_t *ids = kept(p->op, json_array()), *body, *answer, *one;
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
    body = kept(p->op, json_pack("{s:O}", "ids", ids));
    TRY(ask_graph(p->c, POST, "/directoryObjects/getByIds", body, &answer));
    note_names(a, at(answer, "value"));
    return OK;
}

const char *access_starts_with(struct op *op, const char *member, const char *q)
{
    struct text out;

    text_init(&out, &op->arena, 2 * strlen(q) + 200);
    text_printf(&out, "startswith(%s,'", member);
    for (; *q; q++)
        text_add(&out, *q == '\'' ? "''" : q, *q == '\'' ? 2 : 1);
    text_str(&out, "')");
    return out.data;
}

/* Whose names begin so: to search by the name. */
static enum fault find_names(struct page *p, struct access *a, const char *q)
{
    static const char *const kinds[] = {"/users", "/groups", "/servicePrincipals"};
    const char *filter = uri_encode(&p->op->arena, access_starts_with(p->op, "displayName", q), "");
    json_t *answer;

    for (size_t i = 0; *q && i < ARRAY_LEN(kinds); i++) {
        TRY(ask_graph(p->c, GET,
                      arena_printf(&p->op->arena, "%s?$top=%d&$filter=%s", kinds[i],
                                   ACCESS_NAMES_MAX, filter),
                      NULL, &answer));
        note_names(a, at(answer, "value"));
    }
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
                   a->reads ? "You have no role where you may read them."
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

static enum fault add_assignments(struct page *p, struct access *a)
{
    json_t *all = sorted(p->op, a->all), *shown = kept(p->op, json_array()), *one;
    struct listing l = page_listing(p);
    size_t i;

    TRY(find_names(p, a, l.q));
    json_array_foreach(all, i, one)
    {
        const char *words =
            arena_printf(&p->op->arena, "%s %s %s %s", name_of(a, one),
                         kind_of(text_at_or(one, "properties.principalType", "")),
                         role_of(p, a, one), text_at_or(one, "properties.scope", ""));

        if (page_shows(&l, words))
            json_array_append(shown, one);
    }
    TRY(learn_names(p, a, shown));
    page_heading(p, "Role assignments");
    page_search(p, &l, "How the principal's name begins, or role, kind or scope");
    if (json_array_size(shown))
        add_all(p, a, shown);
    else
        page_empty(p, *l.q ? "Nothing matches." : "There is none.", NULL);
    page_pages(p, &l);
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
    struct access a = {.root = ""};
    json_t *own;
    struct page p;

    a.own = kept(&c->op, json_object());
    a.all = kept(&c->op, json_object());
    a.roles = kept(&c->op, json_object());
    a.names = kept(&c->op, json_object());
    page_begin(c, &p, "Access", NULL);
    access_tabs(&p, "");
    add_who(&p);
    TRY(gather(c, &a));
    own = sorted(&c->op, a.own);
    TRY(learn_names(&p, &a, own));
    page_heading(&p, "Your roles");
    add_own(&p, &a, own);
    if (a.reads)
        TRY(add_assignments(&p, &a));
    add_commands(&p);
    return page_end(&p);
}

enum fault access_delete(struct call *c)
{
    const char *id = call_query(c, "id", 0);

    TRY(page_check_form(c));
    if (!id || !strcasestr(id, ROLES "roleAssignments/"))
        return fail(&c->op, INVALID, "this is no role assignment");
    TRY(ask_manager_do(c, DELETE, page_of(&c->op, id) + strlen("/console"), NULL, NULL));
    return page_go(c, "The role assignment was removed.", "/console/access");
}
