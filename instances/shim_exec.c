#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/json.h"
#include "instances/oci_spec.h"
#include "instances/sandbox_folder.h"
#include "instances/sandbox_json.h"
#include "instances/shim.h"

enum end { IN, OUT, ERR, DONE, ENDS };

/* ---- runs ---- */

static void run_free(struct shim *shim, struct run *run)
{
    for (struct run **at = &shim->runs; *at; at = &(*at)->next)
        if (*at == run) {
            *at = run->next;
            break;
        }
    for (int i = 0; i < ENDS; i++)
        if (run->fds[i] >= 0)
            close(run->fds[i]);
    shim_unlisten(shim, &run->done);
    free(run);
}

/* Who asked has closed his end of done. */
static void abandoned(struct shim *shim, struct source *source, unsigned events)
{
    struct run *run = (struct run *)source;

    (void)events;
    shim_unlisten(shim, source);
    if (run->pid > 0)
        kill(run->pid, SIGKILL);
}

bool shim_run_ended(struct shim *shim, pid_t pid, int status)
{
    struct exec_end end = {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)};
    struct run *run = shim->runs;

    while (run && run->pid != pid)
        run = run->next;
    if (!run)
        return false;
    if (run->done.fd >= 0 && write(run->done.fd, &end, sizeof(end)) < 0)
        end.exit_code = 0; /* nobody wants to know */
    run_free(shim, run);
    return true;
}

/* ---- in the child: process.json ---- */

struct exec_prepare {
    const struct exec_spec *spec;
    const char *container, *name; /* of the file, in RUN/s/<id> */
};

static enum fault read_config(struct op *op, const char *path, json_t **ret)
{
    json_t *config = json_load_file(path, 0, NULL);

    if (!config)
        return fail(op, UNAVAILABLE, "the container's configuration cannot be read");
    arena_defer(&op->arena, (void (*)(void *))json_decref, config);
    *ret = config;
    return OK;
}

static enum fault prepare_exec(struct op *op, struct shim *shim, void *arg)
{
    const struct exec_prepare *prepare = arg;
    AUTO_CLOSE int root = -1;
    json_t *config = NULL, *process = NULL;

    TRY(read_config(op, container_path(op, shim, prepare->container, "config.json"), &config));
    TRY(folder_open(op, container_path(op, shim, prepare->container, "root"), &root));
    TRY(oci_exec_process(op, config, prepare->spec, root, &process));
    return write_json(op, shim->run_fd, prepare->name, process);
}

/* ---- asked, and done ---- */

static const char *run_path(struct op *op, const struct shim *shim, unsigned number,
                            const char *what)
{
    return arena_printf(&op->arena, "%s/c/.exec-%u.%s", shim->run, number, what);
}

static enum fault take_terminal(struct op *op, struct job *job, struct run *run)
{
    if (!run->terminal)
        return OK;
    run->fds[IN] = console_take(job);
    if (run->fds[IN] < 0)
        return fail(op, UNAVAILABLE, "no terminal could be had");
    ioctl(run->fds[IN], TIOCSWINSZ,
          &run->size); /* crun has told it perhaps, and perhaps too late */
    return OK;
}

static void running(struct shim *shim, struct job *job, int status)
{
    struct run *run = job->run;
    enum fault fault;
    struct op op;
    int fds[ENDS];
    size_t n = 0;

    op_init(&op);
    fault = job_fault(&op, job, status, run_path(&op, shim, run->number, "log"),
                      "the program cannot be run");
    run->pid = fault == OK ? read_pid_file(run_path(&op, shim, run->number, "pid")) : 0;
    if (fault == OK)
        fault = take_terminal(&op, job, run);
    for (int i = 0; i < ENDS; i++)
        if (run->fds[i] >= 0)
            fds[n++] = run->fds[i];
    if (!job->conn || fault != OK) { /* nobody will ever read its end */
        if (run->pid > 0)
            kill(run->pid, SIGKILL);
    }
    shim_answer(shim, job->conn, &op, fault, NULL, fds, n);
    for (int i = 0; i < ENDS; i++)
        if (run->fds[i] >= 0) {
            close(run->fds[i]);
            run->fds[i] = -1;
        }
    unlink(run_path(&op, shim, run->number, "log"));
    unlink(run_path(&op, shim, run->number, "pid"));
    unlink(run_path(&op, shim, run->number, "json"));
    if (run->pid <= 0)
        run_free(shim, run);
    else
        shim_listen(shim, &run->done, 0); /* told when the other end is closed */
    op_free(&op);
}

/* pipes[i][0] reads. in: the caller's end is the writing one. */
static enum fault make_pipes(struct op *op, struct run *run, int stdio[3])
{
    int pipes[ENDS][2];

    for (int i = run->terminal ? DONE : IN; i < ENDS; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) < 0)
            return fail(op, UNAVAILABLE, "cannot make a pipe: %s", strerror(errno));
        run->fds[i] = pipes[i][i == IN];
        if (i == DONE)
            run->done.fd = pipes[i][1];
        else
            stdio[i] = pipes[i][i != IN];
    }
    return OK;
}

static enum fault fork_exec(struct op *op, struct shim *shim, struct job *job,
                            const struct exec_spec *spec, const char *name, int stdio[3])
{
    struct run *run = job->run;
    const char *arguments[16], *path = run_path(op, shim, run->number, "json");
    struct exec_prepare prepare = {spec, name, path + strlen(shim->run) + 1};
    struct child child = {
        .run = prepare_exec,
        .arg = &prepare,
        .arguments = arguments,
        .log = run_path(op, shim, run->number, "log"),
        .stdio = {stdio[0], stdio[1], stdio[2]}
    };
    size_t n = 0;

    arguments[n++] = "exec";
    arguments[n++] = "--detach";
    arguments[n++] = "--process";
    arguments[n++] = path;
    arguments[n++] = "--pid-file";
    arguments[n++] = run_path(op, shim, run->number, "pid");
    if (spec->terminal) {
        TRY(console_open(op, shim, job));
        arguments[n++] = "--console-socket";
        arguments[n++] = job->console_path;
    }
    arguments[n++] = arena_printf(&op->arena, "%s.%s", shim->id, name);
    arguments[n] = NULL;
    return shim_fork(op, shim, job, &child);
}

static struct run *new_run(struct shim *shim, const struct exec_spec *spec)
{
    struct run *run = calloc(1, sizeof(*run));

    if (!run)
        abort();
    run->done = (struct source){-1, abandoned};
    run->number = shim->counter++;
    run->terminal = spec->terminal;
    run->size.ws_row = (unsigned short)(spec->rows ? spec->rows : 24);
    run->size.ws_col = (unsigned short)(spec->cols ? spec->cols : 80);
    for (int i = 0; i < ENDS; i++)
        run->fds[i] = -1;
    run->next = shim->runs;
    shim->runs = run;
    return run;
}

enum fault shim_exec(struct op *op, struct shim *shim, struct conn *conn, const json_t *with)
{
    int stdio[3] = {-1, -1, -1};
    struct container *container;
    struct exec_spec spec;
    const char *name;
    struct job *job;
    enum fault fault;

    TRY(container_name_read(op, with, "name", &name));
    TRY(exec_spec_read(op, with, &spec));
    container = find_container(shim, name);
    if (!container || container->phase != CONTAINER_RUNNING)
        return fail_on(op, "container", NOT_FOUND, "container \"%s\" does not run", name);
    job = calloc(1, sizeof(*job));
    if (!job)
        abort();
    *job = (struct job){.conn = conn, .report = -1, .console = -1, .ended = running};
    job->run = new_run(shim, &spec);
    snprintf(job->program, sizeof(job->program), "%s", spec.args[0]);
    fault = make_pipes(op, job->run, stdio);
    if (fault == OK)
        fault = fork_exec(op, shim, job, &spec, name, stdio);
    for (int i = 0; i < 3; i++)
        if (stdio[i] >= 0)
            close(stdio[i]);
    if (fault == OK)
        return WOULD_BLOCK;
    run_free(shim, job->run);
    if (job->console >= 0) {
        close(job->console);
        unlink(job->console_path);
    }
    free(job);
    return fault;
}
