/* What the files of rest/ share. */
#ifndef SUNDOG_CLUSTERS_REST_REST_INTERNAL_H
#define SUNDOG_CLUSTERS_REST_REST_INTERNAL_H

#include <pthread.h>

#include "clusters/object/managed_fields.h"
#include "clusters/object/status.h"
#include "clusters/object/strategy.h"
#include "clusters/rest/rest.h"

/* Rows of the resource table that code here asks for by name. */
extern struct known {
    const struct resource *namespaces, *pods, *nodes, *services, *endpoints, *secrets, *config_maps,
        *service_accounts, *events, *limit_ranges, *quotas, *endpoint_slices, *budgets, *roles,
        *role_bindings, *cluster_roles, *cluster_role_bindings, *priority_classes, *runtime_classes,
        *ingress_classes, *storage_classes;
} known;
void known_find(void); /* once */

struct rights;
struct address_pool;
/* Kept beside a running cluster. */
struct rest_state {
    pthread_mutex_t lock, quota_lock;
    struct rights *rights;      /* access.c: evaluated roles, replaced as a whole */
    struct address_pool *pool;  /* admission_service.c: addresses and node ports in use */
    struct token_cache *tokens; /* identity.c */
    atomic_llong sweep_ms;      /* when old events are looked for next */
};

/* One write on its way through admission. */
struct admission {
    struct op *op;
    struct rest *r;
    json_t *tree;      /* stored form; plugins may change it */
    const json_t *old; /* NULL: a creation */
    void *taken;       /* admission_service.c */
};
/* Defaults and checks that need other objects, in order. Before validation. */
enum fault admit(struct admission *a);
/* The write did not happen: give back what admit took. */
void admit_undo(struct admission *a);

/* ---- rest.c ---- */
const char *actor_manager(const struct rest *r);
/* `what` of r, live: run it through defaults, admission and validation, and submit. config:
   the applied configuration (server-side apply), else NULL. */
enum fault rest_write(struct op *op, struct rest *r, struct object *live, json_t *tree,
                      const json_t *config, struct object **ret);
enum fault rest_make(struct op *op, struct rest *r, json_t *tree, const json_t *config,
                     struct object **ret);
bool is_terminated(const struct resource *r, const json_t *tree);
/* ---- rest_subresource.c ---- */
enum fault rest_update_scale(struct op *op, struct rest *r, json_t *scale, struct object **ret);
enum fault rest_patch_scale(struct op *op, struct rest *r, const struct patch_request *patch,
                            struct object **ret);
/* A warning for the client, once. */
void rest_warn(struct rest *r, const char *text);
/* Of an object that is being made and that nothing will act on (stored_only.c). */
void warn_stored_only(struct op *op, struct rest *r);
/* Remove for good. */
enum fault rest_remove(struct op *op, struct rest *r, struct object *live, const json_t *last,
                       struct object **ret);
/* tree's metadata: five random characters as upstream chooses them. */
const char *random_suffix(struct op *op);

/* ---- admission_*.c ---- */
enum fault admit_pod_account(struct admission *a);
enum fault admit_pod_priority(struct admission *a);
enum fault admit_pod_runtime(struct admission *a);
enum fault admit_pod_tolerations(struct admission *a);
enum fault admit_limits(struct admission *a);        /* limits.c */
enum fault fill_account_secret(struct admission *a); /* identity.c */
enum fault admit_service(struct admission *a);
void undo_service(struct admission *a);
void address_pool_open(struct cluster *cluster);
void address_pool_free(struct cluster *cluster);

/* ---- quota.c ---- */
/* Amounts of a pod's resources as a tree: which: "requests", "limits". In op's arena. */
json_t *pod_total(struct op *op, const json_t *pod, const char *which);
/* true: r's namespace has quotas, and from here to quota_end nobody else writes there. */
bool quota_begin(const struct rest *r);
enum fault quota_check(struct admission *a);
/* changed: bring the quotas' status up to date. */
void quota_end(struct op *op, struct rest *r, bool changed);

/* ---- access.c ---- */
void rights_free(struct rights *rights);
/* May the actor grant what this role, or the role that this binding names, allows? */
enum fault admit_role(struct admission *a);
enum fault admit_binding(struct admission *a);
/* All rules that apply to an actor in a namespace: SelfSubjectRulesReview's status. */
json_t *rights_review(struct op *op, struct cluster *cluster, const struct actor *actor,
                      const char *ns);

/* ---- identity.c ---- */
struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *cache);

/* ---- bootstrap.c ---- */
enum fault bootstrap(struct op *op, struct cluster *cluster);
/* The `kubernetes` service, or its endpoints, were deleted: they come back. */
void bootstrap_service(struct op *op, struct rest *r);

#endif
