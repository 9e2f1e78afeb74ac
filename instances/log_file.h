/*
 * Containers' logs: DIR/sandboxes/<id>/logs/<container>.<attempt>.log, written by the supervisor,
 * one line each: "2026-11-21T12:00:00.123456789Z stdout F text", P instead of F for a piece of a
 * line that goes on (the CRI format). At its limit a file becomes <name>.log.1, and a new one
 * begins.
 */
#ifndef SUNDOG_INSTANCES_LOG_FILE_H
#define SUNDOG_INSTANCES_LOG_FILE_H

#include "core/op.h"

struct log_query {
    int64_t tail;       /* lines from the end; -1: all */
    int64_t since_us;   /* Unix time; 0: from the start */
    int64_t bytes_max;  /* the last so many; 0: all */
    bool timestamps;    /* put each line's before it */
    const char *stream; /* "stdout", "stderr"; NULL: both */
};
/* What was printed, put together again. Empty when there is none. */
enum fault log_read(struct op *op, const char *sandbox, const char *container, int64_t attempt,
                    const struct log_query *query, struct bytes *ret);

/* Following: where one has read to; survives rotation. */
struct log_cursor;
/* query.bytes_max and tail say where to begin. The caller's until log_cursor_free. */
enum fault log_cursor_new(struct op *op, const char *sandbox, const char *container,
                          int64_t attempt, const struct log_query *query, struct log_cursor **ret);
/* What has come since, at most some 64 KiB; empty: nothing. Never blocks. */
enum fault log_cursor_read(struct op *op, struct log_cursor *cursor, struct bytes *ret);
void log_cursor_free(struct log_cursor *cursor);

#endif
