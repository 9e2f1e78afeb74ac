/*
 * Objects as trees: from what a client sent to a jansson tree that fits its type, and back to text.
 * Trees that are shared between threads are never changed: object_copy first.
 */
#ifndef SUNDOG_CLUSTERS_OBJECT_OBJECT_H
#define SUNDOG_CLUSTERS_OBJECT_OBJECT_H

#include <jansson.h>

#include "clusters/object/resource.h"
#include "core/time_text.h"

#define OBJECT_MAX_BYTES ((size_t)3 << 20) /* of a request's body, as upstream */

enum media { MEDIA_JSON, MEDIA_YAML, MEDIA_PROTOBUF };
/* fieldValidation=: what happens to unknown and doubled fields. */
enum field_validation { FIELDS_IGNORE, FIELDS_WARN, FIELDS_STRICT };

struct decoded {
    json_t *tree;             /* released with op's arena; the caller may change it */
    const char *warnings[32]; /* FIELDS_WARN: texts for Warning headers; NULL-terminated */
};
/*
 * Read a body of type. Unknown members are dropped (IGNORE), named in warnings and dropped (WARN)
 * or INVALID (STRICT: `strict decoding error: unknown field "spec.foo", …`). Wrong JSON types are
 * INVALID in upstream's words (golden/errors.json: pod-wrong-type, bad-json). null members are
 * dropped. Quantities and times are brought into their canonical form ("0.5" → "500m", UTC). As
 * upstream's omitempty does, empty optional texts, lists and maps go, and zeros of numbers and
 * booleans that Go has no pointer for (hostNetwork: false). kind and apiVersion may be absent.
 * Protobuf: the "k8s\0" envelope; ends up as the same tree that JSON gives.
 * type NULL: any JSON object (custom resources, patches), taken as it is, nulls too.
 */
enum fault object_decode(struct op *op, const struct type *type, enum media media,
                         struct bytes body, enum field_validation validation, struct decoded *ret);
/* The same checks for a tree, of a patched object say. */
enum fault object_conform(struct op *op, const struct type *type, const json_t *tree,
                          enum field_validation validation, struct decoded *ret);
/* BadRequest unless tree's apiVersion and kind, where it has them, are r's (or NULL: only that they
   are texts). Sets those that are absent. */
enum fault object_check_kind(struct op *op, const struct resource *r, json_t *tree);
/* Compact JSON text in op's arena, NUL-terminated; members in the tree's order. */
struct bytes object_encode(struct op *op, const json_t *tree);
struct bytes object_encode_yaml(struct op *op, const json_t *tree);
/* A deep copy, released with op's arena. */
json_t *object_copy(struct op *op, const json_t *tree);

/* ---- paths into trees: "spec.template.spec"; NULL or the fallback when absent or of another
   type. Names with dots cannot be reached. ---- */
json_t *at(const json_t *tree, const char *path);
const char *text_at(const json_t *tree, const char *path); /* NULL */
const char *text_at_or(const json_t *tree, const char *path, const char *fallback);
int64_t int_at(const json_t *tree, const char *path, int64_t fallback);
bool bool_at(const json_t *tree, const char *path, bool fallback);
/* Make what is missing on the way; value's reference is taken; value NULL removes. */
void set_at(json_t *tree, const char *path, json_t *value);
/* The object or array at path, made when it is not there. */
json_t *object_at(json_t *tree, const char *path);
json_t *array_at(json_t *tree, const char *path);
const char *label_of(const json_t *tree, const char *key);      /* NULL */
const char *annotation_of(const json_t *tree, const char *key); /* NULL */

/* spec/metadata of a new object: apiVersion and kind of r, name and namespace (NULL: none). The
   caller's reference is op's arena's. */
json_t *object_new(struct op *op, const struct resource *r, const char *ns, const char *name);
/* An ownerReference (controller: true, blockOwnerDeletion: true) to owner, of resource r. */
json_t *owner_reference(const json_t *owner, const struct resource *r);
/* The reference with controller: true, or NULL. */
json_t *controller_of(const json_t *tree);
/* A condition of status.conditions by type; NULL. */
json_t *condition_of(const json_t *tree, const char *type);
/* Of a pod or node: is its condition Ready "True"? */
bool object_is_ready(const json_t *tree);

#endif
