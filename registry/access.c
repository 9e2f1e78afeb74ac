#include "registry/access.h"

#include <string.h>
#include <strings.h>

#include "auth/throttle.h"
#include "core/json.h"
#include "core/seal.h"
#include "core/trace.h"
#include "registry/traffic.h"

/* The user whose password is a token (docker login after az acr login). */
#define NULL_GUID       "00000000-0000-0000-0000-000000000000"
#define CREDENTIALS_MAX 16384

/* What a right needs: any of these actions, and what the challenge asks for. */
static const struct right_row {
    const char *type;
    unsigned any_of, asks;
} rights[] = {
    [RIGHT_LOGIN] = {NULL,         0,                                0                      },
    [RIGHT_PULL] = {"repository", SCOPE_PULL,                       SCOPE_PULL             },
    [RIGHT_PUSH] = {"repository", SCOPE_PUSH,                       SCOPE_PULL | SCOPE_PUSH},
    [RIGHT_DELETE] = {"repository", SCOPE_DELETE,                     SCOPE_DELETE           },
    [RIGHT_LIST_TAGS] = {"repository", SCOPE_PULL | SCOPE_METADATA_READ, SCOPE_PULL             },
    [RIGHT_METADATA_READ] = {"repository", SCOPE_METADATA_READ,              SCOPE_METADATA_READ    },
    [RIGHT_METADATA_WRITE] = {"repository", SCOPE_METADATA_WRITE,             SCOPE_METADATA_WRITE   },
    [RIGHT_CATALOG] = {"registry",   SCOPE_CATALOG,                    SCOPE_CATALOG          },
    [RIGHT_REGISTRY_CATALOG] = {"registry",   SCOPE_CATALOG,                    SCOPE_CATALOG          },
};

const struct caller *caller_of(const struct call *c)
{
    return c->caller;
}

unsigned caller_rights(struct op *op, const struct caller *caller, const struct registry *registry,
                       const char *repository, unsigned of)
{
    unsigned actions = principal_rights(op, &caller->principal, registry, repository, of);

    if (caller->token && registry)
        actions &= token_actions(caller->token, registry->name, repository);
    return actions;
}

/* ---- who ---- */

const struct registry *access_host_registry(struct call *c)
{
    const char *name = host_registry(&c->op.arena, c->host);

    return name ? registry_find(&c->op, name) : NULL;
}

enum fault access_admit(struct call *c, const struct registry *registry)
{
    if (!registry || registry_admits(registry, c->client))
        return OK;
    return fail(&c->op, FORBIDDEN,
                "client with IP '%s' is not allowed access. Refer https://aka.ms/acr/firewall to "
                "grant access.",
                c->client);
}

enum fault access_admit_principal(struct call *c, const struct principal *principal)
{
    if (!principal->registry_id)
        return OK;
    return access_admit(c, registry_find_id(&c->op, principal->registry_id));
}

enum fault access_login(struct call *c, const struct registry *registry, const char *user,
                        const char *password, bool may_block, struct principal *ret_principal)
{
    enum fault fault;

    TRY(throttle_check(&c->op, c->client, user));
    fault = principal_by_password(&c->op, registry, user, password, may_block, ret_principal);
    if (fault == UNAUTHENTICATED)
        throttle_failed(c->client, user);
    return fault;
}

static enum fault identify_basic(struct call *c, const char *encoded, bool may_block,
                                 struct principal *ret_principal, const struct token **ret_token)
{
    struct bytes decoded;
    char *user, *colon;

    if (strlen(encoded) > CREDENTIALS_MAX || !base64_decode(&c->op.arena, encoded, false, &decoded))
        return fail(&c->op, UNAUTHENTICATED, "the Basic credentials are malformed");
    user = arena_strndup(&c->op.arena, decoded.data, decoded.len);
    colon = strchr(user, ':');
    if (!colon)
        return fail(&c->op, UNAUTHENTICATED, "the Basic credentials have no password");
    *colon = '\0';
    if (strcmp(user, NULL_GUID) == 0) {
        TRY(token_verify(&c->op, colon + 1, may_block, ret_token));
        TRY(principal_by_subject(&c->op, (*ret_token)->subject, may_block, ret_principal));
        if ((*ret_token)->use == TOKEN_REFRESH)
            *ret_token = NULL;
        return OK;
    }
    *ret_token = NULL;
    return access_login(c, access_host_registry(c), user, colon + 1, may_block, ret_principal);
}

enum fault access_identify(struct call *c, const char *authorization, bool may_block,
                           struct principal *ret_principal, const struct token **ret_token)
{
    const char *value = authorization + strcspn(authorization, " ");

    value += strspn(value, " ");
    if (strncasecmp(authorization, "Basic ", 6) == 0)
        return identify_basic(c, value, may_block, ret_principal, ret_token);
    if (strncasecmp(authorization, "Bearer ", 7) != 0)
        return fail(&c->op, UNAUTHENTICATED, "neither Basic nor Bearer credentials");
    TRY(token_verify(&c->op, value, may_block, ret_token));
    if ((*ret_token)->use != TOKEN_ACCESS)
        return fail(&c->op, UNAUTHENTICATED, "a refresh token is no access token");
    return principal_by_subject(&c->op, (*ret_token)->subject, may_block, ret_principal);
}

/* ---- what ---- */

/* The route's {name+}, if what it needs is a right on a repository. */
static const char *named(const struct call *c)
{
    const char *type = rights[c->route->access].type;

    return type && strcmp(type, "repository") == 0 ? c->path_args[0] : NULL;
}

static enum fault find_target(struct call *c, struct target *target)
{
    struct op *op = &c->op;

    if (c->route->access == RIGHT_REGISTRY_CATALOG) {
        if (registry_owns_host(c->host))
            return fail_on(op, "name", NOT_FOUND, "this host is one registry's: _catalog");
        return target_find(op, c->host, c->path_args[0], target);
    }
    TRY(target_find(op, c->host, named(c), target));
    if (named(c) && !target->repository)
        return fail_on(op, "name", INVALID,
                       "\"%s\" names a registry only: by path a repository is %s/NAME",
                       target->full_name, target->full_name);
    return OK;
}

static void need(struct caller *caller, const char *type, const char *name, unsigned actions)
{
    if (caller->n_needs < ARRAY_LEN(caller->needs))
        caller->needs[caller->n_needs++] = (struct scope){type, name, actions};
}

static const char *actions_text(struct op *op, unsigned actions)
{
    return actions & SCOPE_CATALOG ? "*" : scope_actions_text(op, actions);
}

static void add_detail(struct op *op, struct text *out, const struct scope *scope)
{
    const char *actions = actions_text(op, scope->actions);

    while (*actions) {
        size_t len = strcspn(actions, ",");

        text_str(out, out->len > 1 ? ",{\"Type\":" : "{\"Type\":");
        json_quote(out, scope->type);
        text_str(out, ",\"Name\":");
        json_quote(out, scope->name);
        text_str(out, ",\"Action\":");
        json_quote(out, arena_strndup(&op->arena, actions, len));
        text_str(out, "}");
        actions += actions[len] ? len + 1 : len;
    }
}

/* The detail of the recorded answers: [{"Type":"repository","Name":…,"Action":"metadata_write"}].
 */
static enum fault challenge(struct call *c, const struct caller *caller, const char *why)
{
    struct op *op = &c->op;
    struct text detail;

    fail(op, UNAUTHENTICATED, "%s", why);
    if (caller->n_needs == 0)
        return UNAUTHENTICATED;
    text_init(&detail, &op->arena, 4096);
    text_str(&detail, "[");
    for (size_t i = 0; i < caller->n_needs; i++)
        add_detail(op, &detail, &caller->needs[i]);
    text_str(&detail, "]");
    op->detail = detail.data;
    return UNAUTHENTICATED;
}

/* By path the catalog is of every registry: one that may be listed is enough. */
static bool may_list_any(struct call *c, const struct caller *caller)
{
    const struct registry *const *all;
    size_t n;

    if (caller->principal.registry_id) { /* of one registry only */
        const struct registry *own = registry_find_id(&c->op, caller->principal.registry_id);

        return own && registry_admits(own, c->client) &&
               caller_rights(&c->op, caller, own, NULL, SCOPE_CATALOG);
    }
    if (caller->principal.kind == PRINCIPAL_ANONYMOUS)
        return false;
    all = registry_all(&c->op, &n);
    for (size_t i = 0; i < n; i++)
        if (registry_admits(all[i], c->client) &&
            caller_rights(&c->op, caller, all[i], NULL, SCOPE_CATALOG))
            return true;
    return false;
}

static bool is_allowed(struct call *c, const struct caller *caller, const struct right_row *row)
{
    const struct target *target = &caller->target;

    if (!row->type)
        return caller->accepted;
    if (c->route->access == RIGHT_CATALOG && !target->by_name)
        return may_list_any(c, caller);
    return caller_rights(&c->op, caller, target->registry, target->repository, row->any_of);
}

static enum fault identify(struct call *c, bool may_block, struct caller *caller)
{
    const char *authorization = call_header(c, "authorization");
    enum fault fault;

    if (c->vouched) {
        caller->principal = principal_of_identity(c->vouched);
        caller->shown = caller->accepted = true;
        return OK;
    }
    if (!authorization)
        return OK;
    caller->shown = true;
    fault = access_identify(c, authorization, may_block, &caller->principal, &caller->token);
    if (fault == UNAUTHENTICATED)
        return challenge(c, caller, c->op.message);
    if (fault == OK)
        caller->accepted = caller->principal.kind != PRINCIPAL_ANONYMOUS || caller->token;
    return fault;
}

/* For whoever traces. */
static void note(struct call *c, const struct caller *caller)
{
    const struct identity *identity = caller->principal.identity;

    if (!trace_wanted())
        return;
    trace_who(c, caller->principal.name, identity ? identity->object_id : NULL);
    if (caller->n_needs > 0)
        trace_right(c, actions_text(&c->op, caller->needs[0].actions), caller->needs[0].name);
}

enum fault registry_authorise(struct call *c, bool may_block)
{
    const struct right_row *row = &rights[c->route->access];
    struct caller *caller = arena_alloc(&c->op.arena, sizeof(*caller));

    c->caller = caller;
    TRY(find_target(c, &caller->target));
    TRY(access_admit(c, caller->target.registry));
    if (row->type)
        need(caller, row->type, row->any_of == SCOPE_CATALOG ? "catalog" : caller->target.full_name,
             row->asks);
    TRY(identify(c, may_block, caller));
    note(c, caller);
    TRY(access_admit_principal(c, &caller->principal));
    if (caller->accepted && caller->target.registry_name && !caller->target.registry)
        return fail_on(&c->op, "name", NOT_FOUND, "there is no registry \"%s\"",
                       caller->target.registry_name);
    if (is_allowed(c, caller, row))
        return OK;
    if (caller->accepted)
        principal_mend(&c->op, &caller->principal, caller->target.registry,
                       caller->target.repository, row->any_of);
    return challenge(c, caller,
                     caller->accepted ? "the rights of these credentials are too small"
                                      : "no credentials were shown");
}

enum fault access_need(struct call *c, const char *full_name, unsigned actions)
{
    struct caller *caller = c->caller;
    struct target target;

    TRY(target_find(&c->op, c->host, full_name, &target));
    if (target.repository && target.registry && registry_admits(target.registry, c->client) &&
        caller_rights(&c->op, caller, target.registry, target.repository, actions) == actions)
        return OK;
    need(caller, "repository", full_name, actions);
    return challenge(c, caller, "the rights of these credentials are too small");
}

/* ---- headers ---- */

static void add_challenge(struct call *c)
{
    const struct caller *caller = c->caller;
    struct text scope;

    text_init(&scope, &c->op.arena, 1500);
    for (size_t i = 0; caller && i < caller->n_needs; i++)
        text_printf(&scope, "%s%s:%s:%s", i ? " " : ",scope=\"", caller->needs[i].type,
                    caller->needs[i].name, actions_text(&c->op, caller->needs[i].actions));
    if (scope.len)
        text_str(&scope, "\"");
    if (caller && caller->shown)
        text_printf(&scope, ",error=\"%s\"",
                    caller->accepted ? "insufficient_scope" : "invalid_token");
    reply_header(c, "WWW-Authenticate", "Bearer realm=\"%s/oauth2/token\",service=\"%s\"%s",
                 c->base_url, c->host, scope.data);
}

void registry_decorate(struct call *c)
{
    const char *client_id = call_header(c, "x-ms-client-request-id");

    if (c->reply.status == 401)
        add_challenge(c);
    reply_header(c, "Docker-Distribution-Api-Version", "registry/2.0");
    reply_header(c, "X-Content-Type-Options", "nosniff");
    reply_header(c, "Access-Control-Expose-Headers",
                 "Docker-Content-Digest, WWW-Authenticate, Link, X-Ms-Correlation-Request-Id");
    if (client_id && c->method == DELETE)
        reply_header(c, "x-ms-client-request-id", "%s", client_id);
    traffic_count(c);
}
