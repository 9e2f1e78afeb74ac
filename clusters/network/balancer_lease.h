/*
 * Addresses of a cluster's load balancers: leases (instances/address.h) in the name of the cluster
 * and of a service's uid, remembered while it is open, so that not each pass over the services asks
 * the database. One thread at a time.
 */
#ifndef SUNDOG_CLUSTERS_NETWORK_BALANCER_LEASE_H
#define SUNDOG_CLUSTERS_NETWORK_BALANCER_LEASE_H

#include "core/op.h"

/* Zeroed but for its cluster: nothing is known yet. */
struct balancer_leases {
    const char *cluster; /* its id */
    struct balancer_lease *list;
    bool swept; /* once: those without a lease are new */
};

void balancer_leases_free(struct balancer_leases *leases);
/* A pass begins: it takes for each service that is a load balancer. */
void balancer_leases_begin(struct balancer_leases *leases);
/* The service's address, had or new. UNAVAILABLE: there is none left. */
enum fault balancer_lease_take(struct op *op, struct balancer_leases *leases, const char *uid,
                               const char **ret_address);
enum fault balancer_lease_give(struct op *op, struct balancer_leases *leases, const char *uid);
/*
 * The pass is over, and the rules that hold send to no other address: gives back what no service
 * took; the first time also what is left of services that went while nobody knew of their leases
 * (in a crash, or between two starts).
 */
enum fault balancer_leases_sweep(struct op *op, struct balancer_leases *leases);

#endif
