#include <string.h>

#include "clusters/object/object.h"
#include "web/create.h"
#include "web/deployment.h"
#include "web/events.h"
#include "web/pages.h"
#include "web/resource_list.h"
#include "web/subscriptions.h"

#define DELETE_ACTION "Microsoft.Resources/subscriptions/resourceGroups/delete"
#define LATEST        20

enum fault resource_groups_page(struct call *c)
{
    json_t *groups, *group, *places;
    struct listing l;
    struct page p;
    size_t i;

    page_begin(c, &p, "Resource groups", NULL);
    TRY(resources_of(c, "/resourcegroups", &groups));
    TRY(resource_group_places(&p, &places));
    if (json_array_size(places))
        create_link(&p, "/console/groups/new", "Create a resource group");
    if (!json_array_size(groups)) {
        page_empty(&p, "A resource group holds what belongs together, and goes as one.",
                   "az group create -n demo -l eastus");
        return page_end(&p);
    }
    l = page_listing(&p);
    page_search(&p, &l, "Name");
    page_table_begin(&p, "Resource groups",
                     (const char *const[]){"Name", "State", "Location", "Subscription", NULL});
    json_array_foreach(groups, i, group)
    {
        const char *id = text_at_or(group, "id", ""), *name = text_at_or(group, "name", "");

        if (!page_shows(&l, name))
            continue;
        page_row_begin(&p);
        page_cell_link(&p, page_of(p.op, id), name);
        page_cell_state(&p, text_at_or(group, "properties.provisioningState", ""));
        page_cell(&p, text_at_or(group, "location", ""));
        page_cell(&p, arena_printf(&p.op->arena, "%.36s", id + strlen("/subscriptions/")));
        page_row_end(&p);
    }
    page_table_end(&p);
    page_pages(&p, &l);
    return page_end(&p);
}

static const char *path_of(struct call *c)
{
    return page_url(&c->op, "/subscriptions/%s/resourceGroups/%s", c->path_args);
}

static void add_resources(struct page *p, const struct resource_list *l, const json_t *resources)
{
    json_t *resource;
    size_t i;

    if (!json_array_size(resources) && resource_list_is_whole(l)) {
        page_empty(p, "It is empty.", NULL);
        return;
    }
    resource_list_search(p, l);
    page_table_begin(p, "Resources", (const char *const[]){"Name", "Type", "Location", NULL});
    json_array_foreach(resources, i, resource)
    {
        page_row_begin(p);
        page_cell_link(p, page_of(p->op, text_at_or(resource, "id", "")),
                       text_at_or(resource, "name", ""));
        page_cell(p, text_at_or(resource, "type", ""));
        page_cell(p, text_at_or(resource, "location", ""));
        page_row_end(p);
    }
    page_table_end(p);
    resource_list_pages(p, l);
}

enum fault resource_group_page(struct call *c)
{
    static const struct crumb crumbs[] = {
        {"Resource groups", "/console/groups"},
        {0                },
    };
    const char *path = path_of(c), *id, *name;
    json_t *group, *resources;
    struct resource_list l;
    struct page p;

    TRY(ask_manager(c, path, &group));
    id = text_at_or(group, "id", "");
    name = text_at_or(group, "name", "");
    page_begin(c, &p, name, crumbs);
    TRY(resource_list_read(&p, NULL, path, RESOURCE_NAMES, &l, &resources));
    page_facts_begin(&p);
    page_fact_state(&p, "State", text_at_or(group, "properties.provisioningState", ""));
    page_fact(&p, "Location", text_at_or(group, "location", ""));
    page_fact(&p, "Subscription", c->path_args[0]);
    page_facts_end(&p);
    TRY(running_add(&p, id));
    page_heading(&p, "Resources");
    add_resources(&p, &l, resources);
    TRY(deployments_add(&p, id));
    page_html(&p, "<div class=\"actions\">");
    if (page_may(&p, id, DELETE_ACTION))
        page_danger(&p, arena_printf(&c->op.arena, "%s/delete", page_of(p.op, id)),
                    "Delete the group",
                    arena_printf(&c->op.arena,
                                 "All resources in %s go with it: images, containers, clusters."
                                 " This cannot be undone.",
                                 name));
    page_html(&p, "</div>");
    page_command(
        &p, "The same by az",
        arena_printf(&c->op.arena, "az group delete -n %s --yes", shell_word(&c->op, name)));
    page_heading(&p, "Latest activity");
    TRY(events_add(&p, id, LATEST));
    return page_end(&p);
}

enum fault resource_group_delete(struct call *c)
{
    TRY(page_check_form(c));
    TRY(ask_manager_do(c, DELETE, path_of(c), NULL, NULL));
    return page_go(c, "The group is being deleted.", "/console/groups");
}
