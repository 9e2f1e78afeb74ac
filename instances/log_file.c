#include "instances/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instances/log_lines.h"
#include "instances/sandbox_json.h"
#include "instances/sandbox_socket.h"

#define CHUNK ((size_t)64 << 10)

/* NOT_FOUND: nothing has been written by anything of that sandbox. */
static enum fault open_logs(struct op *op, const char *sandbox, const char *container,
                            int64_t attempt, int *ret_folder, const char **ret_name)
{
    const char *path;

    TRY(sandbox_supported(op));
    if (!sandbox_id_valid(sandbox) || !container_name_valid(container))
        return fail(op, INVALID, "\"%s\" is no container's name", container);
    path = arena_printf(&op->arena, "%s/sandboxes/%s/logs", sandbox_data(), sandbox);
    *ret_name = arena_printf(&op->arena, "%s.%lld.log", container, (long long)attempt);
    *ret_folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_folder < 0)
        return fail(op, errno == ENOENT ? NOT_FOUND : UNAVAILABLE, "cannot read logs in %s: %s",
                    path, strerror(errno));
    return OK;
}

/* ---- all of it ---- */

static void read_from(struct op *op, struct log_lines *lines, int64_t at, struct log_output *output,
                      struct text *text)
{
    char *data = arena_alloc(&op->arena, CHUNK + LOG_LINE_MAX);
    size_t n;

    while ((n = log_lines_read(lines, at, data, CHUNK + LOG_LINE_MAX)) > 0) {
        size_t used = log_output_add(output, data, n, text);

        if (used == 0) /* the end of a line that is being written */
            return;
        at += (int64_t)used;
    }
}

enum fault log_read(struct op *op, const char *sandbox, const char *container, int64_t attempt,
                    const struct log_query *query, struct bytes *ret)
{
    AUTO_CLOSE int folder = -1;
    struct log_output output;
    struct log_lines lines;
    const char *name = "";
    struct text text;
    enum fault fault = open_logs(op, sandbox, container, attempt, &folder, &name);

    *ret = (struct bytes){"", 0};
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    TRY(log_lines_open(op, folder, name, &lines));
    log_output_init(&output, query);
    text_init(&text, &op->arena, (size_t)log_lines_size(&lines) + 1);
    read_from(op, &lines, log_lines_begin(op, &lines, query, true), &output, &text);
    log_lines_close(&lines);
    *ret = text_bytes(&text);
    if (query->bytes_max > 0 && ret->len > (size_t)query->bytes_max)
        *ret = (struct bytes){(const char *)ret->data + (ret->len - (size_t)query->bytes_max),
                              (size_t)query->bytes_max};
    return OK;
}

/* ---- following ---- */

struct log_cursor {
    int folder, fd; /* fd -1: there is no file yet */
    int64_t offset;
    char *name, *old_name;
    struct log_output output;
};

static char *copy(const char *text, const char *suffix)
{
    char *made;

    if (asprintf(&made, "%s%s", text, suffix) < 0)
        abort();
    return made;
}

/* From one descriptor of the two on; the other is closed. */
static void begin_at(struct log_cursor *cursor, struct log_lines *lines, int64_t at)
{
    int file = at >= lines->size[0];

    cursor->fd = lines->fd[file];
    cursor->offset = file ? at - lines->size[0] : at;
    lines->fd[file] = -1;
    log_lines_close(lines);
}

enum fault log_cursor_new(struct op *op, const char *sandbox, const char *container,
                          int64_t attempt, const struct log_query *query, struct log_cursor **ret)
{
    struct log_cursor *cursor;
    struct log_lines lines;
    const char *name = "";
    int folder = -1;

    TRY(open_logs(op, sandbox, container, attempt, &folder, &name));
    cursor = calloc(1, sizeof(*cursor));
    if (!cursor)
        abort();
    cursor->folder = folder;
    cursor->name = copy(name, "");
    cursor->old_name = copy(name, ".1");
    log_output_init(&cursor->output, query);
    (void)log_lines_open(op, folder, name, &lines);
    begin_at(cursor, &lines, log_lines_begin(op, &lines, query, false));
    *ret = cursor;
    return OK;
}

static bool same_file(int a, int b)
{
    struct stat one, other;

    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino;
}

static int open_named(const struct log_cursor *cursor, const char *name)
{
    return openat(cursor->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

/* The file after the one that was read up to seen; false: there is none (yet). The current file is
   opened before the old one, so that what is between them cannot be missed. */
static bool next_file(struct log_cursor *cursor, int64_t seen)
{
    int now = open_named(cursor, cursor->name), old = open_named(cursor, cursor->old_name);
    int next = now;
    struct stat st;

    if (now < 0 || (cursor->fd >= 0 && same_file(cursor->fd, now)))
        next = -1;
    else if (old >= 0 && same_file(old, now)) /* rotated just between: ask again */
        next = -1;
    else if (old >= 0 && (cursor->fd < 0 || !same_file(cursor->fd, old)))
        next = old;
    if (now >= 0 && now != next)
        close(now);
    if (old >= 0 && old != next)
        close(old);
    if (next < 0)
        return false;
    if (cursor->fd >= 0 && fstat(cursor->fd, &st) == 0 && st.st_size > seen) {
        close(next); /* it grew before it was rotated away */
        return true;
    }
    if (cursor->fd >= 0)
        close(cursor->fd);
    cursor->fd = next;
    cursor->offset = 0;
    return true;
}

enum fault log_cursor_read(struct op *op, struct log_cursor *cursor, struct bytes *ret)
{
    char *data = arena_alloc(&op->arena, CHUNK);
    struct text text;

    text_init(&text, &op->arena, CHUNK + 1);
    while (text.len == 0) {
        ssize_t n = cursor->fd < 0 ? 0 : pread(cursor->fd, data, CHUNK, (off_t)cursor->offset);
        size_t used = n > 0 ? log_output_add(&cursor->output, data, (size_t)n, &text) : 0;

        cursor->offset += (int64_t)used;
        if (used == 0 && !next_file(cursor, cursor->offset + (n > 0 ? n : 0)))
            break;
    }
    *ret = text_bytes(&text);
    return OK;
}

void log_cursor_free(struct log_cursor *cursor)
{
    if (!cursor)
        return;
    if (cursor->fd >= 0)
        close(cursor->fd);
    close(cursor->folder);
    free(cursor->name);
    free(cursor->old_name);
    free(cursor);
}
