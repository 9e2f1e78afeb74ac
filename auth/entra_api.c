/*
 * The routes of signing in. The same endpoints stand under several authorities, since each client
 * builds its own kind of path: az 2.45 knows /adfs alone, Terraform appends /TENANT/oauth2/v2.0 to
 * that, the SDKs begin with /TENANT.
 */
#include "auth/auth_api.h"
#include "auth/managed_identity.h"
#include "auth/oauth.h"
#include "auth/sign_in.h"
#include "auth/trusted_issuer.h"

#define CONFIGURATION(prefix)                                                                      \
    {                                                                                              \
        GET, prefix "/.well-known/openid-configuration", 0, CALL, authority_openid_configuration,  \
            "endpoints, issuer and keys (OpenID Connect Discovery)"                                \
    }
#define TOKEN(path)                                                                                \
    {                                                                                              \
        POST, path, 0, CALL, oauth_token, "tokens, by any of the grants", OAUTH_BODY_MAX           \
    }
#define AUTHORIZE(path)                                                                            \
    {GET,                                                                                          \
     path,                                                                                         \
     0,                                                                                            \
     CALL,                                                                                         \
     oauth_authorize,                                                                              \
     "the sign-in page of the authorization code grant",                                           \
     .query = "client_id, redirect_uri, response_type, scope, resource, state, nonce,"             \
              " code_challenge, code_challenge_method, response_mode, login_hint, prompt"},        \
    {                                                                                              \
        POST, path, 0, CALL, oauth_authorize_post, "its form", OAUTH_BODY_MAX                      \
    }
#define DEVICE(path)                                                                               \
    {                                                                                              \
        POST, path, 0, CALL, oauth_device_code, "begin the device code grant", OAUTH_BODY_MAX      \
    }
#define LOGOUT(path)                                                                               \
    {                                                                                              \
        GET, path, 0, CALL, oauth_logout, "nothing to end: there are no browser sessions"          \
    }

static const struct route routes[] = {
    {GET,                                                     "/metadata/endpoints", 0, CALL, metadata_endpoints, "the clouds there are: this one",
     .query = "api-version"},
    {GET,                                                      "/metadata/identity/oauth2/token", 0, CALL, managed_identity_token,
     "a token for a workload's managed identity (X-IDENTITY-HEADER)", .query = "resource, client_id, object_id, api-version", .metadata = true},
    {GET,                                     "/msi/token", 0, CALL, managed_identity_token, "the same, as App Service has it",
     .query = "resource, client_id, principal_id, api-version", .metadata = true},
    CONFIGURATION("/adfs"),
    CONFIGURATION("/adfs/{tenant}/v2.0"),
    CONFIGURATION("/adfs/{tenant}"),
    CONFIGURATION("/adfs/{any}/{tenant}"),
    CONFIGURATION("/{tenant}/v2.0"),
    CONFIGURATION("/{tenant}"),
    TOKEN("/adfs/oauth2/token"),
    TOKEN("/adfs/{tenant}/oauth2/v2.0/token"),
    TOKEN("/adfs/{tenant}/oauth2/token"),
    TOKEN("/adfs/{any}/{tenant}/oauth2/token"),
    TOKEN("/{tenant}/oauth2/v2.0/token"),
    TOKEN("/{tenant}/oauth2/token"),
    TOKEN("/adfs/oauth2/token/"), /* as tasks of Azure Pipelines write it */
    TOKEN("/{tenant}/oauth2/token/"),
    AUTHORIZE("/adfs/oauth2/authorize"),
    AUTHORIZE("/adfs/{tenant}/oauth2/v2.0/authorize"),
    AUTHORIZE("/adfs/{tenant}/oauth2/authorize"),
    AUTHORIZE("/adfs/{any}/{tenant}/oauth2/authorize"),
    AUTHORIZE("/{tenant}/oauth2/v2.0/authorize"),
    AUTHORIZE("/{tenant}/oauth2/authorize"),
    DEVICE("/adfs/oauth2/devicecode"),
    DEVICE("/adfs/{tenant}/oauth2/v2.0/devicecode"),
    DEVICE("/adfs/{tenant}/oauth2/devicecode"),
    DEVICE("/adfs/{any}/{tenant}/oauth2/devicecode"),
    DEVICE("/{tenant}/oauth2/v2.0/devicecode"),
    DEVICE("/{tenant}/oauth2/devicecode"),
    LOGOUT("/adfs/oauth2/logout"),
    LOGOUT("/adfs/{any}/oauth2/logout"),
    LOGOUT("/adfs/{any}/{tenant}/oauth2/logout"),
    LOGOUT("/{tenant}/oauth2/v2.0/logout"),
    {GET,                                  "/devicelogin", 0, CALL, oauth_device_page, "where a person enters a device's code",
     .query = "otc"},
    {POST,                                                     "/devicelogin", 0, CALL, oauth_device_post, "its form", OAUTH_BODY_MAX},
    {GET,                                                      "/common/discovery/instance", 0, CALL, authority_instance,
     "what MSAL asks about an authority it does not know"},
    {GET,                                 "/common/userrealm/{user}", 0, CALL, authority_user_realm,
     "whether an account signs in here: always"},
    {GET, "/adfs/discovery/keys", 0, CALL, authority_keys,
     "the keys tokens are signed with (JWKS)"},
    {GET,                                                       "/{tenant}/discovery/v2.0/keys", 0, CALL, authority_keys, "the same"},
    {GET,       "/{tenant}/discovery/keys", 0, CALL, authority_keys, "the same"},
    {0                                                  },
};

static enum fault start(struct op *op, const struct settings *settings)
{
    (void)op;
    (void)settings;
    sign_in_store_start();
    return OK;
}

const struct service entra_service = {
    .name = "entra",
    .routes = routes,
    .dialect = &entra_dialect,
    .any_case = true, /* and doubled slashes: clients join "…/adfs/" and "/oauth2/token/" */
    .start = start,
    .stop = trusted_issuer_stop,
};
