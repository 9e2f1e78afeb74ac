/* A Deployment's ReplicaSets: which is the present one, revisions, scaling, history. */
#include <stdlib.h>
#include <string.h>

#include "clusters/controller/deployment.h"

static const struct resource *sets_resource(void)
{
    return resource_find("apps", "v1", "replicasets");
}

int64_t set_replicas(const struct object *set)
{
    return int_at(object_tree((struct object *)(uintptr_t)set), "spec.replicas", 1);
}

int64_t set_status(const struct object *set, const char *member)
{
    return int_at(json_object_get(object_tree((struct object *)(uintptr_t)set), "status"), member,
                  0);
}

/* ---- which is it? ---- */

/* Templates are the same but for the label that names them. */
static bool same_template(const json_t *set, const json_t *deployment)
{
    json_t *a = json_deep_copy(at(set, "spec.template"));
    json_t *b = json_deep_copy(at(deployment, "spec.template"));
    json_t *labels = at(a, "metadata.labels");
    bool same;

    if (labels)
        json_object_del(labels, TEMPLATE_HASH);
    labels = at(b, "metadata.labels");
    if (labels)
        json_object_del(labels, TEMPLATE_HASH);
    same = json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return same;
}

static int64_t revision_of(const json_t *tree)
{
    const char *text = annotation_of(tree, REVISION);

    return text ? strtoll(text, NULL, 10) : 0;
}

/* The oldest that fits, as upstream takes it. */
static struct object *find(const struct deployment_pass *p)
{
    struct object *found = NULL;

    for (size_t i = 0; i < p->sets.n; i++) {
        struct object *set = p->sets.list[i];

        if (set->deleting || !same_template(object_tree(set), p->tree))
            continue;
        if (!found || strcmp(text_at_or(object_tree(set), "metadata.creationTimestamp", ""),
                             text_at_or(object_tree(found), "metadata.creationTimestamp", "")) < 0)
            found = set;
    }
    return found;
}

static int64_t highest_revision(const struct deployment_pass *p, const struct object *but)
{
    int64_t highest = 0;

    for (size_t i = 0; i < p->sets.n; i++) {
        int64_t revision = revision_of(object_tree(p->sets.list[i]));

        if (p->sets.list[i] != but && revision > highest)
            highest = revision;
    }
    return highest;
}

/* ---- annotations ---- */

static bool is_own(const char *key)
{
    static const char *const own[] = {"kubectl.kubernetes.io/last-applied-configuration",
                                      REVISION,
                                      REVISION_HISTORY,
                                      DESIRED_REPLICAS,
                                      MAX_REPLICAS,
                                      "deprecated.deployment.rollback.to"};

    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (strcmp(own[i], key) == 0)
            return true;
    return false;
}

static void set_annotation(struct op *op, json_t *tree, const char *key, int64_t value)
{
    json_object_set_new(object_at(tree, "metadata.annotations"), key,
                        json_string(arena_printf(&op->arena, "%lld", (long long)value)));
}

static void note_replicas(const struct deployment_pass *p, json_t *set)
{
    int64_t wanted = deployment_replicas(p);

    set_annotation(p->op, set, DESIRED_REPLICAS, wanted);
    set_annotation(p->op, set, MAX_REPLICAS, wanted + deployment_surge(p));
}

static void copy_annotations(const struct deployment_pass *p, json_t *set)
{
    json_t *value;
    const char *key;

    json_object_foreach(at(p->tree, "metadata.annotations"), key, value)
    {
        if (!is_own(key))
            json_object_set(object_at(set, "metadata.annotations"), key, value);
    }
}

/* ---- the present one ---- */

struct renewal {
    const struct deployment_pass *p;
    int64_t revision;
};

static void take_revision(const struct renewal *renewal, json_t *set)
{
    const char *old = annotation_of(set, REVISION);
    const char *history = annotation_of(set, REVISION_HISTORY);
    struct op *op = renewal->p->op;

    if (old && strtoll(old, NULL, 10) >= renewal->revision)
        return;
    if (old && *old)
        json_object_set_new(
            object_at(set, "metadata.annotations"), REVISION_HISTORY,
            json_string(history ? arena_printf(&op->arena, "%s,%s", history, old) : old));
    set_annotation(op, set, REVISION, renewal->revision);
}

static enum fault renew(struct op *op, json_t *set, void *arg, bool *ret_skip)
{
    const struct renewal *renewal = arg;
    json_t *before = object_copy(op, set);

    copy_annotations(renewal->p, set);
    take_revision(renewal, set);
    if (json_object_get(json_object_get(renewal->p->tree, "spec"), "minReadySeconds"))
        set_at(set, "spec.minReadySeconds",
               json_integer(int_at(renewal->p->tree, "spec.minReadySeconds", 0)));
    *ret_skip = json_equal(before, set);
    return OK;
}

static enum fault note_revision(struct op *op, json_t *deployment, void *arg, bool *ret_skip)
{
    int64_t revision = *(const int64_t *)arg;

    *ret_skip = revision_of(deployment) == revision;
    set_annotation(op, deployment, REVISION, revision);
    return OK;
}

static enum fault write_revision(struct deployment_pass *p, int64_t revision)
{
    struct rest r = rest_of(p->cluster, &deployment_actor, p->deployment->resource,
                            p->deployment->ns, p->deployment->name);
    struct object *now = NULL;

    if (revision_of(p->tree) == revision)
        return OK;
    TRY(rest_modify(p->op, &r, note_revision, &revision, &now));
    moved(&p->revision, &r);
    if (now) {
        p->deployment = now;
        p->tree = object_tree(now);
    }
    return OK;
}

static json_t *new_set(struct deployment_pass *p, const char *hash, int64_t revision)
{
    struct op *op = p->op;
    const char *name = arena_printf(&op->arena, "%s-%s", p->deployment->name, hash);
    json_t *set = object_new(op, sets_resource(), p->deployment->ns, name);
    json_t *labels = json_deep_copy(at(p->tree, "spec.template.metadata.labels"));

    if (!labels)
        labels = json_object();
    json_object_set_new(labels, TEMPLATE_HASH, json_string(hash));
    set_at(set, "metadata.labels", labels);
    json_array_append_new(array_at(set, "metadata.ownerReferences"),
                          owner_reference(p->tree, p->deployment->resource));
    set_at(set, "spec.replicas", json_integer(0));
    if (int_at(p->tree, "spec.minReadySeconds", 0))
        set_at(set, "spec.minReadySeconds",
               json_integer(int_at(p->tree, "spec.minReadySeconds", 0)));
    set_at(set, "spec.selector", json_deep_copy(at(p->tree, "spec.selector")));
    json_object_set_new(object_at(set, "spec.selector.matchLabels"), TEMPLATE_HASH,
                        json_string(hash));
    set_at(set, "spec.template", json_deep_copy(at(p->tree, "spec.template")));
    json_object_set_new(object_at(set, "spec.template.metadata.labels"), TEMPLATE_HASH,
                        json_string(hash));
    copy_annotations(p, set);
    set_annotation(op, set, REVISION, revision);
    note_replicas(p, set);
    return set;
}

/* How many replicas it begins with: what the surge leaves room for. */
static int64_t first_replicas(const struct deployment_pass *p)
{
    int64_t wanted = deployment_replicas(p), total = 0, room;

    if (strcmp(text_at_or(p->tree, "spec.strategy.type", ""), "Recreate") == 0) {
        for (size_t i = 0; i < p->sets.n; i++)
            total += set_status(p->sets.list[i], "replicas") || set_replicas(p->sets.list[i]);
        return total ? 0 : wanted;
    }
    for (size_t i = 0; i < p->sets.n; i++)
        total += set_replicas(p->sets.list[i]);
    room = wanted + deployment_surge(p) - total;
    return room <= 0 ? 0 : room < wanted ? room : wanted;
}

static enum fault bump_collisions(struct deployment_pass *p, int64_t collisions)
{
    struct rest r = rest_of(p->cluster, &deployment_actor, p->deployment->resource,
                            p->deployment->ns, p->deployment->name);
    json_t *status = json_deep_copy(json_object_get(p->tree, "status"));

    if (!status)
        status = json_object();
    json_object_set_new(status, "collisionCount", json_integer(collisions + 1));
    TRY(rest_set_status(p->op, &r, status));
    TRY(store_wait(p->op, p->cluster->store, r.revision));
    return fail(p->op, UNAVAILABLE, "a replica set of another template has the same name");
}

static enum fault make(struct deployment_pass *p, int64_t revision)
{
    int64_t collisions = int_at(p->tree, "status.collisionCount", 0);
    int64_t replicas = first_replicas(p);
    const char *hash = template_hash(p->op, at(p->tree, "spec.template"), collisions);
    struct rest r =
        rest_of(p->cluster, &deployment_actor, sets_resource(), p->deployment->ns, NULL);
    json_t *set = new_set(p, hash, revision);
    enum fault fault;

    set_at(set, "spec.replicas", json_integer(replicas));
    fault = rest_create(p->op, &r, set, &p->current);
    if (fault == CONFLICT) {
        op_clear_fault(p->op);
        return bump_collisions(p, collisions);
    }
    if (fault == FORBIDDEN || fault == INVALID) { /* a quota, say: told, and tried again */
        p->failure = arena_printf(&p->op->arena, "Failed to create new replica set \"%s\": %s",
                                  text_at_or(set, "metadata.name", ""), p->op->message);
        op_clear_fault(p->op);
        rest_event(p->op, p->cluster, &deployment_actor, p->deployment, "Warning",
                   "ReplicaSetCreateError", "%s", p->failure);
        p->again_s = 5;
        return OK;
    }
    TRY(fault);
    moved(&p->revision, &r);
    p->created = true;
    p->sets.list[p->sets.n++] = p->current;
    if (replicas)
        rest_event(p->op, p->cluster, &deployment_actor, p->deployment, "Normal",
                   "ScalingReplicaSet", "Scaled up replica set %s from 0 to %lld", p->current->name,
                   (long long)replicas);
    return write_revision(p, revision);
}

static void replace_in_list(struct deployment_pass *p, const struct object *old, struct object *now)
{
    for (size_t i = 0; i < p->sets.n; i++)
        if (p->sets.list[i] == old)
            p->sets.list[i] = now;
}

enum fault deployment_find_current(struct deployment_pass *p, bool make_it)
{
    struct object *found = find(p), *now = NULL;
    struct renewal renewal = {p, highest_revision(p, found) + 1};
    struct rest r;

    p->current = found;
    if (!found)
        return make_it ? make(p, renewal.revision) : OK;
    r = rest_of(p->cluster, &deployment_actor, sets_resource(), found->ns, found->name);
    if (revision_of(object_tree(found)) > renewal.revision)
        renewal.revision = revision_of(object_tree(found));
    TRY(rest_modify(p->op, &r, renew, &renewal, &now));
    moved(&p->revision, &r);
    if (now) {
        replace_in_list(p, found, now);
        p->current = now;
    }
    return write_revision(p, renewal.revision);
}

/* ---- scaling ---- */

struct scaling {
    const struct deployment_pass *p;
    int64_t replicas;
};

static enum fault set_scale(struct op *op, json_t *set, void *arg, bool *ret_skip)
{
    const struct scaling *scaling = arg;
    json_t *before = object_copy(op, set);

    note_replicas(scaling->p, set);
    set_at(set, "spec.replicas", json_integer(scaling->replicas));
    *ret_skip = json_equal(before, set);
    return OK;
}

enum fault deployment_scale(struct deployment_pass *p, struct object **set, int64_t replicas)
{
    struct object *old = *set, *now = NULL;
    struct scaling scaling = {p, replicas};
    struct rest r = rest_of(p->cluster, &deployment_actor, sets_resource(), old->ns, old->name);
    int64_t before = set_replicas(old);

    TRY(rest_modify(p->op, &r, set_scale, &scaling, &now));
    moved(&p->revision, &r);
    if (!now)
        return OK;
    if (p->current == old)
        p->current = now;
    replace_in_list(p, old, now);
    *set = now;
    if (before != replicas)
        rest_event(p->op, p->cluster, &deployment_actor, p->deployment, "Normal",
                   "ScalingReplicaSet", "Scaled %s replica set %s from %lld to %lld",
                   replicas > before ? "up" : "down", now->name, (long long)before,
                   (long long)replicas);
    return OK;
}

/* ---- history ---- */

static int by_revision(const void *a, const void *b)
{
    int64_t left = revision_of(object_tree(*(struct object *const *)a));
    int64_t right = revision_of(object_tree(*(struct object *const *)b));

    return left < right ? -1 : left > right;
}

/* Old sets without pods beyond revisionHistoryLimit, the oldest revisions first. */
enum fault deployment_clean_up(struct deployment_pass *p)
{
    int64_t limit = int_at(p->tree, "spec.revisionHistoryLimit", 10), n = 0;
    struct object **old = arena_alloc(&p->op->arena, (p->sets.n + 1) * sizeof(struct object *));
    const struct delete_options options = {.grace_s = -1};

    for (size_t i = 0; i < p->sets.n; i++)
        if (p->sets.list[i] != p->current && !p->sets.list[i]->deleting)
            old[n++] = p->sets.list[i];
    qsort(old, (size_t)n, sizeof(*old), by_revision);
    for (int64_t i = 0; i < n - limit; i++) {
        struct rest r =
            rest_of(p->cluster, &deployment_actor, sets_resource(), old[i]->ns, old[i]->name);
        enum fault fault;

        if (set_replicas(old[i]) || set_status(old[i], "replicas") ||
            int_at(object_tree(old[i]), "metadata.generation", 0) >
                set_status(old[i], "observedGeneration"))
            continue;
        fault = rest_delete(p->op, &r, &options, NULL, NULL);
        if (fault == NOT_FOUND)
            op_clear_fault(p->op);
        else
            TRY(fault);
        moved(&p->revision, &r);
    }
    return OK;
}
