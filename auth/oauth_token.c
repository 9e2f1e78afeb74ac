/*
 * POST …/token. One function a grant; each ends in oauth_reply. A federated token whose issuer's
 * keys are not known yet parks, and is looked at again on the slow pool.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/oauth.h"
#include "auth/sign_in.h"
#include "core/db.h"
#include "core/json.h"
#include "core/pool.h"
#include "core/seal.h"

static enum fault missing(struct call *c, const char *name)
{
    return fail_on(&c->op, "900144", INVALID,
                   "The request body must contain the following parameter: '%s'.", name);
}

static enum fault read_target(struct call *c, struct target_asked *ret)
{
    return oauth_target(&c->op, call_form(c, "scope", 0), call_form(c, "resource", 0), ret);
}

/* ---- for programs ---- */

static enum fault client_credentials(struct call *c, struct oauth_client *client)
{
    struct target_asked target;
    struct tokens_asked asked = {.client = client, .target = &target, .who = client->principal};

    if (!client->proof)
        return fail_on(&c->op, "7000218", UNAUTHENTICATED,
                       "The request body must contain the following parameter:"
                       " 'client_assertion' or 'client_secret'.");
    if (!call_form(c, "scope", 0) && !call_form(c, "resource", 0))
        return missing(c, "scope");
    TRY(read_target(c, &target));
    if (!target.everything)
        return fail_on(&c->op, "1002012", INVALID,
                       "The provided value for scope is not valid. Client credential flows must"
                       " have a scope value with /.default suffixed to the resource identifier"
                       " (application ID URI).");
    if (!client->principal)
        return fail_on(&c->op, "700016", UNAUTHENTICATED,
                       "Application '%s' has no service principal in the directory '%s'.",
                       client->app_id, entra_tenant());
    return oauth_reply(c, &asked);
}

/* ---- for people ---- */

struct user_grant {
    const struct oauth_client *client;
    const struct object *user;
    const char *scope, *resource, *nonce;
    const char *family; /* of the refresh token; NULL: a new one */
};

static const char *dumped(struct op *op, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    json_decref(object);
    if (text)
        arena_defer(&op->arena, free, text);
    return text;
}

static enum fault make_refresh(struct call *c, const struct user_grant *g, const char **ret)
{
    struct sign_in row = {.kind = SIGN_IN_REFRESH,
                          .user_id = g->user->id,
                          .family = g->family,
                          .sessions = g->user->sessions};

    row.document = dumped(&c->op, json_pack("{s:s, s:s}", "client_id", g->client->app_id, "scope",
                                            g->scope ? g->scope : ""));
    if (!row.document)
        return fail_on(&c->op, "70011", INVALID, "The scope is not valid text.");
    return sign_in_add(&c->op, &row, OAUTH_REFRESH_SECONDS, ret);
}

/* MSAL keeps a refresh token whether or not it named offline_access, and so do we give one. */
static enum fault answer_user(struct call *c, const struct user_grant *g)
{
    struct target_asked target;
    struct tokens_asked asked = {.client = g->client,
                                 .target = &target,
                                 .who = g->user,
                                 .scope = g->scope,
                                 .nonce = g->nonce};

    TRY(oauth_target(&c->op, g->scope, g->resource, &target));
    TRY(make_refresh(c, g, &asked.refresh_token));
    return oauth_reply(c, &asked);
}

static enum fault password(struct call *c, struct oauth_client *client)
{
    const char *name = call_form(c, "username", 0), *secret = call_form(c, "password", 0);
    struct user_grant grant = {.client = client,
                               .scope = call_form(c, "scope", 0),
                               .resource = call_form(c, "resource", 0)};

    if (!name || !secret)
        return missing(c, name ? "password" : "username");
    TRY(oauth_client_must_prove(c, client));
    TRY(oauth_user_sign_in(c, name, secret, &grant.user));
    return answer_user(c, &grant);
}

static enum fault read_document(struct op *op, const struct sign_in *row, json_t **ret)
{
    return json_parse(op, BYTES(row->document), ret);
}

static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text && *text ? text : NULL;
}

static enum fault refresh_token(struct call *c, struct oauth_client *client)
{
    const char *text = call_form(c, "refresh_token", 0);
    struct user_grant grant = {.client = client, .resource = call_form(c, "resource", 0)};
    struct sign_in row;
    enum fault fault;
    json_t *document;

    if (!text)
        return missing(c, "refresh_token");
    TRY(oauth_client_must_prove(c, client));
    fault = sign_in_refresh(&c->op, text, &row);
    if (fault == NOT_FOUND)
        return fail_on(&c->op, "700082", INVALID,
                       "The refresh token has expired due to inactivity, or is unknown.");
    if (fault == CONFLICT)
        return fail_on(
            &c->op, "70000", INVALID,
            "The refresh token was used before; all tokens of this sign-in are revoked.");
    TRY(fault);
    TRY(read_document(&c->op, &row, &document));
    if (strcmp(member(document, "client_id"), client->app_id) != 0)
        return fail_on(&c->op, "70000", INVALID,
                       "The refresh token was issued to another application.");
    TRY(oauth_user_again(c, row.user_id, row.sessions, &grant.user));
    grant.family = row.family;
    grant.scope = call_form(c, "scope", 0);
    if (!grant.scope)
        grant.scope = member(document, "scope");
    return answer_user(c, &grant);
}

/* RFC 7636 4.6. A code without a challenge was refused at authorize for programs without secret. */
static bool verifier_fits(struct op *op, const json_t *document, const char *verifier)
{
    const char *challenge = member(document, "challenge"), *method = member(document, "method");
    uint8_t digest[32];

    if (!challenge)
        return true;
    if (!verifier || strlen(verifier) < 43 || strlen(verifier) > 128)
        return false;
    if (method && strcmp(method, "plain") == 0)
        return equal_constant_time(challenge, verifier);
    sha256(BYTES(verifier), digest);
    return equal_constant_time(
        challenge, base64_encode(&op->arena, (struct bytes){digest, sizeof(digest)}, true));
}

static enum fault check_code(struct call *c, const json_t *document,
                             const struct oauth_client *client)
{
    const char *uri = call_form(c, "redirect_uri", 0);

    if (strcmp(member(document, "client_id"), client->app_id) != 0 || !uri ||
        strcmp(member(document, "redirect_uri"), uri) != 0)
        return fail_on(&c->op, "70000", INVALID,
                       "The code was issued to another application or redirect URI.");
    if (!verifier_fits(&c->op, document, call_form(c, "code_verifier", 0)))
        return fail_on(&c->op, "501481", INVALID,
                       "The Code_Verifier does not match the code_challenge supplied in the"
                       " authorization request.");
    return OK;
}

static enum fault authorization_code(struct call *c, struct oauth_client *client)
{
    const char *code = call_form(c, "code", 0);
    struct user_grant grant = {.client = client, .resource = call_form(c, "resource", 0)};
    struct sign_in row;
    json_t *document;
    enum fault fault;

    if (!code)
        return missing(c, "code");
    TRY(oauth_client_must_prove(c, client));
    fault = sign_in_take(&c->op, SIGN_IN_CODE, code, &row);
    if (fault == NOT_FOUND)
        return fail_on(&c->op, "70008", INVALID,
                       "The provided authorization code has expired, was used, or is unknown.");
    TRY(fault);
    TRY(read_document(&c->op, &row, &document));
    TRY(check_code(c, document, client));
    TRY(oauth_user_again(c, row.user_id, row.sessions, &grant.user));
    grant.nonce = member(document, "nonce");
    grant.scope = call_form(c, "scope", 0);
    if (!grant.scope)
        grant.scope = member(document, "scope");
    return answer_user(c, &grant);
}

static enum fault check_device(struct call *c, const struct sign_in *row, const json_t *document,
                               const struct oauth_client *client)
{
    if (strcmp(member(document, "client_id"), client->app_id) != 0)
        return fail_on(&c->op, "70018", INVALID, "The code was issued to another application.");
    if (row->refused)
        return fail_on(&c->op, "65004", FORBIDDEN, "User declined to consent to access the app.");
    if (!row->user_id)
        return fail_on(&c->op, "70016", INVALID,
                       "OAuth 2.0 device flow error. Authorization is pending. Continue polling.");
    return OK;
}

static enum fault device_code(struct call *c, struct oauth_client *client)
{
    const char *code = call_form(c, "device_code", 0);
    struct user_grant grant = {.client = client, .resource = call_form(c, "resource", 0)};
    struct sign_in row;
    json_t *document;
    enum fault fault;

    if (!code)
        code = call_form(c, "code", 0);
    if (!code)
        return missing(c, "device_code");
    fault = sign_in_device(&c->op, code, &row);
    if (fault == NOT_FOUND)
        return fail_on(&c->op, "70020", INVALID,
                       "The provided value for the input parameter 'device_code' is not valid, or"
                       " it has expired.");
    TRY(fault);
    TRY(read_document(&c->op, &row, &document));
    TRY(check_device(c, &row, document, client));
    fault = sign_in_take(&c->op, SIGN_IN_DEVICE, code, &row);
    if (fault == NOT_FOUND)
        return fail_on(&c->op, "70020", INVALID, "The device code was used already.");
    TRY(fault);
    TRY(oauth_user_again(c, row.user_id, row.sessions, &grant.user));
    grant.scope = member(document, "scope");
    return answer_user(c, &grant);
}

/* ---- the endpoint ---- */

static const struct grant {
    const char *name;
    enum fault (*run)(struct call *c, struct oauth_client *client);
} grants[] = {
    {"client_credentials",                           client_credentials},
    {"password",                                     password          },
    {"refresh_token",                                refresh_token     },
    {"authorization_code",                           authorization_code},
    {"urn:ietf:params:oauth:grant-type:device_code", device_code       },
    {"device_code",                                  device_code       },
};

static enum fault answer(struct call *c, bool may_block)
{
    const char *type = call_form(c, "grant_type", 0);
    struct oauth_client client;
    struct authority authority;

    TRY(authority_of(c, &authority));
    if (!type)
        return missing(c, "grant_type");
    for (size_t i = 0; i < ARRAY_LEN(grants); i++) {
        if (strcmp(grants[i].name, type) == 0) {
            TRY(oauth_client_prove(c, may_block, &client));
            return grants[i].run(c, &client);
        }
    }
    return fail_on(&c->op, "70003", INVALID,
                   "The app requested an unsupported grant type '%.100s'.", type);
}

struct slow {
    struct task task;
    struct call *c;
};

static void run_slowly(struct task *task, struct db *db)
{
    struct call *c = ((struct slow *)task)->c;
    enum fault fault;

    c->op.db = db;
    fault = answer(c, true);
    db_op_ended(&c->op);
    c->op.db = NULL;
    call_complete(c, fault);
}

static void go_slow(struct call *c)
{
    struct slow *slow = c->scratch;

    if (!pool_post(slow_pool, &slow->task))
        call_complete(c, fail(&c->op, UNAVAILABLE, "too many sign-ins wait for other issuers"));
}

enum fault oauth_token(struct call *c)
{
    enum fault fault = answer(c, false);
    struct slow *slow;

    if (fault != WOULD_BLOCK)
        return fault;
    slow = arena_alloc(&c->op.arena, sizeof(*slow));
    *slow = (struct slow){.task.run = run_slowly, .c = c};
    c->scratch = slow;
    return call_park(c, go_slow);
}
