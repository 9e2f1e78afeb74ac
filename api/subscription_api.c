/* Tenants, subscriptions, their aliases and locations. */
#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/handlers.h"
#include "api/location.h"
#include "api/page.h"
#include "api/resource.h"
#include "api/subscription.h"
#include "core/db.h"
#include "core/seal.h"

#define ALIAS_TYPE "Microsoft.Subscription/aliases"

enum fault tenant_list(struct call *c)
{
    json_t *values = json_new_array(&c->op), *tenant = json_new_object(&c->op);

    json_set_text(tenant, "id", arena_printf(&c->op.arena, "/tenants/%s", entra_tenant()));
    json_set_text(tenant, "tenantId", entra_tenant());
    json_set_text(tenant, "tenantCategory", "Home");
    json_set_text(tenant, "tenantType", "AAD");
    json_set_text(tenant, "displayName", "Sundog");
    json_set_text(tenant, "countryCode", "XX");
    json_object_set_new(tenant, "domains", json_pack("[s]", "sundog.localhost"));
    json_array_append(values, tenant);
    return page_reply(c, values, NULL);
}

static json_t *subscription_json(struct op *op, const struct subscription *s)
{
    json_t *out = json_new_object(op);

    json_set_text(out, "id", arena_printf(&op->arena, "/subscriptions/%s", s->id));
    json_set_text(out, "authorizationSource", "RoleBased");
    json_object_set_new(out, "managedByTenants", json_array());
    json_set_text(out, "subscriptionId", s->id);
    json_set_text(out, "tenantId", entra_tenant());
    json_set_text(out, "displayName", s->name);
    json_set_text(out, "state", s->state);
    json_object_set_new(out, "subscriptionPolicies",
                        json_pack("{s:s,s:s,s:s}", "locationPlacementId", "Public_2014-09-01",
                                  "quotaId", "PayAsYouGo_2014-09-01", "spendingLimit", "Off"));
    if (strcmp(s->tags, "{}") != 0)
        json_set_raw(out, "tags", s->tags);
    return out;
}

enum fault subscription_list(struct call *c)
{
    json_t *values = json_new_array(&c->op);
    struct subscription *all;
    size_t n;

    subscription_all(&c->op, &all, &n);
    for (size_t i = 0; i < n; i++)
        if (role_sees(&c->op, arm_who(c),
                      arena_printf(&c->op.arena, "/subscriptions/%s", all[i].id)))
            json_array_append(values, subscription_json(&c->op, &all[i]));
    json_t *body = json_new_object(&c->op);
    json_object_set(body, "value", values);
    json_object_set_new(
        body, "count",
        json_pack("{s:s,s:i}", "type", "Total", "value", (int)json_array_size(values)));
    return arm_reply(c, 200, body);
}

enum fault subscription_get(struct call *c)
{
    struct subscription s;

    TRY(subscription_find(&c->op, arm_id(c)->subscription, &s));
    return arm_reply(c, 200, subscription_json(&c->op, &s));
}

static json_t *location_json(struct op *op, const char *subscription, const struct location *l)
{
    const char *base = arena_printf(&op->arena, "/subscriptions/%s/locations", subscription);
    json_t *out = json_new_object(op), *metadata = json_new_object(op);

    json_set_text(out, "id", arena_printf(&op->arena, "%s/%s", base, l->name));
    json_set_text(out, "name", l->name);
    json_set_text(out, "type", "Region");
    json_set_text(out, "displayName", l->display);
    json_set_text(out, "regionalDisplayName",
                  arena_printf(&op->arena, "(%s) %s", l->geography, l->display));
    json_set_text(out, "longitude", l->longitude);
    json_set_text(out, "latitude", l->latitude);
    json_set_text(metadata, "regionType", "Physical");
    json_set_text(metadata, "regionCategory", "Recommended");
    json_set_text(metadata, "geography", l->geography);
    json_set_text(metadata, "geographyGroup", l->geography);
    json_set_text(metadata, "longitude", l->longitude);
    json_set_text(metadata, "latitude", l->latitude);
    json_set_text(metadata, "physicalLocation", l->physical);
    json_object_set_new(metadata, "pairedRegion",
                        l->paired ? json_pack("[{s:s,s:s}]", "name", l->paired, "id",
                                              arena_printf(&op->arena, "%s/%s", base, l->paired))
                                  : json_array());
    json_object_set(out, "metadata", metadata);
    return out;
}

enum fault location_list(struct call *c)
{
    json_t *values = json_new_array(&c->op);

    for (const struct location *l = locations; l->name; l++)
        json_array_append(values, location_json(&c->op, arm_id(c)->subscription, l));
    return page_reply(c, values, NULL);
}

/* ---- aliases: how subscriptions are made ---- */

static json_t *alias_json(struct op *op, const char *alias, const struct subscription *s)
{
    json_t *out = json_new_object(op), *p = json_new_object(op);

    json_set_text(out, "id", arena_printf(&op->arena, "/providers/" ALIAS_TYPE "/%s", alias));
    json_set_text(out, "name", alias);
    json_set_text(out, "type", ALIAS_TYPE);
    json_set_text(p, "subscriptionId", s->id);
    json_set_text(p, "displayName", s->name);
    json_set_text(p, "provisioningState", "Succeeded");
    json_set_text(p, "acceptOwnershipState", "Completed");
    json_set_text(p, "createdTime", s->created);
    json_object_set(out, "properties", p);
    return out;
}

/* Whoever makes a subscription is its Owner. */
static enum fault make_owner(struct call *c, const char *subscription)
{
    const struct identity *who = arm_who(c);
    struct role_assignment owner = {
        .scope = arena_printf(&c->op.arena, "/subscriptions/%s", subscription),
        .role_id = ROLE_OWNER,
        .principal_id = who->object_id,
        .principal_type = who->kind == IDENTITY_USER ? "User" : "ServicePrincipal",
    };
    bool created;
    char id[37];

    random_uuid(id);
    owner.id = id;
    return role_assignment_put(&c->op, &owner, who->object_id, &created);
}

static enum fault check_alias(struct op *op, const char *alias)
{
    if (strlen(alias) <= 63 &&
        alias[strspn(alias, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
                            "WXYZ0123456789-_. ")] == '\0')
        return OK;
    return fail_on(op, "InvalidAlias", INVALID,
                   "The alias '%.100s' must have at most 63 letters, digits, '-', '_', '.' or "
                   "blanks.",
                   alias);
}

enum fault alias_put(struct call *c)
{
    const char *alias = c->path_args[0], *name = alias, *id = NULL;
    struct op *op = &c->op;
    struct subscription s;
    bool created;
    json_t *body;

    TRY(check_alias(op, alias));
    TRY(body_read(c, false, &body));
    TRY(body_text(op, body, "properties.displayName", 1, 64, &name));
    TRY(body_text(op, body, "properties.subscriptionId", 36, 36, &id));
    if (!id)
        TRY(body_required(op, body, "properties.displayName"));
    TRY(db_begin(op));
    TRY(subscription_put_alias(op, alias, id ? id_lower(op, id) : NULL, name, &s, &created));
    if (created)
        TRY(make_owner(c, s.id));
    TRY(db_commit(op));
    TRY(subscription_reload(op));
    if (created)
        TRY(role_reload(op));
    TRY(subscription_by_alias(op, alias, &s));
    return arm_reply(c, created ? 201 : 200, alias_json(op, alias, &s));
}

enum fault alias_get(struct call *c)
{
    struct subscription s;

    TRY(subscription_by_alias(&c->op, c->path_args[0], &s));
    return arm_reply(c, 200, alias_json(&c->op, s.alias, &s));
}

enum fault alias_list(struct call *c)
{
    json_t *values = json_new_array(&c->op);
    struct subscription *all;
    size_t n;

    subscription_all(&c->op, &all, &n);
    for (size_t i = 0; i < n; i++)
        if (all[i].alias)
            json_array_append(values, alias_json(&c->op, all[i].alias, &all[i]));
    return page_reply(c, values, NULL);
}

/* The alias goes, the subscription stays. */
enum fault alias_delete(struct call *c)
{
    struct subscription s;
    enum fault fault = subscription_by_alias(&c->op, c->path_args[0], &s);

    if (fault == NOT_FOUND) {
        op_clear_fault(&c->op);
        return reply_empty(c, 204);
    }
    TRY(fault);
    TRY(db_begin(&c->op));
    TRY(subscription_delete_alias(&c->op, c->path_args[0]));
    TRY(db_commit(&c->op));
    TRY(subscription_reload(&c->op));
    return reply_empty(c, 200);
}

/* ---- rename, cancel, enable ---- */

static enum fault reply_id(struct call *c)
{
    json_t *body = json_new_object(&c->op);

    TRY(db_commit(&c->op));
    TRY(subscription_reload(&c->op));
    json_set_text(body, "subscriptionId", arm_id(c)->subscription);
    return arm_reply(c, 200, body);
}

enum fault subscription_api_rename(struct call *c)
{
    const char *name = NULL;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_required(&c->op, body, "subscriptionName"));
    TRY(body_text(&c->op, body, "subscriptionName", 1, 64, &name));
    TRY(db_begin(&c->op));
    TRY(subscription_rename(&c->op, arm_id(c)->subscription, name));
    return reply_id(c);
}

/* Not while it has resources, unless ?IgnoreResourceCheck=true says so. */
static enum fault check_empty(struct call *c)
{
    struct resource_filter filter = {
        .subscription = arm_id(c)->subscription, .last = "", .limit = 1};
    const char *ignore = call_query(c, "IgnoreResourceCheck", 0);
    struct resource *rows;
    size_t n;

    if (ignore && strcasecmp(ignore, "true") == 0)
        return OK;
    TRY(resource_list(&c->op, &filter, &rows, &n));
    if (n == 0)
        return OK;
    return fail_on(&c->op, "SubscriptionHasResources", CONFLICT,
                   "The subscription '%s' has resources, such as '%s'. Delete them first, or give "
                   "the query parameter IgnoreResourceCheck=true.",
                   filter.subscription, rows[0].id);
}

enum fault subscription_api_cancel(struct call *c)
{
    TRY(check_empty(c));
    TRY(db_begin(&c->op));
    TRY(subscription_set_state(&c->op, arm_id(c)->subscription, "Disabled"));
    return reply_id(c);
}

enum fault subscription_api_enable(struct call *c)
{
    TRY(db_begin(&c->op));
    TRY(subscription_set_state(&c->op, arm_id(c)->subscription, "Enabled"));
    return reply_id(c);
}
