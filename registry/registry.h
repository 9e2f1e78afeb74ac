/*
 * Registries: who may pull without a name, whether the admin user is on, its passwords. There are
 * few of them and every request needs one, so all are kept in memory: an immutable snapshot that is
 * made anew when a row changes, here or by another `serve`.
 */
#ifndef SUNDOG_REGISTRY_REGISTRY_H
#define SUNDOG_REGISTRY_REGISTRY_H

#include "core/call.h"
#include "core/settings.h"

struct registry {
    int64_t id;
    const char *name; /* lower case */
    bool admin_enabled, anonymous_pull;
    const char *passwords[2]; /* of the admin user, whose name is the registry's; NULL: none */
    const char *created;      /* ISO 8601, 7 fractional digits */
    int64_t version;
};

/* The settings of this `serve`, for paths, leases and limits. Set by registry_service.start. */
extern const struct settings *registry_settings;
extern const struct route registry_routes[];

/* ---- from memory, never blocking; held until op's arena is freed ---- */

/* NULL: there is no registry of that name (in any case of letters). */
const struct registry *registry_find(struct op *op, const char *name);
const struct registry *registry_find_id(struct op *op, int64_t id);
/* All of them, sorted by name. */
const struct registry *registry_all(struct op *op, size_t *ret_n);

/* ---- the snapshot ---- */

/* Read all rows anew. UNAVAILABLE leaves the old snapshot, and registry_refresh tries again. */
enum fault registry_reload(struct op *op);
/* Reload when a change was heard of and that reload failed; for a thread that comes by often. */
void registry_refresh(struct op *op);
void registry_listen(void); /* before hub_start */
void registry_stop(void);

/* ---- rows (registry_store.c); each needs op->db ---- */

enum fault registry_store_select(struct op *op, struct registry **ret_registries, size_t *ret_n);
/*
 * Make a registry with an admin user and these passwords, within the open transaction; *ret_id is 0
 * when there is one of that name already. Notifies other `serve`.
 */
enum fault registry_store_insert(struct op *op, const char *name, const char *const passwords[2],
                                 int64_t *ret_id);
/* Turn the admin user or anonymous pulls on or off. NOT_FOUND on "name". Call registry_reload
 * after. */
enum fault registry_store_set(struct op *op, int64_t id, bool admin_enabled, bool anonymous_pull);
void registry_store_start(void);

struct registry_usage {
    int64_t repositories, manifests, tags, blobs;
    int64_t bytes; /* of its blobs, each counted once, and its manifests */
};
enum fault registry_usage(struct op *op, int64_t id, struct registry_usage *ret_usage);

#endif
