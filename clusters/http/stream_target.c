/* Which pod, which container, what for. */
#include <string.h>
#include <unistd.h>

#include "clusters/http/streams.h"

#define ARGS_MAX  4096
#define NAMES_MAX 4096 /* bytes of names in a message */

static enum fault open_log(struct call *c, struct object *pod);
static enum fault open_exec(struct call *c, struct object *pod);
static enum fault open_attach(struct call *c, struct object *pod);
static enum fault open_forward(struct call *c, struct object *pod);

static const struct {
    const char *subresource;
    enum fault (*open)(struct call *c, struct object *pod);
} streamed[] = {
    {"log",         open_log    },
    {"exec",        open_exec   },
    {"attach",      open_attach },
    {"portforward", open_forward},
};

static size_t which(const struct rest *r)
{
    size_t i = 0;

    while (i < ARRAY_LEN(streamed) && strcmp(streamed[i].subresource, r->subresource) != 0)
        i++;
    return i;
}

bool is_streamed(const struct rest *r)
{
    return r->subresource && strcmp(r->resource->plural, "pods") == 0 && !*r->resource->group &&
           which(r) < ARRAY_LEN(streamed);
}

enum fault kube_streamed(struct call *c)
{
    struct rest r = KUBE(c)->r;
    struct object *pod = NULL;

    r.subresource = NULL;
    TRY(rest_get(&c->op, &r, &pod));
    return streamed[which(&KUBE(c)->r)].open(c, pod);
}

/* ---- containers ---- */

static const char *const lists[] = {"spec.containers", "spec.initContainers",
                                    "spec.ephemeralContainers"};

static bool has_container(const json_t *pod, const char *name)
{
    const json_t *row;
    size_t n;

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        json_array_foreach(at(pod, lists[i]), n, row)
        {
            if (strcmp(text_at_or(row, "name", ""), name) == 0)
                return true;
        }
    }
    return false;
}

static const char *names_of(struct op *op, const json_t *list)
{
    const json_t *row;
    struct text text;
    size_t i;

    text_init(&text, &op->arena, NAMES_MAX);
    json_array_foreach(list, i, row)
    {
        text_printf(&text, "%s%s", i ? " " : "", text_at_or(row, "name", ""));
    }
    return text.data;
}

enum fault choose_container(struct op *op, const json_t *pod, const char *name, const char **ret)
{
    const json_t *all = at(pod, lists[0]), *init = at(pod, lists[1]);
    const char *pod_name = text_at_or(pod, "metadata.name", "");

    if (name && *name) {
        if (!has_container(pod, name))
            return bad_request(op, "container %s is not valid for pod %s", name, pod_name);
        *ret = name;
        return OK;
    }
    if (json_array_size(all) == 1) {
        *ret = text_at_or(json_array_get(all, 0), "name", "");
        return OK;
    }
    return bad_request(
        op, "a container name must be specified for pod %s, choose one of: [%s]%s%s%s", pod_name,
        names_of(op, all), json_array_size(init) ? " or one of the init containers: [" : "",
        names_of(op, init), json_array_size(init) ? "]" : "");
}

static enum fault read_container(struct call *c, struct object *pod, const char **ret)
{
    return choose_container(&c->op, object_tree(pod), call_query(c, "container", 0), ret);
}

static bool has_host(struct object *pod)
{
    return *text_at_or(object_tree(pod), "spec.nodeName", "") != '\0';
}

static enum fault need_host(struct call *c, struct object *pod)
{
    if (has_host(pod))
        return OK;
    return bad_request(&c->op, "pod %s does not have a host assigned", pod->name);
}

/* ---- what they open ---- */

static enum fault open_log(struct call *c, struct object *pod)
{
    struct pod_log_options options;
    struct pod_log *log = NULL;
    const char *container = NULL;

    TRY(read_log_options(c, &options));
    TRY(read_container(c, pod, &container));
    if (!has_host(pod)) /* upstream: nothing was said yet */
        return reply_bytes(c, 200, "text/plain", BYTES(""));
    TRY(pod_log_open(&c->op, KUBE(c)->cluster, pod, container, &options, &log));
    return stream_log(c, log);
}

static enum fault read_streams(struct call *c, struct exec_source *ret)
{
    TRY(query_bool(c, "stdin", false, &ret->in));
    TRY(query_bool(c, "stdout", false, &ret->out));
    TRY(query_bool(c, "stderr", false, &ret->err));
    TRY(query_bool(c, "tty", false, &ret->terminal));
    ret->err = ret->err && !ret->terminal; /* there is but one way out of a terminal */
    if (!ret->in && !ret->out && !ret->err)
        return bad_request(&c->op, "you must specify at least 1 of stdin, stdout, stderr");
    return OK;
}

static enum fault read_command(struct call *c, const char ***ret)
{
    size_t n = 0;

    while (n < ARGS_MAX && call_query(c, "command", n))
        n++;
    if (n == 0 || n == ARGS_MAX)
        return bad_request(&c->op, n ? "the command is too long"
                                     : "you must specify at least one command for the container");
    *ret = arena_alloc(&c->op.arena, (n + 1) * sizeof(**ret));
    for (size_t i = 0; i < n; i++)
        (*ret)[i] = call_query(c, "command", i);
    return OK;
}

static const struct exec no_exec = {-1, -1, -1, -1};

static enum fault open_exec(struct call *c, struct object *pod)
{
    struct exec_source source = {.exec = no_exec};
    struct wire wire = {0};
    const char *container = NULL, **command = NULL;
    enum fault fault;

    TRY(wire_negotiate(c, exec_protocols, &wire));
    TRY(read_streams(c, &source));
    TRY(read_command(c, &command));
    TRY(read_container(c, pod, &container));
    TRY(need_host(c, pod));
    fault =
        pod_exec(&c->op, KUBE(c)->cluster, pod, container, command, source.terminal, &source.exec);
    if (fault == INVALID) { /* no such program: clients are told by the error channel */
        source.failure =
            arena_printf(&c->op.arena, "error executing command in container: %s", c->op.message);
        op_clear_fault(&c->op);
        fault = OK;
    }
    TRY(fault);
    return stream_exec(c, &wire, &source);
}

/* What it prints from now on. A terminal's log is one; a client of stdin alone learns by it when
   the container ends. */
static enum fault open_logs(struct call *c, struct object *pod, const char *container,
                            struct exec_source *ret)
{
    struct pod_log_options from_now = {
        .follow = true, .tail = 0, .limit_bytes = -1, .since_s = -1, .since_us = -1};

    from_now.stream = ret->terminal ? NULL : "stdout";
    if (ret->out || !ret->err)
        TRY(pod_log_open(&c->op, KUBE(c)->cluster, pod, container, &from_now, &ret->out_log));
    from_now.stream = "stderr";
    if (ret->err)
        TRY(pod_log_open(&c->op, KUBE(c)->cluster, pod, container, &from_now, &ret->err_log));
    return OK;
}

static enum fault open_attach(struct call *c, struct object *pod)
{
    struct exec_source source = {.exec = no_exec, .attach = true};
    struct wire wire = {0};
    const char *container = NULL;
    bool is_terminal = false;
    enum fault fault;

    TRY(wire_negotiate(c, exec_protocols, &wire));
    TRY(read_streams(c, &source));
    TRY(read_container(c, pod, &container));
    TRY(need_host(c, pod));
    fault = open_logs(c, pod, container, &source);
    if (fault == OK && (source.in || source.terminal))
        fault = pod_attach_stdin(&c->op, KUBE(c)->cluster, pod, container, &is_terminal,
                                 &source.exec.in);
    if (fault == OK)
        return stream_exec(c, &wire, &source);
    pod_log_close(source.out_log);
    pod_log_close(source.err_log);
    return fault;
}

static enum fault open_forward(struct call *c, struct object *pod)
{
    struct wire wire = {0};

    TRY(wire_negotiate(c, forward_protocols, &wire));
    TRY(need_host(c, pod));
    return stream_forward(c, &wire, pod);
}
