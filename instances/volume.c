#include "instances/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instances/sandbox_folder.h"
#include "instances/volume_pod.h"

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static enum fault cannot(struct op *op, const struct volume_spec *volume)
{
    return fail(op, UNAVAILABLE, "cannot make the volume \"%s\": %s", volume->name,
                strerror(errno));
}

/* ---- kinds ---- */

static enum fault bind(struct op *op, const struct volume_spec *volume, int fd, const char *target)
{
    if (mount(fd_path(op, fd), target, NULL, MS_BIND, NULL) < 0)
        return cannot(op, volume);
    return OK;
}

static enum fault make_folder(struct op *op, const struct volume_place *place,
                              const struct volume_spec *volume, const char *target)
{
    AUTO_CLOSE int volumes = -1, fd = -1;

    TRY(folder_enter(op, place->folder, "volumes", 0700, 0, &volumes));
    TRY(folder_enter(op, volumes, volume->name, 0755, 0, &fd));
    if (volume->fs_group && fchown(fd, 0, (gid_t)volume->fs_group) < 0)
        return cannot(op, volume);
    if (fchmod(fd, volume->fs_group ? 02777 : 0777) < 0)
        return cannot(op, volume);
    return bind(op, volume, fd, target);
}

/* Others on the machine, our user too, are kept out above, as of all volumes: what containers leave
   there may be setuid, or a device. */
static enum fault make_share(struct op *op, const struct volume_place *place,
                             const struct volume_spec *volume, const char *target)
{
    const char *const names[] = {"shares", volume->account, volume->share, NULL};
    AUTO_CLOSE int fd = -1;

    TRY(folder_descend(op, place->data, names, 0700, 0, &fd));
    if (fchmod(fd, 0777) < 0)
        return cannot(op, volume);
    return bind(op, volume, fd, target);
}

/* Programs may be run from a pod's. */
static enum fault make_memory(struct op *op, const struct volume_place *place,
                              const struct volume_spec *volume, const char *target)
{
    struct text options;

    text_init(&options, &op->arena, 256);
    text_printf(&options, "mode=%s,gid=%lld", volume->fs_group ? "2777" : "0777",
                (long long)volume->fs_group);
    if (volume->size_bytes)
        text_printf(&options, ",size=%lld", (long long)volume->size_bytes);
    if (mount("tmpfs", target, "tmpfs", place->pod ? SAFE & ~MS_NOEXEC : SAFE, options.data) < 0)
        return cannot(op, volume);
    return OK;
}

static enum fault write_one(struct op *op, int root, const struct volume_file *file)
{
    const char *slash = strrchr(file->path, '/');
    AUTO_CLOSE int folder = -1, inside = -1;

    folder = fcntl(root, F_DUPFD_CLOEXEC, 3);
    if (slash)
        TRY(folder_make_inside(op, root,
                               arena_strndup(&op->arena, file->path, (size_t)(slash - file->path)),
                               &inside));
    return folder_write(op, inside >= 0 ? inside : folder, slash ? slash + 1 : file->path,
                        file->content, file->mode ? file->mode : 0444);
}

static enum fault make_files(struct op *op, const struct volume_spec *volume, const char *target)
{
    size_t bytes = 65536;
    AUTO_CLOSE int root = -1;

    for (size_t i = 0; i < volume->n_files; i++)
        bytes += volume->files[i].content.len + 8192;
    if (mount("tmpfs", target, "tmpfs", SAFE,
              arena_printf(&op->arena, "mode=0755,size=%zu", bytes)) < 0)
        return cannot(op, volume);
    TRY(folder_open(op, target, &root));
    for (size_t i = 0; i < volume->n_files; i++)
        TRY(write_one(op, root, &volume->files[i]));
    if (mount(NULL, target, NULL, MS_REMOUNT | MS_RDONLY | SAFE, NULL) < 0)
        return cannot(op, volume);
    return OK;
}

/* ---- all ---- */

static enum fault make_one(struct op *op, const struct volume_place *place, int folder,
                           const struct volume_spec *volume)
{
    const char *target = arena_printf(&op->arena, "%s/v/%s", place->run, volume->name);

    if (volume->kind == VOLUME_NODE)
        return volume_node_make(op, place, folder, volume, target);
    if (mkdirat(folder, volume->name, 0755) < 0)
        return cannot(op, volume);
    switch (volume->kind) {
    case VOLUME_EMPTY:
    case VOLUME_GIT:
        return make_folder(op, place, volume, target);
    case VOLUME_MEMORY:
        return make_memory(op, place, volume, target);
    case VOLUME_FILES:
        return make_files(op, volume, target);
    case VOLUME_SHARE:
        return make_share(op, place, volume, target);
    case VOLUME_ATOMIC:
        return volume_atomic_make(op, volume, target);
    case VOLUME_NODE:
        break;
    }
    return fail(op, INTERNAL, "a volume of no kind");
}

enum fault volumes_make(struct op *op, const struct volume_place *place,
                        const struct sandbox_spec *spec)
{
    AUTO_CLOSE int folder = -1;

    TRY(folder_enter(op, place->run_fd, "v", 0755, 0, &folder));
    for (size_t i = 0; i < spec->n_volumes; i++)
        TRY(make_one(op, place, folder, &spec->volumes[i]));
    return OK;
}

/* Links of ATOMIC volumes lead to ..data, and any may lead about within its volume. */
static enum fault open_part(struct op *op, int root, const char *sub_path, int *ret_fd)
{
    int fd = open_beneath(root, sub_path, O_PATH);

    if (fd >= 0) {
        *ret_fd = fd;
        return OK;
    }
    if (errno == EXDEV)
        return fail(op, INVALID, "cannot use \"%s\" of a volume: a symbolic link leads out of it",
                    sub_path);
    return folder_make_inside(op, root, sub_path, ret_fd);
}

enum fault volume_open(struct op *op, const char *run, const char *name, const char *sub_path,
                       int *ret_fd)
{
    const char *path = arena_printf(&op->arena, "%s/v/%s", run, name);
    int root = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    enum fault fault = OK;

    if (root < 0)
        return fail_on(op, "volume", NOT_FOUND, "there is no volume \"%s\"", name);
    if (!sub_path || !sub_path[0]) {
        *ret_fd = root;
        return OK;
    }
    fault = open_part(op, root, sub_path, ret_fd);
    close(root);
    return fault;
}
