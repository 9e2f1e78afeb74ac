#include "auth/auth_api.h"

#include <string.h>

#include "auth/assignment_store.h"
#include "auth/directory.h"
#include "auth/jwt.h"
#include "auth/object.h"
#include "auth/role_store.h"
#include "auth/tenant.h"
#include "core/migrate.h"

static enum fault keys_get(struct call *c)
{
    reply_header(c, "cache-control", "public, max-age=3600");
    return reply_bytes(c, 200, "application/json; charset=utf-8", BYTES(jwt_jwks(&c->op)));
}

static const struct route routes[] = {
    {GET,       "/.well-known/jwks.json", 0, CALL, keys_get,
     "the keys that tokens are signed with (JWKS)"},
    {GET,        "/discovery/keys", 0, CALL, keys_get, "the same, where Entra ID has it"},
    {0},
};

static enum fault start(struct op *op, const struct settings *settings)
{
    object_store_start();
    role_store_start();
    assignment_store_start();
    directory_store_start();
    directory_listen();
    TRY(jwt_start(op));
    TRY(tenant_start(op, settings));
    return directory_reload(op);
}

static void stop(void)
{
    directory_stop();
    jwt_stop();
}

const struct service auth_service = {
    .name = "auth",
    .routes = routes,
    .migrations = auth_migrations,
    .schema = "auth",
    .ahead = jwt_make_ahead,
    .start = start,
    .stop = stop,
};
