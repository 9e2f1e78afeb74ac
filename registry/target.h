/*
 * Which registry and repository does a request mean (DESIGN §3)? By name, the host says the
 * registry: sundog.azurecr.localhost:8443/v2/team/app. By path, the first component does:
 * localhost:8480/v2/sundog/team/app; then every name we answer keeps that form.
 */
#ifndef SUNDOG_REGISTRY_TARGET_H
#define SUNDOG_REGISTRY_TARGET_H

#include "registry/names.h"
#include "registry/registry.h"

struct target {
    bool by_name;
    const char *registry_name;       /* NULL: by path, and the path names none */
    const struct registry *registry; /* NULL: there is no such registry */
    const char *repository;          /* within it, always valid; NULL: none is named */
    const char *full_name;           /* as the client writes it: "sundog/team/app" by path */
};

/* The registry a host names ("Sundog.azurecr.io:443" → "Sundog"), or NULL: an ordinary host. */
const char *host_registry(struct arena *arena, const char *host);
bool registry_owns_host(const char *host);

/*
 * Split name (a path's {name+}, or one of a scope) as host says. name NULL: only the host counts.
 * INVALID on "name" for what is no repository's name.
 */
enum fault target_find(struct op *op, const char *host, const char *name, struct target *ret);
/* The same without looking for the registry. */
enum fault target_split(struct op *op, const char *host, const char *name, struct target *ret);
/* "sundog.azurecr.localhost": how answers name a registry. */
const char *login_server(struct op *op, const struct call *c, const struct target *target);

#endif
