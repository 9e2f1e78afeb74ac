#include "clusters/network/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MESSAGE_SIZE 8192
#define TUPLE_MAX    256
#define FORGET_MAX   65536

/* Address and port as one number, both in network byte order. */
static uint64_t key_of(uint32_t address, uint16_t port)
{
    return (uint64_t)address << 16 | port;
}

struct flow { /* to be forgotten: its first direction, as the kernel wrote it */
    struct flow *next;
    uint16_t len;
    unsigned char tuple[TUPLE_MAX];
};

struct search {
    struct op *op;
    const uint64_t *keep; /* sorted */
    size_t n_keep, n;
    struct flow *found;
};

/* ---- what is to be kept ---- */

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint64_t key_of_text(const char *address, int port)
{
    struct in_addr in = {0};

    inet_pton(AF_INET, address, &in); /* it was read as one */
    return key_of(in.s_addr, htons((uint16_t)port));
}

static void collect(struct search *search, const struct proxy_state *state)
{
    size_t n = 0, most = state->n_host_ports;
    uint64_t *keep;

    for (size_t i = 0; i < state->n_ports; i++)
        most += state->ports[i].udp ? state->ports[i].n_endpoints : 0;
    keep = arena_alloc(&search->op->arena, (most + 1) * sizeof(*keep));
    for (size_t i = 0; i < state->n_ports; i++)
        for (size_t e = 0; state->ports[i].udp && e < state->ports[i].n_endpoints; e++)
            keep[n++] = key_of_text(state->ports[i].endpoints[e].address,
                                    state->ports[i].endpoints[e].port);
    for (size_t i = 0; i < state->n_host_ports; i++)
        keep[n++] = key_of_text(state->host_ports[i].pod_address, state->host_ports[i].pod_port);
    if (n)
        qsort(keep, n, sizeof(*keep), by_key);
    search->keep = keep;
    search->n_keep = n;
}

/* ---- looking ---- */

struct members {
    const struct nlattr *list[32];
};

static int on_member(const struct nlattr *attr, void *arg)
{
    struct members *members = arg;

    if (mnl_attr_get_type(attr) < ARRAY_LEN(members->list))
        members->list[mnl_attr_get_type(attr)] = attr;
    return MNL_CB_OK;
}

/* Who answers: source address and port of the way back. False: no UDP over IPv4. */
static bool read_answerer(const struct nlattr *reply, uint64_t *ret)
{
    struct members tuple = {0}, ip = {0}, proto = {0};

    mnl_attr_parse_nested(reply, on_member, &tuple);
    if (!tuple.list[CTA_TUPLE_IP] || !tuple.list[CTA_TUPLE_PROTO])
        return false;
    mnl_attr_parse_nested(tuple.list[CTA_TUPLE_IP], on_member, &ip);
    mnl_attr_parse_nested(tuple.list[CTA_TUPLE_PROTO], on_member, &proto);
    if (!ip.list[CTA_IP_V4_SRC] || !proto.list[CTA_PROTO_NUM] || !proto.list[CTA_PROTO_SRC_PORT] ||
        mnl_attr_get_u8(proto.list[CTA_PROTO_NUM]) != IPPROTO_UDP)
        return false;
    *ret = key_of(mnl_attr_get_u32(ip.list[CTA_IP_V4_SRC]),
                  mnl_attr_get_u16(proto.list[CTA_PROTO_SRC_PORT]));
    return true;
}

static int on_flow(const struct nlmsghdr *head, void *arg)
{
    struct search *search = arg;
    struct members members = {0};
    const struct nlattr *orig;
    struct flow *flow;
    uint64_t answerer;

    mnl_attr_parse(head, sizeof(struct nfgenmsg), on_member, &members);
    orig = members.list[CTA_TUPLE_ORIG];
    if (!orig || !members.list[CTA_TUPLE_REPLY] || !members.list[CTA_STATUS] ||
        !(ntohl(mnl_attr_get_u32(members.list[CTA_STATUS])) & IPS_DST_NAT) ||
        !read_answerer(members.list[CTA_TUPLE_REPLY], &answerer) ||
        mnl_attr_get_payload_len(orig) > TUPLE_MAX || search->n >= FORGET_MAX ||
        (search->n_keep &&
         bsearch(&answerer, search->keep, search->n_keep, sizeof(answerer), by_key)))
        return MNL_CB_OK;
    flow = arena_alloc(&search->op->arena, sizeof(*flow));
    flow->len = mnl_attr_get_payload_len(orig);
    memcpy(flow->tuple, mnl_attr_get_payload(orig), flow->len);
    flow->next = search->found;
    search->found = flow;
    search->n++;
    return MNL_CB_OK;
}

/* ---- asking ---- */

static struct nlmsghdr *begin(char *buffer, unsigned type, uint16_t flags)
{
    struct nlmsghdr *head;
    struct nfgenmsg *family;

    memset(buffer, 0, MESSAGE_SIZE);
    head = mnl_nlmsg_put_header(buffer);
    head->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
    head->nlmsg_flags = NLM_F_REQUEST | flags;
    head->nlmsg_seq = 1;
    family = mnl_nlmsg_put_extra_header(head, sizeof(*family));
    family->nfgen_family = AF_INET;
    return head;
}

static int run(struct mnl_socket *socket, struct nlmsghdr *head, mnl_cb_t each, void *arg)
{
    char buffer[32768];
    ssize_t n;
    int more;

    if (mnl_socket_sendto(socket, head, head->nlmsg_len) < 0)
        return -1;
    do {
        n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
        if (n < 0)
            return -1;
        more = mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(socket), each, arg);
    } while (more > 0);
    return more;
}

static enum fault forget(struct op *op, struct mnl_socket *socket, const struct flow *flow)
{
    char buffer[MESSAGE_SIZE];
    struct nlmsghdr *head = begin(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_ACK);

    mnl_attr_put(head, CTA_TUPLE_ORIG | NLA_F_NESTED, flow->len, flow->tuple);
    if (run(socket, head, NULL, NULL) < 0 && errno != ENOENT)
        return fail(op, UNAVAILABLE, "cannot forget a flow: %s", strerror(errno));
    return OK;
}

enum fault conntrack_forget(struct op *op, const struct proxy_state *state)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    struct search search = {.op = op};
    char buffer[MESSAGE_SIZE];
    enum fault fault = OK;

    collect(&search, state);
    if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
        run(socket, begin(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP), on_flow, &search) < 0)
        fault = fail(op, UNAVAILABLE, "cannot read the flows of UDP: %s", strerror(errno));
    for (const struct flow *flow = search.found; flow && fault == OK; flow = flow->next)
        fault = forget(op, socket, flow);
    if (socket)
        mnl_socket_close(socket);
    return fault;
}
