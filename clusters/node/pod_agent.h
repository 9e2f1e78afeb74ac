/*
 * A pass over one pod: what the node agent's files share. What is wanted is the Pod object; what is
 * true is its sandbox; what is between (results of probes, back-off) is remembered per pod, and can
 * be lost: it is made anew from both.
 */
#ifndef SUNDOG_CLUSTERS_NODE_POD_AGENT_H
#define SUNDOG_CLUSTERS_NODE_POD_AGENT_H

#include "clusters/controller/workload.h"
#include "clusters/node/node_agent.h"
#include "instances/image.h"
#include "instances/sandbox_pod.h"

#define POD_UID_MAX 40

/* What is remembered of one container. */
struct container_memory {
    char name[CONTAINER_NAME_MAX + 1];
    json_t *image;                          /* resolved: group_image's shape; NULL: not yet */
    char image_name[512];                   /* it is of this name */
    char *waiting_reason, *waiting_message; /* ErrImagePull, CrashLoopBackOff, …; NULL */
    _Atomic int64_t restarts;               /* the attempt that runs, or ran last; -1: none yet */
    int64_t failures;                       /* in a row, for the back-off */
    int64_t next_start_ms;                  /* not before (monotonic); 0 */
    int64_t pull_failures, next_pull_ms;
    bool said_back_off, pre_stop_begun; /* of the present attempt */
    /* of the present attempt; probes and hooks write them by pod_memory_update while a pass reads
     */
    atomic_bool post_start_done, killing, pre_stop_done, started, ready;
    _Atomic int64_t killing_since_ms;
    bool has_readiness, has_startup, has_liveness;
    json_t *last_state; /* terminated: of the attempt before; NULL */
};

struct pod_memory {
    struct pod_memory *next;
    struct cluster *cluster; /* of node_agent_open */
    char uid[POD_UID_MAX], ns[64], name[256];
    char sandbox[SANDBOX_ID_MAX + 1];
    char address[16]; /* "": none yet */
    bool made;        /* the sandbox is there, as far as we know */
    bool said_mount;  /* FailedMount was said */
    bool initialized;
    int64_t stop_deadline_ms; /* 0: it is not being stopped */
    int64_t stop_since_ms;
    int64_t left_at_pass; /* of services, when no slice had the pod any more; -1: not yet */
    json_t *files;        /* what volumes hold, by name: to see changes */
    struct container_memory *containers;
    size_t n_containers;
};

struct pod_pass {
    struct op *op;
    struct cluster *cluster;
    struct object *object;
    const json_t *pod, *spec;
    const char *node;
    struct pod_memory *memory;
    struct container_state *states;
    size_t n_states;
    bool alive; /* the sandbox has a supervisor */
    int64_t again_ms;
};

extern const struct actor node_actor;

void pod_again(struct pod_pass *p, int64_t ms);
const struct container_state *pod_container_state(const struct pod_pass *p, const char *name);
struct container_memory *pod_container_memory(const struct pod_pass *p, const char *name);
void pod_event(struct pod_pass *p, const char *type, const char *reason, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void set_waiting(struct container_memory *m, const char *reason, const char *message);
bool is_sidecar(const json_t *container); /* an init container with restartPolicy Always */

/* ---- pod_memory.c ---- */
struct pod_memory *pod_memory_get(struct cluster *cluster, const struct object *pod);
struct pod_memory *pod_memory_find(struct cluster *cluster, const char *uid);
/* Those of a namespace's name whose uid is another: of pods that have gone. NULL: none. */
struct pod_memory *pod_memory_stale(struct cluster *cluster, const char *ns, const char *name,
                                    const char *uid);
/* Whose sandbox is it? false: nobody's that is remembered. */
bool pod_memory_of_sandbox(struct cluster *cluster, const char *sandbox, char *ns, size_t ns_size,
                           char *name, size_t name_size);
/* Which layers pods use: for image_add_in_use. */
const char *const *pod_layers(struct op *op);
void pod_memory_drop(struct pod_memory *memory);
void pod_memories_wake(struct cluster *cluster); /* a pass for each, also where its pod is gone */
/* image: taken over; NULL: none. pod_layers may look meanwhile. */
void pod_memory_set_image(struct container_memory *m, json_t *image);
void pod_memories_drop(struct cluster *cluster);
/* A free address of the node's range, now this pod's. UNAVAILABLE: all are taken. */
enum fault pod_address_take(struct op *op, struct pod_memory *memory, const char *pod_cidr);

/* Under the lock that memories are taken out under: fn on the container's, if the pod is there and
   it is that attempt. */
bool pod_memory_update(const struct cluster *cluster, const char *uid, const char *container,
                       int64_t attempt,
                       void (*fn)(struct pod_memory *memory, struct container_memory *c, void *arg),
                       void *arg);

/* ---- pod_volume.c ---- */
/* All volumes with their contents. WOULD_BLOCK: something they need is not there yet (the event is
   said). INVALID: they hold more than a sandbox can be told (as well). */
enum fault pod_volumes(struct pod_pass *p, struct volume_spec **ret, size_t *ret_n);
/* A new sandbox has them: noted, so that pod_volumes_refresh tells only what differs. */
void pod_volumes_told(struct pod_pass *p, const struct volume_spec *volumes, size_t n);
/* Bring config maps, secrets, tokens up to date in a running sandbox. */
enum fault pod_volumes_refresh(struct pod_pass *p);
/* Does the pod read this config map or secret? */
bool pod_uses(const json_t *pod, const char *kind, const char *name);

/* ---- pod_env.c ---- */
/* Of a container's environment and arguments together: execve(2) takes no more. */
#define POD_TEXTS_MAX ((size_t)2 << 20)
/* What it holds comes off *left. INVALID: a reference that cannot be resolved, or more than *left
   (CreateContainerConfigError). */
enum fault pod_env(struct pod_pass *p, const json_t *container, const char *const *image_env,
                   size_t *left, const char *const **ret);
/* "$(NAME)" in a text, by env; what has no value stays. NULL: it would be longer than max. */
const char *expand(struct op *op, const char *text, const char *const *env, size_t max);
/* Takes len and a NUL off *left; false: it does not fit. */
bool pod_text_fits(size_t *left, size_t len);
/* INVALID: that is too much for POD_TEXTS_MAX. */
enum fault pod_texts_too_long(struct op *op);
/* A fieldRef or resourceFieldRef as text; NULL: there is no such field. */
const char *pod_field(struct pod_pass *p, const char *path);
const char *pod_resource_field(struct pod_pass *p, const json_t *reference, const char *container);

/* ---- pod_spec.c ---- */
enum fault pod_sandbox_create(struct pod_pass *p);
enum fault pod_container_start(struct pod_pass *p, const json_t *container,
                               struct container_memory *m);

/* ---- pod_image.c ---- */
/* WOULD_BLOCK: it is coming, or waits for its next try. */
enum fault pod_image(struct pod_pass *p, const json_t *container, struct container_memory *m,
                     struct image *ret);
int pod_stop_signal(struct op *op, const struct container_memory *m);

/* ---- pod_probe.c ---- */
void pod_probes_start(void);
void pod_probes_stop(void);
/* Those of a cluster that closes (agent_is_closing) end soon, whatever they wait for. */
void pod_probes_cancel(const struct cluster *cluster);
void pod_probes_metrics(struct text *out);
/* Ask what a container that runs is to be asked: once for each attempt. */
void pod_probes_begin(struct pod_pass *p, const json_t *container,
                      const struct container_memory *m);
/* Run a hook ("postStart", "preStop") of a container by itself; its end is noted in the container's
   memory (…_done) and wakes the pod. A postStart that fails has the container killed. */
void pod_hook_begin(struct pod_pass *p, const struct container_memory *m, const char *hook);

/* ---- pod_status.c ---- */
/* What the agent says of the pod, onto what its status is by now: conditions and members of others
   stay. It is durable then; a pod that is gone is OK. */
enum fault pod_write_status(struct pod_pass *p);
/* The same by another change (as of rest_modify), which is given the pass. */
enum fault pod_change_status(struct pod_pass *p, enum fault (*change)(struct op *op, json_t *pod,
                                                                      void *pass, bool *ret_skip));
/* {"terminated": {…}} of a container that has ended; the caller's. */
json_t *pod_terminated(struct pod_pass *p, const json_t *container,
                       const struct container_state *s);

/* ---- pod_steps.c ---- */
enum fault pod_step(struct pod_pass *p);
/* End what is left of a pod that is no more. */
enum fault pod_forget(struct op *op, struct pod_memory *memory);

/* ---- pod_io.c ---- */
const char *pod_sandbox_id(struct op *op, const struct cluster *cluster, const struct object *pod);

/* ---- node_agent.c ---- */
/* While a step of ours uses it, node_agent_close waits. NULL: not open. */
struct cluster *agent_enter(const char *id);
void agent_leave(struct cluster *cluster);
bool agent_is_closing(struct cluster *cluster); /* who entered it and takes long leaves soon */
struct nodes;
struct nodes *agent_nodes(struct cluster *cluster);
void pod_wake(struct cluster *cluster, const char *ns, const char *name);
/* NULL: no node of ours, or there is no agent. */
const struct node_spec *node_of(struct cluster *cluster, const char *name);
bool agent_knows_nodes(struct cluster *cluster); /* after a start, not yet */

#endif
