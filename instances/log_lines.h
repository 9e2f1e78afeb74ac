/* Log files as bytes: what log_file.c reads of them. The two files of a log, before and after its
   last rotation, are one here. */
#ifndef SUNDOG_INSTANCES_LOG_LINES_H
#define SUNDOG_INSTANCES_LOG_LINES_H

#include "instances/log_file.h"

#define LOG_HEAD_LEN 40 /* "2026-11-21T12:00:00.123456789Z stdout F " */
#define LOG_TIME_LEN 30
#define LOG_LINE_MAX (LOG_HEAD_LEN + ((size_t)16 << 10) + 2)

struct log_lines {
    int fd[2]; /* old, now; -1: none */
    int64_t size[2];
    /* a piece of them, kept */
    char *block;
    int64_t block_at;
    size_t block_len;
};
/* name in folder ("app.0.log"); none there: empty. log_lines_close. */
enum fault log_lines_open(struct op *op, int folder, const char *name, struct log_lines *ret);
void log_lines_close(struct log_lines *lines);
int64_t log_lines_size(const struct log_lines *lines);
size_t log_lines_read(const struct log_lines *lines, int64_t at, char *data, size_t len);
/* Where to begin so that tail lines and bytes_max bytes of output remain. over: begin with the line
   that goes over bytes_max, not behind it. */
int64_t log_lines_begin(struct op *op, struct log_lines *lines, const struct log_query *query,
                        bool over);

/* Turns lines into output. Zeroed at first; what it says lives as long as it. */
struct log_output {
    const char *stream; /* NULL: both */
    bool timestamps;
    char since[LOG_TIME_LEN + 1]; /* "": all */
    bool within[2];               /* stdout, stderr: in the middle of a line */
};
void log_output_init(struct log_output *output, const struct log_query *query);
/* Of len bytes those that whole lines make; returns how many that was. */
size_t log_output_add(struct log_output *output, const char *data, size_t len, struct text *text);

#endif
