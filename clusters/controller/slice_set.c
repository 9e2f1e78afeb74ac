#include "clusters/controller/slice_set.h"

#include <string.h>

#include "clusters/controller/workload.h"

#define LABEL_SERVICE    "kubernetes.io/service-name"
#define LABEL_MANAGED_BY "endpointslice.kubernetes.io/managed-by"

static const struct resource *slices_resource(void)
{
    return resource_find("discovery.k8s.io", "v1", "endpointslices");
}

static void release(void *tree)
{
    json_decref(tree);
}

struct slice_set slice_set_new(struct op *op, struct cluster *cluster, const struct actor *actor,
                               const char *managed_by, const char *ns, const char *name)
{
    struct slice_set s = {.op = op,
                          .cluster = cluster,
                          .actor = actor,
                          .managed_by = managed_by,
                          .ns = ns,
                          .name = name,
                          .wanted = json_array()};

    arena_defer(&op->arena, release, s.wanted);
    return s;
}

/* ---- what there is ---- */

/* The service's name, if managed_by made the slice. */
static const char *service_of(struct object *slice, const char *managed_by)
{
    const char *by = label_of(object_tree(slice), LABEL_MANAGED_BY);

    return by && strcmp(by, managed_by) == 0 ? label_of(object_tree(slice), LABEL_SERVICE) : NULL;
}

static enum fault find(struct slice_set *s, struct object ***ret, size_t *ret_n)
{
    struct store_page page;

    TRY(store_list(s->op, s->cluster->store, slices_resource(), s->ns, NULL, NULL, 0, 0, &page));
    *ret = arena_alloc(&s->op->arena, (page.n + 1) * sizeof(**ret));
    *ret_n = 0;
    for (size_t i = 0; i < page.n; i++) {
        const char *service = service_of(page.objects[i], s->managed_by);

        if (!page.objects[i]->deleting && service && strcmp(service, s->name) == 0)
            (*ret)[(*ret_n)++] = page.objects[i];
    }
    return OK;
}

/* ---- making it so ---- */

static json_t *labels_of(const struct slice_set *s)
{
    json_t *labels = json_deep_copy(at(object_tree(s->owner), "metadata.labels"));

    if (!labels)
        labels = json_object();
    if (s->headless)
        json_object_set_new(labels, "service.kubernetes.io/headless", json_string(""));
    json_object_set_new(labels, LABEL_MANAGED_BY, json_string(s->managed_by));
    json_object_set_new(labels, LABEL_SERVICE, json_string(s->name));
    return labels;
}

struct filling {
    const struct slice_set *s;
    const json_t *wanted;
};

static enum fault fill(struct op *op, json_t *slice, void *arg, bool *ret_skip)
{
    const struct filling *f = arg;
    json_t *before = object_copy(op, slice);

    set_at(slice, "metadata.labels", labels_of(f->s));
    json_object_set(slice, "endpoints", json_object_get(f->wanted, "endpoints"));
    json_object_set(slice, "ports", json_object_get(f->wanted, "ports"));
    *ret_skip = json_equal(before, slice);
    return OK;
}

static enum fault create(struct slice_set *s, struct rest *r, struct filling *f)
{
    json_t *made = object_new(s->op, slices_resource(), s->ns, NULL);
    const json_t *owner = object_tree(s->owner);
    bool skip;

    json_object_set_new(object_at(made, "metadata"), "generateName",
                        json_string(arena_printf(&s->op->arena, "%s-", s->name)));
    json_object_set(made, "addressType", json_object_get(f->wanted, "addressType"));
    json_array_append_new(array_at(made, "metadata.ownerReferences"),
                          owner_reference(owner, s->owner->resource));
    TRY(fill(s->op, made, f, &skip));
    return rest_create(s->op, r, made, NULL);
}

static enum fault write_slice(struct slice_set *s, const struct object *there, const json_t *wanted)
{
    struct filling f = {s, wanted};
    struct rest r =
        rest_of(s->cluster, s->actor, slices_resource(), s->ns, there ? there->name : NULL);
    enum fault fault = there ? rest_modify(s->op, &r, fill, &f, NULL) : create(s, &r, &f);

    if (fault == NOT_FOUND || fault == FORBIDDEN) { /* gone, or the namespace is ending */
        op_clear_fault(s->op);
        return OK;
    }
    moved(&s->revision, &r);
    return fault;
}

static enum fault drop(struct slice_set *s, const struct object *slice)
{
    struct rest r = rest_of(s->cluster, s->actor, slices_resource(), slice->ns, slice->name);
    const struct delete_options options = {.grace_s = -1};
    enum fault fault = rest_delete(s->op, &r, &options, NULL, NULL);

    if (fault == NOT_FOUND) {
        op_clear_fault(s->op);
        return OK;
    }
    moved(&s->revision, &r);
    return fault;
}

/* One of the same family, which never changes, and best with the same ports. */
static struct object *take(struct object **slices, size_t n, const json_t *wanted)
{
    struct object **best = NULL, *taken = NULL;

    for (size_t i = 0; i < n; i++) {
        const json_t *tree = slices[i] ? object_tree(slices[i]) : NULL;

        if (!tree || strcmp(text_at_or(tree, "addressType", ""),
                            text_at_or(wanted, "addressType", "-")) != 0)
            continue;
        if (json_equal(json_object_get(tree, "ports"), json_object_get(wanted, "ports"))) {
            best = &slices[i];
            break;
        }
        best = best ? best : &slices[i];
    }
    if (best) {
        taken = *best;
        *best = NULL;
    }
    return taken;
}

static enum fault make_so(struct slice_set *s)
{
    struct object **slices;
    json_t *wanted;
    size_t n, i;

    TRY(find(s, &slices, &n));
    json_array_foreach(s->wanted, i, wanted)
    {
        TRY(write_slice(s, take(slices, n, wanted), wanted));
    }
    for (i = 0; i < n; i++)
        if (slices[i])
            TRY(drop(s, slices[i]));
    return OK;
}

enum fault slice_set_apply(struct slice_set *s)
{
    enum fault fault = make_so(s);

    return settled(s->op, s->cluster, s->revision, fault);
}

void slice_set_key(const struct event *event, const char *managed_by, struct keys *keys)
{
    const char *service = service_of(event->object, managed_by);

    if (service)
        keys_add(keys, event->object->ns, service);
}
