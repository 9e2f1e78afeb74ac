/* Liveness and readiness probes of running containers: each a key of a reconciler of their own,
   which asks again and again. */
#ifndef SUNDOG_INSTANCES_PROBE_H
#define SUNDOG_INSTANCES_PROBE_H

#include "instances/group_run.h"

/* Probe what runs of this group, and no more what does not. */
void probes_sync(const struct container_group *g, const struct group_spec *spec);
void probes_forget(int64_t group_id);
void probes_start(void);
void probes_stop(void);

#endif
