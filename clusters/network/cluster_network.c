/* The server's half: asks the holder (holder.h) over its socket, and the helper for a new one. */
#include "clusters/network/cluster_network.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "clusters/network/cluster_dns.h"
#include "clusters/network/holder.h"
#include "clusters/network/proxy_json.h"
#include "instances/dial.h"
#include "instances/paths.h"
#include "instances/sandbox_json.h"

#define ANSWER_TIMEOUT_S 60

struct cluster_network {
    struct arena arena;
    const char *id, *uplink, *gateway;
    struct dns_zone zone;
    struct dns_door *dns; /* NULL: none yet */
};

static char *run; /* RUN/n; set before other threads ask */

void cluster_networks_register(void)
{
    helper_register(holder_calls);
}

enum fault cluster_networks_start(struct op *op, const struct settings *settings)
{
    run = strdup(arena_printf(&op->arena, "%s/n", run_folder(op, settings->data)));
    if (!run)
        abort();
    return OK;
}

void cluster_networks_stop(void)
{
    free(run);
    run = NULL;
}

/* ---- talking ---- */

static enum fault connect_to(struct op *op, const char *id, int *ret_fd)
{
    const struct timeval patience = {.tv_sec = ANSWER_TIMEOUT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = -1, n;

    if (!sandbox_id_valid(id))
        return fail_on(op, "network", INVALID, "\"%s\" is no cluster's id", id);
    n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s/sock", run, id);
    if (n >= (int)sizeof(address.sun_path))
        return fail(op, INTERNAL, "the path %s is too long", run);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno;

        if (fd >= 0)
            close(fd);
        return fail_on(op, "network", GONE, "the network of the cluster is not there: %s",
                       strerror(error));
    }
    *ret_fd = fd;
    return OK;
}

static enum fault ask(struct op *op, const char *id, const char *call, json_t *with,
                      struct message *ret)
{
    json_t *body = json_pack("{s:s,s:o*}", "call", call, "with", with);
    struct message answer = {0};
    AUTO_CLOSE int fd = -1;

    arena_defer(&op->arena, (void (*)(void *))json_decref, body);
    TRY(connect_to(op, id, &fd));
    TRY(message_call(op, fd, body, NULL, 0, &answer));
    if (ret)
        *ret = answer;
    else
        message_close_fds(&answer);
    return OK;
}

static enum fault ask_fds(struct op *op, const char *id, const char *call, json_t *with, int *ret,
                          size_t n)
{
    struct message answer = {0};

    TRY(ask(op, id, call, with, &answer));
    if (answer.n_fds != n) {
        message_close_fds(&answer);
        return fail(op, INTERNAL, "the network's answer makes no sense");
    }
    memcpy(ret, answer.fds, n * sizeof(*ret));
    return OK;
}

/* ---- life ---- */

static enum fault make(struct op *op, const struct cluster_network_spec *spec)
{
    json_t *body = json_pack("{s:s,s:s,s:s,s:s,s:I}", "id", spec->id, "podCidr", spec->pod_cidr,
                             "serviceCidr", spec->service_cidr, "dnsIp", spec->dns_ip,
                             "uplinkIndex", (json_int_t)spec->uplink_index);

    arena_defer(&op->arena, (void (*)(void *))json_decref, body);
    return helper_call(op, "cluster-network.up", body, NULL, 0, NULL);
}

static enum fault from_answer(struct op *op, const struct cluster_network_spec *spec,
                              const json_t *body, struct cluster_network **ret)
{
    struct cluster_network *network = calloc(1, sizeof(*network));
    const char *uplink = "";
    enum fault fault;

    if (!network)
        abort();
    fault = message_text(op, body, "uplink", 64, true, &uplink);
    if (fault == OK && (!network_range_parse(spec->pod_cidr, &network->zone.pods) ||
                        !network_range_parse(spec->service_cidr, &network->zone.services)))
        fault = fail(op, INVALID, "the ranges of pods and services are none");
    if (fault != OK) {
        free(network);
        return fault;
    }
    arena_init(&network->arena);
    network->id = arena_strdup(&network->arena, spec->id);
    network->uplink = arena_strdup(&network->arena, uplink);
    network->gateway =
        arena_strdup(&network->arena, network_address_text(op, network->zone.pods.base + 1));
    *ret = network;
    return OK;
}

enum fault cluster_network_up(struct op *op, const struct cluster_network_spec *spec,
                              struct cluster_network **ret, bool *ret_new)
{
    struct message answer = {0};
    enum fault fault;
    bool made = false;

    TRY(network_up(op));
    fault = ask(op, spec->id, "state", NULL, &answer);
    if (fault == GONE || fault == UNAVAILABLE) {
        op_clear_fault(op);
        made = true;
        TRY(make(op, spec));
        fault = ask(op, spec->id, "state", NULL, &answer);
    }
    TRY(fault);
    message_close_fds(&answer);
    TRY(from_answer(op, spec, answer.body, ret));
    *ret_new = made;
    return OK;
}

enum fault cluster_network_check(struct op *op, const char *id)
{
    AUTO_CLOSE int fd = -1;

    return connect_to(op, id, &fd);
}

void cluster_network_release(struct cluster_network *network)
{
    if (!network)
        return;
    dns_door_close(network->dns);
    arena_free(&network->arena);
    free(network);
}

enum fault cluster_network_delete(struct op *op, const char *id)
{
    json_t *body = json_pack("{s:s}", "id", id);

    arena_defer(&op->arena, (void (*)(void *))json_decref, body);
    return helper_call(op, "cluster-network.delete", body, NULL, 0, NULL);
}

enum fault cluster_network_list(struct op *op, const char ***ret_ids, size_t *ret_n)
{
    DIR *dir = opendir(run);
    const char **ids = NULL;
    struct dirent *entry;
    size_t n = 0;

    while (dir && (entry = readdir(dir))) {
        if (!sandbox_id_valid(entry->d_name))
            continue;
        if ((n & (n - 1)) == 0) { /* a power of two: as many again */
            const char **more = arena_alloc(&op->arena, (n ? n * 2 : 1) * sizeof(*more));

            if (n)
                memcpy(more, ids, n * sizeof(*more));
            ids = more;
        }
        ids[n++] = arena_strdup(&op->arena, entry->d_name);
    }
    if (dir)
        closedir(dir);
    *ret_ids = ids;
    *ret_n = n;
    return OK;
}

/* ---- sockets ---- */

enum fault cluster_network_listen(struct op *op, struct cluster_network *network,
                                  const char *address, int port, int *ret_fd)
{
    return ask_fds(op, network->id, "listen",
                   json_pack("{s:s*,s:i}", "address", address, "port", port), ret_fd, 1);
}

enum fault cluster_network_dial(struct op *op, struct cluster_network *network, const char *address,
                                int port, int64_t timeout_ms, int *ret_fd)
{
    int fd = -1;

    TRY(ask_fds(op, network->id, "socket", NULL, &fd, 1));
    return dial(op, fd, address, port, timeout_ms, ret_fd);
}

const char *cluster_network_uplink(struct cluster_network *network)
{
    return network->uplink;
}

const char *cluster_network_gateway(struct cluster_network *network)
{
    return network->gateway;
}

/* ---- services and names ---- */

enum fault cluster_network_proxy(struct op *op, struct cluster_network *network,
                                 const struct proxy_state *state)
{
    json_t *json;

    TRY(proxy_state_write(op, state, &json));
    return ask(op, network->id, "proxy", json_incref(json), NULL);
}

enum fault cluster_network_dns(struct op *op, struct cluster_network *network, dns_resolver resolve,
                               void *user)
{
    int fds[2] = {-1, -1};

    dns_door_close(network->dns); /* its sockets hold the port */
    network->dns = NULL;
    TRY(ask_fds(op, network->id, "dns", NULL, fds, 2));
    network->zone.resolve = resolve;
    network->zone.user = user;
    return cluster_dns_open(op, fds[0], fds[1], &network->zone, &network->dns);
}
