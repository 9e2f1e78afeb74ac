/*
 * Runs on the build machine: kubernetes/{schema,more-schema,protobuf-fields,resources}.json become
 * the tables of clusters/object/schema.h and resource.h.
 * Usage: schema-compile SCHEMA MORE PROTOBUF RESOURCES OUT.c
 */
#include <ctype.h>
#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/compile/compile.h"

static json_t *definitions, *messages;
static FILE *out;

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *tree = json_load_file(path, 0, &error);

    if (!tree)
        errx(1, "%s:%d: %s", path, error.line, error.text);
    return tree;
}

const char *get_text(const json_t *tree, const char *key)
{
    const char *text = json_string_value(json_object_get(tree, key));

    return text ? text : "";
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot ? dot + 1 : name;
}

/* ---- which types ---- */

/* Versions that are not served, and what has no shape of its own. */
static bool wanted(const char *name)
{
    static const char *const left_out[] = {".v1alpha", ".v1beta2.",         ".v1beta1.",
                                           ".v2alpha", "apiserverinternal", "storagemigration"};

    if (strstr(name, ".metrics.v1beta1."))
        return true;
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
        if (strstr(name, left_out[i]))
            return false;
    }
    return true;
}

/* "io.k8s.kube-aggregator.pkg.x" is "k8s.io.kube_aggregator.pkg.x" there. */
static const json_t *message_of(const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "k8s.io.%s", strncmp(name, "io.k8s.", 7) == 0 ? name + 7 : name);
    for (char *p = path; *p; p++) {
        if (*p == '-')
            *p = '_';
    }
    return json_object_get(messages, path);
}

/* ---- names: "x-kubernetes-map-type" is xKubernetesMapType in protobuf, "$ref" is ref ---- */

static bool same_name(const char *json, const char *protobuf)
{
    while (*json || *protobuf) {
        if (*json && !isalnum((unsigned char)*json)) {
            json++;
            continue;
        }
        if (tolower((unsigned char)*json) != tolower((unsigned char)*protobuf))
            return false;
        json++, protobuf++;
    }
    return true;
}

static const json_t *message_field(const json_t *message, const char *json_name)
{
    const char *key;
    json_t *field;

    json_object_foreach((json_t *)message, key, field)
    {
        if (same_name(json_name, key))
            return field;
    }
    return NULL;
}

/* ---- which zeros of protobuf mean something ---- */

/*
 * Go writes plain members always and pointers only when set, and the wire does not tell them apart.
 * Numbers and booleans of optional members are pointers but for these, texts are not but for those.
 */
static const char *const plain_numbers[] = {
    "*.hostPort",
    "Probe.*",
    "*.nodePort",
    "*.healthCheckNodePort",
    "*.minReadySeconds",
    "*.generation",
    "*.observedGeneration",
    "*.count",
    "*.deprecatedCount",
    "*.signal",
    "*.sizeBytes",
    "*.currentReplicas",
    "*.readyReplicas",
    "*.updatedReplicas",
    "*.availableReplicas",
    "*.unavailableReplicas",
    "*.fullyLabeledReplicas",
    "*.numberAvailable",
    "*.numberUnavailable",
    "*.updatedNumberScheduled",
    "*.succeeded",
    "*.failed",
    "*.active",
    "*.code",
    "*.retryAfterSeconds",
    "*.matchingPrecedence",
    "QueuingConfiguration.*",
    "CustomResourceColumnDefinition.priority",
    "AWSElasticBlockStoreVolumeSource.partition",
    "GCEPersistentDiskVolumeSource.partition",
    "ServiceBackendPort.number",
    "StatefulSetOrdinals.start",
    "DeploymentStatus.replicas",
    "ScaleSpec.replicas",
};
static const char *const pointer_numbers[] = {
    "Probe.terminationGracePeriodSeconds",
    "HorizontalPodAutoscalerStatus.observedGeneration",
    "VolumeNodeResources.count",
    "StatefulSetStatus.availableReplicas",
};
static const char *const plain_bools[] = {
    "*.hostNetwork",
    "*.hostPID",
    "*.hostIPC",
    "*.stdin",
    "*.stdinOnce",
    "*.tty",
    "*.readOnly",
    "*.paused",
    "*.publishNotReadyAddresses",
    "*.unschedulable",
    "*.globalDefault",
    "*.deprecated",
    "*.preserveUnknownFields",
    "*.insecureSkipTLSVerify",
    "*.chapAuthDiscovery",
    "*.chapAuthSession",
    "*.sslEnabled",
    "*.clusterScope",
    "*.denied",
    "*.authenticated",
    "JSONSchemaProps.*",
};
static const char *const pointer_bools[] = {
    "JSONSchemaProps.x-kubernetes-preserve-unknown-fields",
    "AzureDiskVolumeSource.readOnly",
    "CSIVolumeSource.readOnly",
};
static const char *const pointer_texts[] = {
    "PersistentVolumeClaimSpec.storageClassName",
    "PersistentVolumeClaimSpec.volumeAttributesClassName",
    "HostPathVolumeSource.type",
    "EndpointPort.name",
    "LeaseSpec.holderIdentity",
    "TypedLocalObjectReference.apiGroup",
    "TypedObjectReference.apiGroup",
    "IngressClassParametersReference.apiGroup",
};

static bool listed(const char *const *list, size_t n, const char *type, const char *field)
{
    for (size_t i = 0; i < n; i++) {
        const char *dot = strchr(list[i], '.');
        size_t len = (size_t)(dot - list[i]);
        bool prefix = len > 0 && list[i][len - 1] == '*';

        if (prefix ? strncmp(list[i], type, len - 1) != 0
                   : strlen(type) != len || strncmp(list[i], type, len) != 0)
            continue;
        if (strcmp(dot + 1, "*") == 0 || strcmp(dot + 1, field) == 0)
            return true;
    }
    return false;
}
#define LISTED(list, type, field) listed(list, sizeof(list) / sizeof((list)[0]), type, field)

static bool is_pointer(const char *type_name, const char *field, const char *value)
{
    const char *type = last_part(type_name);

    if (strcmp(value, "VALUE_BOOL") == 0)
        return LISTED(pointer_bools, type, field) || !LISTED(plain_bools, type, field);
    if (strcmp(value, "VALUE_STRING") == 0)
        return LISTED(pointer_texts, type, field);
    if (strcmp(value, "VALUE_INT_OR_STRING") == 0)
        return strcmp(type, "ServicePort") != 0;
    return LISTED(pointer_numbers, type, field) || !LISTED(plain_numbers, type, field);
}

/* ---- values ---- */

static const struct {
    const char *ref, *value;
} by_ref[] = {
    {"meta.v1.Time",                                  "VALUE_TIME"         },
    {"meta.v1.MicroTime",                             "VALUE_MICRO_TIME"   },
    {"meta.v1.Duration",                              "VALUE_DURATION"     },
    {"resource.Quantity",                             "VALUE_QUANTITY"     },
    {"intstr.IntOrString",                            "VALUE_INT_OR_STRING"},
    {"meta.v1.FieldsV1",                              "VALUE_ANY"          },
    {"meta.v1.Patch",                                 "VALUE_ANY"          },
    {"runtime.RawExtension",                          "VALUE_ANY"          },
    {"apiextensions.v1.JSON",                         "VALUE_ANY"          },
    {"apiextensions.v1.JSONSchemaPropsOrArray",       "VALUE_ANY"          },
    {"apiextensions.v1.JSONSchemaPropsOrBool",        "VALUE_ANY"          },
    {"apiextensions.v1.JSONSchemaPropsOrStringArray", "VALUE_ANY"          },
};
static const struct {
    const char *type, *format, *value;
} by_type[] = {
    {"string",  "byte",   "VALUE_BYTES" },
    {"string",  "",       "VALUE_STRING"},
    {"boolean", "",       "VALUE_BOOL"  },
    {"integer", "int32",  "VALUE_INT32" },
    {"integer", "int64",  "VALUE_INT64" },
    {"number",  "double", "VALUE_DOUBLE"},
    {"array",   "",       "VALUE_TEXTS" },
    {"object",  "",       "VALUE_ANY"   },
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

static const char *value_of(const json_t *schema)
{
    const char *ref = get_text(schema, "ref");

    if (*ref) {
        for (size_t i = 0; i < sizeof(by_ref) / sizeof(by_ref[0]); i++) {
            if (ends_with(ref, by_ref[i].ref))
                return by_ref[i].value;
        }
        return "VALUE_OBJECT";
    }
    for (size_t i = 0; i < sizeof(by_type) / sizeof(by_type[0]); i++) {
        if (strcmp(get_text(schema, "type"), by_type[i].type) == 0 &&
            strcmp(get_text(schema, "format"), by_type[i].format) == 0)
            return by_type[i].value;
    }
    return "VALUE_ANY";
}

/* ---- the order of types: a C name each ---- */

static const char **names;
static size_t n_names;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static long index_of(const char *name)
{
    const char **hit = bsearch(&name, names, n_names, sizeof(*names), by_text);

    return hit ? hit - names : -1;
}

/* ---- what is only in protobuf: messages embedded into others ---- */

static bool is_property(const json_t *properties, const char *message_key)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)properties, key, value)
    {
        if (same_name(key, message_key))
            return true;
    }
    return false;
}

/* "VolumeSource" of a field of k8s.io.api.core.v1.Volume: "io.k8s.api.core.v1.VolumeSource". */
static const char *sibling(const char *type, const char *message)
{
    static char buffer[256];

    snprintf(buffer, sizeof(buffer), "%.*s%s", (int)(last_part(type) - type), type, message);
    return buffer;
}

/* A definition for a message that JSON knows only as its members: VolumeSource from Volume. */
static void define_embedded(const char *type, const char *message)
{
    char *name = strdup(sibling(type, message));
    json_t *definition = json_object(), *properties = json_object(), *property;
    const json_t *all = json_object_get(json_object_get(definitions, type), "properties");
    const char *key;

    json_object_foreach((json_t *)all, key, property)
    {
        if (message_field(message_of(name), key))
            json_object_set(properties, key, property);
    }
    json_object_set_new(definition, "properties", properties);
    json_object_set_new(definitions, name, definition);
    free(name);
}

static void define_all_embedded(void)
{
    const char *type, *key;
    json_t *definition, *field, *copy = json_copy(definitions);

    for (int depth = 0; depth < 3; depth++) {
        json_object_foreach(copy, type, definition)
        {
            const json_t *properties = json_object_get(definition, "properties");

            if (!properties || !wanted(type))
                continue;
            json_object_foreach((json_t *)message_of(type), key, field)
            {
                const char *message = json_string_value(json_array_get(field, 1));

                if (!is_property(properties, key) && isupper((unsigned char)*message) &&
                    !json_object_get(definitions, sibling(type, message)))
                    define_embedded(type, message);
            }
        }
        json_object_update(copy, definitions);
    }
    json_decref(copy);
}

/* ---- writing ---- */

static void write_keys(const json_t *property)
{
    const json_t *keys = json_object_get(property, "list-map-keys");
    size_t i;
    json_t *key;

    if (!keys)
        return;
    if (json_array_size(keys) > 3)
        errx(1, "more than 3 list keys");
    fprintf(out, ", .list_keys = {");
    json_array_foreach((json_t *)keys, i, key)
    {
        fprintf(out, "\"%s\", ", json_string_value(key));
    }
    fprintf(out, "}");
}

static void write_strategy(const json_t *property)
{
    const char *strategy = get_text(property, "patch-strategy");

    if (*strategy)
        fprintf(out, ", .patch_strategy = 0%s%s%s",
                strstr(strategy, "merge") ? " | PATCH_MERGE" : "",
                strstr(strategy, "retainKeys") ? " | PATCH_RETAIN_KEYS" : "",
                strstr(strategy, "replace") ? " | PATCH_REPLACE" : "");
    if (*get_text(property, "patch-merge-key"))
        fprintf(out, ", .merge_key = \"%s\"", get_text(property, "patch-merge-key"));
    if (strcmp(get_text(property, "list-type"), "set") == 0)
        fprintf(out, ", .list_type = LIST_IS_SET");
    if (strcmp(get_text(property, "list-type"), "map") == 0)
        fprintf(out, ", .list_type = LIST_IS_MAP");
}

static bool is_required(const json_t *definition, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(definition, "required"), i, item)
    {
        if (strcmp(json_string_value(item), name) == 0)
            return true;
    }
    return false;
}

/* A field's own map-type goes before its type's. */
static bool is_atomic(const json_t *property, const char *ref)
{
    const char *own = get_text(property, "map-type");

    return strcmp(*own ? own : get_text(json_object_get(definitions, ref), "map-type"), "atomic") ==
           0;
}

static void write_field(const char *type, const json_t *definition, const char *name,
                        const json_t *property)
{
    const json_t *items = json_object_get(property, "items"),
                 *map = json_object_get(property, "map");
    const json_t *schema = items ? items : map ? map : property;
    const char *value = value_of(schema), *ref = get_text(schema, "ref");
    const json_t *number = json_array_get(message_field(message_of(type), name), 0);
    bool required = is_required(definition, name);

    fprintf(out, "    {.name = \"%s\", .value = %s", name, value);
    if (items || map)
        fprintf(out, ", .shape = %s", items ? "SHAPE_LIST" : "SHAPE_MAP");
    if (*ref && index_of(ref) >= 0)
        fprintf(out, ", .type = &types[%ld]", index_of(ref));
    if (number)
        fprintf(out, ", .number = %d", (int)json_integer_value(number));
    if (required)
        fprintf(out, ", .required = true");
    if (required || is_pointer(type, name, value))
        fprintf(out, ", .pointer = true");
    if (is_atomic(property, items || map ? "" : ref))
        fprintf(out, ", .atomic = true");
    write_strategy(property);
    write_keys(property);
    fprintf(out, "},\n");
}

static size_t write_properties(const char *type, const json_t *definition)
{
    const json_t *properties = json_object_get(definition, "properties");
    size_t n = 0, size = json_object_size(properties);
    const char **keys = calloc(size + 1, sizeof(*keys)), *key;
    json_t *value;

    json_object_foreach((json_t *)properties, key, value)
    {
        keys[n++] = key;
    }
    qsort(keys, n, sizeof(*keys), by_text);
    for (size_t i = 0; i < n; i++)
        write_field(type, definition, keys[i], json_object_get(properties, keys[i]));
    free(keys);
    return size;
}

/* Members of a message that are not properties: embedded messages, or the raw form of an ANY. */
static size_t write_inlined(const char *type, const json_t *definition)
{
    static const struct {
        const char *protobuf, *value;
    } scalars[] = {
        {"bytes",  "VALUE_BYTES" },
        {"bool",   "VALUE_BOOL"  },
        {"string", "VALUE_STRING"}
    };
    const char *key;
    json_t *field;
    size_t n = 0;

    json_object_foreach((json_t *)message_of(type), key, field)
    {
        const char *message = json_string_value(json_array_get(field, 1));
        const char *value = "VALUE_OBJECT";

        if (is_property(json_object_get(definition, "properties"), key))
            continue;
        for (size_t i = 0; i < 3; i++) {
            if (strcmp(scalars[i].protobuf, message) == 0)
                value = scalars[i].value;
        }
        fprintf(out, "    {.name = \"%s\", .value = %s, .number = %d, .pointer = true", key, value,
                (int)json_integer_value(json_array_get(field, 0)));
        if (strcmp(json_string_value(json_array_get(field, 2)), "repeated") == 0)
            fprintf(out, ", .shape = SHAPE_LIST");
        if (index_of(sibling(type, message)) >= 0)
            fprintf(out, ", .type = &types[%ld]", index_of(sibling(type, message)));
        fprintf(out, "},\n");
        n++;
    }
    return n;
}

static void write_gvk(const json_t *definition)
{
    const json_t *gvk = json_object_get(definition, "gvk");

    if (gvk)
        fprintf(out, ".gvk = \"%s\", ", json_string_value(json_array_get(gvk, 0)));
}

/* Types without properties whose value is kept elsewhere (Time, Quantity) need no row. */
static bool has_row(const char *name, const json_t *definition)
{
    json_t *ref = json_pack("{s:s}", "ref", name);
    const char *value = value_of(ref);

    json_decref(ref);
    return wanted(name) && (json_object_get(definition, "properties") ||
                            strcmp(value, "VALUE_ANY") == 0 || strcmp(value, "VALUE_OBJECT") == 0);
}

static void collect_names(void)
{
    const char *name;
    json_t *definition;

    names = calloc(json_object_size(definitions), sizeof(*names));
    json_object_foreach(definitions, name, definition)
    {
        if (has_row(name, definition))
            names[n_names++] = name;
    }
    qsort(names, n_names, sizeof(*names), by_text);
}

static void write_types(void)
{
    size_t(*counts)[2] = calloc(n_names, sizeof(*counts));

    fprintf(out, "static const struct type types[%zu];\n", n_names);
    for (size_t i = 0; i < n_names; i++) {
        const json_t *definition = json_object_get(definitions, names[i]);

        fprintf(out, "static const struct field fields_%zu[] = {\n", i);
        counts[i][0] = write_properties(names[i], definition);
        counts[i][1] = write_inlined(names[i], definition);
        fprintf(out, "    {.name = 0},\n};\n");
    }
    fprintf(out, "static const struct type types[%zu] = {\n", n_names);
    for (size_t i = 0; i < n_names; i++) {
        const json_t *definition = json_object_get(definitions, names[i]);

        fprintf(out, "    {.name = \"%s\", ", names[i]);
        write_gvk(definition);
        fprintf(out, ".fields = fields_%zu, .n_fields = %zu, .n_inlined = %zu%s},\n", i,
                counts[i][0], counts[i][1],
                strcmp(get_text(definition, "map-type"), "atomic") == 0 ? ", .atomic = true" : "");
    }
    fprintf(out, "};\nconst struct type *const all_types[] = {\n");
    for (size_t i = 0; i < n_names; i++)
        fprintf(out, "    &types[%zu],\n", i);
    fprintf(out, "};\nconst size_t n_types = %zu;\n", n_names);
    free(counts);
}

long type_of_kind(const char *gvk)
{
    for (size_t i = 0; i < n_names; i++) {
        const json_t *kinds = json_object_get(json_object_get(definitions, names[i]), "gvk");

        if (json_array_size(kinds) == 1 &&
            strcmp(json_string_value(json_array_get(kinds, 0)), gvk) == 0)
            return (long)i;
    }
    return -1;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        errx(2, "usage: schema-compile SCHEMA MORE PROTOBUF RESOURCES OUT.c");
    definitions = json_object_get(load(argv[1]), "definitions");
    json_object_update(definitions, json_object_get(load(argv[2]), "definitions"));
    messages = load(argv[3]);
    define_all_embedded();
    collect_names();
    out = fopen(argv[5], "w");
    if (!out)
        err(1, "%s", argv[5]);
    fprintf(out, "/* made by schema_compile.c */\n#include \"clusters/object/resource.h\"\n\n");
    write_types();
    write_resources(out, load(argv[4]));
    if (fclose(out))
        err(1, "%s", argv[5]);
    return 0;
}
