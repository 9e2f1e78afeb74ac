/*
 * Pools and their nodes: one row per machine. A new one becomes a Node; one too many is cordoned,
 * its pods deleted with their grace, and deleted. Counted from the highest ordinal downwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/cluster_run.h"
#include "clusters/node/node_agent.h"
#include "clusters/vm_size.h"
#include "core/db.h"
#include "core/json.h"
#include "instances/address.h"
#include "instances/network.h"

#define DRAIN_DEFAULT_S (30 * 60) /* upgradeSettings.drainTimeoutInMinutes' default */
#define SYSTEM_MILLIS   140       /* what AKS keeps for itself of two cores */

static const struct actor pool_actor = {
    .name = "aksService",
    .groups = (const char *const[]){"system:masters", "system:authenticated", NULL},
    .manager = "aks",
    .trusted = true,
};

static const struct resource *nodes_resource(void)
{
    return resource_find("", "v1", "nodes");
}

/* ---- what a pool says about its nodes ---- */

struct pass {
    struct cluster *cluster;
    const struct managed_cluster *m;
    struct cluster_node *nodes;
    size_t n;
    json_t **documents; /* of the pools, once they are read */
    bool waiting;       /* something is under way */
};

static const char *owner_of(struct op *op, const struct pass *p, const char *node)
{
    return arena_printf(&op->arena, "c%s/%s", p->cluster->id, node);
}

static void set_label(json_t *labels, const char *key, const char *value)
{
    if (value && *value)
        json_object_set_new(labels, key, json_string(value));
}

/* Labels every AKS node carries, then the pool's own. */
static json_t *labels_of(struct op *op, const struct pass *p, const struct agent_pool *pool,
                         const json_t *properties, const char *node)
{
    const struct cluster *c = p->cluster;
    const char *size = text_at_or(properties, "vmSize", "");
    json_t *labels = json_object(), *value;
    const char *key;

    set_label(labels, "agentpool", pool->name);
    set_label(labels, "beta.kubernetes.io/arch", "amd64");
    set_label(labels, "beta.kubernetes.io/os", "linux");
    set_label(labels, "beta.kubernetes.io/instance-type", size);
    set_label(labels, "failure-domain.beta.kubernetes.io/region", c->location);
    set_label(labels, "failure-domain.beta.kubernetes.io/zone", "0");
    set_label(labels, "kubernetes.azure.com/agentpool", pool->name);
    set_label(labels, "kubernetes.azure.com/cluster",
              arena_printf(&op->arena, "MC_%s_%s_%s", c->resource_group, c->name, c->location));
    set_label(labels, "kubernetes.azure.com/mode", text_at_or(properties, "mode", "User"));
    for (char *mode =
             (char *)json_string_value(json_object_get(labels, "kubernetes.azure.com/mode"));
         mode && *mode; mode++)
        *mode = (char)(*mode >= 'A' && *mode <= 'Z' ? *mode + 32 : *mode);
    set_label(labels, "kubernetes.azure.com/node-image-version",
              text_at_or(properties, "nodeImageVersion", ""));
    set_label(labels, "kubernetes.azure.com/nodepool-type", "VirtualMachineScaleSets");
    set_label(labels, "kubernetes.azure.com/os-sku", text_at_or(properties, "osSKU", "Ubuntu"));
    set_label(labels, "kubernetes.azure.com/role", "agent");
    set_label(labels, "kubernetes.azure.com/storageprofile", "managed");
    set_label(labels, "kubernetes.azure.com/storagetier", "Premium_LRS");
    set_label(labels, "kubernetes.io/arch", "amd64");
    set_label(labels, "kubernetes.io/hostname", node);
    set_label(labels, "kubernetes.io/os", "linux");
    set_label(labels, "kubernetes.io/role", "agent");
    set_label(labels, "node-role.kubernetes.io/agent", NULL);
    set_label(labels, "node.kubernetes.io/instance-type", size);
    set_label(labels, "topology.kubernetes.io/region", c->location);
    set_label(labels, "topology.kubernetes.io/zone", "0");
    json_object_foreach(at(properties, "nodeLabels"), key, value)
    {
        json_object_set(labels, key, value);
    }
    return labels;
}

const char *agent_pool_label_fault(const char *key, const char *value)
{
    const char *fault = label_key_fault(key);

    return fault || !value ? fault : label_value_fault(value);
}

/* "key=value:NoSchedule", "key:NoSchedule" */
static json_t *taint_of(struct op *op, const char *text)
{
    const char *colon = strrchr(text, ':'), *equals = strchr(text, '=');
    json_t *taint;

    if (!colon || colon == text)
        return NULL;
    if (equals && equals > colon)
        equals = NULL;
    taint = json_object();
    json_object_set_new(
        taint, "key",
        json_string(arena_strndup(&op->arena, text, (size_t)((equals ? equals : colon) - text))));
    if (equals && equals + 1 < colon)
        json_object_set_new(
            taint, "value",
            json_string(arena_strndup(&op->arena, equals + 1, (size_t)(colon - equals - 1))));
    json_object_set_new(taint, "effect", json_string(colon + 1));
    return taint;
}

static json_t *taints_of(struct op *op, const json_t *properties)
{
    json_t *taints = json_array(), *text;
    size_t i;

    json_array_foreach(at(properties, "nodeTaints"), i, text)
    {
        json_t *taint = taint_of(op, json_string_value(text));

        if (taint)
            json_array_append_new(taints, taint);
    }
    return taints;
}

static void release(void *tree)
{
    json_decref(tree);
}

static json_t *in_arena(struct op *op, json_t *tree)
{
    arena_defer(&op->arena, release, tree);
    return tree;
}

/* One pool's, however many nodes ask. */
static json_t *document_of(struct op *op, const struct pass *p, const struct agent_pool *pool)
{
    json_t **document = &p->documents[pool - p->m->pools];

    if (!*document)
        *document = in_arena(op, json_loads(pool->document, 0, NULL));
    return *document;
}

/* How many /24 the pod range has, as far as nodes can have them. */
static int64_t pod_ranges(const char *range)
{
    const char *slash = strchr(range, '/');
    int64_t bits = slash ? strtoll(slash + 1, NULL, 10) : 16;

    if (bits < 0 || bits > 24)
        return 0;
    return bits <= 11 ? CLUSTER_NODES_MAX : INT64_C(1) << (24 - bits);
}

/* The n-th /24 of the pod range. */
static const char *pod_cidr(struct op *op, const char *range, int64_t index)
{
    unsigned a = 10, b = 244, c = 0, d = 0;
    unsigned long long base;

    sscanf(range, "%3u.%3u.%3u.%3u", &a, &b, &c, &d);
    base = ((unsigned long long)a << 24 | b << 16 | c << 8 | d) + ((unsigned long long)index << 8);
    return arena_printf(&op->arena, "%llu.%llu.%llu.0/24", base >> 24 & 255, base >> 16 & 255,
                        base >> 8 & 255);
}

static struct node_spec spec_of(struct op *op, const struct pass *p, const struct agent_pool *pool,
                                const struct cluster_node *node)
{
    json_t *properties = document_of(op, p, pool);
    struct vm_size size = {2, INT64_C(7) << 30};
    struct node_spec spec = {.name = agent_pool_node(op, pool, node->ordinal)};

    vm_size_find(text_at_or(properties, "vmSize", ""), &size);
    spec.pod_cidr = pod_cidr(op, p->cluster->pod_cidr, node->pod_index);
    spec.address = network_address(op, RANGE_PRIVATE, node->uplink_index);
    spec.cpu_millis = size.cores * 1000;
    spec.memory_bytes = size.memory_bytes;
    spec.max_pods = int_at(properties, "maxPods", 110);
    spec.labels = in_arena(op, labels_of(op, p, pool, properties, spec.name));
    spec.taints = in_arena(op, taints_of(op, properties));
    return spec;
}

/* ---- rows ---- */

static const struct agent_pool *pool_of(const struct pass *p, const struct cluster_node *node)
{
    return managed_cluster_pool(p->m, node->pool);
}

static int64_t wanted_nodes(const struct agent_pool *pool)
{
    return pool->wanted == CLUSTER_WANT_RUNNING ? pool->count : 0;
}

static bool has_ordinal(const struct pass *p, const char *pool, int64_t ordinal)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->nodes[i].ordinal == ordinal && strcmp(p->nodes[i].pool, pool) == 0)
            return true;
    return false;
}

static enum fault add_nodes(struct op *op, struct pass *p, const struct agent_pool *pool,
                            int64_t missing, bool *ret_changed)
{
    int64_t ranges = pod_ranges(p->cluster->pod_cidr);

    for (int64_t ordinal = 0; missing > 0; ordinal++) {
        const char *name = agent_pool_node(op, pool, ordinal);
        bool added = false;
        int64_t index;

        if (has_ordinal(p, pool->name, ordinal))
            continue;
        TRY(address_take(op, RANGE_PRIVATE, owner_of(op, p, name), &index));
        TRY(cluster_node_add(op, p->m->id, pool->name, ordinal, index, ranges, &added));
        if (!added) { /* nodes that leave have them yet */
            p->waiting = true;
            return address_give(op, owner_of(op, p, name));
        }
        *ret_changed = true;
        missing--;
    }
    return OK;
}

/* The ones with the highest ordinals are to go. */
static enum fault let_leave(struct op *op, struct pass *p, const struct agent_pool *pool,
                            int64_t surplus, bool *ret_changed)
{
    for (size_t i = p->n; i > 0 && surplus > 0; i--) {
        struct cluster_node *node = &p->nodes[i - 1];

        if (node->leaving || strcmp(node->pool, pool->name) != 0)
            continue;
        TRY(cluster_node_leave(op, p->m->id, node));
        *ret_changed = true;
        surplus--;
    }
    return OK;
}

static enum fault adjust_rows(struct op *op, struct pass *p)
{
    bool changed = false;

    TRY(cluster_nodes(op, p->m->id, &p->nodes, &p->n));
    for (size_t i = 0; i < p->m->n_pools; i++) {
        const struct agent_pool *pool = &p->m->pools[i];
        int64_t stay = 0, wanted = wanted_nodes(pool);

        for (size_t k = 0; k < p->n; k++)
            stay += !p->nodes[k].leaving && strcmp(p->nodes[k].pool, pool->name) == 0;
        if (stay < wanted)
            TRY(add_nodes(op, p, pool, wanted - stay, &changed));
        else
            TRY(let_leave(op, p, pool, stay - wanted, &changed));
    }
    return changed ? cluster_nodes(op, p->m->id, &p->nodes, &p->n) : OK;
}

/* ---- leaving ---- */

static enum fault cordon(struct op *op, json_t *tree, void *arg, bool *ret_skip)
{
    (void)op;
    (void)arg;
    *ret_skip = bool_at(tree, "spec.unschedulable", false);
    set_at(tree, "spec.unschedulable", json_true());
    return OK;
}

static bool is_daemon(const json_t *pod)
{
    const json_t *owner = controller_of(pod);

    return owner && strcmp(text_at_or(owner, "kind", ""), "DaemonSet") == 0;
}

/* Asks each pod of the node to go, as budgets allow, or by force; *ret_left: how many there still
 * are. */
static enum fault drain(struct op *op, struct pass *p, const char *node, bool by_force,
                        size_t *ret_left)
{
    const struct resource *pods = resource_find("", "v1", "pods");
    const struct delete_options options = {.grace_s = by_force ? 0 : -1};
    struct store_page page;
    size_t left = 0;

    TRY(store_list(op, p->cluster->store, pods, NULL, NULL, NULL, 0, 0, &page));
    for (size_t i = 0; i < page.n; i++) {
        struct object *pod = page.objects[i];
        const json_t *tree = object_tree(pod);
        struct rest r = rest_of(p->cluster, &pool_actor, pods, pod->ns, pod->name);
        bool gone;

        if (strcmp(text_at_or(tree, "spec.nodeName", ""), node) != 0 || is_daemon(tree))
            continue;
        left++;
        if (pod->deleting && !by_force)
            continue;
        if ((by_force ? rest_delete(op, &r, &options, NULL, &gone)
                      : rest_evict(op, &r, &options)) != OK)
            op_clear_fault(op); /* gone meanwhile, or its budget allows none now: asked again */
    }
    *ret_left = left;
    return OK;
}

static int64_t drain_limit_us(const json_t *properties)
{
    int64_t minutes = int_at(properties, "upgradeSettings.drainTimeoutInMinutes", 0);

    return (minutes > 0 ? minutes * 60 : DRAIN_DEFAULT_S) * INT64_C(1000000);
}

static enum fault remove_node(struct op *op, struct pass *p, const struct cluster_node *node,
                              const char *name)
{
    struct rest r = rest_of(p->cluster, &pool_actor, nodes_resource(), "", name);
    const struct delete_options options = {.grace_s = -1};
    bool gone;
    enum fault fault = rest_delete(op, &r, &options, NULL, &gone);

    if (fault == NOT_FOUND)
        op_clear_fault(op);
    else
        TRY(fault);
    TRY(node_agent_forget(op, p->cluster, name));
    TRY(db_begin(op));
    TRY(cluster_node_delete(op, p->m->id, node));
    TRY(address_give(op, owner_of(op, p, name)));
    return db_commit(op);
}

static enum fault step_leaving(struct op *op, struct pass *p, const struct cluster_node *node)
{
    const struct agent_pool *pool = pool_of(p, node);
    const char *name = agent_pool_node(op, pool, node->ordinal);
    struct rest r = rest_of(p->cluster, &pool_actor, nodes_resource(), "", name);
    bool late =
        node->leaving_us && wall_us() - node->leaving_us > drain_limit_us(document_of(op, p, pool));
    enum fault fault = rest_modify(op, &r, cordon, NULL, NULL);
    size_t left = 0;

    if (fault == NOT_FOUND)
        op_clear_fault(op);
    else
        TRY(fault);
    p->waiting = true;
    TRY(drain(op, p, name, late, &left));
    return left ? OK : remove_node(op, p, node, name);
}

/* ---- staying ---- */

static bool is_ready(struct op *op, const struct pass *p, const char *name)
{
    struct object *node = store_read(op, p->cluster->store, nodes_resource(), NULL, name);
    json_t *condition;
    size_t i;

    if (!node)
        return false;
    json_array_foreach(at(object_tree(node), "status.conditions"), i, condition)
    {
        if (strcmp(text_at_or(condition, "type", ""), "Ready") == 0)
            return strcmp(text_at_or(condition, "status", ""), "True") == 0;
    }
    return false;
}

static enum fault settle_pools(struct op *op, const struct pass *p)
{
    for (size_t i = 0; i < p->m->n_pools; i++) {
        const struct agent_pool *pool = &p->m->pools[i];

        if (pool->wanted == CLUSTER_WANT_DELETED)
            continue; /* its row goes with its last node: the caller's */
        if (pool->observed != pool->generation)
            TRY(agent_pool_settle(op, pool, NULL));
    }
    return OK;
}

/* A change of the cluster or of a pool makes nodes anew whose objects somebody deleted. */
static void revive(struct op *op, const struct pass *p, const struct node_spec *specs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!store_read(op, p->cluster->store, nodes_resource(), NULL, specs[i].name))
            node_agent_unknow(p->cluster, specs[i].name);
}

enum fault cluster_pools_step(struct op *op, struct cluster *cluster,
                              const struct managed_cluster *m, bool *ret_done)
{
    struct pass p = {.cluster = cluster, .m = m};
    struct node_spec *specs;
    size_t n = 0;

    p.documents = arena_alloc(&op->arena, (m->n_pools + 1) * sizeof(json_t *));
    TRY(adjust_rows(op, &p));
    specs = arena_alloc(&op->arena, (p.n + 1) * sizeof(*specs));
    for (size_t i = 0; i < p.n; i++)
        if (!p.nodes[i].leaving)
            specs[n++] = spec_of(op, &p, pool_of(&p, &p.nodes[i]), &p.nodes[i]);
    if (m->observed != m->generation)
        revive(op, &p, specs, n);
    TRY(node_agent_nodes(op, cluster, specs, n));
    for (size_t i = 0; i < p.n; i++)
        if (p.nodes[i].leaving)
            TRY(step_leaving(op, &p, &p.nodes[i]));
    for (size_t i = 0; i < n && !p.waiting && m->observed != m->generation; i++)
        p.waiting = !is_ready(op, &p, specs[i].name);
    *ret_done = !p.waiting;
    return p.waiting ? OK : settle_pools(op, &p);
}

enum fault cluster_pools_drop(struct op *op, const struct managed_cluster *m)
{
    struct cluster_node *nodes;
    size_t n;

    TRY(cluster_nodes(op, m->id, &nodes, &n));
    for (size_t i = 0; i < n; i++)
        TRY(cluster_node_delete(op, m->id, &nodes[i]));
    return OK;
}
