#include "clusters/network/proxy_rules.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define TABLE    "ip cluster"
#define TEXT_MAX ((size_t)64 << 20)

/* ---- what every cluster has ---- */

static const char *const maps =
    " map service_ips { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
    " map node_ports { type inet_proto . inet_service : verdict; }\n"
    " map local_node_ports { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
    " map host_ports {\n"
    "  type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }\n"
    " set node_ips { type ipv4_addr; }\n"
    " set refused { type ipv4_addr . inet_proto . inet_service; }\n"
    " set refused_node_ports { type inet_proto . inet_service; }\n"
    " set hairpin { type ipv4_addr . ipv4_addr; }\n";

static void add_nat(struct text *out, const struct proxy_config *c)
{
    text_printf(out,
                " chain services {\n"
                "  ip daddr %s udp dport 53 return\n  ip daddr %s tcp dport 53 return\n"
                "  ip daddr . meta l4proto . th dport vmap @service_ips\n"
                "  ip daddr . meta l4proto . th dport vmap @local_node_ports\n"
                "  ip daddr @node_ips meta l4proto . th dport vmap @node_ports\n"
                "  meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport map "
                "@host_ports\n }\n"
                " chain prerouting {\n  type nat hook prerouting priority dstnat;\n"
                "  jump services\n }\n"
                " chain outgoing {\n  type nat hook output priority -100;\n  jump services\n }\n",
                c->dns, c->dns);
    /* who reaches himself by a service would answer himself, past us */
    text_printf(out,
                " chain postrouting {\n  type nat hook postrouting priority srcnat;\n"
                "  ct status dnat ip saddr . ip daddr @hairpin masquerade\n"
                "  ip saddr 127.0.0.0/8 oifname cni0 masquerade\n"
                "  oifname eth0 ip saddr %s snat to %s\n }\n",
                c->pods, c->uplink);
}

/* Nobody outside knows pods' and services' addresses, and no pod has another's. */
static void add_guard(struct text *out, const struct proxy_config *c)
{
    text_printf(out,
                " chain guard {\n  type filter hook prerouting priority raw;\n"
                "  iifname eth0 ip daddr { %s, %s, 127.0.0.0/8 } drop\n"
                "  iifname eth0 ip saddr { %s, %s } drop\n"
                "  iifname cni0 ip saddr != %s drop\n"
                "  iifname cni0 ip daddr 127.0.0.0/8 drop\n }\n",
                c->pods, c->services, c->pods, c->services, c->pods);
}

static void add_filter(struct text *out, const struct proxy_config *c)
{
    text_printf(out,
                " chain refuse {\n"
                "  ip daddr . meta l4proto . th dport @refused reject\n"
                "  ip daddr @node_ips meta l4proto . th dport @refused_node_ports reject\n"
                "  ip daddr != %s ip daddr %s reject\n }\n",
                c->dns, c->services);
    text_printf(out, " chain outside {\n  ip daddr %s accept\n  ip daddr %s reject\n }\n",
                c->private_gateway, c->private_range);
    text_str(out, " chain forward {\n  type filter hook forward priority filter;\n"
                  "  ct state established,related accept\n  jump refuse\n"
                  "  iifname eth0 ct status dnat accept\n  iifname eth0 drop\n"
                  "  oifname eth0 jump outside\n }\n"
                  " chain input {\n  type filter hook input priority filter;\n"
                  "  ct state established,related accept\n  jump refuse\n }\n"
                  " chain output {\n  type filter hook output priority filter;\n"
                  "  ct state established,related accept\n  jump refuse\n"
                  "  oifname eth0 fib daddr type != local jump outside\n }\n");
}

const char *proxy_base_rules(struct op *op, const struct proxy_config *config)
{
    struct text out;

    text_init(&out, &op->arena, 65536);
    text_printf(&out, "table %s {\n%s", TABLE, maps);
    add_nat(&out, config);
    add_guard(&out, config);
    add_filter(&out, config);
    text_str(&out, "}\n");
    return out.data;
}

/* ---- pieces ---- */

struct maker {
    struct op *op;
    struct piece *list;
    size_t n, cap;
};

static void add(struct maker *m, enum piece_rank rank, const char *make, const char *unmake)
{
    if (m->n == m->cap) {
        struct piece *old = m->list;

        m->cap = m->cap ? 2 * m->cap : 64;
        m->list = arena_alloc(&m->op->arena, m->cap * sizeof(*m->list));
        if (m->n)
            memcpy(m->list, old, m->n * sizeof(*old));
    }
    m->list[m->n++] = (struct piece){rank, make, unmake};
}

/* key is an element's; value NULL: of a set. */
static void add_element(struct maker *m, const char *map, const char *key, const char *value)
{
    struct arena *a = &m->op->arena;

    add(m, PIECE_ELEMENT,
        arena_printf(a, "add element " TABLE " %s { %s%s%s }\n", map, key, value ? " : " : "",
                     value ? value : ""),
        arena_printf(a, "delete element " TABLE " %s { %s }\n", map, key));
}

static const char *proto(const struct service_port *port)
{
    return port->udp ? "udp" : "tcp";
}

/* A chain whose name says what is in it: a changed one is another. */
static const char *add_chain(struct maker *m, enum piece_rank rank, const char *comment,
                             const char *const *rules, size_t n)
{
    static const char *const kinds[PIECE_RANKS] = {
        [PIECE_END] = "end", [PIECE_SERVICE] = "svc", [PIECE_GATE] = "lb"};
    struct arena *a = &m->op->arena;
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct text all, out;
    const char *name;

    text_init(&all, a, TEXT_MAX);
    text_printf(&all, "%s\n", comment);
    for (size_t i = 0; i < n; i++)
        text_printf(&all, "%s\n", rules[i]);
    SHA256((const unsigned char *)all.data, all.len, hash);
    name = arena_printf(a, "%s_%02x%02x%02x%02x%02x%02x%02x%02x", kinds[rank], hash[0], hash[1],
                        hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]);
    text_init(&out, a, TEXT_MAX);
    text_printf(&out, "add chain " TABLE " %s { comment \"%s\"; }\n", name, comment);
    for (size_t i = 0; i < n; i++)
        text_printf(&out, "add rule " TABLE " %s %s\n", name, rules[i]);
    add(m, rank, out.data,
        arena_printf(a, "flush chain " TABLE " %s\ndelete chain " TABLE " %s\n", name, name));
    return name;
}

/* ---- a service's endpoints ---- */

/* "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.0.5 . 80, … }" */
static const char *balance(struct maker *m, const struct service_port *port,
                           const struct endpoint *endpoints, size_t n)
{
    struct text out;

    text_init(&out, &m->op->arena, TEXT_MAX);
    if (n == 1) {
        text_printf(&out, "meta l4proto %s dnat to %s:%d", proto(port), endpoints[0].address,
                    endpoints[0].port);
        return out.data;
    }
    text_printf(&out, "meta l4proto %s dnat ip to numgen random mod %zu map { ", proto(port), n);
    for (size_t i = 0; i < n; i++)
        text_printf(&out, "%s%zu : %s . %d", i ? ", " : "", i, endpoints[i].address,
                    endpoints[i].port);
    text_str(&out, " }");
    return out.data;
}

/* Who was sent to an endpoint within the last seconds: a set that outlives changes elsewhere. */
static const char *add_memory(struct maker *m, const struct service_port *port,
                              const struct endpoint *endpoint)
{
    struct arena *a = &m->op->arena;
    const char *of =
        arena_printf(a, "%s/%s/%s/%d/%s:%d/%lld", port->ns, port->service, proto(port), port->port,
                     endpoint->address, endpoint->port, (long long)port->affinity_s);
    unsigned char hash[SHA256_DIGEST_LENGTH];
    const char *name;

    SHA256((const unsigned char *)of, strlen(of), hash);
    name = arena_printf(a, "aff_%02x%02x%02x%02x%02x%02x%02x%02x", hash[0], hash[1], hash[2],
                        hash[3], hash[4], hash[5], hash[6], hash[7]);
    add(m, PIECE_SET,
        arena_printf(a,
                     "add set " TABLE " %s { type ipv4_addr; flags dynamic,timeout; timeout %llds; "
                     "size 65535; }\n",
                     name, (long long)port->affinity_s),
        arena_printf(a, "delete set " TABLE " %s\n", name));
    return name;
}

static const char *add_affinity_chain(struct maker *m, const struct service_port *port,
                                      const char *comment, const struct endpoint *endpoints,
                                      size_t n)
{
    struct arena *a = &m->op->arena;
    const char **rules = arena_alloc(a, (n + 1) * sizeof(*rules));
    struct text last;

    text_init(&last, a, TEXT_MAX);
    text_printf(&last, "numgen random mod %zu vmap { ", n);
    for (size_t i = 0; i < n; i++) {
        const char *memory = add_memory(m, port, &endpoints[i]);
        const char *go[] = {arena_printf(a, "update @%s { ip saddr }", memory),
                            balance(m, port, &endpoints[i], 1)};
        const char *chain = add_chain(m, PIECE_END, comment, go, 2);

        rules[i] = arena_printf(a, "ip saddr @%s goto %s", memory, chain);
        text_printf(&last, "%s%zu : goto %s", i ? ", " : "", i, chain);
    }
    text_str(&last, " }");
    rules[n] = last.data;
    return add_chain(m, PIECE_SERVICE, comment, rules, n + 1);
}

/* The name of a chain that sends to one of them. */
static const char *add_endpoints(struct maker *m, const struct service_port *port,
                                 const char *comment, const struct endpoint *endpoints, size_t n)
{
    const char *rule;

    if (port->affinity_s > 0)
        return add_affinity_chain(m, port, comment, endpoints, n);
    rule = balance(m, port, endpoints, n);
    return add_chain(m, PIECE_SERVICE, comment, &rule, 1);
}

/* ---- a service's addresses ---- */

static const char *key_of(struct maker *m, const char *address, const struct service_port *port,
                          int number)
{
    return arena_printf(&m->op->arena, "%s . %s . %d", address, proto(port), number);
}

static void add_addresses(struct maker *m, const struct service_port *port,
                          const char *const *addresses, const char *chain)
{
    for (; addresses && *addresses; addresses++)
        if (chain)
            add_element(m, "service_ips", key_of(m, *addresses, port, port->port),
                        arena_printf(&m->op->arena, "goto %s", chain));
        else
            add_element(m, "refused", key_of(m, *addresses, port, port->port), NULL);
}

/* A load balancer's: with the ranges that may, in which pods always are. */
static const char *add_source_ranges(struct maker *m, const struct proxy_config *config,
                                     const struct service_port *port, const char *comment,
                                     const char *chain)
{
    const char *rules[2];
    struct text out;

    if (!chain || !port->source_ranges || !port->source_ranges[0])
        return chain;
    text_init(&out, &m->op->arena, TEXT_MAX);
    text_printf(&out, "ip saddr != %s", config->pods);
    for (const char *const *range = port->source_ranges; *range; range++)
        text_printf(&out, " ip saddr != %s", *range);
    text_str(&out, " drop");
    rules[0] = out.data;
    rules[1] = arena_printf(&m->op->arena, "goto %s", chain);
    return add_chain(m, PIECE_GATE, comment, rules, 2);
}

/* To a node's own endpoints, or nowhere when it has none. */
static const char *add_own(struct maker *m, const struct node_address *node,
                           const struct service_port *port, const char *comment)
{
    struct endpoint *own = arena_alloc(&m->op->arena, (port->n_endpoints + 1) * sizeof(*own));
    size_t n = 0;

    for (size_t e = 0; e < port->n_endpoints; e++)
        if (port->endpoints[e].node && strcmp(port->endpoints[e].node, node->node) == 0)
            own[n++] = port->endpoints[e];
    return n ? arena_printf(&m->op->arena, "goto %s", add_endpoints(m, port, comment, own, n))
             : "drop";
}

/* Internal policy Local: a node's pods, and itself, are sent to its own endpoints. */
static const char *add_internal(struct maker *m, const struct proxy_state *state,
                                const struct service_port *port, const char *comment,
                                const char *chain)
{
    const char **rules = arena_alloc(&m->op->arena, (state->n_nodes + 1) * sizeof(*rules));
    size_t n = 0;

    if (!chain || !port->local_only_internal)
        return chain;
    for (size_t i = 0; i < state->n_nodes; i++)
        if (state->nodes[i].pod_cidr)
            rules[n++] =
                arena_printf(&m->op->arena, "ip saddr { %s, %s } %s", state->nodes[i].pod_cidr,
                             state->nodes[i].address, add_own(m, &state->nodes[i], port, comment));
    rules[n++] = arena_printf(&m->op->arena, "goto %s", chain);
    return add_chain(m, PIECE_GATE, comment, rules, n);
}

/* External policy Local: by each node's address. */
static void add_local_node_port(struct maker *m, const struct proxy_state *state,
                                const struct service_port *port, const char *comment)
{
    for (size_t i = 0; i < state->n_nodes; i++) {
        const struct node_address *node = &state->nodes[i];

        add_element(m, "local_node_ports", key_of(m, node->address, port, port->node_port),
                    add_own(m, node, port, comment));
    }
}

static void add_node_port(struct maker *m, const struct proxy_state *state,
                          const struct service_port *port, const char *comment, const char *chain)
{
    const char *key = arena_printf(&m->op->arena, "%s . %d", proto(port), port->node_port);

    if (!port->node_port)
        return;
    if (!chain)
        add_element(m, "refused_node_ports", key, NULL);
    else if (port->local_only_external)
        add_local_node_port(m, state, port, comment);
    else
        add_element(m, "node_ports", key, arena_printf(&m->op->arena, "goto %s", chain));
}

static void add_port(struct maker *m, const struct proxy_config *config,
                     const struct proxy_state *state, const struct service_port *port)
{
    const char *comment = arena_printf(&m->op->arena, "%s/%s:%s", port->ns, port->service,
                                       port->port_name ? port->port_name : "");
    const char *chain = NULL;

    if (port->n_endpoints)
        chain = add_endpoints(m, port, comment, port->endpoints, port->n_endpoints);
    add_addresses(m, port, port->cluster_ips, add_internal(m, state, port, comment, chain));
    add_addresses(m, port, port->external_ips, chain);
    add_addresses(m, port, port->load_balancer_ips,
                  add_source_ranges(m, config, port, comment, chain));
    add_node_port(m, state, port, comment, chain);
    for (size_t i = 0; i < port->n_endpoints; i++)
        add_element(m, "hairpin",
                    arena_printf(&m->op->arena, "%s . %s", port->endpoints[i].address,
                                 port->endpoints[i].address),
                    NULL);
}

static void add_host_port(struct maker *m, const struct host_port *port)
{
    const char *address = port->host_ip && port->host_ip[0] && strcmp(port->host_ip, "0.0.0.0") != 0
                              ? port->host_ip
                              : port->node_address;

    add_element(m, "host_ports",
                arena_printf(&m->op->arena, "%s . %s . %d", address, port->udp ? "udp" : "tcp",
                             port->host_port),
                arena_printf(&m->op->arena, "%s . %d", port->pod_address, port->pod_port));
    add_element(m, "hairpin",
                arena_printf(&m->op->arena, "%s . %s", port->pod_address, port->pod_address), NULL);
}

/* ---- all ---- */

static int by_rank(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank)
                              : strcmp(x->make, y->make);
}

/* Each once; of two elements with one key, which two services may ask for, the first. */
static void sort_pieces(struct maker *m)
{
    size_t n = 0;

    if (m->n)
        qsort(m->list, m->n, sizeof(*m->list), by_rank);
    for (size_t i = 0; i < m->n; i++)
        if (n == 0 || strcmp(m->list[n - 1].unmake, m->list[i].unmake) != 0)
            m->list[n++] = m->list[i];
    m->n = n;
}

struct pieces *proxy_pieces(struct op *op, const struct proxy_config *config,
                            const struct proxy_state *state)
{
    struct pieces *pieces = arena_alloc(&op->arena, sizeof(*pieces));
    struct maker m = {.op = op};

    for (size_t i = 0; i < state->n_ports; i++)
        add_port(&m, config, state, &state->ports[i]);
    for (size_t i = 0; i < state->n_host_ports; i++)
        add_host_port(&m, &state->host_ports[i]);
    for (size_t i = 0; i < state->n_nodes; i++)
        add_element(&m, "node_ips", state->nodes[i].address, NULL);
    sort_pieces(&m);
    *pieces = (struct pieces){m.list, m.n};
    return pieces;
}

/* Those of a that are not in b, of one rank. */
static void add_missing(struct text *out, const struct pieces *a, const struct pieces *b,
                        enum piece_rank rank, bool unmake)
{
    size_t j = 0;

    for (size_t i = 0; a && i < a->n; i++) {
        const struct piece *piece = &a->list[i];

        while (b && j < b->n && by_rank(&b->list[j], piece) < 0)
            j++;
        if (piece->rank == rank && !(b && j < b->n && by_rank(&b->list[j], piece) == 0))
            text_str(out, unmake ? piece->unmake : piece->make);
    }
}

const char *proxy_difference(struct op *op, const struct pieces *from, const struct pieces *to)
{
    struct text out;

    text_init(&out, &op->arena, TEXT_MAX);
    add_missing(&out, from, to, PIECE_ELEMENT, true);
    for (int rank = 0; rank < PIECE_RANKS; rank++)
        add_missing(&out, to, from, (enum piece_rank)rank, false);
    for (int rank = PIECE_GATE; rank >= PIECE_SET; rank--)
        add_missing(&out, from, to, (enum piece_rank)rank, true);
    return out.len ? out.data : NULL;
}
