/* The whole of a cluster's services as its network wants them. */
#include "clusters/node/service_proxy.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/controller/workload.h"
#include "clusters/network/balancer_lease.h"
#include "clusters/network/proxy_json.h"
#include "clusters/node/pod_agent.h"
#include "core/db.h"
#include "core/log.h"
#include "core/reconcile.h"
#include "instances/network.h"

#define THREADS   2
#define AGAIN_MS  10000
#define SETTLE_MS 3 /* changes come in packs: pods of a Deployment, a service and its slice */
#define CLEANUP   "service.kubernetes.io/load-balancer-cleanup"

static const struct actor actor = {
    .name = "system:serviceaccount:kube-system:service-controller",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "cloud-controller-manager",
    .trusted = true,
};

struct proxy {
    struct proxy *next;
    struct cluster *cluster;
    struct balancer_leases leases; /* its pass's alone */
    char (*serving)[16];           /* sorted: whom the rules that hold send to; state.lock's */
    size_t n_serving;
    int64_t begun; /* passes; state.lock's */
    bool running, closing;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct proxy *open;
    struct reconciler *reconciler;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};

/* ---- reading objects ---- */

struct view {
    struct op *op;
    struct proxy *proxy;
    struct cluster *cluster;
    struct store_page services, slices, nodes, pods;
    struct proxy_state out;
    struct service_port *ports;
    char (*serving)[16]; /* the proxy's, once the rules hold */
    size_t n_serving, serving_room;
    const char **balancers;
    struct object **news; /* those of them whose services do not say so yet, by number; or NULL */
    size_t n_balancers;
    int64_t revision;
    bool lacks; /* there is no address for somebody */
};

static enum fault list(struct view *v, const char *group, const char *plural,
                       struct store_page *ret)
{
    return store_list(v->op, v->cluster->store, resource_preferred(group, plural), NULL, NULL, NULL,
                      0, 0, ret);
}

static const char *const *texts_of(struct op *op, const json_t *texts)
{
    const char **out = arena_alloc(&op->arena, (json_array_size(texts) + 1) * sizeof(*out));

    for (size_t i = 0; i < json_array_size(texts); i++) {
        const char *text = json_string_value(json_array_get(texts, i));

        out[i] = text ? text : ""; /* no end of the list */
    }
    return out;
}

static const char *const *one_text(struct op *op, const char *text)
{
    const char **out = arena_alloc(&op->arena, 2 * sizeof(*out));

    out[0] = text;
    return out;
}

/* ---- load balancers ---- */

static bool is_balanced(const json_t *service)
{
    return strcmp(text_at_or(service, "spec.type", ""), "LoadBalancer") == 0 &&
           !text_at(service, "spec.loadBalancerClass");
}

static bool has_cleanup(const json_t *service)
{
    json_t *finalizer;
    size_t i;

    json_array_foreach(at(service, "metadata.finalizers"), i, finalizer)
    {
        if (json_is_string(finalizer) && strcmp(json_string_value(finalizer), CLEANUP) == 0)
            return true;
    }
    return false;
}

static enum fault set_cleanup(struct op *op, json_t *service, void *arg, bool *ret_skip)
{
    bool wanted = *(const bool *)arg, had = has_cleanup(service);
    json_t *finalizers = array_at(service, "metadata.finalizers");

    (void)op;
    *ret_skip = had == wanted;
    if (wanted && !had)
        json_array_append_new(finalizers, json_string(CLEANUP));
    for (size_t i = json_array_size(finalizers); i > 0 && !wanted; i--)
        if (strcmp(json_string_value(json_array_get(finalizers, i - 1)), CLEANUP) == 0)
            json_array_remove(finalizers, i - 1);
    if (!json_array_size(finalizers))
        set_at(service, "metadata.finalizers", NULL);
    return OK;
}

static enum fault write_cleanup(struct view *v, struct object *service, bool wanted)
{
    struct rest r = rest_of(v->cluster, &actor, service->resource, service->ns, service->name);
    enum fault fault = rest_modify(v->op, &r, set_cleanup, &wanted, NULL);

    if (fault == NOT_FOUND) {
        op_clear_fault(v->op);
        return OK;
    }
    moved(&v->revision, &r);
    return fault;
}

/* ---- their addresses: never what a service's status says, as its clients may write that ---- */

static enum fault set_ingress(struct op *op, json_t *service, void *arg, bool *ret_skip)
{
    const char *address = arg;
    json_t *balancer =
        address ? json_pack("{s:[{s:s, s:s}]}", "ingress", "ip", address, "ipMode", "VIP")
                : json_object();

    (void)op;
    *ret_skip = json_equal(at(service, "status.loadBalancer"), balancer);
    json_object_set_new(object_at(service, "status"), "loadBalancer", balancer);
    return OK;
}

/* Conditions and what else others write into its status stay. */
static enum fault write_ingress(struct view *v, struct object *service, const char *address)
{
    struct rest r = rest_of(v->cluster, &actor, service->resource, service->ns, service->name);
    enum fault fault;

    r.subresource = "status";
    fault = rest_modify(v->op, &r, set_ingress, (void *)(uintptr_t)address, NULL);
    if (fault == NOT_FOUND) {
        op_clear_fault(v->op);
        return OK;
    }
    TRY(fault);
    moved(&v->revision, &r);
    return OK;
}

static bool says(const json_t *service, const char *address)
{
    const json_t *ingress = at(service, "status.loadBalancer.ingress");

    return json_array_size(ingress) == 1 &&
           strcmp(text_at_or(json_array_get(ingress, 0), "ip", ""), address) == 0;
}

static enum fault give_up(struct view *v, struct object *service)
{
    TRY(balancer_lease_give(v->op, &v->proxy->leases, service->uid));
    if (at(object_tree(service), "status.loadBalancer.ingress") && !service->deleting)
        TRY(write_ingress(v, service, NULL));
    return write_cleanup(v, service, false);
}

/* *ret_address: what it answers at; NULL: it is no load balancer, or not any more. *ret_new: the
   service does not say so yet. */
static enum fault balance(struct view *v, struct object *service, const char **ret_address,
                          bool *ret_new)
{
    const json_t *tree = object_tree(service);
    const char *address;
    enum fault fault;

    *ret_address = NULL;
    *ret_new = false;
    if (!is_balanced(tree) || service->deleting)
        return has_cleanup(tree) ? give_up(v, service) : OK;
    if (!has_cleanup(tree)) {
        rest_event(v->op, v->cluster, &actor, service, "Normal", "EnsuringLoadBalancer",
                   "Ensuring load balancer");
        TRY(write_cleanup(v, service, true));
    }
    fault = balancer_lease_take(v->op, &v->proxy->leases, service->uid, &address);
    if (fault == UNAVAILABLE &&
        (v->proxy->leases.swept || !at(tree, "status.loadBalancer.ingress"))) {
        op_clear_fault(v->op); /* others go on */
        v->lacks = true;
        return OK;
    }
    TRY(fault);
    *ret_address = address;
    *ret_new = !says(tree, address);
    return OK;
}

/* Once they answer: who knocks before is not heard, and knocks again only a second later. */
static enum fault announce(struct view *v)
{
    for (size_t i = 0; i < v->n_balancers; i++) {
        if (!v->news[i])
            continue;
        TRY(write_ingress(v, v->news[i], v->balancers[i]));
        rest_event(v->op, v->cluster, &actor, v->news[i], "Normal", "EnsuredLoadBalancer",
                   "Ensured load balancer");
    }
    return OK;
}

/* ---- ports ---- */

static bool is_of_service(struct object *slice, const struct object *service)
{
    const char *name = label_of(object_tree(slice), "kubernetes.io/service-name");

    return name && strcmp(slice->ns, service->ns) == 0 && strcmp(name, service->name) == 0;
}

static bool is_ready(const json_t *endpoint)
{
    const json_t *ready = at(endpoint, "conditions.ready");

    return !ready || json_is_true(ready);
}

/* The slice's port of that name and protocol; -1: none. */
static int port_of_slice(const json_t *slice, const char *name, const char *protocol)
{
    json_t *port;
    size_t i;

    json_array_foreach(json_object_get(slice, "ports"), i, port)
    {
        if (strcmp(text_at_or(port, "name", ""), name) == 0 &&
            strcmp(text_at_or(port, "protocol", "TCP"), protocol) == 0)
            return (int)int_at(port, "port", -1);
    }
    return -1;
}

/* Whom a pod that ends has to wait for: not those that are sent to although they are ending
   (publishNotReadyAddresses). */
static void note_serving(struct view *v, const json_t *endpoint, const char *address)
{
    if (bool_at(endpoint, "conditions.terminating", false) ||
        strlen(address) >= sizeof(*v->serving))
        return;
    if (v->n_serving == v->serving_room) {
        v->serving_room = v->serving_room ? v->serving_room * 2 : 64;
        v->serving = realloc(v->serving, v->serving_room * sizeof(*v->serving));
        if (!v->serving)
            abort();
    }
    snprintf(v->serving[v->n_serving++], sizeof(*v->serving), "%s", address);
}

static void add_endpoints(struct view *v, const json_t *slice, int port, struct service_port *to)
{
    size_t room = to->n_endpoints + json_array_size(json_object_get(slice, "endpoints"));
    struct endpoint *list = arena_alloc(&v->op->arena, (room + 1) * sizeof(*list));
    json_t *endpoint;
    size_t i;

    if (to->n_endpoints)
        memcpy(list, to->endpoints, to->n_endpoints * sizeof(*list));
    json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint)
    {
        const char *address =
            json_string_value(json_array_get(json_object_get(endpoint, "addresses"), 0));

        if (!address || !is_ready(endpoint) || !proxy_is_address(address))
            continue;
        list[to->n_endpoints++] = (struct endpoint){address, port, text_at(endpoint, "nodeName")};
        note_serving(v, endpoint, address);
    }
    to->endpoints = list;
}

static void find_endpoints(struct view *v, const struct object *service, const json_t *port,
                           struct service_port *to)
{
    for (size_t i = 0; i < v->slices.n; i++) {
        struct object *slice = v->slices.objects[i];
        int number;

        if (!is_of_service(slice, service))
            continue;
        number = port_of_slice(object_tree(slice), text_at_or(port, "name", ""),
                               text_at_or(port, "protocol", "TCP"));
        if (number > 0)
            add_endpoints(v, object_tree(slice), number, to);
    }
}

static bool has_cluster_ip(const json_t *service)
{
    const char *ip = text_at(service, "spec.clusterIP");

    return ip && *ip && strcmp(ip, "None") != 0;
}

static struct service_port port_of(struct view *v, struct object *service, const json_t *port,
                                   const char *balancer)
{
    const json_t *tree = object_tree(service);
    const json_t *spec = json_object_get(tree, "spec");
    struct service_port out = {
        .ns = service->ns,
        .service = service->name,
        .port_name = text_at_or(port, "name", ""),
        .udp = strcmp(text_at_or(port, "protocol", "TCP"), "UDP") == 0,
        .port = (int)int_at(port, "port", 0),
        .node_port = (int)int_at(port, "nodePort", 0),
        .cluster_ips = one_text(v->op, text_at(spec, "clusterIP")),
        .load_balancer_ips = one_text(v->op, balancer),
        .external_ips = texts_of(v->op, json_object_get(spec, "externalIPs")),
        .source_ranges = texts_of(v->op, json_object_get(spec, "loadBalancerSourceRanges")),
        .extra_node_addresses = one_text(v->op, NULL),
        .local_only_external = strcmp(text_at_or(spec, "externalTrafficPolicy", ""), "Local") == 0,
        .local_only_internal = strcmp(text_at_or(spec, "internalTrafficPolicy", ""), "Local") == 0,
    };

    if (strcmp(text_at_or(spec, "sessionAffinity", ""), "ClientIP") == 0)
        out.affinity_s = int_at(spec, "sessionAffinityConfig.clientIP.timeoutSeconds", 10800);
    find_endpoints(v, service, port, &out);
    return out;
}

static bool is_carried(const json_t *port)
{
    const char *protocol = text_at_or(port, "protocol", "TCP");

    return strcmp(protocol, "TCP") == 0 || strcmp(protocol, "UDP") == 0;
}

static enum fault add_services(struct view *v)
{
    size_t room = 0;

    for (size_t i = 0; i < v->services.n; i++)
        room += json_array_size(at(object_tree(v->services.objects[i]), "spec.ports"));
    v->ports = arena_alloc(&v->op->arena, (room + 1) * sizeof(*v->ports));
    v->balancers = arena_alloc(&v->op->arena, (v->services.n + 1) * sizeof(*v->balancers));
    v->news = arena_alloc(&v->op->arena, (v->services.n + 1) * sizeof(struct object *));
    for (size_t i = 0; i < v->services.n; i++) {
        struct object *service = v->services.objects[i];
        const char *balancer;
        json_t *port;
        bool new;
        size_t k;

        TRY(balance(v, service, &balancer, &new));
        if (balancer) {
            v->news[v->n_balancers] = new ? service : NULL;
            v->balancers[v->n_balancers++] = balancer;
        }
        if (!has_cluster_ip(object_tree(service)))
            continue;
        json_array_foreach(at(object_tree(service), "spec.ports"), k, port)
        {
            if (is_carried(port))
                v->ports[v->out.n_ports++] = port_of(v, service, port, balancer);
        }
    }
    v->out.ports = v->ports;
    v->out.load_balancer_ips = v->balancers;
    return OK;
}

/* ---- nodes and host ports ---- */

/* Addresses are what their pools gave them, never what objects say: clients may write those. */
static void add_nodes(struct view *v)
{
    struct node_address *nodes = arena_alloc(&v->op->arena, (v->nodes.n + 1) * sizeof(*nodes));

    for (size_t i = 0; i < v->nodes.n; i++) {
        const struct node_spec *spec = node_of(v->cluster, v->nodes.objects[i]->name);

        if (spec)
            nodes[v->out.n_nodes++] =
                (struct node_address){spec->name, spec->address, spec->pod_cidr};
    }
    v->out.nodes = nodes;
}

static size_t count_host_ports(const json_t *pod)
{
    json_t *container, *port;
    size_t i, k, n = 0;

    if (bool_at(pod, "spec.hostNetwork", false) || pod_has_ended(pod))
        return 0;
    json_array_foreach(at(pod, "spec.containers"), i, container)
    {
        json_array_foreach(json_object_get(container, "ports"), k, port)
        {
            n += int_at(port, "hostPort", 0) > 0;
        }
    }
    return n;
}

static void add_host_port(struct view *v, const json_t *pod, const json_t *port,
                          struct host_port *list)
{
    const char *protocol = text_at_or(port, "protocol", "TCP");
    const struct node_spec *node = node_of(v->cluster, text_at_or(pod, "spec.nodeName", ""));
    struct host_port one = {.node_address = node ? node->address : NULL,
                            .host_ip = text_at_or(port, "hostIP", ""),
                            .host_port = (int)int_at(port, "hostPort", 0),
                            .pod_port = (int)int_at(port, "containerPort", 0),
                            .udp = strcmp(protocol, "UDP") == 0,
                            .pod_address = text_at(pod, "status.podIP")};

    if (strcmp(one.host_ip, "0.0.0.0") == 0)
        one.host_ip = "";
    if (one.host_port && one.node_address && one.pod_address && is_carried(port))
        list[v->out.n_host_ports++] = one;
}

static void add_host_ports(struct view *v)
{
    struct host_port *list;
    json_t *container, *port;
    size_t room = 0, i, k;

    for (i = 0; i < v->pods.n; i++)
        room += count_host_ports(object_tree(v->pods.objects[i]));
    list = arena_alloc(&v->op->arena, (room + 1) * sizeof(*list));
    for (size_t p = 0; p < v->pods.n; p++) {
        const json_t *pod = object_tree(v->pods.objects[p]);

        if (!count_host_ports(pod))
            continue;
        json_array_foreach(at(pod, "spec.containers"), i, container)
        {
            json_array_foreach(json_object_get(container, "ports"), k, port)
            {
                add_host_port(v, pod, port, list);
            }
        }
    }
    v->out.host_ports = list;
}

/* ---- whom the rules send to ---- */

static int by_address(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Frees those of before. */
static void set_serving(struct proxy *p, struct view *v)
{
    char(*old)[16];

    if (v->n_serving)
        qsort(v->serving, v->n_serving, sizeof(*v->serving), by_address);
    pthread_mutex_lock(&state.lock);
    old = p->serving;
    p->serving = v->serving;
    p->n_serving = v->n_serving;
    pthread_mutex_unlock(&state.lock);
    v->serving = NULL;
    free(old);
}

/* Under state.lock. */
static struct proxy *proxy_of(const struct cluster *cluster)
{
    struct proxy *p;

    for (p = state.open; p && p->cluster != cluster; p = p->next)
        ;
    return p;
}

int64_t service_proxy_passes(const struct cluster *cluster)
{
    const struct proxy *p;
    int64_t begun;

    pthread_mutex_lock(&state.lock);
    p = proxy_of(cluster);
    begun = p ? p->begun : 0;
    pthread_mutex_unlock(&state.lock);
    return begun;
}

bool service_proxy_sends_to(const struct cluster *cluster, const char *address, int64_t n)
{
    const struct proxy *p;
    bool yes;

    pthread_mutex_lock(&state.lock);
    p = proxy_of(cluster);
    yes = p && ((p->running && p->begun <= n) ||
                (p->n_serving &&
                 bsearch(address, p->serving, p->n_serving, sizeof(*p->serving), by_address)));
    pthread_mutex_unlock(&state.lock);
    return yes;
}

/* ---- one pass ---- */

static enum fault apply(struct view *v)
{
    struct proxy_state clean;

    TRY(list(v, "", "services", &v->services));
    TRY(list(v, "discovery.k8s.io", "endpointslices", &v->slices));
    TRY(list(v, "", "nodes", &v->nodes));
    TRY(list(v, "", "pods", &v->pods));
    TRY(add_services(v));
    add_nodes(v);
    add_host_ports(v);
    clean = proxy_state_clean(v->op, &v->out);
    return cluster_network_proxy(v->op, v->cluster->network, &clean);
}

static enum fault sync(struct op *op, struct proxy *p, int64_t *ret_again_ms)
{
    struct view v = {.op = op, .proxy = p, .cluster = p->cluster};
    enum fault fault;

    balancer_leases_begin(&p->leases);
    fault = apply(&v);
    if (fault == OK)
        set_serving(p, &v);
    free(v.serving);
    TRY(fault);
    TRY(announce(&v));
    TRY(balancer_leases_sweep(op, &p->leases));
    if (v.lacks)
        *ret_again_ms = AGAIN_MS;
    return v.revision ? store_wait(op, p->cluster->store, v.revision) : OK;
}

static struct proxy *enter(const char *id)
{
    struct proxy *p;

    pthread_mutex_lock(&state.lock);
    for (p = state.open; p && strcmp(p->cluster->id, id) != 0; p = p->next)
        ;
    if (p && p->closing)
        p = NULL;
    if (p) {
        p->running = true;
        p->begun++;
    }
    pthread_mutex_unlock(&state.lock);
    return p;
}

static void leave(struct proxy *p)
{
    pthread_mutex_lock(&state.lock);
    p->running = false;
    pthread_cond_broadcast(&state.idle);
    pthread_mutex_unlock(&state.lock);
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    struct proxy *p = enter(key);
    enum fault fault;

    if (!p)
        return OK;
    fault = agent_knows_nodes(p->cluster) ? sync(op, p, ret_again_ms)
                                          : OK; /* else woken when it does */
    leave(p);
    if (fault != OK && fault != CONFLICT)
        log_event(LOG_WARN_, "services of a cluster are not up to date", "cluster=%s reason=%s",
                  key, log_quote(&op->arena, op->message ? op->message : ""));
    return fault;
}

/* ---- what brings a pass ---- */

static bool matters(const struct event *event)
{
    const char *plural = event->object->resource->plural;
    const json_t *now, *old;

    if (strcmp(plural, "services") == 0 || strcmp(plural, "endpointslices") == 0)
        return true;
    now = object_tree(event->object);
    old = event->previous ? object_tree(event->previous) : NULL;
    if (strcmp(plural, "pods") == 0)
        return count_host_ports(now) || (old && count_host_ports(old));
    return !old || event->kind != EVENT_MODIFIED; /* a node */
}

static void heard(void *user, const struct event *event)
{
    struct proxy *p = user;

    if (!event || matters(event))
        reconciler_add_after(state.reconciler, p->cluster->id, SETTLE_MS);
}

static const char *const resources[][2] = {
    {"",                 "services"      },
    {"discovery.k8s.io", "endpointslices"},
    {"",                 "nodes"         },
    {"",                 "pods"          },
};

enum fault service_proxy_open(struct op *op, struct cluster *cluster)
{
    struct proxy *p = calloc(1, sizeof(*p));

    if (!p)
        abort();
    p->cluster = cluster;
    p->leases.cluster = cluster->id;
    pthread_mutex_lock(&state.lock);
    p->next = state.open;
    state.open = p;
    pthread_mutex_unlock(&state.lock);
    for (size_t i = 0; i < ARRAY_LEN(resources); i++)
        store_listen(cluster->store, resource_preferred(resources[i][0], resources[i][1]), heard,
                     p);
    reconciler_add(state.reconciler, cluster->id);
    return cluster_network_dns(op, cluster->network, service_dns, cluster);
}

void service_proxy_close(struct cluster *cluster)
{
    struct proxy **at_p, *p;

    pthread_mutex_lock(&state.lock);
    for (at_p = &state.open; *at_p && (*at_p)->cluster != cluster; at_p = &(*at_p)->next)
        ;
    p = *at_p;
    if (p)
        p->closing = true;
    pthread_mutex_unlock(&state.lock);
    if (!p)
        return;
    store_unlisten(cluster->store, heard, p);
    pthread_mutex_lock(&state.lock);
    while (p->running)
        pthread_cond_wait(&state.idle, &state.lock);
    for (at_p = &state.open; *at_p != p; at_p = &(*at_p)->next)
        ;
    *at_p = p->next;
    pthread_mutex_unlock(&state.lock);
    balancer_leases_free(&p->leases);
    free(p->serving);
    free(p);
}

void service_proxy_wake(struct cluster *cluster)
{
    reconciler_add(state.reconciler, cluster->id);
}

void service_proxies_start(void)
{
    state.reconciler = reconciler_new("proxy", THREADS, step);
}

void service_proxies_stop(void)
{
    reconciler_free(state.reconciler);
    state.reconciler = NULL;
}
