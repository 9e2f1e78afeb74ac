/* Who may use the directory API, and how its refusals look. */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "auth/graph.h"
#include "auth/guid.h"
#include "core/json.h"
#include "core/trace.h"

const struct identity *graph_who(const struct call *c)
{
    return c->caller;
}

static enum fault identify(struct call *c, bool may_block, const struct identity **ret)
{
    const char *header = call_header(c, "authorization");

    if (c->vouched) {
        *ret = c->vouched;
        return OK;
    }
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return fail(&c->op, UNAUTHENTICATED, "Access token is empty.");
    return entra_verify(&c->op, header + 7 + strspn(header + 7, " "), AUDIENCE_GRAPH, may_block,
                        ret);
}

/* An owner may change what it owns, as in Entra ID. */
static enum fault check_owner(struct call *c, const char *who)
{
    const char *id = c->path_args[1] ? guid_lower(&c->op, c->path_args[1]) : NULL;
    struct object_row *owners;
    size_t n = 0;

    if (id)
        TRY(link_list(&c->op, id, "owner", false, &owners, &n));
    for (size_t i = 0; i < n; i++)
        if (strcmp(owners[i].id, who) == 0)
            return OK;
    return fail(&c->op, FORBIDDEN, "Insufficient privileges to complete the operation.");
}

enum fault graph_authorise(struct call *c, bool may_block)
{
    const struct identity *who;
    const char *version = c->path_args[0];

    if (strcmp(version, "v1.0") != 0 && strcmp(version, "beta") != 0)
        return fail_on(&c->op, "route", NOT_FOUND, "Invalid version: %.20s", version);
    TRY(identify(c, may_block, &who));
    c->caller = (void *)who;
    trace_who(c, who->name, who->object_id);
    if (c->route->access == GRAPH_READ || role_allows(&c->op, who, "/", GRAPH_ADMIN_ACTION))
        return OK;
    if (c->route->access == GRAPH_ADMIN)
        return fail(&c->op, FORBIDDEN, "Insufficient privileges to complete the operation.");
    return may_block ? check_owner(c, who->object_id) : WOULD_BLOCK;
}

static const struct dialect_row rows[] = {
    {UNAUTHENTICATED,                NULL, 401, "InvalidAuthenticationToken"},
    {FORBIDDEN,                           NULL, 403, "Authorization_RequestDenied"},
    {NOT_FOUND,                              "credential", 400, "Request_BadRequest"},
    {NOT_FOUND,"route", 400, "BadRequest"},
    {NOT_FOUND, NULL, 404, "Request_ResourceNotFound"},
    {CONFLICT,                      "reference", 400, "Request_BadRequest"},
    {CONFLICT,                           NULL, 409, "Request_MultipleObjectsWithSameKeyValue"},
    {INVALID,                              "method", 405, "Request_BadRequest"},
    {INVALID,                        NULL, 400, "Request_BadRequest"},
    {UNSUPPORTED,                  NULL, 501, "NotSupported"},
    {TOO_LARGE,                      NULL, 413, "Request_BadRequest"},
    {TOO_MANY,                           NULL, 429, "TooManyRequests"},
    {UNAVAILABLE,                              NULL, 503, "ServiceNotAvailable"},
    {INTERNAL,NULL, 500, "InternalServerError"},
    {0         },
};

static void render(struct call *c, const struct dialect_row *row)
{
    const char *message = c->op.message ? c->op.message : fault_name(c->op.fault);
    time_t now = (time_t)wall_s();
    struct text out;
    char date[32];
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    text_init(&out, &c->op.arena, 16384);
    text_printf(&out, "{\"error\":{\"code\":\"%s\",\"message\":", row->code);
    json_quote(&out, message);
    text_printf(
        &out, ",\"innerError\":{\"date\":\"%s\",\"request-id\":\"%s\",\"client-request-id\":", date,
        c->id);
    json_quote(&out, c->correlation_id ? c->correlation_id : c->id);
    text_str(&out, "}}}");
    if (row->status == 401)
        reply_header(c, "WWW-Authenticate",
                     "Bearer realm=\"\", authorization_uri=\"%s/%s/oauth2/"
                     "authorize\", client_id=\"00000003-0000-0000-c000-000000000000\"",
                     c->base_url, entra_tenant());
    reply_bytes(c, row->status, "application/json; charset=utf-8", text_bytes(&out));
}

const struct dialect graph_dialect = {"graph", rows, render};
