/* Making a resource group by a form. */
#include "api/arm.h"
#include "clusters/object/object.h"
#include "web/create.h"
#include "web/pages.h"
#include "web/subscriptions.h"

#define WRITE_ACTION "Microsoft.Resources/subscriptions/resourceGroups/write"

enum fault resource_group_places(struct page *p, json_t **ret)
{
    json_t *all, *one, *some = json_keep(p->op, json_array());
    size_t i;

    TRY(subscriptions_of(p->c, &all));
    json_array_foreach(all, i, one)
    {
        const char *id = text_at_or(one, "subscriptionId", "");
        const char *scope = arena_printf(&p->op->arena, "/subscriptions/%s", id);

        if (page_may(p, scope, WRITE_ACTION))
            json_array_append_new(some, json_pack("[s,s]", id, text_at_or(one, "displayName", id)));
    }
    *ret = some;
    return OK;
}

static const struct create_field fields[] = {
    {"name",                                                              "Name", .hint = "letters, digits, hyphens, underscores, dots, parentheses"},
    {"location", "Location", "eastus", "eastus"},
    {"subscription",                                                          "Subscription", .list = resource_group_places},
    {0                                                          },
};

static enum fault read_form(struct call *c, const struct create_form *form, struct created *ret)
{
    const char *parts[2], *location;
    struct op *op = &c->op;

    TRY(create_needed(c, form, "name", &parts[1]));
    TRY(create_needed(c, form, "location", &location));
    TRY(create_needed(c, form, "subscription", &parts[0]));
    ret->path = page_url(op, "/subscriptions/%s/resourceGroups/%s", parts);
    ret->body = json_keep(op, json_pack("{s:s}", "location", location));
    ret->command =
        arena_printf(&op->arena, "az group create -n %s -l %s --subscription %s",
                     shell_word(op, parts[1]), shell_word(op, location), shell_word(op, parts[0]));
    ret->said = "The resource group is there.";
    ret->link = arena_printf(&op->arena, "/console%s", ret->path);
    return OK;
}

static const struct create_form form = {
    .title = "Create a resource group",
    .fields = fields,
    .none = "There is no subscription where you may make a resource group.",
    .read = read_form,
};
static const struct crumb crumbs[] = {
    {"Resource groups", "/console/groups"},
    {0                },
};

enum fault resource_group_new_page(struct call *c)
{
    return create_page(c, &form, crumbs);
}

enum fault resource_group_new_post(struct call *c)
{
    return create_post(c, &form, crumbs);
}
