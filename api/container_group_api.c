/*
 *~ Microsoft.ContainerInstance: the table of contents of its management API. A PUT writes the
 *~ envelope and the group's row in one transaction, wakes the reconciler (instances/group_steps.c)
 *~ and is parked until that has brought the group up, 2 s at most.
 */
#include <string.h>

#include "api/body.h"
#include "api/cache.h"
#include "api/container_instance.h"
#include "api/operation.h"
#include "api/quota.h"
#include "api/resource_page.h"
#include "auth/entra.h"
#include "auth/managed_identity.h"
#include "core/db.h"
#include "core/json.h"
#include "instances/exec_session.h"
#include "instances/group_run.h"
#include "instances/group_wait.h"
#include "instances/image.h"

#define PARK_MS 2000
#define KIND    "containerGroup.write"

/* ---- showing ---- */

static enum fault render_with(struct op *op, const struct resource *r,
                              const struct container_group *g, bool view, json_t **ret)
{
    json_t *document, *properties;

    *ret = resource_json(op, r);
    TRY(container_group_properties(op, g, view, &properties));
    TRY(json_parse(op, BYTES(g->document), &document));
    if (json_object_get(document, "zones"))
        json_object_set(*ret, "zones", json_object_get(document, "zones"));
    json_object_set(*ret, "properties", properties);
    return OK;
}

static enum fault render(struct op *op, const struct resource *r, json_t **ret)
{
    struct container_group g;
    enum fault fault = container_group_get(op, r->key, &g);

    if (fault == NOT_FOUND) { /* deleted at this moment */
        op_clear_fault(op);
        *ret = resource_json(op, r);
        return OK;
    }
    TRY(fault);
    return render_with(op, r, &g, true, ret);
}

static enum fault get(struct call *c)
{
    unsigned generation = cache_generation(arm_id(c)->key);
    struct resource now;
    json_t *value;

    TRY(resource_get(&c->op, arm_id(c), &now));
    TRY(render(&c->op, &now, &value));
    return cache_reply(c, generation, value);
}

static enum fault reply_now(struct call *c, int status)
{
    struct resource now;
    json_t *value;

    TRY(resource_get(&c->op, arm_id(c), &now));
    TRY(render(&c->op, &now, &value));
    return arm_reply(c, status, value);
}

/* ---- PUT ---- */

/* What the group's identity is after this write, as the envelope keeps it. */
static enum fault write_identity(struct call *c, const struct container_group_body *body,
                                 const json_t *before, const struct container_group *old,
                                 struct container_group_wish *wish)
{
    struct op *op = &c->op;
    const char *principal = old ? old->principal : NULL, *header = NULL;
    struct managed_identity made;

    if (!body->system_identity) {
        json_object_del(body->full, "identity");
        if (principal)
            TRY(managed_identity_delete(op, principal));
        return OK;
    }
    header = json_string_value(json_object_get(before, "identityHeader"));
    if (!principal || !header) {
        TRY(managed_identity_create(op, arm_id(c)->path, arm_id(c)->name, &made));
        principal = made.principal_id;
        header = made.header;
    }
    json_set_text(body->full, "identityHeader", header);
    wish->principal = principal;
    return OK;
}

static const char *identity_json(struct op *op, const char *principal)
{
    return principal ? arena_printf(&op->arena,
                                    "{\"type\":\"SystemAssigned\",\"principalId\":\"%s\","
                                    "\"tenantId\":\"%s\"}",
                                    principal, entra_tenant())
                     : NULL;
}

/* As far as is known without asking anybody else. */
static enum fault check_images(struct call *c, const struct container_group_body *body,
                               const char *principal)
{
    struct op *op = &c->op;
    const char *const principals[] = {principal, NULL};
    struct group_spec spec;

    TRY(group_spec_read(op, body->full, &spec));
    for (size_t i = 0; i < spec.n_containers; i++) {
        const struct image_request request = {
            .name = spec.containers[i].image,
            .subscription = arm_id(c)->subscription,
            .credentials = spec.credentials,
            .n_credentials = spec.n_credentials,
            .principals = principals,
        };
        enum fault fault = image_check(op, &request);

        if (fault == INVALID || fault == NOT_FOUND || fault == FORBIDDEN)
            return arm_fail_at(op, "InaccessibleImage", INVALID, "properties.containers",
                               "The image '%s' in container group '%s' is not accessible. Please "
                               "check the image and registry credential. (%s)",
                               spec.containers[i].image, arm_id(c)->name, op->message);
        TRY(fault);
    }
    return OK;
}

static enum fault check_cores(struct call *c, const struct container_group_body *body)
{
    const char *subscription = arm_id(c)->subscription;
    int64_t used = 0, limit = quota_limit(&c->op, subscription, &quota_cores);

    TRY(quota_usage(&c->op, subscription, &quota_cores, &used));
    if (used <= limit)
        return OK;
    return fail_on(&c->op, "ContainerGroupQuotaReached", CONFLICT,
                   "Resource type 'Microsoft.ContainerInstance/containerGroups' container group "
                   "quota 'StandardCores' exceeded in region '%s'. Limit: '%lld', Usage: '%lld' "
                   "Requested: '%lld'.",
                   body->location, (long long)limit,
                   (long long)(used - (body->cpu_millis + 999) / 1000),
                   (long long)((body->cpu_millis + 999) / 1000));
}

/* The service's own words for what its functions say. */
static enum fault translate(struct op *op, enum fault fault)
{
    if (fault == CONFLICT && op->noun && strcmp(op->noun, "label") == 0)
        return arm_fail_at(op, "DnsNameLabelNotAvailable", CONFLICT,
                           "properties.ipAddress.dnsNameLabel",
                           "The DNS name label is not available: %s.", op->message);
    return fault;
}

enum fault container_group_follow(struct call *c, const struct container_group_started *started,
                                  int headers)
{
    struct op *op = &c->op;
    struct operation o = {.kind = KIND, .provider = ACI_NAMESPACE, .location = started->location};

    o.input = arena_printf(&op->arena, "{\"id\":%lld,\"generation\":%lld}",
                           (long long)started->written.id, (long long)started->written.generation);
    TRY(db_begin(op));
    TRY(operation_start(c, &o));
    TRY(db_commit(op));
    operation_headers(c, &o, headers);
    return OK;
}

static enum fault put_answer(struct call *c, bool reached, void *arg)
{
    const struct container_group_started *started = arg;

    if (!reached)
        TRY(container_group_follow(c, started, OPERATION_ASYNC));
    cache_changed(arm_id(c)->key);
    return reply_now(c, started->created ? 201 : 200);
}

struct put {
    struct container_group_body body;
    struct container_group_wish wish;
    struct container_group old;
    json_t *before;
    bool there;
};

static enum fault read_old(struct call *c, struct put *put)
{
    enum fault fault = container_group_get(&c->op, arm_id(c)->key, &put->old);

    if (fault == NOT_FOUND) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    put->there = true;
    return container_group_unseal(&c->op, &put->old, &put->before);
}

static enum fault put_rows(struct call *c, struct put *put, struct container_group_written *written,
                           bool *ret_created)
{
    struct op *op = &c->op;
    struct container_group_body *body = &put->body;
    struct container_group_wish *wish = &put->wish;
    struct resource wanted = {.state = "Succeeded", .location = body->location, .tags = body->tags},
                    now;

    TRY(write_identity(c, body, put->before, put->there ? &put->old : NULL, wish));
    wanted.identity = identity_json(op, wish->principal);
    TRY(resource_put(c, arm_id(c), &wanted, &now, ret_created));
    wish->key = now.key;
    wish->scope = now.id;
    wish->subscription = now.subscription;
    wish->location = now.location;
    wish->name = now.name;
    wish->has_public = body->has_public;
    wish->label = body->label;
    wish->cpu_millis = body->cpu_millis;
    wish->document = json_text_of(op, shape_public(op, container_group_shape, body->full));
    wish->full = json_text_of(op, body->full);
    TRY(translate(op, container_group_put(op, wish, written)));
    return check_cores(c, body);
}

static enum fault put(struct call *c)
{
    struct op *op = &c->op;
    struct container_group_started *started = arena_alloc(&op->arena, sizeof(*started));
    struct put put = {0};
    bool identity;

    TRY(db_begin(op));
    TRY(read_old(c, &put));
    TRY(container_group_body_read(c, put.before, &put.body));
    TRY(container_groups_supported(op));
    TRY(check_images(c, &put.body, put.there ? put.old.principal : NULL));
    TRY(put_rows(c, &put, &started->written, &started->created));
    started->location = put.wish.location;
    TRY(db_commit(op));
    identity = put.wish.principal || (put.there && put.old.principal);
    if (identity)
        TRY(role_reload(op));
    cache_changed(arm_id(c)->key);
    if (!started->written.begins)
        return reply_now(c, 200);
    return group_wait(c, started->written.id, started->written.generation, GROUP_GOAL_SETTLED,
                      PARK_MS, put_answer, started);
}

/* ---- the operation ---- */

static enum fault look(struct op *op, struct operation *o)
{
    struct container_group g;
    json_t *input;
    int64_t id, generation;
    enum fault fault;

    TRY(json_parse(op, BYTES(o->input ? o->input : "{}"), &input));
    id = json_integer_value(json_object_get(input, "id"));
    generation = json_integer_value(json_object_get(input, "generation"));
    fault = container_group_by_id(op, id, &g);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        o->status =
            OPERATION_SUCCEEDED; /* of a deletion; a creation cannot have been seen to end */
        return OK;
    }
    TRY(fault);
    if (g.generation > generation) { /* another request has taken over */
        o->status = OPERATION_SUCCEEDED;
        return OK;
    }
    if (g.observed != g.generation || g.provisioning < PROVISIONING_SUCCEEDED)
        return OK;
    o->status = g.provisioning == PROVISIONING_FAILED ? OPERATION_FAILED : OPERATION_SUCCEEDED;
    o->code = g.fault_code;
    o->message = g.fault_text;
    return OK;
}

static const struct operation_kind kind = {KIND, look, NULL};

/* ---- PATCH ---- */

static enum fault patch(struct call *c)
{
    struct op *op = &c->op;
    struct resource part = {0}, now;
    const char *tags;
    bool given;
    json_t *body;

    TRY(body_read(c, true, &body));
    TRY(body_tags(op, body, &tags, &given));
    part.tags = given ? tags : NULL;
    if (body_at(body, "properties"))
        return arm_fail_at(op, "InvalidRequestContent", INVALID, "properties",
                           "Only tags of a container group can be patched; PUT changes the rest.");
    TRY(db_begin(op));
    TRY(resource_get_for_update(op, arm_id(c), &now));
    TRY(resource_patch(c, arm_id(c), &part, &now));
    TRY(db_commit(op));
    cache_changed(arm_id(c)->key);
    return reply_now(c, 200);
}

/* ---- DELETE ---- */

struct deletion {
    struct container_group_started started;
    json_t *shown;
};

static enum fault delete_answer(struct call *c, bool reached, void *arg)
{
    const struct deletion *d = arg;

    if (reached)
        return arm_reply(c, 200, d->shown);
    TRY(container_group_follow(c, &d->started, OPERATION_LOCATION | OPERATION_ASYNC));
    return reply_empty(c, 202);
}

static enum fault remove_group(struct call *c)
{
    struct op *op = &c->op;
    struct deletion *d = arena_alloc(&op->arena, sizeof(*d));
    struct container_group g;
    struct resource now;
    enum fault fault;

    TRY(db_begin(op));
    fault = resource_get_for_update(op, arm_id(c), &now);
    if (fault == NOT_FOUND && strcmp(op->noun, "ResourceNotFound") == 0) {
        op_clear_fault(op);
        return reply_empty(c, 204);
    }
    TRY(fault);
    TRY(container_group_get(op, now.key, &g));
    TRY(render_with(op, &now, &g, true, &d->shown));
    TRY(container_group_want(op, &g, GROUP_WANT_DELETED, false, &d->started.written));
    d->started.location = now.location;
    TRY(db_commit(op));
    cache_changed(arm_id(c)->key);
    return group_wait(c, g.id, INT64_MAX, GROUP_GOAL_GONE, PARK_MS, delete_answer, d);
}

/* ---- lists ---- */

static enum fault render_all(struct op *op, const struct resource *list, size_t n, json_t *values)
{
    const char **keys = arena_alloc(&op->arena, (n + 1) * sizeof(*keys));
    struct container_group *groups;
    size_t n_groups, at = 0;
    json_t *value;

    for (size_t i = 0; i < n; i++)
        keys[i] = list[i].key;
    TRY(container_group_list(op, keys, n, &groups, &n_groups));
    for (size_t i = 0; i < n; i++) {
        while (at < n_groups && strcmp(groups[at].key, list[i].key) < 0)
            at++;
        if (at == n_groups || strcmp(groups[at].key, list[i].key) != 0)
            continue;
        TRY(render_with(op, &list[i], &groups[at], false, &value));
        json_array_append(values, value);
    }
    return OK;
}

static enum fault list(struct call *c)
{
    return resource_page_reply(c, ACI_TYPE, render_all);
}

/* ---- the provider ---- */

/* A group of resources goes: all its container groups end at the same time. */
static enum fault type_remove(struct op *op, const struct resource *r, int64_t *ret_again_ms)
{
    struct container_group g;
    struct resource_id id;
    enum fault fault = container_group_get(op, r->key, &g);

    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    TRY(resource_id_parse(op, r->id, &id));
    TRY(container_group_want_deleted_below(op, id_lower(op, id.scope)));
    container_group_wake_after(g.id, 1000); /* what was committed late was looked at too early */
    *ret_again_ms = 50;
    return OK;
}

static enum fault type_move(struct op *op, const struct resource *r, const struct resource_id *to)
{
    return container_group_rekey(op, r->key, to->path, to->key, to->subscription);
}

static enum fault on_removed(struct op *op, const struct container_group *g)
{
    struct resource_id id;
    bool existed;

    TRY(resource_id_parse(op, g->scope, &id));
    TRY(resource_delete(op, &id, &existed));
    if (g->principal && managed_identity_delete(op, g->principal) != OK) {
        if (op->fault != NOT_FOUND)
            return op->fault;
        op_clear_fault(op);
    }
    return OK;
}

static void after_removal(struct op *op, const struct container_group *g)
{
    struct resource_id id;

    if (resource_id_parse(op, g->scope, &id) != OK || resource_deleted(op, &id) != OK ||
        (g->principal && role_reload(op) != OK))
        op_clear_fault(op); /* it is gone; memory hears of it with the next change */
}

static void on_changed(const char *key)
{
    if (key)
        cache_changed(key);
    else
        cache_changed_all();
}

static void start(void)
{
    static const struct container_group_listener listener = {on_removed, after_removal, on_changed};

    operation_kind_register(&kind);
    container_group_listen(&listener);
}

static const char *const versions[] = {
    "2026-07-01",         "2026-05-01", "2025-09-01", "2024-05-01-preview", "2023-05-01",
    "2022-10-01-preview", "2022-09-01", "2021-10-01", "2021-09-01",         "2021-07-01",
    "2021-03-01",         "2020-11-01", "2019-12-01", "2018-10-01",         "2018-09-01",
    "2018-06-01",         "2018-04-01", NULL};

/* What instances/group_usage.h samples. */
#define METRIC(n, d, t, u, ...)                                                                    \
    {                                                                                              \
        .name = n, .display = d, .description = t, .unit = u, .category = "Saturation",            \
        .primary = "Average", .dimensions = {__VA_ARGS__ NULL}, .fine = true                       \
    }
static const struct metric_kind metrics[] = {
    METRIC("CpuUsage", "CPU Usage", "CPU usage on all cores in millicores.", "Count",
           "containerName", ),
    METRIC("MemoryUsage", "Memory Usage", "Total memory usage in byte.", "Bytes",
           "containerName", ),
    METRIC("NetworkBytesReceivedPerSecond", "Network Bytes Received Per Second",
           "The network bytes received per second.", "Bytes", ),
    METRIC("NetworkBytesTransmittedPerSecond", "Network Bytes Transmitted Per Second",
           "The network bytes transmitted per second.", "Bytes", ),
    {0},
};

static const struct resource_type types[] = {
    {"containerGroups",        versions, .tracked = true, .render = render, .remove = type_remove,
     .move = type_move, .metrics = metrics},
    {"locations",         versions, .no_row = true},
    {"locations/capabilities",   versions, .no_row = true},
    {"locations/usages",      versions, .no_row = true},
    {"locations/cachedImages",              versions, .no_row = true},
    {"locations/operations",          versions, .no_row = true},
    {"locations/operationResults", versions, .no_row = true},
    {"operations",          versions, .no_row = true},
    {0      },
};

#define OPERATION(name, resource, what)                                                            \
    {                                                                                              \
        ACI_NAMESPACE "/" name, resource, what, what, false                                        \
    }

static const struct provider_operation operations[] = {
    OPERATION("register/action", "Subscription", "Register the provider"),
    OPERATION("containerGroups/read", "Container Groups", "Get Container Groups"),
    OPERATION("containerGroups/write", "Container Groups", "Create or update a container group"),
    OPERATION("containerGroups/delete", "Container Groups", "Delete a container group"),
    OPERATION("containerGroups/restart/action", "Container Groups", "Restart a container group"),
    OPERATION("containerGroups/stop/action", "Container Groups", "Stop a container group"),
    OPERATION("containerGroups/start/action", "Container Groups", "Start a container group"),
    OPERATION("containerGroups/outboundNetworkDependenciesEndpoints/read", "Container Groups",
              "Get outbound dependencies"),
    OPERATION("containerGroups/containers/logs/read", "Container Logs", "Get container logs"),
    OPERATION("containerGroups/containers/exec/action", "Container Exec", "Run in a container"),
    OPERATION("containerGroups/containers/attach/action", "Container Attach",
              "Attach to a container"),
    OPERATION("locations/usages/read", "Usage", "Get usage of a region"),
    OPERATION("locations/cachedImages/read", "Cached Images", "Get cached images of a region"),
    OPERATION("locations/capabilities/read", "Capabilities", "Get capabilities of a region"),
    OPERATION("operations/read", "Operations", "List operations"),
    {0},
};

#define S       "/subscriptions/{subscription}"
#define RG      S "/resourceGroups/{group}"
#define P       "/providers/" ACI_NAMESPACE
#define G       RG P "/containerGroups/{name}"
#define C       G "/containers/{container}"
#define A(what) ACI_TYPE "/" what

/* clang-format off */
#define NOT_BUILT(m, pattern, what, right) \
    {m, pattern, ARM_ACTION, CALL, arm_not_built, what, ARM_BODY_MAX, .action = ACI_NAMESPACE "/" right}
#define NOT_BUILT_KIND(kind) \
    NOT_BUILT(GET, S P "/" kind, kind, kind "/read"), \
    NOT_BUILT(GET, RG P "/" kind, kind, kind "/read"), \
    NOT_BUILT(GET, RG P "/" kind "/{item+}", kind, kind "/read"), \
    NOT_BUILT(PUT, RG P "/" kind "/{item+}", kind, kind "/write"), \
    NOT_BUILT(PATCH, RG P "/" kind "/{item+}", kind, kind "/write"), \
    NOT_BUILT(POST, RG P "/" kind "/{item+}", kind, kind "/write"), \
    NOT_BUILT(DELETE, RG P "/" kind "/{item+}", kind, kind "/delete")

static const struct route routes[] = {
    {GET, S P "/containerGroups", ARM_SIGNED_IN, CALL, list, "container groups of a subscription",
     .query = "$top, $skiptoken"},
    {GET, RG P "/containerGroups", ARM_SIGNED_IN, CALL, list, "container groups of a group",
     .query = "$top, $skiptoken"},
    {GET, G, ARM_ACTION, CALL, get, "a container group", .from_memory = arm_get_cached,
     .action = A("read")},
    {PUT, G, ARM_ACTION, CALL, put, "make or replace a container group (long-running)",
     ARM_BODY_MAX, .action = A("write")},
    {PATCH, G, ARM_ACTION, CALL, patch, "change a container group's tags", ARM_BODY_MAX,
     .action = A("write")},
    {DELETE, G, ARM_ACTION, CALL, remove_group, "delete a container group (long-running)",
     .action = A("delete")},
    {POST, G "/start", ARM_ACTION, CALL, container_group_start_api, "start it (long-running)",
     .action = A("start/action")},
    {POST, G "/stop", ARM_ACTION, CALL, container_group_stop_api, "stop it",
     .action = A("stop/action")},
    {POST, G "/restart", ARM_ACTION, CALL, container_group_restart_api,
     "stop and start it, with its images asked for anew", .action = A("restart/action")},
    {GET, C "/logs", ARM_ACTION, CALL, container_group_logs_api, "what a container printed",
     .query = "tail, timestamps", .action = A("containers/logs/read")},
    {POST, C "/exec", ARM_ACTION, CALL, container_group_exec_api,
     "run a command in a container: an address and a password for it", ARM_BODY_MAX,
     .action = A("containers/exec/action")},
    {POST, C "/attach", ARM_ACTION, CALL, container_group_attach_api,
     "follow a container's output: an address and a password for it", ARM_BODY_MAX,
     .action = A("containers/attach/action")},
    {GET, G "/outboundNetworkDependenciesEndpoints", ARM_ACTION, CALL,
     container_group_outbound_api, "what it needs outside: nothing",
     .action = A("outboundNetworkDependenciesEndpoints/read")},
    {GET, S P "/locations/{location}/usages", ARM_ACTION, CALL, container_usages_api,
     "what is in use of the quotas", .action = ACI_NAMESPACE "/locations/usages/read"},
    {GET, S P "/locations/{location}/cachedImages", ARM_ACTION, CALL,
     container_cached_images_api, "images of other registries that are here",
     .action = ACI_NAMESPACE "/locations/cachedImages/read"},
    {GET, S P "/locations/{location}/capabilities", ARM_ACTION, CALL,
     container_capabilities_api, "how big a container group may be",
     .action = ACI_NAMESPACE "/locations/capabilities/read"},
    NOT_BUILT_KIND("containerGroupProfiles"), NOT_BUILT_KIND("ngroups"),
    NOT_BUILT_KIND("sandboxGroups"),
    NOT_BUILT(DELETE, RG "/providers/Microsoft.Network/virtualNetworks/{network}/subnets/{subnet}"
              P "/serviceAssociationLinks/default", "service association links of a subnet",
              "serviceAssociationLinks/delete"),
    {GET, "/exec/{session}", 0, STREAM, exec_session_open,
     "the WebSocket of an exec or attach; its first frame is the password", .query = "rows, cols"},
    {0},
};
/* clang-format on */

const struct provider container_instance_provider = {
    .name = ACI_NAMESPACE,
    .display = "Microsoft Container Instance",
    .types = types,
    .operations = operations,
    .start = start,
};

const struct service container_instance_service = {
    .name = "containerinstance",
    .routes = routes,
    .dialect = &arm_dialect,
    .any_case = true,
    .authorise = arm_authorise,
    .decorate = arm_decorate,
};
