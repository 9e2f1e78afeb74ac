/* All controllers there are, each defined in a file of its own. */
#ifndef SUNDOG_CLUSTERS_CONTROLLER_CONTROLLERS_H
#define SUNDOG_CLUSTERS_CONTROLLER_CONTROLLERS_H

#include "clusters/controller/controller.h"

extern const struct controller deployment_controller;
extern const struct controller disruption_controller;
extern const struct controller endpoint_mirror_controller;
extern const struct controller endpoint_slice_controller;
extern const struct controller endpoints_controller;
extern const struct controller garbage_controller;
extern const struct controller job_controller;
extern const struct controller job_orphan_controller;
extern const struct controller namespace_controller;
extern const struct controller node_lifecycle_controller;
extern const struct controller replica_set_controller;
extern const struct controller replication_controller;
extern const struct controller scheduler;
extern const struct controller service_account_controller;
extern const struct controller taint_controller;

#endif
