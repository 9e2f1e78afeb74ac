/* What every host answers: health, metrics, our CA's certificate. */
#include "core/core_api.h"

#include <string.h>

#include "core/db.h"
#include "core/meter.h"
#include "core/metrics.h"
#include "core/migrate.h"
#include "core/server.h"
#include "core/tls.h"
#include "core/trace.h"

#define METRICS_MAX ((size_t)4 << 20)

static enum fault healthz(struct call *c)
{
    return reply_bytes(c, 200, "text/plain; charset=utf-8", BYTES("ok\n"));
}

static enum fault readyz(struct call *c)
{
    if (!server_ready())
        return fail(&c->op, UNAVAILABLE, "starting or ending");
    TRY(db_check(&c->op));
    return reply_bytes(c, 200, "text/plain; charset=utf-8", BYTES("ready\n"));
}

static enum fault metrics(struct call *c)
{
    struct text out;

    text_init(&out, &c->op.arena, METRICS_MAX);
    metrics_write(&c->op, &out);
    return reply_bytes(c, 200, "text/plain; version=0.0.4; charset=utf-8", text_bytes(&out));
}

static enum fault ca_pem(struct call *c)
{
    return reply_bytes(c, 200, "application/x-pem-file", BYTES(tls_ca_pem()));
}

static const struct route routes[] = {
    {GET,                     "/healthz", 0, CALL, healthz, "the process answers", .from_memory = healthz},
    {GET,                      "/readyz", 0, CALL, readyz, "requests may come and the database answers"},
    {GET,                "/metrics", 0, CALL, metrics, "numbers in Prometheus text format"},
    {GET, "/ca.pem", 0, CALL, ca_pem, "the certificate of this Sundog's CA"},
    {0                    },
};

static enum fault start(struct op *op, const struct settings *settings)
{
    (void)op;
    trace_start();
    meters_start(settings->metrics_keep_s);
    return OK;
}

static void own_metrics(struct op *op, struct text *out)
{
    (void)op;
    meters_metrics(out);
}

const struct service core_service = {
    .name = "core",
    .schema = "core",
    .routes = routes,
    .migrations = core_migrations,
    .start = start,
    .stop = trace_stop,
    .metrics = own_metrics,
};
