/* The table of controllers. A further one is one more file and one more line here. */
#include "clusters/controller/controllers.h"

const struct controller *const controllers[] = {
    &scheduler,
    &namespace_controller,
    &service_account_controller,
    &deployment_controller,
    &replica_set_controller,
    &replication_controller,
    &endpoints_controller,
    &endpoint_slice_controller,
    &endpoint_mirror_controller,
    &garbage_controller,
    &job_controller,
    &job_orphan_controller,
    &node_lifecycle_controller,
    &taint_controller,
    &disruption_controller,
    NULL,
};
