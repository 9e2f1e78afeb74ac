/* LimitRanger: defaults and bounds that a namespace's LimitRanges set for containers, pods, claims.
 */
#include <string.h>

#include "clusters/object/quantity.h"
#include "clusters/object/strategy_kinds.h"
#include "clusters/rest/rest_internal.h"

struct faults {
    struct op *op;
    struct text text;
    size_t n;
};

static void add_fault(struct faults *f, const char *message)
{
    text_printf(&f->text, "%s%s", f->n++ ? ", " : "", message);
}

/* ---- defaults ---- */

static void note_set(struct text *notes, const char *which, const char *names,
                     const char *container)
{
    if (*names)
        text_printf(notes, "%s%s %s for container %s", notes->len ? "; " : "", names, which,
                    container);
}

/* What from gives and to does not have yet; the names as "cpu, memory". */
static const char *fill_in(struct op *op, json_t *container, const char *path, const json_t *from)
{
    struct text names;
    const char *name;
    json_t *value;

    text_init(&names, &op->arena, 1024);
    json_object_foreach((json_t *)from, name, value)
    {
        json_t *to = object_at(container, path);

        if (json_object_get(to, name))
            continue;
        json_object_set_new(to, name, json_deep_copy(value));
        text_printf(&names, "%s%s", names.len ? ", " : "", name);
    }
    return names.data;
}

static void default_containers(struct op *op, json_t *containers, const json_t *item,
                               struct text *notes)
{
    json_t *container;
    size_t i;

    json_array_foreach(containers, i, container)
    {
        const char *name = text_at_or(container, "name", "");

        note_set(
            notes, "request",
            fill_in(op, container, "resources.requests", json_object_get(item, "defaultRequest")),
            name);
        note_set(notes, "limit",
                 fill_in(op, container, "resources.limits", json_object_get(item, "default")),
                 name);
    }
}

/* ---- bounds ---- */

static struct quantity quantity_of(const json_t *value, bool *ret_given)
{
    struct quantity q = {0};

    *ret_given = json_is_string(value) && quantity_parse(json_string_value(value), &q);
    return q;
}

struct bound {
    const char *name, *kind; /* "cpu"; "Container" */
    struct quantity request, limit;
    bool has_request, has_limit;
};

static void check_min(struct faults *f, const struct bound *b, struct quantity min)
{
    const char *head = arena_printf(&f->op->arena, "minimum %s usage per %s is %s", b->name,
                                    b->kind, quantity_text(f->op, min));

    if (!b->has_request)
        add_fault(f, arena_printf(&f->op->arena, "%s.  No request is specified", head));
    else if (quantity_compare(b->request, min) < 0)
        add_fault(f, arena_printf(&f->op->arena, "%s, but request is %s", head,
                                  quantity_text(f->op, b->request)));
    else if (b->has_limit && quantity_compare(b->limit, min) < 0)
        add_fault(f, arena_printf(&f->op->arena, "%s, but limit is %s", head,
                                  quantity_text(f->op, b->limit)));
}

static void check_max(struct faults *f, const struct bound *b, struct quantity max)
{
    const char *head = arena_printf(&f->op->arena, "maximum %s usage per %s is %s", b->name,
                                    b->kind, quantity_text(f->op, max));

    if (!b->has_limit)
        add_fault(f, arena_printf(&f->op->arena, "%s.  No limit is specified", head));
    else if (quantity_compare(b->limit, max) > 0)
        add_fault(f, arena_printf(&f->op->arena, "%s, but limit is %s", head,
                                  quantity_text(f->op, b->limit)));
    else if (b->has_request && quantity_compare(b->request, max) > 0)
        add_fault(f, arena_printf(&f->op->arena, "%s, but request is %s", head,
                                  quantity_text(f->op, b->request)));
}

static void check_ratio(struct faults *f, const struct bound *b, struct quantity ratio)
{
    double have;

    if (!b->has_request || !b->has_limit || b->request.nano <= 0) {
        add_fault(f, arena_printf(&f->op->arena,
                                  "%s max limit to request ratio per %s is %s, but no request is "
                                  "specified or request is 0",
                                  b->name, b->kind, quantity_text(f->op, ratio)));
        return;
    }
    have = (double)b->limit.nano / (double)b->request.nano;
    if (have > (double)ratio.nano / 1e9)
        add_fault(f, arena_printf(&f->op->arena,
                                  "%s max limit to request ratio per %s is %s, but provided ratio "
                                  "is %f",
                                  b->name, b->kind, quantity_text(f->op, ratio), have));
}

static void check_rows(struct faults *f, const json_t *rows, struct bound *b,
                       const json_t *requests, const json_t *limits,
                       void (*check)(struct faults *f, const struct bound *b, struct quantity q))
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)rows, name, value)
    {
        bool given;
        struct quantity q = quantity_of(value, &given);

        b->name = name;
        b->request = quantity_of(json_object_get(requests, name), &b->has_request);
        b->limit = quantity_of(json_object_get(limits, name), &b->has_limit);
        if (given)
            check(f, b, q);
    }
}

static void check_item(struct faults *f, const json_t *item, const char *kind,
                       const json_t *requests, const json_t *limits)
{
    struct bound b = {.kind = kind};

    check_rows(f, json_object_get(item, "min"), &b, requests, limits, check_min);
    check_rows(f, json_object_get(item, "max"), &b, requests, limits, check_max);
    check_rows(f, json_object_get(item, "maxLimitRequestRatio"), &b, requests, limits, check_ratio);
}

static void check_containers(struct faults *f, const json_t *containers, const json_t *item)
{
    json_t *container;
    size_t i;

    json_array_foreach(containers, i, container)
    {
        check_item(f, item, "Container", at(container, "resources.requests"),
                   at(container, "resources.limits"));
    }
}

/* ---- a range ---- */

static void limit_pod(struct admission *a, struct faults *f, const json_t *item, const char *type,
                      bool defaults, struct text *notes)
{
    bool of_container = strcmp(type, "Container") == 0;

    if (defaults && of_container) {
        default_containers(a->op, at(a->tree, "spec.initContainers"), item, notes);
        default_containers(a->op, at(a->tree, "spec.containers"), item, notes);
    }
    if (defaults)
        return;
    if (of_container) {
        check_containers(f, at(a->tree, "spec.initContainers"), item);
        check_containers(f, at(a->tree, "spec.containers"), item);
    } else if (strcmp(type, "Pod") == 0) {
        check_item(f, item, "Pod", pod_total(a->op, a->tree, "requests"),
                   pod_total(a->op, a->tree, "limits"));
    }
}

static void limit_claim(struct admission *a, struct faults *f, const json_t *item)
{
    const json_t *requests = at(a->tree, "spec.resources.requests");
    struct bound b = {.kind = "PersistentVolumeClaim"};

    check_rows(f, json_object_get(item, "min"), &b, requests, NULL, check_min);
    check_rows(f, json_object_get(item, "max"), &b, requests, requests, check_max);
}

static enum fault one_pass(struct admission *a, struct faults *f, struct text *notes, bool defaults)
{
    bool is_pod = a->r->resource->stored_as == known.pods;
    struct store_page page = {0};
    json_t *item;
    size_t j;

    TRY(store_list(a->op, a->r->cluster->store, known.limit_ranges, a->r->ns, NULL, NULL, 0, 0,
                   &page));
    for (size_t i = 0; i < page.n; i++) {
        json_array_foreach(at(object_tree(page.objects[i]), "spec.limits"), j, item)
        {
            const char *type = text_at_or(item, "type", "");

            if (is_pod)
                limit_pod(a, f, item, type, defaults, notes);
            else if (!defaults && strcmp(type, "PersistentVolumeClaim") == 0)
                limit_claim(a, f, item);
        }
    }
    return OK;
}

enum fault admit_limits(struct admission *a)
{
    bool is_pod = a->r->resource->stored_as == known.pods;
    struct faults f = {.op = a->op};
    struct text notes;

    if (!store_count(a->r->cluster->store, known.limit_ranges, a->r->ns))
        return OK;
    text_init(&f.text, &a->op->arena, 8192);
    text_init(&notes, &a->op->arena, 8192);
    TRY(one_pass(a, &f, &notes, true));
    TRY(one_pass(a, &f, &notes, false));
    if (f.n)
        return forbidden(a->op, a->r->resource, a->r->name,
                         f.n == 1 ? f.text.data : arena_printf(&a->op->arena, "[%s]", f.text.data));
    if (notes.len)
        json_object_set_new(object_at(a->tree, "metadata.annotations"),
                            "kubernetes.io/limit-ranger",
                            json_sprintf("LimitRanger plugin set: %s", notes.data));
    if (is_pod)
        set_at(a->tree, "status.qosClass", json_string(pod_qos_class(a->op, a->tree)));
    return OK;
}
