#include "clusters/network/holder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clusters/network/conntrack.h"
#include "clusters/network/proxy_json.h"

#define CONNS_MAX 32
#define BACKLOG   1024

/* ---- rules ---- */

static void nft_child(const char *commands, int report)
{
    struct op op;
    ssize_t n = 0;

    op_init(&op);
    if (network_nft(&op, commands) != OK)
        n = write(report, op.message, strlen(op.message));
    _exit(op.fault == OK && n == 0 ? 0 : 1);
}

enum fault holder_nft(struct op *op, const char *commands)
{
    char text[512] = "the packet filter cannot be set";
    int report[2], status = -1;
    ssize_t n;
    pid_t pid;

    if (pipe(report) < 0 || (pid = fork()) < 0)
        return fail(op, UNAVAILABLE, "cannot fork: %s", strerror(errno));
    if (pid == 0)
        nft_child(commands, report[1]);
    close(report[1]);
    n = read(report[0], text, sizeof(text) - 1);
    close(report[0]);
    if (n > 0)
        text[n] = '\0';
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0 ? OK : fail(op, UNAVAILABLE, "%s", text);
}

/* What is in force lives longer than the op it came with. */
static struct pieces *pieces_keep(const struct pieces *pieces)
{
    struct pieces *kept = calloc(1, sizeof(*kept));

    if (!kept || !(kept->list = calloc(pieces->n + 1, sizeof(*kept->list))))
        abort();
    kept->n = pieces->n;
    for (size_t i = 0; i < pieces->n; i++) {
        kept->list[i] = (struct piece){pieces->list[i].rank, strdup(pieces->list[i].make),
                                       strdup(pieces->list[i].unmake)};
        if (!kept->list[i].make || !kept->list[i].unmake)
            abort();
    }
    return kept;
}

static void pieces_free(struct pieces *pieces)
{
    for (size_t i = 0; pieces && i < pieces->n; i++) {
        free((char *)pieces->list[i].make);
        free((char *)pieces->list[i].unmake);
    }
    if (pieces)
        free(pieces->list);
    free(pieces);
}

static enum fault set_rules(struct op *op, struct holder *holder, const struct proxy_state *state)
{
    struct pieces *wanted = proxy_pieces(op, &holder->config, state);
    const char *change = proxy_difference(op, holder->pieces, wanted);

    if (!change)
        return OK;
    holder_set_kernel();
    TRY(holder_nft(op, change));
    pieces_free(holder->pieces);
    holder->pieces = pieces_keep(wanted);
    if (conntrack_forget(op, state) != OK)
        op_clear_fault(op); /* without it a flow of UDP ends when nobody has sent for a while */
    return OK;
}

/* ---- addresses ---- */

/* Of one of the ranges, and neither the network's nor the gateway's nor for all. */
static bool is_ours(const struct holder *holder, uint32_t address)
{
    for (int r = 0; r < RANGES; r++) {
        struct network_range range = holder->ranges[r];
        uint32_t within = address - range.base;

        if (address >= range.base && within >= 2 && within < ((1u << (32 - range.prefix)) - 1))
            return true;
    }
    return false;
}

static bool holds(const uint32_t *list, size_t n, uint32_t address)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == address)
            return true;
    return false;
}

static enum fault add_wanted(struct op *op, const struct holder *holder, const char *text,
                             uint32_t *list, size_t *n)
{
    struct in_addr in = {0};
    uint32_t address;

    inet_pton(AF_INET, text, &in); /* it was read as one */
    address = ntohl(in.s_addr);
    if (strcmp(text, holder->config.uplink) == 0 || holds(list, *n, address))
        return OK;
    if (!is_ours(holder, address))
        return fail(op, INVALID, "%s is no address that nodes or load balancers may have", text);
    list[(*n)++] = address;
    return OK;
}

static enum fault set_addresses(struct op *op, struct holder *holder,
                                const struct proxy_state *state)
{
    size_t n = 0, most = state->n_nodes;
    uint32_t *wanted;

    while (state->load_balancer_ips[most - state->n_nodes])
        most++;
    wanted = arena_alloc(&op->arena, (most + 1) * sizeof(*wanted));
    for (size_t i = 0; i < state->n_nodes; i++)
        TRY(add_wanted(op, holder, state->nodes[i].address, wanted, &n));
    for (const char *const *ip = state->load_balancer_ips; *ip; ip++)
        TRY(add_wanted(op, holder, *ip, wanted, &n));
    for (size_t i = 0; i < holder->n_addresses; i++)
        if (!holds(wanted, n, holder->addresses[i]))
            TRY(netlink_address_delete(op, holder->nl, UPLINK, holder->addresses[i], 32));
    for (size_t i = 0; i < n; i++)
        TRY(netlink_address(op, holder->nl, UPLINK, wanted[i], 32));
    free(holder->addresses);
    holder->addresses = malloc((n + 1) * sizeof(*wanted));
    if (!holder->addresses)
        abort();
    memcpy(holder->addresses, wanted, n * sizeof(*wanted));
    holder->n_addresses = n;
    return OK;
}

static enum fault set_proxy(struct op *op, struct holder *holder, const json_t *with)
{
    struct proxy_state state;

    TRY(proxy_state_read(op, with, &state));
    TRY(set_addresses(op, holder, &state));
    return set_rules(op, holder, &state);
}

/* ---- sockets ---- */

static enum fault bind_socket(struct op *op, const char *address, int64_t port, int type, int *ret)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd, yes = 1;

    if (address && inet_pton(AF_INET, address, &to.sin_addr) != 1)
        return fail(op, INVALID, "\"%s\" is no IPv4 address", address);
    fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *ret = fd;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
        bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
        return fail(op, UNAVAILABLE, "cannot listen on %s:%d of the cluster's network: %s",
                    address ? address : "0.0.0.0", (int)port, strerror(errno));
    return OK;
}

static enum fault listen_there(struct op *op, const json_t *with, int *ret_fds, size_t *ret_n)
{
    const char *address = NULL;
    int64_t port = 0;

    TRY(message_text(op, with, "address", 64, false, &address));
    TRY(message_int(op, with, "port", 0, 65535, &port));
    *ret_n = 1;
    return bind_socket(op, address, port, SOCK_STREAM, &ret_fds[0]);
}

static enum fault dns_sockets(struct op *op, const struct holder *holder, int *ret_fds,
                              size_t *ret_n)
{
    *ret_n = 2;
    TRY(bind_socket(op, holder->config.dns, 53, SOCK_DGRAM, &ret_fds[0]));
    return bind_socket(op, holder->config.dns, 53, SOCK_STREAM, &ret_fds[1]);
}

static enum fault one_socket(struct op *op, int *ret_fds, size_t *ret_n)
{
    *ret_n = 1;
    ret_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return ret_fds[0] >= 0 ? OK
                           : fail(op, UNAVAILABLE, "cannot make a socket: %s", strerror(errno));
}

/* ---- what is asked ---- */

static json_t *state_of(const struct holder *holder)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:i}", "uplink", holder->config.uplink, "pods",
                     holder->config.pods, "services", holder->config.services, "dns",
                     holder->config.dns, "version", HOLDER_VERSION);
}

static enum fault answer(struct op *op, struct holder *holder, const json_t *body, json_t **ret,
                         int *ret_fds, size_t *ret_n)
{
    const json_t *with = json_object_get(body, "with");
    const char *call = NULL;

    TRY(message_text(op, body, "call", 64, true, &call));
    if (strcmp(call, "proxy") == 0)
        return set_proxy(op, holder, with);
    if (strcmp(call, "listen") == 0)
        return listen_there(op, with, ret_fds, ret_n);
    if (strcmp(call, "dns") == 0)
        return dns_sockets(op, holder, ret_fds, ret_n);
    if (strcmp(call, "socket") == 0)
        return one_socket(op, ret_fds, ret_n);
    if (strcmp(call, "state") != 0)
        return fail(op, UNSUPPORTED, "the network's holder, of version %d, knows no call \"%s\"",
                    HOLDER_VERSION, call);
    *ret = state_of(holder);
    return OK;
}

/* False: it has left. */
static bool serve(struct holder *holder, int conn)
{
    struct message message = {0};
    json_t *body = NULL;
    int fds[2] = {-1, -1};
    size_t n = 0;
    enum fault fault;
    struct op op;
    bool stays;

    op_init(&op);
    stays = message_receive(&op, conn, &message) == OK;
    message_close_fds(&message);
    if (stays) {
        fault = answer(&op, holder, message.body, &body, fds, &n);
        stays = message_answer(&op, conn, fault, body, fds, fault == OK ? n : 0) == OK;
        json_decref(body);
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    op_free(&op);
    malloc_trim(0); /* we are many, and idle from here */
    return stays;
}

static void take_conn(int listener, struct pollfd *conns, size_t *n)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0 && *n > CONNS_MAX)
        close(fd);
    else if (fd >= 0)
        conns[(*n)++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void enter(void)
{
    prctl(PR_SET_NAME, "sundog-net");
    for (int number = 1; number < 32; number++)
        if (number != SIGKILL && number != SIGSTOP)
            signal(number, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

void holder_main(void *arg)
{
    struct holder *holder = arg;
    struct pollfd all[CONNS_MAX + 1] = {
        {.fd = holder->listener, .events = POLLIN}
    };
    size_t n = 1;

    enter();
    malloc_trim(0);
    for (;;) {
        if (poll(all, n, -1) < 0)
            continue;
        for (size_t i = n; i-- > 1;)
            if (all[i].revents && !serve(holder, all[i].fd)) {
                close(all[i].fd);
                all[i] = all[--n];
            }
        if (all[0].revents)
            take_conn(holder->listener, all, &n);
    }
}
