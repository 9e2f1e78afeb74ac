/*
 * Microsoft.Quota below {scope} = /subscriptions/S/providers/NAMESPACE/locations/LOCATION: quotas,
 * usages, quotaRequests. All locations are this machine: a limit is one for all of them. A change
 * holds when it is answered.
 */
#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "api/location.h"
#include "api/page.h"
#include "api/provider.h"
#include "api/quota.h"
#include "core/db.h"
#include "core/range.h"

#define PAGE_REQUESTS 200

/* What the path says. */
struct place {
    const char *subscription;
    const struct provider *provider;
    const struct location *location;
};

static enum fault read_place(struct call *c, struct place *ret)
{
    const char *name = c->path_args[1], *location = c->path_args[2];

    ret->subscription = arm_id(c)->subscription;
    ret->provider = provider_find(name);
    ret->location = location_find(location);
    if (!ret->provider)
        return fail_on(&c->op, "InvalidResourceNamespace", NOT_FOUND,
                       "The resource namespace '%.100s' is invalid.", name);
    if (!ret->location)
        return fail_on(&c->op, "InvalidLocation", NOT_FOUND, "There is no location '%.100s'.",
                       location);
    return OK;
}

static enum fault read_quota(struct call *c, struct place *place, const struct quota **ret)
{
    TRY(read_place(c, place));
    *ret = quota_find(place->provider->name, c->path_args[3]);
    if (*ret)
        return OK;
    return fail_on(&c->op, "QuotaNotFound", NOT_FOUND,
                   "The provider '%s' has no quota '%.100s' for subscriptions.",
                   place->provider->name, c->path_args[3]);
}

/* ---- JSON ---- */

/* type: "quotas", "usages", "quotaRequests". */
static json_t *envelope(struct op *op, const struct place *place, const char *type,
                        const char *name, json_t *properties)
{
    json_t *out = json_new_object(op);

    json_set_text(out, "id",
                  arena_printf(&op->arena,
                               "/subscriptions/%s/providers/%s/locations/%s/providers/"
                               "Microsoft.Quota/%s/%s",
                               place->subscription, place->provider->name, place->location->name,
                               type, name));
    json_set_text(out, "name", name);
    json_set_text(out, "type", arena_printf(&op->arena, "Microsoft.Quota/%s", type));
    json_object_set(out, "properties", properties);
    return out;
}

static void set_name(json_t *out, const struct quota *quota)
{
    json_object_set_new(
        out, "name",
        json_pack("{s:s,s:s}", "value", quota->name, "localizedValue", quota->display));
}

static void set_limit(json_t *out, int64_t value)
{
    json_object_set_new(out, "limit",
                        json_pack("{s:s,s:s,s:I}", "limitObjectType", "LimitValue", "limitType",
                                  "Independent", "value", (json_int_t)value));
}

static json_t *quota_json(struct op *op, const struct place *place, const struct quota *quota)
{
    json_t *p = json_new_object(op);

    set_limit(p, quota_limit(op, place->subscription, quota));
    json_set_text(p, "unit", "Count");
    set_name(p, quota);
    json_object_set_new(p, "isQuotaApplicable", json_true());
    json_object_set_new(p, "properties", json_object());
    return envelope(op, place, "quotas", quota->name, p);
}

static enum fault usage_json(struct op *op, const struct place *place, const struct quota *quota,
                             json_t **ret)
{
    json_t *p = json_new_object(op);
    int64_t used;

    TRY(quota_usage(op, place->subscription, quota, &used));
    json_object_set_new(
        p, "usages", json_pack("{s:s,s:I}", "usagesType", "Individual", "value", (json_int_t)used));
    json_set_text(p, "unit", "Count");
    set_name(p, quota);
    json_object_set_new(p, "isQuotaApplicable", json_true());
    json_object_set_new(p, "properties", json_object());
    *ret = envelope(op, place, "usages", quota->name, p);
    return OK;
}

/* ---- quotas and usages ---- */

enum fault quota_api_list(struct call *c)
{
    json_t *values = json_new_array(&c->op);
    struct place place;

    TRY(read_place(c, &place));
    for (const struct quota *const *q = quotas; *q; q++)
        if (strcmp((*q)->provider, place.provider->name) == 0)
            json_array_append(values, quota_json(&c->op, &place, *q));
    return page_reply(c, values, NULL);
}

enum fault quota_api_get(struct call *c)
{
    const struct quota *quota;
    struct place place;

    TRY(read_quota(c, &place, &quota));
    return arm_reply(c, 200, quota_json(&c->op, &place, quota));
}

/* "limit": {"limitObjectType": "LimitValue", "value": 10}, or the number itself as it once was. */
static enum fault read_limit(struct op *op, const json_t *body, const struct quota *quota,
                             int64_t *ret)
{
    static const char *const kinds[] = {"LimitValue", NULL}, *const types[] = {"Independent", NULL};
    const char *path = json_is_integer(body_at(body, "properties.limit"))
                           ? "properties.limit"
                           : "properties.limit.value";
    const char *kind = NULL, *type = NULL, *name = NULL;

    TRY(body_required(op, body, path));
    TRY(body_int(op, body, path, 0, quota->most, ret));
    TRY(body_choice(op, body, "properties.limit.limitObjectType", kinds, &kind));
    TRY(body_choice(op, body, "properties.limit.limitType", types, &type));
    TRY(body_text(op, body, "properties.name.value", 1, 200, &name));
    if (name && strcasecmp(name, quota->name) != 0)
        return arm_fail_at(op, "InvalidRequestContent", INVALID, "properties.name.value",
                           "The name in the request is '%s', not '%s' as in its path.", name,
                           quota->name);
    return OK;
}

/* PUT and PATCH: there is nothing else to a quota than its limit. */
enum fault quota_api_put(struct call *c)
{
    static const char *const known[] = {"id", "name", "type", "properties", NULL};
    struct quota_request request = {0};
    const struct quota *quota;
    struct op *op = &c->op;
    struct place place;
    json_t *body;

    TRY(read_quota(c, &place, &quota));
    TRY(body_read(c, false, &body));
    TRY(read_limit(op, body, quota, &request.value));
    request.location = place.location->name;
    request.who = arm_who(c)->object_id;
    TRY(db_begin(op));
    TRY(quota_set(op, place.subscription, quota, &request));
    TRY(db_commit(op));
    TRY(quota_reload(op));
    body_ignored(c, body, known);
    return arm_reply(c, 200, quota_json(op, &place, quota));
}

enum fault usage_api_list(struct call *c)
{
    json_t *values = json_new_array(&c->op), *one;
    struct place place;

    TRY(read_place(c, &place));
    for (const struct quota *const *q = quotas; *q; q++) {
        if (strcmp((*q)->provider, place.provider->name) != 0)
            continue;
        TRY(usage_json(&c->op, &place, *q, &one));
        json_array_append(values, one);
    }
    return page_reply(c, values, NULL);
}

enum fault usage_api_get(struct call *c)
{
    const struct quota *quota;
    struct place place;
    json_t *out;

    TRY(read_quota(c, &place, &quota));
    TRY(usage_json(&c->op, &place, quota, &out));
    return arm_reply(c, 200, out);
}

/* ---- requests: all were granted at once ---- */

static json_t *request_json(struct op *op, struct place place, const struct quota_request *r)
{
    const struct quota *quota = quota_find(place.provider->name, r->name);
    const struct location *location = location_find(r->location);
    json_t *p = json_new_object(op), *sub = json_new_object(op);

    if (location)
        place.location = location;
    json_set_text(p, "provisioningState", "Succeeded");
    json_set_text(p, "message", "Request completed");
    json_set_text(p, "requestSubmitTime", r->at);
    if (quota)
        set_name(sub, quota);
    set_limit(sub, r->value);
    json_set_text(sub, "unit", "Count");
    json_set_text(sub, "provisioningState", "Succeeded");
    json_set_text(sub, "message", "Request completed");
    json_set_text(sub, "subRequestId", r->id);
    json_object_set_new(p, "value", json_pack("[O]", sub));
    return envelope(op, &place, "quotaRequests", r->id, p);
}

static const char *value_of(void *arg, const char *name)
{
    const struct quota_request *r = arg;

    if (strcasecmp(name, "requestSubmitTime") == 0)
        return r->at;
    if (strcasecmp(name, "provisioningState") == 0)
        return "Succeeded";
    return strcasecmp(name, "resourceName") == 0 ? r->name : NULL;
}

enum fault quota_request_api_list(struct call *c)
{
    static const char *const names[] = {"requestSubmitTime", "provisioningState", "resourceName",
                                        NULL};
    json_t *values = json_new_array(&c->op);
    struct quota_request *rows;
    struct filter *filter;
    struct op *op = &c->op;
    struct arm_page page;
    struct place place;
    int64_t before;
    size_t n;

    TRY(read_place(c, &place));
    TRY(page_read_arm(c, PAGE_REQUESTS, &page));
    TRY(filter_parse(op, call_query(c, "$filter", 0), &filter));
    TRY(filter_check(op, filter, names));
    before = decimal_parse(&page.last);
    TRY(quota_requests(op, place.subscription, place.provider->name, before < 0 ? 0 : before,
                       page.limit, &rows, &n));
    for (size_t i = 0; i < n && (int64_t)i < page.top; i++)
        if (!filter || filter_holds(filter, value_of, &rows[i], NULL))
            json_array_append(values, request_json(op, place, &rows[i]));
    return page_reply(c, values,
                      (int64_t)n > page.top
                          ? arena_printf(&op->arena, "%lld", (long long)rows[page.top - 1].number)
                          : NULL);
}

enum fault quota_request_api_get(struct call *c)
{
    struct quota_request request;
    struct place place;

    TRY(read_place(c, &place));
    TRY(quota_request_get(&c->op, place.subscription, place.provider->name, c->path_args[3],
                          &request));
    return arm_reply(c, 200, request_json(&c->op, place, &request));
}
