#include <string.h>
#include <strings.h>

#include "auth/entra.h"
#include "auth/guid.h"
#include "auth/oauth.h"

#define GRAPH      "00000003-0000-0000-c000-000000000000"
#define EVERYTHING "/.default"

/* An application of the directory: by its id, "api://ID", or an identifier it was given. */
static bool is_registered(struct op *op, const char *resource)
{
    const struct directory *d = directory_hold(op);
    const char *id = strncasecmp(resource, "api://", 6) == 0 ? resource + 6 : resource;

    if (guid_is(id) && directory_application(d, id))
        return true;
    for (size_t i = 0; d && i < d->n_applications; i++)
        for (size_t k = 0; k < d->by_app[i]->n_identifiers; k++)
            if (strcmp(d->by_app[i]->identifiers[k], resource) == 0)
                return true;
    return false;
}

static enum fault set_audience(struct op *op, const char *resource, struct target_asked *target)
{
    if (target->audience && strcmp(target->audience, resource) != 0)
        return fail_on(op, "70011", INVALID,
                       "The provided value for the input parameter 'scope' is not valid: it names"
                       " more than one resource.");
    target->audience = resource;
    return OK;
}

/* "RESOURCE/.default", "RESOURCE/permission", or a bare permission, which is Graph's. */
static enum fault read_scope(struct op *op, const char *scope, struct target_asked *target)
{
    size_t len = strlen(scope), tail = strlen(EVERYTHING);
    const char *slash = strrchr(scope, '/');

    if (strcmp(scope, "openid") == 0 || strcmp(scope, "profile") == 0 ||
        strcmp(scope, "email") == 0) {
        target->openid = true;
        return OK;
    }
    if (strcmp(scope, "offline_access") == 0) {
        target->offline = true;
        return OK;
    }
    if (len > tail && strcmp(scope + len - tail, EVERYTHING) == 0) {
        target->everything = true;
        return set_audience(op, arena_strndup(&op->arena, scope, len - tail), target);
    }
    if (!slash)
        return set_audience(op, GRAPH, target);
    return set_audience(op, arena_strndup(&op->arena, scope, (size_t)(slash - scope)), target);
}

static enum fault check_resource(struct op *op, const struct target_asked *target)
{
    if (entra_audience(target->audience) || is_registered(op, target->audience))
        return OK;
    return fail_on(op, "500011", INVALID,
                   "The resource principal named %.300s was not found in the tenant named %s. This"
                   " can happen if the application has not been installed by the administrator of"
                   " the tenant or consented to by any user in the tenant.",
                   target->audience, entra_tenant());
}

enum fault oauth_target(struct op *op, const char *scope, const char *resource,
                        struct target_asked *ret)
{
    struct target_asked target = {0};

    if ((scope && strlen(scope) > OAUTH_SCOPE_MAX) ||
        (resource && strlen(resource) > OAUTH_SCOPE_MAX))
        return fail_on(op, "70011", INVALID, "The scope is too long.");
    while (scope && *(scope += strspn(scope, " "))) {
        size_t len = strcspn(scope, " ");

        TRY(read_scope(op, arena_strndup(&op->arena, scope, len), &target));
        scope += len;
    }
    if (resource && *resource) {
        target.v1 = true;
        target.everything = true;
        target.audience = resource;
    }
    if (!target.audience)
        target.audience = GRAPH;
    TRY(check_resource(op, &target));
    *ret = target;
    return OK;
}
