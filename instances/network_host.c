/*
 * The host's half, as root in forks of the helper: the bridge, its rules and sockets, and the
 * host's /etc/hosts. Everything may run again, and finds what a crash has left.
 */
#include "instances/network_host.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files.h"
#include "instances/netlink.h"
#include "instances/paths.h"
#include "instances/process.h"
#include "instances/sandbox_folder.h"

#define HOSTS_MAX      ((size_t)4 << 20)
#define HOLDER_TERM_MS 2000
#define HOLDER_KILL_MS 5000

/* What the calls of one DIR work on. */
struct host {
    struct network_range ranges[RANGES];
    const char *id, *bridge, *run;
    struct netlink *nl;
    int lock;
};

/* ---- files ---- */

static enum fault read_file(struct op *op, const char *path, char **ret)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct text text;
    char buffer[4096];
    ssize_t n = -1;

    text_init(&text, &op->arena, HOSTS_MAX);
    while (fd >= 0 && (n = read(fd, buffer, sizeof(buffer))) > 0)
        text_add(&text, buffer, (size_t)n);
    if (n < 0 || text.overflow)
        return fail(op, NOT_FOUND, "cannot read %s: %s", path, strerror(errno));
    *ret = text.data;
    return OK;
}

static enum fault write_file(struct op *op, const char *path, const char *content, int flags)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
    size_t len = strlen(content);

    if (fd < 0 || write(fd, content, len) != (ssize_t)len)
        return fail(op, UNAVAILABLE, "cannot write %s: %s", path, strerror(errno));
    return OK;
}

/* In a container it may be on already, and not ours to write. */
static enum fault forward_packets(struct op *op)
{
    static const char path[] = "/proc/sys/net/ipv4/ip_forward";
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    char now = '0';

    if (fd >= 0 && read(fd, &now, 1) == 1 && now == '1')
        return OK;
    return write_file(op, path, "1", 0);
}

/* ---- programs ---- */

/* Fixed arguments only. */
static int run_program(const char *const *argv)
{
    int status = -1, null;
    pid_t pid = fork();

    if (pid == 0) {
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/*
 * dockerd makes iptables' FORWARD drop what it does not know, and what one table accepts another
 * may still drop. So where there is an iptables, our bridge is accepted in its chain, also for a
 * dockerd that comes later: it keeps rules that are there.
 */
static void accept_in_iptables(const char *bridge, bool wanted)
{
    const char *const rules[][9] = {
        {"-i",         bridge,                "-j", "ACCEPT"},
        { "-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const char *argv[16] = {"iptables", "-w", "-C", "FORWARD"};
        bool there;

        memcpy(argv + 4, rules[i], sizeof(rules[i]));
        there = run_program(argv) == 0;
        argv[2] = wanted ? "-I" : "-D";
        if (there != wanted)
            (void)run_program(argv); /* no iptables: nobody drops */
    }
}

/* ---- choosing the ranges ---- */

static enum fault check_free(struct op *op, const struct host *host,
                             const struct network_range ranges[RANGES])
{
    struct netlink_route *routes;
    size_t n;

    TRY(netlink_routes(op, host->nl, host->bridge, &routes, &n));
    for (size_t i = 0; i < n; i++) {
        struct network_range taken = {routes[i].destination, routes[i].prefix};

        for (int r = 0; r < RANGES; r++)
            if (network_ranges_overlap(taken, ranges[r]))
                return fail(op, CONFLICT,
                            "the range %s/%d overlaps this machine's route to %s/%d (%s): choose "
                            "another with %s",
                            network_address_text(op, ranges[r].base), ranges[r].prefix,
                            network_address_text(op, taken.base), taken.prefix, routes[i].link,
                            r == RANGE_PUBLIC ? "--public-range" : "--private-range");
    }
    return OK;
}

static enum fault choose(struct op *op, struct host *host)
{
    for (unsigned n = 0; network_candidate(n, host->ranges); n++) {
        if (check_free(op, host, host->ranges) == OK)
            return OK;
        op_clear_fault(op);
    }
    return fail(op, CONFLICT,
                "no part of 10.213.0.0 … 10.255.0.0 is free on this machine: choose ranges with "
                "--public-range and --private-range");
}

static const char *ranges_file(struct op *op, const struct host *host)
{
    return arena_printf(&op->arena, "%s/network", host->run);
}

/* What an earlier call took, as long as its bridge stands. */
static bool read_taken(struct op *op, struct host *host)
{
    char *text, *second;
    bool is;

    if (netlink_index(host->nl, host->bridge) == 0 ||
        read_file(op, ranges_file(op, host), &text) != OK) {
        op_clear_fault(op);
        return false;
    }
    second = strchr(text, '\n');
    if (!second)
        return false;
    *second++ = '\0';
    second[strcspn(second, "\n")] = '\0';
    is = network_range_parse(text, &host->ranges[RANGE_PUBLIC]) &&
         network_range_parse(second, &host->ranges[RANGE_PRIVATE]);
    return is;
}

static const char *range_text(struct op *op, struct network_range range)
{
    return arena_printf(&op->arena, "%s/%d", network_address_text(op, range.base), range.prefix);
}

static bool holds_any(const char *path)
{
    DIR *dir = opendir(path);
    bool any = false;

    for (struct dirent *e; dir && (e = readdir(dir));)
        any |= e->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return any;
}

/* Or networks of clusters, which are at the bridge, too. */
static bool has_sandboxes(struct op *op, const struct host *host)
{
    return holds_any(arena_printf(&op->arena, "%s/s", host->run)) ||
           holds_any(arena_printf(&op->arena, "%s/n", host->run));
}

/* asked: NULL for "auto". */
static enum fault take_ranges(struct op *op, struct host *host,
                              const struct network_range *asked[RANGES])
{
    bool taken = read_taken(op, host), same = taken;

    for (int r = 0; taken && r < RANGES; r++)
        same = same && (!asked[r] || (asked[r]->base == host->ranges[r].base &&
                                      asked[r]->prefix == host->ranges[r].prefix));
    if (same)
        return OK;
    if (taken && has_sandboxes(op, host))
        return fail(op, CONFLICT, "the ranges cannot change from %s and %s while containers run",
                    range_text(op, host->ranges[RANGE_PUBLIC]),
                    range_text(op, host->ranges[RANGE_PRIVATE]));
    if (taken)
        TRY(netlink_delete(op, host->nl, host->bridge));
    if (!asked[RANGE_PUBLIC] && !asked[RANGE_PRIVATE])
        return choose(op, host);
    for (int r = 0; r < RANGES; r++)
        host->ranges[r] = *asked[r];
    return check_free(op, host, host->ranges);
}

/* ---- bridge and rules ---- */

static enum fault make_bridge(struct op *op, struct host *host)
{
    TRY(netlink_bridge(op, host->nl, host->bridge, host->ranges[RANGE_PUBLIC].base + 1));
    for (int r = 0; r < RANGES; r++)
        TRY(netlink_address(op, host->nl, host->bridge, host->ranges[r].base + 1,
                            host->ranges[r].prefix));
    TRY(netlink_up(op, host->nl, host->bridge));
    return write_file(op, ranges_file(op, host),
                      arena_printf(&op->arena, "%s\n%s\n",
                                   range_text(op, host->ranges[RANGE_PUBLIC]),
                                   range_text(op, host->ranges[RANGE_PRIVATE])),
                      O_CREAT | O_TRUNC);
}

/* DNS and the metadata service listen at ports of the kernel's choice, so that nobody who holds 53
   or 80 on this machine is in the way. */
static enum fault make_rules(struct op *op, const struct host *host, const int ports[3])
{
    const char *gateway = network_address_text(op, host->ranges[RANGE_PRIVATE].base + 1);
    const char *public = range_text(op, host->ranges[RANGE_PUBLIC]);
    const char *private = range_text(op, host->ranges[RANGE_PRIVATE]);
    const char *bridge = host->bridge;
    struct text out;

    text_init(&out, &op->arena, 65536);
    text_printf(&out, "table ip sundog_%s {}\ndelete table ip sundog_%s\n", host->id, host->id);
    text_printf(&out, "table ip sundog_%s {\n", host->id);
    text_printf(&out,
                " chain prerouting {\n  type nat hook prerouting priority dstnat;\n"
                "  iifname %s ip daddr %s udp dport 53 dnat to %s:%d\n"
                "  iifname %s ip daddr %s tcp dport 53 dnat to %s:%d\n"
                "  iifname %s ip daddr 169.254.169.254 tcp dport 80 dnat to %s:%d\n }\n",
                bridge, gateway, gateway, ports[0], bridge, gateway, gateway, ports[1], bridge,
                gateway, ports[2]);
    text_printf(&out,
                " chain postrouting {\n  type nat hook postrouting priority srcnat;\n"
                "  ip saddr { %s, %s } oifname != %s masquerade\n }\n",
                public, private, bridge);
    /* containers reach of this machine only what is theirs */
    text_printf(&out,
                " chain input {\n  type filter hook input priority filter;\n"
                "  iifname != %s accept\n  ct state established,related accept\n"
                "  ip daddr %s udp dport %d accept\n"
                "  ip daddr %s tcp dport { %d, %d } accept\n"
                "  icmp type echo-request accept\n  drop\n }\n",
                bridge, gateway, ports[0], gateway, ports[1], ports[2]);
    text_printf(&out,
                " chain forward {\n  type filter hook forward priority filter;\n"
                "  oifname != %s accept\n  iifname %s accept\n"
                "  ct state established,related accept\n  ip daddr %s accept\n  drop\n }\n}\n",
                bridge, bridge, public);
    return network_nft(op, out.data);
}

/* ---- sockets ---- */

static enum fault bind_socket(struct op *op, const struct host *host, int type, int *ret_fd,
                              int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(host->ranges[RANGE_PRIVATE].base + 1);
    *ret_fd = fd;
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        (type == SOCK_STREAM && listen(fd, 128) < 0) ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return fail(op, UNAVAILABLE, "cannot listen for containers: %s", strerror(errno));
    *ret_port = ntohs(address.sin_port);
    return OK;
}

static enum fault bind_sockets(struct op *op, const struct host *host, struct helper_job *job,
                               int ports[3])
{
    static const int types[3] = {SOCK_DGRAM, SOCK_STREAM, SOCK_STREAM};

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        job->fds[job->n_fds++] = -1;
        TRY(bind_socket(op, host, types[i], &job->fds[i], &ports[i]));
    }
    return OK;
}

/* ---- the calls ---- */

static enum fault host_open(struct op *op, const struct helper_job *job, struct host *ret)
{
    *ret = (struct host){.id = data_id(op, job->settings->data), .lock = -1};
    ret->bridge = network_bridge_name(op, job->settings->data);
    ret->run = run_folder(op, job->settings->data);
    if (mkdir(ret->run, 0750) < 0 && errno != EEXIST)
        return fail(op, UNAVAILABLE, "cannot make %s: %s", ret->run, strerror(errno));
    if (chown(ret->run, 0, job->gid) < 0 || chmod(ret->run, 0750) < 0)
        return fail(op, UNAVAILABLE, "cannot hand over %s: %s", ret->run, strerror(errno));
    /* of the machine: two that choose at once would choose the same */
    ret->lock = open("/run/sundog-network.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (ret->lock < 0 || flock(ret->lock, LOCK_EX) < 0)
        return fail(op, UNAVAILABLE, "cannot lock /run/sundog-network.lock: %s", strerror(errno));
    return netlink_open(op, &ret->nl);
}

/* The process ends after the call, and with it lock and socket; this is for readers. */
static void host_close(struct host *host)
{
    netlink_close(host->nl);
    if (host->lock >= 0)
        close(host->lock);
}

/* As it was set, not as the server says: it could take anybody's addresses away from the machine.
 */
static enum fault read_range(struct op *op, const char *setting, const char *text,
                             struct network_range *range, const struct network_range **ret)
{
    *ret = NULL;
    if (strcmp(text, "auto") == 0)
        return OK;
    if (!network_range_parse(text, range))
        return fail(op, INVALID, "%s: \"%s\" is no range", setting, text);
    *ret = range;
    return OK;
}

static enum fault bring_up(struct op *op, struct helper_job *job, struct host *host)
{
    struct network_range given[RANGES];
    const struct network_range *asked[RANGES];
    int ports[3] = {0};

    TRY(read_range(op, "--public-range", job->settings->public_range, &given[RANGE_PUBLIC],
                   &asked[RANGE_PUBLIC]));
    TRY(read_range(op, "--private-range", job->settings->private_range, &given[RANGE_PRIVATE],
                   &asked[RANGE_PRIVATE]));
    if (!asked[RANGE_PUBLIC] != !asked[RANGE_PRIVATE])
        return fail(op, INVALID, "--public-range and --private-range: give both, or none");
    TRY(take_ranges(op, host, asked));
    TRY(make_bridge(op, host));
    TRY(forward_packets(op));
    TRY(bind_sockets(op, host, job, ports));
    TRY(make_rules(op, host, ports));
    accept_in_iptables(host->bridge, true);
    job->out = json_pack("{s:s,s:s}", "public", range_text(op, host->ranges[RANGE_PUBLIC]),
                         "private", range_text(op, host->ranges[RANGE_PRIVATE]));
    return OK;
}

static enum fault call_up(struct op *op, struct helper_job *job)
{
    struct host host;
    enum fault fault = host_open(op, job, &host);

    if (fault == OK)
        fault = bring_up(op, job, &host);
    host_close(&host);
    return fault;
}

/* The bridge goes, and all of RUN, in which nothing is left but what can be made again. */
static enum fault take_down(struct op *op, struct host *host)
{
    AUTO_CLOSE int run = open("/run", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (has_sandboxes(op, host))
        return OK;
    if (netlink_index(host->nl, host->bridge) != 0) {
        TRY(netlink_delete(op, host->nl, host->bridge));
        TRY(network_nft(op, arena_printf(&op->arena,
                                         "table ip sundog_%s {}\ndelete table ip sundog_%s\n",
                                         host->id, host->id)));
        accept_in_iptables(host->bridge, false);
    }
    return folder_remove(op, run, strrchr(host->run, '/') + 1);
}

enum fault network_ranges_taken(struct op *op, const char *data, struct network_range ret[RANGES])
{
    struct host host = {.run = run_folder(op, data), .bridge = network_bridge_name(op, data)};
    bool taken;

    TRY(netlink_open(op, &host.nl));
    taken = read_taken(op, &host);
    netlink_close(host.nl);
    if (!taken)
        return fail(op, UNAVAILABLE, "the network of containers is not up");
    memcpy(ret, host.ranges, sizeof(host.ranges));
    return OK;
}

/* ---- clusters' networks ---- */

enum fault network_holder_end(struct op *op, const char *data, const char *cluster)
{
    const char *const names[] = {strrchr(run_folder(op, data), '/') + 1, "n", NULL};
    AUTO_CLOSE int run = -1, all = -1, folder = -1, pidfd = -1;
    struct netlink *nl = NULL;
    enum fault fault;

    TRY(folder_open(op, "/run", &run));
    fault = folder_descend(op, run, names, 0, 0, &all);
    if (fault == OK)
        fault = folder_enter(op, all, cluster, 0, 0, &folder);
    if (fault == OK && (pidfd = process_find(op, folder)) >= 0)
        process_end(pidfd, HOLDER_TERM_MS, HOLDER_KILL_MS);
    if (fault != OK && fault != NOT_FOUND)
        return fault;
    op_clear_fault(op);
    TRY(netlink_open(op, &nl)); /* a socket of the server's may keep the namespace for a while */
    fault = netlink_delete(op, nl, network_uplink_name(op, data, cluster));
    netlink_close(nl);
    return fault != OK || all < 0 ? fault : folder_remove(op, all, cluster);
}

/* For `sundog purge`. */
static enum fault call_end_all(struct op *op, struct helper_job *job)
{
    const char *path = arena_printf(&op->arena, "%s/n", run_folder(op, job->settings->data));
    AUTO_CLOSE int all = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const char **names = NULL;
    size_t n = 0;

    if (all >= 0)
        TRY(folder_names(op, all, &names, &n));
    for (size_t i = 0; i < n; i++)
        TRY(network_holder_end(op, job->settings->data, names[i]));
    job->out = json_pack("{s:I}", "ended", (json_int_t)n);
    return OK;
}

static enum fault call_down(struct op *op, struct helper_job *job)
{
    struct host host;
    enum fault fault = host_open(op, job, &host);

    if (fault == OK)
        fault = take_down(op, &host);
    host_close(&host);
    return fault;
}

/* ---- /etc/hosts ---- */

/* "ADDRESS NAME…" each, and no name of anybody's but below .localhost. */
static bool lines_are_clean(struct op *op, const char *lines)
{
    char *copy = arena_strdup(&op->arena, lines), *next = copy, *line;

    if (lines[strspn(lines, "abcdefghijklmnopqrstuvwxyz0123456789.- \n")] != '\0')
        return false;
    while ((line = strsep(&next, "\n"))) {
        strsep(&line, " ");
        for (char *name; (name = strsep(&line, " "));) {
            size_t len = strlen(name);

            if (len <= strlen(".localhost") || strcmp(name + len - 10, ".localhost") != 0)
                return false;
        }
    }
    return true;
}

/* Written in place: where the file is a mount, as in containers, it cannot be renamed over. */
static enum fault call_hosts(struct op *op, struct helper_job *job)
{
    const char *id = data_id(op, job->settings->data), *lines = "", *after;
    const char *begin = arena_printf(&op->arena, "# sundog %s\n", id);
    const char *end = arena_printf(&op->arena, "# sundog %s ends\n", id);
    char *old, *at, *rest;
    struct text out;

    TRY(message_text(op, job->in->body, "lines", HOSTS_MAX, true, &lines));
    if (!job->settings->host_names || !lines_are_clean(op, lines))
        return fail(op, INVALID, "no lines for /etc/hosts");
    TRY(read_file(op, "/etc/hosts", &old));
    text_init(&out, &op->arena, 2 * HOSTS_MAX);
    at = strstr(old, begin);
    rest = at ? strstr(at, end) : NULL;
    after = rest ? rest + strlen(end) : "";
    text_add(&out, old, at && rest ? (size_t)(at - old) : strlen(old));
    if (out.len && out.data[out.len - 1] != '\n')
        text_str(&out, "\n");
    text_str(&out, after);
    if (*lines)
        text_printf(&out, "%s%s%s", begin, lines, end);
    return strcmp(out.data, old) == 0 ? OK : write_file(op, "/etc/hosts", out.data, O_TRUNC);
}

const struct helper_call network_calls[] = {
    {"network.up",      call_up},
    {"network.down",                 call_down},
    {"network.end-all",call_end_all},
    {"network.hosts", call_hosts},
    {0                },
};
