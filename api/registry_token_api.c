/* Repository tokens and their passwords. */
#include "registry/registry_token.h"

#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/page.h"
#include "api/registry_api.h"
#include "core/db.h"

static const char *const password_names[] = {"password1", "password2", NULL};
static const char *const states[] = {"enabled", "disabled", NULL};

static json_t *password_json(struct op *op, const struct registry_token *token, int which)
{
    json_t *value = json_new_object(op);

    json_set_text(value, "creationTime", token->passwords[which].created);
    json_set_text(value, "expiry", token->passwords[which].expiry);
    json_set_text(value, "name", password_names[which]);
    return value;
}

static json_t *token_json(struct op *op, const struct registry *registry,
                          const struct registry_token *token)
{
    json_t *value = json_new_object(op), *p = json_new_object(op), *passwords = json_new_array(op);

    for (int i = 0; i < 2; i++)
        if (token->passwords[i].set)
            json_array_append(passwords, password_json(op, token, i));
    json_set_text(p, "creationDate", token->created);
    json_set_text(p, "provisioningState", "Succeeded");
    if (token->scope_map)
        json_set_text(p, "scopeMapId",
                      registry_child_id(op, registry, "scopeMaps", token->scope_map));
    json_object_set_new(p, "credentials",
                        json_pack("{s:[],s:O}", "certificates", "passwords", passwords));
    json_set_text(p, "status", states[!token->enabled]);
    json_set_text(value, "id", registry_child_id(op, registry, "tokens", token->name));
    json_set_text(value, "name", token->name);
    json_set_text(value, "type", "Microsoft.ContainerRegistry/registries/tokens");
    json_object_set(value, "properties", p);
    return value;
}

static enum fault reply_token(struct call *c, int status, const struct registry *registry,
                              const char *name)
{
    struct registry_token token;

    TRY(registry_fault(&c->op, registry_token_get(&c->op, registry->id, name, &token)));
    return arm_reply(c, status, token_json(&c->op, registry, &token));
}

enum fault tokens_list(struct call *c)
{
    struct op *op = &c->op;
    json_t *values = json_new_array(op);
    const struct registry *registry;
    struct registry_token *tokens;
    struct arm_page page;
    size_t n;

    TRY(registry_of_call(c, &registry));
    TRY(page_read_arm(c, 100, &page));
    TRY(registry_token_list(op, registry->id, page.last, page.limit, &tokens, &n));
    for (size_t i = 0; i < n && i < (size_t)page.top; i++)
        json_array_append(values, token_json(op, registry, &tokens[i]));
    return page_reply(c, values, n > (size_t)page.top ? tokens[page.top - 1].name : NULL);
}

enum fault token_read(struct call *c)
{
    const struct registry *registry;

    TRY(registry_of_call(c, &registry));
    return reply_token(c, 200, registry, arm_id(c)->name);
}

/* ---- writing ---- */

static enum fault read_body(struct call *c, const struct registry *registry, json_t *body,
                            struct registry_token *wanted)
{
    struct op *op = &c->op;
    const char *map_id = NULL, *status = NULL;
    json_t *certificates = NULL;

    TRY(body_text(op, body, "properties.scopeMapId", 1, ID_MAX_BYTES, &map_id));
    if (map_id)
        TRY(registry_child_name(op, registry, "scopeMaps", map_id, "properties.scopeMapId",
                                &wanted->scope_map));
    TRY(body_choice(op, body, "properties.status", states, &status));
    if (status)
        wanted->enabled = status == states[0];
    TRY(body_array(op, body, "properties.credentials.certificates", 2, &certificates));
    if (json_array_size(certificates))
        return arm_fail_at(op, "NotSupported", UNSUPPORTED, "properties.credentials.certificates",
                           "certificates of tokens are not supported by this Sundog");
    return OK;
}

/* A body that lists passwords keeps those it names, and takes the others away. */
static enum fault forget_passwords(struct call *c, const struct registry *registry, json_t *body)
{
    struct op *op = &c->op;
    json_t *list = NULL, *item;
    bool kept[2] = {false, false};
    size_t i;

    TRY(body_array(op, body, "properties.credentials.passwords", 2, &list));
    if (!list)
        return OK;
    json_array_foreach(list, i, item)
    {
        const char *name = NULL;

        TRY(body_required(op, item, "name"));
        TRY(body_choice(op, item, "name", password_names, &name));
        kept[name == password_names[1]] = true;
    }
    for (int which = 0; which < 2; which++)
        if (!kept[which])
            TRY(registry_fault(op,
                               registry_token_forget(op, registry->id, arm_id(c)->name, which)));
    return OK;
}

static enum fault finish_write(struct call *c, const struct registry *registry,
                               const struct registry_token *wanted, json_t *body, bool is_put)
{
    struct op *op = &c->op;
    bool created;

    TRY(registry_fault(op, registry_token_put(op, registry, wanted, &created)));
    TRY(forget_passwords(c, registry, body));
    TRY(db_commit(op));
    scope_map_changed(registry->id);
    return reply_token(c, is_put && created ? 201 : 200, registry, wanted->name);
}

enum fault token_write(struct call *c)
{
    struct registry_token wanted = {.name = arm_id(c)->name, .enabled = true};
    const struct registry *registry;
    json_t *body;

    TRY(registry_of_call(c, &registry));
    TRY(body_read(c, false, &body));
    TRY(read_body(c, registry, body, &wanted));
    if (!wanted.scope_map)
        return arm_fail_at(&c->op, "InvalidParameter", INVALID, "properties.scopeMapId",
                           "a token needs a scope map");
    TRY(db_begin(&c->op));
    return finish_write(c, registry, &wanted, body, true);
}

enum fault token_update(struct call *c)
{
    const struct registry *registry;
    struct registry_token wanted;
    json_t *body;

    TRY(registry_of_call(c, &registry));
    TRY(body_read(c, true, &body));
    TRY(db_begin(&c->op));
    TRY(registry_fault(&c->op, registry_token_get(&c->op, registry->id, arm_id(c)->name, &wanted)));
    TRY(read_body(c, registry, body, &wanted));
    return finish_write(c, registry, &wanted, body, false);
}

enum fault token_remove(struct call *c)
{
    struct op *op = &c->op;
    const struct registry *registry;
    enum fault fault;

    TRY(registry_of_call(c, &registry));
    TRY(db_begin(op));
    fault = registry_token_delete(op, registry->id, arm_id(c)->name);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return reply_empty(c, 204);
    }
    TRY(registry_fault(op, fault));
    TRY(db_commit(op));
    scope_map_changed(registry->id);
    return reply_empty(c, 200);
}

/* ---- passwords ---- */

static enum fault generate(struct call *c, const struct registry *registry, const char *name,
                           int which, const char *expiry, json_t *passwords)
{
    struct op *op = &c->op;
    const char *password;
    json_t *value;

    TRY(registry_fault(op,
                       registry_token_generate(op, registry->id, name, which, expiry, &password)));
    value = json_new_object(op);
    json_set_text(value, "value", password);
    json_array_append(passwords, value);
    return OK;
}

/* When and until when, as it was stored. */
static enum fault complete(struct call *c, const struct registry *registry, const char *name,
                           int first, json_t *passwords)
{
    struct op *op = &c->op;
    struct registry_token token;

    TRY(registry_fault(op, registry_token_get(op, registry->id, name, &token)));
    for (size_t i = 0; i < json_array_size(passwords); i++)
        json_object_update(json_array_get(passwords, i), password_json(op, &token, first + (int)i));
    return OK;
}

/* Both passwords, or the one named; this answer is their only showing. */
enum fault credentials_generate(struct call *c)
{
    struct op *op = &c->op;
    const char *id = NULL, *name, *which = NULL, *expiry = NULL;
    json_t *body, *answer = json_new_object(op), *passwords = json_new_array(op);
    const struct registry *registry;
    int first, last;

    TRY(registry_of_call(c, &registry));
    TRY(body_read(c, false, &body));
    TRY(body_required(op, body, "tokenId"));
    TRY(body_text(op, body, "tokenId", 1, ID_MAX_BYTES, &id));
    TRY(registry_child_name(op, registry, "tokens", id, "tokenId", &name));
    TRY(body_choice(op, body, "name", password_names, &which));
    TRY(body_text(op, body, "expiry", 1, 64, &expiry));
    first = which == password_names[1];
    last = which == password_names[0] ? 0 : 1;
    TRY(db_begin(op));
    for (int i = first; i <= last; i++)
        TRY(generate(c, registry, name, i, expiry, passwords));
    TRY(complete(c, registry, name, first, passwords));
    TRY(db_commit(op));
    scope_map_changed(registry->id);
    json_set_text(answer, "username", name);
    json_object_set(answer, "passwords", passwords);
    reply_header(c, "Cache-Control", "no-store");
    return arm_reply(c, 200, answer);
}
