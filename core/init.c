#include "core/init.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int handed_on[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};

static _Noreturn void end_as(int status)
{
    _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

/* All that have ended; ends with the one that counts. */
static void reap(pid_t child)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == child)
            end_as(status);
}

static _Noreturn void look_after(pid_t child, const sigset_t *set)
{
    int got;

    for (;;) {
        if (sigwait(set, &got) != 0)
            continue;
        if (got == SIGCHLD)
            reap(child);
        else
            kill(child, got);
    }
}

void init_if_first(void)
{
    sigset_t set, before;
    pid_t child;

    if (getpid() != 1)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < sizeof(handed_on) / sizeof(*handed_on); i++)
        sigaddset(&set, handed_on[i]);
    sigprocmask(SIG_BLOCK, &set, &before); /* before the fork: none is missed */
    child = fork();
    if (child < 0) {
        fprintf(stderr, "sundog: cannot fork: %s\n", strerror(errno));
        _exit(1);
    }
    if (child > 0)
        look_after(child, &set);
    sigprocmask(SIG_SETMASK, &before, NULL);
}
