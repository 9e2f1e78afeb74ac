/* Commands of main.c: one asks a running Sundog of this machine, one reads a file. */
#ifndef SUNDOG_API_COMMANDS_H
#define SUNDOG_API_COMMANDS_H

#include "core/settings.h"

#define TRACE_PATH     "/providers/Sundog.Diagnostics/trace"
#define SNAPSHOTS_PATH "/providers/Sundog.Snapshots/snapshots"
#define RESET_PATH     "/providers/Sundog.Snapshots/reset"

/* Each returns the exit status. */
int trace_run(struct settings *settings); /* until interrupted */
int new_run(struct settings *settings);   /* a job (api/job.h), or with --list all */
int delete_run(struct settings *settings);
int snapshot_run(struct settings *settings); /* core/saved.h */
int reset_run(struct settings *settings);
int compose_run(struct settings *settings); /* 0; 2: not read; 3: something was left out */

#endif
