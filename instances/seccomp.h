/*
 * Which system calls containers may make: ours unless a container says otherwise. Denied by
 * default, with EPERM; those that need a capability are allowed to who has it.
 */
#ifndef SUNDOG_INSTANCES_SECCOMP_H
#define SUNDOG_INSTANCES_SECCOMP_H

#include <jansson.h>

#include "core/op.h"

/* As OCI's linux.seccomp. capabilities: "CAP_SYS_ADMIN", …; NULL ends. The caller's to release. */
json_t *seccomp_default(const char *const *capabilities);
/* The members of a given profile that may be: no listeners, whose sockets root would connect to.
   INVALID: it is none. */
enum fault seccomp_given(struct op *op, const char *text, json_t **ret);

#endif
