/* What a resource's PUT says, and what the template answers in the end. */
#include <string.h>
#include <strings.h>

#include "api/template/expression.h"
#include "api/template/limits.h"
#include "api/template/template.h"

#define DEPLOYMENTS "Microsoft.Resources/deployments"
#define MASK        "*****"

/* ---- plain resources ---- */

static bool is_of_template(const char *name)
{
    static const char *const names[] = {
        "type",     "name",           "apiVersion", "dependsOn", "condition", "copy",
        "scope",    "resources",      "existing",   "comments",  "metadata",  "resourceGroup",
        "$options", "subscriptionId", "import",     "extension", "asserts",   "@options"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(names[i], name) == 0)
            return true;
    return false;
}

static enum fault evaluate_masked(struct scope *s, const json_t *value, json_t **ret);

static json_t *mask(const struct scope *s, json_t *made)
{
    return s->is_secret ? json_keep(s->op, json_string(MASK)) : made;
}

/* One of "copy": its values are shown, or none. */
static enum fault masked_loop(struct scope *s, const json_t *loop, json_t *into)
{
    const char *name;
    json_t *made;

    s->is_secret = false;
    TRY(evaluate_text(s, member_of(loop, "name"), "copy.name", &name));
    name = s->is_secret ? MASK : name;
    TRY(evaluate_loop(s, loop, name, true, &made));
    json_object_set(into, name, mask(s, made));
    return OK;
}

static enum fault masked_member(struct scope *s, const char *key, const json_t *value, json_t *into)
{
    const char *name;
    json_t *made, *loop;
    size_t i;

    if (strcasecmp(key, "copy") == 0 && json_is_array(value)) {
        json_array_foreach(value, i, loop) TRY(masked_loop(s, loop, into));
        return OK;
    }
    s->is_secret = false;
    TRY(evaluate_name(s, key, &name));
    name = s->is_secret ? MASK : name;
    TRY(evaluate_masked(s, value, &made));
    json_object_set(into, name, made);
    return OK;
}

/* Texts that hold a secret, after evaluation, are not shown. */
static enum fault evaluate_masked(struct scope *s, const json_t *value, json_t **ret)
{
    const char *key;
    json_t *inner, *made;
    size_t i;

    TRY(spend(s, 1));
    if (!json_is_object(value) && !json_is_array(value)) {
        s->is_secret = false;
        TRY(evaluate(s, value, &made));
        *ret = mask(s, made);
        return OK;
    }
    *ret = json_is_object(value) ? json_new_object(s->op) : json_new_array(s->op);
    json_object_foreach((json_t *)value, key, inner) TRY(masked_member(s, key, inner, *ret));
    json_array_foreach(value, i, inner)
    {
        TRY(evaluate_masked(s, inner, &made));
        json_array_append(*ret, made);
    }
    return OK;
}

/* ---- deployments within deployments ---- */

/* "outer", unless the template says otherwise or has symbolic names. */
static enum fault is_inner(struct scope *s, const json_t *properties, bool *ret)
{
    const json_t *options = member_of(properties, "expressionEvaluationOptions");
    const char *version = json_string_value(member_of(s->template, "languageVersion")), *word;

    *ret = version && strncmp(version, "2.", 2) == 0;
    if (!member_of(options, "scope"))
        return OK;
    TRY(evaluate_text(s, member_of(options, "scope"), "scope", &word));
    *ret = strcasecmp(word, "inner") == 0;
    return OK;
}

/* Rewrites an inner template whose expressions mean this one's parameters and variables. */
struct rewriting {
    struct scope *s;
    json_t *parameters; /* of the inner template: those that secrets became */
    json_t *values;     /* and what they are */
};

static enum fault rewrite(struct rewriting *r, const json_t *value, json_t **ret);

/* So that it means itself when it is evaluated once more. */
static const char *escaped_text(struct op *op, const char *text)
{
    size_t len = strlen(text);

    return *text == '[' && text[len - 1] == ']' ? arena_printf(&op->arena, "[%s", text) : text;
}

static json_t *escaped(struct op *op, json_t *value)
{
    const char *text = json_string_value(value), *key;
    json_t *inner, *out;
    size_t i;

    if (text)
        return json_keep(op, json_string(escaped_text(op, text)));
    if (!json_is_object(value) && !json_is_array(value))
        return value;
    out = json_is_object(value) ? json_new_object(op) : json_new_array(op);
    json_object_foreach(value, key, inner)
        json_object_set(out, escaped_text(op, key), escaped(op, inner));
    json_array_foreach(value, i, inner) json_array_append(out, escaped(op, inner));
    return out;
}

static json_t *as_parameter(struct rewriting *r, json_t *secret)
{
    struct op *op = r->s->op;
    const char *name = arena_printf(&op->arena, "outer%zu", json_object_size(r->parameters));

    json_object_set_new(r->parameters, name, json_pack("{s:s}", "type", "secureObject"));
    json_object_set_new(r->values, name, json_pack("{s:{s:O}}", "value", "v", secret));
    return json_keep(op, json_string(arena_printf(&op->arena, "[parameters('%s').v]", name)));
}

static enum fault rewrite_whole(struct rewriting *r, const json_t *value, json_t **ret)
{
    r->s->is_secret = false;
    TRY(evaluate(r->s, value, ret));
    *ret = r->s->is_secret ? as_parameter(r, *ret) : escaped(r->s->op, *ret);
    return OK;
}

static enum fault rewrite_name(struct rewriting *r, const char *name, const char **ret)
{
    struct op *op = r->s->op;

    r->s->is_secret = false;
    TRY(evaluate_name(r->s, name, ret));
    *ret = r->s->is_secret ? json_string_value(as_parameter(r, json_keep(op, json_string(*ret))))
                           : escaped_text(op, *ret);
    return OK;
}

/* An output with a loop has the values. */
static enum fault rewrite_output(struct rewriting *r, const char *name, const json_t *output,
                                 json_t **ret)
{
    json_t *plain = json_keep(r->s->op, json_copy((json_t *)output)), *made;

    json_object_del(plain, "copy");
    TRY(rewrite(r, plain, ret));
    r->s->is_secret = false;
    TRY(evaluate_loop(r->s, member_of(output, "copy"), name, false, &made));
    json_object_set(*ret, "value",
                    r->s->is_secret ? as_parameter(r, made) : escaped(r->s->op, made));
    return OK;
}

static enum fault rewrite_outputs(struct rewriting *r, const json_t *outputs, json_t **ret)
{
    json_t *output, *made;
    const char *name;

    *ret = json_new_object(r->s->op);
    json_object_foreach((json_t *)outputs, name, output)
    {
        TRY(json_is_object(member_of(output, "copy")) ? rewrite_output(r, name, output, &made)
                                                      : rewrite(r, output, &made));
        json_object_set(*ret, name, made);
    }
    return OK;
}

/* A member of a template, or of anything in it. What a deployment within it evaluates by itself is
   not for us. */
static enum fault rewrite_member(struct rewriting *r, const json_t *of, const char *name,
                                 const json_t *value, json_t **ret)
{
    bool inner = false;

    if (strcasecmp(name, "outputs") == 0 && member_of(of, "contentVersion"))
        return rewrite_outputs(r, value, ret);
    if (strcasecmp(name, "template") == 0 && member_of(of, "expressionEvaluationOptions"))
        TRY(is_inner(r->s, of, &inner));
    if (!inner)
        return rewrite(r, value, ret);
    *ret = (json_t *)value;
    return OK;
}

/* A resource with a loop becomes as many, of the same loop's name. */
static enum fault rewrite_loop(struct rewriting *r, const json_t *resource, json_t *into)
{
    struct scope inner = *r->s, *outer = r->s;
    const json_t *loop = member_of(resource, "copy"), *mode = member_of(loop, "mode");
    struct copy copy = {.outer = inner.copies};
    json_t *plain = json_keep(inner.op, json_copy((json_t *)resource)), *made;
    int64_t count;

    json_object_del(plain, "copy");
    TRY(evaluate_text(&inner, member_of(loop, "name"), "copy.name", &copy.name));
    TRY(evaluate_count(&inner, loop, copy.name, &count));
    inner.copies = &copy;
    for (copy.index = 0; copy.index < count; copy.index++) {
        enum fault fault;

        r->s = &inner;
        fault = rewrite(r, plain, &made);
        r->s = outer;
        TRY(fault);
        json_object_set_new(made, "copy",
                            json_pack("{s:s,s:i,s:s*}", "name", copy.name, "count", 1, "mode",
                                      json_string_value(mode)));
        json_array_append(into, made);
    }
    return OK;
}

static enum fault rewrite(struct rewriting *r, const json_t *value, json_t **ret)
{
    const char *key, *name;
    json_t *inner, *made, *out;
    size_t i;

    TRY(spend(r->s, 1));
    if ((!json_is_object(value) && !json_is_array(value)) ||
        json_is_array(member_of(value, "copy")))
        return rewrite_whole(r, value, ret);
    out = json_is_object(value) ? json_new_object(r->s->op) : json_new_array(r->s->op);
    json_object_foreach((json_t *)value, key, inner)
    {
        TRY(rewrite_name(r, key, &name));
        TRY(rewrite_member(r, value, key, inner, &made));
        json_object_set(out, name, made);
    }
    json_array_foreach(value, i, inner)
    {
        if (json_is_object(member_of(inner, "copy")) && member_of(inner, "type")) {
            TRY(rewrite_loop(r, inner, out));
            continue;
        }
        TRY(rewrite(r, inner, &made));
        json_array_append(out, made);
    }
    *ret = out;
    return OK;
}

/* The inner template has none of its own: all it names is this one's. */
static enum fault rewrite_template(struct scope *s, const json_t *template, json_t *properties)
{
    struct rewriting r = {s, json_new_object(s->op), json_new_object(s->op)};
    json_t *plain = json_keep(s->op, json_copy((json_t *)template)), *made;

    json_object_del(plain, "parameters");
    json_object_del(plain, "variables");
    json_object_del(plain, "functions");
    TRY(rewrite(&r, plain, &made));
    json_object_set(made, "parameters", r.parameters);
    json_object_set(properties, "template", made);
    json_object_set(properties, "parameters", r.values);
    return OK;
}

static enum fault deployment_properties(struct scope *s, const json_t *written, bool mask,
                                        json_t **ret)
{
    const json_t *template = member_of(written, "template");
    json_t *out = json_new_object(s->op), *value, *made;
    const char *key;
    bool inner;

    TRY(is_inner(s, written, &inner));
    json_object_foreach((json_t *)written, key, value)
    {
        if (value == template || strcasecmp(key, "expressionEvaluationOptions") == 0)
            continue;
        TRY(mask ? evaluate_masked(s, value, &made) : evaluate(s, value, &made));
        json_object_set(out, key, made);
    }
    *ret = out;
    if (!json_is_object(template))
        return OK; /* templateLink: refused where it arrives */
    if (!inner)
        TRY(rewrite_template(s, template, out));
    else
        json_object_set(out, "template", (json_t *)template);
    if (!inner && mask)
        json_object_del(out, "parameters"); /* all of them are secrets */
    return OK;
}

/* ---- bodies ---- */

enum fault template_body(const struct template_plan *plan, const struct template_node *node,
                         const struct template_calls *calls, bool mask, json_t **ret)
{
    bool deployment = strcasecmp(node->type, DEPLOYMENTS) == 0;
    struct scope s = plan->scope;
    json_t *out = json_new_object(s.op), *value, *made;
    const char *key;

    s.copies = node->copies;
    s.calls = calls;
    s.effort->depth = 0;
    json_object_foreach((json_t *)node->source, key, value)
    {
        if (is_of_template(key))
            continue;
        if (deployment && strcasecmp(key, "properties") == 0)
            TRY(deployment_properties(&s, value, mask, &made));
        else if (mask)
            TRY(evaluate_masked(&s, value, &made));
        else
            TRY(evaluate(&s, value, &made));
        json_object_set(out, key, made);
    }
    *ret = out;
    return OK;
}

/* ---- outputs ---- */

static enum fault output_value(struct scope *s, const char *name, const json_t *output,
                               json_t **ret)
{
    const json_t *loop = member_of(output, "copy");

    return json_is_object(loop) ? evaluate_loop(s, loop, name, false, ret)
                                : evaluate(s, member_of(output, "value"), ret);
}

static enum fault one_output(struct scope *s, const char *name, const json_t *output, json_t *shown,
                             json_t *all)
{
    const json_t *definition = template_definition(s, output),
                 *condition = member_of(output, "condition");
    const char *type = json_string_value(member_of(output, "type"));
    json_t *value;
    bool holds = true;

    type = template_type_name(type ? type : json_string_value(member_of(definition, "type")));
    if (!type)
        return template_fail(s->op, "The template output '%.100s' has no type that is known.",
                             name);
    if (condition)
        TRY(evaluate_bool(s, condition, "condition", &holds));
    if (!holds)
        return OK;
    TRY(output_value(s, name, output, &value));
    if (!json_is_null(value) && !template_type_fits(type, value))
        return template_fail(s->op,
                             "The template output '%.100s' is not valid: its value is not of the "
                             "type '%s'.",
                             name, type);
    json_object_set_new(all, name, json_pack("{s:s,s:O}", "type", type, "value", value));
    json_object_set_new(shown, name,
                        template_is_secure(type)
                            ? json_pack("{s:s}", "type", type)
                            : json_pack("{s:s,s:O}", "type", type, "value", value));
    return OK;
}

enum fault template_outputs(const struct template_plan *plan, const struct template_calls *calls,
                            json_t **ret_shown, json_t **ret_all)
{
    struct scope s = plan->scope;
    json_t *shown = json_new_object(s.op), *all = json_new_object(s.op), *output;
    const char *name;

    s.calls = calls;
    s.effort->depth = 0;
    json_object_foreach(member_of(s.template, "outputs"), name, output)
        TRY(one_output(&s, name, output, shown, all));
    *ret_shown = shown;
    *ret_all = all;
    return OK;
}
