/*
 * The token endpoints (facts §2.2): who shows a password or a refresh token gets an access token
 * for what it asked and may.
 */
#include <string.h>
#include <time.h>

#include "core/json.h"
#include "core/trace.h"
#include "registry/access.h"
#include "registry/api.h"
#include "registry/form.h"
#include "registry/target.h"
#include "registry/token.h"

#define SCOPES_MAX  64
#define SERVICE_MAX 255

/* What a token endpoint was asked, from the query or the form. */
struct asked {
    const char *service;
    struct scope scopes[SCOPES_MAX];
    size_t n_scopes;
    bool offline; /* a refresh token is wanted too */
};

typedef const char *parameter_fn(struct call *c, const char *name, size_t nth);

struct token_reply {
    const char *access_token, *token, *refresh_token, *scope, *issued_at;
    int64_t expires_in;
};
static const struct json_field token_json[] = {
    TEXT(token_reply, access_token, "access_token", 0, 0, 0),
    TEXT(token_reply, token, "token", 0, 0, 0),
    TEXT(token_reply, refresh_token, "refresh_token", 0, 0, OMIT_NULL),
    INT(token_reply, expires_in, "expires_in", 0, 0, 0),
    TEXT(token_reply, issued_at, "issued_at", 0, 0, 0),
    {0},
};
static const struct json_field refresh_json[] = {
    TEXT(token_reply, refresh_token, "refresh_token", 0, 0, 0),
    {0},
};

/* ---- what was asked ---- */

static enum fault add_scopes(struct call *c, const char *text, struct asked *asked)
{
    struct scope *scopes;
    size_t n;

    if (scope_parse(&c->op, text, &scopes, &n) != OK) {
        op_clear_fault(&c->op); /* what is no scope grants nothing */
        return OK;
    }
    for (size_t i = 0; i < n && asked->n_scopes < SCOPES_MAX; i++)
        asked->scopes[asked->n_scopes++] = scopes[i];
    return OK;
}

static enum fault read_asked(struct call *c, parameter_fn *parameter, struct asked *asked)
{
    const char *service = parameter(c, "service", 0), *scope;
    const char *offline = parameter(c, "offline_token", 0);
    const char *access_type = parameter(c, "access_type", 0);

    *asked = (struct asked){.service = service && *service ? service : c->host};
    if (strlen(asked->service) > SERVICE_MAX)
        return fail(&c->op, INVALID, "the service's name is too long");
    for (size_t i = 0; i < SCOPES_MAX && (scope = parameter(c, "scope", i)); i++)
        TRY(add_scopes(c, scope, asked));
    asked->offline = (offline && strcmp(offline, "true") == 0) ||
                     (access_type && strcmp(access_type, "offline") == 0);
    return OK;
}

/* ---- what is granted ---- */

/* By path the catalog is of every registry: any that may be listed counts. */
static bool may_list(struct call *c, const struct principal *principal, const struct target *target)
{
    struct op *op = &c->op;
    const struct registry *const *all;
    const struct registry *one = target->registry;
    size_t n;

    if (!target->by_name && principal->registry_id)
        one = registry_find_id(op, principal->registry_id);
    if (target->by_name || principal->registry_id)
        return one && registry_admits(one, c->client) &&
               principal_rights(op, principal, one, NULL, SCOPE_CATALOG);
    if (principal->kind == PRINCIPAL_ANONYMOUS)
        return false;
    all = registry_all(op, &n);
    for (size_t i = 0; i < n; i++)
        if (registry_admits(all[i], c->client) &&
            principal_rights(op, principal, all[i], NULL, SCOPE_CATALOG))
            return true;
    return false;
}

/* Cut a scope down to what the principal may now; false: nothing is left. */
static bool grant(struct call *c, const struct principal *principal, const char *service,
                  struct scope *scope)
{
    bool repository = strcmp(scope->type, "repository") == 0;
    unsigned asked = scope->actions;
    struct target target;

    if (target_find(&c->op, service, repository ? scope->name : NULL, &target) != OK) {
        op_clear_fault(&c->op);
        return false;
    }
    if (repository && target.repository && target.registry &&
        registry_admits(target.registry, c->client)) {
        scope->actions =
            principal_rights(&c->op, principal, target.registry, target.repository, asked);
        if (scope->actions != asked)
            principal_mend(&c->op, principal, target.registry, target.repository,
                           asked & ~scope->actions);
    } else if (strcmp(scope->type, "registry") == 0 && strcmp(scope->name, "catalog") == 0 &&
               may_list(c, principal, &target))
        scope->actions &= SCOPE_CATALOG;
    else
        scope->actions = 0;
    return scope->actions != 0;
}

static size_t grant_all(struct call *c, const struct principal *principal, struct asked *asked)
{
    size_t kept = 0;

    trace_who(c, principal->name, principal->identity ? principal->identity->object_id : NULL);
    for (size_t i = 0; i < asked->n_scopes; i++)
        if (grant(c, principal, asked->service, &asked->scopes[i]))
            asked->scopes[kept++] = asked->scopes[i];
    asked->n_scopes = kept;
    return kept;
}

static const char *now_text(struct op *op)
{
    time_t now = (time_t)wall_s();
    char buf[32];
    struct tm tm;

    strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    return arena_strdup(&op->arena, buf);
}

static void token_headers(struct call *c)
{
    reply_header(c, "Cache-Control", "no-store");
    reply_header(c, "x-ms-ratelimit-remaining-calls-per-second", "166.65");
}

static enum fault reply_token(struct call *c, const struct principal *principal,
                              struct asked *asked)
{
    struct token_reply reply = {.expires_in = ACCESS_TOKEN_SECONDS, .issued_at = now_text(&c->op)};

    TRY(access_admit_principal(c, principal));
    grant_all(c, principal, asked);
    TRY(token_issue(&c->op, TOKEN_ACCESS, principal, asked->service, asked->scopes, asked->n_scopes,
                    &reply.access_token));
    reply.token = reply.access_token;
    if (asked->offline && principal->kind != PRINCIPAL_ANONYMOUS)
        TRY(token_issue(&c->op, TOKEN_REFRESH, principal, asked->service, NULL, 0,
                        &reply.refresh_token));
    token_headers(c);
    return reply_json(c, 200, token_json, &reply);
}

static const struct principal anonymous = {.kind = PRINCIPAL_ANONYMOUS, .name = "anonymous"};

/* Nobody in particular: a token where some registry allows it, else 401. */
static bool anonymous_is_welcome(struct call *c, const struct asked *asked)
{
    struct asked copy = *asked;
    struct target target;

    if (asked->n_scopes > 0)
        return grant_all(c, &anonymous, &copy) > 0;
    if (target_find(&c->op, asked->service, NULL, &target) == OK && target.by_name)
        return target.registry && target.registry->options.anonymous_pull;
    return registry_any_anonymous();
}

static enum fault reply_anonymous(struct call *c, struct asked *asked)
{
    if (!anonymous_is_welcome(c, asked))
        return fail(&c->op, UNAUTHENTICATED, "no credentials were shown");
    return reply_token(c, &anonymous, asked);
}

/* ---- the endpoints ---- */

/* The registry that a token is asked for, by the host or by the service named; NULL: by path. */
static const struct registry *service_registry(struct call *c, const struct asked *asked)
{
    const char *name = host_registry(&c->op.arena, asked->service);

    return name ? registry_find(&c->op, name) : access_host_registry(c);
}

static enum fault admit(struct call *c, const struct asked *asked)
{
    TRY(access_admit(c, access_host_registry(c)));
    return access_admit(c, service_registry(c, asked));
}

enum fault token_get(struct call *c)
{
    const char *authorization = call_header(c, "authorization");
    struct principal principal;
    const struct token *token;
    struct asked asked;

    TRY(read_asked(c, call_query, &asked));
    TRY(admit(c, &asked));
    if (!authorization)
        return reply_anonymous(c, &asked);
    TRY(access_identify(c, authorization, true, &principal, &token));
    if (token) /* an access token must not beget larger ones */
        return fail(&c->op, UNAUTHENTICATED, "a password or a refresh token is wanted here");
    return reply_token(c, &principal, &asked);
}

static enum fault by_refresh_token(struct call *c, struct principal *ret)
{
    const char *text = form_value(c, "refresh_token", 0);
    const struct token *token;

    if (!text || !*text)
        return fail(&c->op, INVALID, "refresh_token is missing");
    TRY(token_verify(&c->op, text, true, &token));
    if (token->use != TOKEN_REFRESH)
        return fail(&c->op, UNAUTHENTICATED, "this is no refresh token");
    return principal_by_subject(&c->op, token->subject, true, ret);
}

/* An Entra token, for a registry: of Resource Manager's audience only where it takes these. */
static enum fault by_access_token(struct call *c, const struct asked *asked, struct principal *ret)
{
    const char *text = form_value(c, "access_token", 0);
    const struct registry *registry = service_registry(c, asked);
    unsigned audiences = AUDIENCE_REGISTRY;
    const struct identity *identity;

    if (!text || !*text)
        return fail(&c->op, INVALID, "access_token is missing");
    if (!registry || registry->options.arm_tokens)
        audiences |= AUDIENCE_ARM;
    TRY(entra_verify(&c->op, text, audiences, true, &identity));
    *ret = (struct principal){.kind = PRINCIPAL_ENTRA,
                              .name = identity->name,
                              .identity = identity,
                              .by_arm_token = identity->audience == AUDIENCE_ARM};
    return OK;
}

enum fault token_post(struct call *c)
{
    const char *grant_type = form_value(c, "grant_type", 0);
    const char *user = form_value(c, "username", 0), *password = form_value(c, "password", 0);
    struct principal principal;
    struct asked asked;

    TRY(read_asked(c, form_value, &asked));
    TRY(admit(c, &asked));
    if (!grant_type)
        return fail(&c->op, INVALID, "grant_type is missing");
    if (strcmp(grant_type, "password") == 0) {
        if (!user || !*user)
            return reply_anonymous(c, &asked);
        if (!password)
            return fail(&c->op, INVALID, "password is missing");
        TRY(access_login(c, service_registry(c, &asked), user, password, true, &principal));
    } else if (strcmp(grant_type, "refresh_token") == 0) {
        TRY(by_refresh_token(c, &principal));
    } else {
        return fail(&c->op, INVALID, "grant_type is password or refresh_token");
    }
    return reply_token(c, &principal, &asked);
}

enum fault token_exchange(struct call *c)
{
    const char *grant_type = form_value(c, "grant_type", 0);
    struct token_reply reply = {0};
    struct principal principal;
    struct asked asked;

    TRY(read_asked(c, form_value, &asked));
    TRY(admit(c, &asked));
    if (!grant_type)
        return fail(&c->op, INVALID, "grant_type is missing");
    if (strcmp(grant_type, "access_token") == 0 ||
        strcmp(grant_type, "access_token_refresh_token") == 0)
        TRY(by_access_token(c, &asked, &principal));
    else if (strcmp(grant_type, "refresh_token") == 0)
        TRY(by_refresh_token(c, &principal));
    else
        return fail(&c->op, INVALID,
                    "grant_type is access_token, access_token_refresh_token or refresh_token");
    TRY(token_issue(&c->op, TOKEN_REFRESH, &principal, asked.service, NULL, 0,
                    &reply.refresh_token));
    token_headers(c);
    return reply_json(c, 200, refresh_json, &reply);
}
