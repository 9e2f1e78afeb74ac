/*
 * Addresses and node ports of services: one bitmap each per cluster. A write takes what it needs;
 * when it does not happen (admit_undo) or the service goes (a listener of the store), it is given
 * back. Bits of a batch that the database refused stay taken until the cluster is read anew.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/rest/rest_internal.h"
#include "core/seal.h"

#define NODE_PORT_FIRST 30000
#define NODE_PORTS      2768
#define ADDRESSES_MAX   65536
#define TAKEN_MAX       128

struct address_pool {
    pthread_mutex_t lock;
    uint32_t base, size;
    uint8_t addresses[ADDRESSES_MAX / 8], ports[(NODE_PORTS + 7) / 8];
    uint32_t next;
};

static bool bit(const uint8_t *bits, uint32_t i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

static void set_bit(uint8_t *bits, uint32_t i, bool on)
{
    if (on)
        bits[i / 8] |= (uint8_t)(1u << (i % 8));
    else
        bits[i / 8] &= (uint8_t) ~(1u << (i % 8));
}

static uint32_t parse_address(const char *text)
{
    struct in_addr in;

    return text && inet_pton(AF_INET, text, &in) == 1 ? ntohl(in.s_addr) : 0;
}

static const char *address_text(struct op *op, uint32_t address)
{
    struct in_addr in = {htonl(address)};
    char text[INET_ADDRSTRLEN];

    return arena_strdup(&op->arena, inet_ntop(AF_INET, &in, text, sizeof(text)));
}

/* Its number in the range, or -1. */
static int64_t index_of(const struct address_pool *pool, const char *address)
{
    uint32_t value = parse_address(address);

    if (value <= pool->base || value - pool->base >= pool->size)
        return -1;
    return (int64_t)(value - pool->base);
}

/* ---- what a service holds ---- */

static void mark_service(struct address_pool *pool, const json_t *service, bool on)
{
    int64_t i = index_of(pool, text_at(service, "spec.clusterIP"));
    json_t *port;
    size_t n;

    if (i > 0)
        set_bit(pool->addresses, (uint32_t)i, on);
    json_array_foreach(at(service, "spec.ports"), n, port)
    {
        int64_t number = int_at(port, "nodePort", 0) - NODE_PORT_FIRST;

        if (number >= 0 && number < NODE_PORTS)
            set_bit(pool->ports, (uint32_t)number, on);
    }
    i = int_at(service, "spec.healthCheckNodePort", 0) - NODE_PORT_FIRST;
    if (i >= 0 && i < NODE_PORTS)
        set_bit(pool->ports, (uint32_t)i, on);
}

static void mark_all(struct cluster *cluster, struct address_pool *pool)
{
    struct store_page page = {0};
    struct op op;
    int64_t dns;

    op_init(&op);
    pthread_mutex_lock(&pool->lock);
    memset(pool->addresses, 0, sizeof(pool->addresses));
    memset(pool->ports, 0, sizeof(pool->ports));
    set_bit(pool->addresses, 0, true);
    set_bit(pool->addresses, pool->size - 1, true);
    dns = index_of(pool, cluster->dns_ip);
    if (dns > 0)
        set_bit(pool->addresses, (uint32_t)dns, true);
    if (store_list(&op, cluster->store, known.services, NULL, NULL, NULL, 0, 0, &page) == OK)
        for (size_t i = 0; i < page.n; i++)
            mark_service(pool, object_tree(page.objects[i]), true);
    pthread_mutex_unlock(&pool->lock);
    op_free(&op);
}

static void heard(void *user, const struct event *e)
{
    struct cluster *cluster = user;
    struct address_pool *pool = cluster->rest->pool;

    if (!e) {
        mark_all(cluster, pool);
        return;
    }
    if (e->kind == EVENT_ADDED)
        return; /* marked by whoever made it */
    pthread_mutex_lock(&pool->lock);
    mark_service(pool, object_tree(e->previous), false);
    if (e->kind == EVENT_MODIFIED)
        mark_service(pool, object_tree(e->object), true);
    else /* the range's own: never given away */
        set_bit(
            pool->addresses,
            (uint32_t)(index_of(pool, cluster->dns_ip) > 0 ? index_of(pool, cluster->dns_ip) : 0),
            true);
    pthread_mutex_unlock(&pool->lock);
}

void address_pool_open(struct cluster *cluster)
{
    struct address_pool *pool = calloc(1, sizeof(*pool));
    const char *slash = strchr(cluster->service_cidr, '/');
    char network[32] = "";
    long prefix = slash ? strtol(slash + 1, NULL, 10) : 32;

    if (!pool)
        abort();
    pthread_mutex_init(&pool->lock, NULL);
    if (slash && (size_t)(slash - cluster->service_cidr) < sizeof(network))
        memcpy(network, cluster->service_cidr, (size_t)(slash - cluster->service_cidr));
    pool->base = parse_address(network);
    pool->size = prefix <= 16 || prefix > 32 ? ADDRESSES_MAX : 1u << (32 - prefix);
    mark_all(cluster, pool);
    cluster->rest->pool = pool; /* before anything is heard */
    store_listen(cluster->store, known.services, heard, cluster);
}

void address_pool_free(struct cluster *cluster)
{
    struct address_pool *pool = cluster->rest->pool;

    if (!pool)
        return;
    store_unlisten(cluster->store, heard, cluster);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* ---- taking ---- */

/* What this write took, to be given back when it does not happen. */
struct taken {
    int64_t addresses[2];
    int64_t ports[TAKEN_MAX];
    size_t n_addresses, n_ports;
};

static struct taken *taken_of(struct admission *a)
{
    if (!a->taken)
        a->taken = arena_alloc(&a->op->arena, sizeof(struct taken));
    return a->taken;
}

static struct address_pool *pool_of(struct admission *a)
{
    return a->r->cluster->rest->pool;
}

static enum fault invalid(struct admission *a, const char *field, const char *value,
                          const char *why)
{
    const char *message = arena_printf(&a->op->arena, "Invalid value: %s: %s", value, why);

    return status_fail(a->op, INVALID, "Invalid",
                       json_pack("{s:s, s:s, s:[{s:s, s:s, s:s}]}", "name", a->r->name, "kind",
                                 "Service", "causes", "reason", "FieldValueInvalid", "message",
                                 message, "field", field),
                       "Service \"%s\" is invalid: %s: %s", a->r->name, field, message);
}

static enum fault take_address(struct admission *a, const char *wanted, const char **ret)
{
    struct address_pool *pool = pool_of(a);
    int64_t i = -1;
    bool free_one = false;

    pthread_mutex_lock(&pool->lock);
    if (wanted) {
        i = index_of(pool, wanted);
        free_one = i > 0 && !bit(pool->addresses, (uint32_t)i);
    } else {
        char uuid[37]; /* upstream's are random, too: old ones do not come back at once */

        random_uuid(uuid);
        uuid[8] = '\0';
        for (uint32_t n = 0; n < pool->size && !free_one; n++) {
            i = (int64_t)((strtoul(uuid, NULL, 16) + n) % pool->size);
            free_one = !bit(pool->addresses, (uint32_t)i);
        }
    }
    if (free_one)
        set_bit(pool->addresses, (uint32_t)i, true);
    pthread_mutex_unlock(&pool->lock);
    if (!free_one && !wanted)
        return status_fail(a->op, INTERNAL, "InternalError", NULL,
                           "failed to allocate a serviceIP: range is full");
    if (!free_one)
        return invalid(
            a, "spec.clusterIPs", arena_printf(&a->op->arena, "[]string{\"%s\"}", wanted),
            arena_printf(&a->op->arena,
                         i < 0 ? "failed to allocate IP %s: the provided "
                                 "IP is not in the valid range. The range of valid IPs is %s"
                               : "failed to allocate IP %s: provided IP is already allocated",
                         wanted, a->r->cluster->service_cidr));
    taken_of(a)->addresses[taken_of(a)->n_addresses++] = i;
    *ret = address_text(a->op, pool->base + (uint32_t)i);
    return OK;
}

static enum fault take_port(struct admission *a, size_t row, int64_t wanted, int64_t *ret)
{
    struct address_pool *pool = pool_of(a);
    struct taken *taken = taken_of(a);
    const char *field = arena_printf(&a->op->arena, "spec.ports[%zu].nodePort", row);
    int64_t i = wanted - NODE_PORT_FIRST;
    bool free_one = false;

    if (wanted && (i < 0 || i >= NODE_PORTS))
        return invalid(a, field, arena_printf(&a->op->arena, "%lld", (long long)wanted),
                       "provided port is not in the valid range. The range of valid ports is "
                       "30000-32767");
    pthread_mutex_lock(&pool->lock);
    if (wanted) {
        free_one = !bit(pool->ports, (uint32_t)i);
    } else {
        uint32_t from =
            (pool->next += 577); /* prime to the range: ports do not follow each other */

        for (uint32_t n = 0; n < NODE_PORTS && !free_one; n++) {
            i = (from + n) % NODE_PORTS;
            free_one = !bit(pool->ports, (uint32_t)i);
        }
    }
    if (free_one)
        set_bit(pool->ports, (uint32_t)i, true);
    pthread_mutex_unlock(&pool->lock);
    if (!free_one)
        return invalid(a, field, arena_printf(&a->op->arena, "%lld", (long long)wanted),
                       wanted ? "provided port is already allocated" : "no port is free");
    if (taken->n_ports < TAKEN_MAX)
        taken->ports[taken->n_ports++] = i;
    *ret = NODE_PORT_FIRST + i;
    return OK;
}

void undo_service(struct admission *a)
{
    struct address_pool *pool = pool_of(a);
    struct taken *taken = a->taken;

    if (!taken)
        return;
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < taken->n_addresses; i++)
        set_bit(pool->addresses, (uint32_t)taken->addresses[i], false);
    for (size_t i = 0; i < taken->n_ports; i++)
        set_bit(pool->ports, (uint32_t)taken->ports[i], false);
    pthread_mutex_unlock(&pool->lock);
    a->taken = NULL;
}

/* ---- the plugin ---- */

static bool is_type(const json_t *service, const char *type)
{
    return strcmp(text_at_or(service, "spec.type", "ClusterIP"), type) == 0;
}

/* An update that leaves out what we gave keeps it, as upstream. */
static void keep_allocated(json_t *tree, const json_t *old)
{
    const json_t *ip = at(old, "spec.clusterIP");
    bool had = !is_type(old, "ExternalName"), has = !is_type(tree, "ExternalName");

    if (had && has && ip && !*text_at_or(tree, "spec.clusterIP", "") &&
        !json_array_size(at(tree, "spec.clusterIPs"))) {
        set_at(tree, "spec.clusterIP", json_deep_copy(ip));
        set_at(tree, "spec.clusterIPs", json_deep_copy(at(old, "spec.clusterIPs")));
    }
    if (!has && had) {
        if (json_equal(at(tree, "spec.clusterIP"), ip)) {
            set_at(tree, "spec.clusterIP", NULL);
            set_at(tree, "spec.clusterIPs", NULL);
        }
        set_at(tree, "spec.ipFamilies", NULL);
        set_at(tree, "spec.ipFamilyPolicy", NULL);
        set_at(tree, "spec.internalTrafficPolicy", NULL);
    }
}

static json_t *same_port(const json_t *service, const json_t *port)
{
    json_t *row;
    size_t i;

    json_array_foreach(at(service, "spec.ports"), i, row)
    {
        if (int_at(row, "port", 0) == int_at(port, "port", 0) &&
            strcmp(text_at_or(row, "protocol", "TCP"), text_at_or(port, "protocol", "TCP")) == 0)
            return row;
    }
    return NULL;
}

static bool had_port(const json_t *old, int64_t number)
{
    json_t *row;
    size_t i;

    json_array_foreach(at(old, "spec.ports"), i, row)
    {
        if (int_at(row, "nodePort", 0) == number)
            return true;
    }
    return false;
}

/* Two rows of one service may share a node port when their protocols differ. */
static int64_t twin_port(const json_t *service, size_t upto, const json_t *port)
{
    json_t *row;
    size_t i;

    json_array_foreach(at(service, "spec.ports"), i, row)
    {
        if (i < upto && int_at(row, "port", 0) == int_at(port, "port", 0))
            return int_at(row, "nodePort", 0);
    }
    return 0;
}

static enum fault give_port(struct admission *a, size_t i, json_t *port)
{
    int64_t number = int_at(port, "nodePort", 0), twin = twin_port(a->tree, i, port);

    if (!number)
        number = int_at(same_port(a->old, port), "nodePort", 0);
    if (!number && twin)
        number = twin;
    if (!number || (!had_port(a->old, number) && number != twin))
        TRY(take_port(a, i, number, &number));
    json_object_set_new(port, "nodePort", json_integer(number));
    return OK;
}

static enum fault give_ports(struct admission *a)
{
    bool balanced = is_type(a->tree, "LoadBalancer");
    bool wants = is_type(a->tree, "NodePort") ||
                 (balanced && bool_at(a->tree, "spec.allocateLoadBalancerNodePorts", true));
    json_t *port;
    size_t i;

    json_array_foreach(at(a->tree, "spec.ports"), i, port)
    {
        int64_t number = int_at(port, "nodePort", 0);

        if (wants || (balanced && number))
            TRY(give_port(a, i, port));
        else if (number && had_port(a->old, number))
            json_object_del(port, "nodePort"); /* left over from another type */
    }
    return OK;
}

static enum fault give_health_port(struct admission *a)
{
    int64_t number = int_at(a->tree, "spec.healthCheckNodePort", 0);
    int64_t had = int_at(a->old, "spec.healthCheckNodePort", 0);

    if (!is_type(a->tree, "LoadBalancer") ||
        strcmp(text_at_or(a->tree, "spec.externalTrafficPolicy", ""), "Local") != 0) {
        if (number == had)
            set_at(a->tree, "spec.healthCheckNodePort", NULL);
        return OK;
    }
    if (!number)
        number = had;
    if (!number || number != had)
        TRY(take_port(a, 0, number, &number));
    set_at(a->tree, "spec.healthCheckNodePort", json_integer(number));
    return OK;
}

static enum fault give_address(struct admission *a)
{
    const char *ip = text_at_or(a->tree, "spec.clusterIP", "");
    const char *first = json_string_value(json_array_get(at(a->tree, "spec.clusterIPs"), 0));
    const char *had = text_at_or(a->old, "spec.clusterIP", "");

    if (!*ip && first)
        ip = first;
    if (strcmp(ip, "None") != 0 && (!*ip || strcmp(ip, had) != 0)) {
        bool changes = *ip && *had && strcmp(had, "None") != 0;

        if (changes) { /* validation says that it may not */
            set_at(a->tree, "spec.clusterIPs", json_pack("[s]", ip));
            return OK;
        }
        TRY(take_address(a, *ip ? ip : NULL, &ip));
    }
    ip = arena_strdup(&a->op->arena, ip);
    set_at(a->tree, "spec.clusterIP", json_string(ip));
    set_at(a->tree, "spec.clusterIPs", json_pack("[s]", ip));
    if (!json_array_size(at(a->tree, "spec.ipFamilies")))
        set_at(a->tree, "spec.ipFamilies", json_pack("[s]", "IPv4"));
    if (!at(a->tree, "spec.ipFamilyPolicy"))
        set_at(a->tree, "spec.ipFamilyPolicy", json_string("SingleStack"));
    return OK;
}

enum fault admit_service(struct admission *a)
{
    if (a->old)
        keep_allocated(a->tree, a->old);
    if (is_type(a->tree, "ExternalName"))
        return give_ports(a);
    TRY(give_address(a));
    TRY(give_ports(a));
    return give_health_port(a);
}
