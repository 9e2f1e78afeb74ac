/* Everything below /subscriptions and /providers that no route names: a clear error, never an empty
   answer. */
#include <string.h>
#include <strings.h>

#include "api/group.h"
#include "api/handlers.h"
#include "api/provider.h"

static enum fault no_type(struct call *c, const struct resource_id *id, const char *type)
{
    const char *version = call_query(c, "api-version", 0);

    return fail_on(&c->op, "InvalidResourceType", NOT_FOUND,
                   "The resource type '%s' could not be found in the namespace '%s' for api "
                   "version '%s'.",
                   type, id->provider, version ? version : "");
}

/* "registries" of "registries" or "registries/webhooks": the namespace has such a type. */
static bool knows_type(const struct provider *p, const char *type)
{
    for (const struct resource_type *t = p->types; t && t->type; t++) {
        size_t len = strlen(type);

        if (strncasecmp(t->type, type, len) == 0 && (t->type[len] == '\0' || t->type[len] == '/'))
            return true;
    }
    return false;
}

enum fault nothing_here(struct call *c)
{
    const struct resource_id *id = arm_id(c);
    const struct provider *p = id->provider ? provider_find(id->provider) : NULL;
    const char *type = id->type ? id->type : id->rest;
    struct group group;

    if (id->group)
        TRY(group_get(&c->op, id->subscription, id->group, &group));
    if (id->provider && !p)
        return fail_on(&c->op, "InvalidResourceNamespace", NOT_FOUND,
                       "The resource namespace '%.100s' is invalid.", id->provider);
    if (p && type && !p->not_built && p->types && !knows_type(p, type) && (!id->rest || id->type))
        return no_type(c, id, type);
    return fail_on(&c->op, "NotSupported", UNSUPPORTED, "This Sundog does not have %s of '%.300s'.",
                   method_name(c->method), c->path);
}
