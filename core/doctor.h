/*
 * `sundog doctor`: what this machine lacks for each thing Sundog does, and how to mend it. It
 * changes nothing. Exit status 1 when something that `serve` needs is lacking.
 */
#ifndef SUNDOG_CORE_DOCTOR_H
#define SUNDOG_CORE_DOCTOR_H

#include "core/call.h"
#include "core/settings.h"

/* services ends with NULL. */
int doctor_run(struct settings *settings, const struct service *const *services);

#endif
