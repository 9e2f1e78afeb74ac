#include <string.h>
#include <strings.h>

#include "auth/entra.h"
#include "auth/jwt.h"
#include "auth/oauth.h"
#include "auth/tenant.h"
#include "core/json.h"

static const char *const suffixes[] = {"/oauth2/", "/v2.0/", "/.well-known/", "/discovery/"};

/* Where the path's prefix ends. */
static size_t prefix_length(const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        const char *at = strstr(path, suffixes[i]);

        if (at && (size_t)(at - path) < len)
            len = (size_t)(at - path);
    }
    return len;
}

static bool is_any_tenant(const char *name)
{
    static const char *const any[] = {"adfs", "common", "organizations", TENANT_DOMAIN};

    for (size_t i = 0; i < ARRAY_LEN(any); i++)
        if (strcasecmp(name, any[i]) == 0)
            return true;
    return strcasecmp(name, entra_tenant()) == 0;
}

enum fault authority_of(struct call *c, struct authority *ret)
{
    const char *prefix = arena_strndup(&c->op.arena, c->path, prefix_length(c->path));
    const char *slash = strrchr(prefix, '/');

    ret->prefix = prefix;
    ret->adfs = strncmp(prefix, "/adfs", 5) == 0 && (!prefix[5] || prefix[5] == '/');
    ret->issuer = arena_printf(&c->op.arena, "%s/%s/v2.0", c->base_url, entra_tenant());
    if (!slash || !is_any_tenant(slash + 1))
        return fail_on(&c->op, "90002", INVALID,
                       "Tenant '%.100s' not found. Check to make sure you have the correct tenant"
                       " ID and are signing into the correct cloud.",
                       slash ? slash + 1 : prefix);
    return OK;
}

static void add_text(struct text *out, const char *name, const char *value)
{
    text_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
    json_quote(out, value);
}

static void add_endpoint(struct call *c, struct text *out, const struct authority *a,
                         const char *name, const char *what)
{
    add_text(out, name,
             arena_printf(&c->op.arena, "%s%s/oauth2/%s%s", c->base_url, a->prefix,
                          a->adfs ? "" : "v2.0/", what));
}

enum fault authority_openid_configuration(struct call *c)
{
    struct authority a;
    struct text out;

    TRY(authority_of(c, &a));
    text_init(&out, &c->op.arena, 16384);
    text_str(&out, "{");
    add_endpoint(c, &out, &a, "token_endpoint", "token");
    add_endpoint(c, &out, &a, "authorization_endpoint", "authorize");
    add_endpoint(c, &out, &a, "device_authorization_endpoint", "devicecode");
    add_endpoint(c, &out, &a, "end_session_endpoint", "logout");
    add_text(&out, "jwks_uri",
             arena_printf(&c->op.arena, "%s/%s/discovery/v2.0/keys", c->base_url, entra_tenant()));
    add_text(&out, "issuer", a.issuer);
    text_str(&out, ",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\","
                   "\"private_key_jwt\",\"client_secret_basic\"],"
                   "\"response_modes_supported\":[\"query\",\"fragment\",\"form_post\"],"
                   "\"subject_types_supported\":[\"pairwise\"],"
                   "\"id_token_signing_alg_values_supported\":[\"RS256\"],"
                   "\"response_types_supported\":[\"code\"],"
                   "\"code_challenge_methods_supported\":[\"S256\",\"plain\"],"
                   "\"grant_types_supported\":[\"authorization_code\",\"client_credentials\","
                   "\"password\",\"refresh_token\","
                   "\"urn:ietf:params:oauth:grant-type:device_code\"],"
                   "\"scopes_supported\":[\"openid\",\"profile\",\"email\",\"offline_access\"],"
                   "\"claims_supported\":[\"sub\",\"iss\",\"aud\",\"exp\",\"iat\",\"nonce\","
                   "\"preferred_username\",\"name\",\"tid\",\"ver\",\"oid\",\"upn\"]");
    add_text(&out, "cloud_instance_name", c->host);
    add_text(&out, "cloud_graph_host_name", c->host);
    add_text(&out, "msgraph_host", c->host);
    text_str(&out, "}");
    return reply_bytes(c, 200, "application/json; charset=utf-8", text_bytes(&out));
}

/* What MSAL asks of an authority it does not know: we are the only cloud there is. */
enum fault authority_instance(struct call *c)
{
    struct text out;

    text_init(&out, &c->op.arena, 4096);
    text_str(&out, "{");
    add_text(&out, "tenant_discovery_endpoint",
             arena_printf(&c->op.arena, "%s/%s/v2.0/.well-known/openid-configuration", c->base_url,
                          entra_tenant()));
    text_str(&out, ",\"api-version\":\"1.1\",\"metadata\":[{\"preferred_network\":");
    json_quote(&out, c->host);
    text_str(&out, ",\"preferred_cache\":");
    json_quote(&out, c->host);
    text_str(&out, ",\"aliases\":[");
    json_quote(&out, c->host);
    text_str(&out, "]}]}");
    return reply_bytes(c, 200, "application/json; charset=utf-8", text_bytes(&out));
}

/* Every account is ours, none is federated: clients may send the password to the token endpoint. */
enum fault authority_user_realm(struct call *c)
{
    const char *user = c->path_args[0], *at = strchr(user, '@');
    struct text out;

    text_init(&out, &c->op.arena, 8192);
    text_str(&out, "{\"ver\":\"1.0\",\"account_type\":\"Managed\"");
    add_text(&out, "domain_name", at ? at + 1 : TENANT_DOMAIN);
    add_text(&out, "cloud_instance_name", c->host);
    add_text(&out, "cloud_audience_urn", "urn:federation:MicrosoftOnline");
    text_str(&out, "}");
    return reply_bytes(c, 200, "application/json; charset=utf-8", text_bytes(&out));
}

enum fault authority_keys(struct call *c)
{
    reply_header(c, "Cache-Control", "public, max-age=3600");
    return reply_bytes(c, 200, "application/json; charset=utf-8", BYTES(jwt_jwks(&c->op)));
}
