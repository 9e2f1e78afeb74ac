#include "instances/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "instances/sandbox_folder.h"

/* When a process began, in clock ticks since boot: pid and this are never the same again. */
static long long start_time(struct op *op, pid_t pid)
{
    AUTO_CLOSE int fd =
        open(arena_printf(&op->arena, "/proc/%d/stat", (int)pid), O_RDONLY | O_CLOEXEC);
    char text[1024], *at;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (n <= 0)
        return -1;
    text[n] = '\0';
    at = strrchr(text, ')'); /* the 2nd field may hold anything; this is the 22nd */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoll(at, NULL, 10) : -1;
}

enum fault process_mark(struct op *op, int folder)
{
    return folder_write(
        op, folder, "pid",
        BYTES(arena_printf(&op->arena, "%d %lld\n", (int)getpid(), start_time(op, getpid()))),
        0640);
}

void process_unmark(int folder)
{
    (void)unlinkat(folder, "pid", 0);
}

bool process_marked(int folder)
{
    return faccessat(folder, "pid", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int process_find(struct op *op, int folder)
{
    AUTO_CLOSE int file = openat(folder, "pid", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char text[64], *rest;
    ssize_t n = file < 0 ? -1 : read(file, text, sizeof(text) - 1);
    int pidfd;
    pid_t pid;

    if (n <= 0)
        return -1;
    text[n] = '\0';
    pid = (pid_t)strtol(text, &rest, 10);
    pidfd = pid > 1 ? pidfd_open(pid, 0) : -1;
    if (pidfd >= 0 && start_time(op, pid) != strtoll(rest, NULL, 10)) {
        close(pidfd);
        pidfd = -1;
    }
    return pidfd;
}

static bool ended_within(int pidfd, int timeout_ms)
{
    struct pollfd look = {.fd = pidfd, .events = POLLIN};
    int n;

    while ((n = poll(&look, 1, timeout_ms)) < 0 && errno == EINTR)
        ;
    return n == 1;
}

void process_end(int pidfd, int term_ms, int kill_ms)
{
    if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) == 0 && ended_within(pidfd, term_ms))
        return;
    if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0)
        (void)ended_within(pidfd, kill_ms);
}

enum fault process_enter_network(struct op *op, int pidfd)
{
    if (setns(pidfd, CLONE_NEWNET) < 0)
        return fail(op, UNAVAILABLE, "cannot enter a network namespace: %s", strerror(errno));
    return OK;
}

bool process_hears(int pid, int signal)
{
    unsigned long long caught = 0, blocked = 0;
    char path[48], line[256];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    f = fopen(path, "re");
    if (!f)
        return false;
    while (fgets(line, sizeof(line), f)) {
        sscanf(line, "SigCgt: %llx", &caught);
        sscanf(line, "SigBlk: %llx", &blocked);
    }
    fclose(f);
    return (caught | blocked) >> (signal - 1) & 1;
}
