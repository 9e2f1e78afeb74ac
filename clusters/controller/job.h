/* A pass over one Job: what its files share. */
#ifndef SUNDOG_CLUSTERS_CONTROLLER_JOB_H
#define SUNDOG_CLUSTERS_CONTROLLER_JOB_H

#include "clusters/controller/workload.h"

struct job_pass {
    struct op *op;
    struct cluster *cluster;
    struct object *job;
    const json_t *tree;
    struct owned pods;
    int64_t parallelism, completions; /* completions -1: none given */
    bool indexed, suspended;
    bool only_failed; /* podReplacementPolicy Failed */
    /* what has come of it so far, uncounted pods included */
    int64_t succeeded, failed, active, ready, terminating;
    bool *done;          /* by index */
    int64_t index_limit; /* backoffLimitPerIndex; -1: none */
    bool *lost;          /* by index: failed for good */
    int64_t n_lost;
    const char *policy_says; /* why podFailurePolicy ends the job; NULL: it does not */
    json_t *conditions;
    const char *start_time, *completion_time;
    int64_t revision, again_s;
};

/* ---- indexes: "1,3-5,7" ---- */
#define JOB_INDEX "batch.kubernetes.io/job-completion-index"
int64_t job_index_of(const json_t *pod); /* -1: none */
void job_indexes_read(const char *text, bool *marks, int64_t n);
const char *job_indexes_write(struct op *op, const bool *marks, int64_t n);

/* ---- job_policy.c ---- */

/* What a failed pod means by spec.podFailurePolicy; FailJob is noted in policy_says. */
enum job_failure { FAILURE_COUNTS, FAILURE_IGNORED, FAILURE_ENDS_INDEX };
enum job_failure job_failure_of(struct job_pass *p, struct object *pod);
/* How often the index has failed, by its pods (backoffLimitPerIndex). */
int64_t job_index_failures(struct job_pass *p, int64_t index);
#define JOB_INDEX_FAILURES "batch.kubernetes.io/job-index-failure-count"
/* The first rule of spec.successPolicy that is met; -1: none. */
int64_t job_success_rule(const struct job_pass *p);

#endif
