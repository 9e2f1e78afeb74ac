#include "registry/first_start.h"

#include <string.h>

#include "core/admin_file.h"
#include "core/db.h"
#include "core/files.h"
#include "core/seal.h"
#include "registry/blob.h"
#include "registry/hash.h"
#include "registry/manifest.h"
#include "registry/registry_store.h"
#include "registry/repository.h"
#include "registry/tag.h"

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

    hello_image_make(op, &image);
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
    struct registry_options options;
    enum fault fault;
    int64_t id;

    registry_options_default(&options, SKU_PREMIUM);
    options.admin_enabled = true;
    TRY(db_begin(op));
    fault = registry_create(op, settings->registry_name, NULL, &options, &id);
    if (fault == CONFLICT) { /* another `serve` made it just now */
        op_clear_fault(op);
        db_rollback(op);
        return OK;
    }
    TRY(fault);
    if (settings->admin_password)
        TRY(registry_store_set_password(op, id, 0, settings->admin_password));
    TRY(put_hello(op, id));
    return db_commit(op);
}

static void tell_admin(struct op *op, const struct settings *settings)
{
    const struct registry *registry = registry_find(op, settings->registry_name);
    const char *password = registry ? registry_password(op, registry, 0) : NULL;

    if (!password)
        return;
    admin_file_note("registryName", registry->name);
    admin_file_note("registryUsername", registry->name);
    admin_file_note("registryPassword", password);
}

static enum fault set_anonymous_pull(struct op *op, const struct settings *settings)
{
    const struct registry *registry = registry_find(op, settings->registry_name);
    bool wanted = strcmp(settings->anonymous_pull, "on") == 0;
    struct registry_options options;

    if (!registry || strcmp(settings->anonymous_pull, "as-is") == 0 ||
        registry->options.anonymous_pull == wanted)
        return OK;
    options = registry->options;
    options.anonymous_pull = wanted;
    TRY(registry_update(op, registry->id, &options));
    return registry_changed(op, registry->id);
}

enum fault first_start(struct op *op, const struct settings *settings)
{
    if (!registry_find(op, settings->registry_name)) {
        TRY(make_registry(op, settings));
        TRY(registry_reload(op));
    }
    TRY(set_anonymous_pull(op, settings));
    tell_admin(op, settings);
    return OK;
}
