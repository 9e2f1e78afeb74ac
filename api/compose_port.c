/* Ports of compose files: a container group opens a port under its own number only. */
#include <stdlib.h>
#include <string.h>

#include "api/compose.h"

#define PORTS_MAX 5 /* of a group's address */
#define RANGE_MAX 64

struct port {
    const char *host_ip, *published, *target, *protocol; /* published "": none */
};

/* "8000" or "8000-8002"; false: it is neither. */
static bool range_of(const char *text, int *first, int *last)
{
    char *end;
    long a = strtol(text, &end, 10), b = *end == '-' ? strtol(end + 1, &end, 10) : a;

    if (*end || end == text || a < 1 || b < a || b > 65535 || b - a >= RANGE_MAX)
        return false;
    *first = (int)a;
    *last = (int)b;
    return true;
}

/* "[HOST_IP:][PUBLISHED:]TARGET[/PROTOCOL]" */
static struct port short_port(struct op *op, const char *text)
{
    char *copy = arena_strdup(&op->arena, text), *slash = strchr(copy, '/'), *colon;
    struct port port = {"", "", copy, "tcp"};

    if (slash) {
        *slash = '\0';
        port.protocol = slash + 1;
    }
    colon = strrchr(copy, ':');
    if (!colon)
        return port;
    *colon = '\0';
    port.target = colon + 1;
    port.published = copy;
    colon = strrchr(copy, ':');
    if (colon) {
        *colon = '\0';
        port.host_ip = copy;
        port.published = colon + 1;
    }
    return port;
}

static const char *member(struct op *op, const json_t *object, const char *name,
                          const char *otherwise)
{
    const char *text = compose_text(op, json_object_get(object, name));

    return text ? text : otherwise;
}

static bool has(const json_t *list, int port, const char *protocol)
{
    const json_t *one;
    size_t i;

    json_array_foreach((json_t *)list, i, one)
    {
        if (json_integer_value(json_object_get(one, "port")) == port &&
            strcmp(json_string_value(json_object_get(one, "protocol")), protocol) == 0)
            return true;
    }
    return false;
}

static void add(struct compose *c, const char *path, json_t *of_container, int port,
                const char *protocol)
{
    if (has(of_container, port, protocol))
        return;
    if (has(c->ports, port, protocol)) {
        compose_leave(c, path,
                      "another service has this port: containers of a group share an address");
        return;
    }
    if (json_array_size(c->ports) == PORTS_MAX) {
        compose_leave(c, path, "a container group opens at most 5 ports");
        return;
    }
    json_array_append_new(of_container, json_pack("{s:i,s:s}", "port", port, "protocol", protocol));
    json_array_append_new(c->ports, json_pack("{s:i,s:s}", "port", port, "protocol", protocol));
}

static void one_port(struct compose *c, const char *path, const struct port *port,
                     json_t *of_container)
{
    const char *protocol = strcmp(port->protocol, "udp") == 0 ? "UDP" : "TCP";
    int first, last, outside = 0, outside_last;

    if (strcmp(port->protocol, "udp") != 0 && strcmp(port->protocol, "tcp") != 0) {
        compose_leave(c, path, "ports are of tcp or udp");
        return;
    }
    if (!range_of(port->target, &first, &last) ||
        (*port->published && !range_of(port->published, &outside, &outside_last))) {
        compose_leave(c, path, "this is no port, or a range of more than 64");
        return;
    }
    if (*port->host_ip)
        compose_leave(c, path, "a container group has an address of its own, not one of the host");
    if (outside && (outside != first || outside_last != last))
        compose_leave(c, path,
                      arena_printf(&c->op->arena,
                                   "a container group cannot map ports: it opens %s, not %s",
                                   port->target, port->published));
    for (int n = first; n <= last; n++)
        add(c, path, of_container, n, protocol);
}

enum fault compose_ports(struct compose *c, const char *path, const json_t *service,
                         json_t *properties)
{
    const json_t *list = json_object_get(service, "ports"), *one;
    json_t *of_container = json_array();
    struct port port;
    const char *at, *text;
    size_t i;

    json_array_foreach((json_t *)list, i, one)
    {
        at = arena_printf(&c->op->arena, "%s.ports[%zu]", path, i);
        text = compose_text(c->op, one);
        if (text)
            port = short_port(c->op, text);
        else
            port = (struct port){
                member(c->op, one, "host_ip", ""), member(c->op, one, "published", ""),
                member(c->op, one, "target", ""), member(c->op, one, "protocol", "tcp")};
        one_port(c, at, &port, of_container);
    }
    if (list && !json_is_array(list))
        compose_leave(c, compose_path(c, path, "ports"), "this is no list");
    if (json_array_size(of_container))
        json_object_set(properties, "ports", of_container);
    json_decref(of_container);
    return OK;
}
