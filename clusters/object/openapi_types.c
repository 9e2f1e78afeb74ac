/* Types as OpenAPI schemas. */
#include <string.h>

#include "clusters/object/openapi_write.h"

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

/* Values that are schemas of their own: what a field refers to, and what stands there. */
/* clang-format off */
static const struct scalar {
    enum field_value value;
    const char *name, *v3, *v2;
} scalars[] = {
    {VALUE_TIME, META "Time", "{\"type\":\"string\",\"format\":\"date-time\"}",
     "{\"type\":\"string\",\"format\":\"date-time\"}"},
    {VALUE_MICRO_TIME, META "MicroTime", "{\"type\":\"string\",\"format\":\"date-time\"}",
     "{\"type\":\"string\",\"format\":\"date-time\"}"},
    {VALUE_DURATION, META "Duration", "{\"type\":\"string\"}", "{\"type\":\"string\"}"},
    {VALUE_QUANTITY, "io.k8s.apimachinery.pkg.api.resource.Quantity",
     "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\"}]}", "{\"type\":\"string\"}"},
    {VALUE_INT_OR_STRING, "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
     "{\"format\":\"int-or-string\",\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}",
     "{\"type\":\"string\",\"format\":\"int-or-string\"}"},
};
/* clang-format on */
static const struct {
    enum field_value value;
    const char *schema;
} plain[] = {
    {VALUE_STRING, "{\"type\":\"string\"}"                               },
    {VALUE_BOOL,   "{\"type\":\"boolean\"}"                              },
    {VALUE_INT32,  "{\"type\":\"integer\",\"format\":\"int32\"}"         },
    {VALUE_INT64,  "{\"type\":\"integer\",\"format\":\"int64\"}"         },
    {VALUE_DOUBLE, "{\"type\":\"number\",\"format\":\"double\"}"         },
    {VALUE_BYTES,  "{\"type\":\"string\",\"format\":\"byte\"}"           },
    {VALUE_TEXTS,  "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"},
};

static size_t index_of(const struct type *type)
{
    size_t low = 0, high = n_types;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(type->name, all_types[middle]->name);

        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return n_types;
}

void openapi_want(struct openapi *o, const struct type *type)
{
    size_t index = type ? index_of(type) : n_types;

    if (index >= n_types || o->wanted[index])
        return;
    o->wanted[index] = true;
    for (size_t i = 0; i < type->n_fields; i++)
        openapi_want(o, type->fields[i].type);
}

void openapi_ref(struct openapi *o, const char *name)
{
    text_printf(o->out, "{\"$ref\":\"#/%s/%s\"}", o->v2 ? "definitions" : "components/schemas",
                name);
}

static void write_value(struct openapi *o, const struct field *field)
{
    if (field->type) {
        openapi_ref(o, field->type->name);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
        if (scalars[i].value == field->value) {
            openapi_ref(o, scalars[i].name);
            return;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        if (plain[i].value == field->value) {
            text_str(o->out, plain[i].schema);
            return;
        }
    }
    text_str(o->out, "{\"type\":\"object\"}");
}

static const char *strategy_name(uint8_t strategy)
{
    static const char *const names[] = {
        NULL, "merge", "retainKeys", "merge,retainKeys", "replace", "merge,replace", NULL, NULL};

    return names[strategy & 7];
}

static void write_keys(struct text *out, const struct field *field)
{
    text_str(out, ",\"x-kubernetes-list-map-keys\":[");
    for (size_t i = 0; i < 4 && field->list_keys[i]; i++)
        text_printf(out, "%s\"%s\"", i ? "," : "", field->list_keys[i]);
    text_str(out, "]");
}

/* After a schema's last member. */
static void write_extensions(struct text *out, const struct field *field)
{
    static const char *const lists[] = {"atomic", "set", "map"};

    if (field->shape == SHAPE_LIST) {
        text_printf(out, ",\"x-kubernetes-list-type\":\"%s\"", lists[field->list_type]);
        if (field->list_type == LIST_IS_MAP)
            write_keys(out, field);
    }
    if (field->shape == SHAPE_MAP && field->atomic)
        text_str(out, ",\"x-kubernetes-map-type\":\"atomic\"");
    if (strategy_name(field->patch_strategy))
        text_printf(out, ",\"x-kubernetes-patch-strategy\":\"%s\"",
                    strategy_name(field->patch_strategy));
    if (field->merge_key)
        text_printf(out, ",\"x-kubernetes-patch-merge-key\":\"%s\"", field->merge_key);
}

static void write_field(struct openapi *o, const struct field *field)
{
    text_printf(o->out, "\"%s\":", field->name);
    if (field->shape == SHAPE_ONE && field->patch_strategy) {
        text_str(o->out, "{\"allOf\":["); /* nothing may stand beside a $ref */
        write_value(o, field);
        text_str(o->out, "]");
        write_extensions(o->out, field);
        text_str(o->out, "}");
    } else if (field->shape == SHAPE_ONE) {
        write_value(o, field);
    } else {
        text_str(o->out, field->shape == SHAPE_LIST
                             ? "{\"type\":\"array\",\"items\":"
                             : "{\"type\":\"object\",\"additionalProperties\":");
        write_value(o, field);
        write_extensions(o->out, field);
        text_str(o->out, "}");
    }
}

/* "apps/v1 Deployment" */
static void write_gvk(struct text *out, const char *gvk)
{
    const char *space = strchr(gvk, ' '), *slash = strchr(gvk, '/');
    int group = slash ? (int)(slash - gvk) : 0;
    const char *version = slash ? slash + 1 : gvk;

    text_printf(out,
                ",\"x-kubernetes-group-version-kind\":[{\"group\":\"%.*s\",\"kind\":\"%s\","
                "\"version\":\"%.*s\"}]",
                group, gvk, space + 1, (int)(space - version), version);
}

static void write_required(struct text *out, const struct type *type)
{
    bool any = false;

    for (size_t i = 0; i < type->n_fields; i++) {
        if (type->fields[i].required) {
            text_printf(out, "%s\"%s\"", any ? "," : ",\"required\":[", type->fields[i].name);
            any = true;
        }
    }
    text_str(out, any ? "]" : "");
}

/* FieldsV1, RawExtension and Patch are objects; JSON and its unions may be anything. */
static void write_any(struct text *out, const struct type *type)
{
    text_printf(out, "\"%s\":%s", type->name,
                strstr(type->name, ".apiextensions.v1.JSON") ? "{}" : "{\"type\":\"object\"}");
}

static void write_type(struct openapi *o, const struct type *type)
{
    if (type->n_fields == 0) {
        write_any(o->out, type);
        return;
    }
    text_printf(o->out, "\"%s\":{\"type\":\"object\",\"properties\":{", type->name);
    for (size_t i = 0; i < type->n_fields; i++) {
        text_str(o->out, i ? "," : "");
        write_field(o, &type->fields[i]);
    }
    text_str(o->out, "}");
    write_required(o->out, type);
    if (type->atomic)
        text_str(o->out, ",\"x-kubernetes-map-type\":\"atomic\"");
    if (type->gvk)
        write_gvk(o->out, type->gvk);
    text_str(o->out, "}");
}

void openapi_types(struct openapi *o)
{
    for (size_t i = 0; i < ARRAY_LEN(scalars); i++)
        text_printf(o->out, "%s\"%s\":%s", i ? "," : "", scalars[i].name,
                    o->v2 ? scalars[i].v2 : scalars[i].v3);
    for (size_t i = 0; i < n_types; i++) {
        if (!o->wanted[i])
            continue;
        text_str(o->out, ",");
        write_type(o, all_types[i]);
    }
}
