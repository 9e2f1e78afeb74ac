/* `sundog ready`: for HEALTHCHECK, systemd and scripts that wait. */
#ifndef SUNDOG_CORE_READY_H
#define SUNDOG_CORE_READY_H

#include "core/settings.h"

/* The exit status: 0 when GET /readyz of the Sundog that serves DATA is 200, within --wait. */
int ready_run(struct settings *settings);

#endif
