/*
 * The server: listeners, loops, pools, and the order in which everything starts and ends.
 */
#ifndef SUNDOG_CORE_SERVER_H
#define SUNDOG_CORE_SERVER_H

#include "core/call.h"
#include "core/settings.h"

extern const struct service *const *all_services; /* NULL-terminated; core's own comes first */
extern const struct settings *server_settings;

/* `sundog serve`: returns the exit status after SIGTERM or SIGINT. services ends with NULL. */
int server_run(struct settings *settings, const struct service *const *services);

/* Ends all services and starts the program anew in this process (core/restart.h), once what is
   asked now is answered. From any thread. */
void server_restart(void);

/*
 * What follows a registry's name in its login server, port included: ".azurecr.localhost:8443"
 * (the first TLS port; without TLS the plain one). Constant from before services start.
 */
const char *server_registry_suffix(void);

/* "127.0.0.1:8443", "[::1]:41233", …: where it really listens; NULL-terminated, in op's arena.
   Constant from before services start. */
const char *const *server_addresses(struct op *op);

/* true once requests may come and the database answers (GET /readyz). */
bool server_ready(void);
/* true once it was told to end: what would go on for long ends now. */
bool server_ending(void);

/* routes.c: which route is this? Sets service, route, path_args. NOT_FOUND, or INVALID with noun
   "method" when the path exists with other methods (then Allow is set). */
enum fault route_find(struct call *c);
/* All routes as Markdown, for `sundog routes` and docs/api. */
void routes_print(struct text *out, const struct service *const *services);

#endif
