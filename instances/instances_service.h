/* What main.c lists of this folder. */
#ifndef SUNDOG_INSTANCES_SERVICE_H
#define SUNDOG_INSTANCES_SERVICE_H

#include "core/call.h"

extern const struct service instances_service;

#endif
