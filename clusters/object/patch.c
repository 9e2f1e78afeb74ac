/* JSON patch (RFC 6902) and merge patch (RFC 7386). patch_strategic.c has the third kind. */
#include "clusters/object/patch.h"

#include <string.h>

#include "clusters/object/status.h"

#define OPERATIONS_MAX 10000
#define COPIED_MAX     300000
#define TREE_DEPTH_MAX 200 /* as deep as a body may be (OBJECT_DEPTH_MAX) */

/* ---- merge patch ---- */

static void merge_into(json_t *into, const json_t *patch)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)patch, key, value)
    {
        json_t *now = json_object_get(into, key);

        if (json_is_null(value)) {
            json_object_del(into, key);
        } else if (json_is_object(value)) {
            if (!json_is_object(now)) {
                now = json_object();
                json_object_set_new(into, key, now);
            }
            merge_into(now, value);
        } else {
            json_object_set_new(into, key, json_deep_copy(value));
        }
    }
}

enum fault patch_merge(struct op *op, const json_t *tree, const json_t *patch, json_t **ret)
{
    json_t *result;

    if (!json_is_object(patch))
        return bad_request(op, "a merge patch is an object");
    result = object_copy(op, tree);
    merge_into(result, patch);
    *ret = result;
    return OK;
}

/* ---- JSON pointers (RFC 6901) ---- */

#define POINTER_DEPTH_MAX 64
struct pointer {
    const char *tokens[POINTER_DEPTH_MAX]; /* unescaped */
    size_t n;
};

static const char *unescape(struct op *op, const char *text, size_t len)
{
    char *out = arena_alloc(&op->arena, len + 1), *to = out;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '~' && i + 1 < len && (text[i + 1] == '0' || text[i + 1] == '1'))
            *to++ = text[++i] == '1' ? '/' : '~';
        else
            *to++ = text[i];
    }
    *to = '\0';
    return out;
}

static bool pointer_parse(struct op *op, const char *text, struct pointer *ret)
{
    ret->n = 0;
    if (!text || (*text && *text != '/'))
        return false;
    while (*text == '/') {
        size_t len = strcspn(++text, "/");

        if (ret->n == POINTER_DEPTH_MAX)
            return false;
        ret->tokens[ret->n++] = unescape(op, text, len);
        text += len;
    }
    return true;
}

/* An index into a list of n, below or at limit; -1: none. "-" is the end. */
static int64_t index_of(const char *token, size_t n, bool for_adding)
{
    int64_t index = 0;

    if (strcmp(token, "-") == 0)
        return for_adding ? (int64_t)n : -1;
    if (!*token || (token[0] == '0' && token[1]) || strlen(token) > 9)
        return -1;
    for (const char *p = token; *p; p++) {
        if (*p < '0' || *p > '9')
            return -1;
        index = index * 10 + (*p - '0');
    }
    return index < (int64_t)n + for_adding ? index : -1;
}

static json_t *child(const json_t *parent, const char *token)
{
    if (json_is_object(parent))
        return json_object_get(parent, token);
    if (json_is_array(parent)) {
        int64_t index = index_of(token, json_array_size(parent), false);

        return index < 0 ? NULL : json_array_get(parent, (size_t)index);
    }
    return NULL;
}

/* What the first n tokens lead to; NULL: nothing. */
static json_t *walk(json_t *root, const struct pointer *pointer, size_t n)
{
    for (size_t i = 0; root && i < n; i++)
        root = child(root, pointer->tokens[i]);
    return root;
}

/* ---- JSON patch ---- */

/* Upstream tells no more than this of a patch that does not apply. */
static enum fault cannot(struct op *op)
{
    return status_fail(op, INVALID, "Invalid", NULL,
                       "the server rejected our request due to an error in our request");
}

struct patching {
    struct op *op;
    json_t *root;  /* ours */
    size_t copied; /* values copied or moved: copies of copies double what there is */
};

/* Moves into what was moved would nest without end, and all that walks trees calls itself. */
static size_t depth_of(const json_t *value)
{
    size_t deepest = 0, i;
    const char *key;
    json_t *item;

    json_object_foreach((json_t *)value, key, item)
    {
        size_t depth = depth_of(item);

        deepest = depth > deepest ? depth : deepest;
    }
    json_array_foreach((json_t *)value, i, item)
    {
        size_t depth = depth_of(item);

        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static size_t count_values(const json_t *value)
{
    size_t n = 1, i;
    const char *key;
    json_t *item;

    json_object_foreach((json_t *)value, key, item)
    {
        n += count_values(item);
    }
    json_array_foreach((json_t *)value, i, item)
    {
        n += count_values(item);
    }
    return n + json_string_length(value) / 16;
}

/* Takes value. */
static enum fault add(struct patching *p, const struct pointer *at, json_t *value)
{
    const char *last = at->n ? at->tokens[at->n - 1] : NULL;
    json_t *parent = at->n ? walk(p->root, at, at->n - 1) : NULL;
    int64_t index;

    if (at->n + depth_of(value) > TREE_DEPTH_MAX) {
        json_decref(value);
        return status_fail(p->op, TOO_LARGE, "RequestEntityTooLarge", NULL,
                           "a JSON patch nests values deeper than %d", TREE_DEPTH_MAX);
    }
    if (!last) {
        json_decref(p->root);
        p->root = value;
        return OK;
    }
    if (json_is_object(parent)) {
        json_object_set_new(parent, last, value);
        return OK;
    }
    index = json_is_array(parent) ? index_of(last, json_array_size(parent), true) : -1;
    if (index < 0) {
        json_decref(value);
        return cannot(p->op);
    }
    json_array_insert_new(parent, (size_t)index, value);
    return OK;
}

/* *ret (may be NULL): what was there, the caller's. */
static enum fault take_out(struct patching *p, const struct pointer *at, json_t **ret)
{
    const char *last = at->n ? at->tokens[at->n - 1] : NULL;
    json_t *parent = at->n ? walk(p->root, at, at->n - 1) : NULL;
    json_t *value = parent ? child(parent, last) : NULL;

    if (!value)
        return cannot(p->op);
    if (ret)
        *ret = json_incref(value);
    if (json_is_object(parent))
        json_object_del(parent, last);
    else
        json_array_remove(parent, (size_t)index_of(last, json_array_size(parent), false));
    return OK;
}

static enum fault replace(struct patching *p, const struct pointer *at, const json_t *value)
{
    if (at->n && !walk(p->root, at, at->n))
        return cannot(p->op);
    if (at->n && json_is_object(walk(p->root, at, at->n - 1)))
        return add(p, at, json_deep_copy(value));
    if (at->n)
        TRY(take_out(p, at, NULL));
    return add(p, at, json_deep_copy(value));
}

static enum fault charge(struct patching *p, const json_t *value)
{
    p->copied += count_values(value);
    if (p->copied <= COPIED_MAX)
        return OK;
    return status_fail(p->op, TOO_LARGE, "RequestEntityTooLarge", NULL,
                       "the copy and move operations of a JSON patch make more than %d values",
                       COPIED_MAX);
}

static enum fault move(struct patching *p, const struct pointer *from, const struct pointer *to)
{
    json_t *value = NULL;

    TRY(take_out(p, from, &value));
    if (charge(p, value) != OK) {
        json_decref(value);
        return p->op->fault;
    }
    return add(p, to, value);
}

static enum fault copy(struct patching *p, const struct pointer *from, const struct pointer *to)
{
    json_t *value = walk(p->root, from, from->n);

    if (!value)
        return cannot(p->op);
    TRY(charge(p, value));
    return add(p, to, json_deep_copy(value));
}

static enum fault test(struct patching *p, const struct pointer *at, const json_t *value)
{
    json_t *now = walk(p->root, at, at->n);

    if (now ? json_equal(now, value) : json_is_null(value))
        return OK;
    return cannot(p->op);
}

static enum fault apply_one(struct patching *p, const json_t *operation)
{
    const char *name = json_string_value(json_object_get(operation, "op"));
    const char *path = json_string_value(json_object_get(operation, "path"));
    const char *source = json_string_value(json_object_get(operation, "from"));
    const json_t *value = json_object_get(operation, "value");
    struct pointer at, from;

    if (!name || !pointer_parse(p->op, path, &at))
        return bad_request(p->op, "a JSON patch operation has an op and a path");
    if (strcmp(name, "remove") == 0)
        return take_out(p, &at, NULL);
    if (strcmp(name, "move") == 0 || strcmp(name, "copy") == 0) {
        if (!pointer_parse(p->op, source, &from))
            return bad_request(p->op, "a %s operation has a from", name);
        return *name == 'm' ? move(p, &from, &at) : copy(p, &from, &at);
    }
    if (!value)
        return bad_request(p->op, "a JSON patch operation has a value");
    if (strcmp(name, "add") == 0)
        return add(p, &at, json_deep_copy(value));
    if (strcmp(name, "replace") == 0)
        return replace(p, &at, value);
    if (strcmp(name, "test") == 0)
        return test(p, &at, value);
    return bad_request(p->op, "\"%s\" is no JSON patch operation", name);
}

static void release(void *tree)
{
    json_decref(tree);
}

enum fault patch_json(struct op *op, const json_t *tree, const json_t *patch, json_t **ret)
{
    struct patching p = {.op = op};
    enum fault fault = OK;

    if (!json_is_array(patch))
        return bad_request(op, "a JSON patch is a list of operations");
    if (json_array_size(patch) > OPERATIONS_MAX)
        return status_fail(op, TOO_LARGE, "RequestEntityTooLarge", NULL,
                           "The allowed maximum operations in a JSON patch is %d, got %zu",
                           OPERATIONS_MAX, json_array_size(patch));
    p.root = json_deep_copy(tree);
    for (size_t i = 0; fault == OK && i < json_array_size(patch); i++)
        fault = apply_one(&p, json_array_get(patch, i));
    arena_defer(&op->arena, release, p.root);
    TRY(fault);
    if (!json_is_object(p.root))
        return bad_request(op, "the patched object is no object");
    *ret = p.root;
    return OK;
}
