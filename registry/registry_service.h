/*
 * The registry as main.c lists it.
 */
#ifndef SUNDOG_REGISTRY_REGISTRY_SERVICE_H
#define SUNDOG_REGISTRY_REGISTRY_SERVICE_H

#include "core/call.h"

extern const struct service registry_service;

#endif
