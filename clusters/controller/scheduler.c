/*
 *~ The scheduler: each pod without a node is bound to the best of those that can take it. Filters
 *say ~ who can, scores who is best; both read one view of the cluster that is made for each pod
 *anew, with ~ what is bound but not yet committed counted.
 */
#include "clusters/controller/scheduler.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/object/quantity.h"

#define RETRY_MIN_MS   5000
#define RETRY_MAX_MS   300000
#define DEFAULT_MILLIS 100 /* what a pod that asks for nothing counts as */
#define DEFAULT_MEMORY (INT64_C(200) << 20)

static const struct actor actor = {
    .name = "system:kube-scheduler",
    .groups = (const char *const[]){"system:authenticated", NULL},
    .manager = "kube-scheduler",
    .trusted = true,
};

/* ---- needs ---- */

static void add_requests(struct op *op, struct pod_needs *needs, const json_t *requests,
                         bool largest)
{
    const char *name;
    json_t *value;

    (void)op;
    json_object_foreach((json_t *)requests, name, value)
    {
        const char *text = json_string_value(value);
        int64_t *sum = strcmp(name, "cpu") == 0                 ? &needs->cpu_millis
                       : strcmp(name, "memory") == 0            ? &needs->memory
                       : strcmp(name, "ephemeral-storage") == 0 ? &needs->storage
                                                                : NULL;
        int64_t n = sum == &needs->cpu_millis ? quantity_millis_of(text) : quantity_value_of(text);

        if (sum)
            *sum = largest ? (n > *sum ? n : *sum) : *sum + n;
        else if (needs->others)
            json_object_set_new(
                needs->others, name,
                json_integer(n + json_integer_value(json_object_get(needs->others, name))));
    }
}

static void release(void *tree)
{
    json_decref(tree);
}

struct pod_needs pod_needs(struct op *op, const json_t *pod)
{
    struct pod_needs needs = {.others = json_object()}, first = {0};
    json_t *container;
    size_t i;

    arena_defer(&op->arena, release, needs.others);
    json_array_foreach(at(pod, "spec.containers"), i, container)
    {
        add_requests(op, &needs, at(container, "resources.requests"), false);
    }
    json_array_foreach(at(pod, "spec.initContainers"), i, container)
    {
        if (strcmp(text_at_or(container, "restartPolicy", ""), "Always") == 0)
            add_requests(op, &needs, at(container, "resources.requests"), false);
        else
            add_requests(op, &first, at(container, "resources.requests"), true);
    }
    needs.cpu_millis = first.cpu_millis > needs.cpu_millis ? first.cpu_millis : needs.cpu_millis;
    needs.memory = first.memory > needs.memory ? first.memory : needs.memory;
    needs.storage = first.storage > needs.storage ? first.storage : needs.storage;
    add_requests(op, &needs, at(pod, "spec.overhead"), false);
    return needs;
}

/* ---- the view ---- */

static int64_t allocatable(const json_t *node, const char *name, bool millis)
{
    const char *text = json_string_value(json_object_get(at(node, "status.allocatable"), name));

    return millis ? quantity_millis_of(text) : quantity_value_of(text);
}

static struct node_state *find_node(struct cluster_state *state, const char *name)
{
    for (size_t i = 0; i < state->n; i++)
        if (strcmp(state->nodes[i].node->name, name) == 0)
            return &state->nodes[i];
    return NULL;
}

void node_clear(struct cluster_state *state, struct node_state *node, size_t n)
{
    node->list = arena_alloc(&state->op->arena, (n + 1) * sizeof(struct object *));
    node->n = 0;
    node->used_cpu = node->used_memory = node->used_pods = node->used_storage = 0;
    node->asked_cpu = node->asked_memory = 0;
}

void node_add(struct cluster_state *state, struct node_state *node, struct object *pod)
{
    struct pod_needs needs = pod_needs(state->op, object_tree(pod));

    node->list[node->n++] = pod;
    node->used_cpu += needs.cpu_millis;
    node->used_memory += needs.memory;
    node->used_storage += needs.storage;
    node->used_pods++;
    node->asked_cpu += needs.cpu_millis ? needs.cpu_millis : DEFAULT_MILLIS;
    node->asked_memory += needs.memory ? needs.memory : DEFAULT_MEMORY;
}

static void place_pod(struct cluster_state *state, struct object *object, int64_t priority)
{
    const json_t *pod = object_tree(object);
    const char *name = text_at(pod, "spec.nodeName");
    struct node_state *node;

    if (!name) {
        name = text_at(pod, "status.nominatedNodeName");
        if (!name || int_at(pod, "spec.priority", 0) <= priority)
            return;
    }
    node = find_node(state, name);
    if (node && !pod_has_ended(pod))
        node_add(state, node, object);
}

enum fault cluster_state_read(struct op *op, struct cluster *cluster, const json_t *pod,
                              struct cluster_state *ret)
{
    int64_t priority = int_at(pod, "spec.priority", 0);
    struct store_page nodes, pods;

    TRY(store_list(op, cluster->store, resource_find("", "v1", "nodes"), NULL, NULL, NULL, 0, 0,
                   &nodes));
    TRY(store_list(op, cluster->store, resource_find("", "v1", "pods"), NULL, NULL, NULL, 0, 0,
                   &pods));
    *ret = (struct cluster_state){.op = op, .cluster = cluster};
    ret->nodes = arena_alloc(&op->arena, (nodes.n + 1) * sizeof(*ret->nodes));
    for (size_t i = 0; i < nodes.n; i++) {
        struct node_state *node = &ret->nodes[ret->n++];

        node->node = nodes.objects[i];
        node->tree = object_tree(node->node);
        node->cpu_millis = allocatable(node->tree, "cpu", true);
        node->memory = allocatable(node->tree, "memory", false);
        node->storage = allocatable(node->tree, "ephemeral-storage", false);
        node->pods = allocatable(node->tree, "pods", false);
        node->list = arena_alloc(&op->arena, (pods.n + 1) * sizeof(struct object *));
    }
    for (size_t i = 0; i < pods.n; i++)
        place_pod(ret, pods.objects[i], priority);
    return OK;
}

/* ---- filters ---- */

static const char *check_name(const struct node_state *node, const json_t *pod)
{
    json_t *selector = at(pod, "spec.nodeSelector"), *value;
    const char *key;

    json_object_foreach(selector, key, value)
    {
        const char *label = label_of(node->tree, key);

        if (!label || strcmp(label, json_string_value(value)) != 0)
            return "didn't match Pod's node affinity/selector";
    }
    return NULL;
}

static const char *check_node_affinity(const struct cluster_state *state,
                                       const struct node_state *node, const json_t *pod)
{
    const json_t *terms = at(pod, "spec.affinity.nodeAffinity."
                                  "requiredDuringSchedulingIgnoredDuringExecution."
                                  "nodeSelectorTerms");

    return terms && !node_selector_terms_match(state->op, terms, node->tree)
               ? "didn't match Pod's node affinity/selector"
               : NULL;
}

static const char *check_taints(const struct cluster_state *state, const struct node_state *node,
                                const json_t *pod)
{
    const json_t *tolerations = at(pod, "spec.tolerations");
    json_t *taint;
    size_t i;

    json_array_foreach(at(node->tree, "spec.taints"), i, taint)
    {
        const char *effect = text_at_or(taint, "effect", "");

        if (strcmp(effect, "PreferNoSchedule") != 0 && !tolerates(tolerations, taint))
            return arena_printf(&state->op->arena, "had untolerated taint {%s: %s}",
                                text_at_or(taint, "key", ""), text_at_or(taint, "value", ""));
    }
    return NULL;
}

static bool tolerates_unschedulable(const json_t *pod)
{
    json_t *taint =
        json_pack("{s:s, s:s}", "key", "node.kubernetes.io/unschedulable", "effect", "NoSchedule");
    bool yes = tolerates(at(pod, "spec.tolerations"), taint);

    json_decref(taint);
    return yes;
}

static bool ports_meet(const json_t *a, const json_t *b)
{
    const char *left = text_at_or(a, "hostIP", "0.0.0.0"),
               *right = text_at_or(b, "hostIP", "0.0.0.0");
    bool any = strcmp(left, "0.0.0.0") == 0 || strcmp(right, "0.0.0.0") == 0 || !*left || !*right;

    return int_at(a, "hostPort", 0) == int_at(b, "hostPort", 0) &&
           strcmp(text_at_or(a, "protocol", "TCP"), text_at_or(b, "protocol", "TCP")) == 0 &&
           (any || strcmp(left, right) == 0);
}

/* Calls each for every host port of a pod; stops at true. */
static bool any_host_port(const json_t *pod, bool (*each)(const json_t *port, const void *arg),
                          const void *arg)
{
    json_t *container, *port;
    size_t i, k;

    json_array_foreach(at(pod, "spec.containers"), i, container)
    {
        json_array_foreach(json_object_get(container, "ports"), k, port)
        {
            if (int_at(port, "hostPort", 0) > 0 && each(port, arg))
                return true;
        }
    }
    return false;
}

static bool meets(const json_t *port, const void *arg)
{
    return ports_meet(port, arg);
}

static bool is_taken(const json_t *port, const void *arg)
{
    const struct node_state *node = arg;

    for (size_t i = 0; i < node->n; i++)
        if (any_host_port(object_tree(node->list[i]), meets, port))
            return true;
    return false;
}

static int64_t used_of_other(const struct cluster_state *state, const struct node_state *node,
                             const char *name)
{
    int64_t sum = 0;

    for (size_t i = 0; i < node->n; i++) {
        struct pod_needs needs = pod_needs(state->op, object_tree(node->list[i]));

        sum += json_integer_value(json_object_get(needs.others, name));
    }
    return sum;
}

static const char *check_resources(const struct cluster_state *state, const struct node_state *node,
                                   const struct pod_needs *needs)
{
    const char *name;
    json_t *n;

    if (node->used_pods + 1 > node->pods)
        return "Too many pods";
    if (needs->cpu_millis > 0 && node->used_cpu + needs->cpu_millis > node->cpu_millis)
        return "Insufficient cpu";
    if (needs->memory > 0 && node->used_memory + needs->memory > node->memory)
        return "Insufficient memory";
    if (needs->storage > 0 && node->used_storage + needs->storage > node->storage)
        return "Insufficient ephemeral-storage";
    json_object_foreach(needs->others, name, n)
    {
        if (json_integer_value(n) > 0 && json_integer_value(n) + used_of_other(state, node, name) >
                                             allocatable(node->tree, name, false))
            return arena_printf(&state->op->arena, "Insufficient %s", name);
    }
    return NULL;
}

const char *scheduler_filter(const struct cluster_state *state, const struct node_state *node,
                             const json_t *pod, const struct pod_needs *needs)
{
    const char *why;

    if (bool_at(node->tree, "spec.unschedulable", false) && !tolerates_unschedulable(pod))
        return "were unschedulable";
    why = check_name(node, pod);
    if (!why)
        why = check_node_affinity(state, node, pod);
    if (!why)
        why = check_taints(state, node, pod);
    if (!why && any_host_port(pod, is_taken, node))
        why = "didn't have free ports for the requested pod ports";
    if (!why)
        why = check_resources(state, node, needs);
    return why ? why : scheduler_filter_pods(state, node, pod);
}

/* ---- scores ---- */

static int64_t free_share(int64_t used, int64_t wanted, int64_t all)
{
    int64_t left = all - used - wanted;

    return all > 0 && left > 0 ? left * 100 / all : 0;
}

static int64_t prefers(const struct cluster_state *state, const struct node_state *node,
                       const json_t *pod)
{
    json_t *preference, *taint;
    int64_t sum = 0;
    size_t i;

    json_array_foreach(
        at(pod, "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"), i,
        preference)
    {
        json_t *terms = json_array();

        json_array_append(terms, json_object_get(preference, "preference"));
        if (node_selector_terms_match(state->op, terms, node->tree))
            sum += 2 * int_at(preference, "weight", 1);
        json_decref(terms);
    }
    json_array_foreach(at(node->tree, "spec.taints"), i, taint)
    {
        if (strcmp(text_at_or(taint, "effect", ""), "PreferNoSchedule") == 0 &&
            !tolerates(at(pod, "spec.tolerations"), taint))
            sum -= 300;
    }
    return sum;
}

/* Pods of the same owner are better apart. */
static int64_t siblings(const struct node_state *node, const json_t *pod)
{
    const json_t *owner = controller_of(pod);
    int64_t n = 0;

    for (size_t i = 0; owner && i < node->n; i++) {
        const json_t *other = controller_of(object_tree(node->list[i]));

        n += other && strcmp(text_at_or(other, "uid", ""), text_at_or(owner, "uid", "-")) == 0;
    }
    return n;
}

int64_t scheduler_score(const struct cluster_state *state, const struct node_state *node,
                        const json_t *pod, const struct pod_needs *needs)
{
    int64_t cpu = needs->cpu_millis ? needs->cpu_millis : DEFAULT_MILLIS;
    int64_t memory = needs->memory ? needs->memory : DEFAULT_MEMORY;
    int64_t free_cpu = free_share(node->asked_cpu, cpu, node->cpu_millis);
    int64_t free_memory = free_share(node->asked_memory, memory, node->memory);
    int64_t uneven = free_cpu > free_memory ? free_cpu - free_memory : free_memory - free_cpu;

    return (free_cpu + free_memory) / 2 + (100 - uneven) / 2 - 20 * siblings(node, pod) +
           prefers(state, node, pod) + scheduler_score_pods(state, node, pod);
}

/* ---- one pod ---- */

/* "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable." */
static const char *explain(const struct cluster_state *state, const char *const *why)
{
    struct text out;

    if (!state->n)
        return "no nodes available to schedule pods";
    text_init(&out, &state->op->arena, 4096);
    text_printf(&out, "0/%zu nodes are available:", state->n);
    for (size_t i = 0; i < state->n; i++) {
        size_t n = 0, k;

        for (k = 0; k < i && strcmp(why[k], why[i]) != 0; k++)
            ;
        if (k < i)
            continue;
        for (k = i; k < state->n; k++)
            n += strcmp(why[k], why[i]) == 0;
        text_printf(&out, "%s %zu %s%s", i ? "," : "", n,
                    strncmp(why[i], "Insufficient", 12) == 0 || strncmp(why[i], "Too many", 8) == 0
                        ? ""
                        : "node(s) ",
                    why[i]);
    }
    text_printf(&out,
                ". preemption: 0/%zu nodes are available: %zu No preemption victims found for "
                "incoming pod.",
                state->n, state->n);
    return out.data;
}

struct choice {
    struct node_state *node;
    const char **why;
};

static struct choice choose(struct cluster_state *state, const json_t *pod)
{
    struct pod_needs needs = pod_needs(state->op, pod);
    struct choice choice = {
        .why = arena_alloc(&state->op->arena, (state->n + 1) * sizeof(*choice.why))};
    int64_t best = INT64_MIN;

    for (size_t i = 0; i < state->n; i++) {
        struct node_state *node = &state->nodes[i];
        int64_t score;

        choice.why[i] = scheduler_filter(state, node, pod, &needs);
        if (choice.why[i])
            continue;
        score = scheduler_score(state, node, pod, &needs);
        if (score > best) {
            best = score;
            choice.node = node;
        }
    }
    return choice;
}

struct verdict {
    const char *message;
};

static enum fault note_unschedulable(struct op *op, json_t *pod, void *arg, bool *ret_skip)
{
    const struct verdict *verdict = arg;
    json_t *before = json_deep_copy(json_object_get(pod, "status"));

    condition_set(op, array_at(pod, "status.conditions"), "PodScheduled", "False", "Unschedulable",
                  verdict->message);
    *ret_skip = json_equal(before, json_object_get(pod, "status"));
    json_decref(before);
    return OK;
}

static enum fault cannot(struct op *op, struct cluster *cluster, struct object *pod,
                         const char *why)
{
    struct rest r = rest_of(cluster, &actor, pod->resource, pod->ns, pod->name);
    struct verdict verdict = {why};
    enum fault fault;

    r.subresource = "status";
    fault = rest_modify(op, &r, note_unschedulable, &verdict, NULL);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    if (r.revision) {
        rest_event(op, cluster, &actor, pod, "Warning", "FailedScheduling", "%s", why);
        return store_wait(op, cluster->store, r.revision);
    }
    return OK;
}

static enum fault bind(struct op *op, struct cluster *cluster, struct object *pod,
                       const struct node_state *node)
{
    struct rest r = rest_of(cluster, &actor, pod->resource, pod->ns, pod->name);
    json_t *binding =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s}}", "apiVersion", "v1", "kind",
                  "Binding", "metadata", "name", pod->name, "namespace", pod->ns, "uid", pod->uid,
                  "target", "kind", "Node", "name", node->node->name);
    struct object *bound;
    enum fault fault;

    arena_defer(&op->arena, release, binding);
    fault = rest_bind(op, &r, binding, &bound);
    if (fault == NOT_FOUND || fault == CONFLICT) { /* gone, or bound by somebody */
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    rest_event(op, cluster, &actor, pod, "Normal", "Scheduled", "Successfully assigned %s/%s to %s",
               pod->ns, pod->name, node->node->name);
    return store_wait(op, cluster->store, r.revision);
}

static bool is_to_schedule(const struct object *object, const json_t *pod)
{
    return !object->deleting && !text_at(pod, "spec.nodeName") && !pod_has_ended(pod) &&
           !json_array_size(at(pod, "spec.schedulingGates")) &&
           strcmp(text_at_or(pod, "spec.schedulerName", "default-scheduler"),
                  "default-scheduler") == 0;
}

int64_t scheduler_retry_ms(const json_t *pod, int64_t now_s)
{
    const json_t *condition = condition_of(pod, "PodScheduled");
    int64_t since = time_parse(text_at_or(condition, "lastTransitionTime", ""));
    int64_t waited_ms = since < 0 ? 0 : (now_s - since) * 1000;

    if (at(pod, "spec.affinity.podAffinity") || at(pod, "spec.affinity.podAntiAffinity") ||
        json_array_size(at(pod, "spec.topologySpreadConstraints")) || waited_ms < RETRY_MIN_MS)
        return RETRY_MIN_MS;
    return waited_ms < RETRY_MAX_MS ? waited_ms : RETRY_MAX_MS;
}

static enum fault schedule(struct op *op, struct cluster *cluster, const char *ns, const char *name,
                           int64_t *ret_again_ms)
{
    struct object *pod = store_read(op, cluster->store, resource_find("", "v1", "pods"), ns, name);
    struct cluster_state state;
    struct choice choice;

    if (!pod || !is_to_schedule(pod, object_tree(pod)))
        return OK;
    TRY(cluster_state_read(op, cluster, object_tree(pod), &state));
    choice = choose(&state, object_tree(pod));
    if (choice.node)
        return bind(op, cluster, pod, choice.node);
    *ret_again_ms = scheduler_retry_ms(object_tree(pod), wall_s());
    TRY(cannot(op, cluster, pod, explain(&state, choice.why)));
    return scheduler_preempt(&state, &actor, pod);
}

/* One pod of a cluster at a time, until its binding is seen by all: two must not get one place. */
static pthread_mutex_t *lock_of(const struct cluster *cluster)
{
    static pthread_mutex_t locks[8] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                       PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                       PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                       PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

    return &locks[(unsigned long long)cluster->row % ARRAY_LEN(locks)];
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    pthread_mutex_t *lock = lock_of(cluster);
    enum fault fault;

    pthread_mutex_lock(lock);
    fault = schedule(op, cluster, ns, name, ret_again_ms);
    pthread_mutex_unlock(lock);
    return fault;
}

/* Whatever makes room brings back those that wait. */
static void keys_of_waiting(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    struct store_page page;
    struct op op;

    (void)event;
    op_init(&op);
    if (store_list(&op, cluster->store, resource_find("", "v1", "pods"), NULL, NULL, NULL, 0, 0,
                   &page) == OK)
        for (size_t i = 0; i < page.n; i++)
            if (is_to_schedule(page.objects[i], object_tree(page.objects[i])))
                keys_add(keys, page.objects[i]->ns, page.objects[i]->name);
    op_free(&op);
}

static bool is_same_offer(const struct event *event)
{
    const json_t *now = object_tree(event->object), *old;

    if (event->kind != EVENT_MODIFIED || !event->previous)
        return false;
    old = object_tree(event->previous);
    return json_equal(json_object_get(now, "spec"), json_object_get(old, "spec")) &&
           json_equal(at(now, "status.allocatable"), at(old, "status.allocatable")) &&
           json_equal(at(now, "metadata.labels"), at(old, "metadata.labels"));
}

static void keys_of_node(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    if (!is_same_offer(event)) /* not for every heartbeat */
        keys_of_waiting(cluster, event, keys);
}

/* It was promised a place and goes elsewhere. */
static bool frees_promise(const struct event *event, const json_t *pod)
{
    const json_t *old = event->previous ? object_tree(event->previous) : NULL;
    const char *promised = text_at(old, "status.nominatedNodeName");

    return promised && !text_at(old, "spec.nodeName") &&
           strcmp(text_at_or(pod, "spec.nodeName", text_at_or(pod, "status.nominatedNodeName", "")),
                  promised) != 0;
}

static void keys_of_pod(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    const json_t *pod = object_tree(event->object);

    if (event->kind == EVENT_DELETED || pod_has_ended(pod) || frees_promise(event, pod))
        keys_of_waiting(cluster, event, keys);
    else if (is_to_schedule(event->object, pod))
        keys_add(keys, event->object->ns, event->object->name);
}

static const struct rule rules[] = {
    {"",           "pods", keys_of_pod, NULL},
    {"", "nodes", keys_of_node, NULL},
    {0           },
};

const struct controller scheduler = {
    .name = "scheduler",
    .actor = {"system:kube-scheduler"},
    .rules = rules,
    .reconcile = reconcile,
};
