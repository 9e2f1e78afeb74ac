/*
 * What clusters use and hold, once a minute to meters (core/meter.h) of the managed cluster: of
 * each node "node_cpu_usage_millicores" and "node_memory_working_set_bytes" (dimensions
 * node/nodepool), and counts: "kube_node_status_condition" (condition/status/node),
 * "kube_pod_status_phase" (phase/namespace), "kube_pod_status_ready" (condition/namespace).
 */
#ifndef SUNDOG_CLUSTERS_CLUSTER_METERS_H
#define SUNDOG_CLUSTERS_CLUSTER_METERS_H

void cluster_meters_start(void);
void cluster_meters_stop(void);
/* It has just been opened. */
void cluster_meters_look(const char *uid);

#endif
