#include "web/subscriptions.h"

#include <string.h>

#include "clusters/object/object.h"

enum fault subscriptions_of(struct call *c, json_t **ret)
{
    return ask_manager_all(c, "/subscriptions", RESOURCES_MAX, ret);
}

enum fault resources_of(struct call *c, const char *collection, json_t **ret)
{
    json_t *subscriptions, *subscription, *some;
    json_t *all = json_array();
    size_t i;

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, all);
    TRY(subscriptions_of(c, &subscriptions));
    json_array_foreach(subscriptions, i, subscription)
    {
        const char *path = arena_printf(&c->op.arena, "/subscriptions/%s%s",
                                        text_at_or(subscription, "subscriptionId", ""), collection);
        enum fault fault = ask_manager_all(c, path, RESOURCES_MAX, &some);

        if (fault == FORBIDDEN) {
            op_clear_fault(&c->op);
            continue;
        }
        TRY(fault);
        json_array_extend(all, some);
    }
    *ret = all;
    return OK;
}

const char *id_group(struct op *op, const char *id)
{
    static const char mark[] = "/resourceGroups/";
    const char *at = strcasestr(id, mark);

    at = at ? at + strlen(mark) : "";
    return arena_strndup(&op->arena, at, strcspn(at, "/"));
}

const char *id_name(const char *id)
{
    const char *slash = strrchr(id, '/');

    return slash ? slash + 1 : id;
}
