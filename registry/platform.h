/* Which of an index's images is for this machine. */
#ifndef SUNDOG_REGISTRY_PLATFORM_H
#define SUNDOG_REGISTRY_PLATFORM_H

#include "core/op.h"

#define PLATFORM_OS "linux"

/* "amd64", "arm64": as images name this machine. */
const char *platform_architecture(void);
/*
 * OCI image index v1.1: "platform": the entry for linux and this architecture, the plainest variant
 * first; attestations ("unknown/unknown") are none. An only entry that names no platform is taken.
 * UNSUPPORTED on "image": there is none; the message says which there are. INVALID: no index.
 */
enum fault platform_choose(struct op *op, const char *what, struct bytes index,
                           const char **ret_digest);
/* The message of an image that is not for this machine; what: "sundog.azurecr.io/app:1". */
enum fault platform_missing(struct op *op, const char *what, const char *have);

#endif
