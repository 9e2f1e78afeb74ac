#include "web/resource_list.h"

#include <stdlib.h>
#include <string.h>

#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/subscriptions.h"

#define ROWS_FOUND 40 /* that are asked for one by one */

struct resource_place resource_place_of(struct call *c)
{
    const char *part = call_query(c, "part", 0), *after = call_query(c, "after", 0);

    return (struct resource_place){part ? strtoul(part, NULL, 10) : 0, after ? after : ""};
}

static const char *filter_of(struct op *op, const char *type, const char *q)
{
    const char *text = ask_text(op, q);
    struct text out;

    text_init(&out, &op->arena, 2 * strlen(text) + 512);
    if (type)
        text_printf(&out, "resourceType eq '%s'", type);
    if (*q)
        text_printf(&out, "%s(substringof(%s,name) or substringof(%s,resourceGroup))",
                    type ? " and " : "", text, text);
    return out.len ? arena_printf(&op->arena, "&$filter=%s", uri_encode(&op->arena, out.data, ""))
                   : "";
}

/* The service's own list has all of each; it finds nothing, but its marks are the same. */
static const char *list_of(struct arena *arena, const char *path, const char *type, bool own)
{
    return own ? arena_printf(arena, "%s/providers/%s?", path, type)
               : arena_printf(arena, "%s/resources?$expand=provisioningState&", path);
}

/* One part's list, from the place on, which moves to where the next page begins. */
static enum fault read_part(struct page *p, const char *list, size_t rows, const char *filter,
                            struct resource_place *place, json_t *found)
{
    json_t *answer;

    TRY(ask_manager(p->c,
                    arena_printf(&p->op->arena, "%s$top=%zu%s%s", list,
                                 rows - json_array_size(found), filter,
                                 ask_after(p->op, place->after)),
                    &answer));
    json_array_extend(found, at(answer, "value"));
    place->after = ask_next(p->op, text_at(answer, "nextLink"));
    return OK;
}

/* What was found by name only, asked for one by one. */
static void make_whole(struct page *p, json_t *found)
{
    json_t *resource, *now;
    size_t i;

    json_array_foreach(found, i, resource)
    {
        const char *id = text_at_or(resource, "id", "");

        if (ask_manager(p->c, page_of(p->op, id) + strlen("/console"), &now) == OK)
            json_array_set(found, i, now);
        else
            op_clear_fault(p->op); /* it was deleted at this moment */
    }
}

static enum fault paths_of(struct page *p, const char *group, const char ***ret, size_t *ret_n)
{
    json_t *subscriptions, *subscription;
    const char **paths;
    size_t i;

    if (group) {
        *ret = arena_alloc(&p->op->arena, sizeof(**ret));
        (*ret)[0] = group;
        *ret_n = 1;
        return OK;
    }
    TRY(subscriptions_of(p->c, &subscriptions));
    paths = arena_alloc(&p->op->arena, (json_array_size(subscriptions) + 1) * sizeof(*paths));
    json_array_foreach(subscriptions, i, subscription)
    {
        paths[i] = arena_printf(&p->op->arena, "/subscriptions/%s",
                                text_at_or(subscription, "subscriptionId", ""));
    }
    *ret = paths;
    *ret_n = json_array_size(subscriptions);
    return OK;
}

enum fault resource_list_read(struct page *p, const char *type, const char *group,
                              enum resource_detail detail, struct resource_list *ret,
                              json_t **ret_resources)
{
    struct resource_place place = resource_place_of(p->c);
    json_t *found = json_array();
    const char **paths, *filter;
    size_t n, rows;
    bool own;

    arena_defer(&p->op->arena, (void (*)(void *))json_decref, found);
    *ret = (struct resource_list){.l = page_listing(p), .from = place};
    own = detail == RESOURCE_WHOLE && !*ret->l.q;
    rows = detail == RESOURCE_WHOLE && !own ? ROWS_FOUND : PAGE_ROWS;
    filter = own ? "" : filter_of(p->op, type, ret->l.q);
    TRY(paths_of(p, group, &paths, &n));
    while (place.part < n && json_array_size(found) < rows) {
        enum fault fault = read_part(p, list_of(&p->op->arena, paths[place.part], type, own), rows,
                                     filter, &place, found);

        if (fault == FORBIDDEN && !group) {
            op_clear_fault(p->op);
            place.after = NULL;
            fault = OK;
        }
        TRY(fault);
        if (!place.after)
            place = (struct resource_place){place.part + 1, ""};
    }
    if (detail == RESOURCE_WHOLE && !own)
        make_whole(p, found);
    ret->next = place;
    ret->more = place.part < n;
    *ret_resources = found;
    return OK;
}

bool resource_list_is_whole(const struct resource_list *l)
{
    return !*l->l.q && !l->from.part && !*l->from.after;
}

void resource_list_search(struct page *p, const struct resource_list *l)
{
    page_search(p, &l->l, RESOURCE_LIST_WHAT);
}

void resource_place_pages(struct page *p, const char *q, const struct resource_place *next)
{
    const struct resource_place from = resource_place_of(p->c);
    const char *link = NULL;

    if (next) {
        const char *const parts[] = {q, arena_printf(&p->op->arena, "%zu", next->part),
                                     next->after};

        link = page_url(p->op, "?q=%s&part=%s&after=%s", parts);
    }
    page_marks(p, "First", from.part || *from.after ? page_url(p->op, "?q=%s", &q) : NULL, "Next",
               link);
}

void resource_list_pages(struct page *p, const struct resource_list *l)
{
    resource_place_pages(p, l->l.q, l->more ? &l->next : NULL);
}
