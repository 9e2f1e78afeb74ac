/*
 * A cluster's network: a namespace of its own with a bridge for pods, an uplink with addresses of
 * the host's container bridge (instances/network.h) for nodes and load balancers, nftables rules
 * for services, and DNS. Several clusters may use the same pod and service ranges: nothing of them
 * is seen outside the namespace.
 *
 *~ A process of root's (the holder) keeps the namespace and changes rules; it outlives this server,
 *~ like sandboxes' supervisors, and a new server finds it. When it dies, its pods' network is dead:
 *~ cluster_network_up makes it anew, and the node agent makes the pods' sandboxes anew.
 */
#ifndef SUNDOG_CLUSTERS_NETWORK_CLUSTER_NETWORK_H
#define SUNDOG_CLUSTERS_NETWORK_CLUSTER_NETWORK_H

#include "core/op.h"
#include "core/settings.h"

void cluster_networks_register(void); /* before helper_start */
enum fault cluster_networks_start(struct op *op, const struct settings *settings);
void cluster_networks_stop(void);

struct cluster_network;
struct cluster_network_spec {
    const char *id; /* cluster's: hex */
    const char *pod_cidr, *service_cidr, *dns_ip;
    int64_t uplink_index; /* its first address of --private-range (instances/network.h) */
};
/* Make or find it. *ret_new: it was made now (pods of before have no network). After a restart of
   the server the same holder is used again. */
enum fault cluster_network_up(struct op *op, const struct cluster_network_spec *spec,
                              struct cluster_network **ret, bool *ret_new);
/* GONE: the holder has died, and with it the network. A connection and no more: cheap. */
enum fault cluster_network_check(struct op *op, const char *id);
/* Forget it here; the holder goes on. NULL is fine. */
void cluster_network_release(struct cluster_network *network);
/* End the holder: namespace, rules, everything. Also of half of one. */
enum fault cluster_network_delete(struct op *op, const char *id);
enum fault cluster_network_list(struct op *op, const char ***ret_ids, size_t *ret_n);

/* A TCP socket that listens inside the namespace, for loops_listen (the API server for pods).
   address NULL: any. */
enum fault cluster_network_listen(struct op *op, struct cluster_network *network,
                                  const char *address, int port, int *ret_fd);
/* Connect from inside the namespace; a connected socket. UNAVAILABLE says why. */
enum fault cluster_network_dial(struct op *op, struct cluster_network *network, const char *address,
                                int port, int64_t timeout_ms, int *ret_fd);
const char *cluster_network_uplink(struct cluster_network *network); /* its first address */
/* Text of the bridge's address in the pod range (pods' gateway). */
const char *cluster_network_gateway(struct cluster_network *network);

/* ---- what the service proxy wants (all of it, each time: replaced in one transaction) ---- */

struct endpoint {
    const char *address; /* pod's, or the API server's */
    int port;
    const char *node; /* name; NULL */
};
struct service_port {
    const char *ns, *service, *port_name; /* for comments in the rule set and metrics */
    bool udp;
    int port;                       /* on cluster and load balancer addresses */
    int node_port;                  /* 0: none */
    const char *const *cluster_ips; /* NULL-terminated */
    const char *const *load_balancer_ips, *const *external_ips;
    const char *const *source_ranges;        /* load balancer's; NULL-terminated, empty: all */
    const char *const *extra_node_addresses; /* reserved: NULL */
    int64_t affinity_s;                      /* sessionAffinity ClientIP; 0: none */
    bool local_only_external, local_only_internal; /* traffic policies Local */
    const struct endpoint *endpoints;              /* ready ones; empty: refused (REJECT) */
    size_t n_endpoints;
};
struct host_port {
    const char *node_address; /* of the uplink */
    const char *host_ip;      /* "" any of the node's */
    int host_port, pod_port;
    bool udp;
    const char *pod_address;
};
struct node_address {
    const char *node, *address; /* on the uplink: node ports answer there */
    const char *pod_cidr; /* of its pods; NULL: internal traffic policies do not hold for them */
};
struct proxy_state {
    const struct service_port *ports;
    size_t n_ports;
    const struct host_port *host_ports;
    size_t n_host_ports;
    const struct node_address *nodes;
    size_t n_nodes;
    const char *const *load_balancer_ips; /* all that answer on the uplink, NULL-terminated */
};
enum fault cluster_network_proxy(struct op *op, struct cluster_network *network,
                                 const struct proxy_state *state);

/* ---- cluster DNS (Kubernetes DNS specification 1.1.0) ---- */

/* A, AAAA (empty), SRV, PTR, CNAME. Looked up on each query, for all clusters one at a time, on
   threads of DNS: must be quick. */
struct dns_record {
    uint16_t type;      /* 1 A, 5 CNAME, 12 PTR, 33 SRV */
    const char *target; /* A: dotted; CNAME, PTR, SRV: a name */
    uint16_t port;      /* SRV */
};
/* Records for a lower-case name without its last dot, in op's arena. *ret_known false: the name
   does not exist (NXDOMAIN when it is below cluster.local or a reverse name of our ranges; else
   forwarded). true with n 0: exists without such records. */
typedef void (*dns_resolver)(struct op *op, void *user, const char *name, bool *ret_known,
                             const struct dns_record **ret, size_t *ret_n);
/* Answer at dns_ip:53 (UDP and TCP) inside the namespace, until release or another call of this,
   which wait until resolve is not running: not while holding a lock that it takes. */
enum fault cluster_network_dns(struct op *op, struct cluster_network *network, dns_resolver resolve,
                               void *user);

#endif
