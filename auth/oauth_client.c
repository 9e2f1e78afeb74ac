#include <ctype.h>
#include <openssl/pem.h>
#include <string.h>
#include <strings.h>

#include "auth/entra.h"
#include "auth/jwt.h"
#include "auth/oauth.h"
#include "auth/throttle.h"
#include "auth/trusted_issuer.h"
#include "core/json.h"
#include "core/seal.h"
#include "core/uri.h"

#define ASSERTION_TYPE    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ASSERTION_MAX_AGE (24 * 3600)

/* Programs that sign people in and are known to every tenant of the public cloud. */
static const struct {
    const char *app_id, *name;
} public_clients[] = {
    {"04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI"       },
    {"1950a258-227b-4e31-a9cf-717495945fc2", "Microsoft Azure PowerShell"},
    {"aebc6443-996d-45c2-90f0-388ff96faa56", "Visual Studio Code"        },
    {"872cd9fa-d31f-45e0-9eab-6e460a02d1f1", "Visual Studio"             },
    {OAUTH_CONSOLE_APP,                      "Sundog console"            },
};

/* ---- who ---- */

enum fault oauth_client_find(struct call *c, const char *app_id, struct oauth_client *ret)
{
    const struct directory *d = directory_hold(&c->op);

    if (!app_id || !*app_id)
        return fail_on(&c->op, "900144", INVALID,
                       "The request body must contain the following parameter: 'client_id'.");
    for (size_t i = 0; i < ARRAY_LEN(public_clients); i++) {
        if (strcasecmp(public_clients[i].app_id, app_id) == 0) {
            *ret = (struct oauth_client){.app_id = public_clients[i].app_id,
                                         .name = public_clients[i].name};
            if (strcmp(ret->app_id, OAUTH_CONSOLE_APP) == 0)
                ret->own_redirect =
                    arena_printf(&c->op.arena, "%s%s", c->base_url, OAUTH_CONSOLE_PATH);
            return OK;
        }
    }
    *ret = (struct oauth_client){.application = directory_application(d, app_id),
                                 .principal = directory_service_principal(d, app_id)};
    if (!ret->application && !ret->principal)
        return fail_on(&c->op, "700016", UNAUTHENTICATED,
                       "Application with identifier '%.100s' was not found in the directory '%s'."
                       " This can happen if the application has not been installed by the"
                       " administrator of the tenant.",
                       app_id, entra_tenant());
    ret->app_id = ret->application ? ret->application->app_id : ret->principal->app_id;
    ret->name = ret->application ? ret->application->name : ret->principal->name;
    return OK;
}

static bool is_valid_now(const struct credential *c)
{
    int64_t now = wall_s();

    return c->starts_s <= now && c->ends_s > now;
}

/* ---- by secret ---- */

/* 0 wrong, 1 right but expired, 2 right. */
static int secret_state(const struct object *o, const char *secret)
{
    int state = 0;

    for (size_t i = 0; o && i < o->n_credentials; i++) {
        const struct credential *c = &o->credentials[i];

        if (c->kind == CREDENTIAL_SECRET && secret_verify(c->hash, secret))
            state = is_valid_now(c) ? 2 : state ? state : 1;
    }
    return state;
}

static enum fault prove_secret(struct call *c, const char *secret, struct oauth_client *client)
{
    int state = secret_state(client->application, secret);

    if (state < 2 && secret_state(client->principal, secret) > state)
        state = secret_state(client->principal, secret);
    if (state == 1)
        return fail_on(&c->op, "7000222", UNAUTHENTICATED,
                       "The provided client secret keys for app '%s' are expired.", client->app_id);
    if (state == 0)
        return fail_on(&c->op, "7000215", UNAUTHENTICATED,
                       "Invalid client secret provided. Ensure the secret being sent in the request"
                       " is the client secret value, not the client secret ID, for a secret added"
                       " to app '%s'.",
                       client->app_id);
    client->proof = 1;
    return OK;
}

/* ---- by a certificate: an assertion the application signed itself ---- */

/* An endpoint of ours, by the host the client used; of our tenant, since a host can be pretended.
 */
static bool is_for_us(struct call *c, const char *audience)
{
    size_t len = strlen(c->base_url);

    return strncasecmp(audience, c->base_url, len) == 0 &&
           (strncmp(audience + len, "/adfs/", 6) == 0 ||
            (audience[len] == '/' && strcasestr(audience + len, entra_tenant())));
}

static bool fits_certificate(struct op *op, const struct jwt_text *token, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    bool fits = key && jwt_verify_with(op, token, key) == OK;

    BIO_free(bio);
    EVP_PKEY_free(key);
    return fits;
}

static bool any_certificate_fits(struct op *op, const struct jwt_text *token,
                                 const struct object *o)
{
    for (size_t i = 0; o && i < o->n_credentials; i++) {
        const struct credential *c = &o->credentials[i];

        if (c->kind == CREDENTIAL_CERTIFICATE && is_valid_now(c) &&
            fits_certificate(op, token, c->public_key))
            return true;
    }
    return false;
}

static enum fault check_time(struct call *c, const struct jwt_text *token)
{
    double exp = json_number_value(json_object_get(token->claims, "exp"));

    if (exp <= (double)wall_s())
        return fail_on(&c->op, "700024", UNAUTHENTICATED,
                       "Client assertion is not within its valid time range. Current time: %lld,"
                       " expiry time of assertion: %.0f.",
                       (long long)wall_s(), exp);
    return OK;
}

static enum fault prove_certificate(struct call *c, const struct jwt_text *token,
                                    struct oauth_client *client)
{
    const char *audience = json_text(token->claims, "aud");

    TRY(check_time(c, token));
    if (strcasecmp(json_text(token->claims, "sub"), client->app_id) != 0 ||
        !is_for_us(c, audience) ||
        json_number_value(json_object_get(token->claims, "exp")) >
            (double)(wall_s() + ASSERTION_MAX_AGE))
        return fail_on(&c->op, "700027", UNAUTHENTICATED,
                       "Client assertion failed validation: sub must be the application's id, aud"
                       " this token endpoint, and exp within a day.");
    if (!any_certificate_fits(&c->op, token, client->application) &&
        !any_certificate_fits(&c->op, token, client->principal))
        return fail_on(&c->op, "700027", UNAUTHENTICATED,
                       "The certificate with identifier used to sign the client assertion is not"
                       " registered on application '%s', or its signature is wrong.",
                       client->app_id);
    op_clear_fault(&c->op);
    client->proof = 2;
    return OK;
}

/* ---- by a token of a trusted issuer ---- */

static bool names_audience(const json_t *aud, const char *wanted)
{
    if (json_is_string(aud))
        return strcmp(json_string_value(aud), wanted) == 0;
    for (size_t i = 0; i < json_array_size(aud); i++)
        if (json_is_string(json_array_get(aud, i)) &&
            strcmp(json_string_value(json_array_get(aud, i)), wanted) == 0)
            return true;
    return false;
}

static enum fault find_federated(struct call *c, const struct jwt_text *token,
                                 const struct oauth_client *client, const struct federated **ret)
{
    const char *issuer = json_text(token->claims, "iss"),
               *subject = json_text(token->claims, "sub");
    const struct object *places[] = {client->application, client->principal};
    bool known = false;

    for (size_t p = 0; p < ARRAY_LEN(places); p++) {
        for (size_t i = 0; places[p] && i < places[p]->n_federated; i++) {
            const struct federated *f = &places[p]->federated[i];

            if (strcmp(f->issuer, issuer) != 0)
                continue;
            known = true;
            if (strcmp(f->subject, subject) == 0) {
                *ret = f;
                return OK;
            }
        }
    }
    return fail_on(&c->op, known ? "700213" : "700211", UNAUTHENTICATED,
                   "No matching federated identity record found for presented assertion %s"
                   " '%.300s'.",
                   known ? "subject" : "issuer", known ? subject : issuer);
}

static enum fault verify_federated(struct call *c, const struct jwt_text *token, const char *issuer,
                                   bool may_block)
{
    EVP_PKEY *key = NULL;
    enum fault fault;

    fault = trusted_issuer_key(&c->op, issuer, json_text(token->header, "kid"), may_block, &key);
    if (fault == OK)
        fault = jwt_verify_with(&c->op, token, key);
    EVP_PKEY_free(key);
    if (fault == NOT_FOUND || fault == UNAUTHENTICATED)
        return fail_on(&c->op, "700027", UNAUTHENTICATED,
                       "Client assertion failed signature validation: %s", c->op.message);
    return fault;
}

static enum fault prove_federated(struct call *c, const struct jwt_text *token, bool may_block,
                                  struct oauth_client *client)
{
    const struct federated *federated = NULL;

    TRY(check_time(c, token));
    TRY(find_federated(c, token, client, &federated));
    if (!names_audience(json_object_get(token->claims, "aud"), federated->audience))
        return fail_on(&c->op, "700212", UNAUTHENTICATED,
                       "No matching federated identity record found for presented assertion"
                       " audience '%.300s'.",
                       json_text(token->claims, "aud"));
    TRY(verify_federated(c, token, federated->issuer, may_block));
    client->proof = 2;
    return OK;
}

static enum fault prove_assertion(struct call *c, const char *assertion, bool may_block,
                                  struct oauth_client *client)
{
    const char *type = call_form(c, "client_assertion_type", 0);
    struct jwt_text token;

    if (!type || strcmp(type, ASSERTION_TYPE) != 0)
        return fail_on(&c->op, "900144", INVALID,
                       "'client_assertion_type' must be '" ASSERTION_TYPE "'.");
    if (jwt_split(&c->op, assertion, &token) != OK)
        return fail_on(&c->op, "700027", UNAUTHENTICATED,
                       "The client assertion is not a JWT of usable size.");
    if (strcasecmp(json_text(token.claims, "iss"), client->app_id) == 0)
        return prove_certificate(c, &token, client);
    return prove_federated(c, &token, may_block, client);
}

/* ---- whichever is shown ---- */

/* Authorization: Basic, both halves form-encoded (RFC 6749 2.3.1). */
static enum fault read_basic(struct call *c, const char **id, const char **secret)
{
    const char *header = call_header(c, "authorization");
    struct bytes raw;
    char *text, *colon;

    if (!header || strncasecmp(header, "Basic ", 6) != 0 || strlen(header) > 8192)
        return OK;
    if (!base64_decode(&c->op.arena, header + 6, false, &raw))
        return fail_on(&c->op, "900144", INVALID, "The Basic credentials are malformed.");
    text = arena_strndup(&c->op.arena, raw.data, raw.len);
    colon = strchr(text, ':');
    if (!colon)
        return OK;
    *colon = '\0';
    if (!*id)
        *id = uri_decode(&c->op.arena, BYTES(text), true);
    if (!*secret)
        *secret = uri_decode(&c->op.arena, BYTES(colon + 1), true);
    return OK;
}

static enum fault prove(struct call *c, const char *secret, bool may_block,
                        struct oauth_client *client)
{
    const char *assertion = call_form(c, "client_assertion", 0);

    if (client->principal && !client->principal->enabled)
        return fail_on(&c->op, "7000112", UNAUTHENTICATED, "Application '%s'(%s) is disabled.",
                       client->app_id, client->name);
    if (assertion)
        return prove_assertion(c, assertion, may_block, client);
    return secret ? prove_secret(c, secret, client) : OK;
}

enum fault oauth_client_prove(struct call *c, bool may_block, struct oauth_client *ret)
{
    const char *id = call_form(c, "client_id", 0), *secret = call_form(c, "client_secret", 0);
    enum fault fault;

    TRY(read_basic(c, &id, &secret));
    TRY(oauth_client_find(c, id, ret));
    TRY(throttle_check(&c->op, c->client, ret->app_id));
    fault = prove(c, secret, may_block, ret);
    if (fault == UNAUTHENTICATED)
        throttle_failed(c->client, ret->app_id);
    return fault;
}

enum fault oauth_client_must_prove(struct call *c, const struct oauth_client *client)
{
    const struct object *app = client->application;

    if (client->proof || !app || app->fallback_public || app->n_credentials == 0)
        return OK;
    return fail_on(&c->op, "7000218", UNAUTHENTICATED,
                   "The request body must contain the following parameter: 'client_assertion' or"
                   " 'client_secret'.");
}

/* ---- where codes may be sent ---- */

/* "http://localhost:PORT/…": returns what follows host and port; NULL: not loopback. */
static const char *after_loopback(const char *uri)
{
    static const char *const hosts[] = {"http://localhost", "http://127.0.0.1", "http://[::1]"};

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        size_t len = strlen(hosts[i]);

        if (strncmp(uri, hosts[i], len) != 0)
            continue;
        uri += len;
        if (*uri == ':')
            for (uri++; isdigit((unsigned char)*uri);)
                uri++;
        return *uri == '\0' || *uri == '/' || *uri == '?' ? uri : NULL;
    }
    return NULL;
}

bool oauth_redirect_is_known(const struct oauth_client *client, const char *uri)
{
    const char *path = after_loopback(uri), *own;

    if (strlen(uri) > 1024 || strchr(uri, '#'))
        return false;
    for (const char *p = uri; *p; p++)
        if (*p <= ' ' || *p > '~') /* it is written into a header */
            return false;
    if (client->own_redirect)
        return strcmp(client->own_redirect, uri) == 0;
    if (!client->application)
        return path != NULL;
    for (size_t i = 0; i < client->application->n_redirects; i++) {
        own = client->application->redirects[i];
        if (strcmp(own, uri) == 0)
            return true;
        own = after_loopback(own);
        if (own && path && (strcmp(own, path) == 0 || (!*own && strcmp(path, "/") == 0)))
            return true;
    }
    return false;
}
