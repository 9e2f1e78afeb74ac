/* The host's half of the network: what root does for it, in forks of the helper. Ranges are host
   byte order. */
#ifndef SUNDOG_INSTANCES_NETWORK_HOST_H
#define SUNDOG_INSTANCES_NETWORK_HOST_H

#include "core/helper.h"
#include "instances/network.h"

struct network_range {
    uint32_t base;
    int prefix;
};
/* "10.213.0.0/17": an IPv4 network, 8 to 28 bits, no host bits set. */
bool network_range_parse(const char *text, struct network_range *ret);
bool network_ranges_overlap(struct network_range a, struct network_range b);
/* The n-th pair that "auto" tries: two halves of a /16 of 10.0.0.0/8, from 10.213 on. False: no
   more. */
bool network_candidate(unsigned n, struct network_range ret[RANGES]);
const char *network_address_text(struct op *op, uint32_t address); /* "10.213.0.1" */
/* "sd<id>" and the like from DIR. */
const char *network_bridge_name(struct op *op, const char *data);

/*
 * "network.up": → {"public","private"}, the ranges as taken for the settings, and sockets: DNS
 * over UDP, DNS over TCP, metadata over TCP. Safe to call again.
 * "network.down": removes bridge, rules and RUN when no sandbox is left.
 * "network.hosts": {"lines"}: our block of /etc/hosts.
 * "network.end-all": ends the networks of all clusters.
 */
extern const struct helper_call network_calls[];

/* The ranges as network.up took them. UNAVAILABLE: it is not up. */
enum fault network_ranges_taken(struct op *op, const char *data, struct network_range ret[RANGES]);
/* End the process that holds a cluster's network, known by its folder RUN/n/<cluster>, its link,
   and its folder. Also of half of one, or none. */
enum fault network_holder_end(struct op *op, const char *data, const char *cluster);
/* The end of a sandbox's link that is at our bridge. */
const char *network_sandbox_link(struct op *op, const char *data, const char *sandbox);
/* The end of a cluster's uplink that is at our bridge: 15 characters. */
const char *network_uplink_name(struct op *op, const char *data, const char *cluster);

/* The bridge that pods are on, in their cluster's namespace. */
#define CLUSTER_BRIDGE "cni0"

/* Run nftables commands in this process's namespace. */
enum fault network_nft(struct op *op, const char *commands);

#endif
