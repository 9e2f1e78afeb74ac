/*
 * The token endpoints (facts §2.2): who shows a password or a refresh token gets an access token
 * for what it asked and may.
 */
#include <string.h>
#include <time.h>

#include "core/json.h"
#include "registry/access.h"
#include "registry/api.h"
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

static unsigned catalog_rights(struct op *op, const struct principal *principal,
                               const struct target *target)
{
    unsigned actions = 0;
    size_t n;
    const struct registry *all;

    if (target->by_name)
        return principal_rights(principal, target->registry, NULL);
    all = registry_all(op, &n);
    for (size_t i = 0; i < n; i++)
        actions |= principal_rights(principal, &all[i], NULL);
    return actions;
}

/* Cut a scope down to what the principal may now; false: nothing is left. */
static bool grant(struct call *c, const struct principal *principal, const char *service,
                  struct scope *scope)
{
    bool repository = strcmp(scope->type, "repository") == 0;
    struct target target;

    if (target_find(&c->op, service, repository ? scope->name : NULL, &target) != OK) {
        op_clear_fault(&c->op);
        return false;
    }
    if (repository && target.repository)
        scope->actions &= principal_rights(principal, target.registry, target.repository);
    else if (strcmp(scope->type, "registry") == 0 && strcmp(scope->name, "catalog") == 0)
        scope->actions &= catalog_rights(&c->op, principal, &target) & SCOPE_CATALOG;
    else
        scope->actions = 0;
    return scope->actions != 0;
}

static size_t grant_all(struct call *c, const struct principal *principal, struct asked *asked)
{
    size_t kept = 0;

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

/* Nobody in particular: a token where some registry allows it, else 401. */
static bool anonymous_is_welcome(struct call *c, const struct asked *asked)
{
    const struct principal anonymous = {PRINCIPAL_ANONYMOUS, 0, "anonymous"};
    struct asked copy = *asked;
    struct target target;
    const struct registry *all;
    bool any = false;
    size_t n;

    if (asked->n_scopes > 0)
        return grant_all(c, &anonymous, &copy) > 0;
    if (target_find(&c->op, asked->service, NULL, &target) == OK && target.by_name)
        return target.registry && target.registry->anonymous_pull;
    all = registry_all(&c->op, &n);
    for (size_t i = 0; i < n; i++)
        any = any || all[i].anonymous_pull;
    return any;
}

static enum fault reply_anonymous(struct call *c, struct asked *asked)
{
    const struct principal anonymous = {PRINCIPAL_ANONYMOUS, 0, "anonymous"};

    if (!anonymous_is_welcome(c, asked))
        return fail(&c->op, UNAUTHENTICATED, "no credentials were shown");
    return reply_token(c, &anonymous, asked);
}

/* ---- the endpoints ---- */

enum fault token_get(struct call *c)
{
    const char *authorization = call_header(c, "authorization");
    struct principal principal;
    const struct token *token;
    struct asked asked;

    TRY(read_asked(c, call_query, &asked));
    if (!authorization)
        return reply_anonymous(c, &asked);
    TRY(access_identify(c, authorization, true, &principal, &token));
    if (token) /* an access token must not beget larger ones */
        return fail(&c->op, UNAUTHENTICATED, "a password or a refresh token is wanted here");
    return reply_token(c, &principal, &asked);
}

static enum fault by_refresh_token(struct call *c, struct principal *ret)
{
    const char *text = call_form(c, "refresh_token", 0);
    const struct token *token;

    if (!text || !*text)
        return fail(&c->op, INVALID, "refresh_token is missing");
    TRY(token_verify(&c->op, text, true, &token));
    if (token->use != TOKEN_REFRESH)
        return fail(&c->op, UNAUTHENTICATED, "this is no refresh token");
    return principal_by_subject(&c->op, token->subject, ret);
}

enum fault token_post(struct call *c)
{
    const char *grant_type = call_form(c, "grant_type", 0);
    const char *user = call_form(c, "username", 0), *password = call_form(c, "password", 0);
    struct principal principal;
    struct asked asked;

    TRY(read_asked(c, call_form, &asked));
    if (!grant_type)
        return fail(&c->op, INVALID, "grant_type is missing");
    if (strcmp(grant_type, "password") == 0) {
        if (!user || !*user)
            return reply_anonymous(c, &asked);
        if (!password)
            return fail(&c->op, INVALID, "password is missing");
        TRY(access_login(c, user, password, &principal));
    } else if (strcmp(grant_type, "refresh_token") == 0) {
        TRY(by_refresh_token(c, &principal));
    } else {
        return fail(&c->op, INVALID, "grant_type is password or refresh_token");
    }
    return reply_token(c, &principal, &asked);
}

enum fault token_exchange(struct call *c)
{
    const char *grant_type = call_form(c, "grant_type", 0);
    struct token_reply reply = {0};
    struct principal principal;
    struct asked asked;

    TRY(read_asked(c, call_form, &asked));
    if (grant_type && strncmp(grant_type, "access_token", strlen("access_token")) == 0)
        return fail_on(&c->op, "grant", INVALID,
                       "Entra access tokens cannot be exchanged yet: log in as the admin user");
    if (!grant_type || strcmp(grant_type, "refresh_token") != 0)
        return fail(&c->op, INVALID, "grant_type must be refresh_token");
    TRY(by_refresh_token(c, &principal));
    TRY(token_issue(&c->op, TOKEN_REFRESH, &principal, asked.service, NULL, 0,
                    &reply.refresh_token));
    token_headers(c);
    return reply_json(c, 200, refresh_json, &reply);
}
