/*
 * What the container groups of this `serve` use: a thread reads the kernel's counters each
 * METER_FINE_S seconds, while something runs, and adds to meters (core/meter.h) under the group's
 * key: "CpuUsage" (thousandths of a processor) and "MemoryUsage" (bytes) of each container,
 * "NetworkBytesReceivedPerSecond" and "NetworkBytesTransmittedPerSecond" of the group.
 */
#ifndef SUNDOG_INSTANCES_GROUP_USAGE_H
#define SUNDOG_INSTANCES_GROUP_USAGE_H

#include "instances/group.h"

#define USAGE_CONTAINERS_MAX 8192 /* each holds two descriptors; further ones are not sampled */

/* UNSUPPORTED: no control groups; nothing is sampled then. */
enum fault group_usage_start(struct op *op, const char *data);
void group_usage_stop(void);
/* Those of its containers that run by their rows are sampled from now on, others no more. sandbox:
   where they run. */
void group_usage_set(struct op *op, const struct container_group *g, const char *sandbox);
void group_usage_forget(int64_t group_id);

#endif
