/*
 * `sundog env`: lines that point docker, podman, skopeo, buildah, curl and Python at this Sundog,
 * with configuration of their own under DIR/client (or ~/.config/sundog when DIR is not ours to
 * write).
 */
#ifndef SUNDOG_CORE_ENV_H
#define SUNDOG_CORE_ENV_H

#include "core/settings.h"

int env_run(struct settings *settings); /* the exit status */

#endif
