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

/* Filters that a runtime has made of profiles, kept in a folder of root's by name: the profile's
   hash. */
const char *seccomp_filter_name(struct op *op, const char *profile);
enum fault seccomp_filter_read(struct op *op, int folder, const char *name, struct bytes *ret);
enum fault seccomp_filter_keep(struct op *op, int folder, const char *name, const char *made);
const char *seccomp_filter_text(struct op *op, struct bytes filter); /* base64 */

#endif
