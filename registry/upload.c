#include "registry/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/range.h"
#include "core/seal.h"
#include "registry/blob.h"
#include "registry/names.h"
#include "registry/registry.h"

#define SPACE_CHECK_BYTES ((int64_t)64 << 20)
#define REHASH_BYTES      ((size_t)256 << 10)

atomic_int uploads_writing;

bool upload_range_parse(const char *text, int64_t *ret_first, int64_t *ret_last)
{
    int64_t first, last;

    if (strncmp(text, "bytes ", 6) == 0) /* some clients write it as RFC 9110 does */
        text += 6;
    first = decimal_parse(&text);
    if (first < 0 || *text++ != '-')
        return false;
    last = decimal_parse(&text);
    if (last < first || (*text && *text != '/'))
        return false;
    *ret_first = first;
    *ret_last = last;
    return true;
}

/* ---- the sink; on an io thread ---- */

static enum fault discard_write(struct sink *sink, struct op *op, struct bytes chunk)
{
    (void)sink;
    (void)op;
    (void)chunk;
    return OK;
}

static enum fault sink_write(struct sink *sink, struct op *op, struct bytes chunk)
{
    struct upload *u = (struct upload *)sink;
    int64_t end = u->offset + (int64_t)chunk.len;

    if (u->announced >= 0 && end > u->announced)
        return fail_on(op, "size", INVALID, "more bytes came than were announced");
    if (end > registry_settings->blob_max)
        return fail(op, TOO_LARGE, "a blob may have at most %lld bytes",
                    (long long)registry_settings->blob_max);
    if (end > u->space_check) {
        TRY(check_free_space(op, (int64_t)chunk.len));
        u->space_check = end + SPACE_CHECK_BYTES;
    }
    TRY(writer_write(&u->writer, op, chunk));
    hash_update(&u->hash, chunk);
    u->offset = end;
    return OK;
}

static enum fault sink_finish(struct sink *sink, struct op *op)
{
    struct upload *u = (struct upload *)sink;

    return writer_finish(&u->writer, op);
}

/* ---- opening ---- */

void upload_close(struct upload *upload)
{
    if (upload->fd < 0)
        return;
    writer_free(&upload->writer);
    close(upload->fd);
    upload->fd = -1;
    atomic_fetch_sub(&uploads_writing, 1);
}

static void close_deferred(void *arg)
{
    upload_close(arg);
}

struct upload *upload_discard(struct op *op)
{
    struct upload *u = arena_alloc(&op->arena, sizeof(*u));

    u->sink = (struct sink){discard_write, NULL};
    u->fd = -1;
    u->announced = -1;
    return u;
}

static enum fault open_file(struct op *op, const char *id, struct upload **ret)
{
    struct upload *u = upload_discard(op);
    const char *path = upload_path(op, id);

    u->sink = (struct sink){sink_write, sink_finish};
    u->id = arena_strdup(&op->arena, id);
    u->fd = open(path, O_RDWR | O_CLOEXEC);
    if (u->fd < 0 && errno == ENOENT) {
        u->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        u->created = true;
    }
    if (u->fd < 0)
        return fail(op, errno == ENOSPC ? UNAVAILABLE : INTERNAL, "cannot open %s: %m", path);
    atomic_fetch_add(&uploads_writing, 1);
    arena_defer(&op->arena, close_deferred, u);
    *ret = u;
    return OK;
}

static enum fault lock(struct op *op, const struct upload *u)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(u->fd, F_OFD_SETLK, &whole) == 0)
        return OK;
    if (errno == EAGAIN || errno == EACCES)
        return fail_on(op, "upload", CONFLICT, "another request writes to this upload");
    return fail(op, INTERNAL, "the upload cannot be locked: %m");
}

/* What is behind the bytes that the row knows came from a request that failed: cut it off. */
static enum fault go_to(struct op *op, struct upload *u, const struct upload_row *row)
{
    struct stat st;

    if (fstat(u->fd, &st) != 0 || st.st_size < row->received)
        return fail_on(op, "upload", NOT_FOUND, "the upload's bytes are lost: start again");
    if (st.st_size > row->received && ftruncate(u->fd, row->received) != 0)
        return fail(op, INTERNAL, "the upload cannot be cut: %m");
    if (row->received == 0)
        hash_init(&u->hash, row->kind);
    else if (!hash_load(&u->hash, row->kind, row->state))
        return fail(op, INTERNAL, "the upload's hash state is damaged");
    u->start = u->offset = row->received;
    writer_init(&u->writer, u->fd, u->offset);
    return OK;
}

static enum fault lock_and_read(struct op *op, int64_t repository_id, struct upload *u)
{
    struct upload_row row;

    TRY(lock(op, u));
    /* read again now that nobody else can change it */
    TRY(upload_find(op, repository_id, u->id, &row));
    return go_to(op, u, &row);
}

enum fault upload_open(struct op *op, int64_t repository_id, const char *id, struct upload **ret)
{
    struct upload_row row;
    enum fault fault;

    if (!uuid_is_valid(id))
        return fail_on(op, "upload", NOT_FOUND, "blob upload unknown to registry");
    TRY(upload_find(op, repository_id, id, &row)); /* before a file is made for any name */
    TRY(open_file(op, id, ret));
    fault = lock_and_read(op, repository_id, *ret);
    if (fault != OK)
        upload_close(*ret);
    return fault;
}

/* Whatever becomes of the request: adopted, the file has another name by then. */
static void unlink_deferred(void *path)
{
    unlink(path);
}

enum fault upload_open_single(struct op *op, enum hash_kind kind, struct upload **ret)
{
    char id[37];

    random_uuid(id);
    TRY(open_file(op, id, ret));
    arena_defer(&op->arena, unlink_deferred, (void *)upload_path(op, id));
    hash_init(&(*ret)->hash, kind);
    writer_init(&(*ret)->writer, (*ret)->fd, 0);
    return lock(op, *ret); /* against the collection of files without a row */
}

enum fault upload_expect(struct op *op, struct upload *upload, const char *content_range,
                         int64_t content_length)
{
    int64_t first, last;

    if (content_range) {
        if (!upload_range_parse(content_range, &first, &last))
            return fail_on(op, "upload", INVALID, "the Content-Range is not <first>-<last>");
        if (first != upload->offset)
            return fail_on(op, "upload", RANGE, "the upload has %lld bytes: go on from there",
                           (long long)upload->offset);
        upload->announced = last + 1;
        if (content_length >= 0 && content_length != last - first + 1)
            return fail_on(op, "size", INVALID, "Content-Range and Content-Length disagree");
    }
    if (content_length < 0)
        return check_free_space(op, 0);
    if (upload->offset + content_length > registry_settings->blob_max)
        return fail(op, TOO_LARGE, "a blob may have at most %lld bytes",
                    (long long)registry_settings->blob_max);
    return content_length ? check_free_space(op, content_length) : OK;
}

enum fault upload_check_length(struct op *op, const struct upload *upload)
{
    if (upload->announced < 0 || upload->offset == upload->announced)
        return OK;
    return fail_on(op, "size", INVALID, "fewer bytes came than were announced");
}

enum fault upload_digest(struct op *op, const struct upload *upload, enum hash_kind kind,
                         const char **ret_digest)
{
    struct hash hash = upload->hash;
    char *buf;

    if (kind != hash.kind) {
        hash_init(&hash, kind);
        buf = arena_alloc(&op->arena, REHASH_BYTES);
        for (int64_t offset = 0; offset < upload->offset;) {
            ssize_t n = pread(upload->fd, buf, REHASH_BYTES, offset);

            if (n <= 0)
                return fail(op, INTERNAL, "the upload cannot be read again: %m");
            hash_update(&hash, (struct bytes){buf, (size_t)n});
            offset += n;
        }
    }
    *ret_digest = hash_digest(op, &hash);
    return OK;
}

void upload_remove_file(struct op *op, const char *id)
{
    unlink(upload_path(op, id));
}
