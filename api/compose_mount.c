/* Volumes, tmpfs and secrets of compose files. */
#include <string.h>

#include "api/compose.h"
#include "clusters/object/object.h"
#include "core/seal.h"

#define SECRET_MAX     ((size_t)256 << 10)
#define SECRETS_FOLDER "/run/secrets"

static bool has_volume(const struct compose *c, const char *name)
{
    const json_t *one;
    size_t i;

    json_array_foreach(c->volumes, i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0)
            return true;
    }
    return false;
}

static void mount(json_t *properties, const char *name, const char *path, bool read_only)
{
    json_t *mounts = json_object_get(properties, "volumeMounts"), *one;

    if (!mounts) {
        mounts = json_array();
        json_object_set_new(properties, "volumeMounts", mounts);
    }
    one = json_pack("{s:s,s:s}", "name", name, "mountPath", path);
    if (read_only)
        json_object_set_new(one, "readOnly", json_true());
    json_array_append_new(mounts, one);
}

/* The top level's volumes.NAME: an emptyDir, or by driver azure_file a share. */
static bool make_volume(struct compose *c, const char *key, const char *name)
{
    const json_t *spec = json_object_get(json_object_get(c->file, "volumes"), key);
    const json_t *opts = json_object_get(spec, "driver_opts");
    const char *driver = json_string_value(json_object_get(spec, "driver"));
    const char *path = arena_printf(&c->op->arena, "volumes.%s", key);
    const char *share = json_string_value(json_object_get(opts, "share_name"));
    const char *account = json_string_value(json_object_get(opts, "storage_account_name"));
    const char *account_key = json_string_value(json_object_get(opts, "storage_account_key"));

    if (has_volume(c, name))
        return true;
    if (driver && strcmp(driver, "azure_file") == 0) {
        if (!share || !account || !account_key) {
            compose_leave(c, path,
                          "azure_file needs driver_opts share_name, storage_account_name and "
                          "storage_account_key");
            return false;
        }
        json_array_append_new(c->volumes,
                              json_pack("{s:s,s:{s:s,s:s,s:s}}", "name", name, "azureFile",
                                        "shareName", share, "storageAccountName", account,
                                        "storageAccountKey", account_key));
        return true;
    }
    if (compose_flag(json_object_get(spec, "external"), false) || opts ||
        (driver && strcmp(driver, "local") != 0)) {
        compose_leave(c, path, "a container group has azureFile (driver: azure_file) or emptyDir");
        return false;
    }
    compose_note(c, path, "an emptyDir: what is in it ends with the group");
    json_array_append_new(c->volumes, json_pack("{s:s,s:{}}", "name", name, "emptyDir"));
    return true;
}

struct volume_use {
    const char *type, *source, *target; /* source "": none */
    bool read_only;
};

/* "[SOURCE:]TARGET[:ro]" */
static struct volume_use short_volume(struct op *op, const char *text)
{
    char *source = arena_strdup(&op->arena, text), *colon = strchr(source, ':'), *options;
    struct volume_use use = {"volume", "", source, false};

    if (!colon)
        return use;
    *colon = '\0';
    use.source = source;
    use.target = colon + 1;
    options = strchr(colon + 1, ':');
    if (options) {
        *options = '\0';
        use.read_only = strcmp(options + 1, "ro") == 0 || strncmp(options + 1, "ro,", 3) == 0;
    }
    if (strchr("./~", *source))
        use.type = "bind";
    return use;
}

static void one_volume(struct compose *c, const char *path, const struct volume_use *use,
                       const char *fresh, json_t *properties)
{
    const char *name = *use->source ? compose_name(c->op, use->source) : fresh;

    if (strcmp(use->type, "bind") == 0) {
        compose_leave(c, path,
                      "folders of this machine cannot be mounted: put the files into the image, a "
                      "secret or a share");
    } else if (*use->target != '/') {
        compose_leave(c, path, "the path in the container is not absolute");
    } else if (strcmp(use->type, "volume") != 0 && strcmp(use->type, "tmpfs") != 0) {
        compose_leave(c, path, "a volume is of type volume or tmpfs");
    } else if (!*use->source) {
        json_array_append_new(c->volumes, json_pack("{s:s,s:{}}", "name", name, "emptyDir"));
        mount(properties, name, use->target, use->read_only);
    } else if (make_volume(c, use->source, name)) {
        mount(properties, name, use->target, use->read_only);
    }
}

/* ---- secrets ---- */

static enum fault secret_value(struct compose *c, const char *key, struct bytes *ret)
{
    const json_t *spec = json_object_get(json_object_get(c->file, "secrets"), key);
    const char *file = json_string_value(json_object_get(spec, "file")), *value;
    const char *variable = json_string_value(json_object_get(spec, "environment"));

    *ret = (struct bytes){NULL, 0};
    if (file)
        return compose_read_file(c->op, c->source, file, SECRET_MAX, ret);
    value = variable ? c->source->variable(c->source->arg, variable) : NULL;
    if (value)
        *ret = BYTES(value);
    else
        compose_leave(c, arena_printf(&c->op->arena, "secrets.%s", key),
                      variable ? "its environment variable is not set"
                               : "a secret comes from file or environment");
    return OK;
}

static enum fault one_secret(struct compose *c, const char *path, const json_t *given,
                             json_t *files)
{
    const char *key =
        json_is_string(given) ? json_string_value(given) : text_at_or(given, "source", "");
    const char *target = text_at_or(given, "target", "");
    struct bytes value;

    if (strncmp(target, SECRETS_FOLDER "/", strlen(SECRETS_FOLDER) + 1) == 0)
        target += strlen(SECRETS_FOLDER) + 1;
    if (strchr(target, '/')) {
        compose_leave(c, path, "secrets are files of " SECRETS_FOLDER);
        return OK;
    }
    TRY(secret_value(c, key, &value));
    if (value.data)
        json_object_set_new(files, *target ? target : key,
                            json_string(base64_encode(&c->op->arena, value, false)));
    return OK;
}

static enum fault secrets(struct compose *c, const char *path, const json_t *service,
                          const char *name, json_t *properties)
{
    const json_t *list = json_object_get(service, "secrets"), *one;
    const char *volume = compose_name(c->op, arena_printf(&c->op->arena, "secrets-%s", name));
    json_t *files = json_object();
    enum fault fault = OK;
    size_t i;

    json_array_foreach((json_t *)list, i, one)
    {
        if (fault == OK)
            fault =
                one_secret(c, arena_printf(&c->op->arena, "%s.secrets[%zu]", path, i), one, files);
    }
    if (json_object_size(files)) {
        json_array_append_new(c->volumes, json_pack("{s:s,s:O}", "name", volume, "secret", files));
        mount(properties, volume, SECRETS_FOLDER, true);
    }
    json_decref(files);
    return fault;
}

enum fault compose_mounts(struct compose *c, const char *path, const json_t *service,
                          const char *name, json_t *properties)
{
    const json_t *list = json_object_get(service, "volumes"), *one,
                 *tmpfs = json_object_get(service, "tmpfs");
    struct volume_use use;
    const char *fresh;
    size_t i;

    json_array_foreach((json_t *)list, i, one)
    {
        fresh = compose_name(c->op, arena_printf(&c->op->arena, "%s-volume-%zu", name, i));
        if (json_is_string(one))
            use = short_volume(c->op, json_string_value(one));
        else
            use = (struct volume_use){text_at_or(one, "type", ""), text_at_or(one, "source", ""),
                                      text_at_or(one, "target", ""),
                                      compose_flag(json_object_get(one, "read_only"), false)};
        one_volume(c, arena_printf(&c->op->arena, "%s.volumes[%zu]", path, i), &use, fresh,
                   properties);
    }
    for (i = 0; i < (json_is_array(tmpfs) ? json_array_size(tmpfs) : tmpfs != NULL); i++) {
        one = json_is_array(tmpfs) ? json_array_get(tmpfs, i) : tmpfs;
        use = short_volume(c->op, json_is_string(one) ? json_string_value(one) : "");
        use = (struct volume_use){"tmpfs", "", *use.source ? use.source : use.target, false};
        fresh = compose_name(c->op, arena_printf(&c->op->arena, "%s-tmpfs-%zu", name, i));
        one_volume(c, arena_printf(&c->op->arena, "%s.tmpfs[%zu]", path, i), &use, fresh,
                   properties);
    }
    return secrets(c, path, service, name, properties);
}
