#include "instances/image_parts.h"
#include "registry/names.h"
#include "tests/fuzz/fuzz.h"

#define MANIFEST                                                                                   \
    "{\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"size\":1,"          \
    "\"digest\":\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"},"     \
    "\"layers\":[{\"size\":1,\"digest\":"                                                          \
    "\"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"}]}"
#define CONFIG                                                                                     \
    "{\"rootfs\":{\"diff_ids\":["                                                                  \
    "\"sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\"]}}"

static void check(struct op *op, struct bytes manifest, struct bytes config)
{
    struct image_parts parts, again;
    const char *digest;
    int64_t size;

    if (image_config_of(op, "fuzz", manifest, &digest, &size) == OK)
        MUST(digest_is_valid(digest));
    op_clear_fault(op);
    if (image_parse(op, "fuzz", "sha256:x", manifest, config, &parts) != OK) {
        op_clear_fault(op);
        return;
    }
    MUST(parts.n_layers <= IMAGE_LAYERS_MAX);
    for (size_t i = 0; i < parts.n_layers; i++)
        MUST(digest_is_valid(parts.layers[i].diff_id) && digest_is_valid(parts.layers[i].digest) &&
             strcmp(parts.image.layers[i], parts.layers[i].diff_id) == 0);
    image_remember(&parts);
    MUST(image_recall(op, "sha256:x", &again) && again.n_layers == parts.n_layers);
    image_forget_parts();
}

/* As a config below a good manifest, and as a manifest above a good config. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct op op;

    op_init(&op);
    check(&op, BYTES(MANIFEST), (struct bytes){data, size});
    check(&op, (struct bytes){data, size}, BYTES(CONFIG));
    op_free(&op);
    return 0;
}
