#include "api/template/evaluate.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/template/function.h"
#include "api/template/limits.h"

struct scope scope_new(struct op *op, const json_t *template, const struct template_facts *facts)
{
    return (struct scope){
        .op = op,
        .template = template,
        .facts = facts,
        .parameters = json_new_object(op),
        .secure = json_new_object(op),
        .variables = json_new_object(op),
        .tainted = json_new_object(op),
        .effort = arena_alloc(&op->arena, sizeof(struct effort)),
    };
}

enum fault template_fail(struct op *op, const char *fmt, ...)
{
    char said[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(said, sizeof(said), fmt, args);
    va_end(args);
    return fail_on(op, "InvalidTemplate", INVALID, "Deployment template validation failed: '%s'",
                   said);
}

json_t *member_of(const json_t *object, const char *name)
{
    json_t *exact = json_object_get(object, name), *value;
    const char *key;

    if (exact)
        return exact;
    json_object_foreach((json_t *)object, key, value)
    {
        if (strcasecmp(key, name) == 0)
            return value;
    }
    return NULL;
}

enum fault spend(struct scope *s, size_t n)
{
    s->effort->steps += (int64_t)n;
    if (s->effort->steps > EXPRESSION_STEPS_MAX || s->effort->bytes > EXPRESSION_BYTES_MAX)
        return template_fail(s->op, "The template's expressions take too long to evaluate.");
    return OK;
}

enum fault spend_bytes(struct scope *s, size_t n)
{
    s->effort->bytes += n;
    return spend(s, 0);
}

/* Values share what is in them, but where they are written it is written each time: all paths
 *count. bytes: of texts. */
static enum fault walk(struct scope *s, const json_t *value, int room, size_t *bytes)
{
    const char *key;
    json_t *inner;
    size_t i;

    TRY(spend(s, 1));
    *bytes += json_string_length(value);
    if (!json_is_object(value) && !json_is_array(value))
        return OK;
    if (room == 0)
        return template_fail(s->op, "A value is nested too deeply.");
    json_array_foreach(value, i, inner) TRY(walk(s, inner, room - 1, bytes));
    json_object_foreach((json_t *)value, key, inner)
    {
        *bytes += strlen(key);
        TRY(walk(s, inner, room - 1, bytes));
    }
    return OK;
}

enum fault check_depth(struct scope *s, const json_t *value)
{
    size_t bytes = 0;

    return walk(s, value, TEMPLATE_DEPTH_MAX, &bytes);
}

/* The value of a whole expression, which goes into a body or an output. */
static enum fault check_size(struct scope *s, const json_t *value)
{
    size_t bytes = 0;

    TRY(walk(s, value, TEMPLATE_DEPTH_MAX, &bytes));
    return spend_bytes(s, bytes);
}

/* ---- calls ---- */

static enum fault check_count(struct scope *s, const struct expression *e, const struct function *f)
{
    if (e->n_args >= f->min && e->n_args <= f->max)
        return OK;
    return template_fail(s->op,
                         "The template function '%.60s' takes %zu%s arguments; it is called with "
                         "%zu.",
                         e->text, f->min, f->max == f->min ? "" : " or more", e->n_args);
}

static enum fault evaluate_args(struct scope *s, const struct expression *e, json_t ***ret)
{
    *ret = arena_alloc(&s->op->arena, (e->n_args + 1) * sizeof(json_t *));
    for (size_t i = 0; i < e->n_args; i++) {
        const json_t *value;

        TRY(evaluate_expression(s, e->args[i], &(*ret)[i]));
        value = (*ret)[i];
        TRY(spend(s, json_array_size(value) + json_object_size(value) +
                         json_string_length(value) / 64));
    }
    return OK;
}

/* "namespace.name" in the template's "functions". */
static const json_t *own_function(const struct scope *s, const char *name)
{
    const char *dot = strchr(name, '.');
    const json_t *group, *found;
    size_t i;

    if (!dot || s->is_function)
        return NULL;
    json_array_foreach(member_of(s->template, "functions"), i, group)
    {
        const char *space = json_string_value(member_of(group, "namespace"));

        if (!space || strlen(space) != (size_t)(dot - name) ||
            strncasecmp(space, name, strlen(space)) != 0)
            continue;
        found = member_of(member_of(group, "members"), dot + 1);
        if (found)
            return found;
    }
    return NULL;
}

static enum fault call_own(struct scope *s, const struct expression *e, const json_t *function,
                           json_t **ret)
{
    const json_t *declared = member_of(function, "parameters"), *one;
    struct scope inner = *s;
    json_t **args;
    enum fault fault;
    size_t i;

    if (json_array_size(declared) != e->n_args)
        return template_fail(s->op,
                             "The function '%.100s' takes %zu arguments; it is called with "
                             "%zu.",
                             e->text, json_array_size(declared), e->n_args);
    TRY(evaluate_args(s, e, &args));
    inner.parameters = json_new_object(s->op);
    inner.secure = NULL;
    inner.is_function = true;
    inner.copies = NULL;
    inner.bindings = NULL;
    inner.calls = NULL;
    json_array_foreach(declared, i, one)
    {
        const char *name = json_string_value(member_of(one, "name"));

        json_object_set(inner.parameters, name ? name : "", args[i]);
    }
    fault = evaluate(&inner, member_of(member_of(function, "output"), "value"), ret);
    s->is_secret = s->is_secret || inner.is_secret;
    return fault;
}

static enum fault call(struct scope *s, const struct expression *e, json_t **ret)
{
    const json_t *own;
    struct arguments a = {.s = s, .name = e->text, .n = e->n_args};
    const struct function *f;

    if (strchr(e->text, '.'))
        TRY(spend(s, json_array_size(member_of(s->template, "functions")) / 8));
    own = own_function(s, e->text);
    if (own)
        return call_own(s, e, own, ret);
    f = function_find(e->text);
    if (!f)
        return template_fail(s->op, "The template function '%.100s' is not valid here.", e->text);
    TRY(check_count(s, e, f));
    if (f->special)
        return f->special(s, e, ret);
    TRY(evaluate_args(s, e, &a.v));
    return f->call(&a, ret);
}

/* ---- members ---- */

static enum fault take_member(struct scope *s, json_t *base, const char *name, json_t **ret)
{
    struct text have;
    const char *key;
    json_t *value;

    if (!json_is_object(base))
        return template_fail(s->op,
                             "The language expression property '%.100s' can't be evaluated: what "
                             "it is asked of is no object.",
                             name);
    TRY(spend(s, json_object_size(base) / 8));
    *ret = member_of(base, name);
    if (*ret)
        return OK;
    text_init(&have, &s->op->arena, 400);
    json_object_foreach(base, key, value) text_printf(&have, "%s%s", have.len ? ", " : "", key);
    return template_fail(s->op,
                         "The language expression property '%.100s' doesn't exist, available "
                         "properties are '%s'.",
                         name, have.data);
}

static enum fault take_index(struct scope *s, json_t *base, const json_t *at, json_t **ret)
{
    json_int_t i = json_integer_value(at);

    if (json_is_string(at))
        return take_member(s, base, json_string_value(at), ret);
    if (!json_is_array(base) || !json_is_integer(at))
        return template_fail(s->op, "An index in brackets must be a number after an array, or a "
                                    "text after an object.");
    if (i < 0 || (size_t)i >= json_array_size(base))
        return template_fail(s->op,
                             "The language expression property array index '%lld' is out of "
                             "bounds.",
                             (long long)i);
    *ret = json_array_get(base, (size_t)i);
    return OK;
}

static enum fault evaluate_node(struct scope *s, const struct expression *e, json_t **ret)
{
    json_t *base, *at;

    switch (e->kind) {
    case EXPRESSION_TEXT:
        *ret = json_keep(s->op, json_string(e->text));
        return *ret ? OK : template_fail(s->op, "A text in an expression is not UTF-8.");
    case EXPRESSION_INTEGER:
        *ret = json_keep(s->op, json_integer(e->integer));
        return OK;
    case EXPRESSION_CALL:
        return call(s, e, ret);
    case EXPRESSION_MEMBER:
        TRY(evaluate_expression(s, e->base, &base));
        return take_member(s, base, e->text, ret);
    case EXPRESSION_INDEX:
        TRY(evaluate_expression(s, e->base, &base));
        TRY(evaluate_expression(s, e->args[0], &at));
        return take_index(s, base, at, ret);
    }
    return fail(s->op, INTERNAL, "an unknown kind of expression");
}

enum fault evaluate_expression(struct scope *s, const struct expression *e, json_t **ret)
{
    enum fault fault;

    TRY(spend(s, 1));
    if (++s->effort->depth > 4 * TEMPLATE_DEPTH_MAX)
        return template_fail(s->op, "The template's expressions are nested too deeply.");
    fault = evaluate_node(s, e, ret);
    s->effort->depth--;
    return fault;
}

/* ---- values ---- */

static enum fault text_value(struct scope *s, const json_t *value, json_t **ret)
{
    const char *text = json_string_value(value);
    struct expression *e;

    if (expression_is(text)) {
        TRY(expression_parse(s->op, text, &e));
        TRY(evaluate_expression(s, e, ret));
        return check_size(s, *ret);
    }
    *ret = expression_plain(text) == text ? (json_t *)value
                                          : json_keep(s->op, json_string(expression_plain(text)));
    return spend_bytes(s, json_string_length(value));
}

enum fault evaluate_count(struct scope *s, const json_t *loop, const char *name, int64_t *ret)
{
    TRY(evaluate_int(s, member_of(loop, "count"), "copy.count", ret));
    if (*ret >= 0 && *ret <= TEMPLATE_COPY_MAX)
        return OK;
    return template_fail(s->op, "The copy '%.100s' has the count %lld; 0 to %d are possible.", name,
                         (long long)*ret, TEMPLATE_COPY_MAX);
}

enum fault evaluate_loop(struct scope *s, const json_t *loop, const char *name, bool is_property,
                         json_t **ret)
{
    struct copy copy = {.name = name, .is_property = is_property, .outer = s->copies};
    json_t *array = json_new_array(s->op), *value;
    struct scope inner = *s;
    int64_t count;

    TRY(evaluate_count(s, loop, name, &count));
    inner.copies = &copy;
    for (copy.index = 0; copy.index < count; copy.index++) {
        TRY(evaluate(&inner, member_of(loop, "input"), &value));
        json_array_append(array, value);
    }
    s->is_secret = s->is_secret || inner.is_secret;
    *ret = array;
    return OK;
}

/* One of an object's "copy": {name, count, input}. */
static enum fault copy_member(struct scope *s, const json_t *loop, json_t *into)
{
    const char *name;
    json_t *made;

    TRY(evaluate_text(s, member_of(loop, "name"), "copy.name", &name));
    TRY(evaluate_loop(s, loop, name, true, &made));
    json_object_set(into, name, made);
    return OK;
}

enum fault evaluate_name(struct scope *s, const char *name, const char **ret)
{
    json_t *made;

    TRY(text_value(s, json_keep(s->op, json_string(name)), &made));
    if (!json_is_string(made))
        return template_fail(s->op, "The name of a property must be a text: '%.100s'.", name);
    *ret = json_string_value(made);
    return OK;
}

static enum fault object_value(struct scope *s, const json_t *value, json_t **ret)
{
    json_t *out = json_new_object(s->op), *inner, *loop;
    const char *key, *name;
    size_t i;

    json_object_foreach((json_t *)value, key, inner)
    {
        json_t *evaluated;

        if (strcasecmp(key, "copy") == 0 && json_is_array(inner)) {
            json_array_foreach(inner, i, loop) TRY(copy_member(s, loop, out));
            continue;
        }
        TRY(evaluate_name(s, key, &name));
        TRY(evaluate(s, inner, &evaluated));
        json_object_set(out, name, evaluated);
    }
    *ret = out;
    return OK;
}

static enum fault array_value(struct scope *s, const json_t *value, json_t **ret)
{
    json_t *out = json_new_array(s->op), *inner, *evaluated;
    size_t i;

    json_array_foreach(value, i, inner)
    {
        TRY(evaluate(s, inner, &evaluated));
        json_array_append(out, evaluated);
    }
    *ret = out;
    return OK;
}

enum fault evaluate(struct scope *s, const json_t *value, json_t **ret)
{
    enum fault fault = OK;

    if (!value)
        return template_fail(s->op, "A value is missing.");
    TRY(spend(s, 1));
    if (++s->effort->depth > 4 * TEMPLATE_DEPTH_MAX)
        return template_fail(s->op, "The template's values are nested too deeply.");
    if (json_is_string(value))
        fault = text_value(s, value, ret);
    else if (json_is_object(value))
        fault = object_value(s, value, ret);
    else if (json_is_array(value))
        fault = array_value(s, value, ret);
    else
        *ret = (json_t *)value;
    s->effort->depth--;
    return fault;
}

enum fault evaluate_text(struct scope *s, const json_t *value, const char *what, const char **ret)
{
    json_t *found = NULL;

    if (value)
        TRY(evaluate(s, value, &found));
    if (!json_is_string(found))
        return template_fail(s->op, "The value of '%.100s' must be a text.", what);
    *ret = json_string_value(found);
    return OK;
}

enum fault evaluate_bool(struct scope *s, const json_t *value, const char *what, bool *ret)
{
    json_t *found;

    TRY(evaluate(s, value, &found));
    if (!json_is_boolean(found))
        return template_fail(s->op, "The value of '%.100s' must be true or false.", what);
    *ret = json_is_true(found);
    return OK;
}

enum fault evaluate_int(struct scope *s, const json_t *value, const char *what, int64_t *ret)
{
    json_t *found = NULL;

    if (value)
        TRY(evaluate(s, value, &found));
    if (!json_is_integer(found))
        return template_fail(s->op, "The value of '%.100s' must be a whole number.", what);
    *ret = json_integer_value(found);
    return OK;
}

/* ---- variables ---- */

/* "variables": {"copy": [{"name": …}]} makes variables, too. */
static const json_t *variable_loop(const json_t *variables, const char *name)
{
    const json_t *loop;
    size_t i;

    json_array_foreach(member_of(variables, "copy"), i, loop)
    {
        const char *made = json_string_value(member_of(loop, "name"));

        if (made && strcasecmp(made, name) == 0)
            return loop;
    }
    return NULL;
}

static enum fault make_variable(struct scope *s, const char *name, json_t **ret)
{
    const json_t *variables = member_of(s->template, "variables");
    const json_t *loop = variable_loop(variables, name), *plain;
    json_t *made = json_new_object(s->op);

    TRY(spend(s, json_array_size(member_of(variables, "copy")) / 8));
    if (loop) {
        TRY(copy_member(s, loop, made));
        *ret = member_of(made, name);
        return *ret ? OK : template_fail(s->op, "The variable '%.100s' is not made.", name);
    }
    plain = member_of(variables, name);
    if (!plain || s->is_function)
        return template_fail(s->op, "The template variable '%.100s' is not found.", name);
    return evaluate(s, plain, ret);
}

enum fault evaluate_variable(struct scope *s, const char *name, json_t **ret)
{
    const char *key = id_lower(s->op, name);
    struct scope inner = *s;
    json_t *done = json_object_get(s->variables, key);

    if (json_is_null(done) && json_object_get(s->tainted, key))
        return template_fail(s->op, "The template variable '%.100s' refers to itself.", name);
    if (!done) {
        json_object_set_new(s->variables, key, json_null()); /* is being made */
        json_object_set_new(s->tainted, key, json_true());
        inner.is_secret = false;
        inner.copies = NULL;
        inner.bindings = NULL;
        inner.calls = NULL; /* reference() is not for variables */
        TRY(make_variable(&inner, name, &done));
        json_object_set(s->variables, key, done);
        if (inner.is_secret)
            json_object_set_new(s->tainted, key, json_false());
        else
            json_object_del(s->tainted, key);
    }
    if (json_is_false(json_object_get(s->tainted, key)))
        s->is_secret = true;
    *ret = done;
    return OK;
}
