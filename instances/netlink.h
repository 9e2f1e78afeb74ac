/*
 * What the network needs of the kernel's rtnetlink (rtnetlink(7)), by libmnl: one request, one
 * acknowledgement. A socket belongs to the namespace it was opened in.
 */
#ifndef SUNDOG_INSTANCES_NETLINK_H
#define SUNDOG_INSTANCES_NETLINK_H

#include <netinet/in.h>

#include "core/op.h"

struct netlink;
enum fault netlink_open(struct op *op, struct netlink **ret);
void netlink_close(struct netlink *nl);

/* 0: there is no such link. */
int netlink_index(struct netlink *nl, const char *name);
/* Nothing to make when it is there. Its hardware address is that of gateway: without one of its own
   it has that of some port, and another one when ports come and go, which neighbours then do not
   know for seconds. */
enum fault netlink_bridge(struct op *op, struct netlink *nl, const char *name, uint32_t gateway);
/* A pair: name here, on the bridge, up; peer in this process's present namespace. */
enum fault netlink_veth(struct op *op, struct netlink *nl, const char *name, const char *bridge,
                        const char *peer);
/* Before it is up. */
enum fault netlink_hardware_address(struct op *op, struct netlink *nl, const char *name,
                                    const unsigned char address[6]);
/* The one that goes with an address: who gets that next is known by the same. */
enum fault netlink_hardware_address_of(struct op *op, struct netlink *nl, const char *name,
                                       uint32_t address);
enum fault netlink_up(struct op *op, struct netlink *nl, const char *name);
/* Nothing to do when it is gone. */
enum fault netlink_delete(struct op *op, struct netlink *nl, const char *name);
/* Nothing to do when it has it. Host byte order. */
enum fault netlink_address(struct op *op, struct netlink *nl, const char *name, uint32_t address,
                           int prefix);
/* Nothing to do when it has none such. */
enum fault netlink_address_delete(struct op *op, struct netlink *nl, const char *name,
                                  uint32_t address, int prefix);
/* A host that is reached at the link itself, whatever the link's addresses say. */
enum fault netlink_link_route(struct op *op, struct netlink *nl, const char *name, uint32_t host);
enum fault netlink_default_route(struct op *op, struct netlink *nl, uint32_t gateway);

/* An IPv4 route: what a range could overlap. */
struct netlink_route {
    uint32_t destination; /* host byte order */
    int prefix;
    char link[16];
};
/* All but defaults, local addresses and those of the link `but`. */
enum fault netlink_routes(struct op *op, struct netlink *nl, const char *but,
                          struct netlink_route **ret, size_t *ret_n);

#endif
