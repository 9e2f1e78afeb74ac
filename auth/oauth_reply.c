#include <stdlib.h>
#include <string.h>

#include "auth/entra.h"
#include "auth/jwt.h"
#include "auth/oauth.h"
#include "core/json.h"
#include "core/seal.h"
#include "core/trace.h"

/* What the client asked to see back: {"access_token":{"xms_cc":{"values":["CP1"]}}}. */
static void add_asked_claims(struct call *c, json_t *claims)
{
    const char *text = call_form(c, "claims", 0);
    json_t *asked, *values;

    if (!text || strlen(text) > 4096)
        return;
    asked = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    values = json_object_get(json_object_get(json_object_get(asked, "access_token"), "xms_cc"),
                             "values");
    if (json_is_array(values) && json_array_size(values) <= 8)
        json_object_set(claims, "xms_cc", values);
    json_decref(asked);
}

static const char *issuer(struct call *c)
{
    return arena_printf(&c->op.arena, "%s/%s/v2.0", c->base_url, entra_tenant());
}

static json_t *common_claims(struct call *c, const struct tokens_asked *asked, const char *audience)
{
    int64_t now = wall_s();
    char uti[37];

    random_uuid(uti);
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s}", "aud", audience, "iss",
                     issuer(c), "iat", (json_int_t)now, "nbf", (json_int_t)now, "exp",
                     (json_int_t)(now + ENTRA_ACCESS_SECONDS), "tid", entra_tenant(), "oid",
                     asked->who->id, "sub", asked->who->id, "ver", "2.0", "uti", uti);
}

static void add_user(json_t *claims, const struct object *user)
{
    json_object_set_new(claims, "name", json_string(user->name));
    json_object_set_new(claims, "preferred_username", json_string(user->upn));
    json_object_set_new(claims, "upn", json_string(user->upn));
    json_object_set_new(claims, "unique_name", json_string(user->upn));
}

static enum fault sign(struct call *c, json_t *claims, const char **ret)
{
    enum fault fault;

    if (!claims)
        return fail(&c->op, INVALID, "the request's names are not valid text");
    fault = jwt_sign(&c->op, claims, ret);
    json_decref(claims);
    return fault;
}

enum fault oauth_access_token(struct call *c, const struct tokens_asked *asked, const char **ret)
{
    bool user = asked->who->kind == OBJECT_USER;
    json_t *claims = common_claims(c, asked, asked->target->audience);
    char proof[2] = {(char)('0' + asked->client->proof), '\0'};

    if (!claims)
        return fail(&c->op, INVALID, "the scope is not valid text");
    json_object_set_new(claims, "token_use", json_string("access"));
    json_object_set_new(claims, "xms_sessions", json_integer(asked->who->sessions));
    json_object_set_new(claims, "appid", json_string(asked->client->app_id));
    json_object_set_new(claims, "appidacr", json_string(proof));
    json_object_set_new(claims, "azp", json_string(asked->client->app_id));
    json_object_set_new(claims, "azpacr", json_string(proof));
    json_object_set_new(claims, "idtyp", json_string(user ? "user" : "app"));
    if (user) {
        add_user(claims, asked->who);
        json_object_set_new(claims, "scp", json_string("user_impersonation"));
        json_object_set_new(claims, "amr", json_pack("[s]", "pwd"));
    }
    add_asked_claims(c, claims);
    return sign(c, claims, ret);
}

static enum fault id_token(struct call *c, const struct tokens_asked *asked, const char **ret)
{
    json_t *claims = common_claims(c, asked, asked->client->app_id);

    if (claims) {
        add_user(claims, asked->who);
        json_object_set_new(claims, "token_use", json_string("id"));
        if (asked->nonce)
            json_object_set_new(claims, "nonce", json_string(asked->nonce));
    }
    return sign(c, claims, ret);
}

static void add(struct text *out, const char *name, const char *value)
{
    if (!value)
        return;
    text_printf(out, ",\"%s\":", name);
    json_quote(out, value);
}

static const char *client_info(struct call *c, const struct object *who)
{
    const char *text =
        arena_printf(&c->op.arena, "{\"uid\":\"%s\",\"utid\":\"%s\"}", who->id, entra_tenant());

    return base64_encode(&c->op.arena, BYTES(text), true);
}

static enum fault add_user_tokens(struct call *c, const struct tokens_asked *asked,
                                  struct text *out)
{
    const char *id;

    add(out, "scope", asked->scope);
    add(out, "refresh_token", asked->refresh_token);
    add(out, "client_info", client_info(c, asked->who));
    TRY(id_token(c, asked, &id));
    add(out, "id_token", id);
    return OK;
}

enum fault oauth_reply(struct call *c, const struct tokens_asked *asked)
{
    const char *access;
    struct text out;

    trace_who(c, asked->who->name, asked->who->id);
    TRY(oauth_access_token(c, asked, &access));
    text_init(&out, &c->op.arena, 131072);
    text_printf(&out, "{\"token_type\":\"Bearer\",\"expires_in\":%d,\"ext_expires_in\":%d",
                ENTRA_ACCESS_SECONDS - 1, ENTRA_ACCESS_SECONDS - 1);
    if (asked->target->v1) {
        text_printf(&out, ",\"not_before\":\"%lld\",\"expires_on\":\"%lld\"", (long long)wall_s(),
                    (long long)wall_s() + ENTRA_ACCESS_SECONDS - 1);
        add(&out, "resource", asked->target->audience);
    }
    if (asked->who->kind == OBJECT_USER)
        TRY(add_user_tokens(c, asked, &out));
    add(&out, "access_token", access);
    text_str(&out, "}");
    reply_header(c, "Cache-Control", "no-store, no-cache");
    reply_header(c, "Pragma", "no-cache");
    return reply_bytes(c, 200, "application/json; charset=utf-8", text_bytes(&out));
}
