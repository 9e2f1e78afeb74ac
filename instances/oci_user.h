/* Who a container's process is: names are looked up in its own /etc/passwd and /etc/group. */
#ifndef SUNDOG_INSTANCES_OCI_USER_H
#define SUNDOG_INSTANCES_OCI_USER_H

#include "core/op.h"

#define OCI_GROUPS_MAX 256

struct oci_user {
    int64_t uid, gid;
    int64_t groups[OCI_GROUPS_MAX]; /* further ones */
    size_t n_groups;
    const char *home; /* never NULL */
};

/* As an image's config says it: "", "1000", "1000:1000", "app", "app:www"; run_as_… (-1: not
   given) go over it. root: the container's file system. INVALID: there is no such user or group. */
enum fault oci_user_find(struct op *op, int root, const char *user, int64_t run_as_user,
                         int64_t run_as_group, struct oci_user *ret);

#endif
