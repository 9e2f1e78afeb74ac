/* Sandboxes: what sandbox.c asks of sandbox_calls.c, which runs as root in forks of the helper. */
#ifndef SUNDOG_INSTANCES_SANDBOX_CALLS_H
#define SUNDOG_INSTANCES_SANDBOX_CALLS_H

#include "core/helper.h"

/*
 * sandbox.start {}          make RUN and DIR/sandboxes; UNSUPPORTED: what this machine lacks
 * sandbox.create {spec}     the process that answers stays, as its supervisor
 * sandbox.delete {id}
 * sandbox.clone {id, volume, repository, revision, directory}
 */
extern const struct helper_call sandbox_calls[];

/* The OCI runtime of this machine, as a path; NULL: it has none. */
const char *sandbox_runtime(void);
enum fault sandbox_clone_call(struct op *op, struct helper_job *job);

#endif
