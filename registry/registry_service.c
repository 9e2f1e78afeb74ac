#include "registry/registry_service.h"

#include "core/migrate.h"
#include "registry/access.h"
#include "registry/blob.h"
#include "registry/collect.h"
#include "registry/first_start.h"
#include "registry/hot.h"
#include "registry/import.h"
#include "registry/manifest.h"
#include "registry/oci_dialect.h"
#include "registry/pulls.h"
#include "registry/registry_store.h"
#include "registry/registry_token.h"
#include "registry/repository.h"
#include "registry/retention.h"
#include "registry/tag.h"
#include "registry/traffic.h"
#include "registry/upload.h"
#include "registry/webhook.h"

static enum fault start(struct op *op, const struct settings *settings)
{
    registry_settings = settings;
    registry_store_start();
    scope_map_store_start();
    registry_token_store_start();
    webhook_store_start();
    import_store_start();
    import_hidden_start();
    repository_store_start();
    blob_store_start();
    upload_store_start();
    manifest_store_start();
    tag_store_start();
    collect_store_start();
    retention_store_start();
    pulls_start();
    hot_start();
    TRY(blob_store_open(op, settings->blobs));
    registry_listen();
    registry_token_listen();
    TRY(registry_reload(op));
    TRY(first_start(op, settings));
    webhook_start(); /* the collector and imports have events to send */
    collect_start();
    import_run();
    return OK;
}

static void stop(void)
{
    import_stop();
    collect_stop();
    webhook_stop();
    registry_token_stop();
    traffic_stop();
    registry_stop();
}

static void metrics(struct op *op, struct text *out)
{
    (void)op;
    collect_metrics(out);
}

const struct service registry_service = {
    .name = "registry",
    .routes = registry_routes,
    .dialect = &oci_dialect,
    .migrations = registry_migrations,
    .schema = "registry",
    .owns_host = registry_owns_host,
    .authorise = registry_authorise,
    .decorate = registry_decorate,
    .start = start,
    .stop = stop,
    .metrics = metrics,
};
