/* Providers: which namespaces and types there are, and whether a subscription uses them. */
#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/handlers.h"
#include "api/location.h"
#include "api/page.h"
#include "api/provider.h"
#include "core/db.h"
#include "core/durable.h"

enum { SELECT_STATES, SET_STATE, IN_USE };
static const struct db_stmt stmts[] = {
    [SELECT_STATES] = {"SELECT provider, state FROM api.provider_registration"
                       " WHERE subscription = $1"},
    [SET_STATE] = {"INSERT INTO api.provider_registration (subscription, provider, state)"
                   " VALUES ($1, $2, $3) ON CONFLICT (subscription, provider)"
                   " DO UPDATE SET state = excluded.state"},
    [IN_USE] = {"SELECT id FROM api.resource WHERE subscription = $1 AND type_key > $2 || '/'"
                " AND type_key < $2 || '0' LIMIT 1"},
    {0},
};

void provider_store_start(void)
{
    db_register(stmts);
}

/* The resource manager's own cannot be unregistered. */
static bool is_free(const struct provider *p)
{
    return strcasecmp(p->name, "Microsoft.Resources") == 0 ||
           strcasecmp(p->name, "Microsoft.Authorization") == 0 ||
           strcasecmp(p->name, "Microsoft.Subscription") == 0;
}

struct states {
    const char **names, **states;
    size_t n;
};

static enum fault read_states(struct op *op, const char *subscription, struct states *ret)
{
    struct db_rows rows;
    size_t most;

    *ret = (struct states){0};
    if (!subscription)
        return OK;
    TRY(db_query(op, &stmts[SELECT_STATES], &rows, DB_TEXT(subscription)));
    most = (size_t)PQntuples(rows.result) + 1;
    ret->names = arena_alloc(&op->arena, most * sizeof(*ret->names));
    ret->states = arena_alloc(&op->arena, most * sizeof(*ret->states));
    while (db_next(&rows)) {
        ret->names[ret->n] = db_text(&rows, "provider");
        ret->states[ret->n++] = db_text(&rows, "state");
    }
    return OK;
}

static const char *state_of(const struct states *s, const struct provider *p)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcasecmp(s->names[i], p->name) == 0)
            return s->states[i];
    return p->not_built ? "NotRegistered" : "Registered";
}

static json_t *type_json(const struct resource_type *t)
{
    json_t *out = json_object(), *versions = json_array(), *places = json_array();

    json_set_text(out, "resourceType", t->type);
    for (const struct location *l = locations; t->tracked && l->name; l++)
        json_array_append_new(places, json_string(l->display));
    for (const char *const *v = t->api_versions; v && *v; v++)
        json_array_append_new(versions, json_string(*v));
    json_object_set_new(out, "locations", places);
    json_object_set_new(out, "apiVersions", versions);
    if (t->api_versions && t->api_versions[0])
        json_set_text(out, "defaultApiVersion", t->api_versions[0]);
    json_set_text(out, "capabilities",
                  !t->tracked ? "None"
                  : t->move   ? "CrossResourceGroupResourceMove, CrossSubscriptionResourceMove, "
                                "SupportsTags, SupportsLocation"
                              : "SupportsTags, SupportsLocation");
    return out;
}

static json_t *provider_json(struct op *op, const char *subscription, const struct provider *p,
                             const struct states *states)
{
    json_t *out = json_new_object(op), *types = json_new_array(op);

    if (subscription) {
        json_set_text(
            out, "id",
            arena_printf(&op->arena, "/subscriptions/%s/providers/%s", subscription, p->name));
        json_set_text(out, "registrationState", state_of(states, p));
    }
    json_set_text(out, "namespace", p->name);
    json_set_text(out, "registrationPolicy",
                  is_free(p) ? "RegistrationFree" : "RegistrationRequired");
    for (const struct resource_type *t = p->types; t && t->type; t++)
        json_array_append_new(types, type_json(t));
    json_object_set(out, "resourceTypes", types);
    return out;
}

static enum fault find(struct call *c, const struct provider **ret)
{
    const struct resource_id *id = arm_id(c);

    *ret = id->provider ? provider_find(id->provider) : NULL;
    if (*ret)
        return OK;
    return fail_on(&c->op, "InvalidResourceNamespace", NOT_FOUND,
                   "The resource namespace '%.100s' is invalid.", id->provider ? id->provider : "");
}

enum fault provider_list(struct call *c)
{
    const char *subscription = arm_id(c)->subscription;
    json_t *values = json_new_array(&c->op);
    struct states states;

    TRY(read_states(&c->op, subscription, &states));
    for (const struct provider *const *p = providers; *p; p++)
        json_array_append(values, provider_json(&c->op, subscription, *p, &states));
    return page_reply(c, values, NULL);
}

enum fault provider_get(struct call *c)
{
    const char *subscription = arm_id(c)->subscription;
    const struct provider *p;
    struct states states;

    TRY(find(c, &p));
    TRY(read_states(&c->op, subscription, &states));
    return arm_reply(c, 200, provider_json(&c->op, subscription, p, &states));
}

enum fault provider_types(struct call *c)
{
    json_t *values = json_new_array(&c->op);
    const struct provider *p;

    TRY(find(c, &p));
    for (const struct resource_type *t = p->types; t && t->type; t++)
        json_array_append_new(values, type_json(t));
    return page_reply(c, values, NULL);
}

enum fault provider_permissions(struct call *c)
{
    const struct provider *p;

    TRY(find(c, &p));
    return page_reply(c, json_new_array(&c->op), NULL);
}

static enum fault set_state(struct call *c, const struct provider *p, const char *state)
{
    struct op *op = &c->op;
    struct states states;

    TRY(db_query(op, &stmts[SET_STATE], NULL, DB_TEXT(arm_id(c)->subscription),
                 DB_TEXT(id_lower(op, p->name)), DB_TEXT(state)));
    TRY(read_states(op, arm_id(c)->subscription, &states));
    arm_reply(c, 200, provider_json(op, arm_id(c)->subscription, p, &states));
    return call_commit(c);
}

enum fault provider_register(struct call *c)
{
    const struct provider *p;

    TRY(find(c, &p));
    TRY(db_begin(&c->op));
    return set_state(c, p, "Registered");
}

enum fault provider_unregister(struct call *c)
{
    const struct provider *p;
    struct db_rows rows;

    TRY(find(c, &p));
    if (is_free(p))
        return fail_on(&c->op, "CannotUnregisterRegistrationFreeResourceProvider", CONFLICT,
                       "The resource namespace '%s' is registration free and cannot be "
                       "unregistered.",
                       p->name);
    TRY(db_begin(&c->op));
    TRY(db_query(&c->op, &stmts[IN_USE], &rows, DB_TEXT(arm_id(c)->subscription),
                 DB_TEXT(id_lower(&c->op, p->name))));
    if (db_next(&rows))
        return fail_on(&c->op, "CannotUnregisterResourceProvider", CONFLICT,
                       "Cannot unregister namespace '%s': it has resources, such as '%s'.", p->name,
                       db_text(&rows, "id"));
    return set_state(c, p, "NotRegistered");
}

enum fault provider_operations(struct call *c)
{
    json_t *values = json_new_array(&c->op);
    const struct provider *p;

    TRY(find(c, &p));
    for (const struct provider_operation *o = p->operations; o && o->name; o++)
        json_array_append_new(values,
                              json_pack("{s:s,s:b,s:{s:s,s:s,s:s,s:s}}", "name", o->name,
                                        "isDataAction", (int)o->is_data, "display", "provider",
                                        p->display, "resource", o->resource, "operation",
                                        o->operation, "description", o->description));
    return page_reply(c, values, NULL);
}

/* The same as role definitions' editors ask for it (az provider operation list, show). */
static json_t *metadata_json(struct op *op, const struct provider *p)
{
    json_t *out = json_new_object(op), *operations = json_new_array(op);

    json_set_text(out, "id",
                  arena_printf(&op->arena,
                               "/providers/Microsoft.Authorization/providerOperations/%s",
                               p->name));
    json_set_text(out, "name", p->name);
    json_set_text(out, "type", "Microsoft.Authorization/providerOperations");
    json_set_text(out, "displayName", p->display);
    json_object_set_new(out, "resourceTypes", json_array());
    for (const struct provider_operation *o = p->operations; o && o->name; o++)
        json_array_append_new(
            operations, json_pack("{s:s,s:s,s:s,s:b}", "name", o->name, "displayName", o->operation,
                                  "description", o->description, "isDataAction", (int)o->is_data));
    json_object_set(out, "operations", operations);
    return out;
}

enum fault provider_operations_all(struct call *c)
{
    json_t *values = json_new_array(&c->op);

    for (const struct provider *const *p = providers; *p; p++)
        if ((*p)->operations)
            json_array_append(values, metadata_json(&c->op, *p));
    return page_reply(c, values, NULL);
}

enum fault provider_operations_one(struct call *c)
{
    const struct provider *p = provider_find(c->path_args[0]);

    if (!p)
        return fail_on(&c->op, "ProviderNotFound", NOT_FOUND, "Provider '%.100s' not found.",
                       c->path_args[0]);
    return arm_reply(c, 200, metadata_json(&c->op, p));
}

/* Reserved words of Azure may not be names. */
enum fault check_resource_name(struct call *c)
{
    static const char *const reserved[] = {"microsoft", "windows", "azure", "office", "login"};
    const char *name = NULL, *type = NULL;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_required(&c->op, body, "name"));
    TRY(body_required(&c->op, body, "type"));
    TRY(body_text(&c->op, body, "name", 1, 260, &name));
    TRY(body_text(&c->op, body, "type", 1, 260, &type));
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
        if (strcasecmp(name, reserved[i]) == 0)
            return arm_fail_at(&c->op, "ReservedResourceName", INVALID, "name",
                               "The resource name '%s' is a reserved word.", name);
    body = json_new_object(&c->op);
    json_set_text(body, "name", name);
    json_set_text(body, "type", type);
    json_set_text(body, "status", "Allowed");
    return arm_reply(c, 200, body);
}
