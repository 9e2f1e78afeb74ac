/*
 * Resource ids: "/subscriptions/S/resourceGroups/G/providers/NS/type/name/subtype/name". Compared
 * without case, by whole segments; written as they were when the thing was made.
 */
#ifndef SUNDOG_API_ID_H
#define SUNDOG_API_ID_H

#include "core/op.h"

#define ID_MAX_BYTES 2048

struct resource_id {
    const char *path;         /* the id as written, single slashes, none at its end; "/" = tenant */
    const char *key;          /* path in lower case: the identity */
    const char *subscription; /* lower case; NULL: none */
    const char *group;        /* as written; NULL: none */
    const char *provider;     /* "Microsoft.ContainerRegistry"; NULL: none */
    const char *type;         /* "registries/webhooks"; NULL: none */
    const char *full_type;    /* "Microsoft.ContainerRegistry/registries/webhooks"; NULL: none */
    const char *name;         /* the last name; of a group or subscription its own */
    const char *names;        /* all of them: "myregistry/hook1" */
    const char *parent; /* what an extension (…/providers/NS2/…) or child hangs on: path */
    const char *scope;  /* what stands before the last "/providers/"; without one path itself */
    const char *rest;   /* unpaired last segment of the path given: collection or action */
};

/*
 * Parse a path. An unpaired last segment ("…/registries", "…/listCredentials") goes to rest and is
 * not part of the id. INVALID: not of that shape, or longer than ID_MAX_BYTES.
 */
enum fault resource_id_parse(struct op *op, const char *path, struct resource_id *ret);
/* Is inner the same as outer, or below it? Both are keys (lower case); "/" holds everything. */
bool id_is_within(const char *inner, const char *outer);
/* ASCII lower case, in op's arena. */
const char *id_lower(struct op *op, const char *text);

#endif
