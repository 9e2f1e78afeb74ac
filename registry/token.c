#include "registry/token.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/json.h"
#include "core/seal.h"
#include "registry/target.h"

#define BACK_DATED_SECONDS 900 /* clients' clocks */

/* ---- making ---- */

static json_t *actions_json(struct op *op, unsigned actions)
{
    json_t *list = json_array();
    const char *text = scope_actions_text(op, actions & SCOPE_ALL_REPOSITORY);

    if (actions & (SCOPE_CATALOG | SCOPE_DELETED_CATALOG))
        json_array_append_new(list, json_string("*"));
    while (*text) {
        size_t len = strcspn(text, ",");

        json_array_append_new(list, json_stringn(text, len));
        text += text[len] ? len + 1 : len;
    }
    return list;
}

static json_t *access_json(struct op *op, const struct scope *scopes, size_t n)
{
    json_t *access = json_array();

    for (size_t i = 0; i < n; i++)
        if (scopes[i].actions)
            json_array_append_new(access, json_pack("{s:s, s:s, s:o}", "type", scopes[i].type,
                                                    "name", scopes[i].name, "actions",
                                                    actions_json(op, scopes[i].actions)));
    return access;
}

enum fault token_issue(struct op *op, enum token_use use, const struct principal *principal,
                       const char *audience, const struct scope *scopes, size_t n_scopes,
                       const char **ret_token)
{
    int64_t now = wall_s();
    bool access = use == TOKEN_ACCESS;
    enum fault fault;
    json_t *claims;
    char id[37];

    random_uuid(id);
    claims = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:[]}", "jti", id, "sub",
                       principal_subject(op, principal), "nbf",
                       (json_int_t)(now - BACK_DATED_SECONDS), "exp",
                       (json_int_t)(now + (access ? ACCESS_TOKEN_SECONDS : REFRESH_TOKEN_SECONDS)),
                       "iat", (json_int_t)now, "iss", TOKEN_ISSUER, "aud", audience, "version",
                       "1.0", "grant_type", access ? "access_token" : "refresh_token", "roles");
    if (!claims)
        return fail(op, INVALID, "the service's name is not valid text");
    if (access)
        json_object_set_new(claims, "access", access_json(op, scopes, n_scopes));
    else
        json_object_set_new(claims, "permissions",
                            json_pack("{s:[s], s:[]}", "actions", "*", "notActions"));
    fault = jwt_sign(op, claims, ret_token);
    json_decref(claims);
    return fault;
}

/* ---- reading ---- */

static void token_free(void *arg)
{
    struct token *token = arg;
    struct op *memory = token->memory;

    op_free(memory);
    free(memory);
}

static unsigned actions_of(const json_t *list, bool repository)
{
    unsigned actions = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (name && strcmp(name, "*") == 0)
            actions |= repository ? SCOPE_ALL_REPOSITORY : SCOPE_CATALOG;
        else if (name)
            actions |= scope_action_parse(name, strlen(name));
    }
    return actions;
}

static const char *lower(struct op *op, const char *s)
{
    char *copy = arena_strdup(&op->arena, s);

    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

/* A name that our rules do not take (they may have become stricter) grants nothing. */
static void read_grant(struct token *token, const json_t *entry)
{
    struct op *op = token->memory;
    const char *type = json_string_value(json_object_get(entry, "type"));
    const char *name = json_string_value(json_object_get(entry, "name"));
    bool repository = type && strcmp(type, "repository") == 0;
    unsigned actions = actions_of(json_object_get(entry, "actions"), repository);
    struct target target;

    if (!type || !name || !actions || token->n_grants == TOKEN_GRANTS_MAX)
        return;
    name = arena_strdup(&op->arena, name);
    if (target_split(op, token->audience, repository ? name : NULL, &target) != OK)
        return;
    if (repository ? !target.repository : strcmp(type, "registry") != 0)
        return;
    token->grants[token->n_grants++] = (struct grant){
        .registry = target.registry_name ? lower(op, target.registry_name) : NULL,
        .repository = target.repository,
        .actions = actions,
    };
}

static void *token_parse(const json_t *claims)
{
    const char *use = json_string_value(json_object_get(claims, "grant_type"));
    const char *subject = json_string_value(json_object_get(claims, "sub"));
    const char *audience = json_string_value(json_object_get(claims, "aud"));
    const json_t *access = json_object_get(claims, "access");
    struct op *memory;
    struct token *token;

    if (!use || !subject || !audience)
        return NULL;
    if (strcmp(use, "access_token") != 0 && strcmp(use, "refresh_token") != 0)
        return NULL;
    memory = calloc(1, sizeof(*memory));
    if (!memory)
        abort();
    op_init(memory);
    token = arena_alloc(&memory->arena, sizeof(*token));
    token->memory = memory;
    token->use = strcmp(use, "access_token") == 0 ? TOKEN_ACCESS : TOKEN_REFRESH;
    token->subject = arena_strdup(&memory->arena, subject);
    token->audience = arena_strdup(&memory->arena, audience);
    token->grants =
        arena_alloc(&memory->arena, (json_array_size(access) + 1) * sizeof(struct grant));
    for (size_t i = 0; i < json_array_size(access); i++)
        read_grant(token, json_array_get(access, i));
    return token;
}

enum fault token_verify(struct op *op, const char *text, bool may_block, const struct token **ret)
{
    struct jwt *jwt;

    TRY(jwt_verify(op, text, TOKEN_ISSUER, token_parse, token_free, may_block, &jwt));
    arena_defer(&op->arena, jwt_release, jwt);
    *ret = jwt->parsed;
    return OK;
}

unsigned token_actions(const struct token *token, const char *registry, const char *repository)
{
    unsigned actions = 0;

    for (size_t i = 0; i < token->n_grants; i++) {
        const struct grant *g = &token->grants[i];

        if (g->registry && strcasecmp(g->registry, registry) != 0)
            continue;
        if (!g->repository != !repository)
            continue;
        if (!repository || strcmp(g->repository, repository) == 0)
            actions |= g->actions;
    }
    return actions;
}
