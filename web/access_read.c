/* Role assignments as far as the viewer may read them, in pages that follow the API's own. */
#include <string.h>
#include <strings.h>

#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/access.h"
#include "web/subscriptions.h"

#define PARTS_MAX 1000

/* ---- where ---- */

/* One's own are asked for everywhere; where that is refused, none can be read. */
static enum fault try_scope(struct call *c, const char *scope, struct access *a, bool *ret_found)
{
    const char *id = ((const struct session *)c->caller)->who->object_id;
    const char *filter = arena_printf(&c->op.arena, "assignedTo('%s')", id);
    json_t *some, *one;
    enum fault fault;
    size_t i;

    fault =
        ask_manager_all(c,
                        arena_printf(&c->op.arena, "%s" ACCESS_ROLES "roleAssignments?$filter=%s",
                                     scope, uri_encode(&c->op.arena, filter, "")),
                        ACCESS_MAX, &some);
    *ret_found = fault == OK;
    if (fault == FORBIDDEN || fault == NOT_FOUND) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    json_array_foreach(some, i, one)
    {
        json_object_set(a->own, text_at_or(one, "id", ""), one);
    }
    if (a->n_scopes < ACCESS_SCOPES_MAX)
        a->scopes[a->n_scopes++] = scope;
    return OK;
}

static enum fault try_groups(struct call *c, const char *subscription, struct access *a)
{
    json_t *groups, *group;
    bool found;
    size_t i;
    enum fault fault =
        ask_manager_all(c, arena_printf(&c->op.arena, "%s/resourcegroups", subscription),
                        ACCESS_SCOPES_MAX, &groups);

    if (fault == FORBIDDEN) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    json_array_foreach(groups, i, group)
    {
        const char *id = text_at_or(group, "id", "");

        TRY(try_scope(c, page_of(&c->op, id) + strlen("/console"), a, &found));
    }
    return OK;
}

enum fault access_scopes(struct call *c, struct access *a)
{
    json_t *subscriptions, *subscription;
    bool found;
    size_t i;

    TRY(try_scope(c, "", a, &found));
    if (found)
        return OK;
    TRY(subscriptions_of(c, &subscriptions));
    json_array_foreach(subscriptions, i, subscription)
    {
        const char *scope = arena_printf(&c->op.arena, "/subscriptions/%s",
                                         text_at_or(subscription, "subscriptionId", ""));

        TRY(try_scope(c, scope, a, &found));
        if (!found)
            TRY(try_groups(c, scope, a));
    }
    return OK;
}

/* ---- assignments, by the API's own pages ---- */

/* One list of the API: what is shown are some of them, one after the other. */
struct stretch {
    size_t scope;
    const char *filter; /* of the query, "" for all */
    bool by_principal;
};
static bool is_at_or_above(const char *upper, const char *scope)
{
    size_t len = strlen(upper);

    return strcmp(upper, "/") == 0 ||
           (strncasecmp(upper, scope, len) == 0 && (!scope[len] || scope[len] == '/'));
}

/* Was it in a part before this one? */
static bool is_repeated(const struct access *a, const struct stretch *part, const json_t *one)
{
    const char *role = id_name(text_at_or(one, "properties.roleDefinitionId", ""));

    if (part->by_principal && json_object_get(a->found_roles, role))
        return true;
    for (size_t i = 0; i < part->scope; i++)
        if (is_at_or_above(text_at_or(one, "properties.scope", "/"), a->scopes[i]))
            return true;
    return false;
}

static enum fault read_part(struct page *p, const struct access *a, const struct stretch *part,
                            struct resource_place *place, json_t *shown)
{
    json_t *answer, *one;
    size_t i;

    TRY(ask_manager(p->c,
                    arena_printf(&p->op->arena, "%s" ACCESS_ROLES "roleAssignments?$top=%zu%s%s",
                                 a->scopes[part->scope], PAGE_ROWS - json_object_size(shown),
                                 part->filter, ask_after(p->op, place->after)),
                    &answer));
    json_array_foreach(at(answer, "value"), i, one)
    {
        if (!is_repeated(a, part, one))
            json_object_set(shown, text_at_or(one, "id", ""), one);
    }
    place->after = ask_next(p->op, text_at(answer, "nextLink"));
    if (!place->after) {
        place->part++;
        place->after = "";
    }
    return OK;
}

static void add_parts(struct op *op, struct stretch *parts, size_t *n, size_t scope, json_t *found,
                      const char *member)
{
    const char *id;
    json_t *name;

    json_object_foreach(found, id, name)
    {
        const char *filter = arena_printf(&op->arena, "%s eq '%s'", member, id);

        if (*n < PARTS_MAX)
            parts[(*n)++] = (struct stretch){
                scope, arena_printf(&op->arena, "&$filter=%s", uri_encode(&op->arena, filter, "")),
                strcmp(member, "principalId") == 0};
    }
}

static size_t parts_of(struct op *op, const struct access *a, bool searched, struct stretch **ret)
{
    struct stretch *parts = arena_alloc(&op->arena, PARTS_MAX * sizeof(*parts));
    size_t n = 0;

    for (size_t i = 0; i < a->n_scopes; i++) {
        if (!searched && n < PARTS_MAX)
            parts[n++] = (struct stretch){i, "", false};
        add_parts(op, parts, &n, i, a->found_roles, "roleDefinitionId");
        add_parts(op, parts, &n, i, a->found_names, "principalId");
    }
    *ret = parts;
    return n;
}

enum fault access_read(struct page *p, const struct access *a, bool searched,
                       struct resource_place *place, json_t *shown, bool *ret_more)
{
    struct stretch *parts;
    size_t n = parts_of(p->op, a, searched, &parts);

    while (place->part < n && json_object_size(shown) < PAGE_ROWS)
        TRY(read_part(p, a, &parts[place->part], place, shown));
    *ret_more = place->part < n;
    return OK;
}
