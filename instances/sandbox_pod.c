/* The server's half of what sandboxes of pods have besides. */
#include "instances/sandbox_pod.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/helper.h"
#include "instances/dial.h"
#include "instances/sandbox_json.h"
#include "instances/sandbox_socket.h"

bool sandbox_sysctl_safe(const char *name)
{
    static const char *const safe[] = {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    };

    for (size_t i = 0; i < ARRAY_LEN(safe); i++)
        if (strcmp(safe[i], name) == 0)
            return true;
    return false;
}

enum fault sandbox_files(struct op *op, const char *id, const struct volume_spec *volume)
{
    json_t *json;

    TRY(volume_spec_write(op, volume, &json));
    return sandbox_ask(op, id, "files", json_incref(json), NULL);
}

enum fault container_resize(struct op *op, const char *sandbox, const char *name,
                            const struct container_limits *limits)
{
    return sandbox_ask(op, sandbox, "resize",
                       json_pack("{s:s*,s:I,s:I,s:I}", "name", name, "memoryBytes",
                                 (json_int_t)limits->memory_bytes, "cpuMillis",
                                 (json_int_t)limits->cpu_millis, "cpuShares",
                                 (json_int_t)limits->cpu_shares),
                       NULL);
}

enum fault sandbox_node_remove(struct op *op, const char *cluster, const char *node)
{
    json_t *body = json_pack("{s:s,s:s*}", "cluster", cluster, "node", node);

    arena_defer(&op->arena, (void (*)(void *))json_decref, body);
    TRY(sandbox_supported(op));
    return helper_call(op, "sandbox.node-remove", body, NULL, 0, NULL);
}

enum fault sandbox_dial(struct op *op, const char *id, const char *address, int port,
                        int64_t timeout_ms, int *ret_fd)
{
    struct message answer = {0};

    TRY(sandbox_ask(op, id, "socket", NULL, &answer));
    if (answer.n_fds != 1) {
        message_close_fds(&answer);
        return fail(op, INTERNAL, "the supervisor's answer makes no sense");
    }
    return dial(op, answer.fds[0], address ? address : "127.0.0.1", port, timeout_ms, ret_fd);
}
