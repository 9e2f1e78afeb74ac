#include "api/api_service.h"

#include "api/activity.h"
#include "api/arm.h"
#include "api/cache.h"
#include "api/deployment.h"
#include "api/group.h"
#include "api/handlers.h"
#include "api/job.h"
#include "api/lock.h"
#include "api/operation.h"
#include "api/provider.h"
#include "api/quota.h"
#include "api/subscription.h"
#include "core/migrate.h"

static enum fault start(struct op *op, const struct settings *settings)
{
    resource_store_start();
    group_store_start();
    job_store_start();
    operation_store_start();
    deployment_store_start();
    provider_store_start();
    tag_names_start();
    cache_start();
    TRY(subscription_start(op, settings));
    TRY(lock_start(op));
    TRY(quota_start(op));
    activity_start();
    for (const struct provider *const *p = providers; *p; p++)
        if ((*p)->start)
            (*p)->start();
    for (const struct provider *const *p = providers; *p; p++)
        if ((*p)->adopt)
            TRY((*p)->adopt(op));
    group_delete_start();
    job_delete_start();
    return deployment_run_start(op, settings);
}

static void stop(void)
{
    job_delete_stop();
    group_delete_stop();
    for (const struct provider *const *p = providers; *p; p++)
        if ((*p)->stop)
            (*p)->stop();
    activity_stop();
    quota_stop();
    lock_stop();
    subscription_stop();
}

static void metrics(struct op *op, struct text *out)
{
    (void)op;
    operation_metrics(out);
    group_delete_metrics(out);
    activity_metrics(out);
}

const struct service api_service = {
    .name = "resource manager",
    .routes = api_routes,
    .dialect = &arm_dialect,
    .migrations = api_migrations,
    .schema = "api",
    .any_case = true,
    .authorise = arm_authorise,
    .decorate = arm_decorate,
    .start = start,
    .drain = deployment_run_stop,
    .stop = stop,
    .metrics = metrics,
};

/* ---- the rest ---- */

#define REST(m)                                                                                    \
    {.method = m,                                                                                  \
     .pattern = "/subscriptions/{path+}",                                                          \
     .access = ARM_SIGNED_IN,                                                                      \
     .handler = nothing_here,                                                                      \
     .body_max = ARM_BODY_MAX,                                                                     \
     .summary = "not built here: a clear error"},                                                  \
    {                                                                                              \
        .method = m, .pattern = "/providers/{path+}", .access = ARM_SIGNED_IN,                     \
        .handler = nothing_here, .body_max = ARM_BODY_MAX,                                         \
        .summary = "not built here: a clear error"                                                 \
    }

static const struct route rest_routes[] = {
    REST(GET), REST(PUT), REST(PATCH), REST(POST), REST(DELETE), {0},
};

const struct service api_rest_service = {
    .name = "resource manager, the rest",
    .routes = rest_routes,
    .dialect = &arm_dialect,
    .any_case = true,
    .authorise = arm_authorise,
    .decorate = arm_decorate,
};
