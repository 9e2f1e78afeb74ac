/* What a pod's status says, computed from its sandbox and what is remembered, and written when it
   differs from what is there. */
#include <stdlib.h>
#include <string.h>

#include "clusters/node/pod_agent.h"
#include "core/json.h"
#include "instances/log_file.h"

#define MESSAGE_MAX       4096
#define GATES_MESSAGE_MAX 32768
#define LOG_MESSAGE_MAX   2048
#define LOG_MESSAGE_TAIL  80

static const char *time_us(struct op *op, int64_t us)
{
    return time_text(op, us / 1000000);
}

static const char *container_id(struct pod_pass *p, const char *name, int64_t attempt)
{
    return arena_printf(&p->op->arena, "sundog://%s/%s/%lld", p->memory->sandbox, name,
                        (long long)attempt);
}

/* ---- one container's state ---- */

static const char *log_message(struct pod_pass *p, const struct container_state *s)
{
    const struct log_query query = {.tail = LOG_MESSAGE_TAIL, .bytes_max = LOG_MESSAGE_MAX};
    struct bytes log = {"", 0};
    struct text clean;

    if (log_read(p->op, p->memory->sandbox, s->name, s->attempt, &query, &log) != OK)
        op_clear_fault(p->op);
    text_init(&clean, &p->op->arena, 4 * LOG_MESSAGE_MAX);
    utf8_clean(&clean, log);
    return clean.data;
}

static const char *end_message(struct pod_pass *p, const json_t *container,
                               const struct container_state *s)
{
    const char *policy = text_at_or(container, "terminationMessagePolicy", "File");
    struct text clean;

    if (s->message && *s->message) {
        text_init(&clean, &p->op->arena, 4 * MESSAGE_MAX);
        utf8_clean(&clean, BYTES(s->message));
        return clean.data;
    }
    return s->exit_code && strcmp(policy, "FallbackToLogsOnError") == 0 ? log_message(p, s) : "";
}

json_t *pod_terminated(struct pod_pass *p, const json_t *container, const struct container_state *s)
{
    const char *message = end_message(p, container, s);
    json_t *state = json_pack("{s:i, s:s, s:s, s:s, s:s}", "exitCode", s->exit_code, "reason",
                              s->oom_killed  ? "OOMKilled"
                              : s->exit_code ? "Error"
                                             : "Completed",
                              "startedAt", time_us(p->op, s->started_us), "finishedAt",
                              time_us(p->op, s->finished_us), "containerID",
                              container_id(p, s->name, s->attempt));

    if (*message)
        json_object_set_new(state, "message", json_string(message));
    return json_pack("{s:o}", "terminated", state);
}

static json_t *waiting(const struct container_memory *m, const char *fallback)
{
    json_t *state = json_object();

    json_object_set_new(state, "reason",
                        json_string(m && m->waiting_reason ? m->waiting_reason : fallback));
    if (m && m->waiting_message)
        json_object_set_new(state, "message", json_string(m->waiting_message));
    return json_pack("{s:o}", "waiting", state);
}

/* It has ended and will be started again: what is shown is the wait. */
static bool shows_wait(const struct container_memory *m)
{
    return m && m->waiting_reason != NULL;
}

static json_t *state_of(struct pod_pass *p, const json_t *container,
                        const struct container_memory *m, const struct container_state *s,
                        const char *fallback)
{
    if (s && s->phase != CONTAINER_EXITED)
        return json_pack("{s:{s:s}}", "running", "startedAt", time_us(p->op, s->started_us));
    if (s && !shows_wait(m))
        return pod_terminated(p, container, s);
    return waiting(m, fallback);
}

static const char *image_id(struct pod_pass *p, const json_t *container,
                            const struct container_memory *m)
{
    const char *digest = m && m->image ? text_at(m->image, "digest") : NULL;
    char *name = arena_strdup(&p->op->arena, text_at_or(container, "image", ""));
    char *at_sign = strchr(name, '@'), *colon = strrchr(name, ':');

    if (!digest)
        return "";
    if (at_sign)
        *at_sign = '\0';
    else if (colon && !strchr(colon, '/'))
        *colon = '\0';
    return arena_printf(&p->op->arena, "%s@%s", name, digest);
}

static json_t *container_status(struct pod_pass *p, const json_t *container, bool init)
{
    const char *name = text_at_or(container, "name", "");
    const struct container_memory *m = pod_container_memory(p, name);
    const struct container_state *s = pod_container_state(p, name);
    bool runs = s && s->phase == CONTAINER_RUNNING, plain_init = init && !is_sidecar(container);
    bool ready = plain_init ? s && s->phase == CONTAINER_EXITED && s->exit_code == 0
                            : runs && m && m->ready && m->started;
    json_t *status = json_object();

    json_object_set_new(status, "name", json_string(name));
    json_object_set_new(status, "state",
                        state_of(p, container, m, s,
                                 json_array_size(json_object_get(p->spec, "initContainers"))
                                     ? "PodInitializing"
                                     : "ContainerCreating"));
    json_object_set_new(status, "lastState",
                        s && shows_wait(m) && s->phase == CONTAINER_EXITED
                            ? pod_terminated(p, container, s)
                        : m && m->last_state ? json_deep_copy(m->last_state)
                                             : json_object());
    json_object_set_new(status, "ready", json_boolean(ready));
    json_object_set_new(status, "restartCount",
                        json_integer(m && m->restarts > 0 ? m->restarts : 0));
    json_object_set_new(status, "image", json_string(text_at_or(container, "image", "")));
    json_object_set_new(status, "imageID", json_string(image_id(p, container, m)));
    json_object_set_new(status, "started",
                        json_boolean(plain_init ? runs : runs && m && m->started));
    if (s)
        json_object_set_new(status, "containerID", json_string(container_id(p, name, s->attempt)));
    return status;
}

static json_t *container_statuses(struct pod_pass *p, const char *list, bool init)
{
    json_t *statuses = json_array(), *container;
    size_t i;

    json_array_foreach(json_object_get(p->spec, list), i, container)
    {
        json_array_append_new(statuses, container_status(p, container, init));
    }
    return statuses;
}

/* ---- the phase ---- */

struct tally {
    size_t waiting, running, succeeded, stopped; /* of main containers */
    bool initialized, init_failed;
};

static bool is_never(const struct pod_pass *p)
{
    return strcmp(text_at_or(p->spec, "restartPolicy", "Always"), "Never") == 0;
}

static void tally_init(struct pod_pass *p, struct tally *t)
{
    json_t *container;
    size_t i;

    t->initialized = true;
    json_array_foreach(json_object_get(p->spec, "initContainers"), i, container)
    {
        const char *name = text_at_or(container, "name", "");
        const struct container_state *s = pod_container_state(p, name);
        const struct container_memory *m = pod_container_memory(p, name);

        if (is_sidecar(container)) {
            t->initialized &= p->memory->initialized || (m && m->started);
            continue;
        }
        if (!s || s->phase != CONTAINER_EXITED || s->exit_code != 0)
            t->initialized = false;
        if (s && s->phase == CONTAINER_EXITED && s->exit_code != 0 && is_never(p))
            t->init_failed = true;
    }
}

static struct tally tally(struct pod_pass *p)
{
    struct tally t = {0};
    json_t *container;
    size_t i;

    tally_init(p, &t);
    json_array_foreach(json_object_get(p->spec, "containers"), i, container)
    {
        const char *name = text_at_or(container, "name", "");
        const struct container_state *s = pod_container_state(p, name);
        const struct container_memory *m = pod_container_memory(p, name);

        if (s && s->phase != CONTAINER_EXITED) {
            t.running++;
        } else if (s || (m && m->last_state)) {
            t.stopped++;
            t.succeeded += s && s->exit_code == 0;
        } else {
            t.waiting++;
        }
    }
    return t;
}

static const char *phase_of(struct pod_pass *p, const struct tally *t)
{
    const char *policy = text_at_or(p->spec, "restartPolicy", "Always");

    if (t->init_failed)
        return "Failed";
    if (!t->initialized || t->waiting)
        return "Pending";
    if (t->running || strcmp(policy, "Always") == 0)
        return t->running || !p->object->deleting ? "Running"
               : t->succeeded == t->stopped       ? "Succeeded"
                                                  : "Failed";
    if (t->succeeded == t->stopped)
        return "Succeeded";
    return strcmp(policy, "Never") == 0 || p->object->deleting ? "Failed" : "Running";
}

/* ---- conditions ---- */

static void set(struct pod_pass *p, json_t *conditions, const char *type, bool holds,
                const char *reason, const char *message)
{
    json_t *condition;
    size_t i;

    condition_set(p->op, conditions, type, holds ? "True" : "False", reason, message);
    json_array_foreach(conditions, i, condition)
    {
        if (strcmp(text_at_or(condition, "type", ""), type) != 0)
            continue;
        if (holds || !reason)
            json_object_del(condition, "reason");
        if (holds || !message)
            json_object_del(condition, "message");
        if (!json_object_get(condition, "lastProbeTime"))
            json_object_set_new(condition, "lastProbeTime", json_null());
    }
}

/* "containers with unready status: [a b]"; "": all are ready. */
static const char *unready(struct pod_pass *p, const json_t *statuses)
{
    struct text out;
    json_t *status;
    size_t i;

    text_init(&out, &p->op->arena, 4096);
    json_array_foreach((json_t *)statuses, i, status)
    {
        if (!bool_at(status, "ready", false))
            text_printf(&out, "%s%s", out.len ? " " : "", text_at_or(status, "name", ""));
    }
    return out.len ? arena_printf(&p->op->arena, "containers with unready status: [%s]", out.data)
                   : "";
}

/* spec.readinessGates: conditions that others set. In kubelet's words; "": all are open. */
static const char *closed_gates(struct pod_pass *p, const json_t *pod)
{
    struct text out;
    json_t *gate;
    size_t i;

    text_init(&out, &p->op->arena, GATES_MESSAGE_MAX);
    json_array_foreach(json_object_get(p->spec, "readinessGates"), i, gate)
    {
        const char *type = text_at_or(gate, "conditionType", "");
        const json_t *condition = condition_of(pod, type);
        const char *status = text_at_or(condition, "status", "");

        if (strcmp(status, "True") == 0)
            continue;
        if (condition)
            text_printf(&out, "%sthe status of pod readiness gate \"%s\" is not \"True\", but %s",
                        out.len ? ", " : "", type, status);
        else
            text_printf(&out,
                        "%scorresponding condition of pod readiness gate \"%s\" does not exist.",
                        out.len ? ", " : "", type);
    }
    return out.data;
}

static void set_conditions(struct pod_pass *p, json_t *pod, const struct tally *t,
                           const char *phase)
{
    json_t *conditions = array_at(pod, "status.conditions");
    const char *missing = unready(p, at(pod, "status.containerStatuses"));
    const char *gates = *missing ? "" : closed_gates(p, pod);
    bool ended = strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
    const char *why = strcmp(phase, "Succeeded") == 0 ? "PodCompleted"
                      : strcmp(phase, "Failed") == 0  ? "PodFailed"
                                                      : "ContainersNotReady";
    const char *message = *missing && !ended ? missing : NULL;

    set(p, conditions, "PodReadyToStartContainers", p->alive, NULL, NULL);
    set(p, conditions, "Initialized", t->initialized, "ContainersNotInitialized",
        "containers with incomplete status");
    set(p, conditions, "Ready", !*missing && !*gates, *missing ? why : "ReadinessGatesNotReady",
        *missing ? message : gates);
    set(p, conditions, "ContainersReady", !*missing, why, message);
    set(p, conditions, "PodScheduled", true, NULL, NULL);
}

/* ---- writing ---- */

static void set_addresses(struct pod_pass *p, json_t *status)
{
    const struct node_spec *node = node_of(p->cluster, p->node);
    const char *ip =
        bool_at(p->spec, "hostNetwork", false) && node ? node->address : p->memory->address;

    if (node) {
        json_object_set_new(status, "hostIP", json_string(node->address));
        json_object_set_new(status, "hostIPs", json_pack("[{s:s}]", "ip", node->address));
    }
    if (*ip && (p->memory->made || json_object_get(status, "podIP"))) {
        json_object_set_new(status, "podIP", json_string(ip));
        json_object_set_new(status, "podIPs", json_pack("[{s:s}]", "ip", ip));
    }
}

/* What is the agent's to say. A phase that somebody has ended the pod with is the last one. */
static void fill_status(struct pod_pass *p, json_t *pod)
{
    json_t *status = object_at(pod, "status");
    struct tally t = tally(p);
    const char *phase = pod_has_ended(pod) ? arena_strdup(&p->op->arena, text_at(status, "phase"))
                                           : phase_of(p, &t);

    json_object_set_new(status, "phase", json_string(phase));
    if (!json_object_get(status, "startTime"))
        json_object_set_new(status, "startTime", json_string(time_text(p->op, wall_s())));
    json_object_set_new(status, "containerStatuses", container_statuses(p, "containers", false));
    if (json_array_size(json_object_get(p->spec, "initContainers")))
        json_object_set_new(status, "initContainerStatuses",
                            container_statuses(p, "initContainers", true));
    set_addresses(p, status);
    set_conditions(p, pod, &t, phase);
}

/* Onto the latest, which others write as well: their conditions and members stay. */
static enum fault change_status(struct op *op, json_t *pod, void *arg, bool *ret_skip)
{
    struct pod_pass *p = arg;
    json_t *before;

    *ret_skip = strcmp(text_at_or(pod, "metadata.uid", ""), p->object->uid) != 0;
    if (*ret_skip) /* another of its name */
        return OK;
    before = object_copy(op, pod);
    fill_status(p, pod);
    *ret_skip = json_equal(json_object_get(before, "status"), json_object_get(pod, "status"));
    return OK;
}

enum fault pod_change_status(struct pod_pass *p, enum fault (*change)(struct op *op, json_t *pod,
                                                                      void *pass, bool *ret_skip))
{
    struct rest r =
        rest_of(p->cluster, &node_actor, p->object->resource, p->object->ns, p->object->name);
    enum fault fault;

    r.subresource = "status";
    fault = rest_modify(p->op, &r, change, p, NULL);
    if (fault == NOT_FOUND) { /* it is gone */
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    return r.revision ? store_wait(p->op, p->cluster->store, r.revision) : OK;
}

enum fault pod_write_status(struct pod_pass *p)
{
    return pod_change_status(p, change_status);
}
