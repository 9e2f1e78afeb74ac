#include "instances/log_lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK        ((size_t)64 << 10)
#define BLOCK_BEHIND ((size_t)48 << 10) /* what is before a place is wanted next */
#define STREAM_AT    34                 /* 'o' or 'e' */
#define TAG_AT       38

/* ---- two files ---- */

enum fault log_lines_open(struct op *op, int folder, const char *name, struct log_lines *ret)
{
    const char *old = arena_printf(&op->arena, "%s.1", name);
    struct stat st[2];

    memset(ret, 0, sizeof(*ret));
    for (int tries = 0;; tries++) {
        memset(st, 0, sizeof(st));
        ret->fd[1] = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        ret->fd[0] = openat(folder, old, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        for (int i = 0; i < 2; i++)
            if (ret->fd[i] >= 0 && fstat(ret->fd[i], &st[i]) == 0)
                ret->size[i] = st[i].st_size;
        if (ret->fd[0] < 0 || (ret->fd[1] >= 0 && st[0].st_ino != st[1].st_ino) || tries > 10)
            break;
        log_lines_close(ret); /* it was rotated just between */
    }
    ret->block = arena_alloc(&op->arena, BLOCK);
    return OK;
}

void log_lines_close(struct log_lines *lines)
{
    for (int i = 0; i < 2; i++) {
        if (lines->fd[i] >= 0)
            close(lines->fd[i]);
        lines->fd[i] = -1;
        lines->size[i] = 0;
    }
}

int64_t log_lines_size(const struct log_lines *lines)
{
    return lines->size[0] + lines->size[1];
}

size_t log_lines_read(const struct log_lines *lines, int64_t at, char *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        int64_t place = at + (int64_t)done;
        int file = place >= lines->size[0];
        int64_t offset = file ? place - lines->size[0] : place, left = lines->size[file] - offset;
        size_t want = len - done;
        ssize_t n;

        if (left <= 0)
            break;
        if ((int64_t)want > left)
            want = (size_t)left;
        n = pread(lines->fd[file], data + done, want, offset);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

/* -1: there is none. */
static int byte_at(struct log_lines *lines, int64_t at)
{
    if (at < 0 || at >= log_lines_size(lines))
        return -1;
    if (at < lines->block_at || at >= lines->block_at + (int64_t)lines->block_len) {
        lines->block_at = at > (int64_t)BLOCK_BEHIND ? at - (int64_t)BLOCK_BEHIND : 0;
        lines->block_len = log_lines_read(lines, lines->block_at, lines->block, BLOCK);
        if (at >= lines->block_at + (int64_t)lines->block_len)
            return -1;
    }
    return (unsigned char)lines->block[at - lines->block_at];
}

/* The beginning of the line whose last byte, its newline, is at end. */
static int64_t line_begin(struct log_lines *lines, int64_t end)
{
    while (end > 0 && byte_at(lines, end - 1) != '\n')
        end--;
    return end;
}

/* ---- where to begin ---- */

static bool stream_is(const char *stream, int letter)
{
    return !stream || stream[3] == letter;
}

static int64_t output_len(const struct log_query *query, int64_t len, int tag)
{
    return len - LOG_HEAD_LEN - (tag == 'P') + (query->timestamps ? LOG_TIME_LEN + 1 : 0);
}

int64_t log_lines_begin(struct op *op, struct log_lines *lines, const struct log_query *query,
                        bool over)
{
    int64_t end = line_begin(lines, log_lines_size(lines)), left = query->bytes_max, n = 0;
    bool first = true;

    (void)op;
    if (query->tail < 0 && query->bytes_max <= 0)
        return 0;
    if (query->tail == 0)
        return end;
    while (end > 0) {
        int64_t begin = line_begin(lines, end - 1);
        int tag = byte_at(lines, begin + TAG_AT);

        if (stream_is(query->stream, byte_at(lines, begin + STREAM_AT))) {
            n += tag == 'F' || first; /* a last line without its end is one, too */
            if (query->tail >= 0 && n > query->tail)
                return end;
            left -= output_len(query, end - begin, tag);
            if (query->bytes_max > 0 && left < 0)
                return over ? begin : end;
            first = false;
        }
        end = begin;
    }
    return 0;
}

/* ---- output ---- */

void log_output_init(struct log_output *output, const struct log_query *query)
{
    memset(output, 0, sizeof(*output));
    output->stream = !query->stream                         ? NULL
                     : strcmp(query->stream, "stderr") == 0 ? "stderr"
                                                            : "stdout";
    output->timestamps = query->timestamps;
    if (query->since_us > 0) {
        time_t seconds = (time_t)(query->since_us / 1000000);
        char text[96];
        struct tm tm;

        gmtime_r(&seconds, &tm);
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06d000Z",
                 (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                 tm.tm_sec, (int)(query->since_us % 1000000));
        memcpy(output->since, text, LOG_TIME_LEN);
    }
}

static void add_line(struct log_output *output, const char *line, size_t len, struct text *text)
{
    bool whole = line[TAG_AT] == 'F', *within = &output->within[line[STREAM_AT] == 'e'];

    if (!stream_is(output->stream, line[STREAM_AT]) ||
        (output->since[0] && memcmp(line, output->since, LOG_TIME_LEN) < 0))
        return;
    if (output->timestamps && !*within)
        text_add(text, line, LOG_TIME_LEN + 1);
    text_add(text, line + LOG_HEAD_LEN, len - LOG_HEAD_LEN - !whole);
    *within = !whole;
}

size_t log_output_add(struct log_output *output, const char *data, size_t len, struct text *text)
{
    size_t done = 0;

    while (done < len) {
        const char *line = data + done, *end = memchr(line, '\n', len - done);

        if (!end)
            break;
        if ((size_t)(end - line) >= LOG_HEAD_LEN)
            add_line(output, line, (size_t)(end - line) + 1, text);
        done += (size_t)(end - line) + 1;
    }
    return done;
}
