/*
 * Strategic merge patch: a merge patch that knows lists. Directives in the patch ($patch,
 * $retainKeys, $setElementOrder/x, $deleteFromPrimitiveList/x) say what plain JSON cannot.
 */
#include <string.h>

#include "clusters/object/patch.h"
#include "clusters/object/status.h"

#define DIRECTIVE   "$patch"
#define RETAIN_KEYS "$retainKeys"
#define ORDER       "$setElementOrder/"
#define DELETE_FROM "$deleteFromPrimitiveList/"

/* What the schema says of a member; a zeroed one for what it does not know. */
struct rule {
    const struct type *type; /* of the value, or of a list's items */
    const char *merge_key;
    bool merge_list, replace;
};

static struct rule rule_of(const struct type *type, const char *key)
{
    const struct field *field = type ? type_field(type, key, strlen(key)) : NULL;
    struct rule rule = {0};

    if (!field)
        return rule;
    rule.type = field->value == VALUE_OBJECT ? field->type : NULL;
    if (field->shape == SHAPE_MAP)
        rule.type = NULL;
    rule.merge_key = field->merge_key;
    rule.merge_list = field->shape == SHAPE_LIST && field->patch_strategy & PATCH_MERGE;
    rule.replace = field->patch_strategy & PATCH_REPLACE;
    return rule;
}

struct merge {
    struct op *op;
    enum fault fault;
};

static void merge_object(struct merge *m, const struct type *type, json_t *into,
                         const json_t *patch);
static json_t *merge_list(struct merge *m, const struct rule *rule, const json_t *now,
                          const json_t *patch, const json_t *order);

static void wrong(struct merge *m, const char *what)
{
    if (m->fault == OK)
        m->fault = bad_request(m->op, "%s", what);
}

static bool is_directive(const char *key)
{
    return strcmp(key, DIRECTIVE) == 0 || strcmp(key, RETAIN_KEYS) == 0 ||
           strncmp(key, ORDER, strlen(ORDER)) == 0 ||
           strncmp(key, DELETE_FROM, strlen(DELETE_FROM)) == 0;
}

/* ---- lists of scalars ---- */

static bool contains(const json_t *list, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), value))
            return true;
    return false;
}

static json_t *union_of(const json_t *now, const json_t *patch)
{
    json_t *result = now ? json_deep_copy(now) : json_array();

    for (size_t i = 0; i < json_array_size(patch); i++)
        if (!contains(result, json_array_get(patch, i)))
            json_array_append(result, json_array_get(patch, i));
    return result;
}

static void delete_from(json_t *into, const char *key, const json_t *gone)
{
    json_t *list = json_object_get(into, key);

    for (size_t i = json_array_size(list); i > 0; i--)
        if (contains(gone, json_array_get(list, i - 1)))
            json_array_remove(list, i - 1);
}

/* ---- order ---- */

/* Where item stands in list: by merge key, or by value. -1: nowhere. */
static int64_t place_of(const json_t *list, const json_t *item, const char *merge_key)
{
    const json_t *wanted = merge_key ? json_object_get(item, merge_key) : item;

    for (size_t i = 0; wanted && i < json_array_size(list); i++) {
        const json_t *other = json_array_get(list, i);

        if (json_equal(merge_key ? json_object_get(other, merge_key) : other, wanted))
            return (int64_t)i;
    }
    return -1;
}

/*
 * Items that `order` names come in its order; the others keep their places relative to those of
 * them that were in the list before.
 */
static json_t *reorder(const json_t *items, const json_t *before, const json_t *order,
                       const char *merge_key)
{
    json_t *result = json_array();
    size_t next = 0, n = json_array_size(items);

    for (size_t i = 0; i < json_array_size(order); i++) {
        const json_t *wanted = json_array_get(order, i);
        int64_t place = place_of(items, wanted, merge_key);
        int64_t old = before ? place_of(before, wanted, merge_key) : -1;

        for (; old >= 0 && next < n; next++) { /* those only the server has, that stood before it */
            json_t *item = json_array_get(items, next);

            if (place_of(order, item, merge_key) >= 0)
                continue;
            if (place_of(before, item, merge_key) >= old)
                break;
            json_array_append(result, item);
        }
        if (place >= 0)
            json_array_append(result, json_array_get(items, (size_t)place));
    }
    for (; next < n; next++)
        if (place_of(order, json_array_get(items, next), merge_key) < 0)
            json_array_append(result, json_array_get(items, next));
    return result;
}

/* ---- lists of objects ---- */

static const char *directive_of(const json_t *value)
{
    return json_string_value(json_object_get(value, DIRECTIVE));
}

static bool replaces_whole_list(const json_t *patch)
{
    for (size_t i = 0; i < json_array_size(patch); i++) {
        const char *directive = directive_of(json_array_get(patch, i));

        if (directive && strcmp(directive, "replace") == 0)
            return true;
    }
    return false;
}

/* An item that was not there: without directives and nulls. */
static json_t *fresh(struct merge *m, const struct type *type, const json_t *patch)
{
    json_t *made = json_object();

    merge_object(m, type, made, patch);
    return made;
}

static void merge_item(struct merge *m, const struct rule *rule, json_t *list, const json_t *item)
{
    const char *directive = directive_of(item);
    int64_t place;

    if (!json_is_object(item) || !json_object_get(item, rule->merge_key)) {
        wrong(m, arena_printf(&m->op->arena, "map: %s does not contain declared merge key: %s",
                              "item", rule->merge_key));
        return;
    }
    place = place_of(list, item, rule->merge_key);
    if (directive && strcmp(directive, "delete") == 0) {
        for (; place >= 0; place = place_of(list, item, rule->merge_key))
            json_array_remove(list, (size_t)place);
        return;
    }
    if (place >= 0)
        merge_object(m, rule->type, json_array_get(list, (size_t)place), item);
    else
        json_array_append_new(list, fresh(m, rule->type, item));
}

static json_t *merge_objects(struct merge *m, const struct rule *rule, const json_t *now,
                             const json_t *patch)
{
    bool whole = replaces_whole_list(patch);
    json_t *result = now && !whole ? json_deep_copy(now) : json_array();

    for (size_t i = 0; m->fault == OK && i < json_array_size(patch); i++) {
        const json_t *item = json_array_get(patch, i);
        const char *directive = directive_of(item);

        if (directive && strcmp(directive, "replace") == 0)
            continue;
        if (whole)
            json_array_append_new(result, fresh(m, rule->type, item));
        else
            merge_item(m, rule, result, item);
    }
    return result;
}

static json_t *merge_list(struct merge *m, const struct rule *rule, const json_t *now,
                          const json_t *patch, const json_t *order)
{
    json_t *merged, *ordered;

    if (!rule->merge_list)
        return json_deep_copy(patch);
    merged = rule->merge_key ? merge_objects(m, rule, now, patch) : union_of(now, patch);
    if (!order)
        return merged;
    ordered = reorder(merged, now, order, rule->merge_key);
    json_decref(merged);
    return ordered;
}

/* ---- objects ---- */

static void retain(json_t *into, const json_t *keys)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(into, next, key, value)
    {
        json_t *name = json_string(key);

        if (!contains(keys, name))
            json_object_del(into, key);
        json_decref(name);
    }
}

/* $patch of an object itself. true: nothing is left to do. */
static bool obey(struct merge *m, json_t *into, const json_t *patch)
{
    const char *directive = directive_of(patch);

    if (!directive || strcmp(directive, "merge") == 0)
        return false;
    if (strcmp(directive, "delete") == 0) {
        json_object_clear(into);
        return true;
    }
    if (strcmp(directive, "replace") == 0) {
        json_object_clear(into);
        return false; /* the rest of the patch is the new value */
    }
    wrong(m, arena_printf(&m->op->arena, "Unknown patch type '%s' found", directive));
    return true;
}

static void merge_member(struct merge *m, const struct type *type, json_t *into, const char *key,
                         const json_t *value, const json_t *order)
{
    struct rule rule = rule_of(type, key);
    json_t *now = json_object_get(into, key);

    if (json_is_null(value)) {
        json_object_del(into, key);
    } else if (json_is_object(value) && !rule.merge_list) {
        if (!json_is_object(now) || rule.replace) {
            now = json_object();
            json_object_set_new(into, key, now);
        }
        merge_object(m, rule.type, now, value);
    } else if (json_is_array(value)) {
        json_object_set_new(into, key,
                            merge_list(m, &rule, json_is_array(now) ? now : NULL, value, order));
    } else {
        json_object_set_new(into, key, json_deep_copy(value));
    }
}

/* Only the order of a list was sent, not the list. */
static void order_only(const struct type *type, json_t *into, const char *key, const json_t *order)
{
    struct rule rule = rule_of(type, key);
    json_t *now = json_object_get(into, key);

    if (json_is_array(now) && rule.merge_list)
        json_object_set_new(into, key, reorder(now, now, order, rule.merge_key));
}

static void merge_object(struct merge *m, const struct type *type, json_t *into,
                         const json_t *patch)
{
    const json_t *keys = json_object_get(patch, RETAIN_KEYS);
    const char *key;
    json_t *value;

    if (obey(m, into, patch))
        return;
    if (json_is_array(keys))
        retain(into, keys);
    json_object_foreach((json_t *)patch, key, value)
    {
        if (m->fault != OK)
            return;
        if (strncmp(key, DELETE_FROM, strlen(DELETE_FROM)) == 0) {
            delete_from(into, key + strlen(DELETE_FROM), value);
        } else if (strncmp(key, ORDER, strlen(ORDER)) == 0) {
            if (!json_object_get(patch, key + strlen(ORDER)))
                order_only(type, into, key + strlen(ORDER), value);
        } else if (!is_directive(key)) {
            const char *name = arena_printf(&m->op->arena, ORDER "%s", key);

            merge_member(m, type, into, key, value, json_object_get(patch, name));
        }
    }
}

enum fault patch_strategic(struct op *op, const struct type *type, const json_t *tree,
                           const json_t *patch, json_t **ret)
{
    struct merge m = {.op = op};
    json_t *result;

    if (!json_is_object(patch))
        return bad_request(op, "a strategic merge patch is an object");
    result = object_copy(op, tree);
    merge_object(&m, type, result, patch);
    TRY(m.fault);
    *ret = result;
    return OK;
}
