/* What controllers of pods share: whose pods they are, how they fare, making and ranking them. */
#ifndef SUNDOG_CLUSTERS_CONTROLLER_WORKLOAD_H
#define SUNDOG_CLUSTERS_CONTROLLER_WORKLOAD_H

#include "clusters/controller/controller.h"

/* ---- pods ---- */

/* Ready for at least that long; *ret_wait_s (may be NULL): how long until it is, 0 when it is not
   ready at all. */
bool pod_is_available(const json_t *pod, int64_t min_ready_s, int64_t *ret_wait_s);
/* Neither ended nor being deleted. */
bool pod_is_active(const json_t *pod);
bool pod_has_ended(const json_t *pod); /* Succeeded or Failed */
/*
 * Set a condition in a list (status.conditions as it will be): lastTransitionTime moves only when
 * status differs. Texts may be NULL.
 */
void condition_set(struct op *op, json_t *conditions, const char *type, const char *status,
                   const char *reason, const char *message);

/* ---- ownership ---- */

struct owned {
    struct object **list; /* held by op's arena */
    size_t n;
};
/*
 * Objects of r in the owner's namespace that it controls. Those that the selector chooses and
 * nobody controls are adopted; those it controls and the selector does not choose are let go.
 * selector NULL: no adoption. Needs store_wait afterwards (*revision is moved on).
 */
enum fault owned_by(struct op *op, struct cluster *cluster, const struct actor *actor,
                    struct object *owner, const struct resource *owner_resource,
                    const struct resource *r, const struct selector *selector, int64_t *revision,
                    struct owned *ret);

/* ---- making ---- */

/* A pod from a template (spec.template), owned by owner: not created yet. name NULL: generateName
   "<owner>-". */
json_t *pod_of_template(struct op *op, struct object *owner, const struct resource *owner_resource,
                        const json_t *template, const char *name);
/* Eight or so characters that say which template it is (pod-template-hash); collisions: a count
   mixed in. */
const char *template_hash(struct op *op, const json_t *template, int64_t collisions);
/* The order in which surplus pods go: those that are missed least first. */
void rank_for_deletion(struct op *op, struct object **pods, size_t n);
/* "25%" or 3 of total. */
int64_t scaled_value(const json_t *int_or_percent, int64_t total, bool round_up, int64_t fallback);

/* The end of a pass: wait for what it wrote, also when it ended with a fault (else the next pass
   would not see it and do it twice). Answers the fault, or that of waiting. */
enum fault settled(struct op *op, struct cluster *cluster, int64_t revision, enum fault fault);

/* Move a revision to wait for on. */
static inline void moved(int64_t *revision, const struct rest *r)
{
    if (r->revision > *revision)
        *revision = r->revision;
}

#endif
