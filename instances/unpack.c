/*
 * An archive's entries, by libarchive out of the plain stream, in order. The stream is read to its
 * end, whatever follows the archive, since all of it is hashed.
 */
#include "instances/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LOOK_BYTES   ((int64_t)64 << 20) /* how much is written between looks at the free space */
#define LOOK_ENTRIES 4096
#define INODES_MIN   1000

struct unpacking {
    struct op *op;
    struct unpack_stream *stream;
    enum fault fault; /* of the stream, while libarchive reads */
    const struct unpack_limits *limits;
    struct unpack_tree tree;
    struct archive *archive;
    int64_t entries, written, looked_bytes, looked_entries;
    char path[PATH_MAX], target[PATH_MAX];
};

static la_ssize_t next_piece(struct archive *a, void *arg, const void **ret)
{
    struct unpacking *u = arg;
    struct bytes piece;

    u->fault = unpack_stream_read(u->op, u->stream, &piece);
    if (u->fault != OK) {
        archive_set_error(a, EIO, "the stream ends");
        return -1;
    }
    *ret = piece.data;
    return (la_ssize_t)piece.len;
}

static enum fault archive_fault(struct unpacking *u)
{
    const char *why = archive_error_string(u->archive);

    if (u->fault != OK)
        return u->fault;
    return fail(u->op, INVALID, "it is no good archive: %s", why ? why : "damaged");
}

static enum fault look(struct unpacking *u)
{
    struct statfs fs;

    if (u->written - u->looked_bytes < LOOK_BYTES && u->entries - u->looked_entries < LOOK_ENTRIES)
        return OK;
    u->looked_bytes = u->written;
    u->looked_entries = u->entries;
    if (fstatfs(u->tree.root, &fs) == 0 &&
        ((int64_t)fs.f_bavail * fs.f_bsize < u->limits->reserve ||
         (fs.f_files > 0 && fs.f_ffree < INODES_MIN)))
        return fail(u->op, UNAVAILABLE, "there is no room on the disk to unpack it");
    return OK;
}

static enum fault write_all(struct unpacking *u, int fd, const char *data, size_t len, off_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(u->op, UNAVAILABLE, "\"%s\" cannot be written: %s",
                        unpack_printable(u->op, u->path), strerror(errno));
        data += n;
        len -= (size_t)n;
        at += n;
    }
    return OK;
}

static enum fault write_data(struct unpacking *u, int fd, int64_t size)
{
    const void *data;
    int64_t end = 0;
    la_int64_t at;
    size_t len;
    int result;

    if (size > u->limits->bytes)
        return fail(u->op, INVALID, "\"%s\" is larger than %lld bytes",
                    unpack_printable(u->op, u->path), (long long)u->limits->bytes);
    while ((result = archive_read_data_block(u->archive, &data, &len, &at)) != ARCHIVE_EOF) {
        if (result < ARCHIVE_WARN)
            return archive_fault(u);
        if (at < 0 || at > size || (int64_t)len > size - at)
            return fail(u->op, INVALID, "\"%s\" has more data than it says",
                        unpack_printable(u->op, u->path));
        TRY(write_all(u, fd, data, len, at));
        u->written += (int64_t)len;
        end = at + (int64_t)len;
        TRY(look(u));
    }
    if (end < size && ftruncate(fd, size) < 0) /* it ends with a hole */
        return fail(u->op, UNAVAILABLE, "\"%s\" cannot be written: %s",
                    unpack_printable(u->op, u->path), strerror(errno));
    return OK;
}

static enum fault put_xattrs(struct unpacking *u, struct archive_entry *e,
                             const struct unpack_entry *entry, int fd)
{
    const char *name;
    const void *value;
    size_t len;

    if (archive_entry_xattr_reset(e) == 0)
        return OK;
    while (archive_entry_xattr_next(e, &name, &value, &len) == ARCHIVE_OK) {
        /* others are about the machine it was packed on; overlay's would change what is seen */
        if (!name || (strcmp(name, "security.capability") != 0 && strncmp(name, "user.", 5) != 0) ||
            strncmp(name, "user.overlay.", 13) == 0)
            continue;
        TRY(unpack_put_xattr(u->op, &u->tree, entry, fd, name, (struct bytes){value, len}));
    }
    return OK;
}

static enum fault put_file(struct unpacking *u, struct archive_entry *e,
                           const struct unpack_entry *entry)
{
    AUTO_CLOSE int fd = -1;

    TRY(unpack_put(u->op, &u->tree, entry, &fd));
    if (fd >= 0) {
        TRY(write_data(u, fd, archive_entry_size(e)));
        TRY(unpack_finish_file(u->op, &u->tree, entry, fd));
    }
    return put_xattrs(u, e, entry, fd); /* last: changing the owner takes capabilities away */
}

static enum fault read_entry(struct unpacking *u, struct archive_entry *e, struct unpack_entry *ret)
{
    const char *name = archive_entry_pathname(e), *link = archive_entry_hardlink(e);

    if (!name)
        return fail(u->op, INVALID, "a name in it cannot be read");
    TRY(unpack_clean(u->op, name, u->path));
    *ret = (struct unpack_entry){
        .path = u->path,
        .mode = archive_entry_mode(e),
        .uid = (uid_t)archive_entry_uid(e),
        .gid = (gid_t)archive_entry_gid(e),
        .device = archive_entry_rdev(e),
        .mtime = {archive_entry_mtime(e), archive_entry_mtime_nsec(e)},
    };
    if (archive_entry_uid(e) < 0 || archive_entry_uid(e) >= UINT32_MAX ||
        archive_entry_gid(e) < 0 || archive_entry_gid(e) >= UINT32_MAX)
        return fail(u->op, INVALID, "\"%s\" has an impossible owner",
                    unpack_printable(u->op, u->path));
    if (S_ISLNK(ret->mode))
        ret->target = archive_entry_symlink(e);
    if (link) {
        TRY(unpack_clean(u->op, link, u->target));
        ret->target = u->target;
    }
    return OK;
}

static enum fault put_entry(struct unpacking *u, struct archive_entry *e)
{
    struct unpack_entry entry;
    bool was = false;

    if (++u->entries > u->limits->entries)
        return fail(u->op, INVALID, "it has more than %lld entries", (long long)u->limits->entries);
    TRY(look(u));
    TRY(read_entry(u, e, &entry));
    TRY(unpack_put_whiteout(u->op, &u->tree, &entry, &was));
    if (was)
        return OK;
    if (archive_entry_hardlink(e))
        return unpack_put_hard_link(u->op, &u->tree, &entry);
    return put_file(u, e, &entry);
}

static enum fault read_archive(struct unpacking *u)
{
    struct archive_entry *entry;
    int result;

    archive_read_support_format_tar(u->archive);
    archive_read_support_format_empty(u->archive);
    if (archive_read_open(u->archive, u, NULL, next_piece, NULL) < ARCHIVE_WARN)
        return archive_fault(u);
    while ((result = archive_read_next_header(u->archive, &entry)) != ARCHIVE_EOF) {
        if (result < ARCHIVE_WARN)
            return archive_fault(u);
        TRY(put_entry(u, entry));
    }
    return u->fault;
}

static enum fault check_rest(struct unpacking *u, const char *diff_id)
{
    struct bytes piece = {0};
    const char *digest;

    do
        TRY(unpack_stream_read(u->op, u->stream, &piece));
    while (piece.len > 0);
    digest = unpack_stream_digest(u->op, u->stream);
    if (strcmp(digest, diff_id) != 0)
        return fail(u->op, INVALID, "its content is %s and not what the image's config says",
                    digest);
    return OK;
}

enum fault unpack_layer(struct op *op, int blob, const char *diff_id,
                        const struct unpack_limits *limits, int root,
                        struct unpack_marks *ret_opaque)
{
    struct unpacking *u = arena_alloc(&op->arena, sizeof(*u));
    enum fault fault;

    u->op = op;
    u->limits = limits;
    u->looked_bytes = -LOOK_BYTES; /* at once */
    u->tree.root = root;
    u->tree.parent_fd = -1;
    u->tree.owners = geteuid() == 0;
    TRY(unpack_stream_open(op, blob, diff_id, limits->bytes, &u->stream));
    u->archive = archive_read_new();
    fault = read_archive(u);
    archive_read_free(u->archive);
    if (fault == OK)
        fault = check_rest(u, diff_id);
    if (fault == OK)
        fault = unpack_finish(op, &u->tree);
    unpack_tree_close(&u->tree);
    if (fault == OK)
        *ret_opaque = u->tree.opaque;
    return fault;
}
