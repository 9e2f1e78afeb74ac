/*
 * A command of this machine that asks the Sundog of a data folder, as its first service principal
 * or its first user, whose secrets stand in DIR/admin.json.
 */
#ifndef SUNDOG_AUTH_LOCAL_CLIENT_H
#define SUNDOG_AUTH_LOCAL_CLIENT_H

#include <jansson.h>

#include "core/fetch.h"
#include "core/local.h"
#include "core/settings.h"

struct local_client {
    struct local local;
    const char *base;          /* "http://localhost:8480" */
    const char *authorization; /* "Bearer …", for the resource manager */
};
enum local_who { LOCAL_APPLICATION, LOCAL_USER };
/* fetch_start was called. NOT_FOUND: nothing serves DIR; FORBIDDEN: admin.json is not ours to read;
   UNAVAILABLE: nobody answers. */
enum fault local_client_open(struct op *op, const char *data, enum local_who who,
                             struct local_client *ret);
/*
 * One call; body NULL: none. *ret is the answer's JSON, or NULL for an empty one; ret may be NULL.
 * A status from 300 on is a fault with the answer's own words.
 */
enum fault local_client_ask(struct op *op, const struct local_client *client, const char *method,
                            const char *path, const json_t *body, json_t **ret);

/* A command's whole run as the first service principal; its exit status, the reason on stderr. */
int local_client_run(const struct settings *settings,
                     enum fault (*command)(struct op *op, const struct settings *settings,
                                           const struct local_client *client));

#endif
