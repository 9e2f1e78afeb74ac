/* Copying trees of files: backups, and the blobs of saved states. */
#ifndef SUNDOG_CORE_COPY_H
#define SUNDOG_CORE_COPY_H

#include <sys/types.h>

#include "core/op.h"

/* How, and what was copied. */
struct copy {
    struct op *op;
    bool link; /* hard links where they go: blobs never change */
    bool give; /* to uid and gid */
    /* No copies at all, nothing is said, what is there already stays, and who asks makes it durable
       (syncfs). */
    bool only_link;
    uid_t uid;
    gid_t gid;
    int64_t files, bytes, said_ms;
};

/* A new one, durable. UNAVAILABLE. */
enum fault copy_file(struct copy *copy, const char *from, const char *to);
/* All but what begins with a dot; what goes away meanwhile is left out. */
enum fault copy_tree(struct copy *copy, const char *from, const char *to);
/* Only what is content, of a folder of blobs: uploads under way are nothing without their rows. */
enum fault copy_blobs(struct copy *copy, const char *from, const char *to);

#endif
