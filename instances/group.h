/*
 * Container groups: containers that share a network and volumes and are started, watched and
 * started again together. A request writes what is wanted; the owner, the `serve` on whose machine
 * the group lives, makes it true (group_reconcile.c).
 *
 *~ Start with group_steps.c: the life of a group as a table.
 */
#ifndef SUNDOG_INSTANCES_GROUP_H
#define SUNDOG_INSTANCES_GROUP_H

#include <jansson.h>

#include "core/call.h"
#include "core/settings.h"

enum group_wanted { GROUP_WANT_RUNNING, GROUP_WANT_STOPPED, GROUP_WANT_DELETED };
enum group_provisioning {
    PROVISIONING_PENDING,
    PROVISIONING_CREATING,
    PROVISIONING_SUCCEEDED,
    PROVISIONING_FAILED
};
enum group_state { GROUP_PENDING, GROUP_RUNNING, GROUP_SUCCEEDED, GROUP_FAILED, GROUP_STOPPED };
extern const char *const group_provisioning_words[], *const group_state_words[];

enum container_show { SHOW_WAITING, SHOW_RUNNING, SHOW_TERMINATED };
extern const char *const container_show_words[];

/* One container as its row says. */
struct container_row {
    int64_t position;
    const char *name;
    bool init;
    const char *image; /* JSON (group_image.c), or NULL: not known yet */
    int64_t starts, restarts, failures;
    enum container_show state;
    const char *detail; /* "Completed", "CrashLoopBackOff"; "" */
    int64_t exit_code;  /* TERMINATED */
    int64_t started_us, finished_us, next_start_us;
    const char *previous; /* JSON: the state before; or NULL */
    bool ready;
    const char *last_log; /* of a stopped group's last run; or NULL */
};

struct container_group {
    int64_t id;
    const char *key, *scope, *subscription, *location, *name;
    const char *document; /* JSON {"properties", "zones"}: normalised, no secrets */
    struct bytes sealed;
    const char *host; /* its owner */
    enum group_wanted wanted;
    int64_t generation, observed;
    enum group_provisioning provisioning;
    enum group_state state;
    const char *fault_code, *fault_text; /* of a failed provisioning */
    int64_t begun_us, stopping_us, cloned;
    int64_t public_index, private_index; /* network.h; -1: none */
    const char *label, *principal;       /* or NULL */
    int64_t version;
    struct container_row *containers; /* init containers first */
    size_t n_containers;
};

/* ---- rows; all are part of the open transaction ---- */

/* What a PUT asks for. */
struct container_group_wish {
    const char *key, *scope, *subscription, *location, *name;
    const char *document; /* as above */
    const char *full;     /* the same with secrets */
    bool has_public;
    const char *label, *principal;
    int64_t cpu_millis; /* of all its containers */
};
/* What a write led to: the group, the generation to wait for, and whether that is a new one (else
   nothing has changed that matters to what runs). */
struct container_group_written {
    int64_t id, generation;
    bool begins;
};
/*
 * Make or replace. CONFLICT on "ContainerGroupTransitioning": it is being deleted; on "label": the
 * DNS label is another group's; UNAVAILABLE: no address is free. After the commit:
 * container_group_wake.
 */
enum fault container_group_put(struct op *op, const struct container_group_wish *wish,
                               struct container_group_written *ret);
/* With its containers. NOT_FOUND. */
enum fault container_group_get(struct op *op, const char *key, struct container_group *ret);
enum fault container_group_by_id(struct op *op, int64_t id, struct container_group *ret);
/* Those of these keys that there are, without containers; sorted by key. */
enum fault container_group_list(struct op *op, const char *const *keys, size_t n_keys,
                                struct container_group **ret, size_t *ret_n);
/* The document with its secrets. */
enum fault container_group_unseal(struct op *op, const struct container_group *g, json_t **ret);
/* again: also a group that runs is stopped and started, with its images asked for anew.
   CONFLICT on "ContainerGroupTransitioning". */
enum fault container_group_want(struct op *op, const struct container_group *g,
                                enum group_wanted wanted, bool again,
                                struct container_group_written *ret);
/* All at or below that key are to be deleted. */
enum fault container_group_want_deleted_below(struct op *op, const char *key);
enum fault container_group_rekey(struct op *op, const char *key, const char *new_scope,
                                 const char *new_key, const char *subscription);
/* A subscription's groups, and the thousandths of cores they ask for. */
enum fault container_group_usage(struct op *op, const char *subscription, int64_t *ret_groups,
                                 int64_t *ret_cpu_millis);
/* Is it this `serve` whose machine it lives on? */
bool container_group_is_ours(const struct container_group *g);
/* Diff ids of all layers that groups of this host use (layer_collect). NULL ends. */
enum fault container_group_layers(struct op *op, const char *const **ret);

/* ---- what the owner makes of it ---- */

void container_group_wake(int64_t id);
/* The sandbox of its present containers: "g7-1". */
const char *container_group_sandbox(struct op *op, const struct container_group *g);
/* "label.eastus.azurecontainer.localhost", or NULL. */
const char *container_group_fqdn(struct op *op, const struct container_group *g);
/* Its address as shown: of the public range, or else the private one. */
const char *container_group_address(struct op *op, const struct container_group *g);

/* Whoever keeps more about a group than its row (the resource manager). No row is deleted before
   there is one. */
struct container_group_listener {
    /* It is gone; within the transaction that deletes its row … */
    enum fault (*removed)(struct op *op, const struct container_group *g);
    void (*after_removal)(struct op *op, const struct container_group *g); /* … and after it */
    void (*changed)(const char *key); /* something shown has changed; key NULL: anything */
};
void container_group_listen(const struct container_group_listener *listener);

/* The printed output of a container: of a run that goes on or the last one. NOT_FOUND on
   "container"; UNAVAILABLE: another `serve` has it. tail -1: up to 4 MB. */
enum fault container_group_log(struct op *op, const struct container_group *g,
                               const char *container, int64_t tail, bool timestamps,
                               struct bytes *ret);

/* Why none can run on this machine: UNSUPPORTED; or OK. */
enum fault container_groups_supported(struct op *op);
void container_groups_refuse(const char *why);
enum fault container_groups_start(struct op *op, const struct settings *settings);
void container_groups_stop(void);
void container_groups_metrics(struct op *op, struct text *out);

#endif
