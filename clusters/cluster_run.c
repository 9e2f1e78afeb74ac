/* Bringing a cluster up in order, and down in the opposite one. */
#include "clusters/cluster_run.h"
#include "clusters/cluster_meters.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/entra.h"
#include "clusters/cluster_keys.h"
#include "clusters/controller/controller.h"
#include "clusters/http/pump.h"
#include "clusters/network/cluster_network.h"
#include "clusters/node/node_agent.h"
#include "clusters/object/object.h"
#include "core/listen.h"
#include "core/log.h"
#include "core/realm.h"
#include "core/reconcile.h"
#include "core/server.h"
#include "instances/address.h"
#include "instances/network.h"

#define INNER_PORT 6443 /* of the API server inside the cluster's network */
#define LOOK_MS    2000 /* between two looks at whether the network is alive */
#define GRACE_S    2    /* for clients to take their last bytes */

struct run {
    struct run *next;
    struct cluster cluster;
    struct realm *realm;
    bool with_rest, with_controllers, with_agent;
    bool shown; /* cluster_find gives it out */
    atomic_bool lost;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t released;
    struct run *runs;
    const struct settings *settings;
    struct reconciler *looks;
    int first_port, last_port;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .released = PTHREAD_COND_INITIALIZER};

/* ---- finding ---- */

static struct run *find(const char *id)
{
    for (struct run *r = state.runs; r; r = r->next)
        if (strcmp(r->cluster.id, id) == 0)
            return r;
    return NULL;
}

struct cluster *cluster_find(const char *id)
{
    struct cluster *found = NULL;
    struct run *r;

    pthread_mutex_lock(&state.lock);
    r = find(id);
    if (r && r->shown) {
        found = &r->cluster;
        atomic_fetch_add(&found->users, 1);
    }
    pthread_mutex_unlock(&state.lock);
    return found;
}

void cluster_release(struct cluster *cluster)
{
    if (atomic_fetch_sub(&cluster->users, 1) != 1)
        return;
    pthread_mutex_lock(&state.lock);
    pthread_cond_broadcast(&state.released);
    pthread_mutex_unlock(&state.lock);
}

bool cluster_is_lost(const char *uid)
{
    struct run *r;
    bool lost;

    pthread_mutex_lock(&state.lock);
    r = find(uid);
    lost = r && atomic_load(&r->lost);
    pthread_mutex_unlock(&state.lock);
    return lost;
}

static void on_lost(void *user)
{
    struct run *r = user;

    atomic_store(&r->lost, true);
    managed_cluster_wake(r->cluster.row);
}

/* ---- down ---- */

static void show(struct run *r, bool shown)
{
    pthread_mutex_lock(&state.lock);
    r->shown = shown;
    pthread_mutex_unlock(&state.lock);
}

/* Requests end: their listeners are closed, their watches ended by the store, their streams here;
   also those that were just being opened. Who takes no bytes, or sends a body without an end, is
   cut off. */
static void wait_until_unused(struct run *r, struct realm *realm)
{
    struct cluster *c = &r->cluster;
    struct timespec until;
    bool used = true;

    for (int second = 0; used; second++) {
        if (c->store)
            store_end_watches(c->store);
        pumps_end(c);
        if (second >= GRACE_S)
            realm_cut(realm);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        pthread_mutex_lock(&state.lock);
        if (atomic_load(&c->users) > 0)
            pthread_cond_timedwait(&state.released, &state.lock, &until);
        used = atomic_load(&c->users) > 0;
        pthread_mutex_unlock(&state.lock);
    }
}

static void take_out(struct run *r)
{
    pthread_mutex_lock(&state.lock);
    for (struct run **p = &state.runs; *p; p = &(*p)->next)
        if (*p == r) {
            *p = r->next;
            break;
        }
    pthread_mutex_unlock(&state.lock);
}

static void close_run(struct run *r)
{
    struct realm *realm = realm_hold(r->realm);
    struct cluster *c = &r->cluster;

    show(r, false);
    realm_close(r->realm);
    if (r->with_controllers)
        controllers_close(c);
    if (r->with_agent)
        node_agent_close(c);
    wait_until_unused(r, realm);
    realm_drop(realm);
    if (r->with_rest)
        rest_close(c);
    if (c->store)
        store_close(c->store);
    if (c->network)
        cluster_network_release(c->network);
    take_out(r);
    X509_free(c->ca);
    EVP_PKEY_free(c->ca_key);
    EVP_PKEY_free(c->token_key);
    arena_free(&c->arena);
    free(r);
}

void cluster_shut(const char *uid)
{
    struct run *r;

    pthread_mutex_lock(&state.lock);
    r = find(uid);
    pthread_mutex_unlock(&state.lock);
    if (r)
        close_run(r);
}

enum fault cluster_end(struct op *op, const char *uid)
{
    cluster_shut(uid);
    TRY(node_agent_stop_all(op, uid));
    return cluster_network_delete(op, uid);
}

/* ---- up ---- */

static const char *keep(struct run *r, const char *text)
{
    return text ? arena_strdup(&r->cluster.arena, text) : NULL;
}

/* The first address of "10.0.0.0/16": that of the API server's service. */
static const char *first_address(struct arena *arena, const char *cidr)
{
    unsigned a, b, c, d;

    if (sscanf(cidr, "%3u.%3u.%3u.%3u", &a, &b, &c, &d) != 4)
        return "10.0.0.1";
    return arena_printf(arena, "%u.%u.%u.%u", a, b, c, d + 1);
}

static enum fault read_row(struct op *op, const struct managed_cluster *m, struct run *r)
{
    struct cluster *c = &r->cluster;
    struct cluster_keys keys;
    const char *text;
    json_t *properties = json_loads(m->document, 0, NULL);

    c->row = m->id;
    c->name = keep(r, m->name);
    c->resource_group = keep(r, m->resource_group);
    c->location = keep(r, m->location);
    c->subscription = keep(r, m->subscription);
    c->tenant = keep(r, entra_tenant());
    c->arm_id = keep(r, m->scope);
    c->fqdn = keep(r, m->fqdn);
    c->principal = keep(r, m->kubelet);
    c->pod_cidr = keep(r, text_at_or(properties, "networkProfile.podCidr", "10.244.0.0/16"));
    c->service_cidr = keep(r, text_at_or(properties, "networkProfile.serviceCidr", "10.0.0.0/16"));
    c->dns_ip = keep(r, text_at_or(properties, "networkProfile.dnsServiceIP", "10.0.0.10"));
    cluster_admins_read(c, properties);
    json_decref(properties);
    c->kubernetes_ip = first_address(&c->arena, c->service_cidr);
    c->issuer = arena_printf(&c->arena, "https://%s", c->fqdn);
    TRY(managed_cluster_unseal_keys(op, m, &text));
    TRY(cluster_keys_read(op, m->ca, text, &keys));
    X509_up_ref(keys.ca);
    EVP_PKEY_up_ref(keys.ca_key);
    EVP_PKEY_up_ref(keys.token_key);
    c->ca = keys.ca;
    c->ca_key = keys.ca_key;
    c->token_key = keys.token_key;
    c->ca_pem = keep(r, m->ca);
    c->token_key_id = keep(r, m->uid);
    return OK;
}

static bool is_taken(const int64_t *ports, size_t n, int port)
{
    for (size_t i = 0; i < n; i++)
        if (ports[i] == port)
            return true;
    return false;
}

/* "[::1]:8443" with another port. */
static const char *with_port(struct op *op, const char *address, int port)
{
    const char *colon = strrchr(address, ':');

    return arena_printf(&op->arena, "%.*s:%d", (int)(colon - address), address, port);
}

/* One listener for each address of --listen; all or none. */
static enum fault bind_port(struct op *op, int port, int *fds, size_t *ret_n)
{
    size_t n = 0;

    for (const char *const *p = state.settings->listen; *p; p++) {
        enum fault fault = listen_bind(op, with_port(op, *p, port), &fds[n]);

        if (fault == OK && listen(fds[n], 1024))
            fault = fail(op, UNAVAILABLE, "cannot listen on port %d", port);
        if (fault == NOT_FOUND) { /* such an address is not there any more */
            op_clear_fault(op);
            continue;
        }
        if (fault != OK) {
            while (n > 0)
                close(fds[--n]);
            return fault;
        }
        n++;
    }
    *ret_n = n;
    return OK;
}

static enum fault choose_port(struct op *op, struct managed_cluster *m, int *fds, size_t *ret_n)
{
    int64_t *taken;
    size_t n;

    if (m->api_port > 0)
        return bind_port(op, (int)m->api_port, fds, ret_n);
    TRY(managed_cluster_ports(op, &taken, &n));
    for (int port = state.first_port; port <= state.last_port; port++) {
        enum fault fault;

        if (is_taken(taken, n, port))
            continue;
        fault = bind_port(op, port, fds, ret_n);
        if (fault == CONFLICT) { /* another program's */
            op_clear_fault(op);
            continue;
        }
        TRY(fault);
        m->api_port = port;
        return OK;
    }
    return fail(op, UNAVAILABLE, "no port of %s is free for the cluster's API: see --cluster-ports",
                state.settings->cluster_ports);
}

static enum fault open_network(struct op *op, struct managed_cluster *m, struct run *r,
                               bool *ret_new)
{
    struct cluster *c = &r->cluster;
    struct cluster_network_spec spec = {
        .id = c->id, .pod_cidr = c->pod_cidr, .service_cidr = c->service_cidr, .dns_ip = c->dns_ip};

    if (m->uplink_index < 0)
        TRY(address_take(op, RANGE_PRIVATE, arena_printf(&op->arena, "c%s", c->id),
                         &m->uplink_index));
    spec.uplink_index = m->uplink_index;
    if (cluster_network_check(op, c->id) == GONE) { /* what still runs has lost it */
        op_clear_fault(op);
        TRY(node_agent_stop_all(op, c->id));
    }
    op_clear_fault(op);
    TRY(cluster_network_up(op, &spec, &c->network, ret_new));
    c->endpoint_address = keep(r, cluster_network_uplink(c->network));
    c->endpoint_port = INNER_PORT;
    return OK;
}

static enum fault open_door(struct op *op, struct run *r, const int *fds, size_t n)
{
    struct cluster *c = &r->cluster;
    const char *addresses[] = {c->kubernetes_ip, c->endpoint_address, NULL};
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    SSL_CTX *ctx;
    int inner = -1;

    TRY(cluster_network_listen(op, c->network, NULL, INNER_PORT, &inner));
    if (cluster_server_certificate(op, c->ca, c->ca_key, c->fqdn,
                                   cluster_server_names(op, c->fqdn, addresses), &certificate,
                                   &key) != OK) {
        close(inner);
        return op->fault;
    }
    ctx = realm_context(certificate, key, c->ca);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (!ctx) {
        close(inner);
        return fail(op, INTERNAL, "cannot make the cluster's TLS context");
    }
    r->realm = realm_open(c->id, c->fqdn, ctx);
    for (size_t i = 0; i < n; i++)
        realm_listen(r->realm, fds[i]);
    realm_listen(r->realm, inner);
    return OK;
}

static enum fault open_parts(struct op *op, struct managed_cluster *m, struct run *r)
{
    struct cluster *c = &r->cluster;
    bool new_network = false;
    int64_t epoch;

    TRY(read_row(op, m, r));
    TRY(open_network(op, m, r, &new_network));
    TRY(managed_cluster_take(op, m->id, &epoch));
    TRY(store_open(op, c->row, epoch, r, on_lost, &c->store));
    TRY(rest_open(op, c));
    r->with_rest = true;
    TRY(node_agent_open(op, c));
    r->with_agent = true;
    if (new_network)
        node_agent_network_lost(c);
    TRY(controllers_open(op, c));
    r->with_controllers = true;
    return OK;
}

static void add(struct run *r)
{
    pthread_mutex_lock(&state.lock);
    r->next = state.runs;
    state.runs = r;
    pthread_mutex_unlock(&state.lock);
}

enum fault cluster_open(struct op *op, struct managed_cluster *m)
{
    struct run *r = calloc(1, sizeof(*r));
    int64_t had_port = m->api_port, had_index = m->uplink_index;
    int fds[LISTEN_MAX];
    enum fault fault;
    size_t n = 0;

    if (!r)
        abort();
    arena_init(&r->cluster.arena);
    snprintf(r->cluster.id, sizeof(r->cluster.id), "%s", m->uid); /* by it others look for theirs */
    add(r);
    fault = open_parts(op, m, r);
    if (fault == OK)
        fault = choose_port(op, m, fds, &n);
    if (fault == OK && (m->api_port != had_port || m->uplink_index != had_index))
        fault = managed_cluster_set_places(op, m->id, m->api_port, m->uplink_index);
    if (fault == OK) {
        r->cluster.api_port = (int)m->api_port;
        show(r, true);
        fault = open_door(op, r, fds, n);
        n = fault == OK ? 0 : n;
    }
    while (n > 0)
        close(fds[--n]);
    if (fault != OK) {
        close_run(r);
        return fault;
    }
    reconciler_add_after(state.looks, m->uid, LOOK_MS);
    cluster_commands_look(m->uid);
    cluster_meters_look(m->uid);
    return OK;
}

/* ---- the network's death ---- */

/* A holder that was killed takes the network with it: the cluster is opened anew, over a new one.
 */
static enum fault look(struct op *op, const char *uid, int64_t *ret_again_ms)
{
    struct cluster *cluster = cluster_find(uid);
    bool dead;

    if (!cluster)
        return OK; /* opened again, it is looked at again */
    dead = cluster_network_check(op, uid) == GONE;
    op_clear_fault(op);
    if (dead) {
        struct run *r;

        log_event(LOG_WARN_, "the network of a cluster has died", "cluster=%s", uid);
        pthread_mutex_lock(&state.lock);
        r = find(uid);
        if (r)
            on_lost(r);
        pthread_mutex_unlock(&state.lock);
    } else {
        *ret_again_ms = LOOK_MS;
    }
    cluster_release(cluster);
    return OK;
}

/* ---- the process ---- */

enum fault cluster_runs_start(struct op *op, const struct settings *settings)
{
    state.settings = settings;
    if (sscanf(settings->cluster_ports, "%5d-%5d", &state.first_port, &state.last_port) != 2 ||
        state.first_port < 1 || state.last_port > 65535 || state.first_port > state.last_port)
        return fail(op, INVALID, "--cluster-ports is FIRST-LAST, not \"%s\"",
                    settings->cluster_ports);
    state.looks = reconciler_new("clusternet", 1, look);
    return OK;
}

void cluster_runs_stop(void)
{
    reconciler_free(state.looks);
    state.looks = NULL;
    while (state.runs)
        close_run(state.runs);
}
