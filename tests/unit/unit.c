#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/core_api.h"
#include "core/files.h"
#include "core/helper.h"
#include "core/migrate.h"
#include "core/seal.h"
#ifdef UNIT_ALL
#include "api/api_service.h"
#include "auth/auth_api.h"
#include "clusters/clusters_service.h"
#include "instances/instances_service.h"
#include "registry/registry_service.h"
#endif

const struct service *const unit_services[] = {
    &core_service,
#ifdef UNIT_ALL
    &auth_service, &registry_service, &instances_service, &clusters_service, &api_service,
#endif
    NULL,
};

static char folder[128];
static struct settings settings;
static const char *conninfo;
static struct op start_op; /* conninfo lives in it */
static struct db *connection;

static void check(enum fault fault, const char *what)
{
    if (fault == OK)
        return;
    fprintf(stderr, "%s: %s\n", what, start_op.message);
    unit_stop();
    exit(1);
}

void unit_start(void)
{
    const char *base = getenv("SUNDOG_TEST_RUN");
    char *argv[] = {"--data", NULL, "--pg-fast-init", "--user", NULL, NULL};

    snprintf(folder, sizeof(folder), "%s/unit.XXXXXX", base ? base : "/tmp");
    op_init(&start_op);
    if (!mkdtemp(folder) || chmod(folder, 0755) < 0)
        check(fail(&start_op, INTERNAL, "no folder"), folder);
    argv[1] = arena_printf(&start_op.arena, "%s/data", folder);
    argv[4] = getpwnam("sundog") ? "sundog" : "nobody";
    check(settings_load(&start_op, &settings, 5, argv), "settings");
    helper_register(unit_helper_calls);
    for (const struct service *const *p = unit_services; *p; p++)
        if ((*p)->prepare)
            (*p)->prepare();
    check(helper_start(&start_op, &settings), "helper");
}

void unit_stop(void)
{
    if (connection)
        db_close(connection);
    connection = NULL;
    helper_stop();
    settings_free(&settings);
    (void)folder_remove(&start_op, AT_FDCWD, folder);
    op_free(&start_op);
}

const char *unit_folder(void)
{
    return folder;
}

const struct settings *unit_settings(void)
{
    return &settings;
}

const char *unit_database(void)
{
    if (conninfo)
        return conninfo;
    check(helper_postgres_start(&start_op, &conninfo), "PostgreSQL");
    check(seal_load(&start_op, arena_printf(&start_op.arena, "%s/secret.key", folder), true),
          "key");
    db_configure(conninfo, false);
    connection = db_open();
    start_op.db = connection;
    check(migrate(&start_op, unit_services), "migrations");
    check(db_check(&start_op), "statements");
    return conninfo;
}

void unit_op(struct op *op)
{
    unit_database();
    op_init(op);
    op->db = connection;
}

void unit_op_end(struct op *op)
{
    db_op_ended(op);
    op_free(op);
}
