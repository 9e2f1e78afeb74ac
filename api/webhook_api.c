/* Webhooks of a registry: resources with a location and tags, whose secrets only one action shows.
 */
#include "registry/webhook.h"

#include <string.h>

#include "api/body.h"
#include "api/continuous_deployment.h"
#include "api/page.h"
#include "api/registry_api.h"
#include "core/db.h"

#define TYPE "Microsoft.ContainerRegistry/registries/webhooks"

static const char *const states[] = {"enabled", "disabled", NULL};

/* ---- JSON ---- */

static json_t *actions_json(struct op *op, unsigned actions)
{
    json_t *list = json_new_array(op);

    for (unsigned bit = WEBHOOK_PUSH; bit <= WEBHOOK_CHART_DELETE; bit <<= 1)
        if (actions & bit)
            json_array_append_new(list, json_string(webhook_action_name(bit)));
    return list;
}

static json_t *webhook_json(struct op *op, const struct resource *r, const struct webhook *hook)
{
    json_t *value = resource_json(op, r), *p = json_new_object(op);

    json_set_text(p, "status", states[!hook->enabled]);
    json_set_text(p, "scope", hook->scope);
    json_object_set(p, "actions", actions_json(op, hook->actions));
    json_set_text(p, "provisioningState", "Succeeded");
    json_object_set(value, "properties", p);
    return value;
}

enum fault webhook_render(struct op *op, const struct resource *r, json_t **ret)
{
    const struct registry *registry;
    struct resource_id id;
    struct webhook hook;

    TRY(resource_id_parse(op, r->id, &id));
    TRY(registry_of_id(op, &id, &registry));
    TRY(registry_fault(op, webhook_get(op, registry->id, id.name, &hook)));
    *ret = webhook_json(op, r, &hook);
    return OK;
}

enum fault webhook_type_remove(struct op *op, const struct resource *r, int64_t *ret_again_ms)
{
    const struct registry *registry;
    struct resource_id id;
    enum fault fault;

    (void)ret_again_ms;
    TRY(resource_id_parse(op, r->id, &id));
    fault = registry_of_id(op, &id, &registry);
    if (fault == OK)
        fault = webhook_delete(op, registry->id, id.name);
    if (fault != NOT_FOUND)
        return registry_fault(op, fault);
    op_clear_fault(op);
    return OK;
}

static enum fault reply_webhook(struct call *c, int status, const struct resource *r)
{
    json_t *value;

    TRY(webhook_render(&c->op, r, &value));
    return arm_reply(c, status, value);
}

/* ---- reading ---- */

enum fault webhook_read(struct call *c)
{
    struct resource now;

    TRY(resource_get(&c->op, arm_id(c), &now));
    return reply_webhook(c, 200, &now);
}

enum fault webhooks_list(struct call *c)
{
    struct op *op = &c->op;
    const struct resource_id *id = arm_id(c);
    struct resource_filter filter = {
        .subscription = id->subscription, .group = id->group, .type = TYPE, .parent = id->key};
    json_t *values = json_new_array(op), *value;
    const struct registry *registry;
    struct resource *list;
    struct arm_page page;
    size_t n;

    TRY(registry_of_call(c, &registry));
    TRY(page_read_arm(c, 100, &page));
    filter.last = page.last;
    filter.limit = page.limit;
    TRY(resource_list(op, &filter, &list, &n));
    for (size_t i = 0; i < n && i < (size_t)page.top; i++) {
        TRY(webhook_render(op, &list[i], &value));
        json_array_append(values, value);
    }
    return page_reply(c, values, n > (size_t)page.top ? list[page.top - 1].key : NULL);
}

/* ---- writing ---- */

static enum fault read_actions(struct op *op, const json_t *body, unsigned *actions)
{
    const char **names = NULL;
    size_t n = 0;

    TRY(body_texts(op, body, "properties.actions", 16, 64, &names, &n));
    if (!names)
        return OK;
    *actions = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned action = webhook_action_parse(names[i]);

        if (!action)
            return arm_fail_at(op, "InvalidParameter", INVALID, "properties.actions",
                               "\"%s\" is not an action of webhooks", names[i]);
        *actions |= action;
    }
    return OK;
}

static enum fault read_headers(struct op *op, const json_t *body, struct webhook_wanted *wanted)
{
    json_t *headers = NULL, *value;
    struct header *list;
    const char *name;

    TRY(body_object(op, body, "properties.customHeaders", &headers));
    if (!headers)
        return OK;
    if (json_object_size(headers) > WEBHOOK_HEADERS_MAX)
        return arm_fail_at(op, "InvalidParameter", INVALID, "properties.customHeaders",
                           "a webhook has at most %d headers", WEBHOOK_HEADERS_MAX);
    list = arena_alloc(&op->arena, (json_object_size(headers) + 1) * sizeof(*list));
    wanted->headers = list;
    wanted->n_headers = 0;
    wanted->keep_headers = false;
    json_object_foreach(headers, name, value)
    {
        if (!json_is_string(value))
            return arm_fail_at(op, "InvalidParameter", INVALID, "properties.customHeaders",
                               "the header \"%s\" must be a text", name);
        list[wanted->n_headers++] = (struct header){name, json_string_value(value)};
    }
    return OK;
}

static enum fault read_body(struct call *c, const json_t *body, struct webhook_wanted *wanted)
{
    struct op *op = &c->op;
    struct resource_id target;
    struct resource there;
    const char *status = NULL;

    TRY(body_choice(op, body, "properties.status", states, &status));
    if (status)
        wanted->enabled = status == states[0];
    TRY(body_text(op, body, "properties.scope", 0, 512, &wanted->scope));
    TRY(body_text(op, body, "properties.serviceUri", 1, 4096, &wanted->service_uri));
    if (wanted->service_uri && webhook_uri_is_path(wanted->service_uri)) {
        TRY(continuous_deployment_check(c, wanted->service_uri, &target));
        TRY(resource_get(op, &target, &there));
        wanted->who = arm_who(c)->object_id;
    }
    TRY(read_actions(op, body, &wanted->actions));
    return read_headers(op, body, wanted);
}

static enum fault finish_write(struct call *c, const struct registry *registry,
                               const struct resource *now, int status)
{
    TRY(db_commit(&c->op));
    TRY(registry_changed(&c->op, registry->id));
    return reply_webhook(c, status, now);
}

enum fault webhook_write(struct call *c)
{
    struct op *op = &c->op;
    struct webhook_wanted wanted = {.name = arm_id(c)->name, .enabled = true};
    struct resource envelope = {.state = "Succeeded"}, now;
    const struct registry *registry;
    struct webhook_callback there;
    bool created, row_created;
    json_t *body;

    TRY(registry_of_call(c, &registry));
    TRY(body_read(c, false, &body));
    TRY(body_location(op, body, true, &envelope.location));
    TRY(body_tags(op, body, &envelope.tags, NULL));
    TRY(read_body(c, body, &wanted));
    TRY(db_begin(op));
    /* what a GET shows has no address: put back, it keeps the one that is there */
    if (!wanted.service_uri && webhook_callback(op, registry->id, wanted.name, &there) != OK)
        return arm_fail_at(op, "InvalidParameter", INVALID, "properties.serviceUri",
                           "a webhook needs a serviceUri");
    wanted.keep_headers = !wanted.service_uri && !wanted.headers;
    TRY(resource_put(c, arm_id(c), &envelope, &now, &created));
    TRY(registry_fault(op, webhook_put(op, registry, &wanted, &row_created)));
    return finish_write(c, registry, &now, created ? 201 : 200);
}

enum fault webhook_update(struct call *c)
{
    struct op *op = &c->op;
    struct webhook_wanted wanted;
    struct resource part = {0}, now;
    const struct registry *registry;
    struct webhook hook;
    bool tags_given, row_created;
    const char *tags;
    json_t *body;

    TRY(registry_of_call(c, &registry));
    TRY(body_read(c, true, &body));
    TRY(body_tags(op, body, &tags, &tags_given));
    part.tags = tags_given ? tags : NULL;
    TRY(db_begin(op));
    TRY(resource_patch(c, arm_id(c), &part, &now));
    TRY(registry_fault(op, webhook_get(op, registry->id, arm_id(c)->name, &hook)));
    wanted = (struct webhook_wanted){.name = hook.name,
                                     .enabled = hook.enabled,
                                     .scope = hook.scope,
                                     .actions = hook.actions,
                                     .keep_headers = true};
    TRY(read_body(c, body, &wanted));
    TRY(registry_fault(op, webhook_put(op, registry, &wanted, &row_created)));
    return finish_write(c, registry, &now, 200);
}

enum fault webhook_remove(struct call *c)
{
    struct op *op = &c->op;
    const struct registry *registry;
    bool existed;

    TRY(registry_of_call(c, &registry));
    TRY(db_begin(op));
    TRY(resource_delete(op, arm_id(c), &existed));
    if (!existed)
        return reply_empty(c, 204);
    TRY(registry_fault(op, webhook_delete(op, registry->id, arm_id(c)->name)));
    TRY(db_commit(op));
    TRY(registry_changed(op, registry->id));
    TRY(resource_deleted(op, arm_id(c)));
    return reply_empty(c, 200);
}

/* ---- actions ---- */

enum fault webhook_ping_now(struct call *c)
{
    struct op *op = &c->op;
    json_t *answer = json_new_object(op);
    const struct registry *registry;
    const char *id;

    TRY(registry_of_call(c, &registry));
    TRY(db_begin(op));
    TRY(registry_fault(op, webhook_ping(op, registry, arm_id(c)->name, &id)));
    TRY(db_commit(op));
    webhook_wake();
    json_set_text(answer, "id", id);
    return arm_reply(c, 200, answer);
}

enum fault webhook_callback_config(struct call *c)
{
    struct op *op = &c->op;
    json_t *answer = json_new_object(op), *headers = json_new_object(op);
    const struct registry *registry;
    struct webhook_callback callback;

    TRY(registry_of_call(c, &registry));
    TRY(registry_fault(op, webhook_callback(op, registry->id, arm_id(c)->name, &callback)));
    for (size_t i = 0; i < callback.n_headers; i++)
        json_set_text(headers, callback.headers[i].name, callback.headers[i].value);
    json_set_text(answer, "serviceUri", callback.service_uri);
    json_object_set(answer, "customHeaders", headers);
    reply_header(c, "Cache-Control", "no-store");
    return arm_reply(c, 200, answer);
}

static json_t *request_json(struct op *op, const struct webhook_event *event)
{
    json_t *request = json_new_object(op);

    json_set_raw(request, "content", event->content);
    json_set_raw(request, "headers", event->request_headers);
    json_set_text(request, "method", event->method);
    json_set_text(request, "requestUri", event->uri);
    json_set_text(request, "version", event->version);
    return request;
}

static json_t *event_json(struct op *op, const struct webhook_event *event)
{
    json_t *value = json_new_object(op), *response = json_new_object(op);

    json_set_text(value, "id", event->id);
    json_object_set(value, "eventRequestMessage", request_json(op, event));
    if (!event->reason)
        return value;
    json_set_text(response, "content", event->response_content ? event->response_content : "");
    json_set_raw(response, "headers", event->response_headers ? event->response_headers : "{}");
    json_set_text(response, "reasonPhrase", event->reason);
    if (event->status)
        json_object_set_new(response, "statusCode", json_sprintf("%d", (int)event->status));
    json_set_text(response, "version", event->version);
    json_object_set(value, "eventResponseMessage", response);
    return value;
}

enum fault webhook_events_list(struct call *c)
{
    struct op *op = &c->op;
    json_t *values = json_new_array(op);
    const struct registry *registry;
    struct webhook_event *events;
    size_t n;

    TRY(registry_of_call(c, &registry));
    TRY(registry_fault(op, webhook_events(op, registry->id, arm_id(c)->name, &events, &n)));
    for (size_t i = 0; i < n; i++)
        json_array_append(values, event_json(op, &events[i]));
    return page_reply(c, values, NULL);
}
