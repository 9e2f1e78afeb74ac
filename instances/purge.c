#include "instances/purge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/helper.h"
#include "instances/network.h"
#include "instances/network_host.h"
#include "instances/sandbox.h"

/* serve's own lock. DIR without one has never been served. */
static enum fault hold_folder(struct op *op, const struct settings *settings, int *ret_fd)
{
    const char *path = arena_printf(&op->arena, "%s/lock", settings->data);

    *ret_fd = open(path, O_RDWR | O_CLOEXEC);
    if (*ret_fd < 0)
        return fail(op, NOT_FOUND, "%s is no data folder that was in use: %s", settings->data,
                    strerror(errno));
    if (flock(*ret_fd, LOCK_EX | LOCK_NB))
        return fail(op, CONFLICT, "a sundog serves %s: stop it first", settings->data);
    return OK;
}

static enum fault remove_all(struct op *op, const struct settings *settings, size_t *ret_n)
{
    const char **ids = NULL;
    size_t n = 0;

    TRY(sandbox_start(op, settings));
    TRY(sandbox_list(op, &ids, &n));
    for (size_t i = 0; i < n; i++)
        TRY(sandbox_delete(op, ids[i]));
    TRY(helper_call(op, "network.end-all", NULL, NULL, 0, NULL));
    TRY(helper_call(op, "network.down", NULL, NULL, 0, NULL));
    *ret_n = n;
    return OK;
}

enum fault purge_all(struct op *op, const struct settings *settings)
{
    enum fault fault;
    size_t n;

    if (!helper_is_root())
        return OK;
    fault = remove_all(op, settings, &n);
    sandbox_stop();
    return fault;
}

static enum fault purge(struct op *op, const struct settings *settings)
{
    AUTO_CLOSE int lock = -1;
    enum fault fault;
    size_t n;

    if (geteuid() != 0)
        return fail(op, UNSUPPORTED, "containers are root's to remove: use sudo");
    TRY(hold_folder(op, settings, &lock));
    sandbox_register();
    network_register();
    TRY(helper_start(op, settings));
    fault = remove_all(op, settings, &n);
    if (fault == OK)
        printf("sandboxes removed: %zu\n", n);
    sandbox_stop();
    helper_stop();
    return fault;
}

int purge_run(struct settings *settings)
{
    struct op op;
    enum fault fault;

    op_init(&op);
    fault = purge(&op, settings);
    if (fault != OK)
        fprintf(stderr, "sundog: %s\n", op.message ? op.message : fault_name(fault));
    op_free(&op);
    return fault == OK ? 0 : 1;
}
