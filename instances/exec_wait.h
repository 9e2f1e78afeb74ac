/* Running a program in a container and waiting for its end: probes and hooks. */
#ifndef SUNDOG_INSTANCES_EXEC_WAIT_H
#define SUNDOG_INSTANCES_EXEC_WAIT_H

#include "instances/sandbox.h"

struct exec_result {
    bool ended; /* false: its time was over, or op was cancelled; it was killed */
    int exit_code;
    const char *said; /* the first half KiB of what it printed, in op's arena */
};
/* args: NULL-terminated. Faults as container_exec's. */
enum fault exec_wait(struct op *op, const char *sandbox, const char *container,
                     const char *const *args, int64_t timeout_ms, struct exec_result *ret);

#endif
