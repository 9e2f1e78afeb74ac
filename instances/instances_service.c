/*
 *~ Container instances: images (image.h, layer.h), what runs them (sandbox.h, network.h), and the
 *~ container groups made of these (group.h). Their provisioning API is api/container_group_api.c.
 */
#include "instances/instances_service.h"

#include "core/migrate.h"

const struct service instances_service = {
    .name = "instances",
    .migrations = instances_migrations,
    .schema = "instances",
};
