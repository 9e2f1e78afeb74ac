/* ReplicaSets and ReplicationControllers, which differ in name and in how they choose: as many pods
   as wanted. */
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/workload.h"

#define BURST_MAX 500

struct set_kind {
    const char *group, *plural, *kind;
    bool plain; /* spec.selector is a map of labels */
    struct actor actor;
};
#define GROUPS                                                                                     \
    (const char *const[])                                                                          \
    {                                                                                              \
        "system:serviceaccounts", "system:authenticated", NULL                                     \
    }
static const struct set_kind replica_sets = {
    .group = "apps",
    .plural = "replicasets",
    .kind = "ReplicaSet",
    .actor = {.name = "system:serviceaccount:kube-system:replicaset-controller",
              .groups = GROUPS,
              .manager = "kube-controller-manager",
              .trusted = true},
};
static const struct set_kind replication_controllers = {
    .group = "",
    .plural = "replicationcontrollers",
    .kind = "ReplicationController",
    .plain = true,
    .actor = {.name = "system:serviceaccount:kube-system:replication-controller",
              .groups = GROUPS,
              .manager = "kube-controller-manager",
              .trusted = true},
};

struct pass {
    struct op *op;
    struct cluster *cluster;
    const struct set_kind *kind;
    struct object *set;
    const json_t *tree;
    struct owned pods;                    /* that have not ended */
    int64_t revision;                     /* to wait for */
    const char *failure_reason, *failure; /* why a pod could not be made or deleted */
    int64_t again_s;                      /* until a pod becomes available; 0: none does */
};

static const struct resource *pods_resource(void)
{
    return resource_find("", "v1", "pods");
}

/* ---- pods ---- */

static void drop_ended(struct pass *p)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->pods.n; i++)
        if (pod_is_active(object_tree(p->pods.list[i])))
            p->pods.list[kept++] = p->pods.list[i];
    p->pods.n = kept;
}

static void note_failure(struct pass *p, const char *reason)
{
    p->failure_reason = reason;
    p->failure = p->op->message;
    op_clear_fault(p->op);
}

static enum fault create(struct pass *p, int64_t n)
{
    for (int64_t i = 0; i < n && i < BURST_MAX; i++) {
        struct rest r = rest_of(p->cluster, &p->kind->actor, pods_resource(), p->set->ns, NULL);
        json_t *pod =
            pod_of_template(p->op, p->set, p->set->resource, at(p->tree, "spec.template"), NULL);
        struct object *made = NULL;
        enum fault fault = rest_create(p->op, &r, pod, &made);

        if (fault == FORBIDDEN || fault == INVALID) { /* a quota, or a template that cannot be */
            rest_event(p->op, p->cluster, &p->kind->actor, p->set, "Warning", "FailedCreate",
                       "Error creating: %s", p->op->message);
            note_failure(p, "FailedCreate");
            return OK;
        }
        TRY(fault);
        moved(&p->revision, &r);
        rest_event(p->op, p->cluster, &p->kind->actor, p->set, "Normal", "SuccessfulCreate",
                   "Created pod: %s", made->name);
    }
    return OK;
}

static enum fault delete_surplus(struct pass *p, int64_t n)
{
    const struct delete_options options = {.grace_s = -1};

    rank_for_deletion(p->op, p->pods.list, p->pods.n);
    for (int64_t i = 0; i < n; i++) {
        struct object *pod = p->pods.list[i];
        struct rest r = rest_of(p->cluster, &p->kind->actor, pods_resource(), pod->ns, pod->name);
        enum fault fault = rest_delete(p->op, &r, &options, NULL, NULL);

        if (fault == NOT_FOUND) {
            op_clear_fault(p->op);
            continue;
        }
        TRY(fault);
        moved(&p->revision, &r);
        rest_event(p->op, p->cluster, &p->kind->actor, p->set, "Normal", "SuccessfulDelete",
                   "Deleted pod: %s", pod->name);
    }
    return OK;
}

/* ---- status ---- */

struct counts {
    int64_t replicas, labelled, ready, available;
};

static bool carries(const json_t *pod, const json_t *labels)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)labels, key, value)
    {
        if (!json_equal(json_object_get(at(pod, "metadata.labels"), key), value))
            return false;
    }
    return true;
}

static struct counts count(struct pass *p)
{
    const json_t *labels = at(p->tree, "spec.template.metadata.labels");
    int64_t min_ready = int_at(p->tree, "spec.minReadySeconds", 0), wait;
    struct counts counts = {.replicas = (int64_t)p->pods.n};

    for (size_t i = 0; i < p->pods.n; i++) {
        const json_t *pod = object_tree(p->pods.list[i]);

        counts.labelled += carries(pod, labels);
        counts.ready += object_is_ready(pod);
        counts.available += pod_is_available(pod, min_ready, &wait);
        if (wait > 0 && (!p->again_s || wait < p->again_s))
            p->again_s = wait;
    }
    return counts;
}

static void set_count(json_t *status, const char *member, int64_t n, bool always)
{
    if (n || always)
        json_object_set_new(status, member, json_integer(n));
}

static void set_failure(struct pass *p, json_t *status)
{
    json_t *conditions = json_deep_copy(at(p->tree, "status.conditions"));

    if (!conditions)
        conditions = json_array();
    if (p->failure)
        condition_set(p->op, conditions, "ReplicaFailure", "True", p->failure_reason, p->failure);
    for (size_t i = json_array_size(conditions); i > 0 && !p->failure; i--)
        if (strcmp(text_at_or(json_array_get(conditions, i - 1), "type", ""), "ReplicaFailure") ==
            0)
            json_array_remove(conditions, i - 1);
    if (json_array_size(conditions))
        json_object_set_new(status, "conditions", conditions);
    else
        json_decref(conditions);
}

static enum fault write_status(struct pass *p)
{
    struct counts counts = count(p);
    json_t *status = json_object();
    struct rest r =
        rest_of(p->cluster, &p->kind->actor, p->set->resource, p->set->ns, p->set->name);

    set_count(status, "replicas", counts.replicas, true);
    set_count(status, "fullyLabeledReplicas", counts.labelled, false);
    set_count(status, "readyReplicas", counts.ready, false);
    set_count(status, "availableReplicas", counts.available, false);
    set_count(status, "observedGeneration", int_at(p->tree, "metadata.generation", 0), false);
    set_failure(p, status);
    TRY(rest_set_status(p->op, &r, status));
    moved(&p->revision, &r);
    return OK;
}

/* ---- one set ---- */

/* As seen before this pass's own changes: those come back as events. */
static enum fault manage(struct pass *p)
{
    int64_t wanted = int_at(p->tree, "spec.replicas", 1), have = (int64_t)p->pods.n;

    if (p->set->deleting)
        return OK;
    if (have < wanted)
        return create(p, wanted - have);
    return have > wanted ? delete_surplus(p, have - wanted) : OK;
}

static enum fault look(struct pass *p)
{
    const json_t *chooser = at(p->tree, "spec.selector");
    const struct selector *selector = selector_of_map(&p->op->arena, chooser);

    if (!p->kind->plain)
        TRY(selector_of(p->op, &p->op->arena, chooser, &selector));
    TRY(owned_by(p->op, p->cluster, &p->kind->actor, p->set, p->set->resource, pods_resource(),
                 selector, &p->revision, &p->pods));
    drop_ended(p);
    return OK;
}

static enum fault pass(struct pass *p)
{
    TRY(look(p));
    TRY(manage(p));
    return write_status(p);
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const struct set_kind *kind,
                            const char *ns, const char *name, int64_t *ret_again_ms)
{
    struct pass p = {.op = op, .cluster = cluster, .kind = kind};
    enum fault fault;

    p.set =
        store_read(op, cluster->store, resource_find(kind->group, "v1", kind->plural), ns, name);
    if (!p.set)
        return OK;
    p.tree = object_tree(p.set);
    fault = pass(&p);
    if (p.again_s)
        *ret_again_ms = p.again_s * 1000;
    if (p.failure)
        *ret_again_ms = 5000;
    return settled(op, cluster, p.revision, fault);
}

static enum fault reconcile_set(struct op *op, struct cluster *cluster, const char *ns,
                                const char *name, int64_t *ret_again_ms)
{
    return reconcile(op, cluster, &replica_sets, ns, name, ret_again_ms);
}

static enum fault reconcile_controller(struct op *op, struct cluster *cluster, const char *ns,
                                       const char *name, int64_t *ret_again_ms)
{
    return reconcile(op, cluster, &replication_controllers, ns, name, ret_again_ms);
}

/* ---- keys ---- */

static void add_owner(const struct set_kind *kind, struct object *pod, struct keys *keys)
{
    const json_t *owner = pod ? controller_of(object_tree(pod)) : NULL;

    if (owner && strcmp(text_at_or(owner, "kind", ""), kind->kind) == 0)
        keys_add(keys, pod->ns, text_at_or(owner, "name", ""));
}

/* Its controller, and the one it had. A pod without a controller may be wanted by any set of its
   namespace that chooses it. */
static void keys_of_pod(struct cluster *cluster, const struct event *event,
                        const struct set_kind *kind, struct keys *keys)
{
    struct store_page page;
    struct op op;

    add_owner(kind, event->object, keys);
    if (event->previous != event->object)
        add_owner(kind, event->previous, keys);
    if (controller_of(object_tree(event->object)))
        return;
    op_init(&op);
    if (store_list(&op, cluster->store, resource_find(kind->group, "v1", kind->plural),
                   event->object->ns, NULL, NULL, 0, 0, &page) == OK)
        for (size_t i = 0; i < page.n; i++)
            keys_add(keys, page.objects[i]->ns, page.objects[i]->name);
    op_free(&op);
}

static void keys_of_set(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    keys_of_pod(cluster, event, &replica_sets, keys);
}

static void keys_of_controller(struct cluster *cluster, const struct event *event,
                               struct keys *keys)
{
    keys_of_pod(cluster, event, &replication_controllers, keys);
}

static const struct rule set_rules[] = {
    {"apps", "replicasets", NULL, NULL},
    {"",  "pods", keys_of_set, NULL},
    {0     },
};
static const struct rule controller_rules[] = {
    {"",    "replicationcontrollers", NULL, NULL},
    {"", "pods", keys_of_controller, NULL},
    {0    },
};

const struct controller replica_set_controller = {
    .name = "replicaset",
    .actor = {"system:serviceaccount:kube-system:replicaset-controller"},
    .rules = set_rules,
    .reconcile = reconcile_set,
};
const struct controller replication_controller = {
    .name = "replication",
    .actor = {"system:serviceaccount:kube-system:replication-controller"},
    .rules = controller_rules,
    .reconcile = reconcile_controller,
};
