/*
 * sundog/hello: a static web server of ours as an OCI image. Its layer is packed by the build
 * (hello/layer.cmake).
 */
#include <string.h>

#include "registry/first_start.h"
#include "registry/hash.h"
#include "registry/manifest.h"

extern const unsigned char hello_layer[], hello_diff_id[];
extern const size_t hello_layer_len, hello_diff_id_len;

#if defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "amd64"
#endif

static struct bytes make_config(struct op *op)
{
    const char *text = arena_printf(
        &op->arena,
        "{\"architecture\":\"" ARCHITECTURE "\",\"os\":\"linux\","
        "\"created\":\"1970-01-01T00:00:00Z\",\"author\":\"Sundog\","
        "\"config\":{\"ExposedPorts\":{\"80/tcp\":{}},\"Entrypoint\":[\"/hello\"],"
        "\"Env\":[\"PATH=/\"],\"WorkingDir\":\"/\"},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%.*s\"]},"
        "\"history\":[{\"created\":\"1970-01-01T00:00:00Z\",\"created_by\":\"sundog\"}]}",
        (int)hello_diff_id_len, (const char *)hello_diff_id);

    return BYTES(text);
}

void hello_image_make(struct op *op, struct hello_image *ret)
{
    struct hello_image image = {
        .config = make_config(op), .layer = {hello_layer, hello_layer_len}
    };
    const char *text;

    image.layer_digest = hash_bytes(op, HASH_SHA256, image.layer);
    image.config_digest = hash_bytes(op, HASH_SHA256, image.config);
    text = arena_printf(&op->arena,
                        "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\","
                        "\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"%s\","
                        "\"size\":%zu},\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER_GZIP "\","
                        "\"digest\":\"%s\",\"size\":%zu}]}",
                        image.config_digest, image.config.len, image.layer_digest, image.layer.len);
    image.manifest = BYTES(text);
    *ret = image;
}
