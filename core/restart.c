#include "core/restart.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM  "/proc/self/exe"
#define VARIABLE "SUNDOG_HANDED_ON"
#define TEXT_MAX 2048

static int given_argc;
static char **given_argv;

void restart_remember(int argc, char **argv)
{
    given_argc = argc;
    given_argv = argv;
}

enum fault restart_check(struct op *op)
{
    struct settings again = {0};
    enum fault fault;
    struct op scratch;

    if (!given_argv || access(PROGRAM, X_OK) < 0)
        return fail_on(op, "NotSupported", UNSUPPORTED,
                       "The program cannot be started again by its own user.");
    op_init(&scratch);
    fault = settings_load(&scratch, &again, given_argc - 2, given_argv + 2);
    if (fault != OK)
        fail_on(op, "NotSupported", UNSUPPORTED, "The settings cannot be read again: %s",
                scratch.message);
    settings_free(&again);
    op_free(&scratch);
    return fault == OK ? OK : UNSUPPORTED;
}

static void keep_open(int fd)
{
    fcntl(fd, F_SETFD, 0);
}

void restart_now(const struct handed *handed)
{
    struct op op;
    struct text text;

    op_init(&op);
    text_init(&text, &op.arena, TEXT_MAX);
    text_printf(&text, "%d %d %d %d %zu", (int)getpid(), handed->helper_fd, (int)handed->helper_pid,
                handed->lock_fd, handed->n_sockets);
    keep_open(handed->helper_fd);
    keep_open(handed->lock_fd);
    for (size_t i = 0; i < handed->n_sockets; i++) {
        keep_open(handed->sockets[i].fd);
        text_printf(&text, " %d %d", handed->sockets[i].fd, handed->sockets[i].tls);
    }
    text_printf(&text, " %s", handed->lacks ? handed->lacks : "");
    if (setenv(VARIABLE, text.data, 1) == 0)
        execv(PROGRAM, given_argv);
    op_free(&op);
}

/* The next number; false when there is none. */
static bool number(char **at, long *ret)
{
    char *end;

    errno = 0;
    *ret = strtol(*at, &end, 10);
    if (errno || end == *at)
        return false;
    *at = end;
    return true;
}

/* What an environment says is believed of this very process only. */
static bool parse(struct op *op, char *at, struct handed *ret)
{
    long pid, helper_fd, helper_pid, lock_fd, n, fd, tls;

    if (!number(&at, &pid) || pid != getpid() || !number(&at, &helper_fd) ||
        !number(&at, &helper_pid) || !number(&at, &lock_fd) || !number(&at, &n) || n < 0 ||
        n > 2 * LISTEN_MAX)
        return false;
    *ret = (struct handed){.helper_fd = (int)helper_fd,
                           .lock_fd = (int)lock_fd,
                           .helper_pid = (pid_t)helper_pid,
                           .n_sockets = (size_t)n};
    for (size_t i = 0; i < ret->n_sockets; i++) {
        if (!number(&at, &fd) || !number(&at, &tls))
            return false;
        ret->sockets[i].fd = (int)fd;
        ret->sockets[i].tls = tls != 0;
        fcntl((int)fd, F_SETFD, FD_CLOEXEC);
    }
    fcntl(ret->helper_fd, F_SETFD, FD_CLOEXEC);
    fcntl(ret->lock_fd, F_SETFD, FD_CLOEXEC);
    ret->lacks = at[0] == ' ' && at[1] ? arena_strdup(&op->arena, at + 1) : NULL;
    return true;
}

bool restart_handed(struct op *op, struct handed *ret)
{
    const char *given = getenv(VARIABLE);
    bool handed = given && parse(op, arena_strdup(&op->arena, given), ret);

    unsetenv(VARIABLE);
    return handed;
}
