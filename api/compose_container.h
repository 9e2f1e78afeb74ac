/* One service of a compose file as a container: what api/compose.c puts together. */
#ifndef SUNDOG_API_COMPOSE_CONTAINER_H
#define SUNDOG_API_COMPOSE_CONTAINER_H

#include "api/compose.h"

/* Append it; without an image it is left out. INVALID. */
enum fault compose_container(struct compose *c, const char *key, const json_t *service,
                             json_t *containers);

#endif
