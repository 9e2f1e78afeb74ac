/* One service of a compose file as a container: what api/compose.c puts together. */
#ifndef SUNDOG_API_COMPOSE_CONTAINER_H
#define SUNDOG_API_COMPOSE_CONTAINER_H

#include "api/compose.h"

/* Has it an image, and a name that a container can have? */
bool compose_is_container(struct op *op, const char *key, const json_t *service);
/* Append it; without an image it is left out. INVALID. */
enum fault compose_container(struct compose *c, const char *key, const json_t *service,
                             json_t *containers);

#endif
