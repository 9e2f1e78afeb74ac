#include "clusters/object/object.h"

#include "tests/fuzz/fuzz.h"

static const char *const types[] = {
    "io.k8s.api.core.v1.Pod", "io.k8s.api.apps.v1.Deployment", "io.k8s.api.core.v1.Secret",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    "io.k8s.api.authorization.v1.SubjectAccessReview"};

/* What was read by type is read again as the same, in JSON and YAML. The first byte says of what
   type and how. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct type *type;
    enum media media;
    struct decoded first, second;
    struct op op;

    if (size == 0)
        return 0;
    type = *data % 8 < ARRAY_LEN(types) ? type_find(types[*data % 8]) : NULL;
    media = *data & 8 ? MEDIA_YAML : *data & 16 ? MEDIA_PROTOBUF : MEDIA_JSON;
    op_init(&op);
    if (object_decode(&op, type, media, (struct bytes){data + 1, size - 1},
                      (enum field_validation)(*data >> 5 & 1), &first) == OK) {
        MUST(object_conform(&op, type, first.tree, FIELDS_STRICT, &second) == OK);
        MUST(json_equal(first.tree, second.tree));
        MUST(object_decode(&op, type, MEDIA_YAML, object_encode_yaml(&op, first.tree),
                           FIELDS_STRICT, &second) == OK);
        MUST(json_equal(first.tree, second.tree));
    } else {
        MUST(op.message && op.fault == INVALID);
    }
    op_free(&op);
    return 0;
}
