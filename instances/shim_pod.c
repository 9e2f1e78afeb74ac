/* What only pods ask of a supervisor. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "instances/sandbox_folder.h"
#include "instances/sandbox_json.h"
#include "instances/shim.h"
#include "instances/volume_pod.h"

#define TERMINATION_MAX 4096

/* ---- processes in common ---- */

/* Process 1 of the pod: it takes the orphans, and when it ends, so do all of them. */
static void pause_main(void)
{
    sigset_t children;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "pause");
    close_range(0, ~0u, 0);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_SETMASK, &children, NULL);
    for (;;) {
        int number;

        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        (void)sigwait(&children, &number);
    }
}

enum fault shim_share_processes(struct op *op, struct shim *shim)
{
    long pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);

    if (pid == 0)
        pause_main();
    if (pid < 0)
        return fail(op, UNAVAILABLE, "cannot make a namespace of processes: %s", strerror(errno));
    shim->pause = (pid_t)pid;
    return OK;
}

/* ---- files ---- */

static enum fault write_files(struct op *op, struct shim *shim, void *volume)
{
    return volume_atomic_write(op, shim->run, volume);
}

static void files_written(struct shim *shim, struct job *job, int status)
{
    enum fault fault;
    struct op op;

    op_init(&op);
    fault = job_fault(&op, job, status, NULL, "the files of a volume cannot be written");
    shim_answer(shim, job->conn, &op, fault, NULL, NULL, 0);
    op_free(&op);
}

enum fault shim_files(struct op *op, struct shim *shim, struct conn *conn, const json_t *with)
{
    struct child child = {
        .run = write_files, .stdio = {-1, -1, -1}
    };
    struct volume_spec volume = {0};
    struct job *job;
    enum fault fault;

    TRY(volume_spec_read(op, with, &volume));
    if (volume.kind != VOLUME_ATOMIC)
        return fail_on(op, "volume", INVALID, "the files of \"%s\" are not replaced", volume.name);
    child.arg = &volume;
    job = job_new(conn, NULL, files_written);
    fault = shim_fork(op, shim, job, &child);
    if (fault == OK)
        return WOULD_BLOCK;
    job_drop(job);
    return fault;
}

/* ---- limits ---- */

enum fault shim_resize(struct op *op, struct shim *shim, const json_t *with)
{
    struct cgroup_limits limits = {-1, -1, -1, -1};
    const char *cgroup = shim->cgroup, *name = NULL;

    if (json_object_get(with, "name")) {
        TRY(container_name_read(op, with, "name", &name));
        if (!find_container(shim, name))
            return fail_on(op, "container", NOT_FOUND, "container \"%s\" does not run", name);
        cgroup = arena_printf(&op->arena, "%s/%s", shim->cgroup, name);
    }
    TRY(message_int(op, with, "memoryBytes", -1, INT64_MAX, &limits.memory_bytes));
    TRY(message_int(op, with, "cpuMillis", -1, 1000000, &limits.cpu_millis));
    TRY(message_int(op, with, "cpuShares", -1, 262144, &limits.cpu_shares));
    return cgroup_change(op, &shim->cgroups, cgroup, &limits);
}

/* ---- connections ---- */

/* A socket stays in the namespace it was made in: who asks connects it, and we need not wait. */
enum fault shim_socket(struct op *op, int *ret_fd)
{
    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*ret_fd < 0)
        return fail(op, UNAVAILABLE, "cannot make a socket: %s", strerror(errno));
    return OK;
}

/* ---- the message it leaves ---- */

/* Beside /etc/hosts, in memory of a size. */
const char *termination_file(struct op *op, const struct shim *shim, const char *container)
{
    return arena_printf(&op->arena, "%s/etc/end-%s", shim->run, container);
}

/* As text: what is no UTF-8 could not be told. */
static bool is_text(const char *text, size_t len)
{
    json_t *json = json_stringn(text, len);
    bool is = json && !memchr(text, 0, len);

    json_decref(json);
    return is;
}

void read_termination(struct op *op, const struct shim *shim, struct container *container)
{
    AUTO_CLOSE int fd = open(termination_file(op, shim, container->name),
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char text[TERMINATION_MAX + 1];
    struct stat st;
    ssize_t n = -1;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        n = read(fd, text, TERMINATION_MAX);
    while (n > 0 && n > (ssize_t)TERMINATION_MAX - 4 && !is_text(text, (size_t)n))
        n--; /* a character cut in half */
    if (n <= 0 || !is_text(text, (size_t)n))
        return;
    text[n] = '\0';
    container->message = strdup(text);
}
