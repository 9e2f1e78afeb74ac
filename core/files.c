#include "core/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 64 /* below it, folders are moved up before they are emptied */

enum fault file_write(struct op *op, const char *path, struct bytes data)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data.data, data.len) != (ssize_t)data.len || fsync(fd) != 0)
        return fail(op, INTERNAL, "cannot write %s: %m", path);
    return OK;
}

enum fault folder_sync(struct op *op, const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        return fail(op, errno == ENOSPC || errno == EDQUOT ? UNAVAILABLE : INTERNAL,
                    "cannot sync %s: %m", path);
    return OK;
}

/* ---- removing ---- */

struct removal {
    int top;          /* deep folders are moved here, and emptied in turn */
    unsigned counter; /* of their names */
};

static bool remove_entry(struct removal *removal, int at, const char *name, int depth);

static bool empty_folder(struct removal *removal, int fd, int depth)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    bool gone = true;

    if (!dir) {
        close(fd);
        return false;
    }
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            gone &= remove_entry(removal, dirfd(dir), entry->d_name, depth);
    closedir(dir);
    return gone;
}

static bool remove_entry(struct removal *removal, int at, const char *name, int depth)
{
    char moved[32];
    int fd;

    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return true;
    if (errno != EISDIR && errno != EPERM)
        return false;
    if (unlinkat(at, name, AT_REMOVEDIR) == 0)
        return true;
    if (depth >= DEPTH_MAX) {
        snprintf(moved, sizeof(moved), ".deep%u", removal->counter++);
        return renameat(at, name, removal->top, moved) == 0;
    }
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !empty_folder(removal, fd, depth + 1))
        return false;
    return unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

enum fault folder_remove(struct op *op, int at, const char *name)
{
    AUTO_CLOSE int top = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct removal removal = {.top = top};

    if (top < 0 && errno == ENOENT)
        return OK;
    for (int round = 0; top >= 0 && round < 1000; round++) { /* each takes DEPTH_MAX levels */
        (void)empty_folder(&removal, openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
        if (unlinkat(at, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return OK;
        if (errno != ENOTEMPTY)
            break;
    }
    return fail(op, UNAVAILABLE, "cannot remove the folder %s: %s", name, strerror(errno));
}
