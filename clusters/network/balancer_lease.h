/*
 * Addresses of load balancers are leases (instances/address.h) in the name of a cluster and of a
 * service's uid.
 */
#ifndef SUNDOG_CLUSTERS_NETWORK_BALANCER_LEASE_H
#define SUNDOG_CLUSTERS_NETWORK_BALANCER_LEASE_H

#include "core/op.h"

/* "c<cluster>/lb/<uid>", in op's arena. */
const char *balancer_lease_owner(struct op *op, const char *cluster, const char *uid);
/*
 * Gives back all of the cluster's but these services': what is left of services that went while
 * nobody knew of their leases (in a crash, or between two starts). Call it once a cluster is open,
 * when rules hold that send to no other address, from where leases are taken: one that is taken
 * meanwhile would be given away.
 */
enum fault balancer_leases_keep(struct op *op, const char *cluster, const char *const *uids,
                                size_t n, size_t *ret_given);

#endif
