/* Node objects and their leases. */
#include "clusters/node/node_status.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "clusters/node/pod_agent.h"
#include "core/reconcile.h"

#define LEASE_S         40
#define RENEW_MS        15000
#define RESERVED_MILLIS 100 /* what AKS keeps for itself of a node */
#define RESERVED_MEMORY (INT64_C(550) << 20)
#define STORAGE_BYTES   (INT64_C(124) << 30)
#define IMAGES_MAX      50

/* One node; never freed before the whole, since passes hold pointers to it. */
struct node {
    struct node *next;
    struct arena arena;
    struct node_spec spec;
    bool removed;
};
struct nodes {
    pthread_mutex_t lock;
    struct node *list;
};

static struct reconciler *beats;

/* ---- the list ---- */

struct nodes *nodes_new(void)
{
    struct nodes *nodes = calloc(1, sizeof(*nodes));

    if (!nodes)
        abort();
    pthread_mutex_init(&nodes->lock, NULL);
    return nodes;
}

void nodes_free(struct nodes *nodes)
{
    while (nodes->list) {
        struct node *next = nodes->list->next;

        arena_free(&nodes->list->arena);
        free(nodes->list);
        nodes->list = next;
    }
    pthread_mutex_destroy(&nodes->lock);
    free(nodes);
}

static struct node *find(struct nodes *nodes, const char *name)
{
    struct node *node;

    for (node = nodes->list; node; node = node->next)
        if (!node->removed && strcmp(node->spec.name, name) == 0)
            return node;
    return NULL;
}

const struct node_spec *nodes_find(struct nodes *nodes, const char *name)
{
    struct node *node;

    pthread_mutex_lock(&nodes->lock);
    node = find(nodes, name);
    pthread_mutex_unlock(&nodes->lock);
    return node ? &node->spec : NULL;
}

static void release(void *tree)
{
    json_decref(tree);
}

static const json_t *keep(struct node *node, const json_t *tree)
{
    json_t *copy = json_deep_copy(tree);

    arena_defer(&node->arena, release, copy);
    return copy;
}

/* true: it is new, or differs from what was there: *ret_old (as long as nodes live), or NULL. */
static bool put(struct nodes *nodes, const struct node_spec *spec, const struct node_spec **ret_old)
{
    struct node *node, *old;

    pthread_mutex_lock(&nodes->lock);
    old = find(nodes, spec->name);
    *ret_old = old ? &old->spec : NULL;
    if (old && json_equal(old->spec.labels, spec->labels) &&
        json_equal(old->spec.taints, spec->taints) && old->spec.cpu_millis == spec->cpu_millis &&
        old->spec.max_pods == spec->max_pods) {
        pthread_mutex_unlock(&nodes->lock);
        return false;
    }
    node = calloc(1, sizeof(*node));
    if (!node)
        abort();
    arena_init(&node->arena);
    node->spec = *spec;
    node->spec.name = arena_strdup(&node->arena, spec->name);
    node->spec.pod_cidr = arena_strdup(&node->arena, spec->pod_cidr);
    node->spec.address = arena_strdup(&node->arena, spec->address);
    node->spec.labels = keep(node, spec->labels);
    node->spec.taints = keep(node, spec->taints);
    if (old)
        old->removed = true;
    node->next = nodes->list;
    nodes->list = node;
    pthread_mutex_unlock(&nodes->lock);
    return true;
}

void nodes_remove(struct nodes *nodes, const char *name)
{
    struct node *node;

    pthread_mutex_lock(&nodes->lock);
    node = find(nodes, name);
    if (node)
        node->removed = true;
    pthread_mutex_unlock(&nodes->lock);
}

/* ---- objects ---- */

static const struct resource *nodes_resource(void)
{
    return resource_find("", "v1", "nodes");
}

static const struct resource *leases_resource(void)
{
    return resource_find("coordination.k8s.io", "v1", "leases");
}

static json_t *amounts(struct op *op, const struct node_spec *spec, bool reserved)
{
    int64_t cpu = spec->cpu_millis - (reserved ? RESERVED_MILLIS : 0);
    int64_t memory = spec->memory_bytes - (reserved ? RESERVED_MEMORY : 0);

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "cpu",
                     cpu % 1000 ? arena_printf(&op->arena, "%lldm", (long long)cpu)
                                : arena_printf(&op->arena, "%lld", (long long)cpu / 1000),
                     "memory", arena_printf(&op->arena, "%lldKi", (long long)memory / 1024), "pods",
                     arena_printf(&op->arena, "%lld", (long long)spec->max_pods),
                     "ephemeral-storage",
                     arena_printf(&op->arena, "%lldKi", (long long)STORAGE_BYTES / 1024),
                     "hugepages-1Gi", "0", "hugepages-2Mi", "0");
}

static void add_condition(struct op *op, json_t *conditions, const char *type, bool holds,
                          const char *reason, const char *message)
{
    const char *now = time_text(op, wall_s());
    json_t *condition;
    size_t i;

    condition_set(op, conditions, type, holds ? "True" : "False", reason, message);
    json_array_foreach(conditions, i, condition)
    {
        if (strcmp(text_at_or(condition, "type", ""), type) == 0)
            json_object_set_new(condition, "lastHeartbeatTime", json_string(now));
    }
}

static json_t *system_info(struct op *op, const struct node_spec *spec)
{
    struct utsname kernel = {0};

    (void)op;
    uname(&kernel);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "machineID", spec->name, "systemUUID",
        spec->name, "bootID", spec->name, "kernelVersion", kernel.release, "osImage", "Sundog node",
        "containerRuntimeVersion", "sundog://" SUNDOG_VERSION, "kubeletVersion", CLUSTER_VERSION,
        "kubeProxyVersion", CLUSTER_VERSION, "operatingSystem", "linux", "architecture", "amd64");
}

/* Amounts of ours; those that somebody else advertises (extended resources) stay, and all of them
   can be had. */
static void set_amounts(struct op *op, const struct node_spec *spec, json_t *status)
{
    json_t *capacity = object_at(status, "capacity"), *allocatable;

    json_object_update_new(capacity, amounts(op, spec, false));
    allocatable = json_deep_copy(capacity);
    json_object_update_new(allocatable, amounts(op, spec, true));
    json_object_set_new(status, "allocatable", allocatable);
}

/* Onto the latest, which others write as well: their conditions and members stay. */
static enum fault fill_status(struct op *op, json_t *node, void *arg, bool *ret_skip)
{
    const struct node_spec *spec = arg;
    json_t *status = object_at(node, "status"), *conditions = array_at(node, "status.conditions");
    json_t *before = object_copy(op, status);

    add_condition(op, conditions, "MemoryPressure", false, "KubeletHasSufficientMemory",
                  "kubelet has sufficient memory available");
    add_condition(op, conditions, "DiskPressure", false, "KubeletHasNoDiskPressure",
                  "kubelet has no disk pressure");
    add_condition(op, conditions, "PIDPressure", false, "KubeletHasSufficientPID",
                  "kubelet has sufficient PID available");
    add_condition(op, conditions, "Ready", true, "KubeletReady", "kubelet is posting ready status");
    json_object_set_new(status, "addresses",
                        json_pack("[{s:s, s:s}, {s:s, s:s}]", "type", "InternalIP", "address",
                                  spec->address, "type", "Hostname", "address", spec->name));
    set_amounts(op, spec, status);
    json_object_set_new(status, "daemonEndpoints",
                        json_pack("{s:{s:i}}", "kubeletEndpoint", "Port", 10250));
    json_object_set_new(status, "nodeInfo", system_info(op, spec));
    *ret_skip = json_equal(before, status);
    return OK;
}

static json_t *new_node(struct op *op, const struct node_spec *spec)
{
    json_t *node = object_new(op, nodes_resource(), NULL, spec->name);

    set_at(node, "metadata.labels", json_deep_copy(spec->labels));
    json_object_set_new(object_at(node, "metadata.annotations"),
                        "volumes.kubernetes.io/controller-managed-attach-detach",
                        json_string("true"));
    set_at(node, "spec.podCIDR", json_string(spec->pod_cidr));
    set_at(node, "spec.podCIDRs", json_pack("[s]", spec->pod_cidr));
    set_at(node, "spec.providerID",
           json_string(arena_printf(&op->arena, "azure:///sundog/%s", spec->name)));
    if (json_array_size(spec->taints))
        set_at(node, "spec.taints", json_deep_copy(spec->taints));
    return node;
}

struct pool_change {
    const struct node_spec *spec, *old; /* old NULL: what the pool said before is not known */
};

static bool same_taint(const json_t *a, const json_t *b)
{
    return strcmp(text_at_or(a, "key", ""), text_at_or(b, "key", "")) == 0 &&
           strcmp(text_at_or(a, "effect", ""), text_at_or(b, "effect", "")) == 0;
}

static bool has_taint(const json_t *list, const json_t *taint)
{
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        if (same_taint(one, taint))
            return true;
    }
    return false;
}

/* What the pool said before goes, what it says now comes; others' stay. */
static void change_taints(json_t *node, const struct pool_change *change)
{
    json_t *taints = array_at(node, "spec.taints"), *taint;
    size_t i;

    for (i = json_array_size(taints); i > 0; i--)
        if (has_taint(change->old->taints, json_array_get(taints, i - 1)))
            json_array_remove(taints, i - 1);
    json_array_foreach(change->spec->taints, i, taint)
    {
        if (!has_taint(taints, taint))
            json_array_append_new(taints, json_deep_copy(taint));
    }
    if (!json_array_size(taints))
        set_at(node, "spec.taints", NULL);
}

static enum fault refresh(struct op *op, json_t *node, void *arg, bool *ret_skip)
{
    const struct pool_change *change = arg;
    json_t *before = object_copy(op, node), *labels = object_at(node, "metadata.labels"), *value;
    const char *key;

    if (change->old) {
        json_object_foreach((json_t *)(uintptr_t)change->old->labels, key, value)
        {
            json_object_del(labels, key);
        }
        change_taints(node, change);
    }
    json_object_foreach((json_t *)(uintptr_t)change->spec->labels, key, value)
    {
        json_object_set(labels, key, value);
    }
    *ret_skip = json_equal(before, node);
    return OK;
}

static enum fault renew_lease(struct op *op, struct cluster *cluster, const struct node_spec *spec,
                              int64_t *revision);

static enum fault write_status(struct op *op, struct cluster *cluster, const struct node_spec *spec,
                               int64_t *revision)
{
    struct rest r = rest_of(cluster, &node_actor, nodes_resource(), "", spec->name);
    enum fault fault;

    r.subresource = "status";
    fault = rest_modify(op, &r, fill_status, (void *)(uintptr_t)spec, NULL);
    if (fault == NOT_FOUND) { /* somebody deleted it */
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    moved(revision, &r);
    return OK;
}

static enum fault make(struct op *op, struct cluster *cluster, const struct node_spec *spec,
                       const struct node_spec *old, int64_t *revision)
{
    struct pool_change change = {spec, old};
    struct rest r = rest_of(cluster, &node_actor, nodes_resource(), "", NULL);
    enum fault fault = rest_create(op, &r, new_node(op, spec), NULL);

    if (fault == CONFLICT) { /* it is there from before */
        op_clear_fault(op);
        r = rest_of(cluster, &node_actor, nodes_resource(), "", spec->name);
        fault = rest_modify(op, &r, refresh, &change, NULL);
    }
    TRY(fault);
    moved(revision, &r);
    TRY(write_status(op, cluster, spec, revision));
    return renew_lease(op, cluster, spec, revision);
}

enum fault nodes_set(struct op *op, struct cluster *cluster, struct nodes *nodes,
                     const struct node_spec *specs, size_t n, bool *ret_changed)
{
    enum fault fault = OK;
    int64_t revision = 0;

    for (size_t i = 0; i < n && fault == OK; i++) {
        const struct node_spec *old;

        if (!put(nodes, &specs[i], &old))
            continue;
        *ret_changed = true;
        fault = make(op, cluster, &specs[i], old, &revision);
    }
    if (*ret_changed)
        reconciler_add_after(beats, cluster->id, RENEW_MS);
    if (fault == OK && revision)
        fault = store_wait(op, cluster->store, revision);
    for (size_t i = 0; i < n && fault != OK; i++) /* made again by the next turn */
        nodes_remove(nodes, specs[i].name);
    return fault;
}

/* ---- leases ---- */

static json_t *lease_spec(struct op *op, const struct node_spec *spec)
{
    return json_pack("{s:s, s:i, s:s}", "holderIdentity", spec->name, "leaseDurationSeconds",
                     LEASE_S, "renewTime", micro_time_text(op, wall_s() * 1000000));
}

static enum fault renew(struct op *op, json_t *lease, void *arg, bool *ret_skip)
{
    (void)ret_skip;
    json_object_set_new(lease, "spec", lease_spec(op, arg));
    return OK;
}

static enum fault renew_lease(struct op *op, struct cluster *cluster, const struct node_spec *spec,
                              int64_t *revision)
{
    struct rest r = rest_of(cluster, &node_actor, leases_resource(), "kube-node-lease", spec->name);
    enum fault fault = rest_modify(op, &r, renew, (void *)(uintptr_t)spec, NULL);
    json_t *lease;

    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        lease = object_new(op, leases_resource(), "kube-node-lease", spec->name);
        json_object_set_new(lease, "spec", lease_spec(op, spec));
        r = rest_of(cluster, &node_actor, leases_resource(), "kube-node-lease", NULL);
        fault = rest_create(op, &r, lease, NULL);
    }
    moved(revision, &r);
    return fault;
}

/* A Node object that somebody deleted is not made again: its machine is gone for them, and its pods
   are moved. */
static enum fault beat(struct op *op, struct cluster *cluster, struct nodes *nodes)
{
    int64_t revision = 0;
    struct object *now;
    struct node *node;

    pthread_mutex_lock(&nodes->lock);
    node = nodes->list;
    pthread_mutex_unlock(&nodes->lock);
    for (; node; node = node->next) { /* only ever added to at its head */
        now = store_read(op, cluster->store, nodes_resource(), NULL, node->spec.name);
        if (node->removed || !now)
            continue;
        TRY(renew_lease(op, cluster, &node->spec, &revision));
        if (!object_is_ready(object_tree(now))) /* its lease was late, and it was given up */
            TRY(write_status(op, cluster, &node->spec, &revision));
    }
    return revision ? store_wait(op, cluster->store, revision) : OK;
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    struct cluster *cluster = agent_enter(key);
    enum fault fault;

    if (!cluster)
        return OK;
    *ret_again_ms = RENEW_MS;
    fault = beat(op, cluster, agent_nodes(cluster));
    agent_leave(cluster);
    return fault;
}

void nodes_start(void)
{
    beats = reconciler_new("heartbeat", 1, step);
}

void nodes_stop(void)
{
    reconciler_free(beats);
    beats = NULL;
}
