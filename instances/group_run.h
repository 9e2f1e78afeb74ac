/* What the files of container groups share: rows as the owner writes them, the interpreted
   document, events. */
#ifndef SUNDOG_INSTANCES_GROUP_RUN_H
#define SUNDOG_INSTANCES_GROUP_RUN_H

#include "instances/group.h"
#include "instances/image.h"
#include "instances/sandbox.h"

#define GROUP_CONTAINERS_MAX 64
#define GROUP_PIDS_MAX       4096 /* of one container */

/* ---- the document, interpreted (group_spec.c) ---- */

enum restart_policy { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };

struct group_probe {
    const char *const *command;   /* exec; or NULL */
    const char *path, *scheme;    /* httpGet */
    const struct header *headers; /* of it */
    size_t n_headers;
    int64_t port;
    int64_t initial_s, period_s, timeout_s, failures, successes;
};

struct group_container {
    const char *name, *image;
    bool init;
    const char *const *command;       /* NULL: the image's */
    const char *const *env;           /* "NAME=value", NULL ends */
    int64_t cpu_millis, memory_bytes; /* limits; 0: the group's */
    struct mount_spec *mounts;
    size_t n_mounts;
    struct group_probe *liveness, *readiness; /* or NULL */
    bool privileged, no_new_privileges;
    const char *const *cap_add, *const *cap_drop;
    int64_t run_as_user, run_as_group; /* -1: not given */
    const char *seccomp;               /* JSON; or NULL */
};

struct group_volume {
    struct volume_spec spec;
    const char *key;                               /* azureFile */
    const char *repository, *revision, *directory; /* gitRepo */
    bool read_only;
};

struct group_spec {
    enum restart_policy restart;
    struct group_container *containers; /* init containers first; as the rows */
    size_t n_containers;
    struct group_volume *volumes;
    size_t n_volumes;
    struct image_credential *credentials;
    size_t n_credentials;
    struct sandbox_port *ports;
    size_t n_ports;
    const char *const *nameservers, *const *searches, *const *options; /* NULL: ours */
    int64_t cpu_millis, memory_bytes;                                  /* of all */
};
/* document: with secrets, as container_group_unseal gives it. It was checked before it was kept;
   INTERNAL where it was not. All in op's arena. */
enum fault group_spec_read(struct op *op, json_t *document, struct group_spec *ret);

/* ---- the owner's writes (group_store.c) ---- */

#define GROUP_CHANNEL "instances-group"
void group_store_open(const char *host);
enum fault group_host_seen(struct op *op);
/* Has its owner not been there for a minute? */
enum fault group_host_is_gone(struct op *op, const struct container_group *g, bool *ret_gone);
/* state, provisioning, observed, fault, times, cloned. */
/* set_ready false: ready stays what a probe may have made it meanwhile. */
enum fault group_row_save(struct op *op, const struct container_group *g);
enum fault container_row_save(struct op *op, const struct container_group *g,
                              const struct container_row *row, bool set_ready);
/* All containers as at the begin of a generation. */
enum fault container_rows_reset(struct op *op, const struct container_group *g);
enum fault group_row_delete(struct op *op, const struct container_group *g);
/* What went with its machine: it is started as a new generation. */
enum fault group_row_again(struct op *op, const struct container_group *g);
/* Of the run that is the starts'th; *ret_changed: it was otherwise. */
enum fault container_set_ready(struct op *op, int64_t group_id, const char *name, int64_t starts,
                               bool ready, bool *ret_changed);
enum fault group_counts(struct op *op, int64_t by_state[GROUP_STOPPED + 1], int64_t *ret_running);
/* Ids of this host's groups. */
enum fault group_ids(struct op *op, int64_t **ret, size_t *ret_n);
/* NOT_FOUND: no group of this host has that address. By index of the private range. */
enum fault group_by_private_index(struct op *op, int64_t index, const char **ret_principal);
/* The key an account's shares are mounted with: FORBIDDEN when it is another than at first. */
enum fault storage_account_check(struct op *op, const char *account, const char *key);

/* ---- who waits for a group (group_wait.c) ---- */

void group_waiters_look(const struct container_group *g); /* g as committed */
void group_waiters_gone(int64_t id);
void group_waiters_stop(void);

/* ---- in the reconciler ---- */

void container_group_wake_after(int64_t id, int64_t delay_ms);

/* When is a container that ended started again? -1: not at all. failures is that of the row, and
   changed as the back-off goes on. */
int64_t group_restart_delay_s(enum restart_policy policy, bool init, int64_t exit_code,
                              int64_t ran_us, int64_t *failures);
/* The group's state by its containers'. */
enum group_state group_state_of(const struct container_group *g, enum restart_policy policy);
/* {"state","startTime",…} as the API shows it; in op's arena. */
json_t *container_state_json(struct op *op, enum container_show state, const char *detail,
                             int64_t exit_code, int64_t started_us, int64_t finished_us);
/* "2026-11-21T12:00:00.123Z" */
const char *iso_time(struct op *op, int64_t us);

#endif
