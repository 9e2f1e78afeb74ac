/*
 * What sandboxes of Kubernetes pods have besides (sandbox.h): the network of their cluster,
 * kubelet's kinds of volumes, connections into them. Rules as there: any thread that may block, no
 * op->db.
 */
#ifndef SUNDOG_INSTANCES_SANDBOX_POD_H
#define SUNDOG_INSTANCES_SANDBOX_POD_H

#include "instances/sandbox.h"

struct sandbox_sysctl {
    const char *name, *value; /* one of sandbox_sysctl_safe */
};
/* Besides, the containers of a pod have IPC, host name and /dev/shm in common. */
struct pod_spec {
    /* eth0 is at the bridge of this cluster's namespace (which is there: cluster_network_up), with
       spec.addresses (prefix 32: all goes by spec.gateway) instead of at spec.bridge */
    const char *cluster;
    const char *node;       /* whose file system VOLUME_NODE is of: ^[a-z0-9][a-z0-9.-]{0,62}$ */
    bool host_network;      /* in the cluster's namespace itself: spec.addresses are not used */
    bool share_processes;   /* containers see each other's processes */
    const char *hosts_file; /* the whole of /etc/hosts; NULL: of spec.hosts, as elsewhere */
    const struct sandbox_sysctl *sysctls;
    size_t n_sysctls;
};
/* kubelet's list of safe ones: others are refused (its reason: SysctlForbidden). */
bool sandbox_sysctl_safe(const char *name);

/* Replace what a VOLUME_ATOMIC holds, at once: containers see all of the old files or all of the
   new (name → ..data/name, ..data → ..<time>). The same files again: nothing changes. NOT_FOUND: no
   such volume. */
enum fault sandbox_files(struct op *op, const char *id, const struct volume_spec *volume);

/* A TCP connection made in the sandbox's namespace, to an IPv4 address; address NULL: 127.0.0.1.
   Non-blocking, the caller's. UNAVAILABLE with the reason: "connection refused", "i/o timeout". */
enum fault sandbox_dial(struct op *op, const char *id, const char *address, int port,
                        int64_t timeout_ms, int *ret_fd);

struct container_limits {
    int64_t memory_bytes, cpu_millis, cpu_shares; /* -1: as it is; 0: none */
};
/* While it runs; name NULL: the sandbox's own. INVALID: less memory than is in use. */
enum fault container_resize(struct op *op, const char *sandbox, const char *name,
                            const struct container_limits *limits);

/* A node's file system, DIR/nodes/<cluster>/<node>, which outlives its pods; node NULL: those of
   all nodes of the cluster. No sandbox may be using it. */
enum fault sandbox_node_remove(struct op *op, const char *cluster, const char *node);

#endif
