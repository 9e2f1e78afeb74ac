/* Patches of every kind, from a client: text of a patch, on objects that are there. */
#include "clusters/object/managed_fields.h"
#include "clusters/object/patch.h"
#include "tests/fuzz/fuzz.h"

static const char deployment[] =
    "{\"apiVersion\":\"apps/"
    "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"x\",\"finalizers\""
    ":[\"a/b\",\"c/"
    "d\"],\"managedFields\":[{\"manager\":\"m\",\"operation\":\"Apply\",\"apiVersion\""
    ":\"apps/v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:spec\":{\"f:replicas\":{}}}}]},"
    "\"spec\":{\"replicas\":1,\"strategy\":{\"type\":\"Recreate\"},\"template\":{\"spec\":{"
    "\"containers\":[{\"name\":\"a\",\"image\":\"i\",\"ports\":[{\"containerPort\":80}]},{\"name\":"
    "\"b\"}]}}}}";

static void apply(struct op *op, const struct type *type, const json_t *tree, const json_t *patch)
{
    const struct manager manager = {"m", NULL, "apps/v1"};
    json_t *next = NULL;

    if (managed_apply(op, type, tree, patch, &manager, true, &next) != OK)
        return;
    next = object_copy(op, next);
    if (managed_applied(op, type, tree, patch, next, &manager, 1) != OK)
        return;
    (void)managed_update(op, type, tree, next, &manager, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct type *type = type_find("io.k8s.api.apps.v1.Deployment");
    json_t *tree = json_loads(deployment, 0, NULL), *result;
    struct decoded decoded = {0};
    struct op op;

    op_init(&op);
    if (size && data[0] == '[') {
        json_t *patch = json_loadb((const char *)data, size, 0, NULL);

        if (patch)
            (void)patch_json(&op, tree, patch, &result);
        json_decref(patch);
    } else if (object_decode(&op, NULL, MEDIA_JSON, (struct bytes){data, size}, FIELDS_IGNORE,
                             &decoded) == OK) {
        (void)patch_merge(&op, tree, decoded.tree, &result);
        (void)patch_strategic(&op, type, tree, decoded.tree, &result);
        apply(&op, type, tree, decoded.tree);
        apply(&op, NULL, tree, decoded.tree);
    }
    op_free(&op);
    json_decref(tree);
    return 0;
}
