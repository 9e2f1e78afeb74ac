/*
 * Starting anew in place: the same process (what watches it notices nothing) becomes the program
 * again, with the same arguments, an empty memory, and what only root could make a second time
 * handed on: the helper, the sockets, the lock of DIR. Who connects meanwhile waits a moment.
 */
#ifndef SUNDOG_CORE_RESTART_H
#define SUNDOG_CORE_RESTART_H

#include <sys/types.h>

#include "core/settings.h"

/* What goes on to the next start; the descriptors are this process's. */
struct handed {
    int helper_fd, lock_fd;
    pid_t helper_pid;
    const char *lacks; /* helper_lacks; NULL: nothing */
    size_t n_sockets;
    struct {
        int fd;
        bool tls;
    } sockets[2 * LISTEN_MAX];
};

/* main's arguments; they live as long as the process. */
void restart_remember(int argc, char **argv);
/* UNSUPPORTED: the program or its settings could not be read again. */
enum fault restart_check(struct op *op);
/* Returns only when it failed, errno says why. All threads but this one have ended. */
void restart_now(const struct handed *handed);
/* Is this process one that restart_now made? Once, at start. */
bool restart_handed(struct op *op, struct handed *ret);

#endif
