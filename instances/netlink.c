#include "instances/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_SIZE 8192
#define ROUTES_MAX   100000

struct netlink {
    struct mnl_socket *socket;
    unsigned sequence;
};

enum fault netlink_open(struct op *op, struct netlink **ret)
{
    struct netlink *nl = calloc(1, sizeof(*nl));

    if (!nl)
        abort();
    nl->sequence = (unsigned)time(NULL);
    nl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!nl->socket || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        netlink_close(nl);
        return fail(op, UNAVAILABLE, "no netlink socket: %s", strerror(errno));
    }
    *ret = nl;
    return OK;
}

void netlink_close(struct netlink *nl)
{
    if (nl && nl->socket)
        mnl_socket_close(nl->socket);
    free(nl);
}

/* ---- one request ---- */

static struct nlmsghdr *begin(char *buffer, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *head;

    memset(buffer, 0, MESSAGE_SIZE);
    head = mnl_nlmsg_put_header(buffer);
    head->nlmsg_type = type;
    head->nlmsg_flags = NLM_F_REQUEST | flags;
    return head;
}

static int run(struct netlink *nl, struct nlmsghdr *head, mnl_cb_t each, void *arg)
{
    char buffer[16384];
    unsigned port = mnl_socket_get_portid(nl->socket);
    ssize_t n;
    int more;

    head->nlmsg_seq = ++nl->sequence;
    if (mnl_socket_sendto(nl->socket, head, head->nlmsg_len) < 0)
        return -1;
    do {
        n = mnl_socket_recvfrom(nl->socket, buffer, sizeof(buffer));
        if (n < 0)
            return -1;
        more = mnl_cb_run(buffer, (size_t)n, nl->sequence, port, each, arg);
    } while (more > 0);
    return more;
}

/* allowed: an errno that is as good as success; 0: none. */
static enum fault change(struct op *op, struct netlink *nl, struct nlmsghdr *head, int allowed,
                         const char *what, const char *name)
{
    head->nlmsg_flags |= NLM_F_ACK;
    if (run(nl, head, NULL, NULL) == 0 || (allowed && errno == allowed))
        return OK;
    return fail(op, UNAVAILABLE, "cannot %s %s: %s", what, name, strerror(errno));
}

/* ---- links ---- */

static struct ifinfomsg *link_message(struct nlmsghdr *head)
{
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(head, sizeof(*link));

    link->ifi_family = AF_UNSPEC;
    return link;
}

static int on_link(const struct nlmsghdr *head, void *arg)
{
    const struct ifinfomsg *link = mnl_nlmsg_get_payload(head);

    *(int *)arg = link->ifi_index;
    return MNL_CB_OK;
}

/* Asked of this socket's namespace, which need not be the process's: not if_nametoindex. */
int netlink_index(struct netlink *nl, const char *name)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *head = begin(buffer, RTM_GETLINK, NLM_F_ACK);
    int index = 0;

    link_message(head);
    mnl_attr_put_strz(head, IFLA_IFNAME, name);
    return run(nl, head, on_link, &index) < 0 ? 0 : index;
}

enum fault netlink_bridge(struct op *op, struct netlink *nl, const char *name, uint32_t gateway)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *head = begin(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    struct nlattr *info;

    link_message(head);
    mnl_attr_put_strz(head, IFLA_IFNAME, name);
    info = mnl_attr_nest_start(head, IFLA_LINKINFO);
    mnl_attr_put_strz(head, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(head, info);
    TRY(change(op, nl, head, EEXIST, "make the bridge", name));
    return netlink_hardware_address_of(op, nl, name, gateway);
}

enum fault netlink_veth(struct op *op, struct netlink *nl, const char *name, const char *bridge,
                        const char *peer)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *head = begin(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    struct nlattr *info, *data, *other;
    struct ifinfomsg *link = link_message(head);
    int master = netlink_index(nl, bridge);

    if (master == 0)
        return fail(op, UNAVAILABLE, "there is no bridge %s", bridge);
    link->ifi_flags = IFF_UP;
    link->ifi_change = IFF_UP;
    mnl_attr_put_strz(head, IFLA_IFNAME, name);
    mnl_attr_put_u32(head, IFLA_MASTER, (uint32_t)master);
    info = mnl_attr_nest_start(head, IFLA_LINKINFO);
    mnl_attr_put_strz(head, IFLA_INFO_KIND, "veth");
    data = mnl_attr_nest_start(head, IFLA_INFO_DATA);
    other = mnl_attr_nest_start(head, VETH_INFO_PEER);
    link_message(head);
    mnl_attr_put_strz(head, IFLA_IFNAME, peer);
    mnl_attr_put_u32(head, IFLA_NET_NS_PID, (uint32_t)getpid());
    mnl_attr_nest_end(head, other);
    mnl_attr_nest_end(head, data);
    mnl_attr_nest_end(head, info);
    return change(op, nl, head, 0, "make the link", name);
}

enum fault netlink_up(struct op *op, struct netlink *nl, const char *name)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *head = begin(buffer, RTM_NEWLINK, 0);
    struct ifinfomsg *link = link_message(head);

    link->ifi_flags = IFF_UP;
    link->ifi_change = IFF_UP;
    mnl_attr_put_strz(head, IFLA_IFNAME, name);
    return change(op, nl, head, 0, "bring up", name);
}

enum fault netlink_hardware_address(struct op *op, struct netlink *nl, const char *name,
                                    const unsigned char address[6])
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *head = begin(buffer, RTM_NEWLINK, 0);

    link_message(head);
    mnl_attr_put_strz(head, IFLA_IFNAME, name);
    mnl_attr_put(head, IFLA_ADDRESS, 6, address);
    return change(op, nl, head, 0, "give a hardware address to", name);
}

enum fault netlink_hardware_address_of(struct op *op, struct netlink *nl, const char *name,
                                       uint32_t address)
{
    return netlink_hardware_address(op, nl, name,
                                    (const unsigned char[]){0x0a, 0x58, address >> 24,
                                                            address >> 16 & 255, address >> 8 & 255,
                                                            address & 255});
}

enum fault netlink_delete(struct op *op, struct netlink *nl, const char *name)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *head = begin(buffer, RTM_DELLINK, 0);

    link_message(head);
    mnl_attr_put_strz(head, IFLA_IFNAME, name);
    return change(op, nl, head, ENODEV, "remove", name);
}

/* ---- addresses and routes ---- */

enum fault netlink_address(struct op *op, struct netlink *nl, const char *name, uint32_t address,
                           int prefix)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *head = begin(buffer, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(head, sizeof(*message));
    uint32_t mask = prefix ? ~0u << (32 - prefix) : 0;

    message->ifa_family = AF_INET;
    message->ifa_prefixlen = (unsigned char)prefix;
    message->ifa_scope = RT_SCOPE_UNIVERSE;
    message->ifa_index = (unsigned)netlink_index(nl, name);
    mnl_attr_put_u32(head, IFA_LOCAL, htonl(address));
    mnl_attr_put_u32(head, IFA_ADDRESS, htonl(address));
    mnl_attr_put_u32(head, IFA_BROADCAST, htonl(address | ~mask));
    return change(op, nl, head, EEXIST, "give an address to", name);
}

enum fault netlink_default_route(struct op *op, struct netlink *nl, uint32_t gateway)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *head = begin(buffer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *message = mnl_nlmsg_put_extra_header(head, sizeof(*message));

    message->rtm_family = AF_INET;
    message->rtm_table = RT_TABLE_MAIN;
    message->rtm_protocol = RTPROT_BOOT;
    message->rtm_scope = RT_SCOPE_UNIVERSE;
    message->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(head, RTA_GATEWAY, htonl(gateway));
    return change(op, nl, head, EEXIST, "make the route", "0.0.0.0/0");
}

enum fault netlink_address_delete(struct op *op, struct netlink *nl, const char *name,
                                  uint32_t address, int prefix)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *head = begin(buffer, RTM_DELADDR, 0);
    struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(head, sizeof(*message));

    message->ifa_family = AF_INET;
    message->ifa_prefixlen = (unsigned char)prefix;
    message->ifa_index = (unsigned)netlink_index(nl, name);
    mnl_attr_put_u32(head, IFA_LOCAL, htonl(address));
    return change(op, nl, head, EADDRNOTAVAIL, "take an address from", name);
}

enum fault netlink_link_route(struct op *op, struct netlink *nl, const char *name, uint32_t host)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *head = begin(buffer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *message = mnl_nlmsg_put_extra_header(head, sizeof(*message));

    message->rtm_family = AF_INET;
    message->rtm_dst_len = 32;
    message->rtm_table = RT_TABLE_MAIN;
    message->rtm_protocol = RTPROT_BOOT;
    message->rtm_scope = RT_SCOPE_LINK;
    message->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(head, RTA_DST, htonl(host));
    mnl_attr_put_u32(head, RTA_OIF, (uint32_t)netlink_index(nl, name));
    return change(op, nl, head, EEXIST, "make a route by", name);
}

struct routes {
    struct arena *arena;
    struct netlink_route *list;
    size_t n, cap;
    int but; /* index of the link whose routes do not count */
};

static int on_route_member(const struct nlattr *attr, void *arg)
{
    const struct nlattr **members = arg;

    if (mnl_attr_get_type(attr) <= RTA_MAX)
        members[mnl_attr_get_type(attr)] = attr;
    return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *head, void *arg)
{
    const struct rtmsg *message = mnl_nlmsg_get_payload(head);
    const struct nlattr *members[RTA_MAX + 1] = {0};
    struct routes *routes = arg;
    struct netlink_route *route;
    int link;

    mnl_attr_parse(head, sizeof(*message), on_route_member, members);
    if (message->rtm_family != AF_INET || !members[RTA_DST] || message->rtm_dst_len == 0 ||
        message->rtm_table == RT_TABLE_LOCAL || message->rtm_type != RTN_UNICAST)
        return MNL_CB_OK;
    link = members[RTA_OIF] ? (int)mnl_attr_get_u32(members[RTA_OIF]) : 0;
    if ((link && link == routes->but) || routes->n == ROUTES_MAX)
        return MNL_CB_OK;
    if (routes->n == routes->cap) {
        struct netlink_route *old = routes->list;

        routes->cap = routes->cap ? 2 * routes->cap : 64;
        routes->list = arena_alloc(routes->arena, routes->cap * sizeof(*route));
        if (old)
            memcpy(routes->list, old, routes->n * sizeof(*route));
    }
    route = &routes->list[routes->n++];
    route->destination = ntohl(mnl_attr_get_u32(members[RTA_DST]));
    route->prefix = message->rtm_dst_len;
    if (!link || !if_indextoname((unsigned)link, route->link))
        memcpy(route->link, "?", 2);
    return MNL_CB_OK;
}

enum fault netlink_routes(struct op *op, struct netlink *nl, const char *but,
                          struct netlink_route **ret, size_t *ret_n)
{
    char buffer[MESSAGE_SIZE];
    struct routes routes = {.arena = &op->arena, .but = netlink_index(nl, but)};
    struct nlmsghdr *head = begin(buffer, RTM_GETROUTE, NLM_F_DUMP);
    struct rtmsg *message = mnl_nlmsg_put_extra_header(head, sizeof(*message));

    message->rtm_family = AF_INET;
    if (run(nl, head, on_route, &routes) < 0)
        return fail(op, UNAVAILABLE, "cannot read the routes: %s", strerror(errno));
    *ret = routes.list;
    *ret_n = routes.n;
    return OK;
}
