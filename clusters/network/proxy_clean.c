/* What is left out before it crosses to root, who would refuse the whole for it. */
#include <string.h>

#include "clusters/network/proxy_json.h"

#define COMMENT_MAX_LEN 128          /* nft's: longer ones fail the whole transaction */
#define RANGES_MAX      40           /* of one rule, which the kernel gives 128 expressions */
#define NOBODY          "0.0.0.0/32" /* a range that no packet comes from */

static bool is_name(const char *text)
{
    return text && strlen(text) <= PROXY_NAME_MAX_LEN && proxy_is_name(text);
}

static bool is_address(const char *text)
{
    return text && proxy_is_address(text);
}

static bool is_port(int port)
{
    return port > 0 && port <= 65535;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static const char *const *keep(struct op *op, const char *const *texts, bool (*is)(const char *),
                               size_t max)
{
    size_t room = 0, n = 0;
    const char **out;

    while (texts && texts[room])
        room++;
    out = arena_alloc(&op->arena, (least(room, max) + 1) * sizeof(*out));
    for (size_t i = 0; i < room && n < max; i++)
        if (is(texts[i]))
            out[n++] = texts[i];
    out[n] = NULL;
    return out;
}

/* None is all: when none of those that somebody gave can be kept, nobody is let in. */
static const char *const *keep_ranges(struct op *op, const char *const *ranges)
{
    static const char *const nobody[] = {NOBODY, NULL};
    const char *const *out = keep(op, ranges, proxy_is_range, RANGES_MAX);

    return ranges && ranges[0] && !out[0] ? nobody : out;
}

static void keep_endpoints(struct op *op, struct service_port *port)
{
    size_t room = least(port->n_endpoints, PROXY_ENDPOINTS_MAX), n = 0;
    struct endpoint *out = arena_alloc(&op->arena, (room + 1) * sizeof(*out));

    for (size_t i = 0; i < port->n_endpoints && n < room; i++) {
        struct endpoint one = port->endpoints[i];

        if (!is_address(one.address) || !is_port(one.port))
            continue;
        if (!is_name(one.node))
            one.node = NULL;
        out[n++] = one;
    }
    port->endpoints = out;
    port->n_endpoints = n;
}

/* False: nothing of it can be kept. */
static bool keep_port(struct op *op, struct service_port *port)
{
    size_t len;

    if (!is_name(port->ns) || !is_name(port->service) || !is_port(port->port))
        return false;
    len = strlen(port->ns) + strlen(port->service) + 2;
    if (len > COMMENT_MAX_LEN)
        return false;
    if (!is_name(port->port_name) || len + strlen(port->port_name) > COMMENT_MAX_LEN)
        port->port_name = NULL;
    if (!is_port(port->node_port))
        port->node_port = 0;
    port->cluster_ips = keep(op, port->cluster_ips, proxy_is_address, PROXY_ADDRESSES_MAX);
    port->load_balancer_ips =
        keep(op, port->load_balancer_ips, proxy_is_address, PROXY_ADDRESSES_MAX);
    port->external_ips = keep(op, port->external_ips, proxy_is_address, PROXY_ADDRESSES_MAX);
    port->source_ranges = keep_ranges(op, port->source_ranges);
    if (port->affinity_s < 0)
        port->affinity_s = 0;
    if (port->affinity_s > PROXY_AFFINITY_MAX)
        port->affinity_s = PROXY_AFFINITY_MAX;
    keep_endpoints(op, port);
    return true;
}

static void keep_ports(struct op *op, struct proxy_state *state)
{
    size_t room = least(state->n_ports, PROXY_PORTS_MAX), n = 0;
    struct service_port *out = arena_alloc(&op->arena, (room + 1) * sizeof(*out));

    for (size_t i = 0; i < state->n_ports && n < room; i++) {
        out[n] = state->ports[i];
        n += keep_port(op, &out[n]);
    }
    state->ports = out;
    state->n_ports = n;
}

static void keep_host_ports(struct op *op, struct proxy_state *state)
{
    size_t room = least(state->n_host_ports, PROXY_PORTS_MAX), n = 0;
    struct host_port *out = arena_alloc(&op->arena, (room + 1) * sizeof(*out));

    for (size_t i = 0; i < state->n_host_ports && n < room; i++) {
        const struct host_port *one = &state->host_ports[i];

        if (is_address(one->node_address) && is_address(one->pod_address) &&
            is_port(one->host_port) && is_port(one->pod_port) &&
            (!one->host_ip || !one->host_ip[0] || is_address(one->host_ip)))
            out[n++] = *one;
    }
    state->host_ports = out;
    state->n_host_ports = n;
}

static void keep_nodes(struct op *op, struct proxy_state *state)
{
    size_t room = least(state->n_nodes, PROXY_NODES_MAX), n = 0;
    struct node_address *out = arena_alloc(&op->arena, (room + 1) * sizeof(*out));

    for (size_t i = 0; i < state->n_nodes && n < room; i++) {
        struct node_address one = state->nodes[i];

        if (!is_name(one.node) || !is_address(one.address))
            continue;
        if (one.pod_cidr && !proxy_is_range(one.pod_cidr))
            one.pod_cidr = NULL;
        out[n++] = one;
    }
    state->nodes = out;
    state->n_nodes = n;
}

struct proxy_state proxy_state_clean(struct op *op, const struct proxy_state *state)
{
    struct proxy_state out = *state;

    keep_ports(op, &out);
    keep_host_ports(op, &out);
    keep_nodes(op, &out);
    out.load_balancer_ips = keep(op, out.load_balancer_ips, proxy_is_address, PROXY_PORTS_MAX);
    return out;
}
