/* Parameters: types, defaults, what is allowed. */
#include <string.h>
#include <strings.h>

#include "api/template/function.h"
#include "api/template/limits.h"
#include "api/template/template.h"

static const char *const type_names[] = {"String", "SecureString", "Int",          "Bool",
                                         "Object", "Array",        "SecureObject", NULL};

const char *template_type_name(const char *type)
{
    for (size_t i = 0; type && type_names[i]; i++)
        if (strcasecmp(type, type_names[i]) == 0)
            return type_names[i];
    return NULL;
}

bool template_is_secure(const char *type)
{
    return type && strncasecmp(type, "secure", 6) == 0;
}

bool template_type_fits(const char *type, const json_t *value)
{
    if (strcmp(type, "String") == 0 || strcmp(type, "SecureString") == 0)
        return json_is_string(value);
    if (strcmp(type, "Int") == 0)
        return json_is_integer(value);
    if (strcmp(type, "Bool") == 0)
        return json_is_boolean(value);
    if (strcmp(type, "Array") == 0)
        return json_is_array(value);
    return json_is_object(value) || (strcmp(type, "SecureObject") == 0 && json_is_array(value));
}

const json_t *template_definition(const struct scope *s, const json_t *declared)
{
    static const char start[] = "#/definitions/";

    for (int i = 0; i < 8; i++) {
        const char *to = json_string_value(member_of(declared, "$ref"));
        const json_t *found;

        if (!to || strncmp(to, start, strlen(start)) != 0)
            break;
        found = member_of(member_of(s->template, "definitions"), to + strlen(start));
        if (!found)
            break;
        declared = found;
    }
    return declared;
}

static const char *type_of(const struct scope *s, const json_t *declared)
{
    const char *type = json_string_value(member_of(declared, "type"));

    if (!type)
        type = json_string_value(member_of(template_definition(s, declared), "type"));
    return template_type_name(type);
}

/* ---- one value ---- */

static const char *shown_text(struct scope *s, const json_t *value)
{
    const char *text = text_of(s, value);

    return text ? text : "…";
}

static enum fault not_allowed(struct scope *s, const char *name, const char *type,
                              const json_t *value, const json_t *allowed)
{
    struct text list;
    json_t *one;
    size_t i;

    text_init(&list, &s->op->arena, 400);
    json_array_foreach(allowed, i, one)
    {
        text_printf(&list, "%s%s", i ? ", " : "", shown_text(s, one));
        if (list.overflow)
            break;
    }
    return template_fail(s->op,
                         "The provided value '%.100s' for the template parameter '%.100s' is not "
                         "valid. It is not part of the allowed value(s): '%s'.",
                         template_is_secure(type) ? "…" : shown_text(s, value), name, list.data);
}

/* Each item of an array may be among the allowed ones, too. */
static enum fault is_allowed(struct scope *s, const json_t *value, const json_t *allowed, bool *ret)
{
    json_t *one;
    size_t i;

    TRY(spend(s, 1 + json_array_size(allowed) / 8));
    *ret = false;
    json_array_foreach(allowed, i, one)
    {
        TRY(values_equal(s, one, value, ret));
        if (*ret)
            return OK;
    }
    *ret = json_is_array(value);
    for (i = 0; i < json_array_size(value) && *ret; i++)
        TRY(is_allowed(s, json_array_get(value, i), allowed, ret));
    return OK;
}

/* "minValue", "maxLength": the bound is there and n is beyond. */
static bool is_beyond(const json_t *declared, const char *bound, int64_t n, bool upper)
{
    const json_t *limit = member_of(declared, bound);

    return json_is_integer(limit) &&
           (upper ? n > json_integer_value(limit) : n < json_integer_value(limit));
}

static enum fault check_bounds(struct scope *s, const char *name, const json_t *declared,
                               const json_t *value)
{
    int64_t n = json_is_integer(value)  ? json_integer_value(value)
                : json_is_string(value) ? (int64_t)letters(json_string_value(value))
                                        : (int64_t)json_array_size(value);

    if (json_is_integer(value)) {
        if (is_beyond(declared, "minValue", n, false) || is_beyond(declared, "maxValue", n, true))
            return template_fail(s->op,
                                 "The provided value for the template parameter '%.100s' is not "
                                 "valid: %lld is less than its minValue or greater than its "
                                 "maxValue.",
                                 name, (long long)n);
        return OK;
    }
    if (!json_is_string(value) && !json_is_array(value))
        return OK;
    if (is_beyond(declared, "minLength", n, false) || is_beyond(declared, "maxLength", n, true))
        return template_fail(s->op,
                             "The provided value for the template parameter '%.100s' is not valid. "
                             "Length of the value is %lld, outside of its minLength and maxLength.",
                             name, (long long)n);
    return OK;
}

static enum fault check_value(struct scope *s, const char *name, const json_t *declared,
                              const char *type, const json_t *value)
{
    const json_t *allowed = member_of(declared, "allowedValues");
    bool good = true;

    if (!template_type_fits(type, value))
        return template_fail(
            s->op,
            "Template parameter '%.100s' was provided an invalid value. Expected a "
            "value of type '%s'.",
            name, type);
    if (json_is_array(allowed))
        TRY(is_allowed(s, value, allowed, &good));
    if (!good)
        return not_allowed(s, name, type, value, allowed);
    return check_bounds(s, name, declared, value);
}

/* The one that is given; *ret NULL: none is. */
static enum fault given_value(struct scope *s, const char *name, const json_t *given, json_t **ret)
{
    const json_t *one = member_of(given, name);

    *ret = NULL;
    if (!one)
        return OK;
    if (member_of(one, "reference"))
        return fail_on(s->op, "KeyVaultReferenceNotSupported", INVALID,
                       "The parameter '%.100s' refers to a key vault. This Sundog has none: give "
                       "the value itself, as a parameter of type securestring.",
                       name);
    *ret = member_of(one, "value");
    if (!*ret)
        return template_fail(s->op, "The parameter '%.100s' has neither a value nor a reference.",
                             name);
    return OK;
}

static enum fault default_value(struct scope *s, const char *name, const json_t *declared,
                                json_t **ret)
{
    const json_t *written = member_of(declared, "defaultValue");
    struct scope inner = *s;

    if (!written && json_is_true(member_of(declared, "nullable"))) {
        *ret = json_null();
        return OK;
    }
    if (!written)
        return template_fail(s->op,
                             "The value for the template parameter '%.100s' is not provided. "
                             "Please see https://aka.ms/arm-create-parameter-file for usage "
                             "details.",
                             name);
    inner.is_default = true;
    return evaluate(&inner, written, ret);
}

static enum fault one_parameter(struct scope *s, const char *name, const json_t *declared,
                                const json_t *given, json_t *shown)
{
    const char *type = type_of(s, declared);
    json_t *value, *entry;
    bool nullable = json_is_true(member_of(declared, "nullable")) ||
                    json_is_true(member_of(template_definition(s, declared), "nullable"));

    if (!type)
        return template_fail(s->op, "The template parameter '%.100s' has no type that is known.",
                             name);
    TRY(given_value(s, name, given, &value));
    if (!value || (json_is_null(value) && !nullable && member_of(declared, "defaultValue")))
        TRY(default_value(s, name, declared, &value));
    if (!json_is_null(value) || !nullable)
        TRY(check_value(s, name, declared, type, value));
    json_object_set(s->parameters, name, value);
    if (template_is_secure(type))
        json_object_set_new(s->secure, name, json_true());
    entry = json_pack("{s:s}", "type", type);
    if (!template_is_secure(type))
        json_object_set(entry, "value", value);
    json_object_set_new(shown, name, entry);
    return OK;
}

/* ---- all of them ---- */

static enum fault check_given(struct scope *s, const json_t *declared, const json_t *given)
{
    struct text unknown, known;
    const char *key;
    json_t *value;

    text_init(&unknown, &s->op->arena, 300);
    text_init(&known, &s->op->arena, 400);
    json_object_foreach((json_t *)given, key, value)
    {
        if (!json_is_object(value))
            return template_fail(s->op, "The parameter '%.100s' must be an object with a 'value'.",
                                 key);
        if (!member_of(declared, key))
            text_printf(&unknown, "%s%s", unknown.len ? ", " : "", key);
    }
    json_object_foreach((json_t *)declared, key, value)
        text_printf(&known, "%s%s", known.len ? ", " : "", key);
    if (!unknown.len)
        return OK;
    return template_fail(s->op,
                         "The template parameters '%s' in the parameters file are not valid; they "
                         "are not present in the original template and can therefore not be "
                         "provided at deployment time. The only supported parameters for this "
                         "template are '%s'. Please see "
                         "https://aka.ms/arm-pass-parameter-values for usage details.",
                         unknown.data, known.data);
}

enum fault template_parameters(struct scope *s, const json_t *given, json_t **ret_shown)
{
    const json_t *declared = member_of(s->template, "parameters");
    json_t *shown = json_new_object(s->op), *one;
    const char *name;

    if (given && !json_is_object(given))
        return template_fail(s->op, "The parameters must be an object.");
    if (json_object_size(declared) > TEMPLATE_PARAMETERS_MAX)
        return template_fail(s->op, "The template has more than %d parameters.",
                             TEMPLATE_PARAMETERS_MAX);
    TRY(check_given(s, declared, given));
    json_object_foreach((json_t *)declared, name, one)
        TRY(one_parameter(s, name, one, given, shown));
    *ret_shown = shown;
    return OK;
}

void template_parameters_restore(struct scope *s, json_t *values)
{
    const char *name;
    json_t *one;

    s->parameters = values;
    json_object_foreach(member_of(s->template, "parameters"), name, one)
    {
        if (template_is_secure(type_of(s, one)))
            json_object_set_new(s->secure, name, json_true());
    }
}

/* ---- the template's shape ---- */

static enum fault wants(struct op *op, const json_t *template, const char *name, bool may_be_array,
                        bool may_be_object)
{
    const json_t *value = member_of(template, name);

    if (!value || (may_be_array && json_is_array(value)) ||
        (may_be_object && json_is_object(value)))
        return OK;
    return template_fail(op, "'%s' of the template must be %s.", name,
                         may_be_object ? "an object" : "an array");
}

enum fault template_check(struct op *op, const json_t *template)
{
    const char *schema = json_string_value(member_of(template, "$schema"));

    if (!json_is_object(template))
        return template_fail(op, "The template is no object.");
    if (!schema)
        return template_fail(op, "Required property '$schema' not found in the template.");
    if (strcasestr(schema, "tenantDeploymentTemplate") ||
        strcasestr(schema, "managementGroupDeploymentTemplate"))
        return template_fail(op, "Templates for tenants and management groups are not supported by "
                                 "this Sundog.");
    if (!json_is_string(member_of(template, "contentVersion")))
        return template_fail(op, "Required property 'contentVersion' not found in the template.");
    if (!member_of(template, "resources"))
        return template_fail(op, "Required property 'resources' not found in the template.");
    TRY(wants(op, template, "resources", true, true));
    TRY(wants(op, template, "parameters", false, true));
    TRY(wants(op, template, "variables", false, true));
    TRY(wants(op, template, "functions", true, false));
    TRY(wants(op, template, "outputs", false, true));
    if (json_object_size(member_of(template, "variables")) > TEMPLATE_VARIABLES_MAX)
        return template_fail(op, "The template has more than %d variables.",
                             TEMPLATE_VARIABLES_MAX);
    if (json_object_size(member_of(template, "outputs")) > TEMPLATE_OUTPUTS_MAX)
        return template_fail(op, "The template has more than %d outputs.", TEMPLATE_OUTPUTS_MAX);
    return OK;
}
