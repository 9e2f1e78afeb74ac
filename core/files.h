/* Files that are on the disk when the function returns. */
#ifndef SUNDOG_CORE_FILES_H
#define SUNDOG_CORE_FILES_H

#include "core/op.h"

/* Write a new file (0600), or over an old one, and sync it. INTERNAL names the path. */
enum fault file_write(struct op *op, const char *path, struct bytes data);
/* Make a folder's entries durable. UNAVAILABLE when the disk is full, else INTERNAL. */
enum fault folder_sync(struct op *op, const char *path);
/* Remove the folder name in at (AT_FDCWD: a path) with all in it, however deep, following nothing.
   Not there: OK. */
enum fault folder_remove(struct op *op, int at, const char *name);

#endif
