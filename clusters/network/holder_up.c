/* Making a cluster's network, as root in a fork of the helper that then goes on as its holder. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clusters/network/holder.h"
#include "core/files.h"
#include "instances/paths.h"
#include "instances/process.h"
#include "instances/sandbox_folder.h"
#include "instances/sandbox_json.h"

struct asked {
    const char *id;
    struct network_range pods, services;
    uint32_t dns;
    int64_t uplink_index;
};

/* ---- what is asked ---- */

static enum fault read_range(struct op *op, const json_t *json, const char *member,
                             struct network_range *ret)
{
    const char *text = NULL;

    TRY(message_text(op, json, member, 32, true, &text));
    return network_range_parse(text, ret)
               ? OK
               : fail_on(op, member, INVALID, "%s: \"%s\" is no range of IPv4 addresses", member,
                         text);
}

static bool is_within(uint32_t address, struct network_range range)
{
    return ((address ^ range.base) >> (32 - range.prefix)) == 0;
}

static enum fault read_asked(struct op *op, const json_t *json, struct asked *ret)
{
    const char *dns = NULL;
    struct in_addr in;

    TRY(sandbox_id_read(op, json, "id", &ret->id));
    TRY(read_range(op, json, "podCidr", &ret->pods));
    TRY(read_range(op, json, "serviceCidr", &ret->services));
    TRY(message_text(op, json, "dnsIp", 32, true, &dns));
    if (inet_pton(AF_INET, dns, &in) != 1 || !is_within(ntohl(in.s_addr), ret->services))
        return fail_on(op, "dnsIp", INVALID, "dnsIp: \"%s\" is no address of the services' range",
                       dns);
    ret->dns = ntohl(in.s_addr);
    if (network_ranges_overlap(ret->pods, ret->services))
        return fail_on(op, "podCidr", INVALID, "the ranges of pods and services overlap");
    ret->uplink_index = -1;
    return message_int(op, json, "uplinkIndex", 0, 1 << 24, &ret->uplink_index);
}

static const char *range_text(struct op *op, struct network_range range)
{
    return arena_printf(&op->arena, "%s/%d", network_address_text(op, range.base), range.prefix);
}

static enum fault check_ranges(struct op *op, const struct asked *asked,
                               const struct network_range ranges[RANGES])
{
    const struct network_range *own[] = {&asked->pods, &asked->services};
    struct network_range private = ranges[RANGE_PRIVATE];

    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        for (int r = 0; r < RANGES; r++)
            if (network_ranges_overlap(*own[i], ranges[r]))
                return fail_on(op, i == 0 ? "podCidr" : "serviceCidr", INVALID,
                               "the range %s overlaps %s, which is of nodes and load balancers",
                               range_text(op, *own[i]), range_text(op, ranges[r]));
    if (asked->uplink_index < 0 || asked->uplink_index >= ((int64_t)1 << (32 - private.prefix)) - 3)
        return fail_on(op, "uplinkIndex", INVALID, "the uplink's address is not of the range");
    return OK;
}

static void configure(struct op *op, struct holder *holder, const struct asked *asked)
{
    struct network_range private = holder->ranges[RANGE_PRIVATE];
    uint32_t uplink = private.base + 2 + (uint32_t)asked->uplink_index;
    const char *texts[] = {range_text(op, asked->pods),
                           range_text(op, asked->services),
                           network_address_text(op, asked->dns),
                           network_address_text(op, uplink),
                           range_text(op, private),
                           network_address_text(op, private.base + 1)};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        texts[i] = arena_strdup(&holder->arena, texts[i]);
    holder->config =
        (struct proxy_config){texts[0], texts[1], texts[2], texts[3], texts[4], texts[5]};
}

/* ---- the namespace ---- */

static void set(const char *file, const char *value)
{
    AUTO_CLOSE int fd = open(file, O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, value, strlen(value)) < 0)
        return; /* each is a finer point: a kernel without it has no need of it */
}

/* What a bridge carries is not the filter's business: pods' packets pass it when they are routed,
   and one that came back by the port it came from would be lost. */
void holder_set_kernel(void)
{
    static const char *const values[][2] = {
        {"/proc/sys/net/bridge/bridge-nf-call-iptables",     "0"           },
        {"/proc/sys/net/bridge/bridge-nf-call-arptables",    "0"           },
        {"/proc/sys/net/ipv4/ip_forward",                    "1"           },
        {"/proc/sys/net/ipv4/conf/all/rp_filter",            "0"           },
        {"/proc/sys/net/ipv4/conf/all/send_redirects",       "0"           },
        {"/proc/sys/net/ipv4/conf/cni0/send_redirects",      "0"           },
        {"/proc/sys/net/ipv4/conf/cni0/route_localnet",      "1"           },
        {"/proc/sys/net/ipv4/conf/eth0/arp_notify",          "1"           },
        {"/proc/sys/net/ipv6/conf/all/disable_ipv6",         "1"           },
        {"/proc/sys/net/ipv4/ping_group_range",              "0 2147483647"},
        {"/proc/sys/net/ipv4/ip_unprivileged_port_start",    "0"           },
        {"/proc/sys/net/netfilter/nf_conntrack_udp_timeout", "10"          },
        {"/proc/sys/net/ipv4/icmp_ratelimit",                "0"           }, /* each that is refused hears it */
    };

    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        set(values[i][0], values[i][1]);
}

/* The same for each network of this cluster: the host's neighbours find a new one at once. */
static enum fault make_uplink(struct op *op, struct netlink *outside, struct holder *holder,
                              const char *data, const struct asked *asked)
{
    const char *name = network_uplink_name(op, data, asked->id);
    struct network_range private = holder->ranges[RANGE_PRIVATE];
    uint32_t address = private.base + 2 + (uint32_t)asked->uplink_index;
    unsigned char hash[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)name, strlen(name), hash);
    hash[0] = 0x0a;                         /* somebody's own, of one */
    TRY(netlink_delete(op, outside, name)); /* of one that was killed */
    TRY(netlink_veth(op, outside, name, network_bridge_name(op, data), UPLINK));
    TRY(netlink_hardware_address(op, holder->nl, UPLINK, hash));
    TRY(netlink_address(op, holder->nl, UPLINK, address, private.prefix));
    TRY(netlink_up(op, holder->nl, UPLINK));
    return netlink_default_route(op, holder->nl, private.base + 1);
}

static enum fault make_bridge(struct op *op, struct holder *holder, const struct asked *asked)
{
    struct netlink *nl = holder->nl;

    TRY(netlink_up(op, nl, "lo"));
    TRY(netlink_bridge(op, nl, CLUSTER_BRIDGE, asked->pods.base + 1));
    TRY(netlink_address(op, nl, CLUSTER_BRIDGE, asked->pods.base + 1, asked->pods.prefix));
    TRY(netlink_address(op, nl, CLUSTER_BRIDGE, asked->dns, 32));
    return netlink_up(op, nl, CLUSTER_BRIDGE);
}

static enum fault make_namespace(struct op *op, struct netlink *outside, struct holder *holder,
                                 const char *data, const struct asked *asked)
{
    if (unshare(CLONE_NEWNET) < 0)
        return fail(op, UNAVAILABLE, "cannot make a network namespace: %s", strerror(errno));
    TRY(netlink_open(op, &holder->nl));
    TRY(make_bridge(op, holder, asked));
    TRY(make_uplink(op, outside, holder, data, asked));
    TRY(holder_nft(op, proxy_base_rules(op, &holder->config)));
    holder_set_kernel();
    return OK;
}

/* ---- its place under RUN ---- */

static enum fault make_socket(struct op *op, struct holder *holder, const char *folder, gid_t gid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", folder);
    holder->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (holder->listener < 0 ||
        bind(holder->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        chown(address.sun_path, 0, gid) < 0 || chmod(address.sun_path, 0660) < 0 ||
        listen(holder->listener, 64) < 0)
        return fail(op, UNAVAILABLE, "cannot listen on %s: %s", address.sun_path, strerror(errno));
    return OK;
}

/* One at a time makes a folder; what a killed one has left is taken away first. */
static enum fault make_place(struct op *op, const struct helper_job *job, const char *id,
                             int *ret_folder)
{
    const char *names[] = {strrchr(run_folder(op, job->settings->data), '/') + 1, NULL};
    AUTO_CLOSE int run = -1, own = -1, all = -1, folder = -1, pidfd = -1;
    enum fault fault;

    TRY(folder_open(op, "/run", &run));
    TRY(folder_descend(op, run, names, 0, 0, &own));
    TRY(folder_enter(op, own, "n", 0750, job->gid, &all));
    fault = folder_enter(op, all, id, 0, 0, &folder);
    if (fault == OK && (pidfd = process_find(op, folder)) >= 0)
        return fail_on(op, "network", CONFLICT, "the network of \"%s\" is there already", id);
    if (fault == OK)
        TRY(folder_remove(op, all, id));
    op_clear_fault(op);
    TRY(folder_enter(op, all, id, 0750, job->gid, ret_folder));
    return process_mark(op, *ret_folder);
}

static enum fault make_all(struct op *op, struct helper_job *job, const struct asked *asked,
                           struct holder *holder)
{
    const char *data = job->settings->data;
    const char *path = arena_printf(&op->arena, "%s/n/%s", run_folder(op, data), asked->id);
    struct netlink *outside = NULL;
    AUTO_CLOSE int folder = -1;
    enum fault fault;

    TRY(network_ranges_taken(op, data, holder->ranges));
    TRY(check_ranges(op, asked, holder->ranges));
    configure(op, holder, asked);
    TRY(make_place(op, job, asked->id, &folder));
    TRY(netlink_open(op, &outside));
    fault = make_namespace(op, outside, holder, data, asked);
    netlink_close(outside);
    return fault == OK ? make_socket(op, holder, path, job->gid) : fault;
}

static enum fault call_up(struct op *op, struct helper_job *job)
{
    struct holder *holder = calloc(1, sizeof(*holder));
    struct asked asked = {0};
    enum fault fault;

    if (!holder)
        abort();
    TRY(read_asked(op, job->in->body, &asked));
    fault = make_all(op, job, &asked, holder);
    if (fault != OK)
        return fault; /* the half is this process's, or the next call's to take away */
    job->stay = holder_main;
    job->stay_arg = holder;
    return OK;
}

static enum fault call_delete(struct op *op, struct helper_job *job)
{
    const char *id = NULL;

    TRY(sandbox_id_read(op, job->in->body, "id", &id));
    return network_holder_end(op, job->settings->data, id);
}

const struct helper_call holder_calls[] = {
    {"cluster-network.up", call_up},
    {"cluster-network.delete",                    call_delete},
    {0},
};
