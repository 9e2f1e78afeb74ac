#include "api/template/function.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/template/limits.h"

#define ANY SIZE_MAX
#define ROW(n, lo, hi, f)                                                                          \
    {                                                                                              \
        .name = n, .min = lo, .max = hi, .call = f                                                 \
    }
#define LAZY(n, lo, hi, f)                                                                         \
    {                                                                                              \
        .name = n, .min = lo, .max = hi, .special = f                                              \
    }

static const struct function functions[] = {
    ROW("concat", 1, ANY, f_concat),
    ROW("format", 1, ANY, f_format),
    ROW("replace", 3, 3, f_replace),
    ROW("split", 2, 2, f_split),
    ROW("join", 2, 2, f_join),
    ROW("substring", 2, 3, f_substring),
    ROW("toLower", 1, 1, f_to_lower),
    ROW("toUpper", 1, 1, f_to_upper),
    ROW("trim", 1, 1, f_trim),
    ROW("startsWith", 2, 2, f_starts_with),
    ROW("endsWith", 2, 2, f_ends_with),
    ROW("indexOf", 2, 2, f_index_of),
    ROW("lastIndexOf", 2, 2, f_last_index_of),
    ROW("padLeft", 2, 3, f_pad_left),
    ROW("string", 1, 1, f_string),
    ROW("uniqueString", 1, ANY, f_unique_string),
    ROW("guid", 1, ANY, f_guid),
    ROW("newGuid", 0, 0, f_new_guid),
    ROW("base64", 1, 1, f_base64),
    ROW("base64ToString", 1, 1, f_base64_to_string),
    ROW("base64ToJson", 1, 1, f_base64_to_json),
    ROW("json", 1, 1, f_json),
    ROW("uri", 2, 2, f_uri),
    ROW("uriComponent", 1, 1, f_uri_component),
    ROW("uriComponentToString", 1, 1, f_uri_component_to_string),
    ROW("dataUri", 1, 1, f_data_uri),
    ROW("dataUriToString", 1, 1, f_data_uri_to_string),
    ROW("length", 1, 1, f_length),
    ROW("contains", 2, 2, f_contains),
    ROW("empty", 1, 1, f_empty),
    ROW("first", 1, 1, f_first),
    ROW("last", 1, 1, f_last),
    ROW("take", 2, 2, f_take),
    ROW("skip", 2, 2, f_skip),
    ROW("array", 1, 1, f_array),
    ROW("createArray", 0, ANY, f_create_array),
    ROW("createObject", 0, ANY, f_create_object),
    ROW("union", 2, ANY, f_union),
    ROW("intersection", 2, ANY, f_intersection),
    ROW("range", 2, 2, f_range),
    ROW("flatten", 1, 1, f_flatten),
    ROW("items", 1, 1, f_items),
    ROW("objectKeys", 1, 1, f_object_keys),
    ROW("shallowMerge", 1, 1, f_shallow_merge),
    ROW("tryGet", 2, ANY, f_try_get),
    ROW("indexFromEnd", 2, 2, f_index_from_end),
    ROW("tryIndexFromEnd", 2, 2, f_try_index_from_end),
    ROW("add", 2, 2, f_add),
    ROW("sub", 2, 2, f_sub),
    ROW("mul", 2, 2, f_mul),
    ROW("div", 2, 2, f_div),
    ROW("mod", 2, 2, f_mod),
    ROW("int", 1, 1, f_int),
    ROW("float", 1, 1, f_float),
    ROW("min", 1, ANY, f_min),
    ROW("max", 1, ANY, f_max),
    ROW("not", 1, 1, f_not),
    ROW("equals", 2, 2, f_equals),
    ROW("bool", 1, 1, f_bool),
    ROW("true", 0, 0, f_true),
    ROW("false", 0, 0, f_false),
    ROW("null", 0, 0, f_null),
    ROW("less", 2, 2, f_less),
    ROW("lessOrEquals", 2, 2, f_less_or_equals),
    ROW("greater", 2, 2, f_greater),
    ROW("greaterOrEquals", 2, 2, f_greater_or_equals),
    ROW("utcNow", 0, 1, f_utc_now),
    ROW("dateTimeAdd", 2, 3, f_date_time_add),
    ROW("dateTimeToEpoch", 1, 1, f_date_time_to_epoch),
    ROW("dateTimeFromEpoch", 1, 1, f_date_time_from_epoch),
    ROW("parameters", 1, 1, f_parameters),
    ROW("variables", 1, 1, f_variables),
    ROW("deployment", 0, 0, f_deployment),
    ROW("environment", 0, 0, f_environment),
    ROW("copyIndex", 0, 2, f_copy_index),
    ROW("resourceId", 2, ANY, f_resource_id),
    ROW("subscriptionResourceId", 2, ANY, f_subscription_resource_id),
    ROW("tenantResourceId", 2, ANY, f_tenant_resource_id),
    ROW("extensionResourceId", 3, ANY, f_extension_resource_id),
    ROW("reference", 1, 3, f_reference),
    ROW("references", 1, 2, f_references),
    ROW("resourceInfo", 1, 1, f_resource_info),
    ROW("resourceGroup", 0, 0, f_resource_group),
    ROW("subscription", 0, 0, f_subscription),
    ROW("tenant", 0, 0, f_tenant),
    ROW("managementGroup", 0, 0, f_management_group),
    ROW("managementGroupResourceId", 0, ANY, f_management_group),
    ROW("providers", 1, 2, f_providers),
    ROW("pickZones", 3, 5, f_pick_zones),
    LAZY("if", 3, 3, f_if),
    LAZY("and", 2, ANY, f_and),
    LAZY("or", 2, ANY, f_or),
    LAZY("coalesce", 1, ANY, f_coalesce),
    LAZY("lambda", 1, ANY, f_lambda),
    LAZY("lambdaVariables", 1, 1, f_lambda_variables),
    LAZY("map", 2, 2, f_map),
    LAZY("filter", 2, 2, f_filter),
    LAZY("reduce", 3, 3, f_reduce),
    LAZY("sort", 2, 2, f_sort),
    LAZY("toObject", 2, 3, f_to_object),
    LAZY("groupBy", 2, 2, f_group_by),
    LAZY("mapValues", 2, 2, f_map_values),
};
static const struct function list_function = ROW("list*", 2, 3, f_list);

const struct function *function_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (strcasecmp(functions[i].name, name) == 0)
            return &functions[i];
    return strncasecmp(name, "list", 4) == 0 && !strchr(name, '.') ? &list_function : NULL;
}

/* ---- what functions share ---- */

enum fault function_fail(const struct arguments *a, const char *fmt, ...)
{
    char said[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(said, sizeof(said), fmt, args);
    va_end(args);
    return template_fail(a->s->op, "The template language function '%.60s' %s", a->name, said);
}

enum fault wrong_arg(const struct arguments *a, size_t i, const char *wanted)
{
    static const char *const types[] = {
        [JSON_OBJECT] = "Object",   [JSON_ARRAY] = "Array", [JSON_STRING] = "String",
        [JSON_INTEGER] = "Integer", [JSON_REAL] = "Float",  [JSON_TRUE] = "Boolean",
        [JSON_FALSE] = "Boolean",   [JSON_NULL] = "Null"};

    return function_fail(a,
                         "expects its parameter at position '%zu' to be of type '%s'. The provided "
                         "value is of type '%s'.",
                         i + 1, wanted, types[json_typeof(a->v[i])]);
}

enum fault text_arg(const struct arguments *a, size_t i, const char **ret)
{
    if (!json_is_string(a->v[i]))
        return wrong_arg(a, i, "String");
    *ret = json_string_value(a->v[i]);
    return OK;
}

enum fault int_arg(const struct arguments *a, size_t i, int64_t *ret)
{
    if (!json_is_integer(a->v[i]))
        return wrong_arg(a, i, "Integer");
    *ret = json_integer_value(a->v[i]);
    return OK;
}

enum fault bool_arg(const struct arguments *a, size_t i, bool *ret)
{
    if (!json_is_boolean(a->v[i]))
        return wrong_arg(a, i, "Boolean");
    *ret = json_is_true(a->v[i]);
    return OK;
}

enum fault array_arg(const struct arguments *a, size_t i)
{
    return json_is_array(a->v[i]) ? OK : wrong_arg(a, i, "Array");
}

enum fault object_arg(const struct arguments *a, size_t i)
{
    return json_is_object(a->v[i]) ? OK : wrong_arg(a, i, "Object");
}

enum fault give(const struct arguments *a, json_t *value, json_t **ret)
{
    *ret = json_keep(a->s->op, value);
    if (!value)
        return function_fail(a, "makes a text that is not UTF-8.");
    return spend_bytes(a->s, json_string_length(value));
}

enum fault give_text(const struct arguments *a, const char *text, json_t **ret)
{
    return give(a, json_string(text), ret);
}

static int add_part(const char *part, size_t len, void *out)
{
    text_add(out, part, len);
    return ((struct text *)out)->overflow ? -1 : 0;
}

/* As JSON; it stops where it becomes too long. */
static const char *dumped(struct scope *s, const json_t *value)
{
    struct text out;

    text_init(&out, &s->op->arena, EXPRESSION_TEXT_MAX);
    json_dump_callback(value, add_part, &out, JSON_COMPACT | JSON_ENCODE_ANY);
    s->effort->bytes += out.len;
    return out.overflow ? NULL : out.data;
}

const char *text_of(struct scope *s, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return json_string_value(value);
    case JSON_TRUE:
        return "True";
    case JSON_FALSE:
        return "False";
    case JSON_NULL:
        return "";
    default:
        return dumped(s, value);
    }
}

enum fault too_long(const struct arguments *a)
{
    return function_fail(a, "makes a text that is too long.");
}

enum fault as_text(const struct arguments *a, const json_t *value, const char **ret)
{
    *ret = text_of(a->s, value);
    TRY(spend(a->s, 1));
    return *ret ? OK : too_long(a);
}

static enum fault same_items(struct scope *s, const json_t *a, const json_t *b, bool *ret);

static enum fault same_members(struct scope *s, const json_t *a, const json_t *b, bool *ret)
{
    const char *key;
    json_t *one, *other;

    *ret = json_object_size(a) == json_object_size(b);
    json_object_foreach((json_t *)a, key, one)
    {
        other = json_object_get(b, key);
        *ret = *ret && other;
        if (*ret)
            TRY(same_items(s, one, other, ret));
        if (!*ret)
            break;
    }
    return OK;
}

static enum fault same_items(struct scope *s, const json_t *a, const json_t *b, bool *ret)
{
    if (json_is_object(a) && json_is_object(b) && a != b) {
        TRY(spend(s, 1));
        return same_members(s, a, b, ret);
    }
    if (!json_is_array(a) || !json_is_array(b) || a == b) {
        *ret = json_equal(a, b);
        return spend(s, json_string_length(*ret ? a : NULL) / 64);
    }
    TRY(spend(s, 1 + json_array_size(a) / 8));
    *ret = json_array_size(a) == json_array_size(b);
    for (size_t i = 0; i < json_array_size(a) && *ret; i++)
        TRY(same_items(s, json_array_get(a, i), json_array_get(b, i), ret));
    return OK;
}

enum fault values_equal(struct scope *s, const json_t *a, const json_t *b, bool *ret)
{
    if (!json_is_number(a) || !json_is_number(b) || json_typeof(a) == json_typeof(b))
        return same_items(s, a, b, ret);
    *ret = json_number_value(a) == json_number_value(b);
    return OK;
}

size_t letters(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

size_t letter_at(const char *text, size_t n)
{
    const char *p = text;

    for (; *p && n; n--)
        do
            p++;
        while (((unsigned char)*p & 0xc0) == 0x80);
    return (size_t)(p - text);
}
