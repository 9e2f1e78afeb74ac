/*
 * What makes Services answer: their rules and names in the cluster's network, and addresses for
 * load balancers. One key per cluster: any change of services, slices, nodes or pods with host
 * ports brings the whole state anew (cluster_network_proxy replaces it in one transaction).
 */
#ifndef SUNDOG_CLUSTERS_NODE_SERVICE_PROXY_H
#define SUNDOG_CLUSTERS_NODE_SERVICE_PROXY_H

#include "clusters/rest/rest.h"

void service_proxies_start(void);
void service_proxies_stop(void);
enum fault service_proxy_open(struct op *op, struct cluster *cluster);
void service_proxy_close(struct cluster *cluster);
/* The node agent knows other nodes than before. */
void service_proxy_wake(struct cluster *cluster);
/* Passes begun so far. What objects say after the call is seen by all that begin later. */
int64_t service_proxy_passes(const struct cluster *cluster);
/* Are new connections sent to a pod's address, or may they yet be by one of the first n passes?
   Not if it is known that the pod ends. */
bool service_proxy_sends_to(const struct cluster *cluster, const char *address, int64_t n);

/* service_dns.c: names of this cluster; user is the cluster. */
struct dns_record;
void service_dns(struct op *op, void *user, const char *name, bool *ret_known,
                 const struct dns_record **ret, size_t *ret_n);

#endif
