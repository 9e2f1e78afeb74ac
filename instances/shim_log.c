#include "instances/shim_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LOG_DEFAULT_MAX ((int64_t)4 << 20)
#define PIECE_MAX       ((size_t)16 << 10)
#define PARTS_MAX       384 /* of one writev */
#define HEAD_LEN        40

static int open_new(const struct log_writer *writer)
{
    int fd = openat(writer->folder, writer->name,
                    O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);

    if (fd >= 0 && (fchown(fd, (uid_t)-1, writer->gid) < 0 || fchmod(fd, 0640) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

enum fault log_writer_open(struct op *op, struct log_writer *writer, int folder, unsigned gid,
                           const char *container, int64_t attempt, int64_t max)
{
    *writer = (struct log_writer){.folder = folder, .gid = gid, .max = max ? max : LOG_DEFAULT_MAX};
    snprintf(writer->name, sizeof(writer->name), "%s.%lld.log", container, (long long)attempt);
    writer->fd = open_new(writer);
    if (writer->fd < 0)
        return fail(op, UNAVAILABLE, "cannot make the log %s: %s", writer->name, strerror(errno));
    return OK;
}

static void old_name(const struct log_writer *writer, char *ret, size_t size)
{
    snprintf(ret, size, "%s.1", writer->name);
}

static void rotate(struct log_writer *writer)
{
    char old[sizeof(writer->name) + 2];
    int fd;

    old_name(writer, old, sizeof(old));
    if (renameat(writer->folder, writer->name, writer->folder, old) < 0)
        return;
    fd = open_new(writer);
    if (fd < 0) /* goes on in the old one; what is read back stays whole */
        return;
    close(writer->fd);
    writer->fd = fd;
    writer->size = 0;
}

static void flush(struct log_writer *writer, struct iovec *parts, size_t *n, size_t *bytes)
{
    ssize_t done;

    if (*n == 0)
        return;
    if (writer->size > 0 && writer->size + (int64_t)*bytes > writer->max)
        rotate(writer);
    while ((done = writev(writer->fd, parts, (int)*n)) < 0 && errno == EINTR)
        ;
    if (done > 0)
        writer->size += done;
    if (done >= 0 && (size_t)done < *bytes) /* a full disk: no half line may stay */
        (void)(ftruncate(writer->fd, writer->size - done) == 0 && (writer->size -= done));
    *n = *bytes = 0;
}

static void make_head(char *head, const char *stream, char tag)
{
    struct timespec now;
    struct tm tm;
    char text[64];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ %s %c ", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec, stream, tag);
    memcpy(head, text, HEAD_LEN);
}

void log_writer_write(struct log_writer *writer, const char *stream, const char *data, size_t len)
{
    char full[HEAD_LEN], partial[HEAD_LEN];
    struct iovec parts[PARTS_MAX];
    size_t n = 0, bytes = 0;

    if (writer->fd < 0)
        return;
    make_head(full, stream, 'F');
    memcpy(partial, full, HEAD_LEN);
    partial[HEAD_LEN - 2] = 'P';
    while (len > 0) {
        const char *end = memchr(data, '\n', len < PIECE_MAX + 1 ? len : PIECE_MAX + 1);
        size_t take = end ? (size_t)(end - data) + 1 : len < PIECE_MAX ? len : PIECE_MAX;

        parts[n++] = (struct iovec){end ? full : partial, HEAD_LEN};
        parts[n++] = (struct iovec){(void *)data, take};
        if (!end)
            parts[n++] = (struct iovec){"\n", 1};
        bytes += HEAD_LEN + take + !end;
        data += take;
        len -= take;
        if (n + 3 > PARTS_MAX)
            flush(writer, parts, &n, &bytes);
    }
    flush(writer, parts, &n, &bytes);
}

void log_writer_close(struct log_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    writer->fd = -1;
}

void log_writer_drop(struct log_writer *writer)
{
    char old[sizeof(writer->name) + 2];

    log_writer_close(writer);
    old_name(writer, old, sizeof(old));
    unlinkat(writer->folder, writer->name, 0);
    unlinkat(writer->folder, old, 0);
}
