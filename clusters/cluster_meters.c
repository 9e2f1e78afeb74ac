#include "clusters/cluster_meters.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/cluster.h"
#include "clusters/node/node_agent.h"
#include "core/meter.h"
#include "core/reconcile.h"

#define LOOK_S 60

/* One figure of a cluster. */
struct tally {
    struct tally *next;
    char *metric, *dimensions;
    double value;
    bool seen, counts; /* in this look; it is a number of things, whose absence is a 0 */
    struct meter *meter;
};

struct metered {
    struct metered *next;
    char uid[CLUSTER_ID_LEN + 1];
    char *key;
    struct tally *tallies;
};

/* One thread looks: nobody else touches the list. */
static struct metered *list;
static struct reconciler *looks;

static char *copy(const char *text)
{
    char *out = strdup(text);

    if (!out)
        abort();
    return out;
}

/* ---- what there is ---- */

static void end_tally(struct tally **at)
{
    struct tally *t = *at;

    *at = t->next;
    meter_close(t->meter);
    free(t->metric);
    free(t->dimensions);
    free(t);
}

/* uid NULL: all. */
static void forget(const char *uid)
{
    for (struct metered **at = &list; *at;) {
        struct metered *k = *at;

        if (uid && strcmp(k->uid, uid) != 0) {
            at = &k->next;
            continue;
        }
        while (k->tallies)
            end_tally(&k->tallies);
        *at = k->next;
        free(k->key);
        free(k);
    }
}

static struct metered *metered_of(const struct cluster *cluster)
{
    struct metered *k = list;

    while (k && strcmp(k->uid, cluster->id) != 0)
        k = k->next;
    if (k)
        return k;
    k = calloc(1, sizeof(*k));
    if (!k)
        abort();
    memcpy(k->uid, cluster->id, sizeof(k->uid));
    k->key = copy(cluster->arm_id);
    for (char *c = k->key; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    k->next = list;
    list = k;
    return k;
}

static void add(struct metered *k, const char *metric, const char *dimensions, double value,
                bool counts)
{
    struct tally *t = k->tallies;

    while (t && (strcmp(t->metric, metric) != 0 || strcmp(t->dimensions, dimensions) != 0))
        t = t->next;
    if (!t) {
        t = calloc(1, sizeof(*t));
        if (!t)
            abort();
        t->metric = copy(metric);
        t->dimensions = copy(dimensions);
        t->counts = counts;
        t->meter = meter_open(k->key, metric, dimensions, false);
        t->next = k->tallies;
        k->tallies = t;
    }
    t->value += value;
    t->seen = true;
}

/* To the meters; what has gone is counted as none once more. */
static void settle(struct metered *k)
{
    int64_t now = wall_us();

    for (struct tally **at = &k->tallies; *at;) {
        struct tally *t = *at;

        if (t->seen || t->counts)
            meter_add(t->meter, now, t->value);
        if (!t->seen) {
            end_tally(at);
            continue;
        }
        t->value = 0;
        t->seen = false;
        at = &t->next;
    }
}

/* ---- looking ---- */

static void look_at_node(struct op *op, struct metered *k, const json_t *node)
{
    const char *name = text_at_or(node, "metadata.name", "");
    json_t *condition;
    size_t i;

    json_array_foreach(at(node, "status.conditions"), i, condition)
    {
        char *status = arena_strdup(&op->arena, text_at_or(condition, "status", "Unknown"));

        *status = (char)tolower((unsigned char)*status);
        add(k, "kube_node_status_condition",
            arena_printf(&op->arena, "%s/%s/%s", text_at_or(condition, "type", ""), status, name),
            1, true);
    }
}

static const char *pool_of(struct op *op, struct cluster *cluster, const char *node)
{
    const struct object *o =
        store_read(op, cluster->store, resource_find("", "v1", "nodes"), NULL, node);
    const char *pool = o ? label_of(object_tree((struct object *)o), "agentpool") : NULL;

    return pool ? pool : "";
}

static const char *ready_of(const json_t *pod)
{
    json_t *condition;
    size_t i;

    json_array_foreach(at(pod, "status.conditions"), i, condition)
    {
        if (strcmp(text_at_or(condition, "type", ""), "Ready") == 0 &&
            strcmp(text_at_or(condition, "status", ""), "True") == 0)
            return "true";
    }
    return "false";
}

static enum fault look_at_pod(struct op *op, struct cluster *cluster, struct metered *k,
                              struct object *pod)
{
    const json_t *tree = object_tree(pod);
    const char *node = text_at_or(tree, "spec.nodeName", "");
    const char *place = arena_printf(&op->arena, "%s/%s", node, pool_of(op, cluster, node));
    struct pod_usage usage;

    add(k, "kube_pod_status_phase",
        arena_printf(&op->arena, "%s/%s", text_at_or(tree, "status.phase", "Unknown"), pod->ns), 1,
        true);
    add(k, "kube_pod_status_ready", arena_printf(&op->arena, "%s/%s", ready_of(tree), pod->ns), 1,
        true);
    if (!*node)
        return OK;
    TRY(pod_usage(op, cluster, pod, &usage));
    add(k, "node_cpu_usage_millicores", place, (double)usage.cpu_nano / 1e6, false);
    add(k, "node_memory_working_set_bytes", place, (double)usage.memory_bytes, false);
    return OK;
}

/* A node without pods uses nothing. */
static void add_idle(struct op *op, struct cluster *cluster, struct metered *k, const char *node)
{
    const char *place = arena_printf(&op->arena, "%s/%s", node, pool_of(op, cluster, node));

    add(k, "node_cpu_usage_millicores", place, 0, false);
    add(k, "node_memory_working_set_bytes", place, 0, false);
}

static enum fault look(struct op *op, struct cluster *cluster)
{
    struct metered *k = metered_of(cluster);
    struct store_page nodes = {0}, pods = {0};

    TRY(store_list(op, cluster->store, resource_find("", "v1", "nodes"), NULL, NULL, NULL, 0, 0,
                   &nodes));
    TRY(store_list(op, cluster->store, resource_find("", "v1", "pods"), NULL, NULL, NULL, 0, 0,
                   &pods));
    for (size_t i = 0; i < nodes.n; i++) {
        look_at_node(op, k, object_tree(nodes.objects[i]));
        add_idle(op, cluster, k, nodes.objects[i]->name);
    }
    for (size_t i = 0; i < pods.n; i++)
        if (look_at_pod(op, cluster, k, pods.objects[i]) != OK)
            op_clear_fault(op); /* it cannot be asked just now: its node's figure lacks it */
    settle(k);
    return OK;
}

static enum fault step(struct op *op, const char *uid, int64_t *ret_again_ms)
{
    struct cluster *cluster = cluster_find(uid);
    enum fault fault;

    if (!cluster) {
        forget(uid);
        return OK;
    }
    fault = look(op, cluster);
    cluster_release(cluster);
    *ret_again_ms = (LOOK_S - wall_s() % LOOK_S) * 1000 + LOOK_S * 500; /* mid-minute */
    return fault;
}

void cluster_meters_look(const char *uid)
{
    reconciler_add_after(looks, uid, 1000);
}

void cluster_meters_start(void)
{
    looks = reconciler_new("figures", 1, step);
}

void cluster_meters_stop(void)
{
    reconciler_free(looks);
    looks = NULL;
    forget(NULL);
}
