/*
 * The helper: a small process forked before any thread. It alone may hold root; it starts and
 * watches programs for us by typed requests over a socketpair, never by a shell: the embedded
 * PostgreSQL (as user postgres when we are root), and what services ask for by their helper_calls,
 * each in a fork of its own.
 */
#ifndef SUNDOG_CORE_HELPER_H
#define SUNDOG_CORE_HELPER_H

#include "core/message.h"
#include "core/settings.h"

/* ---- calls of services ---- */

/* One call, in a process of its own: whatever it leaks or breaks ends with it. */
struct helper_job {
    const struct settings *settings;
    uid_t uid; /* whom the server became */
    gid_t gid;
    const struct message *in; /* what it was asked; its descriptors are closed after the call */
    json_t *out;              /* the answer; NULL: an empty object */
    int fds[MESSAGE_FDS_MAX]; /* sent with it, then closed */
    size_t n_fds;
    /* After the answer this process goes on as something else (a supervisor), in a session of its
       own, and ends when stay returns. NULL: it ends now. */
    void (*stay)(void *arg);
    void *stay_arg;
};
struct helper_call {
    const char *name; /* "sandbox.create" */
    enum fault (*run)(struct op *op, struct helper_job *job);
};
/* Before helper_start; calls is constant and ends with name NULL. */
void helper_register(const struct helper_call *calls);
/*
 * Run a call. body may be NULL. ret (may be NULL) gets the answer's body and descriptors, the
 * caller's to close. From any thread; many at once. UNAVAILABLE: the helper, or that process, died.
 */
enum fault helper_call(struct op *op, const char *name, json_t *body, const int *fds, size_t n_fds,
                       struct message *ret);
/* What the helper, or without one this process, lacks to make containers (DESIGN §2): a sentence
   that says how to mend it, or NULL. */
const char *helper_lacks(void);
bool helper_is_root(void); /* there is a helper, and it lacks nothing */

/* Make the folders of DIR, fork the helper (before threads). When we are root the caller then calls
 * helper_drop_privileges. */
enum fault helper_start(struct op *op, const struct settings *settings);
/* Become settings->user for good: uid, gid, groups, no capabilities, no new privileges. */
enum fault helper_drop_privileges(struct op *op, const struct settings *settings);
/*
 * Start the embedded PostgreSQL under DIR/postgres (initdb when new), or adopt one that is alive
 * there. Returns when it accepts connections; *ret_conninfo for db_configure. From then on the
 * helper starts it again, with back-off, whenever it dies.
 */
enum fault helper_postgres_start(struct op *op, const char **ret_conninfo);
/* DIR/admin.json becomes the person's who called sudo (SUDO_UID); without sudo nothing happens. */
enum fault helper_hand_over_admin(struct op *op);
/* For core/restart.h: the helper goes from this process to the one it becomes. */
int helper_give(pid_t *ret_pid);
void helper_take(int fd, pid_t pid, const char *what_it_lacks, const struct settings *settings);
/* Fast shutdown (SIGINT), waits. Then the helper ends. Without helper_stop a dying sundog leaves
   PostgreSQL running, to be adopted by the next. */
void helper_stop(void);

#endif
