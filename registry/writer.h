/*
 * Writing a big file once, in order, without the page cache: beyond its first megabytes a stream is
 * staged in an aligned buffer and written with O_DIRECT. That spares the copy into fresh pages
 * (most of an upload's processor time) and leaves the cache to what is pulled. Small files are
 * written through the cache, since they are often read again at once. Where a file system knows no
 * O_DIRECT everything goes through the cache.
 */
#ifndef SUNDOG_REGISTRY_WRITER_H
#define SUNDOG_REGISTRY_WRITER_H

#include "core/op.h"

struct writer {
    int fd;         /* borrowed */
    int64_t offset; /* of the next byte in the file */
    int64_t length; /* of the file so far, what is staged included */
    int64_t synced; /* written back early up to here, where the cache is used */
    char *staged;   /* NULL: through the cache */
    size_t fill;
    bool cached; /* O_DIRECT is not to be had */
};

void writer_init(struct writer *writer, int fd, int64_t offset);
/* UNAVAILABLE: the disk is full. */
enum fault writer_write(struct writer *writer, struct op *op, struct bytes bytes);
/* Write what is staged and make it all durable. */
enum fault writer_finish(struct writer *writer, struct op *op);
void writer_free(struct writer *writer);

#endif
