/*
 * The directory API: routes, and the handlers that all four kinds of object share. The first part
 * of a path is the version ("v1.0" or "beta", answered alike), the second an object's id.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/auth_api.h"
#include "auth/graph_links.h"
#include "auth/guid.h"
#include "auth/tenant.h"
#include "core/db.h"
#include "core/json.h"
#include "core/seal.h"

#define BODY_MAX   262144
#define BY_IDS_MAX 1000

/* ---- which object ---- */

static const struct {
    const char *segment;
    enum object_kind kind;
} kinds[] = {
    {"/applications",      OBJECT_APPLICATION      },
    {"/servicePrincipals", OBJECT_SERVICE_PRINCIPAL},
    {"/users",             OBJECT_USER             },
    {"/groups",            OBJECT_GROUP            },
};

enum object_kind graph_path_kind(const struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strncasecmp(c->route->pattern + strlen("/graph/{version}"), kinds[i].segment,
                        strlen(kinds[i].segment)) == 0)
            return kinds[i].kind;
    return OBJECT_USER;
}

static enum fault not_there(struct call *c, const char *id)
{
    return fail_on(&c->op, "object", NOT_FOUND,
                   "Resource '%.100s' does not exist or one of its queried reference-property"
                   " objects are not present.",
                   id);
}

enum fault graph_path_object(struct call *c, bool for_update, struct object_row *ret)
{
    const char *given = c->path_args[1], *id = guid_lower(&c->op, given);
    bool any = strcasestr(c->route->pattern, "/directoryObjects");
    const struct object_filter named = {.upn = given};
    struct object_row *list;
    enum fault fault;
    size_t n;

    if (!id && !any && graph_path_kind(c) == OBJECT_USER) {
        TRY(object_list(&c->op, OBJECT_USER, &named, &list, &n));
        id = n ? list[0].id : NULL;
    }
    fault = id ? object_get(&c->op, id, for_update, ret) : NOT_FOUND;
    if (fault == NOT_FOUND || (fault == OK && !any && ret->kind != graph_path_kind(c)))
        return not_there(c, given);
    return fault;
}

/* ---- reading ---- */

static enum fault reply_one(struct call *c, int status, const struct object_row *row, bool typed)
{
    json_t *value;

    TRY(graph_object(&c->op, row, typed, true, &value));
    json_object_set_new(
        value, "@odata.context",
        json_string(arena_printf(&c->op.arena, "%s/graph/v1.0/$metadata", c->base_url)));
    return graph_reply(c, status, value);
}

static enum fault get_one(struct call *c)
{
    struct object_row row;

    TRY(graph_path_object(c, false, &row));
    return reply_one(c, 200, &row, strcasestr(c->route->pattern, "/directoryObjects") != NULL);
}

static enum fault get_all(struct call *c)
{
    return graph_reply_kind(c, graph_path_kind(c));
}

static enum fault get_me(struct call *c)
{
    struct object_row row;

    if (graph_who(c)->kind != IDENTITY_USER)
        return fail(&c->op, INVALID,
                    "/me request is only valid with delegated authentication flow.");
    TRY(object_get(&c->op, graph_who(c)->object_id, false, &row));
    return reply_one(c, 200, &row, false);
}

static int by_id(const void *id, const void *row)
{
    return strcmp(id, ((const struct object_row *)row)->id);
}

static enum fault read_ids(struct call *c, const json_t *given, const char ***ret, size_t *ret_n)
{
    size_t size = json_array_size(given);
    const char **ids, *id;

    if (!json_is_array(given) || size > BY_IDS_MAX)
        return fail(&c->op, INVALID, "ids must be a list of at most %d.", BY_IDS_MAX);
    ids = arena_alloc(&c->op.arena, (size + 1) * sizeof(*ids));
    *ret_n = 0;
    for (size_t i = 0; i < size; i++) {
        id = json_string_value(json_array_get(given, i));
        id = id ? guid_lower(&c->op, id) : NULL;
        if (id)
            ids[(*ret_n)++] = id;
    }
    *ret = ids;
    return OK;
}

static enum fault get_by_ids(struct call *c)
{
    json_t *body, *root = graph_keep(&c->op, json_object()), *value = json_array(), *one;
    struct object_row *rows, *row;
    size_t n = 0, n_rows;
    const char **ids = NULL;

    json_object_set_new(root, "value", value);
    TRY(graph_body(c, &body));
    TRY(read_ids(c, json_object_get(body, "ids"), &ids, &n));
    TRY(object_get_some(&c->op, ids, n, &rows, &n_rows));
    for (size_t i = 0; i < n; i++) {
        row = bsearch(ids[i], rows, n_rows, sizeof(*rows), by_id);
        if (!row)
            continue;
        TRY(graph_object(&c->op, row, true, false, &one));
        json_array_append(value, one);
    }
    return graph_reply(c, 200, root);
}

static enum fault get_organization(struct call *c)
{
    return graph_reply(
        c, 200,
        graph_keep(&c->op, json_pack("{s:[{s:s, s:s, s:[{s:s, s:b, s:b}]}]}", "value", "id",
                                     entra_tenant(), "displayName", "Sundog", "verifiedDomains",
                                     "name", TENANT_DOMAIN, "isDefault", 1, "isInitial", 1)));
}

/* There are none: what an application may do is its role assignments' affair. */
static enum fault get_grants(struct call *c)
{
    return graph_reply(c, 200, graph_keep(&c->op, json_pack("{s:[]}", "value")));
}

static enum fault no_grants(struct call *c)
{
    return fail(&c->op, UNSUPPORTED,
                "Consent is not kept here: rights come from role assignments alone.");
}

/* ---- writing ---- */

/* A service principal belongs to an application of this directory and shares its name. */
static enum fault read_app_id(struct call *c, const json_t *body, struct object_row *row)
{
    const char *app_id = json_string_value(json_object_get(body, "appId"));
    struct object_filter wanted = {0};
    struct object_row *apps;
    size_t n;

    if (row->kind == OBJECT_APPLICATION) {
        char id[37];

        random_uuid(id);
        row->app_id = arena_strdup(&c->op.arena, id);
        return OK;
    }
    app_id = app_id ? guid_lower(&c->op, app_id) : NULL;
    if (!app_id)
        return fail(&c->op, INVALID,
                    "A value is required for property 'appId' of resource"
                    " 'ServicePrincipal'.");
    wanted.app_id = app_id;
    TRY(object_list(&c->op, OBJECT_APPLICATION, &wanted, &apps, &n));
    if (!n)
        return fail(&c->op, INVALID,
                    "The appId '%s' of the service principal does not reference a valid"
                    " application object.",
                    app_id);
    row->app_id = app_id;
    if (!row->name)
        row->name = apps[0].name;
    return OK;
}

static enum fault check_new(struct call *c, const struct object_row *row)
{
    if (!row->name)
        return fail(&c->op, INVALID, "A value is required for property 'displayName' of resource.");
    if (row->kind == OBJECT_USER && (!row->upn || !row->password_hash))
        return fail(&c->op, INVALID, "A value is required for property '%s' of resource 'User'.",
                    row->upn ? "passwordProfile" : "userPrincipalName");
    return OK;
}

/* members@odata.bind and owners@odata.bind come with a group's creation. */
static enum fault bind(struct call *c, const json_t *list, const char *from, const char *kind)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *url = json_string_value(json_array_get(list, i));
        const char *slash = url ? strrchr(url, '/') : NULL;
        const char *id = slash ? guid_lower(&c->op, slash + 1) : NULL;

        if (!id)
            return fail(&c->op, INVALID, "Invalid URL format specified in @odata.bind.");
        TRY(link_add(&c->op, from, kind, id));
    }
    return OK;
}

static enum fault post_one(struct call *c)
{
    struct object_row row = {.kind = graph_path_kind(c), .enabled = true};
    json_t *body, *members, *owners;

    TRY(graph_body(c, &body));
    members = graph_keep(&c->op, json_incref(json_object_get(body, "members@odata.bind")));
    owners = graph_keep(&c->op, json_incref(json_object_get(body, "owners@odata.bind")));
    json_object_del(body, "members@odata.bind");
    json_object_del(body, "owners@odata.bind");
    TRY(graph_apply(&c->op, body, &row));
    TRY(db_begin(&c->op));
    if (row.kind == OBJECT_APPLICATION || row.kind == OBJECT_SERVICE_PRINCIPAL)
        TRY(read_app_id(c, body, &row));
    TRY(check_new(c, &row));
    TRY(object_insert(&c->op, &row));
    if (row.app_id)
        TRY(graph_certificates(&c->op, row.id, json_object_get(body, "keyCredentials")));
    TRY(bind(c, members, row.id, "member"));
    TRY(bind(c, owners, row.id, "owner"));
    TRY(graph_commit(c));
    TRY(object_get(&c->op, row.id, false, &row));
    return reply_one(c, 201, &row, false);
}

static enum fault patch_one(struct call *c)
{
    struct object_row row;
    json_t *body;

    TRY(graph_body(c, &body));
    TRY(db_begin(&c->op));
    TRY(graph_path_object(c, true, &row));
    TRY(graph_apply(&c->op, body, &row));
    TRY(object_update(&c->op, &row, row.password_hash != NULL));
    if (row.app_id)
        TRY(graph_certificates(&c->op, row.id, json_object_get(body, "keyCredentials")));
    TRY(graph_commit(c));
    return reply_empty(c, 204);
}

static enum fault delete_one(struct call *c)
{
    struct object_row row;

    TRY(db_begin(&c->op));
    TRY(graph_path_object(c, true, &row));
    TRY(object_delete(&c->op, row.id));
    TRY(graph_commit(c));
    return reply_empty(c, 204);
}

static enum fault revoke_sessions(struct call *c)
{
    struct object_row row;

    TRY(db_begin(&c->op));
    TRY(graph_path_object(c, true, &row));
    TRY(object_revoke_sessions(&c->op, row.id));
    TRY(graph_commit(c));
    return graph_reply(c, 200, graph_keep(&c->op, json_pack("{s:b}", "value", 1)));
}

/* ---- routes ---- */

#define G     "/graph/{version}"
#define QUERY "$filter, $top, $skiptoken, $select"
#define KIND(path, what)                                                                           \
    {GET, G path, GRAPH_READ, CALL, get_all, "list " what, .query = QUERY},                        \
        {POST, G path, GRAPH_ADMIN, CALL, post_one, "make one of the " what, BODY_MAX},            \
        {GET, G path "/{id}", GRAPH_READ, CALL, get_one, "one of the " what},                      \
        {PATCH, G path "/{id}", GRAPH_WRITE, CALL, patch_one, "change one", BODY_MAX},             \
    {                                                                                              \
        DELETE, G path "/{id}", GRAPH_ADMIN, CALL, delete_one,                                     \
            "delete one: its tokens end at once, its role assignments go with it"                  \
    }
#define CREDENTIALS(path)                                                                          \
    {POST,    G path "/{id}/addPassword", GRAPH_WRITE,                                             \
     CALL,    graph_add_password,         "a new secret; this answer alone shows it",              \
     BODY_MAX},                                                                                    \
    {                                                                                              \
        POST, G path "/{id}/removePassword", GRAPH_WRITE, CALL, graph_remove_password,             \
            "remove a secret", BODY_MAX                                                            \
    }
#define LINKS(path, what, list)                                                                    \
    {GET, G path "/{id}/" what, GRAPH_READ, CALL, list, "its " what, .query = QUERY},              \
        {POST,    G path "/{id}/" what "/$ref", GRAPH_WRITE, CALL, graph_link_add, "add one",      \
         BODY_MAX},                                                                                \
    {                                                                                              \
        DELETE, G path "/{id}/" what "/{other}/$ref", GRAPH_WRITE, CALL, graph_link_delete,        \
            "remove one"                                                                           \
    }
#define GROUPS_OF(path)                                                                            \
    {GET,           G path "/{id}/memberOf", GRAPH_READ,                                           \
     CALL,          graph_member_of,         "groups it is in itself",                             \
     .query = QUERY},                                                                              \
        {POST,                                                                                     \
         G path "/{id}/getMemberGroups",                                                           \
         GRAPH_READ,                                                                               \
         CALL,                                                                                     \
         graph_member_groups,                                                                      \
         "ids of all groups it is in, through others too",                                         \
         BODY_MAX},                                                                                \
    {                                                                                              \
        POST, G path "/{id}/checkMemberGroups", GRAPH_READ, CALL, graph_member_groups,             \
            "which of these groups it is in", BODY_MAX                                             \
    }
#define FEDERATED G "/applications/{id}/federatedIdentityCredentials"

static const struct route routes[] = {
    KIND("/applications", "applications"),
    CREDENTIALS("/applications"),
    LINKS("/applications", "owners", graph_owners),
    {GET,                    FEDERATED, GRAPH_READ, CALL, graph_federated_all, "issuers whose tokens it trusts"},
    {POST,            FEDERATED, GRAPH_WRITE, CALL, graph_federated_post, "trust one more", BODY_MAX},
    {GET,   FEDERATED "/{other}", GRAPH_READ, CALL, graph_federated_get, "one of them"},
    {PATCH,                      FEDERATED "/{other}", GRAPH_WRITE, CALL, graph_federated_patch, "change one", BODY_MAX},
    {DELETE,  FEDERATED "/{other}", GRAPH_WRITE, CALL, graph_federated_delete, "trust it no more"},
    KIND("/servicePrincipals", "service principals"),
    CREDENTIALS("/servicePrincipals"),
    LINKS("/servicePrincipals", "owners", graph_owners),
    GROUPS_OF("/servicePrincipals"),
    KIND("/users", "users"),
    GROUPS_OF("/users"),
    {POST,                  G "/users/{id}/revokeSignInSessions", GRAPH_ADMIN, CALL, revoke_sessions,
                                               "end all its sessions and tokens at once"},
    KIND("/groups", "groups"),
    LINKS("/groups", "members", graph_members),
    LINKS("/groups", "owners", graph_owners),
    GROUPS_OF("/groups"),
    {POST,      G "/directoryObjects/getByIds", GRAPH_READ, CALL, get_by_ids, "objects of any kind",
                                               BODY_MAX},
    {GET,                      G "/directoryObjects/{id}", GRAPH_READ, CALL, get_one, "an object of any kind"},
    GROUPS_OF("/directoryObjects"),
    {GET,G "/me", GRAPH_READ, CALL, get_me, "the user who asks"},
    {GET,                  G "/me/ownedObjects", GRAPH_READ, CALL, graph_owned, "what it owns", .query = QUERY},
    {GET,         G "/organization", GRAPH_READ, CALL, get_organization, "the tenant"},
    {GET,                  G "/oauth2PermissionGrants", GRAPH_READ, CALL, get_grants, "consents: none are kept"},
    {POST,           G "/oauth2PermissionGrants", GRAPH_ADMIN, CALL, no_grants, "refused", BODY_MAX},
    {0},
};

const struct service graph_service = {
    .name = "graph",
    .routes = routes,
    .dialect = &graph_dialect,
    .any_case = true,
    .authorise = graph_authorise,
};
