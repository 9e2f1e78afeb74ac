#include <stdlib.h>
#include <string.h>

#include "auth/graph.h"
#include "core/json.h"
#include "core/uri.h"

#define TOP_DEFAULT      100
#define TOP_MAX          999
#define FILTERED_AT_ONCE 2000 /* objects that are read and asked whether they fit */

json_t *graph_keep(struct op *op, json_t *value)
{
    if (value)
        arena_defer(&op->arena, (void (*)(void *))json_decref, value);
    return value;
}

static const char *const defaults[] = {
    [OBJECT_APPLICATION] =
        "{\"deletedDateTime\":null,\"description\":null,\"notes\":null,\"identifierUris\":[],"
        "\"signInAudience\":\"AzureADMyOrg\",\"tags\":[],\"isFallbackPublicClient\":null,"
        "\"appRoles\":[],\"requiredResourceAccess\":[],\"publisherDomain\":\"sundog.localhost\","
        "\"api\":{\"acceptMappedClaims\":null,\"knownClientApplications\":[],"
        "\"oauth2PermissionScopes\":[],\"preAuthorizedApplications\":[],"
        "\"requestedAccessTokenVersion\":2},\"publicClient\":{\"redirectUris\":[]},"
        "\"spa\":{\"redirectUris\":[]},\"web\":{\"homePageUrl\":null,\"logoutUrl\":null,"
        "\"redirectUris\":[],\"implicitGrantSettings\":{\"enableAccessTokenIssuance\":false,"
        "\"enableIdTokenIssuance\":false}}}",
    [OBJECT_SERVICE_PRINCIPAL] =
        "{\"deletedDateTime\":null,\"alternativeNames\":[],\"appDescription\":null,"
        "\"appRoleAssignmentRequired\":false,\"appRoles\":[],\"homepage\":null,\"info\":{},"
        "\"loginUrl\":null,\"logoutUrl\":null,\"notes\":null,\"oauth2PermissionScopes\":[],"
        "\"replyUrls\":[],\"servicePrincipalType\":\"Application\","
        "\"signInAudience\":\"AzureADMyOrg\",\"tags\":[]}",
    [OBJECT_USER] = "{\"businessPhones\":[],\"givenName\":null,\"jobTitle\":null,\"mail\":null,"
                    "\"mailNickname\":null,\"mobilePhone\":null,\"officeLocation\":null,"
                    "\"preferredLanguage\":null,\"surname\":null,\"userType\":\"Member\"}",
    [OBJECT_GROUP] = "{\"deletedDateTime\":null,\"description\":null,\"groupTypes\":[],"
                     "\"mail\":null,\"mailEnabled\":false,\"mailNickname\":null,"
                     "\"securityEnabled\":true,\"visibility\":null}",
};

/* ---- credentials ---- */

static void set(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, text ? json_string(text) : json_null());
}

json_t *graph_secret(const struct credential_row *row)
{
    json_t *o = json_object();

    json_object_set_new(o, "customKeyIdentifier", json_null());
    set(o, "displayName", row->name);
    set(o, "endDateTime", row->ends);
    set(o, "hint", row->hint);
    set(o, "keyId", row->id);
    json_object_set_new(o, "secretText", json_null());
    set(o, "startDateTime", row->starts);
    return o;
}

static json_t *certificate(const struct credential_row *row)
{
    json_t *o = json_object();

    set(o, "customKeyIdentifier", row->thumbprint);
    set(o, "displayName", row->name);
    set(o, "endDateTime", row->ends);
    json_object_set_new(o, "key", json_null());
    set(o, "keyId", row->id);
    set(o, "startDateTime", row->starts);
    set(o, "type", "AsymmetricX509Cert");
    set(o, "usage", "Verify");
    return o;
}

static enum fault add_credentials(struct op *op, const char *id, json_t *o)
{
    json_t *secrets = json_array(), *certificates = json_array();
    struct credential_row *rows;
    size_t n;

    json_object_set_new(o, "passwordCredentials", secrets);
    json_object_set_new(o, "keyCredentials", certificates);
    TRY(credential_list(op, id, &rows, &n));
    for (size_t i = 0; i < n; i++) {
        if (rows[i].kind == CREDENTIAL_SECRET)
            json_array_append_new(secrets, graph_secret(&rows[i]));
        if (rows[i].kind == CREDENTIAL_CERTIFICATE)
            json_array_append_new(certificates, certificate(&rows[i]));
    }
    return OK;
}

json_t *graph_federated(const struct federated_row *row)
{
    json_t *o = json_object();

    set(o, "id", row->id);
    set(o, "name", row->name);
    set(o, "issuer", row->issuer);
    set(o, "subject", row->subject);
    set(o, "description", row->description);
    json_object_set_new(o, "audiences", json_pack("[s]", row->audience));
    return o;
}

/* ---- objects ---- */

/* What a service principal is known by: its application's id and identifiers. */
static void add_names(struct op *op, const struct object_row *row, json_t *o)
{
    const struct object *app = directory_application(directory_hold(op), row->app_id);
    json_t *names = json_pack("[s]", row->app_id);

    for (size_t i = 0; app && i < app->n_identifiers; i++)
        json_array_append_new(names, json_string(app->identifiers[i]));
    json_object_set_new(o, "servicePrincipalNames", names);
    set(o, "appDisplayName", app ? app->name : row->name);
    set(o, "appOwnerOrganizationId", entra_tenant());
}

static const char *const types[] = {
    [OBJECT_APPLICATION] = "#microsoft.graph.application",
    [OBJECT_SERVICE_PRINCIPAL] = "#microsoft.graph.servicePrincipal",
    [OBJECT_USER] = "#microsoft.graph.user",
    [OBJECT_GROUP] = "#microsoft.graph.group",
};

enum fault graph_object(struct op *op, const struct object_row *row, bool typed, bool full,
                        json_t **ret)
{
    json_t *o = graph_keep(op, json_loads(defaults[row->kind], 0, NULL)), *document;

    TRY(json_parse(op, BYTES(row->document), &document));
    json_object_update(o, document);
    set(o, "id", row->id);
    set(o, "displayName", row->name);
    set(o, "createdDateTime", row->created);
    if (typed)
        set(o, "@odata.type", types[row->kind]);
    if (row->app_id)
        set(o, "appId", row->app_id);
    if (row->upn)
        set(o, "userPrincipalName", row->upn);
    if (row->kind == OBJECT_USER || row->kind == OBJECT_SERVICE_PRINCIPAL)
        json_object_set_new(o, "accountEnabled", json_boolean(row->enabled));
    if (row->kind == OBJECT_SERVICE_PRINCIPAL)
        add_names(op, row, o);
    if (full && row->app_id)
        TRY(add_credentials(op, row->id, o));
    *ret = o;
    return OK;
}

/* ---- answers ---- */

enum fault graph_reply(struct call *c, int status, json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

    if (!text)
        return fail(&c->op, INTERNAL, "the answer cannot be written");
    arena_defer(&c->op.arena, free, text);
    reply_header(c, "request-id", "%s", c->id);
    return reply_bytes(c, status, "application/json; charset=utf-8", BYTES(text));
}

static size_t top_of(struct call *c)
{
    const char *text = call_query(c, "$top", 0);
    long top = text ? strtol(text, NULL, 10) : TOP_DEFAULT;

    return top < 1 ? 1 : top > TOP_MAX ? TOP_MAX : (size_t)top;
}

static void add_next(struct call *c, json_t *root, const char *last)
{
    const char *filter = call_query(c, "$filter", 0), *top = call_query(c, "$top", 0);
    struct text link;

    text_init(&link, &c->op.arena, 32768);
    text_printf(&link, "%s%s?$skiptoken=%s", c->base_url, c->path, last);
    if (top)
        text_printf(&link, "&$top=%s", uri_encode(&c->op.arena, top, ""));
    if (filter)
        text_printf(&link, "&$filter=%s", uri_encode(&c->op.arena, filter, ""));
    set(root, "@odata.nextLink", link.data);
}

struct answer {
    const char *filter, *last;
    json_t *root, *value;
    size_t top;
    bool full; /* and more follow */
};

static enum fault begin(struct call *c, struct answer *a)
{
    json_t *empty = graph_keep(&c->op, json_object());
    bool fits;

    *a = (struct answer){
        .filter = call_query(c, "$filter", 0),
        .last = call_query(c, "$skiptoken", 0),
        .root = graph_keep(&c->op, json_object()),
        .value = json_array(),
        .top = top_of(c),
    };
    set(a->root, "@odata.context",
        arena_printf(&c->op.arena, "%s/graph/v1.0/$metadata", c->base_url));
    json_object_set_new(a->root, "value", a->value);
    return graph_filter(&c->op, a->filter, empty, &fits); /* an empty list has a good filter too */
}

static enum fault add(struct call *c, struct answer *a, const struct object_row *rows, size_t n,
                      bool typed)
{
    json_t *o;
    bool fits;

    for (size_t i = 0; i < n && !a->full; i++) {
        if (a->last && strcmp(rows[i].id, a->last) <= 0)
            continue;
        TRY(graph_object(&c->op, &rows[i], typed, false, &o));
        TRY(graph_filter(&c->op, a->filter, o, &fits));
        if (!fits)
            continue;
        if (json_array_size(a->value) == a->top) {
            o = json_array_get(a->value, a->top - 1);
            add_next(c, a->root, json_string_value(json_object_get(o, "id")));
            a->full = true;
            break;
        }
        TRY(graph_object(&c->op, &rows[i], typed, true, &o));
        json_array_append(a->value, o);
    }
    return OK;
}

enum fault graph_reply_rows(struct call *c, const struct object_row *rows, size_t n, bool typed)
{
    struct answer a;

    TRY(begin(c, &a));
    TRY(add(c, &a, rows, n, typed));
    return graph_reply(c, 200, a.root);
}

enum fault graph_reply_kind(struct call *c, enum object_kind kind)
{
    struct object_filter wanted = {0};
    struct object_row *rows;
    struct answer a;
    size_t n;

    TRY(begin(c, &a));
    graph_filter_narrow(&c->op, a.filter, &wanted);
    wanted.after = a.last;
    wanted.limit = a.filter && *a.filter ? FILTERED_AT_ONCE : a.top + 1;
    do {
        TRY(object_list(&c->op, kind, &wanted, &rows, &n));
        TRY(add(c, &a, rows, n, false));
        wanted.after = n ? rows[n - 1].id : NULL;
    } while (n == wanted.limit && !a.full);
    return graph_reply(c, 200, a.root);
}
