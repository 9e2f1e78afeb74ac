#include "clusters/network/proxy_json.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/message.h"

/* ---- writing ---- */

struct writer {
    struct op *op;
    bool wrong;
};

static void put(struct writer *w, json_t *to, const char *member, json_t *value)
{
    if (!value || json_object_set_new(to, member, value) < 0)
        w->wrong = true;
}

static void put_text(struct writer *w, json_t *to, const char *member, const char *text)
{
    if (text)
        put(w, to, member, json_string(text));
}

static void put_int(struct writer *w, json_t *to, const char *member, int64_t n)
{
    if (n)
        put(w, to, member, json_integer(n));
}

static void put_true(struct writer *w, json_t *to, const char *member, bool value)
{
    if (value)
        put(w, to, member, json_true());
}

static void put_texts(struct writer *w, json_t *to, const char *member, const char *const *texts)
{
    json_t *list;

    if (!texts || !*texts)
        return;
    list = json_array();
    for (; *texts; texts++)
        if (json_array_append_new(list, json_string(*texts)) < 0)
            w->wrong = true;
    put(w, to, member, list);
}

/* A list of n objects, each filled by one. */
static json_t *put_list(struct writer *w, json_t *to, const char *member, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_object());
    put(w, to, member, list);
    return list;
}

static void put_port(struct writer *w, json_t *to, const struct service_port *port)
{
    json_t *list;

    put_text(w, to, "ns", port->ns);
    put_text(w, to, "service", port->service);
    put_text(w, to, "portName", port->port_name);
    put_true(w, to, "udp", port->udp);
    put_int(w, to, "port", port->port);
    put_int(w, to, "nodePort", port->node_port);
    put_texts(w, to, "clusterIPs", port->cluster_ips);
    put_texts(w, to, "loadBalancerIPs", port->load_balancer_ips);
    put_texts(w, to, "externalIPs", port->external_ips);
    put_texts(w, to, "sourceRanges", port->source_ranges);
    put_int(w, to, "affinityS", port->affinity_s);
    put_true(w, to, "localExternal", port->local_only_external);
    put_true(w, to, "localInternal", port->local_only_internal);
    list = put_list(w, to, "endpoints", port->n_endpoints);
    for (size_t i = 0; i < port->n_endpoints; i++) {
        put_text(w, json_array_get(list, i), "address", port->endpoints[i].address);
        put_int(w, json_array_get(list, i), "port", port->endpoints[i].port);
        put_text(w, json_array_get(list, i), "node", port->endpoints[i].node);
    }
}

static void put_host_port(struct writer *w, json_t *to, const struct host_port *port)
{
    put_text(w, to, "nodeAddress", port->node_address);
    put_text(w, to, "hostIP", port->host_ip && port->host_ip[0] ? port->host_ip : NULL);
    put_int(w, to, "hostPort", port->host_port);
    put_int(w, to, "podPort", port->pod_port);
    put_true(w, to, "udp", port->udp);
    put_text(w, to, "podAddress", port->pod_address);
}

enum fault proxy_state_write(struct op *op, const struct proxy_state *state, json_t **ret)
{
    struct writer w = {.op = op};
    json_t *json = json_object(), *list;

    arena_defer(&op->arena, (void (*)(void *))json_decref, json);
    list = put_list(&w, json, "ports", state->n_ports);
    for (size_t i = 0; i < state->n_ports; i++)
        put_port(&w, json_array_get(list, i), &state->ports[i]);
    list = put_list(&w, json, "hostPorts", state->n_host_ports);
    for (size_t i = 0; i < state->n_host_ports; i++)
        put_host_port(&w, json_array_get(list, i), &state->host_ports[i]);
    list = put_list(&w, json, "nodes", state->n_nodes);
    for (size_t i = 0; i < state->n_nodes; i++) {
        put_text(&w, json_array_get(list, i), "node", state->nodes[i].node);
        put_text(&w, json_array_get(list, i), "address", state->nodes[i].address);
        put_text(&w, json_array_get(list, i), "podCidr", state->nodes[i].pod_cidr);
    }
    put_texts(&w, json, "loadBalancerIPs", state->load_balancer_ips);
    if (w.wrong)
        return fail(op, INVALID, "a text is not UTF-8");
    *ret = json;
    return OK;
}

/* ---- reading ---- */

static enum fault wrong(struct op *op, const char *member, const char *what)
{
    return fail_on(op, member, INVALID, "%s: %s", member, what);
}

/* In one spelling: they become keys of maps. */
bool proxy_is_address(const char *text)
{
    char again[INET_ADDRSTRLEN];
    struct in_addr in;

    return inet_pton(AF_INET, text, &in) == 1 && inet_ntop(AF_INET, &in, again, sizeof(again)) &&
           strcmp(again, text) == 0;
}

bool proxy_is_range(const char *text)
{
    const char *slash = strchr(text, '/');
    char address[INET_ADDRSTRLEN] = "";
    size_t len = slash ? (size_t)(slash - text) : sizeof(address);
    size_t digits;

    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    digits = strspn(slash + 1, "0123456789");
    if (!proxy_is_address(address) || digits < 1 || digits > 2 || slash[1 + digits] != '\0')
        return false;
    return slash[1] == '0'
               ? digits == 1
               : (digits == 1 || slash[1] < '3' || (slash[1] == '3' && slash[2] <= '2'));
}

/* They end up in comments, between quotes. */
bool proxy_is_name(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")] ==
           '\0';
}

static enum fault read_name(struct op *op, const json_t *json, const char *member, bool required,
                            const char **ret)
{
    TRY(message_text(op, json, member, PROXY_NAME_MAX_LEN, required, ret));
    return !*ret || proxy_is_name(*ret) ? OK : wrong(op, member, "is no name");
}

static enum fault read_address(struct op *op, const json_t *json, const char *member, bool required,
                               const char **ret)
{
    TRY(message_text(op, json, member, 64, required, ret));
    return !*ret || proxy_is_address(*ret) ? OK : wrong(op, member, "is no IPv4 address");
}

static enum fault read_addresses(struct op *op, const json_t *json, const char *member, size_t max,
                                 bool (*is)(const char *), const char *const **ret)
{
    TRY(message_texts(op, json, member, 64, max, ret, NULL));
    for (const char *const *each = *ret; *each; each++)
        if (!is(*each))
            return wrong(op, member, "holds what is no IPv4 address");
    return OK;
}

static enum fault read_number(struct op *op, const json_t *json, const char *member, int min,
                              int *ret)
{
    int64_t n = 0;

    TRY(message_int(op, json, member, 0, 65535, &n));
    *ret = (int)n;
    return n >= min ? OK : wrong(op, member, "is missing");
}

static enum fault read_list(struct op *op, const json_t *json, const char *member, size_t max,
                            const json_t **ret, size_t *ret_n)
{
    const json_t *list = json_object_get(json, member);

    if (list && !json_is_array(list))
        return wrong(op, member, "is no list");
    if (json_array_size(list) > max)
        return wrong(op, member, "holds too many");
    *ret = list;
    *ret_n = json_array_size(list);
    return OK;
}

static enum fault read_endpoints(struct op *op, const json_t *json, struct service_port *ret)
{
    const json_t *list = NULL;
    struct endpoint *all;

    TRY(read_list(op, json, "endpoints", PROXY_ENDPOINTS_MAX, &list, &ret->n_endpoints));
    all = arena_alloc(&op->arena, (ret->n_endpoints + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_endpoints; i++) {
        const json_t *each = json_array_get(list, i);

        all[i] = (struct endpoint){0};
        TRY(read_address(op, each, "address", true, &all[i].address));
        TRY(read_number(op, each, "port", 1, &all[i].port));
        TRY(read_name(op, each, "node", false, &all[i].node));
    }
    ret->endpoints = all;
    return OK;
}

static enum fault read_port(struct op *op, const json_t *json, struct service_port *ret)
{
    TRY(read_name(op, json, "ns", true, &ret->ns));
    TRY(read_name(op, json, "service", true, &ret->service));
    TRY(read_name(op, json, "portName", false, &ret->port_name));
    TRY(message_bool(op, json, "udp", &ret->udp));
    TRY(read_number(op, json, "port", 1, &ret->port));
    TRY(read_number(op, json, "nodePort", 0, &ret->node_port));
    TRY(read_addresses(op, json, "clusterIPs", PROXY_ADDRESSES_MAX, proxy_is_address,
                       &ret->cluster_ips));
    TRY(read_addresses(op, json, "loadBalancerIPs", PROXY_ADDRESSES_MAX, proxy_is_address,
                       &ret->load_balancer_ips));
    TRY(read_addresses(op, json, "externalIPs", PROXY_ADDRESSES_MAX, proxy_is_address,
                       &ret->external_ips));
    TRY(read_addresses(op, json, "sourceRanges", PROXY_ADDRESSES_MAX, proxy_is_range,
                       &ret->source_ranges));
    TRY(message_int(op, json, "affinityS", 0, PROXY_AFFINITY_MAX, &ret->affinity_s));
    TRY(message_bool(op, json, "localExternal", &ret->local_only_external));
    TRY(message_bool(op, json, "localInternal", &ret->local_only_internal));
    return read_endpoints(op, json, ret);
}

static enum fault read_ports(struct op *op, const json_t *json, struct proxy_state *ret)
{
    const json_t *list = NULL;
    struct service_port *all;

    TRY(read_list(op, json, "ports", PROXY_PORTS_MAX, &list, &ret->n_ports));
    all = arena_alloc(&op->arena, (ret->n_ports + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_ports; i++) {
        all[i] = (struct service_port){0};
        TRY(read_port(op, json_array_get(list, i), &all[i]));
    }
    ret->ports = all;
    return OK;
}

static enum fault read_host_ports(struct op *op, const json_t *json, struct proxy_state *ret)
{
    const json_t *list = NULL;
    struct host_port *all;

    TRY(read_list(op, json, "hostPorts", PROXY_PORTS_MAX, &list, &ret->n_host_ports));
    all = arena_alloc(&op->arena, (ret->n_host_ports + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_host_ports; i++) {
        const json_t *each = json_array_get(list, i);

        all[i] = (struct host_port){0};
        TRY(read_address(op, each, "nodeAddress", true, &all[i].node_address));
        TRY(read_address(op, each, "hostIP", false, &all[i].host_ip));
        TRY(read_address(op, each, "podAddress", true, &all[i].pod_address));
        TRY(read_number(op, each, "hostPort", 1, &all[i].host_port));
        TRY(read_number(op, each, "podPort", 1, &all[i].pod_port));
        TRY(message_bool(op, each, "udp", &all[i].udp));
    }
    ret->host_ports = all;
    return OK;
}

static enum fault read_nodes(struct op *op, const json_t *json, struct proxy_state *ret)
{
    const json_t *list = NULL;
    struct node_address *all;

    TRY(read_list(op, json, "nodes", PROXY_NODES_MAX, &list, &ret->n_nodes));
    all = arena_alloc(&op->arena, (ret->n_nodes + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_nodes; i++) {
        all[i] = (struct node_address){0};
        TRY(read_name(op, json_array_get(list, i), "node", true, &all[i].node));
        TRY(read_address(op, json_array_get(list, i), "address", true, &all[i].address));
        TRY(message_text(op, json_array_get(list, i), "podCidr", 32, false, &all[i].pod_cidr));
        if (all[i].pod_cidr && !proxy_is_range(all[i].pod_cidr))
            return wrong(op, "podCidr", "is no range");
    }
    ret->nodes = all;
    return OK;
}

enum fault proxy_state_read(struct op *op, const json_t *json, struct proxy_state *ret)
{
    struct proxy_state state = {0};

    TRY(read_ports(op, json, &state));
    TRY(read_host_ports(op, json, &state));
    TRY(read_nodes(op, json, &state));
    TRY(read_addresses(op, json, "loadBalancerIPs", PROXY_PORTS_MAX, proxy_is_address,
                       &state.load_balancer_ips));
    *ret = state;
    return OK;
}
