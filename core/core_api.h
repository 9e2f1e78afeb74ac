/* The service that is there before all others: health, metrics, CA. Always first in main.c's list.
 */
#ifndef SUNDOG_CORE_CORE_API_H
#define SUNDOG_CORE_CORE_API_H

#include "core/call.h"

extern const struct service core_service;

#endif
