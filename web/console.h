/* The console as a service: its routes, how its faults look, and how it starts. */
#ifndef SUNDOG_WEB_CONSOLE_H
#define SUNDOG_WEB_CONSOLE_H

#include "core/call.h"

extern const struct service console_service;

struct settings;
/* `sundog console`: prints a link that signs in once, within 5 minutes, as the first user. */
int console_run(struct settings *settings);

#endif
