/*
 * The holder of a cluster's network: a process of root's, forked by the helper, which keeps the
 * namespace, listens at RUN/n/<cluster>/sock, and changes rules and addresses when the server asks.
 *
 *~ holder_up.c makes the namespace, holder.c is the loop; what it is asked comes as typed JSON
 *~ (proxy_json.c), which alone makes rules (proxy_rules.c).
 */
#ifndef SUNDOG_CLUSTERS_NETWORK_HOLDER_H
#define SUNDOG_CLUSTERS_NETWORK_HOLDER_H

#include "clusters/network/proxy_rules.h"
#include "core/helper.h"
#include "instances/netlink.h"
#include "instances/network_host.h"

#define HOLDER_VERSION 1
#define UPLINK         "eth0"

/*
 * "cluster-network.up": {"id","podCidr","serviceCidr","dnsIp","uplinkIndex"}: the process that
 * answers stays. CONFLICT: there is one.
 * "cluster-network.delete": {"id"}
 */
extern const struct helper_call holder_calls[];

struct holder {
    struct arena arena; /* of what stays */
    struct proxy_config config;
    struct network_range ranges[RANGES];
    int listener;
    struct netlink *nl;    /* in the namespace */
    struct pieces *pieces; /* in force */
    uint32_t *addresses;   /* of the uplink, but its first */
    size_t n_addresses;
};

/* Goes on until SIGTERM. */
void holder_main(void *holder);

/* Again when rules change: a module that is loaded later has defaults of its own. */
void holder_set_kernel(void);
/* Run nftables commands in a child: the library keeps what it once allocates. */
enum fault holder_nft(struct op *op, const char *commands);

#endif
