/* A sandbox's volumes, as its supervisor makes them: each appears at RUN/s/<id>/v/<name>, in the
   supervisor's mount namespace, and ends with that unless it is a share. */
#ifndef SUNDOG_INSTANCES_VOLUME_H
#define SUNDOG_INSTANCES_VOLUME_H

#include "instances/sandbox_pod.h"

struct volume_place {
    int data;        /* DIR */
    int folder;      /* DIR/sandboxes/<id> */
    const char *run; /* RUN/s/<id> */
    int run_fd;
    const struct pod_spec *pod; /* NULL: a container group's */
};
enum fault volumes_make(struct op *op, const struct volume_place *place,
                        const struct sandbox_spec *spec);
/* A volume, or what is at sub_path in it (made, as a folder, when it is not there), opened: no
   link is followed out of it, whatever containers have put there. NOT_FOUND: no such volume. */
enum fault volume_open(struct op *op, const char *run, const char *name, const char *sub_path,
                       int *ret_fd);

#endif
