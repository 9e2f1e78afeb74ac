#include "registry/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHED_BYTES     ((int64_t)8 << 20) /* of a stream, before it counts as big */
#define STAGE_BYTES      ((size_t)1 << 20)
#define ALIGNMENT        ((size_t)4096)
#define WRITE_BACK_BYTES ((int64_t)8 << 20) /* so that the last fsync finds little to do */

void writer_init(struct writer *w, int fd, int64_t offset)
{
    *w = (struct writer){.fd = fd, .offset = offset, .length = offset, .synced = offset};
}

static enum fault write_all(struct writer *w, struct op *op, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = pwrite(w->fd, data, len, w->offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(op, errno == ENOSPC || errno == EDQUOT ? UNAVAILABLE : INTERNAL,
                        "the upload cannot be written: %m");
        data += n;
        w->offset += n;
        len -= (size_t)n;
    }
    return OK;
}

/* Big by now, and at an offset that O_DIRECT takes? Then stage from here on. */
static void begin_staging(struct writer *w)
{
    int flags;

    if (w->cached || w->length < CACHED_BYTES || w->offset % (int64_t)ALIGNMENT)
        return;
    flags = fcntl(w->fd, F_GETFL);
    w->cached = flags < 0 || fcntl(w->fd, F_SETFL, flags | O_DIRECT) != 0 ||
                posix_memalign((void **)&w->staged, ALIGNMENT, STAGE_BYTES) != 0;
}

static enum fault write_staged(struct writer *w, struct op *op, struct bytes bytes)
{
    const char *data = bytes.data;

    while (bytes.len > 0) {
        size_t n = STAGE_BYTES - w->fill;

        if (n > bytes.len)
            n = bytes.len;
        memcpy(w->staged + w->fill, data, n);
        w->fill += n;
        data += n;
        bytes.len -= n;
        if (w->fill == STAGE_BYTES) {
            TRY(write_all(w, op, w->staged, STAGE_BYTES));
            w->fill = 0;
        }
    }
    return OK;
}

static enum fault write_cached(struct writer *w, struct op *op, struct bytes bytes)
{
    TRY(write_all(w, op, bytes.data, bytes.len));
    if (w->offset - w->synced >= WRITE_BACK_BYTES) {
        sync_file_range(w->fd, w->synced, w->offset - w->synced, SYNC_FILE_RANGE_WRITE);
        w->synced = w->offset;
    }
    return OK;
}

/* Up to the next offset that O_DIRECT takes, through the cache: the rest can be staged. */
static enum fault align(struct writer *w, struct op *op, struct bytes *bytes)
{
    size_t over = (size_t)(w->offset % (int64_t)ALIGNMENT), n = over ? ALIGNMENT - over : 0;

    if (w->cached || w->length < CACHED_BYTES || n == 0 || n > bytes->len)
        return OK;
    TRY(write_cached(w, op, (struct bytes){bytes->data, n}));
    bytes->data = (const char *)bytes->data + n;
    bytes->len -= n;
    return OK;
}

enum fault writer_write(struct writer *w, struct op *op, struct bytes bytes)
{
    w->length += (int64_t)bytes.len;
    if (!w->staged) {
        TRY(align(w, op, &bytes));
        begin_staging(w);
    }
    return w->staged ? write_staged(w, op, bytes) : write_cached(w, op, bytes);
}

/* The last piece has no aligned length: through the cache. */
static enum fault write_tail(struct writer *w, struct op *op)
{
    size_t fill = w->fill;
    int flags = fcntl(w->fd, F_GETFL);

    if (flags < 0 || fcntl(w->fd, F_SETFL, flags & ~O_DIRECT) != 0)
        return fail(op, INTERNAL, "the upload cannot be written: %m");
    w->fill = 0;
    return write_all(w, op, w->staged, fill);
}

enum fault writer_finish(struct writer *w, struct op *op)
{
    if (w->staged)
        TRY(write_tail(w, op));
    writer_free(w);
    if (fdatasync(w->fd) != 0)
        return fail(op, INTERNAL, "the upload cannot be made durable: %m");
    return OK;
}

void writer_free(struct writer *w)
{
    free(w->staged);
    w->staged = NULL;
}
