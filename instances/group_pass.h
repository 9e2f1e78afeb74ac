/* One pass of the reconciler over one group: what was read, what is to be written. */
#ifndef SUNDOG_INSTANCES_GROUP_PASS_H
#define SUNDOG_INSTANCES_GROUP_PASS_H

#include "core/reconcile.h"
#include "instances/group_run.h"

struct pass_event {
    struct pass_event *next;
    const char *container, *name, *message;
    bool warning;
};
struct group_pass {
    struct container_group g;   /* changed by steps, saved at the end of the pass */
    struct container_group was; /* as read */
    const char *sandbox;        /* of g.observed */
    bool alive;                 /* it has a supervisor */
    struct container_state *states;
    size_t n_states;
    struct group_spec spec;      /* wanted running, or being ended */
    const char *identity_header; /* or NULL */
    struct pass_event *events, **events_tail;
    bool reset, over; /* reset: containers' rows begin anew; over: the row is gone */
    int64_t again_ms;
};

void pass_event(struct op *op, struct group_pass *p, const char *container, bool warning,
                const char *name, const char *fmt, ...) PRINTF_LIKE(6, 7);
/* Come back after that time, or sooner when another step asks for it. */
void pass_again(struct group_pass *p, int64_t ms);
/* Provisioning has failed for good. */
void pass_fail(struct op *op, struct group_pass *p, const char *code, const char *message);
const struct container_state *pass_state(const struct group_pass *p, const char *name);
/* "7/name": what image.h calls back with. */
const char *pass_wake(struct op *op, const struct group_pass *p, const char *container);

/* The whole life of a group: the first step that fits is done (group_steps.c). */
enum fault group_step(struct op *op, struct group_pass *p);
/* The row goes, and what others keep about it. */
enum fault group_remove(struct op *op, const struct container_group *g);
/* Its containers are started, watched, started again (group_containers.c). */
enum fault group_drive(struct op *op, struct group_pass *p);
/* From rows to what ended: also for a group that is being ended. */
void group_absorb(struct op *op, struct group_pass *p);
/* group_image.c: *ret_all: each container has its image. */
enum fault group_images(struct op *op, struct group_pass *p, bool *ret_all);
/* False: layers that were there are not any more (a power failure took them); the rows of their
   containers ask for their images again. */
bool group_layers_check(struct op *op, struct group_pass *p);
enum fault group_container_spec(struct op *op, const struct group_pass *p, size_t i,
                                struct container_spec *ret);
/* The signal an image asks for to end its containers; SIGTERM. */
int group_stop_signal(struct op *op, const struct container_row *row);
/* group_volume.c: before and after the sandbox is there. *ret_all: nothing is under way. */
enum fault group_volumes_check(struct op *op, struct group_pass *p, bool *ret_good);
enum fault group_clone(struct op *op, struct group_pass *p, bool *ret_all);
/* Does a running container have a handler for that signal, or wait for it? */
bool container_hears(struct op *op, const struct container_group *g, const char *name, int sig);
/* Its names, as far as its containers are ready. */
void group_names(struct op *op, const struct container_group *g);
void group_count_start(int64_t us);
void group_count_restart(void);
void group_count_start_failure(void);
extern const struct container_group_listener *group_listener;

#endif
