/* Sets of field paths: their algebra, and how trees are taken apart into them. */
#include "clusters/object/field_set.h"

#include <stdlib.h>
#include <string.h>

#define SELF "."

/* ---- algebra ---- */

/* Is the node itself in the set? */
static bool in_set(const json_t *node)
{
    return node && (!json_object_size(node) || json_object_get(node, SELF));
}

/* A node out of its children (taken) and whether it is in the set itself. NULL: there is none. */
static json_t *node_of(json_t *children, bool self)
{
    if (self && json_object_size(children))
        json_object_set_new(children, SELF, json_object());
    if (self || json_object_size(children))
        return children;
    json_decref(children);
    return NULL;
}

static json_t *union_node(const json_t *a, const json_t *b)
{
    json_t *children, *value;
    const char *key;

    if (!a || !b)
        return json_deep_copy(a ? a : b);
    children = json_object();
    json_object_foreach((json_t *)a, key, value)
    {
        if (strcmp(key, SELF) != 0)
            json_object_set_new(children, key, union_node(value, json_object_get(b, key)));
    }
    json_object_foreach((json_t *)b, key, value)
    {
        if (strcmp(key, SELF) != 0 && !json_object_get(a, key))
            json_object_set_new(children, key, json_deep_copy(value));
    }
    return node_of(children, in_set(a) || in_set(b));
}

static json_t *difference_node(const json_t *a, const json_t *b)
{
    json_t *children, *value, *left;
    const char *key;

    if (!b)
        return json_deep_copy(a);
    children = json_object();
    json_object_foreach((json_t *)a, key, value)
    {
        if (strcmp(key, SELF) == 0)
            continue;
        left = difference_node(value, json_object_get(b, key));
        if (left)
            json_object_set_new(children, key, left);
    }
    return node_of(children, in_set(a) && !in_set(b));
}

static json_t *intersection_node(const json_t *a, const json_t *b)
{
    json_t *children = json_object(), *value, *both;
    const char *key;

    json_object_foreach((json_t *)a, key, value)
    {
        const json_t *other = json_object_get(b, key);

        if (strcmp(key, SELF) == 0 || !other)
            continue;
        both = intersection_node(value, other);
        if (both)
            json_object_set_new(children, key, both);
    }
    return node_of(children, in_set(a) && in_set(b));
}

/* The root is no path of its own. */
static json_t *root(json_t *node)
{
    if (!node)
        return json_object();
    json_object_del(node, SELF);
    return node;
}

json_t *set_union(const json_t *a, const json_t *b)
{
    return root(union_node(a, b));
}

json_t *set_difference(const json_t *a, const json_t *b)
{
    return set_is_empty(a) ? json_object() : root(difference_node(a, b));
}

json_t *set_intersection(const json_t *a, const json_t *b)
{
    return set_is_empty(a) || set_is_empty(b) ? json_object() : root(intersection_node(a, b));
}

bool set_is_empty(const json_t *set)
{
    return json_object_size(set) == 0;
}

static const char *element_text(struct op *op, const char *path, const char *key)
{
    json_t *keys, *value;
    const char *name;
    struct text out;

    if (key[0] == 'f')
        return arena_printf(&op->arena, "%s.%s", path, key + 2);
    if (key[0] != 'k')
        return arena_printf(&op->arena, "%s[%s%s]", path, key[0] == 'v' ? "=" : "", key + 2);
    text_init(&out, &op->arena, 65536);
    keys = json_loads(key + 2, 0, NULL);
    json_object_foreach(keys, name, value)
    {
        char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

        text_printf(&out, "%s%s=%s", out.len ? "," : "", name, shown);
        free(shown);
    }
    json_decref(keys);
    return arena_printf(&op->arena, "%s[%s]", path, out.data);
}

static void walk_paths(struct op *op, const json_t *node, const char *path,
                       void (*each)(void *user, const char *path), void *user)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)node, key, value)
    {
        const char *here;

        if (strcmp(key, SELF) == 0)
            continue;
        here = element_text(op, path, key);
        if (in_set(value))
            each(user, here);
        walk_paths(op, value, here, each, user);
    }
}

void set_paths(struct op *op, const json_t *set, void (*each)(void *user, const char *path),
               void *user)
{
    walk_paths(op, set, "", each, user);
}

/* ---- how a value is taken apart ---- */

/* The schema of one value: a field's, or an item's of a list or map. */
struct shape {
    enum { LEAF, STRUCT, MAP, SET, KEYED } kind;
    const struct type *type;   /* STRUCT, KEYED: of it, of its items */
    const struct field *field; /* SET, KEYED, MAP */
    bool always_there;         /* upstream's empty object has it: it is not a path of its own */
};

/* Structs, not pointers, in upstream's types. */
static bool is_embedded(const struct field *field)
{
    static const char *const names[] = {"metadata", "resources", "spec",          "status",
                                        "strategy", "template",  "updateStrategy"};

    if (field->shape != SHAPE_ONE || field->required)
        return field->required;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(field->name, names[i]) == 0)
            return true;
    return false;
}

static struct shape shape_of_field(const struct field *field)
{
    struct shape shape = {.kind = LEAF, .field = field};

    shape.always_there = is_embedded(field);
    if (field->atomic || (field->shape == SHAPE_ONE && field->type && field->type->atomic))
        return shape;
    if (field->shape == SHAPE_MAP)
        shape.kind = MAP;
    else if (field->shape == SHAPE_LIST && field->list_type == LIST_IS_SET)
        shape.kind = SET;
    else if (field->shape == SHAPE_LIST && field->list_type == LIST_IS_MAP)
        shape.kind = KEYED;
    else if (field->shape == SHAPE_ONE && field->value == VALUE_OBJECT)
        shape.kind = STRUCT;
    shape.type = field->value == VALUE_OBJECT ? field->type : NULL;
    return shape;
}

static struct shape shape_of_item(const struct field *field)
{
    if (field && field->value == VALUE_OBJECT && field->type && !field->type->atomic)
        return (struct shape){.kind = STRUCT, .type = field->type};
    return (struct shape){.kind = LEAF};
}

/* Of a member. Without a schema objects are granular and lists atomic. */
static struct shape shape_of_member(const struct shape *parent, const char *key,
                                    const json_t *value)
{
    const struct field *field = NULL;

    if (parent->kind == MAP && parent->field)
        return shape_of_item(parent->field);
    if (parent->type)
        field = type_field(parent->type, key, strlen(key));
    if (field) {
        struct shape shape = shape_of_field(field);

        /* the one template that is a pointer there */
        if (strcmp(key, "template") == 0 && strstr(parent->type->name, ".ReplicationController"))
            shape.always_there = false;
        return shape;
    }
    return (struct shape){.kind = json_is_object(value) ? MAP : LEAF};
}

/* `k:{"containerPort":80,"protocol":"TCP"}`; NULL: the item lacks a key. */
static const char *key_of_item(struct op *op, const struct field *field, const json_t *item)
{
    json_t *keys = json_object();
    const char *element = NULL;
    bool found = false;
    char *text;

    for (const char *const *name = field->list_keys; *name; name++) {
        json_t *value = json_object_get(item, *name);

        found |= value != NULL;
        if (value)
            json_object_set(keys, *name, value);
        else if (strcmp(*name, "protocol") == 0)
            json_object_set_new(keys, *name, json_string("TCP")); /* the default of this key */
    }
    text = json_dumps(keys, JSON_COMPACT | JSON_SORT_KEYS);
    if (found && text)
        element = arena_printf(&op->arena, "k:%s", text);
    free(text);
    json_decref(keys);
    return element;
}

static const char *value_element(struct op *op, const json_t *item)
{
    char *text = json_dumps(item, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    const char *element = arena_printf(&op->arena, "v:%s", text);

    free(text);
    return element;
}

static const char *element_of_item(struct op *op, const struct shape *shape, const json_t *item)
{
    return shape->kind == SET ? value_element(op, item) : key_of_item(op, shape->field, item);
}

/* The elements of a list, and where each stands: long lists are compared, too. */
struct elements {
    const char **list; /* NULL: an item without keys */
    size_t n;
    json_t *places; /* element → index; of the first, where one is there twice */
};

static void release(void *tree)
{
    json_decref(tree);
}

static struct elements elements_of(struct op *op, const struct shape *shape, const json_t *list)
{
    struct elements e = {.n = json_array_size(list), .places = json_object()};

    arena_defer(&op->arena, release, e.places);
    e.list = arena_alloc(&op->arena, (e.n + 1) * sizeof(*e.list));
    for (size_t i = 0; i < e.n; i++) {
        e.list[i] = element_of_item(op, shape, json_array_get(list, i));
        if (e.list[i] && !json_object_get(e.places, e.list[i]))
            json_object_set_new(e.places, e.list[i], json_integer((json_int_t)i));
    }
    return e;
}

/* The item of that element in the list that e was made of; NULL: none. */
static json_t *element_value(const struct elements *e, const json_t *list, const char *element)
{
    const json_t *place = json_object_get(e->places, element);

    return place ? json_array_get(list, (size_t)json_integer_value(place)) : NULL;
}

static bool is_list(const struct shape *shape)
{
    return shape->kind == SET || shape->kind == KEYED;
}

static struct shape item_shape(const struct shape *shape)
{
    return shape->kind == SET ? (struct shape){.kind = LEAF} : shape_of_item(shape->field);
}

/* Can value be taken apart as shape says? */
static bool fits(const struct shape *shape, const json_t *value)
{
    if (shape->kind == LEAF)
        return false;
    return is_list(shape) ? json_is_array(value) : json_is_object(value);
}

/* ---- all of a tree ---- */

static json_t *of_value(struct op *op, const struct shape *shape, const json_t *value)
{
    json_t *children = json_object(), *member;
    const char *key;
    size_t i;

    if (!fits(shape, value))
        return children; /* a leaf: in the set itself */
    json_object_foreach((json_t *)value, key, member)
    {
        struct shape inner = shape_of_member(shape, key, member);

        json_object_set_new(children, arena_printf(&op->arena, "f:%s", key),
                            of_value(op, &inner, member));
    }
    json_array_foreach((json_t *)value, i, member)
    {
        struct shape inner = item_shape(shape);
        const char *element = element_of_item(op, shape, member);
        json_t *node;

        if (!element)
            continue;
        node = of_value(op, &inner, member);
        json_object_set_new(children, element, node_of(node, true));
    }
    return children;
}

json_t *set_of(struct op *op, const struct type *type, const json_t *tree)
{
    struct shape shape = {.kind = type ? STRUCT : MAP, .type = type};

    return of_value(op, &shape, tree);
}

/* ---- two trees ---- */

struct comparison {
    struct op *op;
    const json_t *object, *list; /* empty: what upstream's structs are before somebody fills them */
    json_t *changed, *removed;   /* nodes of the value; NULL: nothing of it is in that set */
};

static void compare_value(struct comparison *c, const struct shape *shape, const json_t *old,
                          const json_t *next);

static void put(json_t *children, const char *element, json_t *node)
{
    if (node)
        json_object_set_new(children, element, node);
}

static void compare_one(struct comparison *c, const struct shape *shape, const char *element,
                        const json_t *old, const json_t *next)
{
    struct comparison inner = {c->op, c->object, c->list, NULL, NULL};

    compare_value(&inner, shape, old, next);
    put(c->changed, element, inner.changed);
    put(c->removed, element, inner.removed);
}

/* A member that is absent where its parent is there, and can only be empty, not absent. */
static const json_t *or_empty(const struct comparison *c, const struct shape *shape,
                              const json_t *parent, const json_t *value, const json_t *other)
{
    if (value || !parent || !shape->always_there)
        return value;
    return json_is_array(other) ? c->list : json_is_object(other) ? c->object : NULL;
}

static void compare_member(struct comparison *c, const struct shape *shape, const char *key,
                           const json_t *old, const json_t *next)
{
    const json_t *before = json_object_get(old, key), *after = json_object_get(next, key);
    struct shape inner = shape_of_member(shape, key, after ? after : before);

    compare_one(c, &inner, arena_printf(&c->op->arena, "f:%s", key),
                or_empty(c, &inner, old, before, after), or_empty(c, &inner, next, after, before));
}

static void compare_members(struct comparison *c, const struct shape *shape, const json_t *old,
                            const json_t *next)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)next, key, value)
    {
        compare_member(c, shape, key, old, next);
    }
    json_object_foreach((json_t *)old, key, value)
    {
        if (!json_object_get(next, key))
            compare_member(c, shape, key, old, next);
    }
}

static void compare_items(struct comparison *c, const struct shape *shape, const json_t *old,
                          const json_t *next)
{
    const struct elements before = elements_of(c->op, shape, old);
    const struct elements after = elements_of(c->op, shape, next);
    struct shape inner = item_shape(shape);

    for (size_t i = 0; i < after.n; i++)
        if (after.list[i])
            compare_one(c, &inner, after.list[i], element_value(&before, old, after.list[i]),
                        json_array_get(next, i));
    for (size_t i = 0; i < before.n; i++)
        if (before.list[i] && !element_value(&after, next, before.list[i]))
            compare_one(c, &inner, before.list[i], json_array_get(old, i), NULL);
}

static void compare_value(struct comparison *c, const struct shape *shape, const json_t *old,
                          const json_t *next)
{
    bool apart = (!old || fits(shape, old)) && (!next || fits(shape, next));

    if (old && next && json_equal(old, next))
        return;
    if (!apart) {
        *(next ? &c->changed : &c->removed) = json_object();
        return;
    }
    c->changed = json_object();
    c->removed = json_object();
    if (is_list(shape))
        compare_items(c, shape, old, next);
    else
        compare_members(c, shape, old, next);
    /* the thing itself is new, or gone; an empty one is a leaf */
    c->changed = node_of(c->changed, !old);
    c->removed = node_of(c->removed, !next);
}

void set_compare(struct op *op, const struct type *type, const json_t *old, const json_t *next,
                 json_t **ret_changed, json_t **ret_removed)
{
    struct shape shape = {.kind = type ? STRUCT : MAP, .type = type};
    json_t *object = json_object(), *list = json_array();
    struct comparison c = {op, object, list, NULL, NULL};

    compare_value(&c, &shape, old ? old : object, next);
    json_decref(object);
    json_decref(list);
    *ret_changed = root(c.changed);
    *ret_removed = root(c.removed);
}

/* ---- taking out ---- */

static void remove_value(struct op *op, const struct shape *shape, json_t *value,
                         const json_t *gone, const json_t *kept);

/* Is nothing left of it that anybody wants? */
static bool is_over(const json_t *value, const json_t *gone, const json_t *kept)
{
    if (kept)
        return false;
    if (in_set(gone))
        return true;
    return (json_is_object(value) && !json_object_size(value)) ||
           (json_is_array(value) && !json_array_size(value));
}

static void remove_member(struct op *op, const struct shape *shape, json_t *parent,
                          const char *element, const json_t *gone, const json_t *kept)
{
    const char *key = element + 2;
    json_t *value = json_object_get(parent, key);
    struct shape inner;

    if (!value)
        return;
    inner = shape_of_member(shape, key, value);
    remove_value(op, &inner, value, gone, kept);
    if (is_over(value, gone, kept))
        json_object_del(parent, key);
}

/* An item that others keep alive keeps what tells it from the others. */
static void keep_keys(const struct field *field, json_t *item, const json_t *whole)
{
    for (const char *const *name = field->list_keys; *name; name++)
        if (json_object_get(whole, *name))
            json_object_set(item, *name, json_object_get(whole, *name));
}

static void remove_items(struct op *op, const struct shape *shape, json_t *list, const json_t *gone,
                         const json_t *kept)
{
    const struct elements e = elements_of(op, shape, list);
    struct shape inner = item_shape(shape);

    for (size_t i = e.n; i > 0; i--) {
        const json_t *node = e.list[i - 1] ? json_object_get(gone, e.list[i - 1]) : NULL;
        const json_t *wanted = node ? json_object_get(kept, e.list[i - 1]) : NULL;
        json_t *value = json_array_get(list, i - 1), *whole;

        if (!node)
            continue;
        whole = json_copy(value);
        remove_value(op, &inner, value, node, wanted);
        if (is_over(value, node, wanted))
            json_array_remove(list, i - 1);
        else if (shape->kind == KEYED)
            keep_keys(shape->field, value, whole);
        json_decref(whole);
    }
}

static void remove_value(struct op *op, const struct shape *shape, json_t *value,
                         const json_t *gone, const json_t *kept)
{
    const char *element;
    json_t *node;

    if (!fits(shape, value))
        return;
    if (is_list(shape)) {
        remove_items(op, shape, value, gone, kept);
        return;
    }
    json_object_foreach((json_t *)gone, element, node)
    {
        if (element[0] == 'f')
            remove_member(op, shape, value, element, node, json_object_get(kept, element));
    }
}

void set_remove(struct op *op, const struct type *type, json_t *tree, const json_t *gone,
                const json_t *kept)
{
    struct shape shape = {.kind = type ? STRUCT : MAP, .type = type};

    remove_value(op, &shape, tree, gone, kept);
}

/* ---- laying over ---- */

static json_t *merge_value(struct op *op, const struct shape *shape, const json_t *live,
                           const json_t *config);

static void merge_items(struct op *op, const struct shape *shape, json_t *result,
                        const json_t *live, const json_t *config)
{
    const struct elements there = elements_of(op, shape, live);
    struct shape inner = item_shape(shape);
    json_t *item;
    size_t i;

    json_array_foreach((json_t *)config, i, item)
    {
        const char *element = element_of_item(op, shape, item);
        const json_t *place = element ? json_object_get(there.places, element) : NULL;

        if (place)
            json_array_set_new(result, (size_t)json_integer_value(place),
                               merge_value(op, &inner, element_value(&there, live, element), item));
        else
            json_array_append_new(result, json_deep_copy(item));
    }
}

static json_t *merge_value(struct op *op, const struct shape *shape, const json_t *live,
                           const json_t *config)
{
    json_t *result, *item;
    const char *key;

    if (!live || !fits(shape, live) || !fits(shape, config))
        return json_deep_copy(config);
    result = json_deep_copy(live);
    if (is_list(shape))
        merge_items(op, shape, result, live, config);
    json_object_foreach((json_t *)config, key, item)
    {
        struct shape inner = shape_of_member(shape, key, item);

        json_object_set_new(result, key, merge_value(op, &inner, json_object_get(live, key), item));
    }
    return result;
}

json_t *typed_merge(struct op *op, const struct type *type, const json_t *live,
                    const json_t *config)
{
    struct shape shape = {.kind = type ? STRUCT : MAP, .type = type};

    return merge_value(op, &shape, live, config);
}
