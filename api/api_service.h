/* The resource manager's own service (DESIGN §1), and the one that answers for what nobody has. */
#ifndef SUNDOG_API_API_SERVICE_H
#define SUNDOG_API_API_SERVICE_H

#include "core/call.h"

extern const struct service api_service;
extern const struct route api_routes[];

/* The last in main.c's list: everything else below /subscriptions and /providers. */
extern const struct service api_rest_service;

#endif
