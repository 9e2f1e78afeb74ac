/*
 * The network of this Sundog's containers on this machine: one bridge, sd<id of DIR>, with two
 * ranges of addresses. Each group has an address of --private-range, for what it sends; one with a
 * public address has one of --public-range as well, which the host reaches directly, so any number
 * of groups may use port 80. Outbound traffic is masqueraded. The bridge's first addresses are the
 * gateway, where DNS answers; 169.254.169.254 is the instance metadata service.
 */
#ifndef SUNDOG_INSTANCES_NETWORK_H
#define SUNDOG_INSTANCES_NETWORK_H

#include "core/op.h"
#include "core/settings.h"
#include "instances/sandbox.h"

enum range { RANGE_PUBLIC, RANGE_PRIVATE, RANGES };

void network_register(void); /* before helper_start: its calls */
/* Reads the ranges: INVALID names the setting. Nothing on the machine changes yet. */
enum fault network_start(struct op *op, const struct settings *settings);
/*
 * Before anything below: bridge, rules, sockets, DNS, made at the first call and cheap after that.
 * CONFLICT names the route that a range overlaps and the setting to change; UNSUPPORTED without
 * root.
 */
enum fault network_up(struct op *op);
/* DNS and metadata end; bridge and rules too, unless sandboxes go on without us. */
void network_stop(void);

const char *network_bridge(void); /* "sd1a2b3c" */
/* Addresses that groups may have: 0 … network_size - 1. */
int64_t network_size(enum range range);
const char *network_address(struct op *op, enum range range, int64_t index);
/* Which index is this? -1: not of the range. */
int64_t network_index(enum range range, const char *address);
const char *network_gateway(struct op *op, enum range range);
int network_prefix(enum range range);

/* Names that containers' DNS (and, with --host-names, the host's /etc/hosts) resolve: key says
   whose they are, so that they can be replaced and dropped (names NULL). Any thread. */
void network_names(const char *key, const char *const *names, const char *address);

/* In the supervisor's process, in the helper's world: a namespace of its own with eth0 on
   spec->bridge, or a cluster's (RUN/n/<cluster>). Afterwards the calling process is in it. run:
   RUN. UNAVAILABLE: the cluster has no network (any more). */
enum fault network_join(struct op *op, const struct sandbox_spec *spec, int run);

#endif
