/* What the supervisor's children do before they become crun: clean up, mount, write config.json. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files.h"
#include "core/server.h"
#include "instances/layer.h"
#include "instances/oci_spec.h"
#include "instances/sandbox_folder.h"
#include "instances/seccomp.h"
#include "instances/shim.h"
#include "instances/volume.h"

/* ---- cleaning up ---- */

static void unmount_all(struct op *op, const struct shim *shim, const char *name)
{
    const char *sub;

    for (int i = 0;; i++) {
        sub = container_path(op, shim, name, arena_printf(&op->arena, "m/%d", i));
        if (access(sub, F_OK) < 0)
            break;
        (void)umount2(sub, MNT_DETACH | UMOUNT_NOFOLLOW);
    }
    while (umount2(container_path(op, shim, name, "root"), MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
}

static enum fault remove_in(struct op *op, int at, const char *folder, const char *name)
{
    AUTO_CLOSE int fd = -1;
    enum fault fault = folder_enter(op, at, folder, 0, 0, &fd);

    return fault == NOT_FOUND ? OK : fault != OK ? fault : folder_remove(op, fd, name);
}

enum fault clean_container(struct op *op, struct shim *shim, void *name)
{
    const char *cgroup = arena_printf(&op->arena, "%s/%s", shim->cgroup, (const char *)name);
    const char *state = arena_printf(&op->arena, "%s.%s", shim->id, (const char *)name);
    AUTO_CLOSE int crun = open(shim->crun_root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    TRY(cgroup_kill(op, &shim->cgroups, cgroup));
    unmount_all(op, shim, name);
    TRY(cgroup_remove(op, &shim->cgroups, cgroup));
    if (crun >= 0)
        TRY(folder_remove(op, crun, state));
    TRY(remove_in(op, shim->run_fd, "c", name));
    TRY(remove_in(op, shim->folder, "c", name));
    op_clear_fault(op);
    return OK;
}

/* ---- the root file system ---- */

/* Kept beside it, for those who remove layers: what may not be. */
static enum fault write_layers(struct op *op, int folder, const char *const *layers)
{
    struct text text;

    text_init(&text, &op->arena, 65536);
    for (; *layers; layers++)
        text_printf(&text, "%s\n", *layers);
    return folder_write(op, folder, "layers", text_bytes(&text), 0600);
}

/* Lower folders are relative to DIR/layers, so that 127 of them fit in the page that mount(2)
   takes; the topmost comes first. volatile: nothing is synced, since nothing of it is kept. */
static const char *overlay_options(struct op *op, const char *const *layers, int folder)
{
    struct text text;
    size_t n = 0;

    while (layers[n])
        n++;
    text_init(&text, &op->arena, 16384);
    text_str(&text, "lowerdir=");
    while (n-- > 0)
        text_printf(&text, "%s%s", layer_folder(op, layers[n]), n ? ":" : "");
    text_printf(&text, ",upperdir=%s/u,workdir=%s/w", fd_path(op, folder), fd_path(op, folder));
    return text.data;
}

static enum fault mount_root(struct op *op, struct shim *shim, const struct container_spec *spec,
                             int folder, const char *target)
{
    const char *options = overlay_options(op, spec->layers, folder);
    AUTO_CLOSE int layers = -1;

    TRY(folder_enter(op, shim->data, "layers", 0, 0, &layers));
    if (strlen(options) > 4000)
        return fail_on(op, "image", UNSUPPORTED, "the image has too many layers");
    if (fchdir(layers) < 0)
        return fail(op, UNAVAILABLE, "cannot enter the folder of layers: %s", strerror(errno));
    if (mount("overlay", target, "overlay", 0, arena_printf(&op->arena, "volatile,%s", options)) <
            0 &&
        mount("overlay", target, "overlay", 0, options) < 0)
        return fail(op, UNAVAILABLE, "the layers cannot be mounted: %s", strerror(errno));
    return OK;
}

static enum fault make_root(struct op *op, struct shim *shim, const struct container_spec *spec,
                            const char *target)
{
    const char *const names[] = {"c", spec->name, NULL};
    AUTO_CLOSE int folder = -1;

    TRY(folder_descend(op, shim->folder, names, 0700, 0, &folder));
    if (mkdirat(folder, "u", 0755) < 0 || mkdirat(folder, "w", 0700) < 0)
        return fail(op, UNAVAILABLE, "cannot make a writable layer: %s", strerror(errno));
    TRY(write_layers(op, folder, spec->layers));
    return mount_root(op, shim, spec, folder, target);
}

/* ---- mounts ---- */

/* A part of a volume is opened, and what was opened is mounted where nobody can change it; crun
   would look up the path anew. */
static enum fault make_mount(struct op *op, struct shim *shim, const struct container_spec *spec,
                             size_t i, struct oci_mount *ret)
{
    const struct mount_spec *asked = &spec->mounts[i];
    const char *target = container_path(op, shim, spec->name, arena_printf(&op->arena, "m/%zu", i));
    AUTO_CLOSE int fd = -1;

    ret->path = asked->path;
    ret->read_only = asked->read_only;
    TRY(volume_open(op, shim->run, asked->volume, asked->sub_path, &fd));
    ret->source = arena_printf(&op->arena, "%s/v/%s", shim->run, asked->volume);
    if (!asked->sub_path || !asked->sub_path[0])
        target = NULL;
    else
        ret->source = target;
    /* each has a name, so that unmounting can count */
    if (mkdir(container_path(op, shim, spec->name, arena_printf(&op->arena, "m/%zu", i)), 0700) < 0)
        return fail(op, UNAVAILABLE, "cannot make a mount point: %s", strerror(errno));
    if (target) {
        struct stat st;

        if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode)) {
            AUTO_CLOSE int file = -1;

            if (rmdir(target) < 0 || (file = open(target, O_CREAT | O_EXCL | O_WRONLY, 0600)) < 0)
                return fail(op, UNAVAILABLE, "cannot make a mount point: %s", strerror(errno));
        }
        if (mount(fd_path(op, fd), target, NULL, MS_BIND | MS_REC, NULL) < 0)
            return fail(op, UNAVAILABLE, "cannot mount \"%s\" of a volume: %s", asked->sub_path,
                        strerror(errno));
    }
    return OK;
}

static enum fault make_mounts(struct op *op, struct shim *shim, const struct container_spec *spec,
                              struct oci_context *context)
{
    struct oci_mount *mounts = arena_alloc(&op->arena, (spec->n_mounts + 1) * sizeof(*mounts));

    for (size_t i = 0; i < spec->n_mounts; i++)
        TRY(make_mount(op, shim, spec, i, &mounts[i]));
    context->mounts = mounts;
    context->n_mounts = spec->n_mounts;
    return OK;
}

/* ---- config.json ---- */

enum fault write_json(struct op *op, int at, const char *name, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    enum fault fault = fail(op, INTERNAL, "%s cannot be written as JSON", name);

    if (!text)
        return fault;
    op_clear_fault(op);
    fault = folder_write(op, at, name, BYTES(text), 0600);
    free(text);
    return fault;
}

/* crun takes 5 ms to make a filter of a profile, and would again for each container. It leaves the
   filter beside its state: shim_container.c keeps it in RUN/seccomp by the profile's hash, and
   from then on crun is handed that. */
static enum fault reuse_filter(struct op *op, const struct shim *shim, int bundle, json_t *config)
{
    json_t *profile = json_object_get(json_object_get(config, "linux"), "seccomp");
    char *text = profile ? json_dumps(profile, JSON_COMPACT) : NULL;
    struct bytes filter;
    const char *name;

    if (!text)
        return OK;
    name = seccomp_filter_name(op, text);
    free(text);
    if (seccomp_filter_read(op, shim->filters, name, &filter) != OK) {
        op_clear_fault(op);
        return folder_write(op, bundle, "profile", BYTES(name), 0600);
    }
    json_object_set_new(
        config, "annotations",
        json_pack("{s:s}", "run.oci.seccomp_bpf_data", seccomp_filter_text(op, filter)));
    json_object_del(profile, "syscalls"); /* long, and not looked at any more */
    return OK;
}

static enum fault write_config(struct op *op, struct shim *shim, const struct container_spec *spec,
                               const struct oci_context *context, int bundle)
{
    json_t *config = NULL;

    TRY(oci_config(op, spec, context, &config));
    if (strcmp(strrchr(shim->crun, '/'), "/crun") == 0)
        TRY(reuse_filter(op, shim, bundle, config));
    return write_json(op, bundle, "config.json", config);
}

static enum fault share_pod(struct op *op, const struct shim *shim,
                            const struct container_spec *spec, struct oci_context *context)
{
    AUTO_CLOSE int etc = -1;

    context->shm = arena_printf(&op->arena, "%s/shm", shim->run);
    if (shim->pause > 0)
        context->pid_namespace = arena_printf(&op->arena, "/proc/%d/ns/pid", (int)shim->pause);
    if (!spec->termination_path)
        return OK;
    context->termination = termination_file(op, shim, spec->name);
    TRY(folder_open(op, context->etc, &etc));
    return folder_write(op, etc, strrchr(context->termination, '/') + 1, BYTES(""), 0666);
}

enum fault prepare_container(struct op *op, struct shim *shim, void *arg)
{
    const struct container_spec *spec = arg;
    const char *const names[] = {"c", spec->name, NULL};
    AUTO_CLOSE int bundle = -1, root = -1;
    struct oci_context context = {
        .rootfs = container_path(op, shim, spec->name, "root"),
        .hostname = shim->hostname,
        .etc = arena_printf(&op->arena, "%s/etc", shim->run),
        .cgroup = arena_printf(&op->arena, "%s/%s", shim->cgroup, spec->name),
        .cgroup_v2 = shim->cgroups.v2,
    };

    if (!server_settings || !server_settings->privileged_containers)
        TRY(oci_is_plain(op, spec)); /* also against a server that is not itself any more */
    if (shim->pod)
        TRY(share_pod(op, shim, spec, &context));
    TRY(clean_container(op, shim, (void *)spec->name)); /* what a former one left */
    TRY(folder_descend(op, shim->run_fd, names, 0700, 0, &bundle));
    if (mkdirat(bundle, "root", 0700) < 0 || mkdirat(bundle, "m", 0700) < 0)
        return fail(op, UNAVAILABLE, "cannot make %s: %s", context.rootfs, strerror(errno));
    TRY(make_root(op, shim, spec, context.rootfs));
    TRY(folder_open(op, context.rootfs, &root));
    context.root = root;
    TRY(make_mounts(op, shim, spec, &context));
    return write_config(op, shim, spec, &context, bundle);
}
