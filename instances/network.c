/* The server's half of the network: which ranges there are, DNS, and the metadata service. */
#include "instances/network.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/helper.h"
#include "core/loop.h"
#include "core/server.h"
#include "instances/dns.h"
#include "instances/network_host.h"

#define RESERVED 2 /* the network's own address and the gateway's */

static struct {
    pthread_mutex_t lock;
    const struct settings *settings;
    atomic_bool up;
    struct network_range ranges[RANGES]; /* constant once up */
    char bridge[16];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

void network_register(void)
{
    helper_register(network_calls);
}

static enum fault check_range(struct op *op, const char *name, const char *text)
{
    struct network_range range;

    if (strcmp(text, "auto") == 0 || network_range_parse(text, &range))
        return OK;
    return fail(op, INVALID,
                "--%s: \"%s\" is no range of IPv4 addresses, as 10.213.0.0/17 is (8 to 28 bits)",
                name, text);
}

enum fault network_start(struct op *op, const struct settings *settings)
{
    struct network_range a, b;

    TRY(check_range(op, "public-range", settings->public_range));
    TRY(check_range(op, "private-range", settings->private_range));
    if (network_range_parse(settings->public_range, &a) &&
        network_range_parse(settings->private_range, &b) && network_ranges_overlap(a, b))
        return fail(op, INVALID, "--public-range and --private-range overlap");
    state.settings = settings;
    snprintf(state.bridge, sizeof(state.bridge), "%s", network_bridge_name(op, settings->data));
    return OK;
}

/* ---- up and down ---- */

static enum fault read_range(struct op *op, const json_t *body, const char *member,
                             struct network_range *ret)
{
    const char *text = NULL;

    TRY(message_text(op, body, member, 32, true, &text));
    return network_range_parse(text, ret) ? OK : fail(op, INTERNAL, "\"%s\" is no range", text);
}

static enum fault bring_up(struct op *op)
{
    struct message answer = {0};

    TRY(helper_call(op, "network.up", NULL, NULL, 0, &answer));
    if (answer.n_fds != 3 ||
        read_range(op, answer.body, "public", &state.ranges[RANGE_PUBLIC]) != OK ||
        read_range(op, answer.body, "private", &state.ranges[RANGE_PRIVATE]) != OK) {
        message_close_fds(&answer);
        return fail(op, INTERNAL, "the network's answer makes no sense");
    }
    dns_start(answer.fds[0], answer.fds[1]);
    loops_listen((struct listener){.fd = answer.fds[2], .metadata = true});
    atomic_store(&state.up, true);
    return OK;
}

enum fault network_up(struct op *op)
{
    enum fault fault = OK;

    if (atomic_load(&state.up))
        return OK;
    if (!state.settings || !helper_is_root())
        return fail(op, UNSUPPORTED, "%s", helper_lacks() ? helper_lacks() : "there is no network");
    pthread_mutex_lock(&state.lock);
    if (!atomic_load(&state.up))
        fault = bring_up(op);
    pthread_mutex_unlock(&state.lock);
    return fault;
}

void network_stop(void)
{
    struct op op;

    if (atomic_exchange(&state.up, false))
        dns_stop();
    if (!state.settings || !helper_is_root())
        return;
    op_init(&op);
    (void)helper_call(&op, "network.down", NULL, NULL, 0, NULL); /* else the next start finds it */
    op_free(&op);
}

/* ---- addresses ---- */

const char *network_bridge(void)
{
    return state.bridge;
}

int64_t network_size(enum range range)
{
    return ((int64_t)1 << (32 - state.ranges[range].prefix)) - RESERVED - 1; /* and broadcast */
}

const char *network_address(struct op *op, enum range range, int64_t index)
{
    return network_address_text(op, state.ranges[range].base + RESERVED + (uint32_t)index);
}

int64_t network_index(enum range range, const char *address)
{
    struct in_addr in;
    int64_t index;

    if (inet_pton(AF_INET, address, &in) != 1)
        return -1;
    index = (int64_t)ntohl(in.s_addr) - state.ranges[range].base - RESERVED;
    return index >= 0 && index < network_size(range) ? index : -1;
}

const char *network_gateway(struct op *op, enum range range)
{
    return network_address_text(op, state.ranges[range].base + 1);
}

int network_prefix(enum range range)
{
    return state.ranges[range].prefix;
}

/* ---- names ---- */

void network_names(const char *key, const char *const *names, const char *address)
{
    json_t *body;
    struct op op;

    dns_names(key, names, address);
    if (!state.settings || !state.settings->host_names)
        return;
    op_init(&op);
    body = json_pack("{s:s}", "lines", dns_hosts_lines(&op));
    (void)helper_call(&op, "network.hosts", body, NULL, 0, NULL); /* the next change tries again */
    json_decref(body);
    op_free(&op);
}
