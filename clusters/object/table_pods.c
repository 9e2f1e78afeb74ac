/* What `kubectl get pods` shows of a pod: the rules are upstream's printer's. */
#include <stdio.h>
#include <string.h>

#include "clusters/object/table_cells.h"

struct summary {
    size_t ready, total;
    int64_t restarts;
    const char *last_restart; /* a time; NULL */
    const char *reason;
};

static bool is_sidecar(const json_t *pod, const char *name)
{
    json_t *container;
    size_t i;

    json_array_foreach(at(pod, "spec.initContainers"), i, container)
    {
        if (strcmp(text_at_or(container, "name", ""), name) == 0)
            return strcmp(text_at_or(container, "restartPolicy", ""), "Always") == 0;
    }
    return false;
}

/* RFC 3339 in UTC sorts as text. */
static void count_restarts(struct summary *s, const json_t *status)
{
    const char *finished = text_at(status, "lastState.terminated.finishedAt");

    s->restarts += int_at(status, "restartCount", 0);
    if (finished && (!s->last_restart || strcmp(s->last_restart, finished) < 0))
        s->last_restart = finished;
}

/* "OOMKilled", "Signal:9", "ExitCode:1" */
static const char *terminated_reason(struct op *op, const json_t *terminated)
{
    const char *reason = text_at(terminated, "reason");

    if (reason && *reason)
        return reason;
    if (int_at(terminated, "signal", 0))
        return arena_printf(&op->arena, "Signal:%lld", (long long)int_at(terminated, "signal", 0));
    return arena_printf(&op->arena, "ExitCode:%lld", (long long)int_at(terminated, "exitCode", 0));
}

/* Why a pod is not beyond this init container; NULL: it is. */
static const char *init_reason(struct op *op, const json_t *pod, const json_t *status, size_t i)
{
    const json_t *terminated = at(status, "state.terminated");
    const char *waiting = text_at_or(status, "state.waiting.reason", "");

    if (terminated && int_at(terminated, "exitCode", 0) == 0)
        return NULL;
    if (is_sidecar(pod, text_at_or(status, "name", "")) && bool_at(status, "started", false))
        return NULL;
    if (terminated)
        return arena_printf(&op->arena, "Init:%s", terminated_reason(op, terminated));
    if (*waiting && strcmp(waiting, "PodInitializing") != 0)
        return arena_printf(&op->arena, "Init:%s", waiting);
    return arena_printf(&op->arena, "Init:%zu/%zu", i,
                        json_array_size(at(pod, "spec.initContainers")));
}

/* sidecars: the restarts that count once init containers are done. */
static bool summarize_init(struct op *op, const json_t *pod, struct summary *s,
                           struct summary *sidecars)
{
    json_t *status;
    size_t i;

    json_array_foreach(at(pod, "status.initContainerStatuses"), i, status)
    {
        bool sidecar = is_sidecar(pod, text_at_or(status, "name", ""));
        const char *reason = init_reason(op, pod, status, i);

        count_restarts(s, status);
        if (sidecar)
            count_restarts(sidecars, status);
        if (reason) {
            s->reason = reason;
            return true;
        }
        if (sidecar && !at(status, "state.terminated") && bool_at(status, "ready", false))
            s->ready++;
    }
    return false;
}

static void summarize_containers(struct op *op, const json_t *pod, struct summary *s)
{
    const json_t *statuses = at(pod, "status.containerStatuses");
    bool running = false;

    for (size_t i = json_array_size(statuses); i > 0; i--) {
        const json_t *status = json_array_get(statuses, i - 1);
        const char *waiting = text_at_or(status, "state.waiting.reason", "");
        const json_t *terminated = at(status, "state.terminated");

        count_restarts(s, status);
        if (*waiting) {
            s->reason = waiting;
        } else if (terminated) {
            s->reason = terminated_reason(op, terminated);
        } else if (bool_at(status, "ready", false) && at(status, "state.running")) {
            running = true;
            s->ready++;
        }
    }
    if (running && strcmp(s->reason, "Completed") == 0)
        s->reason = cell_has_condition(pod, "Ready") ? "Running" : "NotReady";
}

static struct summary summarize(struct op *op, const json_t *pod)
{
    const char *phase = text_at_or(pod, "status.phase", "");
    const char *reason = text_at_or(pod, "status.reason", "");
    struct summary s = {.reason = *reason ? reason : phase}, sidecars = {0};
    json_t *container;
    size_t i;

    if (strcmp(text_at_or(cell_condition(pod, "PodScheduled"), "reason", ""), "SchedulingGated") ==
        0)
        s.reason = "SchedulingGated";
    s.total = json_array_size(at(pod, "spec.containers"));
    json_array_foreach(at(pod, "spec.initContainers"), i, container)
    {
        s.total += strcmp(text_at_or(container, "restartPolicy", ""), "Always") == 0;
    }
    if (!summarize_init(op, pod, &s, &sidecars) || cell_has_condition(pod, "Initialized")) {
        s.restarts = sidecars.restarts;
        s.last_restart = sidecars.last_restart;
        summarize_containers(op, pod, &s);
    }
    if (text_at(pod, "metadata.deletionTimestamp")) {
        if (strcmp(reason, "NodeLost") == 0)
            s.reason = "Unknown";
        else if (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0)
            s.reason = "Terminating";
    }
    return s;
}

void pod_ready(struct row *row, const struct column *column)
{
    struct summary s = summarize(row->op, row->tree);

    (void)column;
    put_format(row, "%zu/%zu", s.ready, s.total);
}

void pod_status(struct row *row, const struct column *column)
{
    (void)column;
    put_text(row, summarize(row->op, row->tree).reason);
}

void pod_restarts(struct row *row, const struct column *column)
{
    struct summary s = summarize(row->op, row->tree);

    (void)column;
    if (s.restarts && s.last_restart)
        put_format(row, "%lld (%s ago)", (long long)s.restarts, age_text(row, s.last_restart));
    else
        put_format(row, "%lld", (long long)s.restarts);
}

void pod_ip(struct row *row, const struct column *column)
{
    const char *ip = text_at(json_array_get(at(row->tree, "status.podIPs"), 0), "ip");

    if (!ip)
        ip = text_at(row->tree, "status.podIP");
    put_text(row, ip ? ip : column->missing);
}

void pod_gates(struct row *row, const struct column *column)
{
    const json_t *gates = at(row->tree, "spec.readinessGates");
    size_t i, passed = 0;
    json_t *gate;

    if (json_array_size(gates) == 0) {
        put_text(row, column->missing);
        return;
    }
    json_array_foreach((json_t *)gates, i, gate)
    {
        passed += cell_has_condition(row->tree, text_at_or(gate, "conditionType", ""));
    }
    put_format(row, "%zu/%zu", passed, json_array_size(gates));
}
