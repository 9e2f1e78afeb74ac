/* A deployment while it runs: what deployment_run.c and deployment_end.c share. */
#ifndef SUNDOG_API_DEPLOYMENT_RUN_H
#define SUNDOG_API_DEPLOYMENT_RUN_H

#include "api/deployment.h"

struct deployment_run {
    struct deployment d;
    struct deployment_step *steps;
    size_t n_steps;
    struct deployment_asker asker;     /* after deployment_run_who; its plan after _plan */
    struct deployment_context context; /* after deployment_run_plan */
    const char **states;               /* of the plan's nodes */
};
/* The rows. *ret_running false: it is over. */
enum fault deployment_run_load(struct op *op, const char *uid, struct deployment_run *ret,
                               bool *ret_running);
/* As whom it is made: enough to ask. On failure asker.who is NULL. */
enum fault deployment_run_who(struct op *op, struct deployment_run *run);
/* The plan; after deployment_run_who. */
enum fault deployment_run_plan(struct op *op, struct deployment_run *run);
/* Does it make a resource of the template, or delete one that is not in it? */
bool deployment_step_makes(const struct deployment_step *step);
/* What it makes; NULL: the plan has no such resource. */
const struct template_node *deployment_step_node(const struct deployment_run *run,
                                                 const struct deployment_step *step);

/* Begin what can begin; when all has ended, end it. */
enum fault deployment_coordinate(struct op *op, const char *uid);
/* At once; or, one that runs already, at its own time: it is only made sure that it has one. */
void deployment_step_wake(const char *uid, const struct deployment_step *step);

#endif
