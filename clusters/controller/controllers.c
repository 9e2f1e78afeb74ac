/* The table of controllers. A further one is one more file and one more line here. */
#include "clusters/controller/controllers.h"

const struct controller *const controllers[] = {
    &deployment_controller,
    &replica_set_controller,
    NULL,
};
