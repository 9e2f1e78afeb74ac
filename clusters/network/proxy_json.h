/* What the server wants of a holder, as it crosses to root, who believes nothing of it. */
#ifndef SUNDOG_CLUSTERS_NETWORK_PROXY_JSON_H
#define SUNDOG_CLUSTERS_NETWORK_PROXY_JSON_H

#include <jansson.h>

#include "clusters/network/cluster_network.h"

/* The JSON is op's. INVALID: a text is not UTF-8. */
enum fault proxy_state_write(struct op *op, const struct proxy_state *state, json_t **ret);
/* INVALID names the member. What they point to is op's, and lives as long as the JSON. Addresses
   are IPv4, source ranges "10.0.0.0/8", names hold nothing that a comment in rules could not. */
enum fault proxy_state_read(struct op *op, const json_t *json, struct proxy_state *ret);

#endif
