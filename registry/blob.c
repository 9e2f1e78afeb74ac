#include "registry/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/files.h"
#include "registry/registry.h"

static enum fault fail_errno(struct op *op, const char *doing, const char *path)
{
    return fail(op, errno == ENOSPC || errno == EDQUOT ? UNAVAILABLE : INTERNAL, "cannot %s %s: %m",
                doing, path);
}

static enum fault make_folder(struct op *op, const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return OK;
    return fail_errno(op, "make", path);
}

/* All 256 folders at once: one made later would need a sync of its parent before any file in it
 * counts. */
static enum fault make_folders(struct op *op, const char *path)
{
    TRY(make_folder(op, path));
    for (unsigned i = 0; i < 256; i++)
        TRY(make_folder(op, arena_printf(&op->arena, "%s/%02x", path, i)));
    return folder_sync(op, path);
}

enum fault blob_store_open(struct op *op, const char *folder)
{
    TRY(make_folder(op, folder));
    TRY(make_folders(op, arena_printf(&op->arena, "%s/sha256", folder)));
    TRY(make_folders(op, arena_printf(&op->arena, "%s/sha512", folder)));
    TRY(make_folder(op, arena_printf(&op->arena, "%s/uploads", folder)));
    return folder_sync(op, folder);
}

const char *blob_path(struct op *op, const char *digest)
{
    const char *hex = digest + 7;

    return arena_printf(&op->arena, "%s/%.6s/%.2s/%s", registry_settings->blobs, digest, hex, hex);
}

const char *upload_path(struct op *op, const char *id)
{
    return arena_printf(&op->arena, "%s/uploads/%s", registry_settings->blobs, id);
}

static bool is_whole(const char *path, int64_t size)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == size;
}

enum fault blob_open(struct op *op, const char *digest, int64_t size, int *ret_fd)
{
    const char *path = blob_path(op, digest);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return fail_errno(op, "open", path);
    if (fstat(fd, &st) != 0 || st.st_size != size) {
        close(fd);
        return fail(op, INTERNAL, "%s has not the %lld bytes it should have", path,
                    (long long)size);
    }
    *ret_fd = fd;
    return OK;
}

enum fault blob_read(struct op *op, const char *digest, int64_t size, struct bytes *ret)
{
    int file = -1;
    enum fault fault = blob_open(op, digest, size, &file);
    AUTO_CLOSE int fd = file;
    char *data;

    TRY(fault);
    data = arena_alloc(&op->arena, (size_t)size + 1);
    if (pread(fd, data, (size_t)size, 0) != size)
        return fail_errno(op, "read", blob_path(op, digest));
    *ret = (struct bytes){data, (size_t)size};
    return OK;
}

static char *folder_of(struct op *op, const char *path)
{
    return arena_strndup(&op->arena, path, (size_t)(strrchr(path, '/') - path));
}

enum fault file_move(struct op *op, const char *from, const char *to)
{
    if (rename(from, to) != 0)
        return fail_errno(op, "rename to", to);
    return folder_sync(op, folder_of(op, to));
}

/*
 * The file may be there already: from an adoption whose commit failed (any bytes there are of this
 * digest: they were hashed before), or because another repository pushed it.
 */
enum fault blob_adopt(struct op *op, int64_t repository_id, const char *digest, int64_t size,
                      const char *path)
{
    const char *target = blob_path(op, digest);
    int64_t known;

    TRY(blob_lock(op, digest));
    TRY(blob_row_size(op, digest, &known));
    if (known == size && is_whole(target, size)) {
        if (unlink(path) != 0 && errno != ENOENT)
            return fail_errno(op, "remove", path);
        return blob_link(op, repository_id, digest);
    }
    /* run again after a deadlock: the move has been made */
    if (access(path, F_OK) == 0 || !is_whole(target, size))
        TRY(file_move(op, path, target));
    if (known < 0)
        TRY(blob_insert(op, digest, size));
    return blob_link(op, repository_id, digest);
}

int64_t blob_free_bytes(void)
{
    struct statvfs fs;

    return statvfs(registry_settings->blobs, &fs) == 0 ? (int64_t)fs.f_bavail * (int64_t)fs.f_frsize
                                                       : -1;
}

enum fault check_free_space(struct op *op, int64_t bytes)
{
    int64_t available = blob_free_bytes();

    if (available < 0)
        return fail_errno(op, "look at", registry_settings->blobs);
    if (available - bytes >= registry_settings->free_space_reserve)
        return OK;
    op->retry_after_s = 60;
    return fail(op, UNAVAILABLE,
                "the disk has %lld MiB left, of which %lld are kept in reserve: no more uploads",
                (long long)available >> 20, (long long)registry_settings->free_space_reserve >> 20);
}
