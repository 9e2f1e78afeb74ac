/* A sandbox's half of the network, in its supervisor. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <openssl/sha.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "instances/netlink.h"
#include "instances/network_host.h"
#include "instances/process.h"
#include "instances/sandbox_folder.h"
#include "instances/sandbox_pod.h"

/* ---- nftables ---- */

/* Of libnftables, loaded by the process that makes networks only: it would be a sixth of the time
   that every command of ours takes to start. */
#define NFT_FUNCTIONS(X)                                                                           \
    X(nft_ctx_new)                                                                                 \
    X(nft_ctx_free)                                                                                \
    X(nft_ctx_buffer_error)                                                                        \
    X(nft_ctx_buffer_output)                                                                       \
    X(nft_ctx_get_error_buffer)                                                                    \
    X(nft_run_cmd_from_buffer)

static struct {
#define MEMBER(name) __typeof__(name) *name;
    NFT_FUNCTIONS(MEMBER)
#undef MEMBER
} nft;

/* A process forked from one that has loaded it has it, too. */
static enum fault load_nft(struct op *op)
{
    void *library;

    if (nft.nft_run_cmd_from_buffer)
        return OK;
    if (!(library = dlopen("libnftables.so.1", RTLD_NOW)))
        return fail(op, UNAVAILABLE, "%s", dlerror());
#define FIND(name)                                                                                 \
    if (!(nft.name = (__typeof__(name) *)dlsym(library, #name)))                                   \
        return fail(op, UNAVAILABLE, "%s", dlerror());
    NFT_FUNCTIONS(FIND)
#undef FIND
    return OK;
}

enum fault network_nft(struct op *op, const char *commands)
{
    struct nft_ctx *ctx;
    enum fault fault = OK;

    TRY(load_nft(op));
    if (!(ctx = nft.nft_ctx_new(NFT_CTX_DEFAULT)))
        return fail(op, UNAVAILABLE, "nftables cannot be reached");
    nft.nft_ctx_buffer_error(ctx);
    nft.nft_ctx_buffer_output(ctx);
    if (nft.nft_run_cmd_from_buffer(ctx, commands) != 0)
        fault = fail(op, UNAVAILABLE, "nftables: %.300s", nft.nft_ctx_get_error_buffer(ctx));
    nft.nft_ctx_free(ctx);
    return fault;
}

/* In a child: a supervisor lives long, and shall not keep what the library allocates. */
static enum fault nft_in_child(struct op *op, const char *commands)
{
    int status = -1;
    pid_t pid = fork();

    if (pid < 0)
        return fail(op, UNAVAILABLE, "cannot fork: %s", strerror(errno));
    if (pid == 0)
        _exit(network_nft(op, commands) == OK ? 0 : 1);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0 ? OK : fail(op, UNAVAILABLE, "the packet filter of the group cannot be set");
}

static void add_ports(struct text *out, const struct sandbox_spec *spec, bool udp)
{
    const char *before = udp ? "  udp dport { " : "  tcp dport { ";
    const char *const first = before;

    for (size_t i = 0; i < spec->n_ports; i++) {
        if (spec->ports[i].udp != udp)
            continue;
        text_printf(out, "%s%d", before, spec->ports[i].port);
        before = ", ";
    }
    if (before != first)
        text_str(out, " } accept\n");
}

/*
 * What comes in at closed addresses: answers, the declared ports, and from the gateway (the host)
 * to the private address anything, for probes.
 */
static const char *filter_rules(struct op *op, const struct sandbox_spec *spec)
{
    struct text out;
    bool any = false;

    text_init(&out, &op->arena, 65536);
    text_str(&out, "table ip sundog {\n chain input {\n  type filter hook input priority 0; "
                   "policy accept;\n  iif lo accept\n  ct state established,related accept\n");
    add_ports(&out, spec, false);
    add_ports(&out, spec, true);
    if (spec->gateway)
        text_printf(&out, "  ip saddr %s accept\n", spec->gateway);
    for (size_t i = 0; i < spec->n_addresses; i++) {
        if (!spec->addresses[i].closed)
            continue;
        text_printf(&out, "  ip daddr %s drop\n", spec->addresses[i].address);
        any = true;
    }
    text_str(&out, " }\n}\n");
    return any ? out.data : NULL;
}

/* ---- the namespace ---- */

static void write_sysctl(const char *path, const char *value)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    /* conveniences: a kernel without them runs containers all the same */
    if (fd >= 0 && write(fd, value, strlen(value)) < 0)
        return;
}

static enum fault parse_address(struct op *op, const char *text, uint32_t *ret)
{
    struct in_addr in;

    if (!text || inet_pton(AF_INET, text, &in) != 1)
        return fail(op, INVALID, "\"%s\" is no address", text ? text : "");
    *ret = ntohl(in.s_addr);
    return OK;
}

/* 15 characters at most: of the id, which may be longer, a hash. */
static const char *link_name(struct op *op, const char *bridge, const char *id)
{
    const char *text = arena_printf(&op->arena, "%s/%s", bridge, id);
    unsigned char hash[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)text, strlen(text), hash);
    return arena_printf(&op->arena, "sdv%02x%02x%02x%02x%02x%02x", hash[0], hash[1], hash[2],
                        hash[3], hash[4], hash[5]);
}

const char *network_sandbox_link(struct op *op, const char *data, const char *sandbox)
{
    return link_name(op, network_bridge_name(op, data), sandbox);
}

const char *network_uplink_name(struct op *op, const char *data, const char *cluster)
{
    return link_name(op, network_bridge_name(op, data), arena_printf(&op->arena, "n/%s", cluster));
}

static enum fault add_route(struct op *op, struct netlink *nl, const struct sandbox_spec *spec)
{
    uint32_t gateway = 0;

    if (!spec->gateway)
        return OK;
    TRY(parse_address(op, spec->gateway, &gateway));
    if (spec->n_addresses > 0 && spec->addresses[0].prefix == 32) /* it is no neighbour by itself */
        TRY(netlink_link_route(op, nl, "eth0", gateway));
    return netlink_default_route(op, nl, gateway);
}

/* Pods' addresses are soon used again. */
static enum fault set_hardware_address(struct op *op, struct netlink *nl,
                                       const struct sandbox_spec *spec)
{
    uint32_t address = 0;

    if (spec->n_addresses == 0)
        return OK;
    TRY(parse_address(op, spec->addresses[0].address, &address));
    return netlink_hardware_address_of(op, nl, "eth0", address);
}

static enum fault set_up_inside(struct op *op, struct netlink *nl, const struct sandbox_spec *spec,
                                const char *bridge)
{
    uint32_t address = 0;

    TRY(netlink_up(op, nl, "lo"));
    write_sysctl("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    write_sysctl("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    if (!bridge)
        return OK;
    write_sysctl("/proc/sys/net/ipv6/conf/eth0/disable_ipv6", "1");
    if (spec->pod)
        TRY(set_hardware_address(op, nl, spec));
    for (size_t i = 0; i < spec->n_addresses; i++) {
        TRY(parse_address(op, spec->addresses[i].address, &address));
        TRY(netlink_address(op, nl, "eth0", address, spec->addresses[i].prefix));
    }
    TRY(netlink_up(op, nl, "eth0"));
    return add_route(op, nl, spec);
}

static enum fault join(struct op *op, struct netlink *outside, struct netlink **inside,
                       const struct sandbox_spec *spec, const char *bridge)
{
    const char *rules;

    if (unshare(CLONE_NEWNET) < 0)
        return fail(op, UNAVAILABLE, "cannot make a network namespace: %s", strerror(errno));
    TRY(netlink_open(op, inside));
    if (bridge) {
        /* one that a supervisor killed a moment ago has left, until the kernel has cleaned up */
        TRY(netlink_delete(op, outside, link_name(op, bridge, spec->id)));
        TRY(netlink_veth(op, outside, link_name(op, bridge, spec->id), bridge, "eth0"));
    }
    TRY(set_up_inside(op, *inside, spec, bridge));
    rules = filter_rules(op, spec);
    return rules ? nft_in_child(op, rules) : OK;
}

/* The namespace is that of the cluster's holder, who is known by his folder. */
static enum fault enter_cluster(struct op *op, int run, const char *cluster)
{
    const char *const names[] = {"n", cluster, NULL};
    AUTO_CLOSE int folder = -1, holder = -1;

    if (folder_descend(op, run, names, 0, 0, &folder) == OK)
        holder = process_find(op, folder);
    if (holder < 0)
        return fail_on(op, "network", UNAVAILABLE, "the network of the cluster is not there");
    return process_enter_network(op, holder);
}

enum fault network_join(struct op *op, const struct sandbox_spec *spec, int run)
{
    struct netlink *outside = NULL, *inside = NULL; /* a socket stays in its namespace */
    const char *bridge = spec->bridge;
    enum fault fault;

    if (spec->pod) {
        TRY(enter_cluster(op, run, spec->pod->cluster));
        bridge = CLUSTER_BRIDGE;
    }
    if (spec->pod && spec->pod->host_network)
        return OK;
    TRY(netlink_open(op, &outside));
    fault = join(op, outside, &inside, spec, bridge);
    netlink_close(inside);
    netlink_close(outside);
    return fault;
}
