#include "instances/sandbox_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum fault folder_open(struct op *op, const char *path, int *ret_fd)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return fail(op, UNAVAILABLE, "cannot open %s: %s", path, strerror(errno));
    *ret_fd = fd;
    return OK;
}

enum fault folder_enter(struct op *op, int at, const char *name, mode_t mode, gid_t gid,
                        int *ret_fd)
{
    bool made = mode && mkdirat(at, name, mode) == 0;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), error = errno;
    struct stat st;

    if (fd < 0)
        return fail(op, error == ENOENT ? NOT_FOUND : UNAVAILABLE, "cannot open the folder %s: %s",
                    name, strerror(error));
    if (made && (fchown(fd, 0, gid) < 0 || fchmod(fd, mode) < 0))
        made = false;
    if (fstat(fd, &st) < 0 || (geteuid() == 0 && st.st_uid != 0)) {
        close(fd);
        return fail(op, UNAVAILABLE, "the folder %s is not root's", name);
    }
    *ret_fd = fd;
    return OK;
}

enum fault folder_descend(struct op *op, int at, const char *const *names, mode_t mode, gid_t gid,
                          int *ret_fd)
{
    int fd = fcntl(at, F_DUPFD_CLOEXEC, 3), next = -1;

    for (; *names; names++) {
        enum fault fault = folder_enter(op, fd, *names, mode, gid, &next);

        close(fd);
        if (fault != OK)
            return fault;
        fd = next;
    }
    *ret_fd = fd;
    return OK;
}

enum fault folder_names(struct op *op, int folder, const char ***ret, size_t *ret_n)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    const char **names = NULL;
    size_t n = 0;

    if (!dir)
        return fail(op, UNAVAILABLE, "cannot read a folder: %s", strerror(errno));
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if ((n & (n - 1)) == 0) { /* a power of two: as many again */
            const char **more = arena_alloc(&op->arena, (n ? n * 2 : 1) * sizeof(*more));

            if (n)
                memcpy(more, names, n * sizeof(*more));
            names = more;
        }
        names[n++] = arena_strdup(&op->arena, entry->d_name);
    }
    closedir(dir);
    *ret = names;
    *ret_n = n;
    return OK;
}

/* ---- inside what others fill ---- */

static int open_how(int root, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC, .resolve = resolve};

    if (flags & O_CREAT)
        how.mode = 0644;
    for (int tries = 0;; tries++) { /* EAGAIN: something was renamed meanwhile */
        int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

        if (fd >= 0 || errno != EAGAIN || tries > 100)
            return fd;
    }
}

int open_inside(int root, const char *path, int flags)
{
    return open_how(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int open_beneath(int root, const char *path, int flags)
{
    return open_how(root, path, flags, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

enum fault folder_make_inside(struct op *op, int root, const char *path, int *ret_fd)
{
    const uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    char *copy = arena_strdup(&op->arena, path), *save = NULL;
    int fd = fcntl(root, F_DUPFD_CLOEXEC, 3), next;

    for (char *part = strtok_r(copy, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        next = open_how(fd, part, O_PATH, resolve);
        if (next < 0 && errno == ENOENT && mkdirat(fd, part, 0777) == 0)
            next = open_how(fd, part, O_PATH, resolve);
        if (next < 0) {
            int error = errno;

            close(fd);
            return fail(op, INVALID, "cannot use \"%s\" of a volume: %s", path,
                        error == ELOOP ? "it leads over a symbolic link" : strerror(error));
        }
        close(fd);
        fd = next;
    }
    *ret_fd = fd;
    return OK;
}

const char *fd_path(struct op *op, int fd)
{
    return arena_printf(&op->arena, "/proc/self/fd/%d", fd);
}

enum fault folder_write(struct op *op, int at, const char *name, struct bytes content, mode_t mode)
{
    AUTO_CLOSE int fd =
        openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode & 0777);
    size_t done = 0;

    while (fd >= 0 && done < content.len) {
        ssize_t n = write(fd, (const char *)content.data + done, content.len - done);

        if (n <= 0)
            return fail(op, UNAVAILABLE, "cannot write %s: %s", name, strerror(errno));
        done += (size_t)n;
    }
    if (fd < 0 || fchmod(fd, mode & 0777) < 0)
        return fail(op, UNAVAILABLE, "cannot write %s: %s", name, strerror(errno));
    return OK;
}
