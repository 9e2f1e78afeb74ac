/*
 * Folders as root touches them: DIR belongs to the server's user, which root does not trust, so
 * every step down is opened, never followed, and must be root's.
 */
#ifndef SUNDOG_INSTANCES_SANDBOX_FOLDER_H
#define SUNDOG_INSTANCES_SANDBOX_FOLDER_H

#include <sys/types.h>

#include "core/op.h"

/* An absolute path of an administrator's choice: its own links are followed. O_PATH | O_DIRECTORY
 */
enum fault folder_open(struct op *op, const char *path, int *ret_fd);
/* The folder name in at: root's, no link. mode 0: NOT_FOUND when it is not there; else it is made,
   with that mode and group. */
enum fault folder_enter(struct op *op, int at, const char *name, mode_t mode, gid_t gid,
                        int *ret_fd);
/* Several of them: "sandboxes", "web", NULL. */
enum fault folder_descend(struct op *op, int at, const char *const *names, mode_t mode, gid_t gid,
                          int *ret_fd);
/* What is in it, but "." and "..". UNAVAILABLE: it cannot be read. */
enum fault folder_names(struct op *op, int folder, const char ***ret, size_t *ret_n);
/* What a path means inside root (a container's file system or a volume): links stay within.
   Returns a descriptor, or -1 with errno. flags as open's. */
int open_inside(int root, const char *path, int flags);
/* The same, but links that lead out of root are errors: EXDEV. */
int open_beneath(int root, const char *path, int flags);
/* The same without any link; folders are made where none are (0777 &~ umask). */
enum fault folder_make_inside(struct op *op, int root, const char *path, int *ret_fd);
/* A path to what fd is, for calls that take none: "/proc/self/fd/5". */
const char *fd_path(struct op *op, int fd);
enum fault folder_write(struct op *op, int at, const char *name, struct bytes content, mode_t mode);

#endif
