#include "auth/managed_identity.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/entra.h"
#include "auth/guid.h"
#include "auth/oauth.h"
#include "auth/object.h"
#include "core/json.h"
#include "core/seal.h"

#define HEADER_SECRET_LENGTH 40
#define HUNDRED_YEARS        (INT64_C(100) * 365 * 86400)

/* ---- making ---- */

enum fault managed_identity_add_header(struct op *op, const char *principal_id,
                                       const char **ret_header)
{
    const char *secret = random_password(op, HEADER_SECRET_LENGTH);
    struct credential_row row = {.object_id = principal_id,
                                 .kind = CREDENTIAL_IDENTITY,
                                 .name = "workload",
                                 .ends_s = wall_s() + HUNDRED_YEARS};

    TRY(secret_add(op, &row, secret));
    /* With the id in front it is found without trying every identity. */
    *ret_header = arena_printf(&op->arena, "%s.%s", principal_id, secret);
    return OK;
}

enum fault managed_identity_create(struct op *op, const char *resource_id, const char *name,
                                   struct managed_identity *ret)
{
    struct object_row row = {.kind = OBJECT_SERVICE_PRINCIPAL, .name = name, .enabled = true};
    json_t *document = json_pack("{s:s, s:[s, s]}", "servicePrincipalType", "ManagedIdentity",
                                 "alternativeNames", "isExplicit=False", resource_id);
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL, app_id[37];

    json_decref(document);
    if (!text)
        return fail(op, INVALID, "the resource's id is not valid text");
    arena_defer(&op->arena, free, text);
    random_uuid(app_id);
    row.app_id = arena_strdup(&op->arena, app_id);
    row.document = text;
    TRY(object_insert(op, &row));
    TRY(managed_identity_add_header(op, row.id, &ret->header));
    ret->principal_id = row.id;
    ret->client_id = row.app_id;
    return OK;
}

enum fault managed_identity_delete(struct op *op, const char *principal_id)
{
    return object_delete(op, principal_id);
}

/* ---- asking ---- */

static const struct object *by_header(struct call *c)
{
    const char *header = call_header(c, "x-identity-header"), *dot;
    const struct object *o;

    if (!header || strlen(header) > 256 || !(dot = strchr(header, '.')))
        return NULL;
    o = directory_object(directory_hold(&c->op),
                         arena_strndup(&c->op.arena, header, (size_t)(dot - header)));
    for (size_t i = 0; o && o->enabled && i < o->n_credentials; i++)
        if (o->credentials[i].kind == CREDENTIAL_IDENTITY &&
            secret_verify(o->credentials[i].hash, dot + 1))
            return o;
    return NULL;
}

static const char *(*workload_at)(struct op *op, const char *client_address);

void managed_identity_set_workload(const char *(*principal_of)(struct op *op,
                                                               const char *client_address))
{
    workload_at = principal_of;
}

/* The kernel says who asks: containers' packets come with their own address. */
static const struct object *by_address(struct call *c)
{
    const char *principal = workload_at ? workload_at(&c->op, c->client) : NULL;
    const struct object *o = principal ? directory_object(directory_hold(&c->op), principal) : NULL;

    return o && o->enabled ? o : NULL;
}

static enum fault identify(struct call *c, const struct object **ret)
{
    const char *metadata = call_header(c, "metadata");
    bool imds = strncmp(c->path, "/metadata/", 10) == 0;

    if (imds && (!metadata || strcasecmp(metadata, "true") != 0))
        return fail_on(&c->op, "90010", INVALID, "Required metadata header not specified");
    *ret = by_header(c); /* too long to be guessed, and many workloads share an address */
    if (!*ret && imds && !call_header(c, "x-identity-header"))
        *ret = by_address(c);
    if (*ret)
        return OK;
    return fail_on(&c->op, "70000", INVALID,
                   "Identity not found: no X-IDENTITY-HEADER of a managed identity was shown, and "
                   "none belongs to this address");
}

/* Somebody else's identity is never given, whatever it is named by. */
static enum fault check_named(struct call *c, const struct object *who)
{
    const char *client = call_query(c, "client_id", 0);
    const char *object = call_query(c, "object_id", 0);

    if (!object)
        object = call_query(c, "principal_id", 0);
    if ((client && strcasecmp(client, who->app_id) != 0) ||
        (object && strcasecmp(object, who->id) != 0))
        return fail_on(&c->op, "70000", INVALID, "Identity not found: this workload has %s only",
                       who->app_id);
    return OK;
}

enum fault managed_identity_token(struct call *c)
{
    const char *resource = call_query(c, "resource", 0), *access;
    struct target_asked target;
    struct oauth_client client = {.proof = 2};
    struct tokens_asked asked = {.client = &client, .target = &target};
    long long now = (long long)wall_s();
    struct text out;

    TRY(identify(c, &asked.who));
    TRY(check_named(c, asked.who));
    if (!resource || !*resource)
        return fail_on(&c->op, "900144", INVALID, "Required query variable 'resource' is missing");
    TRY(oauth_target(&c->op, NULL, resource, &target));
    client.app_id = asked.who->app_id;
    TRY(oauth_access_token(c, &asked, &access));
    text_init(&out, &c->op.arena, 65536);
    text_printf(&out,
                "{\"access_token\":\"%s\",\"client_id\":\"%s\",\"expires_in\":\"%d\","
                "\"expires_on\":\"%lld\",\"ext_expires_in\":\"%d\",\"not_before\":\"%lld\","
                "\"token_type\":\"Bearer\",\"resource\":",
                access, client.app_id, ENTRA_ACCESS_SECONDS, now + ENTRA_ACCESS_SECONDS,
                ENTRA_ACCESS_SECONDS, now);
    json_quote(&out, resource);
    text_str(&out, "}");
    reply_header(c, "Cache-Control", "no-store");
    return reply_bytes(c, 200, "application/json; charset=utf-8", text_bytes(&out));
}
