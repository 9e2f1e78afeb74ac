/*
 * The node agent: kubelet's part for all nodes of a cluster, on sandboxes (instances/sandbox.h). It
 * listens to pods that are bound to its nodes, makes them true, reports their status, keeps nodes'
 * status and leases fresh.
 */
#ifndef SUNDOG_CLUSTERS_NODE_NODE_AGENT_H
#define SUNDOG_CLUSTERS_NODE_NODE_AGENT_H

#include "clusters/rest/rest.h"
#include "instances/sandbox.h"

struct node_spec {        /* what a pool says about its nodes */
    const char *name;     /* aks-nodepool1-12345678-vmss000000 */
    const char *pod_cidr; /* 10.244.0.0/24 */
    const char *address;  /* on the uplink */
    int64_t cpu_millis, memory_bytes, max_pods;
    const json_t *labels; /* all of them */
    const json_t *taints; /* a list */
};

void node_agents_start(void);
void node_agents_stop(void);
/* Find what runs from before, listen. Nodes follow by node_agent_nodes. */
enum fault node_agent_open(struct op *op, struct cluster *cluster);
/* Forget (pods run on), no step runs afterwards. */
void node_agent_close(struct cluster *cluster);
/* Stop all pods' sandboxes of this cluster, for stop and delete. */
enum fault node_agent_stop_all(struct op *op, const char *cluster_id);
/* The nodes there should be: makes Node objects of those it did not know, marks them Ready; removes
   nothing. One whose object was deleted stays away until it is not known any more. */
enum fault node_agent_nodes(struct op *op, struct cluster *cluster, const struct node_spec *nodes,
                            size_t n);
void node_agent_unknow(struct cluster *cluster, const char *node);
/* A node is no more (scaled in, deleted): its sandboxes go. */
enum fault node_agent_forget(struct op *op, struct cluster *cluster, const char *node);
/* The network was made anew: every pod's sandbox is, too. */
void node_agent_network_lost(struct cluster *cluster);

/* ---- for the API's subresources; NOT_FOUND, INVALID, UNAVAILABLE as clients see them ---- */

struct pod_log_options {
    bool follow, previous, timestamps;
    int64_t tail, limit_bytes, since_s, since_us; /* -1: not given */
    const char *stream;                           /* "stdout", "stderr"; NULL: both */
};
/* Opens the log; bytes come by pod_log_read (blocking, for a thread of the slow pool, or polled).
 */
struct pod_log;
enum fault pod_log_open(struct op *op, struct cluster *cluster, struct object *pod,
                        const char *container, const struct pod_log_options *options,
                        struct pod_log **ret);
/* Bytes into buffer, formatted as clients see them; 0: nothing now; -1: the end (of the file, or of
   the container when following). */
int64_t pod_log_read(struct op *op, struct pod_log *log, void *buffer, size_t size);
void pod_log_close(struct pod_log *log);

/* container NULL: the default one. *ret as container_exec's. */
enum fault pod_exec(struct op *op, struct cluster *cluster, struct object *pod,
                    const char *container, const char *const *command, bool terminal,
                    struct exec *ret);
/* The same for whoever comes with a WebSocket (instances/exec_session.h), in a terminal. */
struct exec_session;
enum fault pod_exec_session(struct op *op, struct cluster *cluster, struct object *pod,
                            const char *container, const char *const *command,
                            struct exec_session *ret);
/* attach: what it prints from now on comes by pod_log_open with follow; *ret_stdin -1: none. */
enum fault pod_attach_stdin(struct op *op, struct cluster *cluster, struct object *pod,
                            const char *container, bool *ret_terminal, int *ret_stdin);
/* A connection to 127.0.0.1:port inside the pod. */
enum fault pod_dial(struct op *op, struct cluster *cluster, struct object *pod, int port,
                    int *ret_fd);
void node_agents_metrics(struct text *out);

/* ---- for metrics.k8s.io ---- */

struct pod_usage {
    json_t *containers; /* [{name, usage: {cpu, memory}}] of those that run; op's arena's */
    int64_t cpu_nano, memory_bytes; /* of all; cpu: thousand-millionths of a processor */
    int64_t window_ms; /* the mean of so long: since an earlier look, or the beginning */
};
enum fault pod_usage(struct op *op, struct cluster *cluster, struct object *pod,
                     struct pod_usage *ret);
const char *usage_cpu_text(struct op *op, int64_t nano);
const char *usage_memory_text(struct op *op, int64_t bytes);

#endif
