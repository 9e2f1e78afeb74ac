/* What the kernel remembers of UDP: who once was sent to an endpoint stays with it, also when that
   is gone, for as long as he sends. */
#ifndef SUNDOG_CLUSTERS_NETWORK_CONNTRACK_H
#define SUNDOG_CLUSTERS_NETWORK_CONNTRACK_H

#include "clusters/network/cluster_network.h"

/* In this process's namespace: forget the translated UDP flows that lead to none of the state's
   endpoints and host ports. */
enum fault conntrack_forget(struct op *op, const struct proxy_state *state);

#endif
