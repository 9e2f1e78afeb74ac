#include "api/resource_page.h"

#include "api/page.h"
#include "auth/role.h"

static enum fault who_sees(struct call *c, const char *read, bool *ret_all)
{
    const char *scope = arm_id(c)->scope;

    *ret_all = role_allows(&c->op, arm_who(c), scope, read);
    return *ret_all || role_sees(&c->op, arm_who(c), scope) ? OK : arm_need(c, scope, read);
}

enum fault resource_page_reply(struct call *c, const char *type,
                               enum fault (*render)(struct op *op, const struct resource *list,
                                                    size_t n, json_t *values))
{
    struct op *op = &c->op;
    const struct resource_id *id = arm_id(c);
    const char *read = arena_printf(&op->arena, "%s/read", type);
    struct resource_filter filter = {
        .subscription = id->subscription, .group = id->group, .type = type};
    json_t *values = json_new_array(op);
    const char *last = NULL;
    struct resource *list;
    struct arm_page page;
    size_t n, seen = 0;
    bool all;

    TRY(who_sees(c, read, &all));
    TRY(page_read_arm(c, PAGE_DEFAULT, &page));
    filter.last = page.last;
    filter.limit = page.limit;
    TRY(resource_list(op, &filter, &list, &n));
    if (n > (size_t)page.top) {
        n = (size_t)page.top;
        last = list[n - 1].key;
    }
    for (size_t i = 0; i < n; i++)
        if (all || role_allows(op, arm_who(c), list[i].id, read))
            list[seen++] = list[i];
    TRY(render(op, list, seen, values));
    return page_reply(c, values, last);
}
