#include "instances/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/json.h"
#include "instances/process.h"
#include "instances/sandbox_folder.h"
#include "instances/sandbox_json.h"

#define CONNS_MAX 256

/* ---- the loop ---- */

void shim_listen(struct shim *shim, struct source *source, unsigned events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    epoll_ctl(shim->epoll, EPOLL_CTL_ADD, source->fd, &event);
}

void shim_unlisten(struct shim *shim, struct source *source)
{
    if (source->fd < 0)
        return;
    epoll_ctl(shim->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    close(source->fd);
    source->fd = -1;
}

/* ---- connections ---- */

static void conn_close(struct shim *shim, struct conn *conn)
{
    for (struct job *job = shim->jobs; job; job = job->next)
        if (job->conn == conn)
            job->conn = NULL;
    for (struct conn **at = &shim->conns; *at; at = &(*at)->next)
        if (*at == conn) {
            *at = conn->next;
            break;
        }
    shim_unlisten(shim, &conn->source);
    free(conn);
}

void shim_answer(struct shim *shim, struct conn *conn, struct op *op, enum fault fault,
                 json_t *body, const int *fds, size_t n_fds)
{
    if (!conn)
        return;
    conn->busy = false;
    if (message_answer(op, conn->source.fd, fault, body, fds, n_fds) != OK)
        conn_close(shim, conn);
}

void shim_tell(struct shim *shim, const char *container)
{
    json_t *event = json_pack("{s:s}", "ended", container);
    struct conn *next;
    struct op op;

    for (struct conn *conn = shim->conns; conn; conn = next) {
        next = conn->next;
        if (!conn->watches)
            continue;
        op_init(&op);
        if (message_send(&op, conn->source.fd, event, NULL, 0) != OK)
            conn_close(shim, conn);
        op_free(&op);
    }
    json_decref(event);
}

/* ---- what is asked ---- */

struct container *find_container(struct shim *shim, const char *name)
{
    for (struct container *each = shim->containers; each; each = each->next)
        if (strcmp(each->name, name) == 0)
            return each;
    return NULL;
}

const char *container_path(struct op *op, const struct shim *shim, const char *name,
                           const char *file)
{
    return arena_printf(&op->arena, "%s/c/%s/%s", shim->run, name, file);
}

static enum fault read_container(struct op *op, struct shim *shim, const json_t *with,
                                 struct container **ret)
{
    const char *name;

    TRY(container_name_read(op, with, "name", &name));
    *ret = find_container(shim, name);
    if (!*ret || (*ret)->phase != CONTAINER_RUNNING)
        return fail_on(op, "container", NOT_FOUND, "container \"%s\" does not run", name);
    return OK;
}

static json_t *states(const struct shim *shim)
{
    json_t *list = json_array();

    for (const struct container *each = shim->containers; each; each = each->next)
        json_array_append_new(
            list, json_pack("{s:s,s:I,s:i,s:i,s:i,s:b,s:I,s:I,s:s*}", "name", each->name, "attempt",
                            (json_int_t)each->attempt, "phase", each->phase, "pid", each->pid,
                            "exitCode", each->exit_code, "oomKilled", each->oom_killed, "startedUs",
                            (json_int_t)each->started_us, "finishedUs",
                            (json_int_t)each->finished_us, "message", each->message));
    return json_pack("{s:o,s:i}", "containers", list, "version", SHIM_VERSION);
}

static enum fault signal_it(struct op *op, struct shim *shim, const json_t *with)
{
    struct container *container;
    int64_t number = 0;

    TRY(read_container(op, shim, with, &container));
    TRY(message_int(op, with, "signal", 1, 64, &number));
    if (kill(container->pid, (int)number) < 0)
        return fail(op, INVALID, "signal %d cannot be sent: %s", (int)number, strerror(errno));
    return OK;
}

static enum fault stats(struct op *op, struct shim *shim, const json_t *with, json_t **ret)
{
    const char *cgroup = shim->cgroup;
    struct container *container;
    struct container_stats now;

    if (json_object_get(with, "name")) {
        TRY(read_container(op, shim, with, &container));
        cgroup = arena_printf(&op->arena, "%s/%s", shim->cgroup, container->name);
    }
    TRY(cgroup_stats(op, &shim->cgroups, cgroup, &now));
    *ret = json_pack("{s:I,s:I,s:I,s:I}", "memoryBytes", (json_int_t)now.memory_bytes, "cpuUs",
                     (json_int_t)now.cpu_us, "pids", (json_int_t)now.pids, "workingSetBytes",
                     (json_int_t)now.working_set_bytes);
    return OK;
}

static enum fault stdin_of(struct op *op, struct shim *shim, const json_t *with, int *ret)
{
    struct container *container;

    TRY(read_container(op, shim, with, &container));
    *ret = container->terminal ? container->out.source.fd : container->in;
    if (*ret < 0)
        return fail_on(op, "container", INVALID, "container \"%s\" has no open standard input",
                       container->name);
    *ret = fcntl(*ret, F_DUPFD_CLOEXEC, 3);
    if (container->stdin_once && container->in >= 0) { /* who has it now has the only one */
        close(container->in);
        container->in = -1;
    }
    return OK;
}

static enum fault ask(struct op *op, struct shim *shim, struct conn *conn, const json_t *body,
                      json_t **ret, int *ret_fd)
{
    const json_t *with = json_object_get(body, "with");
    const char *call;

    TRY(message_text(op, body, "call", 64, true, &call));
    if (strcmp(call, "start") == 0)
        return shim_start(op, shim, conn, with);
    if (strcmp(call, "remove") == 0)
        return shim_remove(op, shim, conn, with);
    if (strcmp(call, "exec") == 0)
        return shim_exec(op, shim, conn, with);
    if (strcmp(call, "signal") == 0)
        return signal_it(op, shim, with);
    if (strcmp(call, "stats") == 0)
        return stats(op, shim, with, ret);
    if (strcmp(call, "stdin") == 0)
        return stdin_of(op, shim, with, ret_fd);
    if (strcmp(call, "files") == 0)
        return shim_files(op, shim, conn, with);
    if (strcmp(call, "resize") == 0)
        return shim_resize(op, shim, with);
    if (strcmp(call, "socket") == 0)
        return shim_socket(op, ret_fd);
    if (strcmp(call, "states") == 0)
        *ret = states(shim);
    else if (strcmp(call, "watch") == 0)
        conn->watches = true;
    else
        return fail(op, UNSUPPORTED,
                    "the supervisor, of another version (%d), knows no call \"%s\"", SHIM_VERSION,
                    call);
    return OK;
}

static void conn_ready(struct shim *shim, struct source *source, unsigned events)
{
    struct conn *conn = (struct conn *)source;
    struct message message = {0};
    json_t *answer = NULL;
    enum fault fault;
    struct op op;
    int fd = -1;

    (void)events;
    op_init(&op);
    if (message_receive(&op, conn->source.fd, &message) != OK || conn->busy) {
        message_close_fds(&message);
        conn_close(shim, conn); /* it has left, or speaks out of turn */
    } else {
        message_close_fds(&message);
        fault = ask(&op, shim, conn, message.body, &answer, &fd);
        conn->busy = fault == WOULD_BLOCK;
        if (fault != WOULD_BLOCK)
            shim_answer(shim, conn, &op, fault, answer, &fd, fd >= 0);
        if (fd >= 0)
            close(fd);
        json_decref(answer);
    }
    op_free(&op);
    malloc_trim(0); /* we are many, and idle from here */
}

static void accept_conn(struct shim *shim, struct source *source, unsigned events)
{
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct conn *conn;
    size_t n = 0;

    (void)events;
    for (struct conn *each = shim->conns; each; each = each->next)
        n++;
    if (fd < 0 || n >= CONNS_MAX) {
        if (fd >= 0)
            close(fd);
        return;
    }
    conn = calloc(1, sizeof(*conn));
    if (!conn)
        abort();
    conn->source = (struct source){fd, conn_ready};
    conn->next = shim->conns;
    shim->conns = conn;
    shim_listen(shim, &conn->source, EPOLLIN);
}

/* ---- children ---- */

static void child_stdio(const int *stdio)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), high[3];

    for (int i = 0; i < 3; i++) /* out of the way of 0, 1 and 2 */
        high[i] = fcntl(stdio[i] >= 0 ? stdio[i] : null, F_DUPFD_CLOEXEC, 3);
    for (int i = 0; i < 3; i++)
        dup2(high[i], i);
}

/* Signals that we ignore would be ignored in containers. */
static void child_signals(void)
{
    sigset_t none;

    for (int number = 1; number < 32; number++)
        if (number != SIGKILL && number != SIGSTOP)
            signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char **crun_command(struct op *op, const struct shim *shim, const char *log,
                                 const char *const *arguments)
{
    static const char *const after[] = {"--log-format", "json"};
    const char **argv, *name = strrchr(shim->crun, '/') + 1;
    size_t n = 0, len = 0;

    while (arguments[len])
        len++;
    argv = arena_alloc(&op->arena, (len + 16) * sizeof(*argv));
    argv[n++] = name;
    argv[n++] = "--root";
    argv[n++] = shim->crun_root;
    if (strcmp(name, "crun") == 0) /* it would ask systemd; runc has no such flag and asks nobody */
        argv[n++] = "--cgroup-manager=cgroupfs";
    argv[n++] = "--log";
    argv[n++] = log;
    for (size_t i = 0; i < ARRAY_LEN(after); i++)
        argv[n++] = after[i];
    for (size_t i = 0; i < len; i++)
        argv[n++] = arguments[i];
    return argv;
}

/* "fault noun\ntext" */
static void child_report(int report, const struct op *op, enum fault fault)
{
    char text[2048];
    int n = snprintf(text, sizeof(text), "%d %s\n%s", (int)fault, op->noun ? op->noun : "",
                     op->message ? op->message : "");

    if (n >= (int)sizeof(text))
        n = sizeof(text) - 1;
    if (write(report, text, (size_t)n) < 0)
        _exit(126);
}

static void child_main(struct op *op, struct shim *shim, const struct child *child, int report)
{
    char *const clean[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                           "_LIBCONTAINER_CLONED_BINARY=1", /* true: protect_crun has seen to it */
                           NULL};
    bool protected = strncmp(shim->crun, shim->run, strlen(shim->run)) == 0;
    enum fault fault = OK;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    child_signals();
    child_stdio(child->stdio);
    op_clear_fault(op);
    if (child->run)
        fault = child->run(op, shim, child->arg);
    if (fault == OK && !child->arguments)
        _exit(0);
    if (fault == OK) {
        /* a folder left open would be a way out: a working directory may be /proc/self/fd/N */
        close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
        execve(shim->crun, (char **)crun_command(op, shim, child->log, child->arguments),
               protected ? clean : (char *const[]){clean[0], NULL});
        fault = fail(op, UNAVAILABLE, "cannot run %s: %s", shim->crun, strerror(errno));
    }
    child_report(report, op, fault);
    _exit(125);
}

enum fault shim_fork(struct op *op, struct shim *shim, struct job *job, const struct child *child)
{
    int report[2];

    if (pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0)
        return fail(op, UNAVAILABLE, "cannot make a pipe: %s", strerror(errno));
    job->pid = fork();
    if (job->pid == 0)
        child_main(op, shim, child, report[1]);
    close(report[1]);
    if (job->pid < 0) {
        close(report[0]);
        return fail(op, UNAVAILABLE, "cannot fork: %s", strerror(errno));
    }
    job->report = report[0];
    job->next = shim->jobs;
    shim->jobs = job;
    return OK;
}

/* ---- why a child failed ---- */

static bool read_log(const char *path, char *text, size_t size)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    if (n <= 0)
        return false;
    text[n] = '\0';
    return true;
}

/* The text of the runtime's last error. */
static const char *crun_says(struct op *op, const char *log)
{
    char text[8192], *save = NULL;
    const char *found = NULL;
    struct op quiet;

    if (!read_log(log, text, sizeof(text)))
        return NULL;
    op_init(&quiet);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        json_t *json;
        const char *said;

        if (json_parse(&quiet, BYTES(line), &json) != OK ||
            !(said = json_string_value(json_object_get(json, "msg"))))
            continue;
        found = arena_strdup(&op->arena, said);
    }
    op_free(&quiet);
    return found;
}

/* What crun and runc say of programs that cannot be run, as docker's users know it. */
static enum fault translate(struct op *op, const char *said, const char *program, const char *what)
{
    static const struct {
        const char *said, *means;
    } reasons[] = {
        {"open executable: Permission denied",       "permission denied"                 },
        {"open executable: Operation not permitted", "permission denied"                 },
        {"xec format error",                         "exec format error"                 },
        {"\": permission denied",                    "permission denied"                 },
        {"xecutable file not found in $PATH",        "executable file not found in $PATH"},
    };

    /* crun; and runc: exec: "/bin/x": stat /bin/x: no such file or directory */
    if (strstr(said, "executable file `") ||
        (strstr(said, "exec: \"") && strstr(said, ": no such file or directory")))
        return fail_on(op, "args", INVALID, "exec: \"%s\": %s", program,
                       strchr(program, '/') ? "no such file or directory"
                                            : "executable file not found in $PATH");
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (strstr(said, reasons[i].said))
            return fail_on(op, "args", INVALID, "exec: \"%s\": %s", program, reasons[i].means);
    return fail(op, UNAVAILABLE, "%s: %s", what, said);
}

enum fault job_fault(struct op *op, struct job *job, int status, const char *log, const char *what)
{
    char text[2048];
    ssize_t n = read(job->report, text, sizeof(text) - 1);
    char *space, *line;
    long fault;

    if (n <= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return OK;
    if (n <= 0) {
        const char *said = log ? crun_says(op, log) : NULL;

        return said ? translate(op, said, job->program, what)
                    : fail(op, UNAVAILABLE, "%s: it ended with status %d", what, status);
    }
    text[n] = '\0';
    fault = strtol(text, &space, 10);
    line = strchr(space, '\n');
    if (*space != ' ' || !line || fault <= OK || fault >= FAULT_COUNT)
        return fail(op, INTERNAL, "%s: no reason is known", what);
    *line = '\0';
    return fail_on(op, line > space + 1 ? arena_strdup(&op->arena, space + 1) : NULL,
                   (enum fault)fault, "%s", line + 1);
}

pid_t read_pid_file(const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[32] = "";
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    return n > 0 ? (pid_t)strtol(text, NULL, 10) : -1;
}

/* ---- terminals: crun sends their master over a socket ---- */

enum fault console_open(struct op *op, struct shim *shim, struct job *job)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(job->console_path, sizeof(job->console_path), "%s/c/.tty-%u", shim->run,
             shim->counter++);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", job->console_path);
    job->console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (job->console < 0 || bind(job->console, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(job->console, 1) < 0)
        return fail(op, UNAVAILABLE, "cannot make a terminal's socket: %s", strerror(errno));
    return OK;
}

int console_take(struct job *job)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char name[256];
    struct iovec part = {name, sizeof(name)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof(control.room)};
    AUTO_CLOSE int fd = accept4(job->console, NULL, NULL, SOCK_CLOEXEC);
    struct cmsghdr *c;
    int master = -1;

    if (fd < 0 || recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
        return -1;
    c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(&master, CMSG_DATA(c), sizeof(int));
    return master;
}

/* ---- ends of children ---- */

static bool known_ended(struct shim *shim, pid_t pid, int status)
{
    return shim_container_ended(shim, pid, status) || shim_run_ended(shim, pid, status);
}

/* crun leaves a process between itself and what it starts. When that ends, what was started is
   ours, and may end, before crun has ended and told us its pid. */
static void keep_stray(struct shim *shim, pid_t pid, int status)
{
    if (!shim->jobs)
        return;
    if (shim->n_strays == ARRAY_LEN(shim->strays))
        memmove(shim->strays, shim->strays + 1, --shim->n_strays * sizeof(*shim->strays));
    shim->strays[shim->n_strays++] = (struct stray){pid, status};
}

static void look_at_strays(struct shim *shim)
{
    for (size_t i = 0; i < shim->n_strays; i++)
        if (shim->strays[i].pid && known_ended(shim, shim->strays[i].pid, shim->strays[i].status))
            shim->strays[i].pid = 0;
    if (!shim->jobs)
        shim->n_strays = 0;
}

static void job_end(struct shim *shim, struct job *job, int status)
{
    for (struct job **at = &shim->jobs; *at; at = &(*at)->next)
        if (*at == job) {
            *at = job->next;
            break;
        }
    job->ended(shim, job, status);
    close(job->report);
    if (job->console >= 0) {
        close(job->console);
        unlink(job->console_path);
    }
    free(job);
    look_at_strays(shim);
}

static bool job_ended(struct shim *shim, pid_t pid, int status)
{
    for (struct job *job = shim->jobs; job; job = job->next)
        if (job->pid == pid) {
            job_end(shim, job, status);
            return true;
        }
    return false;
}

static void on_signal(struct shim *shim, struct source *source, unsigned events)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;

    (void)events;
    while (read(source->fd, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo == SIGTERM)
            shim->id = NULL; /* the loop ends */
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (!job_ended(shim, pid, status) && !known_ended(shim, pid, status))
            keep_stray(shim, pid, status);
}

/* ---- the whole ---- */

static void enter(struct shim *shim)
{
    sigset_t ours;

    prctl(PR_SET_NAME, "sundog-shim");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    child_signals();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGTERM);
    sigprocmask(SIG_SETMASK, &ours, NULL);
    shim->signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    shim->epoll = epoll_create1(EPOLL_CLOEXEC);
    shim->on_listener = (struct source){shim->listener, accept_conn};
    shim->on_signals = (struct source){shim->signals, on_signal};
    shim_listen(shim, &shim->on_listener, EPOLLIN);
    shim_listen(shim, &shim->on_signals, EPOLLIN);
}

/* Kill what runs and see it end, so that nobody else has to. */
static void leave(struct shim *shim)
{
    struct op op;

    for (struct job *job = shim->jobs; job; job = job->next)
        kill(job->pid, SIGKILL);
    op_init(&op);
    (void)cgroup_kill(&op, &shim->cgroups, shim->cgroup);
    op_free(&op);
    if (shim->pause > 0)
        kill(shim->pause, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    process_unmark(shim->run_fd);
}

void shim_main(void *arg)
{
    struct shim *shim = arg;
    struct epoll_event event;

    enter(shim);
    malloc_trim(0);
    while (shim->id) {
        /* one at a time: what it does may end what others were about */
        int n = epoll_wait(shim->epoll, &event, 1, -1);
        struct source *source = event.data.ptr;

        if (n == 1)
            source->ready(shim, source, event.events);
    }
    leave(shim);
    _exit(0);
}
