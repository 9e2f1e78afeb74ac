/*
 * `sundog env`: lines that point az, the Azure SDKs, Terraform, docker, podman, skopeo, buildah,
 * kubectl, curl and Python at this Sundog, with configuration of their own under DIR/client (or
 * ~/.config/sundog when DIR is not ours to write), or on another machine (--files, --at). For eval,
 * in shells and in the steps of pipelines (--format).
 */
#ifndef SUNDOG_CORE_ENV_H
#define SUNDOG_CORE_ENV_H

#include "core/settings.h"

int env_run(struct settings *settings); /* the exit status */

#endif
