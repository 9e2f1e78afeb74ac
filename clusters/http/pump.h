/*
 * Two threads that move bytes between descriptors, logs and clients' streams: one for exec, attach
 * and port-forward, one for what reads logs. What is to be moved is a pump: its step does all that
 * can be done without waiting, and is run again when a descriptor it watches is ready, when
 * somebody wakes it, or at its time. So a thousand sessions cost no thread each.
 */
#ifndef SUNDOG_CLUSTERS_HTTP_PUMP_H
#define SUNDOG_CLUSTERS_HTTP_PUMP_H

#include "clusters/cluster.h"

enum pump_thread { PUMP_BYTES, PUMP_LOGS, PUMP_THREADS };

struct pump {
    /* On its thread. False: it is over and is never run again. */
    bool (*step)(struct pump *pump);
    void (*free)(struct pump *pump); /* nobody holds it; any thread */
    enum pump_thread thread;
    struct cluster *cluster; /* NULL: none; held until free (the caller of pump_start has it) */
    atomic_bool ending;      /* its cluster or the server stops: end now */
    int64_t at_ms;           /* its own: step again then, at the latest; 0: no */
    /* pump.c's */
    atomic_int refs;
    struct pump *next, **link, *next_ready;
    bool ready;
};
struct pump_fd {
    int fd; /* -1: closed */
    uint32_t events;
};

/* Step it from now on. The caller has one reference, the thread another. */
void pump_start(struct pump *pump);
void pump_wake(struct pump *pump); /* any thread, also when it is over */
void pump_hold(struct pump *pump);
void pump_release(struct pump *pump);
/* Takes fd, which may be -1; from now on it does not block. */
struct pump_fd pump_take(int fd);
/* In its step: wait for events (EPOLLIN, EPOLLOUT; 0: none). */
void pump_watch(struct pump *pump, struct pump_fd *fd, uint32_t events);
void pump_close(struct pump *pump, struct pump_fd *fd);

/* All of a cluster's, or (NULL) all, are to end; returns at once. */
void pumps_end(struct cluster *cluster);
/* End all, then the threads. */
void pumps_stop(void);

#endif
