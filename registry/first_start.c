#include "registry/first_start.h"

#include <string.h>

#include "core/admin_file.h"
#include "core/db.h"
#include "core/files.h"
#include "core/seal.h"
#include "registry/blob.h"
#include "registry/hash.h"
#include "registry/manifest.h"
#include "registry/registry.h"
#include "registry/repository.h"
#include "registry/tag.h"

#define PASSWORD_LENGTH 52

/* ---- the image ---- */

static enum fault put_blob(struct op *op, int64_t repository_id, const char *digest,
                           struct bytes data)
{
    const char *path;
    char id[37];

    random_uuid(id);
    path = upload_path(op, id);
    TRY(file_write(op, path, data));
    return blob_adopt(op, repository_id, digest, (int64_t)data.len, path);
}

static enum fault put_hello(struct op *op, int64_t registry_id)
{
    static const char *const tags[] = {"latest"};
    struct repository repository;
    struct hello_image image;
    struct manifest manifest;

    TRY(hello_image_make(op, &image));
    TRY(repository_make(op, registry_id, "hello", &repository));
    TRY(put_blob(op, repository.id, image.config_digest, image.config));
    TRY(put_blob(op, repository.id, image.layer_digest, image.layer));
    TRY(manifest_parse(op, MEDIA_OCI_MANIFEST, image.manifest, &manifest));
    manifest.digest = hash_bytes(op, HASH_SHA256, image.manifest);
    manifest_platform(op, image.config, &manifest);
    TRY(manifest_check_blobs(op, repository.id, &manifest));
    return manifest_put(op, repository.id, &manifest, tags, 1);
}

/* ---- the registry ---- */

/* All in one transaction: a first start that is cut off leaves nothing and is simply made again. */
static enum fault make_registry(struct op *op, const struct settings *settings)
{
    const char *passwords[2] = {settings->admin_password, random_password(op, PASSWORD_LENGTH)};
    int64_t id;

    if (!passwords[0])
        passwords[0] = random_password(op, PASSWORD_LENGTH);
    TRY(db_begin(op));
    TRY(registry_store_insert(op, FIRST_REGISTRY, passwords, &id));
    if (id)
        TRY(put_hello(op, id));
    return db_commit(op);
}

static void tell_admin(struct op *op)
{
    const struct registry *registry = registry_find(op, FIRST_REGISTRY);

    if (!registry || !registry->passwords[0])
        return;
    admin_file_note("registryName", registry->name);
    admin_file_note("registryUsername", registry->name);
    admin_file_note("registryPassword", registry->passwords[0]);
}

static enum fault set_anonymous_pull(struct op *op, const struct settings *settings)
{
    const struct registry *registry = registry_find(op, FIRST_REGISTRY);
    bool wanted = strcmp(settings->anonymous_pull, "on") == 0;

    if (!registry || strcmp(settings->anonymous_pull, "as-is") == 0 ||
        registry->anonymous_pull == wanted)
        return OK;
    TRY(registry_store_set(op, registry->id, registry->admin_enabled, wanted));
    return registry_reload(op);
}

enum fault first_start(struct op *op, const struct settings *settings)
{
    if (!registry_find(op, FIRST_REGISTRY)) {
        TRY(make_registry(op, settings));
        TRY(registry_reload(op));
    }
    TRY(set_anonymous_pull(op, settings));
    tell_admin(op);
    return OK;
}
