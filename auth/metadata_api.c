/*
 * GET /metadata/endpoints, by which clients learn a cloud: `az cloud register` (2015-01-01, an
 * object of four members), ARM_CLOUD_METADATA_URL (2019-05-01, a list), Terraform and newer az
 * (2022-09-01, one object).
 */
#include <stdlib.h>
#include <string.h>

#include "auth/entra.h"
#include "auth/oauth.h"
#include "core/json.h"
#include "core/server.h"

static json_t *url(struct call *c, const char *path)
{
    return json_string(arena_printf(&c->op.arena, "%s%s", c->base_url, path));
}

/* The login endpoint ends in /adfs because az 2.45 asks the internet about every other authority.
 */
static json_t *authentication(struct call *c)
{
    return json_pack("{s:o, s:[o, o], s:s, s:s}", "loginEndpoint", url(c, "/adfs"), "audiences",
                     url(c, "/arm/"), url(c, ""), "tenant", entra_tenant(), "identityProvider",
                     "ADFS");
}

static json_t *oldest(struct call *c)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "galleryEndpoint", url(c, "/"), "graphEndpoint",
                     url(c, "/graph/"), "portalEndpoint", url(c, "/"), "authentication",
                     authentication(c));
}

static json_t *cloud(struct call *c)
{
    const char *suffix = server_registry_suffix();
    json_t *o = json_pack("{s:s, s:o, s:o, s:o}", "name", "Sundog", "portal", url(c, "/"),
                          "authentication", authentication(c), "resourceManager", url(c, "/"));

    json_object_set_new(o, "graph", url(c, "/graph/"));
    json_object_set_new(o, "graphAudience", url(c, "/graph/"));
    json_object_set_new(o, "microsoftGraphResourceId", url(c, "/graph/"));
    json_object_set_new(o, "gallery", url(c, "/"));
    json_object_set_new(o, "suffixes",
                        json_pack("{s:s}", "acrLoginServer", *suffix == '.' ? suffix + 1 : suffix));
    return o;
}

enum fault metadata_endpoints(struct call *c)
{
    const char *version = call_query(c, "api-version", 0);
    json_t *root;
    char *text;

    if (!version)
        return fail(&c->op, INVALID, "The api-version query parameter is required.");
    if (strcmp(version, "2019-01-01") < 0)
        root = oldest(c);
    else if (strcmp(version, "2022-01-01") < 0)
        root = json_pack("[o]", cloud(c));
    else
        root = cloud(c);
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (!text)
        return fail(&c->op, INVALID, "the request's host is not valid text");
    arena_defer(&c->op.arena, free, text);
    return reply_bytes(c, 200, "application/json; charset=utf-8", BYTES(text));
}
