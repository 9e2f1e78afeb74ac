/*
 *~ Container instances: images (image.h, layer.h), what runs them (sandbox.h, network.h), and the
 *~ container groups made of these (group.h). Their provisioning API is api/container_group_api.c.
 */
#include "instances/instances_service.h"

#include "core/log.h"
#include "core/migrate.h"
#include "instances/exec_session.h"
#include "instances/group.h"
#include "instances/image.h"
#include "instances/layer.h"
#include "instances/network.h"
#include "instances/purge.h"
#include "instances/sandbox.h"

static void prepare(void)
{
    layer_register();
    network_register();
    sandbox_register();
}

/* A machine that cannot run containers keeps everything else: requests for groups are answered with
   the reason. */
static void start_runtime(struct op *op, const struct settings *settings)
{
    if (sandbox_start(op, settings) == OK)
        return;
    log_event(LOG_WARN_, "containers do not run here", "reason=%s",
              log_quote(&op->arena, op->message ? op->message : ""));
    container_groups_refuse(op->message);
    op_clear_fault(op);
}

static const char *const *layers_in_use(struct op *op)
{
    const char *const *layers = NULL;

    return container_group_layers(op, &layers) == OK ? layers : NULL;
}

static enum fault start(struct op *op, const struct settings *settings)
{
    TRY(image_start(op, settings));
    TRY(network_start(op, settings));
    start_runtime(op, settings);
    TRY(container_groups_start(op, settings));
    image_add_in_use(layers_in_use);
    return OK;
}

static void stop(void)
{
    exec_sessions_stop();
    container_groups_stop();
    network_stop();
    sandbox_stop();
    image_stop();
}

const struct service instances_service = {
    .name = "instances",
    .migrations = instances_migrations,
    .schema = "instances",
    .prepare = prepare,
    .start = start,
    .stop = stop,
    .end_all = purge_all,
    .lacks = sandbox_lacks,
    .metrics = container_groups_metrics,
};
