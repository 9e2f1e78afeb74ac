/*
 * Scope maps: named lists of rights on repositories, which repository tokens are given
 * (facts §2.3). The system's maps are in every registry and cannot be changed. A change holds for
 * all tokens of the map on the next request.
 */
#ifndef SUNDOG_REGISTRY_SCOPE_MAP_H
#define SUNDOG_REGISTRY_SCOPE_MAP_H

#include "registry/registry.h"

#define SCOPE_MAP_ACTIONS_MAX 500

struct scope_map {
    const char *name;        /* ^[a-zA-Z0-9-_]{5,50}$; the system's begin with "_" */
    const char *description; /* ≤ 256 bytes; NULL: none */
    bool is_system;
    /* "repositories/team/app/content/read", "repositories/team/…wildcard…/metadata/read",
       "gateway/NAME/config/read" (kept, without effect) */
    const char *const *actions;
    size_t n_actions;
    const char *created; /* the system's: the registry's */
};

/* In the caller's transaction; scope_map_changed after the commit. */

/* Make or replace. INVALID on "name", "actions", "description"; FORBIDDEN: the system's; CONFLICT
   on "quota". */
enum fault scope_map_put(struct op *op, const struct registry *registry,
                         const struct scope_map *wanted, bool *ret_created);
enum fault scope_map_get(struct op *op, const struct registry *registry, const char *name,
                         struct scope_map *ret);
/* After last in the order of names; at most max; the system's come first. */
enum fault scope_map_list(struct op *op, const struct registry *registry, const char *last,
                          int64_t max, struct scope_map **ret, size_t *ret_n);
/* NOT_FOUND; FORBIDDEN: the system's; CONFLICT: a token has it. */
enum fault scope_map_delete(struct op *op, const struct registry *registry, const char *name);
/* After the commit of a change of maps or tokens: forget what memory holds of this registry's. */
void scope_map_changed(int64_t registry_id);

/* Is it an action we know? */
bool scope_map_action_is_valid(const char *action);
/* The SCOPE_… bits these actions give on a repository; NULL: SCOPE_CATALOG when any lists. */
unsigned scope_map_rights(const char *const *actions, size_t n, const char *repository);

void scope_map_store_start(void);

#endif
