/*
 * From a layer's blob to a tree of files: decompression (unpack_stream.c), the archive's entries
 * (unpack.c) and what they become (unpack_tree.c). All of it works below one folder's descriptor
 * and needs no paths of the host; layer.c runs it in a process that can reach nothing else.
 *
 * OCI image-spec v1.1, "Image Layer Filesystem Changeset": whiteouts become what overlayfs takes
 * for them, so a tree depends on its own layer only.
 */
#ifndef SUNDOG_INSTANCES_UNPACK_H
#define SUNDOG_INSTANCES_UNPACK_H

#include <limits.h>
#include <sys/stat.h>

#include "core/op.h"

/* ---- the bytes ---- */

struct unpack_stream;
/* gzip (of several members, too), zstd or neither, by the first bytes. kind of hash: diff_id's.
   bytes_max: of what comes out. The stream lives in op's arena. */
enum fault unpack_stream_open(struct op *op, int fd, const char *diff_id, int64_t bytes_max,
                              struct unpack_stream **ret);
/* The next piece, valid until the next call; empty at the end. INVALID: damaged, or too long. */
enum fault unpack_stream_read(struct op *op, struct unpack_stream *stream, struct bytes *ret);
/* "sha256:…" of all that came out so far. */
const char *unpack_stream_digest(struct op *op, const struct unpack_stream *stream);

/* ---- the tree ---- */

struct unpack_mark {
    const char *path; /* "" is the root */
    struct timespec mtime;
};
struct unpack_marks {
    struct unpack_mark *marks;
    size_t n, cap;
};
/* Where things are put: a folder, and the last folder that was looked up in it. */
struct unpack_tree {
    int root;
    bool owners;   /* set them: we are root */
    int parent_fd; /* of parent; -1: none. root itself is not kept here */
    char parent[PATH_MAX];
    struct unpack_marks folders; /* times, set when nothing comes into them any more */
    struct unpack_marks opaque;  /* folders that hide what lower layers have in them */
};
struct unpack_entry {
    const char *path; /* cleaned: relative, no "..", "" is the root */
    mode_t mode;      /* with its kind */
    uid_t uid;
    gid_t gid;
    dev_t device;
    struct timespec mtime;
    const char *target; /* of a symbolic link; of a hard link: cleaned */
};

/* "./a//b/../c" and "/a/c" → "a/c", into PATH_MAX bytes at ret. INVALID: it leaves the root. */
enum fault unpack_clean(struct op *op, const char *name, char *ret);
/* A name for messages. */
const char *unpack_printable(struct op *op, const char *name);
/*
 * Make it, in place of what an earlier entry of the same name was. A regular file: *ret_fd is open
 * for its bytes, and unpack_finish_file sets the rest. INVALID: below a file, through a link that
 * leaves the root, a hard link to nothing; UNAVAILABLE: the disk is full.
 */
enum fault unpack_put(struct op *op, struct unpack_tree *tree, const struct unpack_entry *entry,
                      int *ret_fd);
enum fault unpack_put_hard_link(struct op *op, struct unpack_tree *tree,
                                const struct unpack_entry *entry);
/* ".wh.x", ".wh..wh..opq": *ret_was is false for any other name. */
enum fault unpack_put_whiteout(struct op *op, struct unpack_tree *tree,
                               const struct unpack_entry *entry, bool *ret_was);
enum fault unpack_put_xattr(struct op *op, struct unpack_tree *tree,
                            const struct unpack_entry *entry, int fd, const char *name,
                            struct bytes value);
enum fault unpack_finish_file(struct op *op, const struct unpack_tree *tree,
                              const struct unpack_entry *entry, int fd);
/* The times of folders. */
enum fault unpack_finish(struct op *op, struct unpack_tree *tree);
void unpack_tree_close(struct unpack_tree *tree);
/* Open something below root by its cleaned path, through no link. -1: errno. */
int unpack_open(int root, const char *path, int flags);
/* Remove name and all below it, however deep. 0, or -1 with errno. */
int unpack_remove(int parent, const char *name);

/* ---- all of it ---- */

struct unpack_limits {
    int64_t bytes, entries;
    int64_t reserve; /* bytes the disk must keep free */
};
/*
 * Unpack into root, an empty folder. INVALID: no archive, a name that leaves the root, or the
 * bytes' hash is not diff_id; UNAVAILABLE: no room. *ret_opaque: folders (cleaned paths) that the
 * caller, who may set trusted.* attributes, is to mark. What is there after a fault is the caller's
 * to remove.
 */
enum fault unpack_layer(struct op *op, int blob, const char *diff_id,
                        const struct unpack_limits *limits, int root,
                        struct unpack_marks *ret_opaque);

#endif
