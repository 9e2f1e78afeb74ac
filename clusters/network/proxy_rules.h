/*
 * Services as nftables rules. The whole of what is wanted becomes a set of pieces, each with the
 * commands that make it and take it away, so that a change is one transaction of the difference,
 * however many services there are. A packet finds its service by one look-up of its address,
 * protocol and port.
 */
#ifndef SUNDOG_CLUSTERS_NETWORK_PROXY_RULES_H
#define SUNDOG_CLUSTERS_NETWORK_PROXY_RULES_H

#include "clusters/network/cluster_network.h"

struct proxy_config {            /* of one cluster, for good */
    const char *pods, *services; /* "10.244.0.0/16" */
    const char *dns;             /* "10.0.0.10" */
    const char *uplink;          /* its first address */
    const char *private_range;   /* of the host's bridge: what is not pods' business */
    const char *private_gateway; /* but this one, where the machine's DNS answers */
};

/* What is led to comes before what leads there, and the other way round when they go: sets, chains
   of one endpoint, of a service, of who may reach it, elements of maps. */
enum piece_rank { PIECE_SET, PIECE_END, PIECE_SERVICE, PIECE_GATE, PIECE_ELEMENT, PIECE_RANKS };
struct piece {
    enum piece_rank rank;
    const char *make, *unmake; /* nftables commands, each line one */
};
struct pieces {
    struct piece *list; /* sorted by rank and make; each once */
    size_t n;
};

/* The rules that every cluster has, and empty maps. */
const char *proxy_base_rules(struct op *op, const struct proxy_config *config);
/* state is valid (proxy_json.h). */
struct pieces *proxy_pieces(struct op *op, const struct proxy_config *config,
                            const struct proxy_state *state);
/* What leads from one to the other; NULL: nothing. */
const char *proxy_difference(struct op *op, const struct pieces *from, const struct pieces *to);

#endif
