/* Polling and cancelling long-running operations (DESIGN §4.9). */
#include <string.h>

#include "api/filter.h"
#include "api/handlers.h"
#include "api/operation.h"
#include "api/page.h"
#include "core/db.h"
#include "core/durable.h"

/* The one who began it, or whoever may read what it works on. */
static bool may_see(struct call *c, const struct operation *o)
{
    const struct identity *who = arm_who(c);

    return strcmp(who->object_id, o->who) == 0 ||
           role_allows(&c->op, who, o->resource_id, "Microsoft.Resources/subscriptions/read");
}

static enum fault may_poll(struct call *c, const struct operation *o, const char *action)
{
    const struct identity *who = arm_who(c);

    if (may_see(c, o))
        return OK;
    return fail_on(&c->op, "AuthorizationFailed", FORBIDDEN,
                   "The client '%s' with object id '%s' does not have authorization to perform "
                   "action '%s' over scope '%s' or the scope is invalid. If access was recently "
                   "granted, please refresh your credentials.",
                   who->name, who->object_id, action, o->resource_id);
}

/* Ask the service how far it is, and keep what is final. */
static enum fault look(struct op *op, struct operation *o)
{
    const struct operation_kind *kind = operation_kind_find(o->kind);

    if (o->status != OPERATION_RUNNING || !kind || !kind->look)
        return OK;
    TRY(kind->look(op, o));
    if (o->status == OPERATION_RUNNING)
        return OK;
    TRY(operation_finish(op, o->id, o->status, o->code, o->message, o->result));
    return operation_get(op, o->id, o);
}

static enum fault find(struct call *c, struct operation *o)
{
    const char *id = strrchr(c->path, '/') + 1;

    for (size_t i = 0; i < PATH_ARGS_MAX && c->path_args[i]; i++)
        id = c->path_args[i]; /* the last one: …/{id} or …/{id}/cancel */
    TRY(operation_get(&c->op, id, o));
    if (strcmp(o->subscription, arm_id(c)->subscription) != 0)
        return fail_on(&c->op, "NotFound", NOT_FOUND, "The operation '%.60s' could not be found.",
                       id);
    TRY(may_poll(c, o, "Microsoft.Resources/subscriptions/operationresults/read"));
    return look(&c->op, o);
}

static const char *word(const struct operation *o)
{
    static const char *const words[] = {
        [OPERATION_RUNNING] = "InProgress",
        [OPERATION_SUCCEEDED] = "Succeeded",
        [OPERATION_FAILED] = "Failed",
        [OPERATION_CANCELED] = "Canceled",
    };

    if (o->status == OPERATION_RUNNING && o->status_word)
        return o->status_word;
    return words[o->status];
}

static json_t *error_json(struct op *op, const struct operation *o)
{
    json_t *error = json_new_object(op);

    json_set_text(error, "code", o->code ? o->code : "OperationFailed");
    json_set_text(error, "message", o->message ? o->message : "The operation failed.");
    json_set_raw(error, "details", o->result);
    return error;
}

enum fault operation_status_get(struct call *c)
{
    json_t *body = json_new_object(&c->op);
    struct operation o;

    TRY(find(c, &o));
    json_set_text(body, "id", c->path);
    json_set_text(body, "name", o.id);
    json_set_text(body, "status", word(&o));
    json_set_text(body, "startTime", o.created);
    json_set_text(body, "endTime", o.ended);
    if (o.percent >= 0)
        json_object_set_new(body, "percentComplete", json_integer(o.percent));
    json_set_raw(body, "properties",
                 o.status == OPERATION_SUCCEEDED && !o.properties ? o.result : o.properties);
    if (o.status == OPERATION_FAILED)
        json_object_set(body, "error", error_json(&c->op, &o));
    if (o.status == OPERATION_RUNNING)
        reply_header(c, "Retry-After", "1");
    return arm_reply(c, 200, body);
}

static json_t *listed(struct call *c, const struct operation *o)
{
    struct op *op = &c->op;
    json_t *out = json_new_object(op), *properties = json_new_object(op);
    const struct identity *who;

    json_set_text(out, "id",
                  arena_printf(&op->arena,
                               "/subscriptions/%s/providers/%s/locations/%s/"
                               "operationStatuses/%s",
                               o->subscription, o->provider, o->location, o->id));
    json_set_text(out, "name", o->id);
    json_set_text(out, "status", word(o));
    json_set_text(out, "startTime", o->created);
    if (o->percent >= 0)
        json_object_set_new(out, "percentComplete", json_integer(o->percent));
    json_set_text(properties, "operation", o->kind);
    json_set_text(properties, "resourceId", o->resource_id);
    json_set_text(properties, "principalId", o->who);
    if (entra_principal(op, o->who, &who) == OK)
        json_set_text(properties, "principalName", who->name);
    op_clear_fault(op);
    json_object_set(out, "properties", properties);
    return out;
}

/* $filter: resourceId eq 'ID', it and all below. */
static enum fault read_filter(struct call *c, const char **ret_key)
{
    const char *text = call_query(c, "$filter", 0), *id;
    struct filter *filter;

    *ret_key = NULL;
    TRY(filter_parse(&c->op, text, &filter));
    if (!filter)
        return OK;
    id = filter_equal(filter, "resourceId");
    if (!id)
        return arm_fail_at(&c->op, "InvalidFilterInQueryString", INVALID, "$filter",
                           "Invalid $filter '%.200s': operations are filtered by "
                           "\"resourceId eq 'ID'\".",
                           text);
    *ret_key = id_lower(&c->op, id);
    return OK;
}

/* What runs now; of each that one may poll. */
enum fault operation_list(struct call *c)
{
    json_t *values = json_new_array(&c->op);
    struct operation *all;
    const char *key;
    bool sees_all;
    size_t n;

    TRY(arm_sees_subscription(c, &sees_all));
    TRY(read_filter(c, &key));
    TRY(operation_list_of(&c->op, arm_id(c)->subscription, &all, &n));
    for (size_t i = 0; i < n; i++) {
        if (!may_see(c, &all[i]) ||
            (key && !id_is_within(id_lower(&c->op, all[i].resource_id), key)))
            continue;
        TRY(look(&c->op, &all[i]));
        if (all[i].status == OPERATION_RUNNING)
            json_array_append(values, listed(c, &all[i]));
    }
    return page_reply(c, values, NULL);
}

enum fault operation_result_get(struct call *c)
{
    struct operation o;

    TRY(find(c, &o));
    switch (o.status) {
    case OPERATION_RUNNING:
        operation_headers(c, &o, OPERATION_LOCATION);
        return reply_empty(c, 202);
    case OPERATION_SUCCEEDED:
        if (!o.result)
            return reply_empty(c, 204);
        return reply_bytes(c, 200, "application/json; charset=utf-8", BYTES(o.result));
    case OPERATION_FAILED:
        fail_on(&c->op, o.code ? o.code : "OperationFailed", CONFLICT, "%s",
                o.message ? o.message : "The operation failed.");
        if (o.result)
            c->op.detail = arena_printf(&c->op.arena, "{\"details\":%s}", o.result);
        return CONFLICT;
    case OPERATION_CANCELED:
        break;
    }
    return fail_on(&c->op, "OperationCanceled", CONFLICT, "The operation was canceled.");
}

enum fault operation_cancel(struct call *c)
{
    const struct operation_kind *kind;
    struct operation o;

    TRY(db_begin(&c->op));
    TRY(find(c, &o));
    TRY(arm_need(c, o.resource_id, "Microsoft.Resources/subscriptions/resourceGroups/write"));
    kind = operation_kind_find(o.kind);
    if (o.status != OPERATION_RUNNING)
        return fail_on(&c->op, "OperationNotRunning", CONFLICT,
                       "The operation '%s' has ended already.", o.id);
    if (!kind || !kind->cancel)
        return fail_on(&c->op, "OperationNotCancelable", CONFLICT,
                       "The operation '%s' cannot be canceled.", o.id);
    TRY(operation_want_cancel(&c->op, o.id));
    o.cancel_wanted = true;
    TRY(kind->cancel(&c->op, &o));
    operation_headers(c, &o, OPERATION_LOCATION);
    reply_empty(c, 202);
    return call_commit(c);
}
