/*
 *~ Microsoft.ContainerService: the table of contents of its management API. A PUT writes the
 *envelope ~ and the cluster's row in one transaction, wakes the reconciler
 *(clusters/cluster_reconcile.c) and ~ is parked until the cluster has come up, 2 s at most.
 */
#include <string.h>

#include "api/body.h"
#include "api/cache.h"
#include "api/managed_cluster.h"
#include "api/managed_cluster_address.h"
#include "api/operation.h"
#include "api/resource_page.h"
#include "auth/entra.h"
#include "auth/managed_identity.h"
#include "core/db.h"
#include "core/json.h"

#define KIND "managedCluster.write"

/* ---- showing ---- */

static enum fault render_with(struct op *op, const struct resource *r,
                              const struct managed_cluster *m, json_t **ret)
{
    json_t *properties;

    *ret = resource_json(op, r);
    TRY(managed_cluster_properties(op, m, &properties));
    json_object_set(*ret, "properties", properties);
    json_set_text(*ret, "eTag", arena_printf(&op->arena, "%08llx", (unsigned long long)m->version));
    return OK;
}

static enum fault render(struct op *op, const struct resource *r, json_t **ret)
{
    struct managed_cluster m;
    enum fault fault = managed_cluster_get(op, r->key, &m);

    if (fault == NOT_FOUND) { /* deleted at this moment */
        op_clear_fault(op);
        *ret = resource_json(op, r);
        return OK;
    }
    TRY(fault);
    return render_with(op, r, &m, ret);
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

enum fault managed_cluster_of_call(struct call *c, struct managed_cluster *ret)
{
    struct resource_id id = *arm_id(c);
    struct resource r;
    enum fault fault;

    while (strcasecmp(id.full_type, AKS_TYPE) != 0 &&
           id.parent) /* "…/managedClusters/C/agentPools/P" */
        TRY(resource_id_parse(&c->op, id.parent, &id));
    TRY(resource_get(&c->op, &id, &r));
    fault = managed_cluster_get(&c->op, r.key, ret);
    return fault == NOT_FOUND ? arm_not_found(&c->op, &id) : fault;
}

enum fault managed_cluster_address_of(struct call *c, const char *id, const char **ret)
{
    struct managed_cluster m;

    TRY(managed_cluster_get(&c->op, id_lower(&c->op, id), &m));
    *ret = managed_cluster_address(c, &m);
    return OK;
}

/* ---- PUT ---- */

struct put {
    struct managed_cluster_body body;
    struct managed_cluster_wish wish;
    struct managed_cluster old;
    json_t *before;
    bool there;
    struct cluster_written written;
    const char *location;
};

static enum fault read_old(struct call *c, struct put *put)
{
    enum fault fault = managed_cluster_get(&c->op, arm_id(c)->key, &put->old);

    if (fault == NOT_FOUND) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    put->there = true;
    return json_parse(&c->op, BYTES(put->old.document), &put->before);
}

/* The identity that pulls images: az gives it AcrPull by its client id (--attach-acr). */
static enum fault make_kubelet(struct call *c, struct put *put)
{
    struct op *op = &c->op;
    const struct resource_id *id = arm_id(c);
    const char *name = arena_printf(&op->arena, "%s-agentpool", id->name), *resource;
    struct managed_identity made;

    resource =
        arena_printf(&op->arena,
                     "/subscriptions/%s/resourcegroups/%s/providers/"
                     "Microsoft.ManagedIdentity/userAssignedIdentities/%s",
                     id->subscription,
                     json_string_value(json_object_get(put->body.full, "nodeResourceGroup")), name);
    TRY(managed_identity_create(op, resource, name, &made));
    put->wish.kubelet = made.principal_id;
    json_object_set_new(put->body.full, "identityProfile",
                        json_pack("{s:{s:s, s:s, s:s}}", "kubeletidentity", "resourceId", resource,
                                  "clientId", made.client_id, "objectId", made.principal_id));
    return OK;
}

static enum fault write_identities(struct call *c, struct put *put)
{
    struct managed_identity made;

    put->wish.principal = put->there ? put->old.principal : NULL;
    put->wish.kubelet = put->there ? put->old.kubelet : NULL;
    if (put->body.system_identity && !put->wish.principal) {
        TRY(managed_identity_create(&c->op, arm_id(c)->path, arm_id(c)->name, &made));
        put->wish.principal = made.principal_id;
    }
    return put->wish.kubelet ? OK : make_kubelet(c, put);
}

static const char *identity_json(struct op *op, const char *principal)
{
    return principal ? arena_printf(&op->arena,
                                    "{\"type\":\"SystemAssigned\",\"principalId\":\"%s\","
                                    "\"tenantId\":\"%s\"}",
                                    principal, entra_tenant())
                     : NULL;
}

/* The shape of "properties". */
static const struct shape *properties_shape(void)
{
    for (const struct shape *s = managed_cluster_shape; s->name; s++)
        if (strcmp(s->name, "properties") == 0)
            return s->of;
    return NULL;
}

static enum fault put_rows(struct call *c, struct put *put)
{
    struct op *op = &c->op;
    struct managed_cluster_wish *wish = &put->wish;
    struct resource wanted = {.state = "Succeeded",
                              .location = put->body.location,
                              .tags = put->body.tags,
                              .sku = put->body.sku},
                    now;
    bool created;

    TRY(write_identities(c, put));
    wanted.identity = identity_json(op, wish->principal);
    TRY(resource_put(c, arm_id(c), &wanted, &now, &created));
    wish->key = now.key;
    wish->scope = now.id;
    wish->subscription = now.subscription;
    wish->resource_group = now.group;
    wish->location = now.location;
    wish->name = now.name;
    wish->dns_prefix = put->body.dns_prefix;
    wish->document = json_text_of(op, shape_public(op, properties_shape(), put->body.full));
    wish->full = json_text_of(op, put->body.full);
    TRY(properties_size_check(op, "properties", wish->full, AKS_CLUSTER_BYTES));
    wish->pools = put->body.pools;
    wish->n_pools = put->body.n_pools;
    put->location = now.location;
    return managed_cluster_put(op, wish, &put->written);
}

enum fault managed_cluster_follow(struct call *c, const struct cluster_written *written,
                                  const char *location, int headers)
{
    struct op *op = &c->op;
    struct operation o = {.kind = KIND, .provider = AKS_NAMESPACE, .location = location};

    o.input = arena_printf(&op->arena, "{\"id\":%lld,\"generation\":%lld}", (long long)written->id,
                           (long long)written->generation);
    TRY(db_begin(op));
    TRY(operation_start(c, &o));
    TRY(db_commit(op));
    operation_headers(c, &o, headers);
    return OK;
}

static enum fault put_answer(struct call *c, bool reached, void *arg)
{
    const struct put *put = arg;

    if (!reached)
        TRY(managed_cluster_follow(c, &put->written, put->location, OPERATION_ASYNC));
    cache_changed(arm_id(c)->key);
    return reply_now(c, put->written.created ? 201 : 200);
}

static enum fault put(struct call *c)
{
    struct op *op = &c->op;
    struct put *put = arena_alloc(&op->arena, sizeof(*put));

    TRY(db_begin(op));
    TRY(read_old(c, put));
    TRY(arm_preconditions(
        c, put->there ? arena_printf(&op->arena, "%08llx", (unsigned long long)put->old.version)
                      : NULL));
    TRY(managed_cluster_body_read(c, put->before, &put->body));
    TRY(managed_clusters_supported(op));
    TRY(put_rows(c, put));
    TRY(db_commit(op));
    TRY(role_reload(op));
    cache_changed(arm_id(c)->key);
    if (!put->written.begins)
        return reply_now(c, 200);
    return managed_cluster_wait(c, &put->written, CLUSTER_GOAL_SETTLED, AKS_PARK_MS, put_answer,
                                put);
}

/* ---- the operation ---- */

static enum fault look(struct op *op, struct operation *o)
{
    struct managed_cluster m;
    json_t *input;
    int64_t generation;
    enum fault fault;

    TRY(json_parse(op, BYTES(o->input ? o->input : "{}"), &input));
    generation = json_integer_value(json_object_get(input, "generation"));
    fault = managed_cluster_by_id(op, json_integer_value(json_object_get(input, "id")), &m);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        o->status = OPERATION_SUCCEEDED;
        return OK;
    }
    TRY(fault);
    if (!managed_cluster_reached(&m, generation,
                                 m.wanted == CLUSTER_WANT_DELETED ? CLUSTER_GOAL_GONE
                                                                  : CLUSTER_GOAL_SETTLED))
        return OK;
    o->status = m.fault_code && m.generation == generation ? OPERATION_FAILED : OPERATION_SUCCEEDED;
    o->code = m.fault_code;
    o->message = m.fault_text;
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
        return arm_fail_at(op, "InvalidParameter", INVALID, "properties",
                           "Only tags of a managed cluster can be patched; PUT changes the rest.");
    TRY(db_begin(op));
    TRY(resource_get_for_update(op, arm_id(c), &now));
    TRY(resource_patch(c, arm_id(c), &part, &now));
    TRY(db_commit(op));
    cache_changed(arm_id(c)->key);
    return reply_now(c, 200);
}

/* ---- DELETE ---- */

struct deletion {
    struct cluster_written written;
    const char *location;
};

/* az takes 202 and 204 only. */
static enum fault delete_answer(struct call *c, bool reached, void *arg)
{
    const struct deletion *d = arg;

    if (reached)
        return reply_empty(c, 204);
    TRY(managed_cluster_follow(c, &d->written, d->location, OPERATION_LOCATION | OPERATION_ASYNC));
    return reply_empty(c, 202);
}

static enum fault remove_cluster(struct call *c)
{
    struct op *op = &c->op;
    struct deletion *d = arena_alloc(&op->arena, sizeof(*d));
    struct managed_cluster m;
    struct resource now;
    enum fault fault;

    TRY(db_begin(op));
    fault = resource_get_for_update(op, arm_id(c), &now);
    if (fault == NOT_FOUND && strcmp(op->noun, "ResourceNotFound") == 0) {
        op_clear_fault(op);
        return reply_empty(c, 204);
    }
    TRY(fault);
    TRY(managed_cluster_get(op, now.key, &m));
    TRY(managed_cluster_want(op, &m, CLUSTER_WANT_DELETED, &d->written));
    d->location = now.location;
    TRY(db_commit(op));
    cache_changed(arm_id(c)->key);
    return managed_cluster_wait(c, &d->written, CLUSTER_GOAL_GONE, AKS_PARK_MS, delete_answer, d);
}

/* ---- lists ---- */

static enum fault render_all(struct op *op, const struct resource *list, size_t n, json_t *values)
{
    const char **keys = arena_alloc(&op->arena, (n + 1) * sizeof(*keys));
    struct managed_cluster *clusters;
    size_t n_clusters, at = 0;
    json_t *value;

    for (size_t i = 0; i < n; i++)
        keys[i] = list[i].key;
    TRY(managed_cluster_list(op, keys, n, &clusters, &n_clusters));
    for (size_t i = 0; i < n; i++) {
        while (at < n_clusters && strcmp(clusters[at].key, list[i].key) < 0)
            at++;
        if (at == n_clusters || strcmp(clusters[at].key, list[i].key) != 0)
            continue;
        TRY(render_with(op, &list[i], &clusters[at], &value));
        json_array_append(values, value);
    }
    return OK;
}

static enum fault list(struct call *c)
{
    return resource_page_reply(c, AKS_TYPE, render_all);
}

/* ---- the provider ---- */

/* A group of resources goes: all its clusters end at the same time. */
static enum fault type_remove(struct op *op, const struct resource *r, int64_t *ret_again_ms)
{
    struct managed_cluster m;
    struct resource_id id;
    enum fault fault = managed_cluster_get(op, r->key, &m);

    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    TRY(resource_id_parse(op, r->id, &id));
    TRY(managed_cluster_want_deleted_below(op, id_lower(op, id.scope)));
    *ret_again_ms = 50;
    return OK;
}

static enum fault drop_identity(struct op *op, const char *principal)
{
    enum fault fault = principal ? managed_identity_delete(op, principal) : OK;

    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    return fault;
}

static enum fault on_removed(struct op *op, const struct managed_cluster *m)
{
    struct resource_id id;
    bool existed;

    TRY(resource_id_parse(op, m->scope, &id));
    TRY(resource_delete(op, &id, &existed));
    TRY(drop_identity(op, m->principal));
    return drop_identity(op, m->kubelet);
}

static void after_removal(struct op *op, const struct managed_cluster *m)
{
    struct resource_id id;

    if (resource_id_parse(op, m->scope, &id) != OK || resource_deleted(op, &id) != OK ||
        role_reload(op) != OK)
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
    static const struct managed_cluster_listener listener = {on_removed, after_removal, on_changed};

    operation_kind_register(&kind);
    managed_cluster_listen(&listener);
}

static const char *const versions[] = {
    "2026-04-01", "2026-02-01", "2026-01-01",         "2025-10-01", "2025-09-01", "2025-08-01",
    "2025-07-01", "2025-06-01", "2025-05-01",         "2025-04-01", "2025-03-01", "2025-02-01",
    "2025-01-01", "2024-10-01", "2024-09-01",         "2024-08-01", "2024-07-01", "2024-05-01",
    "2024-02-01", "2024-01-01", "2023-11-01",         "2023-10-01", "2023-09-01", "2023-08-01",
    "2023-07-01", "2023-06-01", "2023-05-01",         "2023-04-01", "2023-03-01", "2023-02-01",
    "2023-01-01", "2022-11-01", "2022-09-01",         "2022-08-01", "2022-07-01", "2022-06-01",
    "2022-04-01", "2022-03-01", "2022-02-01",         "2022-01-01", "2021-10-01", "2021-09-01",
    "2021-08-01", "2021-07-01", "2021-05-01",         "2021-03-01", "2021-02-01", "2020-12-01",
    "2020-11-01", "2020-09-01", "2020-07-01",         "2020-06-01", "2020-04-01", "2020-03-01",
    "2020-02-01", "2020-01-01", "2019-11-01",         "2019-10-01", "2019-08-01", "2019-06-01",
    "2019-04-01", "2019-02-01", "2018-08-01-preview", "2018-03-31", "2017-08-31", NULL};

/* clang-format off */
/* What clusters/cluster_meters.h tells once a minute. */
#define METRIC(n, d, t, u, p, ...)                                                                 \
    {                                                                                              \
        .name = n, .display = d, .description = t, .unit = u, .category = "Nodes", .primary = p,   \
        .dimensions = {__VA_ARGS__, NULL}                                                          \
    }
static const struct metric_kind metrics[] = {
    METRIC("node_cpu_usage_millicores", "CPU Usage Millicores",
           "Aggregated measurement of CPU utilization in millicores across the cluster",
           "MilliCores", "Average", "node", "nodepool"),
    METRIC("node_memory_working_set_bytes", "Memory Working Set Bytes",
           "Container working set memory used in a node", "Bytes", "Average", "node", "nodepool"),
    METRIC("kube_node_status_condition", "Statuses for various node conditions",
           "Statuses for various node conditions", "Count", "Total", "condition", "status", "node"),
    METRIC("kube_pod_status_phase", "Number of pods by phase", "Number of pods by phase", "Count",
           "Total", "phase", "namespace"),
    METRIC("kube_pod_status_ready", "Number of pods in Ready state",
           "Number of pods in Ready state", "Count", "Total", "condition", "namespace"),
    {0},
};

static const struct resource_type types[] = {
    {"managedClusters", versions, .tracked = true, .render = render, .remove = type_remove,
     .metrics = metrics},
    {"managedClusters/agentPools", versions, .no_row = true},
    {"locations", versions, .no_row = true},
    {"locations/kubernetesVersions", versions, .no_row = true},
    {"locations/orchestrators", versions, .no_row = true},
    {"locations/operations", versions, .no_row = true},
    {"locations/operationResults", versions, .no_row = true},
    {"operations", versions, .no_row = true},
    {0},
};
/* clang-format on */

#define OPERATION(name, resource, what)                                                            \
    {                                                                                              \
        AKS_NAMESPACE "/" name, resource, what, what, false                                        \
    }

static const struct provider_operation operations[] = {
    OPERATION("register/action", "Subscription", "Register the provider"),
    OPERATION("managedClusters/read", "Managed Clusters", "Get managed clusters"),
    OPERATION("managedClusters/write", "Managed Clusters", "Create or update a managed cluster"),
    OPERATION("managedClusters/delete", "Managed Clusters", "Delete a managed cluster"),
    OPERATION("managedClusters/start/action", "Managed Clusters", "Start a managed cluster"),
    OPERATION("managedClusters/stop/action", "Managed Clusters", "Stop a managed cluster"),
    OPERATION("managedClusters/listClusterAdminCredential/action", "Managed Clusters",
              "List the admin's credential"),
    OPERATION("managedClusters/listClusterUserCredential/action", "Managed Clusters",
              "List the user's credential"),
    OPERATION("managedClusters/listClusterMonitoringUserCredential/action", "Managed Clusters",
              "List the monitoring user's credential"),
    OPERATION("managedClusters/accessProfiles/listCredential/action", "Access Profiles",
              "Get an access profile's credential"),
    OPERATION("managedClusters/accessProfiles/read", "Access Profiles", "Get an access profile"),
    OPERATION("managedClusters/runCommand/action", "Managed Clusters", "Run a command"),
    OPERATION("managedClusters/commandResults/read", "Managed Clusters",
              "Get the result of a command"),
    OPERATION("managedClusters/outboundNetworkDependenciesEndpoints/read", "Managed Clusters",
              "Get outbound dependencies"),
    OPERATION("managedClusters/upgradeProfiles/read", "Managed Clusters", "Get upgrade profiles"),
    OPERATION("managedClusters/agentPools/read", "Agent Pools", "Get agent pools"),
    OPERATION("managedClusters/agentPools/write", "Agent Pools", "Create or update an agent pool"),
    OPERATION("managedClusters/agentPools/delete", "Agent Pools", "Delete an agent pool"),
    OPERATION("managedClusters/agentPools/upgradeProfiles/read", "Agent Pools",
              "Get an agent pool's upgrade profile"),
    OPERATION("managedClusters/availableAgentPoolVersions/read", "Agent Pools",
              "Get versions of agent pools"),
    OPERATION("locations/kubernetesVersions/read", "Versions", "Get versions of Kubernetes"),
    OPERATION("locations/orchestrators/read", "Versions", "Get versions of Kubernetes"),
    OPERATION("operations/read", "Operations", "List operations"),
    {0},
};

#define S       "/subscriptions/{subscription}"
#define RG      S "/resourceGroups/{group}"
#define P       "/providers/" AKS_NAMESPACE
#define M       RG P "/managedClusters/{name}"
#define POOL    M "/agentPools/{pool}"
#define A(what) AKS_TYPE "/" what

/* clang-format off */
#define NOT_BUILT(m, pattern, what, right) \
    {m, pattern, ARM_ACTION, CALL, arm_not_built, what, ARM_BODY_MAX, .action = AKS_NAMESPACE "/" right}
#define NOT_BUILT_ACTION(name) \
    NOT_BUILT(POST, M "/" name, name " of a cluster", "managedClusters/" name "/action")
#define NOT_BUILT_BELOW(kind) \
    NOT_BUILT(GET, M "/" kind, kind, "managedClusters/" kind "/read"), \
    NOT_BUILT(GET, M "/" kind "/{item+}", kind, "managedClusters/" kind "/read"), \
    NOT_BUILT(PUT, M "/" kind "/{item+}", kind, "managedClusters/" kind "/write"), \
    NOT_BUILT(PATCH, M "/" kind "/{item+}", kind, "managedClusters/" kind "/write"), \
    NOT_BUILT(POST, M "/" kind "/{item+}", kind, "managedClusters/" kind "/write"), \
    NOT_BUILT(DELETE, M "/" kind "/{item+}", kind, "managedClusters/" kind "/delete")
#define NOT_BUILT_KIND(kind) \
    NOT_BUILT(GET, S P "/" kind, kind, kind "/read"), \
    NOT_BUILT(GET, RG P "/" kind, kind, kind "/read"), \
    NOT_BUILT(GET, RG P "/" kind "/{item+}", kind, kind "/read"), \
    NOT_BUILT(PUT, RG P "/" kind "/{item+}", kind, kind "/write"), \
    NOT_BUILT(PATCH, RG P "/" kind "/{item+}", kind, kind "/write"), \
    NOT_BUILT(DELETE, RG P "/" kind "/{item+}", kind, kind "/delete")

static const struct route routes[] = {
    {GET, S P "/managedClusters", ARM_SIGNED_IN, CALL, list, "clusters of a subscription",
     .query = "$top, $skiptoken"},
    {GET, RG P "/managedClusters", ARM_SIGNED_IN, CALL, list, "clusters of a group",
     .query = "$top, $skiptoken"},
    {GET, M, ARM_ACTION, CALL, get, "a managed cluster", .from_memory = arm_get_cached,
     .action = A("read")},
    {PUT, M, ARM_ACTION, CALL, put, "make or change a managed cluster (long-running)",
     ARM_BODY_MAX, .action = A("write")},
    {PATCH, M, ARM_ACTION, CALL, patch, "change a managed cluster's tags", ARM_BODY_MAX,
     .action = A("write")},
    {DELETE, M, ARM_ACTION, CALL, remove_cluster, "delete a managed cluster (long-running)",
     .action = A("delete")},
    {POST, M "/start", ARM_ACTION, CALL, managed_cluster_start_api, "start it (long-running)",
     .action = A("start/action")},
    {POST, M "/stop", ARM_ACTION, CALL, managed_cluster_stop_api,
     "stop it: its pods end, its objects stay (long-running)", .action = A("stop/action")},
    {POST, M "/listClusterAdminCredential", ARM_ACTION, CALL,
     managed_cluster_admin_credential_api, "an administrator's kubeconfig", .query = "server-fqdn",
     .action = A("listClusterAdminCredential/action")},
    {POST, M "/listClusterUserCredential", ARM_ACTION, CALL, managed_cluster_user_credential_api,
     "a user's kubeconfig", .query = "server-fqdn, format",
     .action = A("listClusterUserCredential/action")},
    {POST, M "/listClusterMonitoringUserCredential", ARM_ACTION, CALL,
     managed_cluster_monitoring_credential_api, "a reader's kubeconfig", .query = "server-fqdn",
     .action = A("listClusterMonitoringUserCredential/action")},
    {POST, M "/accessProfiles/{profile}/listCredential", ARM_ACTION, CALL,
     managed_cluster_access_profile_api, "a kubeconfig, the old way",
     .action = A("accessProfiles/listCredential/action")},
    {GET, M "/accessProfiles/{profile}", ARM_ACTION, CALL, managed_cluster_access_profile_api,
     "a kubeconfig, the oldest way", .action = A("accessProfiles/listCredential/action")},
    {GET, M "/upgradeProfiles/default", ARM_ACTION, CALL, managed_cluster_upgrades_api,
     "versions that it can be upgraded to", .action = A("upgradeProfiles/read")},
    {POST, M "/runCommand", ARM_ACTION, CALL, managed_cluster_run_command_api,
     "run a command in the cluster (long-running)", ARM_BODY_MAX, .action = A("runCommand/action")},
    {GET, M "/commandResults/{command}", ARM_ACTION, CALL, managed_cluster_command_result_api,
     "what a command printed", .action = A("commandResults/read")},
    {GET, M "/outboundNetworkDependenciesEndpoints", ARM_ACTION, CALL,
     managed_cluster_outbound_api, "what it needs outside: nothing",
     .action = A("outboundNetworkDependenciesEndpoints/read")},
    {GET, M "/agentPools", ARM_ACTION, CALL, agent_pool_list_api, "its agent pools",
     .action = A("agentPools/read")},
    {GET, POOL, ARM_ACTION, CALL, agent_pool_get_api, "an agent pool",
     .action = A("agentPools/read")},
    {PUT, POOL, ARM_ACTION, CALL, agent_pool_put_api,
     "make, change or scale an agent pool (long-running)", ARM_BODY_MAX,
     .action = A("agentPools/write")},
    {DELETE, POOL, ARM_ACTION, CALL, agent_pool_delete_api,
     "drain and delete an agent pool (long-running)", .action = A("agentPools/delete")},
    {GET, POOL "/upgradeProfiles/default", ARM_ACTION, CALL, agent_pool_upgrades_api,
     "versions that a pool can be upgraded to", .action = A("agentPools/upgradeProfiles/read")},
    {GET, M "/availableAgentPoolVersions", ARM_ACTION, CALL, agent_pool_versions_api,
     "versions that pools can have", .action = A("availableAgentPoolVersions/read")},
    {GET, S P "/locations/{location}/kubernetesVersions", ARM_ACTION, CALL,
     kubernetes_versions_api, "versions that clusters run",
     .action = AKS_NAMESPACE "/locations/kubernetesVersions/read"},
    {GET, S P "/locations/{location}/orchestrators", ARM_ACTION, CALL, orchestrators_api,
     "the same, the old way", .query = "resource-type",
     .action = AKS_NAMESPACE "/locations/orchestrators/read"},
    NOT_BUILT_ACTION("rotateClusterCertificates"), NOT_BUILT_ACTION("rotateServiceAccountSigningKeys"),
    NOT_BUILT_ACTION("abort"), NOT_BUILT_ACTION("resetServicePrincipalProfile"),
    NOT_BUILT_ACTION("resetAADProfile"), NOT_BUILT_ACTION("resolvePrivateLinkServiceId"),
    NOT_BUILT_BELOW("maintenanceConfigurations"), NOT_BUILT_BELOW("trustedAccessRoleBindings"),
    NOT_BUILT_BELOW("privateEndpointConnections"), NOT_BUILT_BELOW("managedNamespaces"),
    NOT_BUILT_BELOW("identityBindings"), NOT_BUILT_BELOW("meshUpgradeProfiles"),
    NOT_BUILT(GET, M "/privateLinkResources", "private links of a cluster", "managedClusters/privateLinkResources/read"),
    NOT_BUILT(POST, POOL "/abort", "ending a pool's operation", "managedClusters/agentPools/abort/action"),
    NOT_BUILT(POST, POOL "/upgradeNodeImageVersion", "newer images of nodes",
              "managedClusters/agentPools/upgradeNodeImageVersion/action"),
    NOT_BUILT(POST, POOL "/deleteMachines", "deleting chosen nodes",
              "managedClusters/agentPools/deleteMachines/action"),
    NOT_BUILT(GET, POOL "/machines", "machines of a pool", "managedClusters/agentPools/machines/read"),
    NOT_BUILT(GET, POOL "/machines/{machine}", "a machine", "managedClusters/agentPools/machines/read"),
    NOT_BUILT(GET, S P "/locations/{location}/{what+}", "other facts of a location", "locations/read"),
    NOT_BUILT_KIND("snapshots"), NOT_BUILT_KIND("managedclustersnapshots"),
    NOT_BUILT_KIND("containerServices"),
    {0},
};
/* clang-format on */

const struct provider container_service_provider = {
    .name = AKS_NAMESPACE,
    .display = "Microsoft Container Service",
    .types = types,
    .operations = operations,
    .start = start,
};

const struct service container_service_service = {
    .name = "containerservice",
    .routes = routes,
    .dialect = &arm_dialect,
    .any_case = true,
    .authorise = arm_authorise,
    .decorate = arm_decorate,
};
