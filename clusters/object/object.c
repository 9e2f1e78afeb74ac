#include "clusters/object/object.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void release(void *value)
{
    json_decref(value);
}

json_t *object_copy(struct op *op, const json_t *tree)
{
    json_t *copy = json_deep_copy(tree);

    arena_defer(&op->arena, release, copy);
    return copy;
}

/* ---- text ---- */

/* What stands after the backslash for a byte; 'u': an escape of six; 0: the byte as it is. */
static const char escapes[128] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b',         't',           'n',          'u',
    'f', 'r', 'u', 'u', 'u', 'u', 'u', 'u', 'u',         'u',           'u',          'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', ['"'] = '"', ['\\'] = '\\', [0x7f] = 'u',
};

struct buffer {
    char *data;
    size_t len, cap;
};

static char *reserve(struct buffer *b, size_t more)
{
    if (b->cap - b->len < more) {
        b->cap = (b->cap + more) * 2;
        b->data = realloc(b->data, b->cap);
        if (!b->data)
            abort(); /* out of memory: sizes of trees are bounded when they are read */
    }
    return b->data + b->len;
}

static void put(struct buffer *b, const char *text, size_t len)
{
    memcpy(reserve(b, len), text, len);
    b->len += len;
}

static void put_string(struct buffer *b, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    char *to = reserve(b, len * 6 + 2), *start = to;

    *to++ = '"';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c >= 128 || !escapes[c]) {
            *to++ = (char)c;
            continue;
        }
        *to++ = '\\';
        *to++ = escapes[c];
        if (escapes[c] == 'u') {
            *to++ = '0';
            *to++ = '0';
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        }
    }
    *to++ = '"';
    b->len += (size_t)(to - start);
}

static void put_integer(struct buffer *b, json_int_t value)
{
    char digits[24], *p = digits + sizeof(digits);
    unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;

    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--p = '-';
    put(b, p, (size_t)(digits + sizeof(digits) - p));
}

/* The shortest text that reads back as the same number. */
static void put_real(struct buffer *b, double value)
{
    char text[40];

    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    put(b, text, strlen(text));
}

static void put_value(struct buffer *b, const json_t *value)
{
    bool first = true;
    json_t *item;
    void *at_;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put(b, "{", 1);
        for (at_ = json_object_iter((json_t *)value); at_;
             at_ = json_object_iter_next((json_t *)value, at_)) {
            if (!first)
                put(b, ",", 1);
            first = false;
            put_string(b, json_object_iter_key(at_), json_object_iter_key_len(at_));
            put(b, ":", 1);
            put_value(b, json_object_iter_value(at_));
        }
        put(b, "}", 1);
        break;
    case JSON_ARRAY:
        put(b, "[", 1);
        json_array_foreach((json_t *)value, i, item)
        {
            if (i > 0)
                put(b, ",", 1);
            put_value(b, item);
        }
        put(b, "]", 1);
        break;
    case JSON_STRING:
        put_string(b, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        put_integer(b, json_integer_value(value));
        break;
    case JSON_REAL:
        put_real(b, json_real_value(value));
        break;
    case JSON_TRUE:
        put(b, "true", 4);
        break;
    case JSON_FALSE:
        put(b, "false", 5);
        break;
    case JSON_NULL:
        put(b, "null", 4);
        break;
    }
}

struct bytes object_encode(struct op *op, const json_t *tree)
{
    struct buffer b = {0};

    reserve(&b, 500);
    put_value(&b, tree);
    put(&b, "", 1);
    arena_defer(&op->arena, free, b.data);
    return (struct bytes){b.data, b.len - 1};
}

/* ---- paths ---- */

json_t *at(const json_t *tree, const char *path)
{
    json_t *value = (json_t *)tree;

    while (value && *path) {
        size_t len = strcspn(path, ".");

        value = json_object_getn(value, path, len);
        path += len + (path[len] == '.');
    }
    return value;
}

const char *text_at(const json_t *tree, const char *path)
{
    return json_string_value(at(tree, path));
}

const char *text_at_or(const json_t *tree, const char *path, const char *fallback)
{
    const char *text = text_at(tree, path);

    return text ? text : fallback;
}

int64_t int_at(const json_t *tree, const char *path, int64_t fallback)
{
    const json_t *value = at(tree, path);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool bool_at(const json_t *tree, const char *path, bool fallback)
{
    const json_t *value = at(tree, path);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/* The member of the object `name`, made when it is missing or of another type. */
static json_t *child(json_t *tree, const char *name, size_t len, json_type type)
{
    json_t *value = json_object_getn(tree, name, len);

    if (value && json_typeof(value) == type)
        return value;
    value = type == JSON_OBJECT ? json_object() : json_array();
    json_object_setn_new(tree, name, len, value);
    return value;
}

/* Everything before the last name; that name is left in *path. */
static json_t *parent(json_t *tree, const char **path, bool make)
{
    for (;;) {
        size_t len = strcspn(*path, ".");

        if (!tree || (*path)[len] == '\0')
            return tree;
        tree = make ? child(tree, *path, len, JSON_OBJECT) : json_object_getn(tree, *path, len);
        *path += len + 1;
    }
}

void set_at(json_t *tree, const char *path, json_t *value)
{
    json_t *in = parent(tree, &path, value != NULL);

    if (value)
        json_object_set_new(in, path, value);
    else if (in)
        json_object_del(in, path);
}

json_t *object_at(json_t *tree, const char *path)
{
    json_t *in = parent(tree, &path, true);

    return child(in, path, strlen(path), JSON_OBJECT);
}

json_t *array_at(json_t *tree, const char *path)
{
    json_t *in = parent(tree, &path, true);

    return child(in, path, strlen(path), JSON_ARRAY);
}

const char *label_of(const json_t *tree, const char *key)
{
    return json_string_value(json_object_get(at(tree, "metadata.labels"), key));
}

const char *annotation_of(const json_t *tree, const char *key)
{
    return json_string_value(json_object_get(at(tree, "metadata.annotations"), key));
}

/* ---- objects ---- */

json_t *object_new(struct op *op, const struct resource *r, const char *ns, const char *name)
{
    json_t *tree =
        json_pack("{s:s, s:s, s:{}}", "apiVersion", r->api_version, "kind", r->kind, "metadata");

    if (name)
        set_at(tree, "metadata.name", json_string(name));
    if (ns)
        set_at(tree, "metadata.namespace", json_string(ns));
    arena_defer(&op->arena, release, tree);
    return tree;
}

json_t *owner_reference(const json_t *owner, const struct resource *r)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "apiVersion", r->api_version, "kind",
                     r->kind, "name", text_at_or(owner, "metadata.name", ""), "uid",
                     text_at_or(owner, "metadata.uid", ""), "controller", 1, "blockOwnerDeletion",
                     1);
}

json_t *controller_of(const json_t *tree)
{
    json_t *reference;
    size_t i;

    json_array_foreach(at(tree, "metadata.ownerReferences"), i, reference)
    {
        if (bool_at(reference, "controller", false))
            return reference;
    }
    return NULL;
}

json_t *condition_of(const json_t *tree, const char *type)
{
    json_t *condition;
    size_t i;

    json_array_foreach(at(tree, "status.conditions"), i, condition)
    {
        if (strcmp(text_at_or(condition, "type", ""), type) == 0)
            return condition;
    }
    return NULL;
}

bool object_is_ready(const json_t *tree)
{
    return strcmp(text_at_or(condition_of(tree, "Ready"), "status", ""), "True") == 0;
}
