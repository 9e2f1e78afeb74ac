/* Rules between fields of what networks are made of: ingresses, policies, endpoints. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/object/selector.h"
#include "clusters/object/strategy_kinds.h"

static bool is_status(const char *subresource)
{
    return subresource && strcmp(subresource, "status") == 0;
}

/* ---- ingresses ---- */

static void check_backend(struct field_errors *e, const json_t *backend, const char *path)
{
    const json_t *service = json_object_get(backend, "service");
    const json_t *port = json_object_get(service, "port");
    int64_t number = int_at(port, "number", 0);
    bool named = *text_at_or(port, "name", "");
    const char *at_port = path_of(e, path, "service.port");

    if (service && json_object_get(backend, "resource"))
        field_invalid(e, path, backend, "cannot set both resource and service backends");
    else if (!service && !json_object_get(backend, "resource"))
        field_invalid(e, path, backend, "resource or service backend is required");
    if (!service)
        return;
    if (!*text_at_or(service, "name", ""))
        field_required(e, path_of(e, path, "service.name"), "");
    if (named && number)
        field_invalid(e, path, backend, "cannot set both port name & port number");
    else if (!named && !json_object_get(port, "number"))
        field_required(e, path_of(e, path, "service"), "port name or number is required");
    else if (!named && (number < 1 || number > 65535))
        field_invalid(e, path_of(e, at_port, "number"), json_object_get(port, "number"),
                      "must be between 1 and 65535, inclusive");
}

static void check_path(struct field_errors *e, const json_t *row, const char *path)
{
    static const char *const forbidden[] = {"//", "/./", "/../", "%2f", "%2F"};
    const char *text = text_at_or(row, "path", "");

    if (strcmp(text_at_or(row, "pathType", ""), "ImplementationSpecific") != 0) {
        if (!*text)
            field_invalid(e, path_of(e, path, "path"), json_object_get(row, "path"),
                          "must be an absolute path");
        for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
            if (strstr(text, forbidden[i]))
                field_invalid(e, path_of(e, path, "path"), json_object_get(row, "path"),
                              arena_printf(&e->op->arena, "must not contain '%s'", forbidden[i]));
    }
    check_backend(e, json_object_get(row, "backend"), path_of(e, path, "backend"));
}

void validate_ingress(struct field_errors *e, const json_t *tree, const json_t *live,
                      const char *subresource)
{
    const json_t *spec = json_object_get(tree, "spec"), *rule, *row;
    const json_t *backend = json_object_get(spec, "defaultBackend");
    const char *old_class = annotation_of(tree, "kubernetes.io/ingress.class");
    size_t i, j;

    if (is_status(subresource))
        return;
    if (!live && old_class && json_object_get(spec, "ingressClassName"))
        field_invalid(
            e, "annotations.kubernetes.io/ingress.class",
            json_object_get(at(tree, "metadata.annotations"), "kubernetes.io/ingress.class"),
            "can not be set when the class field is also set");
    if (!backend && !json_array_size(json_object_get(spec, "rules")))
        field_invalid(e, "spec", json_object_get(spec, "rules"),
                      "either `defaultBackend` or `rules` must be specified");
    if (backend)
        check_backend(e, backend, "spec.defaultBackend");
    json_array_foreach(json_object_get(spec, "rules"), i, rule)
    {
        json_array_foreach(at(rule, "http.paths"), j, row)
        {
            check_path(
                e, row,
                path_at(e, arena_printf(&e->op->arena, "spec.rules[%zu].http", i), "paths", j));
        }
    }
}

/* ---- network policies ---- */

struct block {
    unsigned char bytes[16];
    int family, bits;
};

static bool block_parse(const char *text, struct block *ret)
{
    const char *slash = strchr(text, '/');
    char address[64], *end;
    long bits;

    if (!slash || (size_t)(slash - text) >= sizeof(address) || slash[1] < '0' || slash[1] > '9')
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    ret->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    bits = strtol(slash + 1, &end, 10);
    if (*end || bits > (ret->family == AF_INET ? 32 : 128) ||
        inet_pton(ret->family, address, ret->bytes) != 1)
        return false;
    ret->bits = (int)bits;
    return true;
}

static bool block_inside(const struct block *inner, const struct block *outer)
{
    int whole = outer->bits / 8, rest = outer->bits % 8;

    if (inner->family != outer->family || inner->bits <= outer->bits ||
        memcmp(inner->bytes, outer->bytes, (size_t)whole) != 0)
        return false;
    return rest == 0 || (inner->bytes[whole] ^ outer->bytes[whole]) >> (8 - rest) == 0;
}

#define NO_BLOCK "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"

static void check_block(struct field_errors *e, const json_t *block, const char *path)
{
    const json_t *cidr = json_object_get(block, "cidr"), *item;
    struct block outer = {.family = 0}, inner = {.family = 0};
    size_t i;

    if (!json_string_length(cidr)) {
        field_required(e, path_of(e, path, "cidr"), "");
        return;
    }
    if (!block_parse(json_string_value(cidr), &outer)) {
        field_invalid(e, path_of(e, path, "cidr"), cidr, NO_BLOCK);
        return;
    }
    json_array_foreach(json_object_get(block, "except"), i, item)
    {
        if (!block_parse(json_string_value(item), &inner))
            field_invalid(e, path_at(e, path, "except", i), item, NO_BLOCK);
        else if (!block_inside(&inner, &outer))
            field_invalid(e, path_at(e, path, "except", i), item,
                          "must be a strict subset of `cidr`");
    }
}

static void check_peer(struct field_errors *e, const json_t *peer, const char *path)
{
    const json_t *block = json_object_get(peer, "ipBlock");

    if (!json_object_size(peer))
        field_required(e, path, "must specify a peer");
    else if (block && json_object_size(peer) > 1)
        field_forbidden(e, path, "may not specify both ipBlock and another peer");
    if (block)
        check_block(e, block, path_of(e, path, "ipBlock"));
}

static void check_end_port(struct field_errors *e, const json_t *port, const char *path)
{
    const json_t *start = json_object_get(port, "port"), *end = json_object_get(port, "endPort");
    const char *at_end = path_of(e, path, "endPort");

    if (!end)
        return;
    if (!start)
        field_invalid(e, at_end, end, "may not be specified when `port` is not specified");
    else if (json_is_string(start))
        field_invalid(e, at_end, end, "may not be specified when `port` is non-numeric");
    else if (json_integer_value(end) < json_integer_value(start))
        field_invalid(e, at_end, end, "must be greater than or equal to `port`");
    else if (json_integer_value(end) > 65535)
        field_invalid(e, at_end, end, "must be between 1 and 65535, inclusive");
}

static void check_direction(struct field_errors *e, const json_t *spec, const char *rules,
                            const char *peers)
{
    json_t *rule, *item;
    size_t i, j;

    json_array_foreach(json_object_get(spec, rules), i, rule)
    {
        const char *path = path_at(e, "spec", rules, i);

        json_array_foreach(json_object_get(rule, peers), j, item)
        {
            check_peer(e, item, path_at(e, path, peers, j));
        }
        json_array_foreach(json_object_get(rule, "ports"), j, item)
        {
            check_end_port(e, item, path_at(e, path, "ports", j));
        }
    }
}

void validate_network_policy(struct field_errors *e, const json_t *tree, const json_t *live,
                             const char *subresource)
{
    const json_t *spec = json_object_get(tree, "spec");
    const json_t *types = json_object_get(spec, "policyTypes");

    (void)live;
    (void)subresource;
    check_direction(e, spec, "ingress", "from");
    check_direction(e, spec, "egress", "to");
    if (json_array_size(types) > 2)
        field_invalid(e, "spec.policyTypes", types, "may not specify more than two policyTypes");
}

/* ---- endpoints and slices ---- */

/* Where no pod can be: NULL if it can. */
static const char *unreachable(const char *text)
{
    unsigned char b[4];

    if (inet_pton(AF_INET, text, b) != 1)
        return strcmp(text, "::1") == 0 ? "may not be in the loopback range (127.0.0.0/8, ::1/128)"
                                        : NULL;
    if (b[0] == 127)
        return "may not be in the loopback range (127.0.0.0/8, ::1/128)";
    if (b[0] == 169 && b[1] == 254)
        return "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
    if (b[0] == 224 && b[1] == 0 && b[2] == 0)
        return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
    return strcmp(text, "0.0.0.0") == 0 ? "may not be unspecified (0.0.0.0 or ::)" : NULL;
}

static void check_reachable(struct field_errors *e, const json_t *address, const char *path)
{
    const char *fault = unreachable(json_string_value(address) ? json_string_value(address) : "");

    if (fault)
        field_invalid(e, path, address, fault);
}

static void check_addresses(struct field_errors *e, const json_t *subset, const char *path,
                            const char *list)
{
    json_t *address;
    size_t i;

    json_array_foreach(json_object_get(subset, list), i, address)
    {
        check_reachable(e, json_object_get(address, "ip"),
                        path_of(e, path_at(e, path, list, i), "ip"));
    }
}

void validate_endpoints(struct field_errors *e, const json_t *tree, const json_t *live,
                        const char *subresource)
{
    json_t *subset, *port;
    size_t i, j;

    (void)live;
    (void)subresource;
    json_array_foreach(json_object_get(tree, "subsets"), i, subset)
    {
        const json_t *ports = json_object_get(subset, "ports");
        const char *path = arena_printf(&e->op->arena, "subsets[%zu]", i);

        if (!json_array_size(json_object_get(subset, "addresses")) &&
            !json_array_size(json_object_get(subset, "notReadyAddresses")))
            field_required(e, path, "must specify `addresses` or `notReadyAddresses`");
        check_addresses(e, subset, path, "addresses");
        check_addresses(e, subset, path, "notReadyAddresses");
        json_array_foreach(ports, j, port)
        {
            if (json_array_size(ports) > 1 && !*text_at_or(port, "name", ""))
                field_required(e, path_of(e, path_at(e, path, "ports", j), "name"), "");
        }
    }
}

#define SLICE_MAX 1000

void validate_endpoint_slice(struct field_errors *e, const json_t *tree, const json_t *live,
                             const char *subresource)
{
    const char *type = text_at_or(tree, "addressType", "");
    const json_t *endpoints = json_object_get(tree, "endpoints"), *address;
    unsigned char bytes[16];
    json_t *endpoint;
    size_t i, j;

    (void)live;
    (void)subresource;
    if (json_array_size(endpoints) > SLICE_MAX)
        field_too_many(e, "endpoints", (int64_t)json_array_size(endpoints), SLICE_MAX);
    json_array_foreach(endpoints, i, endpoint)
    {
        json_array_foreach(json_object_get(endpoint, "addresses"), j, address)
        {
            const char *text = json_string_value(address) ? json_string_value(address) : "";
            const char *path = arena_printf(&e->op->arena, "endpoints[%zu].addresses[%zu]", i, j);

            if (strcmp(type, "IPv4") == 0 && inet_pton(AF_INET, text, bytes) != 1)
                field_invalid(e, path, address, "must be a valid IPv4 address");
            else if (strcmp(type, "IPv6") == 0 && inet_pton(AF_INET6, text, bytes) != 1)
                field_invalid(e, path, address, "must be a valid IPv6 address");
            else if (strcmp(type, "FQDN") == 0 && dns_subdomain_fault(text))
                field_invalid(e, path, address, dns_subdomain_fault(text));
            else if (strcmp(type, "FQDN") != 0)
                check_reachable(e, address, path);
        }
    }
}
