/* Functions that evaluate their arguments by themselves: only the branch taken, or once an item. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/template/function.h"
#include "api/template/limits.h"

static enum fault boolean(struct scope *s, const struct expression *call, size_t i, bool *ret)
{
    struct arguments a = {.s = s, .name = call->text, .n = call->n_args};
    json_t **values = arena_alloc(&s->op->arena, call->n_args * sizeof(json_t *));

    a.v = values;
    TRY(evaluate_expression(s, call->args[i], &values[i]));
    return bool_arg(&a, i, ret);
}

SPECIAL(f_if)
{
    bool yes;

    TRY(boolean(s, call, 0, &yes));
    return evaluate_expression(s, call->args[yes ? 1 : 2], ret);
}

/* The first that is `ends` decides. */
static enum fault decide(struct scope *s, const struct expression *call, bool ends, json_t **ret)
{
    bool value = !ends;

    for (size_t i = 0; i < call->n_args && value != ends; i++)
        TRY(boolean(s, call, i, &value));
    *ret = json_boolean(value);
    return OK;
}

SPECIAL(f_and)
{
    return decide(s, call, false, ret);
}

SPECIAL(f_or)
{
    return decide(s, call, true, ret);
}

SPECIAL(f_coalesce)
{
    for (size_t i = 0; i < call->n_args; i++) {
        TRY(evaluate_expression(s, call->args[i], ret));
        if (!json_is_null(*ret))
            return OK;
    }
    return OK;
}

/* ---- lambdas ---- */

SPECIAL(f_lambda)
{
    (void)call;
    (void)ret;
    return template_fail(s->op, "A lambda can only be an argument of a function that takes one.");
}

SPECIAL(f_lambda_variables)
{
    json_t *name;

    TRY(evaluate_expression(s, call->args[0], &name));
    for (const struct binding *b = s->bindings; b && json_is_string(name); b = b->outer)
        if (strcasecmp(b->name, json_string_value(name)) == 0) {
            *ret = b->value;
            return OK;
        }
    return template_fail(s->op, "There is no such variable of a lambda: '%.100s'.",
                         json_is_string(name) ? json_string_value(name) : "");
}

#define LAMBDA_MAX 3

struct lambda {
    struct scope *s;
    const struct expression *body;
    const char *names[LAMBDA_MAX];
    size_t n;
};

/* The i-th argument as a lambda of least to most variables. */
static enum fault lambda_arg(struct scope *s, const struct expression *call, size_t i, size_t least,
                             size_t most, struct lambda *ret)
{
    const struct expression *e = call->args[i];
    struct lambda made = {.s = s};

    if (e->kind != EXPRESSION_CALL || strcasecmp(e->text, "lambda") != 0 || e->n_args < least + 1 ||
        e->n_args > most + 1)
        return template_fail(s->op,
                             "The template function '%.60s' takes a lambda of %zu variables at "
                             "position '%zu'.",
                             call->text, least, i + 1);
    for (; made.n + 1 < e->n_args; made.n++) {
        if (e->args[made.n]->kind != EXPRESSION_TEXT)
            return template_fail(s->op, "A variable of a lambda is named by a text.");
        made.names[made.n] = e->args[made.n]->text;
    }
    made.body = e->args[made.n];
    *ret = made;
    return OK;
}

static enum fault apply(const struct lambda *l, json_t *const *values, json_t **ret)
{
    struct binding bindings[LAMBDA_MAX];
    struct scope inner = *l->s;
    enum fault fault;

    for (size_t i = 0; i < l->n; i++) {
        bindings[i] = (struct binding){l->names[i], values[i], inner.bindings};
        inner.bindings = &bindings[i];
    }
    fault = evaluate_expression(&inner, l->body, ret);
    l->s->is_secret = l->s->is_secret || inner.is_secret;
    return fault;
}

static enum fault list_arg(struct scope *s, const struct expression *call, json_t **ret)
{
    struct arguments a = {.s = s, .name = call->text, .v = ret, .n = 1};

    TRY(evaluate_expression(s, call->args[0], ret));
    return array_arg(&a, 0);
}

/* Of an item and its index. */
static enum fault apply_at(const struct lambda *l, json_t *item, size_t i, json_t **ret)
{
    json_t *index = json_keep(l->s->op, json_integer((json_int_t)i));

    return apply(l, (json_t *const[]){item, index}, ret);
}

SPECIAL(f_map)
{
    json_t *list, *item, *made, *out = json_new_array(s->op);
    struct lambda l;
    size_t i;

    TRY(list_arg(s, call, &list));
    TRY(lambda_arg(s, call, 1, 1, 2, &l));
    json_array_foreach(list, i, item)
    {
        TRY(apply_at(&l, item, i, &made));
        json_array_append(out, made);
    }
    *ret = out;
    return OK;
}

static enum fault yes_or_no(const struct lambda *l, const json_t *said, bool *ret)
{
    if (!json_is_boolean(said))
        return template_fail(l->s->op, "This lambda must say true or false.");
    *ret = json_is_true(said);
    return OK;
}

SPECIAL(f_filter)
{
    json_t *list, *item, *said, *out = json_new_array(s->op);
    struct lambda l;
    bool yes = false;
    size_t i;

    TRY(list_arg(s, call, &list));
    TRY(lambda_arg(s, call, 1, 1, 2, &l));
    json_array_foreach(list, i, item)
    {
        TRY(apply_at(&l, item, i, &said));
        TRY(yes_or_no(&l, said, &yes));
        if (yes)
            json_array_append(out, item);
    }
    *ret = out;
    return OK;
}

SPECIAL(f_reduce)
{
    json_t *list, *item, *so_far;
    struct lambda l;
    size_t i;

    TRY(list_arg(s, call, &list));
    TRY(evaluate_expression(s, call->args[1], &so_far));
    TRY(lambda_arg(s, call, 2, 2, 3, &l));
    json_array_foreach(list, i, item)
    {
        json_t *index = json_keep(s->op, json_integer((json_int_t)i));

        TRY(apply(&l, (json_t *const[]){so_far, item, index}, &so_far));
        TRY(check_depth(s, so_far));
    }
    *ret = so_far;
    return OK;
}

/* By insertion: the lambda says whether the first of two comes before the second. */
SPECIAL(f_sort)
{
    json_t *list, *item, *said, *out = json_new_array(s->op);
    struct lambda l;
    size_t i;

    TRY(list_arg(s, call, &list));
    TRY(lambda_arg(s, call, 1, 2, 2, &l));
    json_array_foreach(list, i, item)
    {
        size_t low = 0, high = json_array_size(out);

        while (low < high) {
            size_t middle = (low + high) / 2;
            bool before = false;

            TRY(apply(&l, (json_t *const[]){item, json_array_get(out, middle)}, &said));
            TRY(yes_or_no(&l, said, &before));
            if (before)
                high = middle;
            else
                low = middle + 1;
        }
        json_array_insert(out, low, item);
    }
    *ret = out;
    return OK;
}

static enum fault key_of(const struct lambda *l, json_t *item, size_t i, const char **ret)
{
    json_t *key;

    TRY(apply_at(l, item, i, &key));
    if (!json_is_string(key))
        return template_fail(l->s->op, "This lambda must give a text.");
    *ret = json_string_value(key);
    return OK;
}

SPECIAL(f_to_object)
{
    json_t *list, *item, *value, *out = json_new_object(s->op);
    struct lambda key, of_value;
    const char *name = NULL;
    size_t i;

    TRY(list_arg(s, call, &list));
    TRY(lambda_arg(s, call, 1, 1, 1, &key));
    if (call->n_args == 3)
        TRY(lambda_arg(s, call, 2, 1, 1, &of_value));
    json_array_foreach(list, i, item)
    {
        TRY(key_of(&key, item, i, &name));
        value = item;
        if (call->n_args == 3)
            TRY(apply_at(&of_value, item, i, &value));
        json_object_set(out, name, value);
    }
    *ret = out;
    return OK;
}

SPECIAL(f_group_by)
{
    json_t *list, *item, *out = json_new_object(s->op);
    const char *name = NULL;
    struct lambda key;
    size_t i;

    TRY(list_arg(s, call, &list));
    TRY(lambda_arg(s, call, 1, 1, 1, &key));
    json_array_foreach(list, i, item)
    {
        TRY(key_of(&key, item, i, &name));
        if (!json_object_get(out, name))
            json_object_set_new(out, name, json_array());
        json_array_append(json_object_get(out, name), item);
    }
    *ret = out;
    return OK;
}

SPECIAL(f_map_values)
{
    json_t *object, *item, *made, *out = json_new_object(s->op);
    struct arguments a = {.s = s, .name = call->text, .v = &object, .n = 1};
    struct lambda l;
    const char *key;

    TRY(evaluate_expression(s, call->args[0], &object));
    TRY(object_arg(&a, 0));
    TRY(lambda_arg(s, call, 1, 1, 1, &l));
    json_object_foreach(object, key, item)
    {
        TRY(apply(&l, (json_t *const[]){item}, &made));
        json_object_set(out, key, made);
    }
    *ret = out;
    return OK;
}
