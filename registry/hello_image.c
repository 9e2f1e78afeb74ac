/*
 * sundog/hello: a static web server of ours as an OCI image. Reproducible: no times, no names of
 * the machine that made it.
 */
#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#include "core/seal.h"
#include "registry/first_start.h"
#include "registry/hash.h"
#include "registry/manifest.h"

extern const unsigned char hello_binary[];
extern const size_t hello_binary_len;

#if defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "amd64"
#endif

static bool write_entry(struct archive *a)
{
    struct archive_entry *entry = archive_entry_new();
    bool good;

    archive_entry_set_pathname(entry, "hello");
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0755);
    archive_entry_set_size(entry, (la_int64_t)hello_binary_len);
    archive_entry_set_mtime(entry, 0, 0);
    good = archive_write_header(a, entry) == ARCHIVE_OK &&
           archive_write_data(a, hello_binary, hello_binary_len) == (la_ssize_t)hello_binary_len;
    archive_entry_free(entry);
    return good;
}

/* A tar of one file, gzip or plain: the config names the hash of the plain one. */
static enum fault make_tar(struct op *op, bool gzip, struct bytes *ret)
{
    size_t size = hello_binary_len + 65536, used = 0;
    void *buf = arena_alloc(&op->arena, size);
    struct archive *a = archive_write_new();
    bool good = archive_write_set_format_ustar(a) == ARCHIVE_OK;

    if (gzip)
        good = good && archive_write_add_filter_gzip(a) == ARCHIVE_OK &&
               archive_write_set_options(a, "gzip:!timestamp") == ARCHIVE_OK;
    good = good && archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK &&
           archive_write_open_memory(a, buf, size, &used) == ARCHIVE_OK && write_entry(a) &&
           archive_write_close(a) == ARCHIVE_OK;
    archive_write_free(a);
    if (!good)
        return fail(op, INTERNAL, "the hello image cannot be packed");
    *ret = (struct bytes){buf, used};
    return OK;
}

static struct bytes make_config(struct op *op, const char *diff_id)
{
    const char *text = arena_printf(
        &op->arena,
        "{\"architecture\":\"" ARCHITECTURE "\",\"os\":\"linux\","
        "\"created\":\"1970-01-01T00:00:00Z\",\"author\":\"Sundog\","
        "\"config\":{\"ExposedPorts\":{\"80/tcp\":{}},\"Entrypoint\":[\"/hello\"],"
        "\"Env\":[\"PATH=/\"],\"WorkingDir\":\"/\"},"
        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]},"
        "\"history\":[{\"created\":\"1970-01-01T00:00:00Z\",\"created_by\":\"sundog\"}]}",
        diff_id);

    return BYTES(text);
}

enum fault hello_image_make(struct op *op, struct hello_image *ret)
{
    struct hello_image image;
    struct bytes plain;
    const char *text;

    TRY(make_tar(op, false, &plain));
    TRY(make_tar(op, true, &image.layer));
    image.config = make_config(op, hash_bytes(op, HASH_SHA256, plain));
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
    return OK;
}
