/* Rules of metadata, which are every kind's. */
#include <string.h>

#include "clusters/object/selector.h"
#include "clusters/object/strategy_kinds.h"

#define ANNOTATIONS_MAX_BYTES ((size_t)256 << 10)

/* Names that are no DNS names only have to fit into a path. */
const char *path_segment_fault(const char *name)
{
    if (strcmp(name, ".") == 0)
        return "may not be '.'";
    if (strcmp(name, "..") == 0)
        return "may not be '..'";
    if (strchr(name, '/'))
        return "may not contain '/'";
    return strchr(name, '%') ? "may not contain '%'" : NULL;
}

static void check_name(struct field_errors *e, const struct resource *r, const json_t *meta)
{
    const struct strategy *s = strategy_of(r);
    const char *name = json_string_value(json_object_get(meta, "name")), *fault;

    if (!name || !*name) {
        field_required(e, "metadata.name", "name or generateName is required");
        return;
    }
    fault = s->name_fault ? s->name_fault(name) : dns_subdomain_fault(name);
    if (fault)
        field_invalid(e, "metadata.name", json_object_get(meta, "name"), fault);
}

static void check_labels(struct field_errors *e, const json_t *labels)
{
    const char *key, *fault;
    json_t *value;

    json_object_foreach((json_t *)labels, key, value)
    {
        json_t *shown = json_string(key);

        fault = label_key_fault(key);
        if (fault)
            field_invalid(e, "metadata.labels", shown, fault);
        fault = label_value_fault(json_string_value(value) ? json_string_value(value) : "");
        if (fault)
            field_invalid(e, "metadata.labels", value, fault);
        json_decref(shown);
    }
}

/* Keys as labels', but in any case of letters. */
static void check_annotations(struct field_errors *e, const json_t *annotations)
{
    const char *key;
    json_t *value;
    size_t total = 0;

    json_object_foreach((json_t *)annotations, key, value)
    {
        char *small = arena_strdup(&e->op->arena, key);
        const char *fault;

        for (char *p = small; *p; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        fault = label_key_fault(small);
        if (fault) {
            json_t *shown = json_string(key);

            field_invalid(e, "metadata.annotations", shown, fault);
            json_decref(shown);
        }
        total += strlen(key) + json_string_length(value);
    }
    if (total > ANNOTATIONS_MAX_BYTES)
        field_too_long(e, "metadata.annotations", (int64_t)ANNOTATIONS_MAX_BYTES);
}

static void check_owners(struct field_errors *e, const json_t *owners)
{
    static const char *const required[] = {"apiVersion", "kind", "name", "uid"};
    const json_t *owner;
    size_t i, controllers = 0;

    json_array_foreach((json_t *)owners, i, owner)
    {
        for (size_t k = 0; k < ARRAY_LEN(required); k++) {
            const char *value = json_string_value(json_object_get(owner, required[k]));
            const char *path =
                arena_printf(&e->op->arena, "metadata.ownerReferences[%zu].%s", i, required[k]);

            if (!value || !*value)
                field_invalid(e, path, json_object_get(owner, required[k]),
                              k == 0 ? "version must not be empty" : "must not be empty");
        }
        controllers += json_is_true(json_object_get(owner, "controller"));
    }
    if (controllers > 1)
        field_invalid(e, "metadata.ownerReferences", owners,
                      "Only one reference can have Controller set to true.");
}

static void check_finalizers(struct field_errors *e, const json_t *finalizers)
{
    const json_t *name;
    size_t i;

    json_array_foreach((json_t *)finalizers, i, name)
    {
        const char *text = json_string_value(name);
        const char *fault = label_key_fault(text ? text : "");

        if (fault)
            field_invalid(e, "metadata.finalizers", name, fault);
    }
}

static void check_unchanged(struct field_errors *e, const json_t *meta, const json_t *old,
                            const char *member)
{
    const json_t *now = json_object_get(meta, member);

    if (json_object_get(old, member) && !json_equal(now, json_object_get(old, member)))
        field_invalid(e, arena_printf(&e->op->arena, "metadata.%s", member), now,
                      "field is immutable");
}

/* What is being deleted may lose finalizers, and gets no new ones. */
static void check_deleting(struct field_errors *e, const json_t *meta, const json_t *old)
{
    const json_t *before = json_object_get(old, "finalizers"), *name;
    size_t i, k;

    if (!json_object_get(old, "deletionTimestamp"))
        return;
    json_array_foreach(json_object_get(meta, "finalizers"), i, name)
    {
        for (k = 0; k < json_array_size(before); k++)
            if (json_equal(json_array_get(before, k), name))
                break;
        if (k == json_array_size(before))
            field_forbidden(e, "metadata.finalizers",
                            "no new finalizers can be added if the object is being deleted");
    }
}

void validate_metadata(struct field_errors *e, const struct resource *r, const json_t *tree,
                       const json_t *live)
{
    const json_t *meta = json_object_get(tree, "metadata");
    const json_t *old = json_object_get(live, "metadata");

    if (!live)
        check_name(e, r, meta);
    check_labels(e, json_object_get(meta, "labels"));
    check_annotations(e, json_object_get(meta, "annotations"));
    check_owners(e, json_object_get(meta, "ownerReferences"));
    check_finalizers(e, json_object_get(meta, "finalizers"));
    if (!live)
        return;
    check_unchanged(e, meta, old, "name");
    check_unchanged(e, meta, old, "namespace");
    check_unchanged(e, meta, old, "uid");
    check_unchanged(e, meta, old, "creationTimestamp");
    check_deleting(e, meta, old);
}
