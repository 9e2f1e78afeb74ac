/* Pods for the API's subresources: logs, exec, attach, connections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/node/pod_agent.h"
#include "instances/exec_session.h"
#include "instances/log_file.h"

#define LOG_MAX (INT64_C(1) << 30)
#define LOOK_MS 200 /* its supervisor is asked, which costs more than a look at the log */

/* ---- where it is ---- */

struct place {
    const char *sandbox;
    int64_t attempt; /* of the container's last start; -1: it has not been started */
    bool runs;
};

static const json_t *status_of(const json_t *pod, const char *container)
{
    static const char *const lists[] = {"status.containerStatuses", "status.initContainerStatuses",
                                        "status.ephemeralContainerStatuses"};
    json_t *status;
    size_t i;

    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        json_array_foreach(at(pod, lists[k]), i, status)
        {
            if (strcmp(text_at_or(status, "name", ""), container) == 0)
                return status;
        }
    return NULL;
}

const char *pod_sandbox_id(struct op *op, const struct cluster *cluster, const struct object *pod)
{
    struct text name;

    text_init(&name, &op->arena, 64);
    text_printf(&name, "p%s-", cluster->id);
    for (const char *c = pod->uid; *c; c++)
        if (*c != '-')
            text_add(&name, c, 1);
    return name.data;
}

static enum fault find(struct op *op, struct cluster *cluster, struct object *pod,
                       const char *container, struct place *ret)
{
    struct container_state *states;
    enum fault fault;
    size_t n;

    *ret = (struct place){.sandbox = pod_sandbox_id(op, cluster, pod), .attempt = -1};
    fault = sandbox_states(op, ret->sandbox, &states, &n);
    if (fault == GONE) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    for (size_t i = 0; i < n; i++)
        if (strcmp(states[i].name, container) == 0) {
            ret->attempt = states[i].attempt;
            ret->runs = states[i].phase == CONTAINER_RUNNING;
        }
    return OK;
}

static const char *default_container(struct object *pod)
{
    const json_t *tree = object_tree(pod);
    const char *named = annotation_of(tree, "kubectl.kubernetes.io/default-container");

    return named && *named ? named
                           : text_at_or(json_array_get(at(tree, "spec.containers"), 0), "name", "");
}

/* ---- logs ---- */

struct pod_log {
    struct cluster *cluster;
    struct log_cursor *cursor;
    char sandbox[SANDBOX_ID_MAX + 1], container[CONTAINER_NAME_MAX + 1];
    int64_t attempt, left; /* left: bytes that may still be given */
    bool follow, ending;
    int64_t look_ms; /* when to ask again whether it has ended */
    char *waiting;   /* read, and not given yet */
    size_t n_waiting, at;
};

static enum fault no_log(struct op *op, struct object *pod, const char *container, bool previous)
{
    const json_t *status = status_of(object_tree(pod), container);
    const char *why = text_at_or(status, "state.waiting.reason", "ContainerCreating");

    if (previous)
        return fail_on(op, "BadRequest", INVALID,
                       "previous terminated container \"%s\" in pod \"%s\" not found", container,
                       pod->name);
    return fail_on(op, "BadRequest", INVALID,
                   "container \"%s\" in pod \"%s\" is waiting to start: %s", container, pod->name,
                   why);
}

enum fault pod_log_open(struct op *op, struct cluster *cluster, struct object *pod,
                        const char *container, const struct pod_log_options *options,
                        struct pod_log **ret)
{
    struct log_query query = {
        .tail = options->tail, .timestamps = options->timestamps, .stream = options->stream};
    const char *name = container ? container : default_container(pod);
    struct log_cursor *cursor;
    struct place place;
    struct pod_log *log;

    TRY(find(op, cluster, pod, name, &place));
    if (place.attempt < (options->previous ? 1 : 0))
        return no_log(op, pod, name, options->previous);
    if (options->since_us > 0)
        query.since_us = options->since_us;
    else if (options->since_s > 0)
        query.since_us = (wall_s() - options->since_s) * 1000000;
    place.attempt -= options->previous;
    TRY(log_cursor_new(op, place.sandbox, name, place.attempt, &query, &cursor));
    log = calloc(1, sizeof(*log));
    if (!log)
        abort();
    log->cluster = cluster;
    log->cursor = cursor;
    snprintf(log->sandbox, sizeof(log->sandbox), "%s", place.sandbox);
    snprintf(log->container, sizeof(log->container), "%s", name);
    log->attempt = place.attempt;
    log->left = options->limit_bytes > 0 ? options->limit_bytes : LOG_MAX;
    log->follow = options->follow && !options->previous;
    *ret = log;
    return OK;
}

/* Has the attempt that is followed ended? */
static bool has_ended(struct op *op, const struct pod_log *log)
{
    struct container_state *states;
    size_t n;

    if (sandbox_states(op, log->sandbox, &states, &n) != OK) {
        op_clear_fault(op);
        return true;
    }
    for (size_t i = 0; i < n; i++)
        if (strcmp(states[i].name, log->container) == 0)
            return states[i].attempt != log->attempt || states[i].phase == CONTAINER_EXITED;
    return true;
}

static int64_t give(struct pod_log *log, void *buffer, size_t size)
{
    size_t n = log->n_waiting - log->at;

    n = n < size ? n : size;
    if ((int64_t)n > log->left)
        n = (size_t)log->left;
    memcpy(buffer, log->waiting + log->at, n);
    log->at += n;
    log->left -= (int64_t)n;
    if (log->at == log->n_waiting) {
        free(log->waiting);
        log->waiting = NULL;
        log->n_waiting = log->at = 0;
    }
    return (int64_t)n;
}

int64_t pod_log_read(struct op *op, struct pod_log *log, void *buffer, size_t size)
{
    struct bytes more = {NULL, 0};

    if (log->left <= 0)
        return -1;
    if (log->n_waiting)
        return give(log, buffer, size);
    if (log_cursor_read(op, log->cursor, &more) != OK) {
        op_clear_fault(op);
        return -1;
    }
    if (!more.len) {
        if (!log->follow || log->ending)
            return -1;
        if (now_ms() < log->look_ms)
            return 0;
        log->look_ms = now_ms() + LOOK_MS;
        log->ending = has_ended(op, log); /* one more look: its last lines */
        return 0;
    }
    log->waiting = malloc(more.len);
    if (!log->waiting)
        abort();
    memcpy(log->waiting, more.data, more.len);
    log->n_waiting = more.len;
    return give(log, buffer, size);
}

void pod_log_close(struct pod_log *log)
{
    if (!log)
        return;
    log_cursor_free(log->cursor);
    free(log->waiting);
    free(log);
}

/* ---- exec, attach, connections ---- */

static enum fault running(struct op *op, struct cluster *cluster, struct object *pod,
                          const char *container, struct place *ret)
{
    TRY(find(op, cluster, pod, container, ret));
    if (ret->runs)
        return OK;
    if (!status_of(object_tree(pod), container))
        return fail_on(op, "BadRequest", INVALID, "container %s is not valid for pod %s", container,
                       pod->name);
    return fail_on(op, "InternalError", INTERNAL,
                   "unable to upgrade connection: container not found (\"%s\")", container);
}

enum fault pod_exec(struct op *op, struct cluster *cluster, struct object *pod,
                    const char *container, const char *const *command, bool terminal,
                    struct exec *ret)
{
    const struct exec_spec spec = {.args = command, .terminal = terminal};
    const char *name = container ? container : default_container(pod);
    struct place place;

    TRY(running(op, cluster, pod, name, &place));
    return container_exec(op, place.sandbox, name, &spec, ret);
}

enum fault pod_exec_session(struct op *op, struct cluster *cluster, struct object *pod,
                            const char *container, const char *const *command,
                            struct exec_session *ret)
{
    const char *name = container ? container : default_container(pod);
    struct place place;

    TRY(running(op, cluster, pod, name, &place));
    return exec_session_in(op, place.sandbox, name, command, 0, 0, ret);
}

static bool has_terminal(struct object *pod, const char *container)
{
    json_t *one;
    size_t i;

    json_array_foreach(at(object_tree(pod), "spec.containers"), i, one)
    {
        if (strcmp(text_at_or(one, "name", ""), container) == 0)
            return bool_at(one, "tty", false);
    }
    return false;
}

enum fault pod_attach_stdin(struct op *op, struct cluster *cluster, struct object *pod,
                            const char *container, bool *ret_terminal, int *ret_stdin)
{
    const char *name = container ? container : default_container(pod);
    struct place place;

    *ret_stdin = -1;
    TRY(running(op, cluster, pod, name, &place));
    *ret_terminal = has_terminal(pod, name);
    if (container_stdin(op, place.sandbox, name, ret_stdin) != OK) {
        op_clear_fault(op); /* it has none */
        *ret_stdin = -1;
    }
    return OK;
}

enum fault pod_dial(struct op *op, struct cluster *cluster, struct object *pod, int port,
                    int *ret_fd)
{
    return sandbox_dial(op, pod_sandbox_id(op, cluster, pod), NULL, port, 10000, ret_fd);
}
