/*
 * Sandboxes: one network namespace, one cgroup, some volumes, and containers in them. A container
 * group is a sandbox; a Kubernetes pod is one (sandbox_pod.h adds what only pods need). Everything
 * here is about one machine; what
 * should run, and whether it is started again, is decided by others.
 *
 *~ Each sandbox has a supervisor, a process that the helper forks (sandbox_shim.c): it makes the
 *~ namespace, runs crun, is the parent of the containers, writes their logs and knows how they
 *~ ended. It outlives this server, which talks to it over a socket under RUN; so a new server finds
 *~ everything as it was (sandbox_list, sandbox_states).
 *
 * RUN is /run/sundog-<id of DIR>; writable layers, logs and volumes are under DIR/sandboxes/<id>.
 * All functions may be called from any thread that may block; none needs op->db.
 */
#ifndef SUNDOG_INSTANCES_SANDBOX_H
#define SUNDOG_INSTANCES_SANDBOX_H

#include "core/op.h"
#include "core/settings.h"

#define SANDBOX_ID_MAX     48
#define CONTAINER_NAME_MAX 63

enum volume_kind {
    VOLUME_EMPTY,  /* a folder that lives as long as the sandbox */
    VOLUME_MEMORY, /* the same in memory */
    VOLUME_FILES,  /* files given here, in memory, read-only */
    VOLUME_SHARE,  /* DIR/shares/<account>/<share>: outlives it; made when it is not there */
    VOLUME_GIT,    /* a folder, cloned into by sandbox_clone */
    VOLUME_ATOMIC, /* files given here and replaced by sandbox_files, as kubelet lays them out */
    VOLUME_NODE,   /* a path of the node's file system (sandbox_pod.h) */
};
struct volume_file {
    const char *path; /* relative, no ".." */
    struct bytes content;
    unsigned mode; /* 0: 0444 */
    int64_t owner; /* ATOMIC: uid */
};
struct volume_spec {
    const char *name;
    enum volume_kind kind;
    const struct volume_file *files; /* FILES, ATOMIC */
    size_t n_files;
    const char *account, *share;  /* SHARE: ^[a-z0-9-]{1,63}$ each */
    int64_t size_bytes;           /* MEMORY; 0: no limit but the sandbox's */
    int64_t fs_group;             /* EMPTY, MEMORY, ATOMIC: whose group it is; 0: root's */
    const char *path, *path_type; /* NODE: absolute; a hostPath type: "", "Directory", … */
};

struct sandbox_address {
    const char *address; /* "10.213.0.7" */
    int prefix;          /* of its range: 17 */
    bool closed;         /* only ports of spec.ports are let in, but from the gateway and within */
};
struct sandbox_port {
    int port;
    bool udp;
};
struct host_entry {
    const char *address, *names; /* a line of /etc/hosts */
};

struct sandbox_spec {
    const char *id; /* ^[a-z0-9][a-z0-9-]*$, unique in this DIR */
    const char *hostname;
    /* network: a veth pair from eth0 to bridge; bridge NULL: loopback only */
    const char *bridge;
    const struct sandbox_address *addresses;
    size_t n_addresses;
    const char *gateway; /* the first address's; default route */
    const struct sandbox_port *ports;
    size_t n_ports;
    const char *const *nameservers, *const *searches, *const *resolv_options; /* NULL-terminated */
    const struct host_entry *hosts; /* besides localhost and its own name */
    size_t n_hosts;
    const struct pod_spec *pod; /* sandbox_pod.h; NULL: a container group's */
    /* limits of the whole; 0: none */
    int64_t memory_bytes, cpu_millis, pids;
    int64_t cpu_shares; /* its weight beside others: 1024 a core; 0: 1024 */
    const struct volume_spec *volumes;
    size_t n_volumes;
};

struct mount_spec {
    const char *volume;   /* a volume's name */
    const char *path;     /* in the container, absolute */
    const char *sub_path; /* within the volume, a folder or file; NULL: all of it */
    bool read_only;
};

/* What is run. Arrays of texts are NULL-terminated. */
struct container_spec {
    const char *name;          /* ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$, unique in the sandbox */
    int64_t attempt;           /* 0, 1, …: counts its starts; each has a log of its own */
    const char *const *layers; /* diff ids, bottom first, all unpacked (instances/layer.h) */
    const char *const *args;   /* argv; args[0] is looked up in the PATH of env, inside */
    const char *const *env;    /* "NAME=value" */
    const char *cwd;           /* NULL: "/"; made when it is not there */
    const char *user;          /* image config's: "", "1000", "app", "app:www" */
    int64_t run_as_user, run_as_group;      /* over user; -1: not given */
    int64_t memory_bytes, cpu_millis, pids; /* 0: the sandbox's */
    int64_t cpu_shares, oom_score_adj;      /* 0: 1024; 0: 500, what ours have */
    bool read_only, privileged, no_new_privileges, terminal, stdin_open;
    bool stdin_once;       /* its end of file comes when who first took container_stdin closes it */
    bool run_as_non_root;  /* container_start says INVALID on "runAsNonRoot", in kubelet's words */
    const int64_t *groups; /* further ones of its first process */
    size_t n_groups;
    const char *termination_path; /* a file of 4 KiB to leave a message in; NULL: none */
    const char *const *cap_add, *const *cap_drop; /* "NET_RAW" or "CAP_NET_RAW"; "ALL" */
    const char *seccomp; /* an OCI seccomp object as JSON; NULL: ours; "unconfined" */
    const struct mount_spec *mounts;
    size_t n_mounts;
    int64_t log_max_bytes; /* of one file; a second one holds what was before; 0: 4 MiB */
};

enum container_phase { CONTAINER_STARTING, CONTAINER_RUNNING, CONTAINER_EXITED };
struct container_state {
    const char *name;
    int64_t attempt;
    enum container_phase phase;
    int pid;                         /* RUNNING */
    int exit_code;                   /* EXITED: 128 + signal when one ended it */
    bool oom_killed;                 /* EXITED: the kernel killed something in it for memory */
    int64_t started_us, finished_us; /* Unix time; 0: not yet */
    const char *message;             /* EXITED: what it left at termination_path; "" */
};

/* ---- life; faults are UNAVAILABLE with a reason for users unless said otherwise ---- */

/* Before helper_start: registers calls with the helper. */
void sandbox_register(void);
/* After the drop of privileges; UNSUPPORTED with what to do when this machine cannot run
   containers (no root, no crun, …): what instances answer with, then. */
enum fault sandbox_start(struct op *op, const struct settings *settings);
void sandbox_stop(void); /* forgets connections; sandboxes live on */
/* OK, or the fault of sandbox_start again. */
enum fault sandbox_supported(struct op *op);
/* What this machine lacks to run containers and how to mend it, without a server (`sundog doctor`);
   NULL: nothing. */
const char *sandbox_lacks(struct op *op);

/* Make it: supervisor, namespace, network, cgroup, volumes. CONFLICT: the id is in use. */
enum fault sandbox_create(struct op *op, const struct sandbox_spec *spec);
/* Kill what runs and remove all of it, also where a crash has left half of one, or nothing. With
   logs. Returns when it is gone. */
enum fault sandbox_delete(struct op *op, const char *id);
/* Ids of all there are, alive or half. */
enum fault sandbox_list(struct op *op, const char ***ret_ids, size_t *ret_n);
/* GONE: it has no supervisor (any more). */
enum fault sandbox_states(struct op *op, const char *id, struct container_state **ret,
                          size_t *ret_n);
/* Called from a thread of ours when a container ended or a supervisor died. Up to four listeners;
   they know their own by the id. */
void sandbox_on_event(void (*event)(const char *id));
/* git clone into a VOLUME_GIT, as an unprivileged user, https and http only. revision and directory
   may be NULL. May take minutes. */
enum fault sandbox_clone(struct op *op, const char *id, const char *volume, const char *repository,
                         const char *revision, const char *directory);

/* ---- containers ---- */

/* Mount, create, start. Returns when the process runs. A container of that name that has ended is
   replaced. INVALID: what the image or spec asks for cannot be (no such user, no such program): the
   text is what users meet ("exec: \"nosuch\": executable file not found in $PATH").
   *ret_started_us: what sandbox_states will say, too; NULL: not asked for. */
enum fault container_start(struct op *op, const char *sandbox, const struct container_spec *spec,
                           int64_t *ret_started_us);
/* NOT_FOUND: it does not run. */
enum fault container_signal(struct op *op, const char *sandbox, const char *name, int signal);
/* Kill it if it runs, forget its state and its writable layer; logs stay. */
enum fault container_remove(struct op *op, const char *sandbox, const char *name);

struct container_stats {
    int64_t memory_bytes, cpu_us, pids;
    int64_t working_set_bytes; /* memory without file pages that nobody has touched lately */
};
/* name NULL: all of the sandbox. */
enum fault container_stats(struct op *op, const char *sandbox, const char *name,
                           struct container_stats *ret);

struct exec_spec {
    const char *const *args, *const *env; /* env: over the container's */
    const char *user, *cwd;               /* NULL: the container's */
    bool terminal;
    int rows, cols; /* terminal; 0: 24 × 80 */
};
struct exec {
    int in, out, err; /* the caller's. terminal: in is the terminal, both ways, the others -1;
                         resize it by TIOCSWINSZ */
    int done;         /* readable at its end: one struct exec_end */
};
struct exec_end {
    int exit_code;
};
/* Closing done's descriptor kills what still runs. NOT_FOUND: the container does not run. INVALID:
   the program cannot be run. */
enum fault container_exec(struct op *op, const char *sandbox, const char *name,
                          const struct exec_spec *spec, struct exec *ret);
/* The writing end of its stdin, or its terminal. INVALID: it has none. The caller's. */
enum fault container_stdin(struct op *op, const char *sandbox, const char *name, int *ret_fd);

#endif
