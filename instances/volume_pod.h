/* The volumes that only pods have, as their supervisors make them. Called by volume.c. */
#ifndef SUNDOG_INSTANCES_VOLUME_POD_H
#define SUNDOG_INSTANCES_VOLUME_POD_H

#include "instances/volume.h"

/* Memory at target with the files; volume_atomic_write replaces them. */
enum fault volume_atomic_make(struct op *op, const struct volume_spec *volume, const char *target);
/* By the supervisor's child, later. NOT_FOUND: no such volume. */
enum fault volume_atomic_write(struct op *op, const char *run, const struct volume_spec *volume);
/* A path of the node's file system, at the name of the volume in folder (RUN/s/<id>/v), which is
   target. INVALID, in kubelet's words: it is not of the type asked for. */
enum fault volume_node_make(struct op *op, const struct volume_place *place, int folder,
                            const struct volume_spec *volume, const char *target);

#endif
