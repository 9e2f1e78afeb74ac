/* The regions this Sundog knows: names only, all of them are this machine. */
#ifndef SUNDOG_API_LOCATION_H
#define SUNDOG_API_LOCATION_H

#include "core/op.h"

struct location {
    const char *name;    /* "eastus" */
    const char *display; /* "East US" */
    const char *geography, *longitude, *latitude, *physical, *paired;
};
extern const struct location locations[]; /* ends with name NULL */

/* By name or display name, in any case, blanks ignored. NULL: unknown. */
const struct location *location_find(const char *text);

#endif
