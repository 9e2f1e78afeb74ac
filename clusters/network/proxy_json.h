/* What the server wants of a holder, as it crosses to root, who believes nothing of it. */
#ifndef SUNDOG_CLUSTERS_NETWORK_PROXY_JSON_H
#define SUNDOG_CLUSTERS_NETWORK_PROXY_JSON_H

#include <jansson.h>

#include "clusters/network/cluster_network.h"

/* What proxy_state_read takes: the rest is left out, or a value is brought into its range, so that
   one bad object of somebody's never stops the others' services. Where a load balancer's source
   ranges are left out, nobody else is let in. What it points to is state's or op's. */
struct proxy_state proxy_state_clean(struct op *op, const struct proxy_state *state);
/* The JSON is op's. INVALID: a text is not UTF-8. */
enum fault proxy_state_write(struct op *op, const struct proxy_state *state, json_t **ret);
/* INVALID names the member. What they point to is op's, and lives as long as the JSON. Addresses
   are IPv4, source ranges "10.0.0.0/8", names hold nothing that a comment in rules could not. */
enum fault proxy_state_read(struct op *op, const json_t *json, struct proxy_state *ret);

/* ---- the rules of both ---- */

#define PROXY_PORTS_MAX     65536
#define PROXY_ENDPOINTS_MAX 5000
#define PROXY_ADDRESSES_MAX 64
#define PROXY_NODES_MAX     5000
#define PROXY_NAME_MAX_LEN  253
#define PROXY_AFFINITY_MAX  86400

bool proxy_is_address(const char *text); /* IPv4, in one spelling */
bool proxy_is_range(const char *text);
bool proxy_is_name(const char *text); /* of letters, digits, "." and "-" */

#endif
