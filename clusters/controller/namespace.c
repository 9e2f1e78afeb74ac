/* Namespaces that are being deleted: everything in them goes, then they do. */
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/workload.h"

#define LOOK_AGAIN_MS 100

static const struct actor actor = {
    .name = "system:serviceaccount:kube-system:namespace-controller",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "kube-controller-manager",
    .trusted = true,
};

struct pass {
    struct op *op;
    struct cluster *cluster;
    struct object *ns;
    size_t left, with_finalizers;
    struct text remaining; /* for conditions */
    int64_t revision;
};

static bool is_content(const struct resource *r)
{
    return r->namespaced && !r->virtual_ && r->stored_as == r && r->verbs & VERB_DELETE;
}

static enum fault delete_objects(struct pass *p, const struct resource *r)
{
    const struct delete_options options = {.propagation = "Background", .grace_s = -1};
    struct store_page page;
    size_t held = 0;

    TRY(store_list(p->op, p->cluster->store, r, p->ns->name, NULL, NULL, 0, 0, &page));
    for (size_t i = 0; i < page.n; i++) {
        struct object *object = page.objects[i];
        struct rest request = rest_of(p->cluster, &actor, r, object->ns, object->name);
        bool gone = false;
        enum fault fault;

        if (object->deleting) {
            held++;
            p->with_finalizers +=
                json_array_size(at(object_tree(object), "metadata.finalizers")) > 0;
            continue;
        }
        fault = rest_delete(p->op, &request, &options, NULL, &gone);
        if (fault == NOT_FOUND || fault == CONFLICT) {
            op_clear_fault(p->op);
            held += fault == CONFLICT;
            continue;
        }
        TRY(fault);
        moved(&p->revision, &request);
        held += !gone;
    }
    if (held) {
        text_printf(&p->remaining, "%s%s has %zu resource instances", p->remaining.len ? ", " : "",
                    arena_printf(&p->op->arena, "%s.%s", r->plural, r->group), held);
        p->left += held;
    }
    return OK;
}

/* ---- conditions ---- */

static void say(struct pass *p, json_t *conditions, const char *type, bool holds,
                const char *reason_no, const char *message_no, const char *reason_yes,
                const char *message_yes)
{
    condition_set(p->op, conditions, type, holds ? "True" : "False", holds ? reason_yes : reason_no,
                  holds ? message_yes : message_no);
}

static enum fault write_conditions(struct pass *p)
{
    const json_t *tree = object_tree(p->ns);
    json_t *status = json_deep_copy(json_object_get(tree, "status"));
    json_t *conditions = array_at(status, "conditions");
    struct rest r = rest_of(p->cluster, &actor, p->ns->resource, "", p->ns->name);
    const char *some =
        arena_printf(&p->op->arena, "Some resources are remaining: %s", p->remaining.data);

    say(p, conditions, "NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered",
        "All resources successfully discovered", NULL, NULL);
    say(p, conditions, "NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
        "All legacy kube types successfully parsed", NULL, NULL);
    say(p, conditions, "NamespaceDeletionContentFailure", false, "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization", NULL, NULL);
    say(p, conditions, "NamespaceContentRemaining", p->left > 0, "ContentRemoved",
        "All content successfully removed", "SomeResourcesRemain", some);
    say(p, conditions, "NamespaceFinalizersRemaining", p->with_finalizers > 0,
        "ContentHasNoFinalizers", "All content-preserving finalizers finished",
        "SomeFinalizersRemain", "Some content in the namespace has finalizers remaining");
    TRY(rest_set_status(p->op, &r, status));
    moved(&p->revision, &r);
    return OK;
}

/* ---- the end ---- */

static enum fault finalize(struct pass *p)
{
    const json_t *tree = object_tree(p->ns);
    json_t *copy = object_copy(p->op, tree), *finalizers = array_at(copy, "spec.finalizers");
    struct rest r = rest_of(p->cluster, &actor, p->ns->resource, "", p->ns->name);
    enum fault fault;

    for (size_t i = json_array_size(finalizers); i > 0; i--)
        if (strcmp(json_string_value(json_array_get(finalizers, i - 1)), "kubernetes") == 0)
            json_array_remove(finalizers, i - 1);
    r.subresource = "finalize";
    json_object_del(json_object_get(copy, "metadata"), "resourceVersion");
    fault = rest_update(p->op, &r, copy, NULL, NULL);
    if (fault == NOT_FOUND) {
        op_clear_fault(p->op);
        return OK;
    }
    moved(&p->revision, &r);
    return fault;
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct pass p = {.op = op, .cluster = cluster};

    (void)ns;
    p.ns = store_read(op, cluster->store, resource_find("", "v1", "namespaces"), NULL, name);
    if (!p.ns || !p.ns->deleting)
        return OK;
    text_init(&p.remaining, &op->arena, 4096);
    for (const struct resource *const *r = all_resources; *r; r++)
        if (is_content(*r))
            TRY(delete_objects(&p, *r));
    if (p.left) {
        *ret_again_ms = LOOK_AGAIN_MS;
        TRY(write_conditions(&p));
    } else {
        TRY(finalize(&p));
    }
    return p.revision ? store_wait(op, cluster->store, p.revision) : OK;
}

static const struct rule rules[] = {
    {"",    "namespaces", NULL, NULL},
    {0}
};

const struct controller namespace_controller = {
    .name = "namespace",
    .actor = {"system:serviceaccount:kube-system:namespace-controller"},
    .rules = rules,
    .reconcile = reconcile,
};
