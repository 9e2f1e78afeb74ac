/*
 * DNS of a cluster: what its resolver knows, by the rules of the Kubernetes DNS specification, at a
 * door of the one DNS thread (instances/dns.h); all else as containers of groups have it.
 */
#ifndef SUNDOG_CLUSTERS_NETWORK_CLUSTER_DNS_H
#define SUNDOG_CLUSTERS_NETWORK_CLUSTER_DNS_H

#include "clusters/network/cluster_network.h"
#include "instances/dns.h"
#include "instances/network_host.h"

struct dns_zone {
    dns_resolver resolve;
    void *user;
    struct network_range pods, services; /* whose reverse names are ours */
};

/* Takes both sockets; the zone stays where it is. */
enum fault cluster_dns_open(struct op *op, int udp, int tcp, struct dns_zone *zone,
                            struct dns_door **ret);
/* The answer to one query, for the door and for tests. answer has room for DNS_MESSAGE_MAX + 64. */
enum dns_verdict cluster_dns_answer(void *zone, const unsigned char *query, size_t len, bool tcp,
                                    unsigned char *answer, size_t *ret_len);

#endif
