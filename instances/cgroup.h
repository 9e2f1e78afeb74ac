/*
 * Control groups: /sundog-<id of DIR>/<sandbox>/<container>. One adapter for both of the kernel's
 * faces: v2 (one tree) and v1 (a tree for each controller; also "hybrid", where an empty v2 tree
 * stands beside them). Everything else says a path and never sees the difference.
 */
#ifndef SUNDOG_INSTANCES_CGROUP_H
#define SUNDOG_INSTANCES_CGROUP_H

#include "instances/sandbox.h"

#define CGROUP_TREES_MAX 24

struct cgroups {
    bool v2;
    /* where the trees of v1's controllers are mounted; v2: all the same place */
    const char *memory, *cpu, *cpuacct, *pids, *freezer;
    const char *trees[CGROUP_TREES_MAX]; /* all there are: a runtime makes folders in each */
    size_t n_trees;
    const char *hidden; /* hybrid: the v2 mount, which crun must not see; else NULL */
};

struct cgroup_limits {
    int64_t memory_bytes, cpu_millis, pids; /* 0: none */
    int64_t cpu_shares;                     /* 2 … 262144, as v1 counts them; 0: 1024 */
};

/* From the text of a mountinfo; prefix stands before each mount point ("" but in tests).
   UNSUPPORTED: a controller that limits need is not mounted. */
enum fault cgroups_parse(struct op *op, const char *mountinfo, const char *prefix,
                         struct cgroups *ret);
/* Of this machine. v2: the controllers are handed down from the root, too. */
enum fault cgroups_find(struct op *op, struct cgroups *ret);

/* Make path ("/sundog-1a2b3c/web") and what is above it, with limits on it; v2: what is made in it
   has controllers, too. Memory's limit holds for memory and swap together. May be done again. */
enum fault cgroup_make(struct op *op, const struct cgroups *cg, const char *path,
                       const struct cgroup_limits *limits);
/* Change what is not -1, of what is there; 0 takes a limit away. INVALID: memory's is below what is
   in use. */
enum fault cgroup_change(struct op *op, const struct cgroups *cg, const char *path,
                         const struct cgroup_limits *limits);
/* SIGKILL for every process in path and below, also for those that fork meanwhile; when it returns
   OK none is left. UNAVAILABLE: some would not die within some seconds. */
enum fault cgroup_kill(struct op *op, const struct cgroups *cg, const char *path);
/* Remove path and all below, in every tree. None there: OK. */
enum fault cgroup_remove(struct op *op, const struct cgroups *cg, const char *path);
/* Has the kernel killed something in it for memory? */
bool cgroup_oom_killed(struct op *op, const struct cgroups *cg, const char *path);
/* NOT_FOUND: it is not there. */
enum fault cgroup_stats(struct op *op, const struct cgroups *cg, const char *path,
                        struct container_stats *ret);

/* For who looks again and again: the files stay open. */
struct cgroup_gauge {
    int memory, cpu; /* -1: not open */
    bool v2;
};
/* NOT_FOUND: it is not there. */
enum fault cgroup_gauge_open(struct op *op, const struct cgroups *cg, const char *path,
                             struct cgroup_gauge *ret);
/* False: the group has ended. */
bool cgroup_gauge_read(const struct cgroup_gauge *gauge, int64_t *ret_memory_bytes,
                       int64_t *ret_cpu_us);
void cgroup_gauge_close(struct cgroup_gauge *gauge);

#endif
