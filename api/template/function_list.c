/* Arrays and objects; some also take texts. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/template/function.h"
#include "api/template/limits.h"

/* How long a text, array or object is. */
static enum fault length_of(const struct arguments *a, size_t i, size_t *ret)
{
    const json_t *value = a->v[i];

    if (json_is_string(value))
        *ret = letters(json_string_value(value));
    else if (json_is_array(value))
        *ret = json_array_size(value);
    else if (json_is_object(value))
        *ret = json_object_size(value);
    else
        return wrong_arg(a, i, "Array");
    return OK;
}

FUNCTION(f_length)
{
    size_t n = 0;

    TRY(length_of(a, 0, &n));
    return give(a, json_integer((json_int_t)n), ret);
}

FUNCTION(f_empty)
{
    size_t n = 0;

    if (!json_is_null(a->v[0]))
        TRY(length_of(a, 0, &n));
    return give(a, json_boolean(n == 0), ret);
}

static enum fault has(struct scope *s, const json_t *array, const json_t *value, bool *ret)
{
    json_t *one;
    size_t i;

    *ret = false;
    TRY(spend(s, 1 + json_array_size(array) / 8)); /* looking is cheaper than evaluating */
    json_array_foreach(array, i, one)
    {
        TRY(values_equal(s, one, value, ret));
        if (*ret)
            break;
    }
    return OK;
}

FUNCTION(f_contains)
{
    const json_t *in = a->v[0];
    const char *text;
    bool found = false;

    if (json_is_array(in))
        TRY(has(a->s, in, a->v[1], &found));
    else if (json_is_object(in) && json_is_string(a->v[1]))
        found = member_of(in, json_string_value(a->v[1]));
    else if (json_is_string(in) && (json_is_string(a->v[1]) || json_is_integer(a->v[1]))) {
        TRY(as_text(a, a->v[1], &text));
        found = strstr(json_string_value(in), text);
    } else
        return wrong_arg(a, json_is_object(in) || json_is_string(in) ? 1 : 0,
                         json_is_object(in) || json_is_string(in) ? "String" : "Array");
    return give(a, json_boolean(found), ret);
}

/* n letters or items from place on, which are there. */
static enum fault slice(const struct arguments *a, size_t place, size_t n, json_t **ret)
{
    const char *text = json_string_value(a->v[0]);
    json_t *out;

    if (text) {
        text += letter_at(text, place);
        return give(a, json_stringn(text, letter_at(text, n)), ret);
    }
    out = json_new_array(a->s->op);
    for (size_t i = 0; i < n; i++)
        json_array_append(out, json_array_get(a->v[0], place + i));
    *ret = out;
    return OK;
}

static enum fault text_or_array(const struct arguments *a, size_t *ret_length)
{
    if (!json_is_string(a->v[0]) && !json_is_array(a->v[0]))
        return wrong_arg(a, 0, "Array");
    return length_of(a, 0, ret_length);
}

static enum fault one_of(const struct arguments *a, bool last, json_t **ret)
{
    size_t n = 0;

    TRY(text_or_array(a, &n));
    if (json_is_string(a->v[0]))
        return slice(a, n && last ? n - 1 : 0, n ? 1 : 0, ret);
    if (!n)
        return give(a, json_null(), ret);
    *ret = json_array_get(a->v[0], last ? n - 1 : 0);
    return OK;
}

FUNCTION(f_first)
{
    return one_of(a, false, ret);
}

FUNCTION(f_last)
{
    return one_of(a, true, ret);
}

/* The second argument, at least 0 and at most n. */
static enum fault amount(const struct arguments *a, size_t n, size_t *ret)
{
    int64_t wanted;

    TRY(int_arg(a, 1, &wanted));
    *ret = wanted < 0 ? 0 : wanted > (int64_t)n ? n : (size_t)wanted;
    return OK;
}

FUNCTION(f_take)
{
    size_t n = 0, wanted = 0;

    TRY(text_or_array(a, &n));
    TRY(amount(a, n, &wanted));
    return slice(a, 0, wanted, ret);
}

FUNCTION(f_skip)
{
    size_t n = 0, wanted = 0;

    TRY(text_or_array(a, &n));
    TRY(amount(a, n, &wanted));
    return slice(a, wanted, n - wanted, ret);
}

FUNCTION(f_create_array)
{
    json_t *out = json_new_array(a->s->op);

    for (size_t i = 0; i < a->n; i++)
        json_array_append(out, a->v[i]);
    *ret = out;
    return OK;
}

FUNCTION(f_array)
{
    if (!json_is_array(a->v[0]))
        return f_create_array(a, ret);
    *ret = a->v[0];
    return OK;
}

FUNCTION(f_create_object)
{
    json_t *out = json_new_object(a->s->op);
    const char *name;

    if (a->n % 2)
        return function_fail(a, "takes names and values in turn.");
    for (size_t i = 0; i < a->n; i += 2) {
        TRY(text_arg(a, i, &name));
        json_object_set(out, name, a->v[i + 1]);
    }
    *ret = out;
    return OK;
}

/* ---- union and intersection ---- */

/* The name it has in the object already, in any case of letters. */
static const char *name_in(const json_t *object, const char *name)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        if (strcasecmp(key, name) == 0)
            return key;
    }
    return name;
}

/* Objects within objects are merged too; all else is replaced. */
static enum fault merge(struct scope *s, const json_t *below, const json_t *above, json_t **ret)
{
    json_t *out = json_keep(s->op, json_copy((json_t *)below)), *value, *had;
    const char *key;

    TRY(spend(s, json_object_size(below)));
    json_object_foreach((json_t *)above, key, value)
    {
        TRY(spend(s, 1 + json_object_size(out) / 8));
        had = member_of(out, key);
        if (json_is_object(had) && json_is_object(value))
            TRY(merge(s, had, value, &value));
        json_object_set(out, name_in(out, key), value);
    }
    *ret = out;
    return OK;
}

static enum fault add_missing(struct scope *s, json_t *out, const json_t *array)
{
    bool there = false;
    json_t *one;
    size_t i;

    json_array_foreach(array, i, one)
    {
        TRY(has(s, out, one, &there));
        if (!there)
            json_array_append(out, one);
    }
    return OK;
}

FUNCTION(f_union)
{
    bool objects = json_is_object(a->v[0]);
    json_t *out = objects ? a->v[0] : json_new_array(a->s->op);

    for (size_t i = 0; i < a->n; i++) {
        TRY(objects ? object_arg(a, i) : array_arg(a, i));
        TRY(objects ? merge(a->s, out, a->v[i], &out) : add_missing(a->s, out, a->v[i]));
    }
    *ret = out;
    return OK;
}

/* name NULL: of arrays. */
static enum fault all_have(const struct arguments *a, const char *name, const json_t *value,
                           bool *ret)
{
    *ret = true;
    for (size_t i = 1; i < a->n && *ret; i++) {
        const json_t *there;

        if (!name) {
            TRY(has(a->s, a->v[i], value, ret));
            continue;
        }
        TRY(spend(a->s, 1 + json_object_size(a->v[i]) / 8));
        there = member_of(a->v[i], name);
        *ret = there;
        if (there)
            TRY(values_equal(a->s, there, value, ret));
    }
    return OK;
}

static enum fault common_members(const struct arguments *a, json_t **ret)
{
    json_t *out = json_new_object(a->s->op), *value;
    bool common = false;
    const char *key;

    json_object_foreach(a->v[0], key, value)
    {
        TRY(all_have(a, key, value, &common));
        if (common)
            json_object_set(out, key, value);
    }
    *ret = out;
    return OK;
}

FUNCTION(f_intersection)
{
    bool objects = json_is_object(a->v[0]), common = false, there = false;
    json_t *out, *one;
    size_t k;

    for (size_t i = 0; i < a->n; i++)
        TRY(objects ? object_arg(a, i) : array_arg(a, i));
    if (objects)
        return common_members(a, ret);
    out = json_new_array(a->s->op);
    json_array_foreach(a->v[0], k, one)
    {
        TRY(all_have(a, NULL, one, &common));
        if (common)
            TRY(has(a->s, out, one, &there));
        if (common && !there)
            json_array_append(out, one);
    }
    *ret = out;
    return OK;
}

FUNCTION(f_range)
{
    json_t *out = json_new_array(a->s->op);
    int64_t from, count;

    TRY(int_arg(a, 0, &from));
    TRY(int_arg(a, 1, &count));
    if (count < 0 || count > EXPRESSION_RANGE_MAX || from > INT64_MAX - count)
        return function_fail(a, "makes 0 to %d numbers.", EXPRESSION_RANGE_MAX);
    TRY(spend_bytes(a->s, (size_t)count * 32));
    for (int64_t i = 0; i < count; i++)
        json_array_append_new(out, json_integer(from + i));
    *ret = out;
    return OK;
}

FUNCTION(f_flatten)
{
    json_t *out = json_new_array(a->s->op), *one;
    size_t i;

    TRY(array_arg(a, 0));
    json_array_foreach(a->v[0], i, one)
    {
        if (!json_is_array(one))
            return function_fail(a, "takes an array of arrays.");
        TRY(spend(a->s, json_array_size(one)));
        json_array_extend(out, one);
    }
    *ret = out;
    return OK;
}

/* ---- members ---- */

#define ITEM_BYTES 256 /* what an object of two members takes */

static int by_name(const void *x, const void *y)
{
    return strcasecmp(*(const char *const *)x, *(const char *const *)y);
}

static const char **sorted_names(struct op *op, const json_t *object)
{
    size_t n = 0, all = json_object_size(object);
    const char **names = arena_alloc(&op->arena, (all + 1) * sizeof(*names)), *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value) names[n++] = key;
    qsort(names, n, sizeof(*names), by_name);
    return names;
}

FUNCTION(f_items)
{
    json_t *out = json_new_array(a->s->op);

    TRY(object_arg(a, 0));
    TRY(spend_bytes(a->s, json_object_size(a->v[0]) * ITEM_BYTES));
    for (const char **name = sorted_names(a->s->op, a->v[0]); *name; name++)
        json_array_append_new(
            out, json_pack("{s:s,s:O}", "key", *name, "value", json_object_get(a->v[0], *name)));
    *ret = out;
    return OK;
}

FUNCTION(f_object_keys)
{
    json_t *out = json_new_array(a->s->op);

    TRY(object_arg(a, 0));
    for (const char **name = sorted_names(a->s->op, a->v[0]); *name; name++)
        json_array_append_new(out, json_string(*name));
    *ret = out;
    return OK;
}

FUNCTION(f_shallow_merge)
{
    json_t *out = json_new_object(a->s->op), *one;
    size_t i;

    TRY(array_arg(a, 0));
    json_array_foreach(a->v[0], i, one)
    {
        if (!json_is_object(one))
            return function_fail(a, "takes an array of objects.");
        TRY(spend(a->s, json_object_size(one)));
        json_object_update(out, one);
    }
    *ret = out;
    return OK;
}

FUNCTION(f_try_get)
{
    json_t *at = a->v[0];

    for (size_t i = 1; i < a->n && at; i++) {
        const char *name = json_string_value(a->v[i]);

        if (!name && !json_is_integer(a->v[i]))
            return wrong_arg(a, i, "String");
        TRY(spend(a->s, json_object_size(at) / 8));
        if (name)
            at = json_is_object(at) ? member_of(at, name) : NULL;
        else
            at = json_is_array(at) ? json_array_get(at, (size_t)json_integer_value(a->v[i])) : NULL;
    }
    if (!at)
        return give(a, json_null(), ret);
    *ret = at;
    return OK;
}

static enum fault from_end(const struct arguments *a, bool must, json_t **ret)
{
    int64_t i;
    size_t n;

    TRY(array_arg(a, 0));
    TRY(int_arg(a, 1, &i));
    n = json_array_size(a->v[0]);
    if (i >= 1 && i <= (int64_t)n) {
        *ret = json_array_get(a->v[0], n - (size_t)i);
        return OK;
    }
    return must ? function_fail(a, "is asked for item %lld from the end of %zu.", (long long)i, n)
                : give(a, json_null(), ret);
}

FUNCTION(f_index_from_end)
{
    return from_end(a, true, ret);
}

FUNCTION(f_try_index_from_end)
{
    return from_end(a, false, ret);
}
