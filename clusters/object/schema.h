/*
 * The types of Kubernetes as one table, compiled from kubernetes/schema.json and
 * kubernetes/protobuf-fields.json by schema_compile.c while building: names, JSON types, list and
 * map keys, patch strategies, required members, protobuf numbers. Everything that must know what an
 * object is made of reads it here: decoding, protobuf, patches, managed fields, OpenAPI.
 */
#ifndef SUNDOG_CLUSTERS_OBJECT_SCHEMA_H
#define SUNDOG_CLUSTERS_OBJECT_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_value {
    VALUE_STRING,
    VALUE_BOOL,
    VALUE_INT32,
    VALUE_INT64,
    VALUE_DOUBLE,
    VALUE_BYTES, /* base64 in JSON */
    VALUE_TIME,  /* RFC 3339, whole seconds */
    VALUE_MICRO_TIME,
    VALUE_DURATION, /* "1h2m" */
    VALUE_QUANTITY,
    VALUE_INT_OR_STRING,
    VALUE_OBJECT, /* field->type says of what */
    VALUE_TEXTS,  /* a list of strings, as a map's value (UserInfo.extra) */
    VALUE_ANY,    /* kept as it is: FieldsV1, RawExtension, JSON, JSONSchemaProps' unions */
};
enum field_shape { SHAPE_ONE, SHAPE_LIST, SHAPE_MAP /* of texts to values */ };
enum list_type { LIST_IS_ATOMIC, LIST_IS_SET, LIST_IS_MAP };
enum patch_strategy { PATCH_MERGE = 1, PATCH_RETAIN_KEYS = 2, PATCH_REPLACE = 4 }; /* bits */

struct type;
struct field {
    const char *name; /* in JSON: "containerPort" */
    uint8_t value, shape, list_type, patch_strategy;
    bool required;
    bool atomic;              /* a map or struct that server-side apply takes as one value */
    bool pointer;             /* protobuf: a zero that arrives was set (spec.replicas: 0) */
    uint16_t number;          /* protobuf's; 0: has none */
    const char *merge_key;    /* strategic merge; NULL */
    const char *list_keys[4]; /* LIST_IS_MAP, NULL-terminated */
    const struct type *type;  /* VALUE_OBJECT; VALUE_ANY: its protobuf form */
};
struct type {
    const char *name; /* "io.k8s.api.core.v1.PodSpec" */
    const char *gvk;  /* of a kind: "v1 Pod", "apps/v1 Deployment"; NULL */
    /* n_fields of JSON, sorted by name; then n_inlined that only protobuf has: messages whose
       members are members of this type in JSON (Volume.volumeSource). */
    const struct field *fields;
    uint16_t n_fields, n_inlined;
    bool atomic; /* x-kubernetes-map-type: atomic */
};

/* NULL: none of that name. */
const struct type *type_find(const char *name);
const struct field *type_field(const struct type *type, const char *name, size_t len);
/* Also of those that only protobuf has. */
const struct field *type_field_numbered(const struct type *type, unsigned number);
/* All of them, sorted by name. */
extern const struct type *const all_types[];
extern const size_t n_types;

#endif
