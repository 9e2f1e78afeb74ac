/*
 * `sundog env`: lines that point az, the Azure SDKs, Terraform, docker, podman, skopeo, buildah,
 * kubectl, curl and Python at this Sundog, with configuration of their own under DIR/client (or
 * ~/.config/sundog when DIR is not ours to write), or on another machine (--files, --at). For eval,
 * in shells and in the steps of pipelines (--format).
 */
#ifndef SUNDOG_CORE_ENV_H
#define SUNDOG_CORE_ENV_H

#include <jansson.h>

#include "core/settings.h"

int env_run(struct settings *settings); /* the exit status */

/*
 * The same lines for somebody else than the first principal, printed: who has the members of
 * admin.json (docs/operations.md), job is the last part of the folder of its clients' files and
 * SUNDOG_JOB. NOT_FOUND, INVALID, UNAVAILABLE as of local_read and what writes files.
 */
enum fault env_show_job(struct op *op, const struct settings *settings, json_t *who,
                        const char *job);
/* Could it, as far as can be said before there is a job? */
enum fault env_check_job(struct op *op, const struct settings *settings);
/* The clients' files of a job that is gone, where env_show_job wrote them on this machine. */
void env_forget_job(struct op *op, const struct settings *settings, const char *job);

#endif
