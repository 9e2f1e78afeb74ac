/* Writing containers' logs (log_file.h says what they look like). */
#ifndef SUNDOG_INSTANCES_SHIM_LOG_H
#define SUNDOG_INSTANCES_SHIM_LOG_H

#include "core/op.h"

struct log_writer {
    int folder, fd; /* fd -1: closed */
    unsigned gid;   /* who may read it */
    int64_t size, max;
    char name[96]; /* "app.0.log" */
};

/* Begins a new file. UNAVAILABLE when it cannot be made. */
enum fault log_writer_open(struct op *op, struct log_writer *writer, int folder, unsigned gid,
                           const char *container, int64_t attempt, int64_t max);
/* What was read in one go from "stdout" or "stderr", with one time stamp. A disk that is full loses
   it. */
void log_writer_write(struct log_writer *writer, const char *stream, const char *data, size_t len);
void log_writer_close(struct log_writer *writer);
/* Remove what a start that failed has begun. */
void log_writer_drop(struct log_writer *writer);

#endif
