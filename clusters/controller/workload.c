#include "clusters/controller/workload.h"

#include <stdlib.h>
#include <string.h>

#include "core/seal.h"

/* ---- pods ---- */

bool pod_is_available(const json_t *pod, int64_t min_ready_s, int64_t *ret_wait_s)
{
    int64_t since, wait;

    if (ret_wait_s)
        *ret_wait_s = 0;
    if (!object_is_ready(pod))
        return false;
    if (min_ready_s <= 0)
        return true;
    since = time_parse(text_at_or(condition_of(pod, "Ready"), "lastTransitionTime", ""));
    wait = since + min_ready_s - wall_s();
    if (wait <= 0)
        return true;
    if (ret_wait_s)
        *ret_wait_s = wait;
    return false;
}

bool pod_has_ended(const json_t *pod)
{
    const char *phase = text_at_or(pod, "status.phase", "");

    return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

bool pod_is_active(const json_t *pod)
{
    return !pod_has_ended(pod) && !text_at(pod, "metadata.deletionTimestamp");
}

void condition_set(struct op *op, json_t *conditions, const char *type, const char *status,
                   const char *reason, const char *message)
{
    const char *now = time_text(op, wall_s());
    json_t *condition, *found = NULL;
    size_t i;

    json_array_foreach(conditions, i, condition)
    {
        if (strcmp(text_at_or(condition, "type", ""), type) == 0)
            found = condition;
    }
    if (!found) {
        found = json_pack("{s:s}", "type", type);
        json_array_append_new(conditions, found);
    }
    if (strcmp(text_at_or(found, "status", ""), status) != 0)
        json_object_set_new(found, "lastTransitionTime", json_string(now));
    json_object_set_new(found, "status", json_string(status));
    if (reason)
        json_object_set_new(found, "reason", json_string(reason));
    if (message)
        json_object_set_new(found, "message", json_string(message));
}

/* ---- ownership ---- */

struct claim {
    const json_t *reference; /* to be added; NULL: taken away */
    const char *uid;         /* of the owner */
};

static enum fault change_owner(struct op *op, json_t *tree, void *arg, bool *ret_skip)
{
    const struct claim *claim = arg;
    json_t *owners = array_at(tree, "metadata.ownerReferences");

    (void)op;
    if (claim->reference) {
        *ret_skip = controller_of(tree) != NULL || text_at(tree, "metadata.deletionTimestamp");
        json_array_append_new(owners, json_deep_copy(claim->reference));
        return OK;
    }
    *ret_skip = true;
    for (size_t i = json_array_size(owners); i > 0; i--)
        if (strcmp(text_at_or(json_array_get(owners, i - 1), "uid", ""), claim->uid) == 0) {
            json_array_remove(owners, i - 1);
            *ret_skip = false;
        }
    if (!json_array_size(owners))
        set_at(tree, "metadata.ownerReferences", NULL);
    return OK;
}

static void release(void *tree)
{
    json_decref(tree);
}

static enum fault write_claim(struct op *op, struct cluster *cluster, const struct actor *actor,
                              struct object *object, const struct claim *claim, int64_t *revision,
                              struct object **ret)
{
    struct rest r = rest_of(cluster, actor, object->resource, object->ns, object->name);
    struct claim copy = *claim;
    enum fault fault = rest_modify(op, &r, change_owner, &copy, ret);

    moved(revision, &r);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        *ret = NULL;
        return OK;
    }
    return fault;
}

enum fault owned_by(struct op *op, struct cluster *cluster, const struct actor *actor,
                    struct object *owner, const struct resource *owner_resource,
                    const struct resource *r, const struct selector *selector, int64_t *revision,
                    struct owned *ret)
{
    json_t *reference = owner_reference(object_tree(owner), owner_resource);
    const struct claim adopt = {reference, owner->uid}, let_go = {NULL, owner->uid};
    struct store_page page;

    arena_defer(&op->arena, release, reference);
    TRY(store_list(op, cluster->store, r, owner->ns, NULL, NULL, 0, 0, &page));
    ret->list = arena_alloc(&op->arena, (page.n + 1) * sizeof(struct object *));
    ret->n = 0;
    for (size_t i = 0; i < page.n; i++) {
        struct object *object = page.objects[i];
        const json_t *tree = object_tree(object), *controller = controller_of(tree);
        bool ours = controller && strcmp(text_at_or(controller, "uid", ""), owner->uid) == 0;
        bool chosen = !selector || selector_matches(selector, at(tree, "metadata.labels"));

        if (ours && chosen) {
            ret->list[ret->n++] = object;
        } else if (ours && !object->deleting) {
            TRY(write_claim(op, cluster, actor, object, &let_go, revision, &object));
        } else if (selector && chosen && !controller && !object->deleting && !owner->deleting) {
            TRY(write_claim(op, cluster, actor, object, &adopt, revision, &object));
            if (object && controller_of(object_tree(object)))
                ret->list[ret->n++] = object;
        }
    }
    return OK;
}

enum fault settled(struct op *op, struct cluster *cluster, int64_t revision, enum fault fault)
{
    const char *noun = op->noun, *message = op->message, *detail = op->detail;

    if (!revision)
        return fault;
    if (fault == OK)
        return store_wait(op, cluster->store, revision);
    op_clear_fault(op);
    if (store_wait(op, cluster->store, revision) != OK)
        return op->fault;
    op->fault = fault;
    op->noun = noun;
    op->message = message;
    op->detail = detail;
    return fault;
}

/* ---- making ---- */

json_t *pod_of_template(struct op *op, struct object *owner, const struct resource *owner_resource,
                        const json_t *template, const char *name)
{
    static const char *const copied[] = {"labels", "annotations", "finalizers"};
    json_t *pod = object_new(op, resource_find("", "v1", "pods"), owner->ns, name);
    json_t *meta = object_at(pod, "metadata"), *references = array_at(meta, "ownerReferences");

    for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
        const json_t *value = json_object_get(json_object_get(template, "metadata"), copied[i]);

        if (value)
            json_object_set_new(meta, copied[i], json_deep_copy(value));
    }
    if (!name)
        json_object_set_new(meta, "generateName",
                            json_string(arena_printf(&op->arena, "%s-", owner->name)));
    json_array_append_new(references, owner_reference(object_tree(owner), owner_resource));
    json_object_set_new(pod, "spec", json_deep_copy(json_object_get(template, "spec")));
    return pod;
}

/* Letters and digits that make no words. */
const char *template_hash(struct op *op, const json_t *template, int64_t collisions)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    char *text = json_dumps(template, JSON_COMPACT | JSON_SORT_KEYS);
    uint8_t digest[32];
    char out[11];

    sha256(BYTES(arena_printf(&op->arena, "%lld %s", (long long)collisions, text ? text : "")),
           digest);
    free(text);
    for (size_t i = 0; i < sizeof(out) - 1; i++)
        out[i] = alphabet[digest[i] % (sizeof(alphabet) - 1)];
    out[sizeof(out) - 1] = '\0';
    return arena_strdup(&op->arena, out);
}

static int64_t restarts_of(const json_t *pod)
{
    int64_t most = 0;
    json_t *status;
    size_t i;

    json_array_foreach(at(pod, "status.containerStatuses"), i, status)
    {
        int64_t n = int_at(status, "restartCount", 0);

        most = n > most ? n : most;
    }
    return most;
}

static int phase_rank(const json_t *pod)
{
    const char *phase = text_at_or(pod, "status.phase", "Pending");

    return strcmp(phase, "Pending") == 0 ? 0 : strcmp(phase, "Unknown") == 0 ? 1 : 2;
}

static int64_t deletion_cost(const json_t *pod)
{
    const char *text = annotation_of(pod, "controller.kubernetes.io/pod-deletion-cost");

    return text ? strtoll(text, NULL, 10) : 0;
}

static int by_value(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

struct ranked {
    struct object *pod;
    int64_t neighbours; /* of the same list, on its node */
};

/* Upstream's ActivePodsWithRanks. */
static int compare_pods(const void *a, const void *b)
{
    const struct ranked *one = a, *other = b;
    const json_t *left = object_tree(one->pod), *right = object_tree(other->pod);
    int order =
        by_value(text_at(left, "spec.nodeName") != NULL, text_at(right, "spec.nodeName") != NULL);

    if (!order)
        order = by_value(phase_rank(left), phase_rank(right));
    if (!order)
        order = by_value(object_is_ready(left), object_is_ready(right));
    if (!order)
        order = by_value(deletion_cost(left), deletion_cost(right));
    if (!order)
        order = -by_value(one->neighbours, other->neighbours);
    if (!order) /* ready for a shorter time goes first */
        order = -strcmp(text_at_or(condition_of(left, "Ready"), "lastTransitionTime", ""),
                        text_at_or(condition_of(right, "Ready"), "lastTransitionTime", ""));
    if (!order)
        order = -by_value(restarts_of(left), restarts_of(right));
    if (!order)
        order = -strcmp(text_at_or(left, "metadata.creationTimestamp", ""),
                        text_at_or(right, "metadata.creationTimestamp", ""));
    return order;
}

static const char *node_of(struct object *pod)
{
    return text_at_or(object_tree(pod), "spec.nodeName", "");
}

void rank_for_deletion(struct op *op, struct object **pods, size_t n)
{
    struct ranked *ranked = arena_alloc(&op->arena, (n + 1) * sizeof(*ranked));
    json_t *by_node = json_object();

    for (size_t i = 0; i < n; i++) {
        const char *node = node_of(pods[i]);

        json_object_set_new(by_node, node,
                            json_integer(json_integer_value(json_object_get(by_node, node)) + 1));
    }
    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){pods[i],
                                    json_integer_value(json_object_get(by_node, node_of(pods[i])))};
    json_decref(by_node);
    qsort(ranked, n, sizeof(*ranked), compare_pods);
    for (size_t i = 0; i < n; i++)
        pods[i] = ranked[i].pod;
}

int64_t scaled_value(const json_t *value, int64_t total, bool round_up, int64_t fallback)
{
    const char *text = json_string_value(value);
    int64_t percent;

    if (json_is_integer(value))
        return json_integer_value(value);
    if (!text)
        return fallback;
    percent = strtoll(text, NULL, 10);
    return (percent * total + (round_up ? 99 : 0)) / 100;
}
