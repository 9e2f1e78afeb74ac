/*
 * How often images are pulled and pushed: each GET and PUT of a manifest that is let in, and those
 * that succeed, to meters (core/meter.h) of the registry: TotalPullCount, SuccessfulPullCount,
 * TotalPushCount, SuccessfulPushCount.
 */
#ifndef SUNDOG_REGISTRY_TRAFFIC_H
#define SUNDOG_REGISTRY_TRAFFIC_H

#include "core/call.h"

/* The answer is made. Cheap; on any thread, loops too. */
void traffic_count(const struct call *c);
void traffic_stop(void);

#endif
