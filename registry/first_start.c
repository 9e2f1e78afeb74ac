#include "registry/first_start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/db.h"
#include "core/helper.h"
#include "core/json.h"
#include "core/seal.h"
#include "registry/blob.h"
#include "registry/hash.h"
#include "registry/manifest.h"
#include "registry/registry.h"
#include "registry/repository.h"
#include "registry/tag.h"

#define PASSWORD_LENGTH 52
#define ADMIN_JSON_MAX  65536

/* ---- the image ---- */

static enum fault write_file(struct op *op, const char *path, struct bytes data)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data.data, data.len) != (ssize_t)data.len || fsync(fd) != 0)
        return fail(op, INTERNAL, "cannot write %s: %m", path);
    return OK;
}

static enum fault put_blob(struct op *op, int64_t repository_id, const char *digest,
                           struct bytes data)
{
    const char *path;
    char id[37];

    random_uuid(id);
    path = upload_path(op, id);
    TRY(write_file(op, path, data));
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

/* ---- admin.json ---- */

static json_t *read_admin(struct op *op, const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *data = arena_alloc(&op->arena, ADMIN_JSON_MAX);
    ssize_t n = fd < 0 ? -1 : read(fd, data, ADMIN_JSON_MAX);
    json_t *root = n > 0 ? json_loadb(data, (size_t)n, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (json_is_object(root))
        return root;
    json_decref(root);
    return json_object();
}

static bool set_member(json_t *root, const char *name, const char *value)
{
    const char *now = json_string_value(json_object_get(root, name));

    if (now && strcmp(now, value) == 0)
        return false;
    json_object_set_new(root, name, json_string(value));
    return true;
}

static enum fault write_admin(struct op *op, const char *data, const char *path, json_t *root)
{
    const char *temporary = arena_printf(&op->arena, "%s.new", path);
    char *text = json_dumps(root, JSON_INDENT(2));
    const char *line = arena_printf(&op->arena, "%s\n", text);
    enum fault fault = write_file(op, temporary, BYTES(line));

    explicit_bzero(text, strlen(text));
    free(text);
    TRY(fault);
    if (rename(temporary, path) != 0)
        return fail(op, INTERNAL, "cannot rename to %s: %m", path);
    TRY(folder_sync(op, data));
    return helper_hand_over_admin(op);
}

/* Given to the person who called sudo by an earlier start: told already, and not ours any more. */
static bool is_handed_over(const char *path)
{
    return access(path, R_OK) != 0 && errno == EACCES;
}

/* Other members (of later services) stay. */
static enum fault tell_admin(struct op *op, const struct settings *settings)
{
    const struct registry *registry = registry_find(op, FIRST_REGISTRY);
    const char *path = arena_printf(&op->arena, "%s/admin.json", settings->data);
    json_t *root;
    bool changed;

    if (!registry || !registry->passwords[0] || is_handed_over(path))
        return OK;
    root = read_admin(op, path);
    arena_defer(&op->arena, (void (*)(void *))json_decref, root);
    changed = set_member(root, "registryName", registry->name);
    changed = set_member(root, "registryUsername", registry->name) || changed;
    changed = set_member(root, "registryPassword", registry->passwords[0]) || changed;
    return changed ? write_admin(op, settings->data, path, root) : OK;
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
    return tell_admin(op, settings);
}
