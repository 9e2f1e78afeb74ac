#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "instances/sandbox_json.h"
#include "instances/seccomp.h"
#include "instances/shim.h"

#define READ_MAX 32768

/* ---- output ---- */

/* False at its end. One read a turn: nobody has the loop for himself. */
static bool pump(struct stream *stream)
{
    char buffer[READ_MAX];
    ssize_t n = read(stream->source.fd, buffer, sizeof(buffer));

    if (n > 0)
        log_writer_write(&stream->container->log, stream->name, buffer, (size_t)n);
    return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static void stream_ready(struct shim *shim, struct source *source, unsigned events)
{
    (void)events;
    if (!pump((struct stream *)source))
        shim_unlisten(shim, source);
}

/* What is there already; at most as much as a pipe holds and a bit, should somebody still write. */
static void drain(struct shim *shim, struct stream *stream)
{
    struct pollfd look = {.fd = stream->source.fd, .events = POLLIN};

    for (int i = 0; look.fd >= 0 && i < 64; i++)
        if (poll(&look, 1, 0) != 1 || !(look.revents & POLLIN) || !pump(stream))
            break;
    shim_unlisten(shim, &stream->source);
}

static void close_streams(struct shim *shim, struct container *container)
{
    drain(shim, &container->out);
    drain(shim, &container->err);
    if (container->in >= 0)
        close(container->in);
    container->in = -1;
    log_writer_close(&container->log);
}

/* ---- the list ---- */

static struct container *add_container(struct shim *shim, const char *name)
{
    struct container *container = calloc(1, sizeof(*container)), **at = &shim->containers;

    if (!container)
        abort();
    memcpy(container->name, name, strlen(name)); /* checked, and zeroed behind */
    container->in = container->out.source.fd = container->err.source.fd = container->log.fd = -1;
    while (*at)
        at = &(*at)->next;
    *at = container;
    return container;
}

static void drop_container(struct shim *shim, struct container *container)
{
    for (struct container **at = &shim->containers; *at; at = &(*at)->next)
        if (*at == container) {
            *at = container->next;
            break;
        }
    close_streams(shim, container);
    free(container->message);
    free(container);
}

struct job *job_new(struct conn *conn, struct container *container,
                    void (*ended)(struct shim *shim, struct job *job, int status))
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        abort();
    job->conn = conn;
    job->container = container;
    job->console = job->report = -1;
    job->ended = ended;
    return job;
}

void job_drop(struct job *job)
{
    if (job->console >= 0) {
        close(job->console);
        unlink(job->console_path);
    }
    free(job);
}

/* ---- start ---- */

static void took_terminal(struct shim *shim, struct container *container, struct job *job)
{
    container->out.source.fd = console_take(job);
    if (container->out.source.fd >= 0)
        shim_listen(shim, &container->out.source, EPOLLIN);
}

/* The first container of a profile leaves the filter for all others. */
static void keep_filter(struct op *op, const struct shim *shim, const struct container *container)
{
    char name[2 * SHA256_DIGEST_LENGTH + 1] = "";
    AUTO_CLOSE int fd =
        open(container_path(op, shim, container->name, "profile"), O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, name, sizeof(name) - 1) != (ssize_t)sizeof(name) - 1)
        return;
    if (seccomp_filter_keep(op, shim->filters, name,
                            arena_printf(&op->arena, "%s/%s.%s/seccomp.bpf", shim->crun_root,
                                         shim->id, container->name)) != OK)
        op_clear_fault(op); /* it is made again next time */
}

static void started(struct shim *shim, struct job *job, int status)
{
    struct container *container = job->container;
    json_t *answer = NULL;
    enum fault fault;
    struct op op;

    op_init(&op);
    fault =
        job_fault(&op, job, status, container_path(&op, shim, container->name, "log"),
                  arena_printf(&op.arena, "container \"%s\" cannot be started", container->name));
    container->busy = false;
    if (fault == OK) {
        container->pid = read_pid_file(container_path(&op, shim, container->name, "pid"));
        container->phase = CONTAINER_RUNNING;
        container->started_us = wall_us();
        answer = json_pack("{s:I}", "startedUs", (json_int_t)container->started_us);
        keep_filter(&op, shim, container);
        if (container->terminal)
            took_terminal(shim, container, job);
    } else {
        log_writer_drop(&container->log);
        drop_container(shim, container);
    }
    shim_answer(shim, job->conn, &op, fault, answer, NULL, 0);
    json_decref(answer);
    op_free(&op);
}

static void listen_to(struct shim *shim, struct container *container, struct stream *stream,
                      const char *name, int fd)
{
    *stream = (struct stream){
        .source = {fd, stream_ready},
          .container = container, .name = name
    };
    if (fd < 0)
        return;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    shim_listen(shim, &stream->source, EPOLLIN);
}

/* The ends of pipes: ours in pairs' first for out and err, second for in. */
static enum fault make_pipes(struct op *op, const struct container_spec *spec, int in[2],
                             int out[2], int err[2])
{
    if (spec->terminal)
        return OK;
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
        (spec->stdin_open && pipe2(in, O_CLOEXEC) < 0))
        return fail(op, UNAVAILABLE, "cannot make a pipe: %s", strerror(errno));
    return OK;
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

static enum fault fork_crun(struct op *op, struct shim *shim, struct job *job,
                            const struct container_spec *spec, int in, int out, int err)
{
    const char *arguments[16], *id = arena_printf(&op->arena, "%s.%s", shim->id, spec->name);
    struct child child = {
        .run = prepare_container,
        .arg = (void *)spec,
        .arguments = arguments,
        .log = container_path(op, shim, spec->name, "log"),
        .stdio = {in, out, err}
    };
    size_t n = 0;

    arguments[n++] = "run";
    arguments[n++] = "--detach";
    arguments[n++] = "--no-new-keyring";
    arguments[n++] = "--bundle";
    arguments[n++] = arena_printf(&op->arena, "%s/c/%s", shim->run, spec->name);
    arguments[n++] = "--pid-file";
    arguments[n++] = container_path(op, shim, spec->name, "pid");
    if (spec->terminal) {
        TRY(console_open(op, shim, job));
        arguments[n++] = "--console-socket";
        arguments[n++] = job->console_path;
    }
    arguments[n++] = id;
    arguments[n] = NULL;
    return shim_fork(op, shim, job, &child);
}

static enum fault start(struct op *op, struct shim *shim, struct container *container,
                        struct job *job, const struct container_spec *spec)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    enum fault fault = log_writer_open(op, &container->log, shim->logs, shim->gid, spec->name,
                                       spec->attempt, spec->log_max_bytes);

    if (fault == OK)
        fault = make_pipes(op, spec, in, out, err);
    if (fault == OK)
        fault = fork_crun(op, shim, job, spec, in[0], out[1], err[1]);
    if (fault != OK) {
        close_pair(in);
        close_pair(out);
        close_pair(err);
        return fault;
    }
    listen_to(shim, container, &container->out, "stdout", out[0]);
    listen_to(shim, container, &container->err, "stderr", err[0]);
    container->in = in[1];
    in[1] = out[0] = err[0] = -1;
    close_pair(in);
    close_pair(out);
    close_pair(err);
    return OK;
}

enum fault shim_start(struct op *op, struct shim *shim, struct conn *conn, const json_t *with)
{
    struct container_spec spec;
    struct container *container;
    struct job *job;
    enum fault fault;

    TRY(container_spec_read(op, with, &spec));
    container = find_container(shim, spec.name);
    if (container && (container->busy || container->phase != CONTAINER_EXITED))
        return fail_on(op, "container", CONFLICT, "container \"%s\" runs already", spec.name);
    if (container)
        drop_container(shim, container);
    container = add_container(shim, spec.name);
    container->attempt = spec.attempt;
    container->terminal = spec.terminal;
    container->stdin_once = spec.stdin_once;
    container->leaves_message = spec.termination_path != NULL;
    container->busy = true;
    job = job_new(conn, container, started);
    snprintf(job->program, sizeof(job->program), "%s", spec.args[0]);
    fault = start(op, shim, container, job, &spec);
    if (fault == OK)
        return WOULD_BLOCK;
    drop_container(shim, container);
    job_drop(job);
    return fault;
}

/* ---- end ---- */

bool shim_container_ended(struct shim *shim, pid_t pid, int status)
{
    struct container *container = shim->containers;
    struct op op;

    while (container && (container->pid != pid || container->phase != CONTAINER_RUNNING))
        container = container->next;
    if (!container)
        return false;
    op_init(&op);
    close_streams(shim, container); /* the log is whole when its end is told */
    container->oom_killed = cgroup_oom_killed(
        &op, &shim->cgroups, arena_printf(&op.arena, "%s/%s", shim->cgroup, container->name));
    if (container->leaves_message)
        read_termination(&op, shim, container);
    container->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    container->finished_us = wall_us();
    container->phase = CONTAINER_EXITED;
    container->pid = 0;
    op_free(&op);
    shim_tell(shim, container->name);
    return true;
}

/* ---- remove ---- */

static void removed(struct shim *shim, struct job *job, int status)
{
    enum fault fault;
    struct op op;

    op_init(&op);
    fault = job_fault(
        &op, job, status, NULL,
        arena_printf(&op.arena, "container \"%s\" cannot be removed", job->container->name));
    job->container->busy = false;
    if (fault == OK)
        drop_container(shim, job->container);
    shim_answer(shim, job->conn, &op, fault, NULL, NULL, 0);
    op_free(&op);
}

enum fault shim_remove(struct op *op, struct shim *shim, struct conn *conn, const json_t *with)
{
    struct child child = {
        .run = clean_container, .stdio = {-1, -1, -1}
    };
    struct container *container;
    const char *name;
    struct job *job;
    enum fault fault;

    TRY(container_name_read(op, with, "name", &name));
    container = find_container(shim, name);
    if (!container)
        return OK;
    if (container->busy)
        return fail_on(op, "container", CONFLICT, "container \"%s\" is being started or removed",
                       name);
    job = job_new(conn, container, removed);
    child.arg = container->name;
    fault = shim_fork(op, shim, job, &child);
    if (fault != OK) {
        job_drop(job);
        return fault;
    }
    container->busy = true;
    return WOULD_BLOCK;
}
