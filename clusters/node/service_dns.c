/*
 * Names of services and pods (Kubernetes DNS specification 1.1.0): looked up in the store at each
 * question, on the thread of the DNS.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "clusters/controller/workload.h"
#include "clusters/network/cluster_network.h"
#include "clusters/node/service_proxy.h"

#define ZONE        "cluster.local"
#define LABELS_MAX  12
#define RECORDS_MAX 1000

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_PTR = 12, TYPE_SRV = 33 };

struct query {
    struct op *op;
    struct cluster *cluster;
    const char *labels[LABELS_MAX]; /* without the zone, the last first */
    size_t n;
    struct dns_record *records;
    size_t n_records;
    bool known;
};

static void add(struct query *q, uint16_t type, const char *target, int port)
{
    q->known = true;
    if (q->n_records < RECORDS_MAX)
        q->records[q->n_records++] = (struct dns_record){type, target, (uint16_t)port};
}

/* ---- services ---- */

static bool is_headless(const json_t *service)
{
    return strcmp(text_at_or(service, "spec.clusterIP", ""), "None") == 0;
}

/* "10-244-0-7" */
static const char *dashed(struct op *op, const char *address)
{
    char *text = arena_strdup(&op->arena, address);

    for (char *p = text; *p; p++)
        if (*p == '.')
            *p = '-';
    return text;
}

static const char *endpoint_name(struct query *q, const json_t *endpoint, const char *address)
{
    const char *hostname = text_at(endpoint, "hostname");

    return hostname && *hostname ? hostname : dashed(q->op, address);
}

/* Calls each for every ready endpoint of a service's slices. */
static void for_endpoints(struct query *q, const char *ns, const char *service,
                          void (*each)(struct query *q, const json_t *slice, const json_t *endpoint,
                                       const char *address, void *arg),
                          void *arg)
{
    struct store_page page;

    if (store_list(q->op, q->cluster->store,
                   resource_preferred("discovery.k8s.io", "endpointslices"), ns, NULL, NULL, 0, 0,
                   &page) != OK)
        return;
    for (size_t i = 0; i < page.n; i++) {
        const json_t *slice = object_tree(page.objects[i]);
        const char *name = label_of(slice, "kubernetes.io/service-name");
        json_t *endpoint;
        size_t k;

        if (!name || strcmp(name, service) != 0)
            continue;
        json_array_foreach(json_object_get(slice, "endpoints"), k, endpoint)
        {
            const char *address =
                json_string_value(json_array_get(json_object_get(endpoint, "addresses"), 0));

            if (address && !json_is_false(at(endpoint, "conditions.ready")))
                each(q, slice, endpoint, address, arg);
        }
    }
}

static void add_address(struct query *q, const json_t *slice, const json_t *endpoint,
                        const char *address, void *arg)
{
    const char *wanted = arg; /* a hostname, or NULL: all */

    (void)slice;
    if (!wanted || strcmp(endpoint_name(q, endpoint, address), wanted) == 0)
        add(q, TYPE_A, address, 0);
}

static void answer_service(struct query *q, const char *ns, const char *name, const json_t *service)
{
    const char *external = text_at(service, "spec.externalName");

    q->known = true;
    if (strcmp(text_at_or(service, "spec.type", ""), "ExternalName") == 0 && external)
        add(q, TYPE_CNAME, external, 0);
    else if (is_headless(service))
        for_endpoints(q, ns, name, add_address, NULL);
    else
        add(q, TYPE_A, text_at_or(service, "spec.clusterIP", ""), 0);
}

/* ---- SRV: "_http._tcp" ---- */

struct port_wanted {
    const char *name, *protocol, *ns, *service;
};

static bool fits(const json_t *port, const struct port_wanted *w)
{
    return strcasecmp(text_at_or(port, "name", ""), w->name + 1) == 0 &&
           strcasecmp(text_at_or(port, "protocol", "TCP"), w->protocol + 1) == 0;
}

static void add_endpoint_srv(struct query *q, const json_t *slice, const json_t *endpoint,
                             const char *address, void *arg)
{
    const struct port_wanted *w = arg;
    json_t *port;
    size_t i;

    json_array_foreach(json_object_get(slice, "ports"), i, port)
    {
        if (fits(port, w))
            add(q, TYPE_SRV,
                arena_printf(&q->op->arena, "%s.%s.%s.svc." ZONE,
                             endpoint_name(q, endpoint, address), w->service, w->ns),
                (int)int_at(port, "port", 0));
    }
}

static void answer_srv(struct query *q, const struct port_wanted *w, const json_t *service)
{
    json_t *port;
    size_t i;

    if (is_headless(service)) {
        for_endpoints(q, w->ns, w->service, add_endpoint_srv, (void *)(uintptr_t)w);
        return;
    }
    json_array_foreach(at(service, "spec.ports"), i, port)
    {
        if (fits(port, w))
            add(q, TYPE_SRV, arena_printf(&q->op->arena, "%s.%s.svc." ZONE, w->service, w->ns),
                (int)int_at(port, "port", 0));
    }
}

/* ---- the tree of names ---- */

static bool namespace_exists(struct query *q, const char *ns)
{
    return store_read(q->op, q->cluster->store, resource_find("", "v1", "namespaces"), NULL, ns) !=
           NULL;
}

/* labels: "svc", namespace, service, then a host or protocol, then a port's name */
static void answer_svc(struct query *q)
{
    struct object *object;
    const json_t *service;

    if (q->n == 1 || (q->n == 2 && namespace_exists(q, q->labels[1]))) {
        q->known = true; /* a name with names below it */
        return;
    }
    if (q->n < 3 || q->n > 5)
        return;
    object = store_read(q->op, q->cluster->store, resource_find("", "v1", "services"), q->labels[1],
                        q->labels[2]);
    if (!object)
        return;
    service = object_tree(object);
    if (q->n == 3) {
        answer_service(q, q->labels[1], q->labels[2], service);
    } else if (q->n == 4 && q->labels[3][0] != '_') {
        if (is_headless(service))
            for_endpoints(q, q->labels[1], q->labels[2], add_address, (void *)q->labels[3]);
    } else if (q->n == 5 && q->labels[3][0] == '_' && q->labels[4][0] == '_') {
        const struct port_wanted wanted = {q->labels[4], q->labels[3], q->labels[1], q->labels[2]};

        answer_srv(q, &wanted, service);
    }
}

/* "10-244-0-7.ns.pod": what it says, without looking (CoreDNS' "pods insecure"). */
static void answer_pod(struct query *q)
{
    struct in_addr in;
    char *text;

    if (q->n <= 2) {
        q->known = q->n == 1 || namespace_exists(q, q->labels[1]);
        return;
    }
    if (q->n != 3 || !namespace_exists(q, q->labels[1]))
        return;
    text = arena_strdup(&q->op->arena, q->labels[2]);
    for (char *p = text; *p; p++)
        if (*p == '-')
            *p = '.';
    if (inet_pton(AF_INET, text, &in) == 1)
        add(q, TYPE_A, text, 0);
}

/* ---- addresses → names ---- */

struct reverse {
    const char *address, *ns, *service;
};

static void add_reverse(struct query *q, const json_t *slice, const json_t *endpoint,
                        const char *address, void *arg)
{
    const struct reverse *r = arg;

    (void)slice;
    if (strcmp(address, r->address) == 0)
        add(q, TYPE_PTR,
            arena_printf(&q->op->arena, "%s.%s.%s.svc." ZONE, endpoint_name(q, endpoint, address),
                         r->service, r->ns),
            0);
}

static void answer_reverse(struct query *q, const char *address)
{
    struct store_page page;

    if (store_list(q->op, q->cluster->store, resource_find("", "v1", "services"), NULL, NULL, NULL,
                   0, 0, &page) != OK)
        return;
    for (size_t i = 0; i < page.n; i++) {
        const json_t *service = object_tree(page.objects[i]);
        struct reverse r = {address, page.objects[i]->ns, page.objects[i]->name};

        if (is_headless(service))
            for_endpoints(q, r.ns, r.service, add_reverse, &r);
        else if (strcmp(text_at_or(service, "spec.clusterIP", ""), address) == 0)
            add(q, TYPE_PTR, arena_printf(&q->op->arena, "%s.%s.svc." ZONE, r.service, r.ns), 0);
    }
}

/* ---- the question ---- */

static bool ends_in(const char *name, const char *tail, size_t *ret_len)
{
    size_t len = strlen(name), tail_len = strlen(tail);

    if (len < tail_len || strcmp(name + len - tail_len, tail) != 0)
        return false;
    if (len == tail_len) {
        *ret_len = 0;
        return true;
    }
    *ret_len = len - tail_len - 1;
    return name[*ret_len] == '.';
}

/* The last label first. false: too many. */
static bool split(struct query *q, const char *name, size_t len)
{
    while (len > 0) {
        size_t begin = len;

        while (begin > 0 && name[begin - 1] != '.')
            begin--;
        if (q->n == LABELS_MAX)
            return false;
        q->labels[q->n++] = arena_strndup(&q->op->arena, name + begin, len - begin);
        len = begin ? begin - 1 : 0;
    }
    return true;
}

void service_dns(struct op *op, void *user, const char *name, bool *ret_known,
                 const struct dns_record **ret, size_t *ret_n)
{
    struct query q = {.op = op, .cluster = user};
    unsigned a, b, c, d;
    size_t len;

    q.records = arena_alloc(&op->arena, RECORDS_MAX * sizeof(*q.records));
    if (ends_in(name, ZONE, &len)) {
        if (len == 0)
            q.known = true;
        else if (split(&q, name, len) && strcmp(q.labels[0], "svc") == 0)
            answer_svc(&q);
        else if (q.n && strcmp(q.labels[0], "pod") == 0)
            answer_pod(&q);
    } else if (ends_in(name, "in-addr.arpa", &len) &&
               sscanf(name, "%3u.%3u.%3u.%3u.in-addr", &d, &c, &b, &a) == 4) {
        answer_reverse(&q, arena_printf(&op->arena, "%u.%u.%u.%u", a, b, c, d));
    }
    *ret_known = q.known;
    *ret = q.records;
    *ret_n = q.n_records;
}
