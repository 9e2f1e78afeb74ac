/*
 * The supervisor of a sandbox: a process of root's that goes on after sandbox.create. One epoll
 *loop; what may take time (mounts, crun, removing trees) is done by children, waited for like
 *containers.
 *
 *~ shim.c is the loop and what it is asked; shim_container.c starts and removes containers and sees
 *~ them end; shim_prepare.c is what such a child does; shim_exec.c runs programs in them.
 */
#ifndef SUNDOG_INSTANCES_SHIM_H
#define SUNDOG_INSTANCES_SHIM_H

#include <jansson.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#include "core/message.h"
#include "instances/cgroup.h"
#include "instances/shim_log.h"

struct shim;

/* What the loop listens to. */
struct source {
    int fd; /* -1: none */
    void (*ready)(struct shim *shim, struct source *source, unsigned events);
};

struct stream {
    struct source source; /* first */
    struct container *container;
    const char *name; /* "stdout", "stderr" */
};

struct container {
    struct container *next;
    char name[CONTAINER_NAME_MAX + 1];
    int64_t attempt;
    enum container_phase phase;
    bool busy; /* a child of ours is making or removing it */
    pid_t pid;
    int exit_code;
    bool oom_killed, terminal, stdin_once, leaves_message;
    char *message; /* what it left when it ended; NULL: nothing */
    int64_t started_us, finished_us;
    struct stream out, err; /* terminal: out is the terminal */
    int in;                 /* the writing end of its stdin; -1 */
    struct log_writer log;
};

struct conn {             /* of the server's */
    struct source source; /* first */
    struct conn *next;
    bool busy, watches;
};

/* A program run in a container. */
struct run {
    struct source done; /* first; the writing end of what the caller holds */
    struct run *next;
    pid_t pid;       /* 0: not yet */
    unsigned number; /* of its files */
    bool terminal;
    struct winsize size;
    int fds[4]; /* the caller's ends: in, out, err, done */
};

/* A child that does something for us; conn waits for it (NULL: nobody). */
struct job {
    struct job *next;
    pid_t pid;
    struct conn *conn;
    int report;  /* what went wrong before crun was run */
    int console; /* where crun sends the terminal; -1 */
    char console_path[108];
    char program[128];           /* what is to be run, for messages */
    struct container *container; /* NULL for a run */
    struct run *run;
    void (*ended)(struct shim *shim, struct job *job, int status);
};

struct shim {
    struct arena arena; /* of what stays as long as the supervisor */
    const char *id, *hostname;
    const char *run;       /* RUN/s/<id> */
    const char *crun;      /* the program */
    const char *crun_root; /* its state */
    const char *cgroup;    /* "/sundog-1a2b3c/<id>" */
    bool pod;              /* containers have IPC, host name and /dev/shm in common */
    pid_t pause;           /* 1 of the processes that they have in common; 0: each has its own */
    int data, folder, run_fd, logs;
    int filters; /* RUN/seccomp */
    unsigned gid;
    struct cgroups cgroups;
    int epoll, listener, signals;
    struct source on_listener, on_signals;
    struct container *containers;
    struct conn *conns;
    struct job *jobs;
    struct run *runs;
    unsigned counter;
    struct stray { /* ended while crun, which knows whose they are, had not */
        pid_t pid;
        int status;
    } strays[32];
    size_t n_strays;
};

/* Goes on until SIGTERM; then kills what runs and returns. */
void shim_main(void *shim);

/* Goes up when what it is asked changes; told in the answer to "states". */
#define SHIM_VERSION 2

/* ---- shim.c ---- */
void shim_listen(struct shim *shim, struct source *source, unsigned events);
void shim_unlisten(struct shim *shim, struct source *source);
void shim_answer(struct shim *shim, struct conn *conn, struct op *op, enum fault fault,
                 json_t *body, const int *fds, size_t n_fds);
/* Tell watchers that a container has ended. */
void shim_tell(struct shim *shim, const char *container);
/* Fork a child of ours that will do what run says and, unless that fails, become crun with
   arguments; job->ended is called when it is over. stdio: three descriptors, -1: /dev/null. */
struct child {
    enum fault (*run)(struct op *op, struct shim *shim, void *arg);
    void *arg;
    const char *const *arguments; /* of crun's command; NULL: no crun */
    const char *log;              /* crun's own */
    int stdio[3];
};
enum fault shim_fork(struct op *op, struct shim *shim, struct job *job, const struct child *child);
/* What went wrong in the child or crun. what: for the message when nobody says why. */
enum fault job_fault(struct op *op, struct job *job, int status, const char *log, const char *what);
/* The listening socket of a terminal to come; and the terminal. */
enum fault console_open(struct op *op, struct shim *shim, struct job *job);
int console_take(struct job *job);
pid_t read_pid_file(const char *path);
struct container *find_container(struct shim *shim, const char *name);
const char *container_path(struct op *op, const struct shim *shim, const char *name,
                           const char *file);

/* ---- shim_container.c; WOULD_BLOCK: conn is answered later ---- */
enum fault shim_start(struct op *op, struct shim *shim, struct conn *conn, const json_t *with);
enum fault shim_remove(struct op *op, struct shim *shim, struct conn *conn, const json_t *with);
/* A child of ours has ended: was it a container's first process? */
bool shim_container_ended(struct shim *shim, pid_t pid, int status);
struct job *job_new(struct conn *conn, struct container *container,
                    void (*ended)(struct shim *shim, struct job *job, int status));
void job_drop(struct job *job);

/* ---- shim_pod.c: what only pods ask for ---- */
enum fault shim_share_processes(struct op *op, struct shim *shim);
enum fault shim_files(struct op *op, struct shim *shim, struct conn *conn, const json_t *with);
enum fault shim_resize(struct op *op, struct shim *shim, const json_t *with);
/* A TCP socket of the sandbox's namespace, not connected. */
enum fault shim_socket(struct op *op, int *ret_fd);
const char *termination_file(struct op *op, const struct shim *shim, const char *container);
void read_termination(struct op *op, const struct shim *shim, struct container *container);

/* ---- shim_prepare.c: in children ---- */
enum fault prepare_container(struct op *op, struct shim *shim, void *container_spec);
enum fault clean_container(struct op *op, struct shim *shim, void *name);
enum fault write_json(struct op *op, int at, const char *name, const json_t *json);

/* ---- shim_exec.c ---- */
enum fault shim_exec(struct op *op, struct shim *shim, struct conn *conn, const json_t *with);
bool shim_run_ended(struct shim *shim, pid_t pid, int status);

#endif
