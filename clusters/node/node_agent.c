/*
 * The node agent as a whole: clusters come and go, events become keys, keys become passes over
 * pods. Keys of the pod reconciler are "<cluster> <ns>/<name>".
 */
#include "clusters/node/node_agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/node/node_status.h"
#include "clusters/node/pod_agent.h"
#include "clusters/node/service_proxy.h"
#include "core/json.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/reconcile.h"

#define THREADS 6
#define KEY_MAX 400

const struct actor node_actor = {
    .name = "system:node:sundog",
    .groups = (const char *const[]){"system:nodes", "system:authenticated", NULL},
    .manager = "kubelet",
    .trusted = true,
};

struct agent {
    struct agent *next;
    struct cluster *cluster;
    struct nodes *nodes;
    atomic_bool knows_nodes;
    int steps;
    atomic_bool closing;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct agent *open;
    struct reconciler *pods;
    atomic_llong passes, failures;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};

/* ---- who is at work ---- */

struct cluster *agent_enter(const char *id)
{
    struct agent *a;

    pthread_mutex_lock(&state.lock);
    for (a = state.open; a && strcmp(a->cluster->id, id) != 0; a = a->next)
        ;
    if (a && a->closing)
        a = NULL;
    if (a)
        a->steps++;
    pthread_mutex_unlock(&state.lock);
    return a ? a->cluster : NULL;
}

bool agent_is_closing(struct cluster *cluster)
{
    const struct agent *a = cluster->node_agent;

    return atomic_load(&a->closing);
}

void agent_leave(struct cluster *cluster)
{
    struct agent *a = cluster->node_agent;

    pthread_mutex_lock(&state.lock);
    if (--a->steps == 0)
        pthread_cond_broadcast(&state.idle);
    pthread_mutex_unlock(&state.lock);
}

const struct node_spec *node_of(struct cluster *cluster, const char *name)
{
    struct agent *a = cluster->node_agent;

    return a ? nodes_find(a->nodes, name) : NULL;
}

bool agent_knows_nodes(struct cluster *cluster)
{
    struct agent *a = cluster->node_agent;

    return atomic_load(&a->knows_nodes);
}

struct nodes *agent_nodes(struct cluster *cluster)
{
    struct agent *a = cluster->node_agent;

    return a->nodes;
}

/* ---- what a pass uses ---- */

void pod_again(struct pod_pass *p, int64_t ms)
{
    if (p->again_ms == RECONCILE_DONE || ms < p->again_ms)
        p->again_ms = ms < 0 ? 0 : ms;
}

const struct container_state *pod_container_state(const struct pod_pass *p, const char *name)
{
    for (size_t i = 0; i < p->n_states; i++)
        if (strcmp(p->states[i].name, name) == 0)
            return &p->states[i];
    return NULL;
}

struct container_memory *pod_container_memory(const struct pod_pass *p, const char *name)
{
    for (size_t i = 0; i < p->memory->n_containers; i++)
        if (strcmp(p->memory->containers[i].name, name) == 0)
            return &p->memory->containers[i];
    return NULL;
}

void pod_event(struct pod_pass *p, const char *type, const char *reason, const char *fmt, ...)
{
    char message[1024];
    struct text clean;
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    text_init(&clean, &p->op->arena, 4 * sizeof(message));
    utf8_clean(&clean, BYTES(message));
    rest_event(p->op, p->cluster, &node_actor, p->object, type, reason, "%s", clean.data);
}

static void replace_text(char **text, const char *with)
{
    free(*text);
    *text = with ? strdup(with) : NULL;
}

void set_waiting(struct container_memory *m, const char *reason, const char *message)
{
    replace_text(&m->waiting_reason, reason);
    replace_text(&m->waiting_message, message);
}

/* ---- one pass ---- */

/* Of pods that are no more, or were replaced by another of their name. */
static enum fault forget_stale(struct op *op, struct cluster *cluster, const char *ns,
                               const char *name, const char *uid)
{
    struct pod_memory *stale;

    while ((stale = pod_memory_stale(cluster, ns, name, uid)))
        TRY(pod_forget(op, stale));
    return OK;
}

static enum fault look(struct pod_pass *p)
{
    enum fault fault;

    p->pod = object_tree(p->object);
    p->spec = json_object_get(p->pod, "spec");
    p->memory = pod_memory_get(p->cluster, p->object);
    fault = sandbox_states(p->op, p->memory->sandbox, &p->states, &p->n_states);
    if (fault != OK && fault != GONE)
        return fault;
    p->alive = fault == OK;
    if (p->alive)
        p->memory->made = true;
    op_clear_fault(p->op);
    return OK;
}

static enum fault pass(struct op *op, struct cluster *cluster, const char *ns, const char *name,
                       int64_t *ret_again_ms)
{
    struct pod_pass p = {.op = op, .cluster = cluster, .again_ms = RECONCILE_DONE};
    enum fault fault;

    p.object = store_read(op, cluster->store, resource_find("", "v1", "pods"), ns, name);
    TRY(forget_stale(op, cluster, ns, name, p.object ? p.object->uid : ""));
    if (!p.object)
        return OK;
    p.node = text_at(object_tree(p.object), "spec.nodeName");
    if (!p.node || !node_of(cluster, p.node))
        return OK; /* nobody's yet, or not ours */
    TRY(look(&p));
    fault = pod_step(&p);
    *ret_again_ms = p.again_ms;
    return fault;
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    char *text = arena_strdup(&op->arena, key), *ns = strchr(text, ' '), *name;
    struct cluster *cluster;
    enum fault fault;

    *ns++ = '\0';
    name = strchr(ns, '/');
    *name++ = '\0';
    cluster = agent_enter(text);
    if (!cluster)
        return OK;
    atomic_fetch_add(&state.passes, 1);
    fault = pass(op, cluster, ns, name, ret_again_ms);
    agent_leave(cluster);
    if (fault == OK)
        return OK;
    atomic_fetch_add(&state.failures, 1);
    if (fault != CONFLICT && fault != NOT_FOUND)
        log_event(LOG_INFO_, "a pod will be looked at again", "cluster=%s pod=%s/%s reason=%s",
                  text, ns, name, log_quote(&op->arena, op->message ? op->message : ""));
    return fault;
}

/* ---- what brings a pass ---- */

static void add_key(const char *cluster, const char *ns, const char *name)
{
    char key[KEY_MAX];

    snprintf(key, sizeof(key), "%s %s/%s", cluster, ns, name);
    reconciler_add(state.pods, key);
}

void pod_wake(struct cluster *cluster, const char *ns, const char *name)
{
    add_key(cluster->id, ns, name);
}

static bool is_bound(const struct object *pod)
{
    return text_at(object_tree((struct object *)(uintptr_t)pod), "spec.nodeName") != NULL;
}

static const char *gate_status(const json_t *pod, const json_t *gate)
{
    return text_at_or(condition_of(pod, text_at_or(gate, "conditionType", "")), "status", "");
}

/* Conditions that others set, and Ready hangs on. */
static bool same_gates(const json_t *now, const json_t *old)
{
    json_t *gate;
    size_t i;

    json_array_foreach(at(now, "spec.readinessGates"), i, gate)
    {
        if (strcmp(gate_status(now, gate), gate_status(old, gate)) != 0)
            return false;
    }
    return true;
}

/* Its own writes of status need no further look. */
static bool only_status(const struct event *event)
{
    const json_t *now, *old;

    if (event->kind != EVENT_MODIFIED || !event->previous)
        return false;
    now = object_tree(event->object);
    old = object_tree(event->previous);
    return json_equal(json_object_get(now, "spec"), json_object_get(old, "spec")) &&
           event->object->deleting == event->previous->deleting &&
           json_equal(at(now, "metadata.labels"), at(old, "metadata.labels")) &&
           json_equal(at(now, "metadata.annotations"), at(old, "metadata.annotations")) &&
           json_equal(at(now, "metadata.deletionGracePeriodSeconds"),
                      at(old, "metadata.deletionGracePeriodSeconds")) &&
           same_gates(now, old);
}

static void wake_all(struct cluster *cluster)
{
    struct store_page page;
    struct op op;

    op_init(&op);
    if (store_list(&op, cluster->store, resource_find("", "v1", "pods"), NULL, NULL, NULL, 0, 0,
                   &page) == OK)
        for (size_t i = 0; i < page.n; i++)
            if (is_bound(page.objects[i]))
                pod_wake(cluster, page.objects[i]->ns, page.objects[i]->name);
    op_free(&op);
    pod_memories_wake(cluster);
}

static void heard_pod(void *user, const struct event *event)
{
    struct agent *a = user;

    if (!event)
        wake_all(a->cluster);
    else if (is_bound(event->object) && !only_status(event))
        pod_wake(a->cluster, event->object->ns, event->object->name);
}

/* Config maps and secrets: pods that read them. */
static void heard_source(void *user, const struct event *event)
{
    struct agent *a = user;
    bool secret;
    struct store_page page;
    struct op op;

    if (!event)
        return;
    secret = strcmp(event->object->resource->plural, "secrets") == 0;
    op_init(&op);
    if (store_list(&op, a->cluster->store, resource_find("", "v1", "pods"), event->object->ns, NULL,
                   NULL, 0, 0, &page) == OK)
        for (size_t i = 0; i < page.n; i++) {
            const json_t *pod = object_tree(page.objects[i]);

            if (text_at(pod, "spec.nodeName") && !pod_has_ended(pod) &&
                pod_uses(pod, secret ? "secret" : "configMap", event->object->name))
                pod_wake(a->cluster, page.objects[i]->ns, page.objects[i]->name);
        }
    op_free(&op);
}

/* A sandbox's container has ended: "p<cluster>-<uid>". */
static void on_sandbox(const char *id)
{
    char cluster_id[CLUSTER_ID_LEN + 1] = "";
    struct cluster *cluster;
    char ns[64], name[256];

    if (id[0] != 'p' || strlen(id) < CLUSTER_ID_LEN + 2)
        return;
    memcpy(cluster_id, id + 1, CLUSTER_ID_LEN);
    cluster = agent_enter(cluster_id);
    if (!cluster)
        return;
    if (pod_memory_of_sandbox(cluster, id, ns, sizeof(ns), name, sizeof(name)))
        pod_wake(cluster, ns, name);
    agent_leave(cluster);
}

/* "pod <cluster> <ns>/<name> <container>" */
static void on_image(const char *wake)
{
    char cluster[16], path[320];

    if (sscanf(wake, "pod %15s %319s", cluster, path) == 2 && strchr(path, '/')) {
        char *slash = strchr(path, '/');

        *slash = '\0';
        add_key(cluster, path, slash + 1);
    }
}

/* ---- life ---- */

void node_agents_start(void)
{
    state.pods = reconciler_new("pod", THREADS, step);
    pod_probes_start();
    nodes_start();
    service_proxies_start();
    sandbox_on_event(on_sandbox);
    image_on_event(on_image);
    image_add_in_use(pod_layers);
}

void node_agents_stop(void)
{
    service_proxies_stop();
    pod_probes_stop();
    nodes_stop();
    reconciler_free(state.pods);
    state.pods = NULL;
}

/* No step runs afterwards. */
static void close_agent(struct agent *a)
{
    struct cluster *cluster = a->cluster;

    pthread_mutex_lock(&state.lock);
    a->closing = true;
    pthread_mutex_unlock(&state.lock);
    pod_probes_cancel(cluster);
    pthread_mutex_lock(&state.lock);
    while (a->steps > 0)
        pthread_cond_wait(&state.idle, &state.lock);
    for (struct agent **p = &state.open; *p; p = &(*p)->next)
        if (*p == a) {
            *p = a->next;
            break;
        }
    pthread_mutex_unlock(&state.lock);
    pod_memories_drop(cluster);
    nodes_free(a->nodes);
    cluster->node_agent = NULL;
    free(a);
}

/* Is it a pod's, with the address it runs with? */
static bool is_known(const struct store_page *pods, struct cluster *cluster, const char *sandbox)
{
    for (size_t i = 0; i < pods->n; i++) {
        const struct pod_memory *m;

        if (!is_bound(pods->objects[i]))
            continue;
        m = pod_memory_get(cluster, pods->objects[i]);
        if (strcmp(m->sandbox, sandbox) == 0)
            return *m->address || bool_at(object_tree(pods->objects[i]), "spec.hostNetwork", false);
    }
    return false;
}

/* What runs from before: which addresses are in use is known before any is given, and sandboxes go
   whose pods are gone, or were killed off before their address was written down. */
static enum fault find_pods(struct op *op, struct cluster *cluster)
{
    const char *prefix = arena_printf(&op->arena, "p%s-", cluster->id), **ids;
    struct store_page pods;
    size_t n;

    TRY(store_list(op, cluster->store, resource_find("", "v1", "pods"), NULL, NULL, NULL, 0, 0,
                   &pods));
    for (size_t i = 0; i < pods.n; i++)
        if (is_bound(pods.objects[i]))
            pod_memory_get(cluster, pods.objects[i]);
    TRY(sandbox_list(op, &ids, &n));
    for (size_t i = 0; i < n; i++)
        if (strncmp(ids[i], prefix, strlen(prefix)) == 0 && !is_known(&pods, cluster, ids[i]))
            TRY(sandbox_delete(op, ids[i]));
    return OK;
}

enum fault node_agent_open(struct op *op, struct cluster *cluster)
{
    struct agent *a = calloc(1, sizeof(*a));

    if (!a)
        abort();
    a->cluster = cluster;
    a->nodes = nodes_new();
    cluster->node_agent = a;
    pthread_mutex_lock(&state.lock);
    a->next = state.open;
    state.open = a;
    pthread_mutex_unlock(&state.lock);
    if (find_pods(op, cluster) != OK) {
        close_agent(a);
        return op->fault;
    }
    store_listen(cluster->store, resource_find("", "v1", "pods"), heard_pod, a);
    store_listen(cluster->store, resource_find("", "v1", "configmaps"), heard_source, a);
    store_listen(cluster->store, resource_find("", "v1", "secrets"), heard_source, a);
    return service_proxy_open(op, cluster);
}

void node_agent_close(struct cluster *cluster)
{
    struct agent *a = cluster->node_agent;

    service_proxy_close(cluster);
    store_unlisten(cluster->store, heard_pod, a);
    store_unlisten(cluster->store, heard_source, a);
    close_agent(a);
}

enum fault node_agent_stop_all(struct op *op, const char *cluster_id)
{
    const char *prefix = arena_printf(&op->arena, "p%s-", cluster_id), **ids;
    size_t n;

    TRY(sandbox_list(op, &ids, &n));
    for (size_t i = 0; i < n; i++)
        if (strncmp(ids[i], prefix, strlen(prefix)) == 0)
            TRY(sandbox_delete(op, ids[i]));
    return OK;
}

enum fault node_agent_nodes(struct op *op, struct cluster *cluster, const struct node_spec *nodes,
                            size_t n)
{
    struct agent *a = cluster->node_agent;
    bool changed = false;

    TRY(nodes_set(op, cluster, a->nodes, nodes, n, &changed));
    if (changed)
        wake_all(cluster);
    if (!atomic_exchange(&a->knows_nodes, true) || changed)
        service_proxy_wake(cluster);
    return OK;
}

void node_agent_unknow(struct cluster *cluster, const char *node)
{
    struct agent *a = cluster->node_agent;

    nodes_remove(a->nodes, node);
}

enum fault node_agent_forget(struct op *op, struct cluster *cluster, const char *node)
{
    struct agent *a = cluster->node_agent;

    nodes_remove(a->nodes, node);
    return sandbox_node_remove(op, cluster->id, node);
}

/* Sandboxes live on without a network that leads anywhere: all of them are made anew. */
void node_agent_network_lost(struct cluster *cluster)
{
    struct op op;

    op_init(&op);
    if (node_agent_stop_all(&op, cluster->id) != OK)
        op_clear_fault(&op);
    op_free(&op);
    wake_all(cluster);
}

void node_agents_metrics(struct text *out)
{
    metric_head(out, "sundog_pod_passes_total", "counter", "looks of the node agent at a pod");
    text_printf(out, "sundog_pod_passes_total %lld\n", (long long)atomic_load(&state.passes));
    metric_head(out, "sundog_pod_failures_total", "counter", "looks that ended with a fault");
    text_printf(out, "sundog_pod_failures_total %lld\n", (long long)atomic_load(&state.failures));
    metric_head(out, "sundog_pod_queue", "gauge", "pods that wait to be looked at");
    text_printf(out, "sundog_pod_queue %zu\n", reconciler_depth(state.pods));
    pod_probes_metrics(out);
}
