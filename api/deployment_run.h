/* A deployment while it runs: what deployment_run.c and deployment_end.c share. */
#ifndef SUNDOG_API_DEPLOYMENT_RUN_H
#define SUNDOG_API_DEPLOYMENT_RUN_H

#include "api/deployment.h"

struct deployment_run {
    struct deployment d;
    struct deployment_step *steps;
    size_t n_steps;
    /* after deployment_run_plan */
    const struct identity *who;
    struct deployment_context context;
    const char **states; /* of the plan's nodes */
    struct deployment_asker asker;
};
/* The rows. *ret_running false: it is over. */
enum fault deployment_run_load(struct op *op, const char *uid, struct deployment_run *ret,
                               bool *ret_running);
/* The plan, and as whom it is made. */
enum fault deployment_run_plan(struct op *op, struct deployment_run *run);

/* Begin what can begin; when all has ended, end it. */
enum fault deployment_coordinate(struct op *op, const char *uid);
void deployment_step_wake(const char *uid, int64_t number);

#endif
