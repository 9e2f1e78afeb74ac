/*
 * Strategic merge patch: a merge patch that knows lists. Directives in the patch ($patch,
 * $retainKeys, $setElementOrder/x, $deleteFromPrimitiveList/x) say what plain JSON cannot.
 */
#include <stdlib.h>
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

/* ---- places ---- */

static void release(void *tree)
{
    json_decref(tree);
}

/* What tells an item of a list from the others: its merge key, or the item. NULL: it lacks it. */
static const char *identity(struct op *op, const json_t *item, const char *merge_key)
{
    const json_t *value = merge_key ? json_object_get(item, merge_key) : item;
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    const char *kept = text ? arena_strdup(&op->arena, text) : NULL;

    free(text);
    return kept;
}

static void set_place(json_t *places, const char *who, size_t place)
{
    if (who && !json_object_get(places, who))
        json_object_set_new(places, who, json_integer((json_int_t)place));
}

/* Identity → index of the first that has it. op's arena's. */
static json_t *places_of(struct op *op, const json_t *list, const char *merge_key)
{
    json_t *places = json_object();

    arena_defer(&op->arena, release, places);
    for (size_t i = 0; i < json_array_size(list); i++)
        set_place(places, identity(op, json_array_get(list, i), merge_key), i);
    return places;
}

/* -1: nowhere. */
static int64_t place_of(const json_t *places, const char *who)
{
    const json_t *place = who ? json_object_get(places, who) : NULL;

    return place ? json_integer_value(place) : -1;
}

/* ---- lists of scalars ---- */

static json_t *union_of(struct op *op, const json_t *now, const json_t *patch)
{
    json_t *result = now ? json_deep_copy(now) : json_array();
    json_t *places = places_of(op, result, NULL);

    for (size_t i = 0; i < json_array_size(patch); i++) {
        json_t *item = json_array_get(patch, i);
        const char *who = identity(op, item, NULL);

        if (place_of(places, who) >= 0)
            continue;
        set_place(places, who, json_array_size(result));
        json_array_append(result, item);
    }
    return result;
}

static void delete_from(struct op *op, json_t *into, const char *key, const json_t *gone)
{
    json_t *list = json_object_get(into, key), *places = places_of(op, gone, NULL);

    for (size_t i = json_array_size(list); i > 0; i--)
        if (place_of(places, identity(op, json_array_get(list, i - 1), NULL)) >= 0)
            json_array_remove(list, i - 1);
}

/* ---- order ---- */

/*
 * Items that `order` names come in its order; the others keep their places relative to those of
 * them that were in the list before.
 */
static json_t *reorder(struct op *op, const json_t *items, const json_t *before,
                       const json_t *order, const char *merge_key)
{
    json_t *result = json_array(), *of_items = places_of(op, items, merge_key);
    json_t *of_before = places_of(op, before, merge_key), *named = places_of(op, order, merge_key);
    size_t next = 0, n = json_array_size(items);

    for (size_t i = 0; i < json_array_size(order); i++) {
        const char *wanted = identity(op, json_array_get(order, i), merge_key);
        int64_t place = place_of(of_items, wanted), old = place_of(of_before, wanted);

        for (; old >= 0 && next < n; next++) { /* those only the server has, that stood before it */
            json_t *item = json_array_get(items, next);
            const char *who = identity(op, item, merge_key);

            if (place_of(named, who) >= 0)
                continue;
            if (place_of(of_before, who) >= old)
                break;
            json_array_append(result, item);
        }
        if (place >= 0 && place_of(named, wanted) == (int64_t)i)
            json_array_append(result, json_array_get(items, (size_t)place));
    }
    for (; next < n; next++)
        if (place_of(named, identity(op, json_array_get(items, next), merge_key)) < 0)
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

static bool is_deletion(const json_t *item)
{
    const char *directive = directive_of(item);

    return directive && strcmp(directive, "delete") == 0;
}

/* All with the identity of an item that says so: before anything is merged, as upstream. */
static void delete_items(struct op *op, const char *merge_key, json_t *list, const json_t *patch)
{
    json_t *gone = json_object();

    for (size_t i = 0; i < json_array_size(patch); i++)
        if (is_deletion(json_array_get(patch, i)))
            set_place(gone, identity(op, json_array_get(patch, i), merge_key), i);
    for (size_t i = json_object_size(gone) ? json_array_size(list) : 0; i > 0; i--)
        if (place_of(gone, identity(op, json_array_get(list, i - 1), merge_key)) >= 0)
            json_array_remove(list, i - 1);
    json_decref(gone);
}

static void merge_item(struct merge *m, const struct rule *rule, json_t *list, json_t *places,
                       const json_t *item)
{
    const char *who = identity(m->op, item, rule->merge_key);
    int64_t place;

    if (!who) {
        wrong(m, arena_printf(&m->op->arena, "map: %s does not contain declared merge key: %s",
                              (const char *)object_encode(m->op, item).data, rule->merge_key));
        return;
    }
    if (is_deletion(item))
        return;
    place = place_of(places, who);
    if (place >= 0) {
        merge_object(m, rule->type, json_array_get(list, (size_t)place), item);
        return;
    }
    set_place(places, who, json_array_size(list));
    json_array_append_new(list, fresh(m, rule->type, item));
}

static json_t *merge_objects(struct merge *m, const struct rule *rule, const json_t *now,
                             const json_t *patch)
{
    bool whole = replaces_whole_list(patch);
    json_t *result = now && !whole ? json_deep_copy(now) : json_array(), *places;

    delete_items(m->op, rule->merge_key, result, patch);
    places = places_of(m->op, result, rule->merge_key);
    for (size_t i = 0; m->fault == OK && i < json_array_size(patch); i++) {
        const json_t *item = json_array_get(patch, i);
        const char *directive = directive_of(item);

        if (directive && strcmp(directive, "replace") == 0)
            continue;
        if (!json_is_object(item))
            wrong(m, "expected an object in a list of objects");
        else if (whole)
            json_array_append_new(result, fresh(m, rule->type, item));
        else
            merge_item(m, rule, result, places, item);
    }
    return result;
}

static json_t *merge_list(struct merge *m, const struct rule *rule, const json_t *now,
                          const json_t *patch, const json_t *order)
{
    json_t *merged, *ordered;

    if (!rule->merge_list)
        return json_deep_copy(patch);
    merged = rule->merge_key ? merge_objects(m, rule, now, patch) : union_of(m->op, now, patch);
    if (!order)
        return merged;
    ordered = reorder(m->op, merged, now, order, rule->merge_key);
    json_decref(merged);
    return ordered;
}

/* ---- objects ---- */

static void retain(struct op *op, json_t *into, const json_t *keys)
{
    const json_t *places = places_of(op, keys, NULL);
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(into, next, key, value)
    {
        json_t *name = json_string(key);

        if (place_of(places, identity(op, name, NULL)) < 0)
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
static void order_only(struct op *op, const struct type *type, json_t *into, const char *key,
                       const json_t *order)
{
    struct rule rule = rule_of(type, key);
    json_t *now = json_object_get(into, key);

    if (json_is_array(now) && rule.merge_list)
        json_object_set_new(into, key, reorder(op, now, now, order, rule.merge_key));
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
        retain(m->op, into, keys);
    json_object_foreach((json_t *)patch, key, value)
    {
        if (m->fault != OK)
            return;
        if (strncmp(key, DELETE_FROM, strlen(DELETE_FROM)) == 0) {
            delete_from(m->op, into, key + strlen(DELETE_FROM), value);
        } else if (strncmp(key, ORDER, strlen(ORDER)) == 0) {
            if (!json_object_get(patch, key + strlen(ORDER)))
                order_only(m->op, type, into, key + strlen(ORDER), value);
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
