/*
 * Controllers: each one table and one file. A controller names the resources it listens to and how
 * their events become keys; reconcile() looks at the store, does what is missing, and may run any
 * number of times. The scheduler is one of them.
 */
#ifndef SUNDOG_CLUSTERS_CONTROLLER_CONTROLLER_H
#define SUNDOG_CLUSTERS_CONTROLLER_CONTROLLER_H

#include "clusters/rest/rest.h"

struct keys; /* where a rule puts the keys that an event concerns */
void keys_add(struct keys *keys, const char *ns, const char *name);
void keys_add_after(struct keys *keys, const char *ns, const char *name, int64_t delay_ms);

#define RULE_ALL "*" /* plural: of every stored resource */
struct rule {
    const char *group, *plural; /* version: the stored one */
    /* NULL: the object's own namespace and name. */
    void (*keys)(struct cluster *cluster, const struct event *event, struct keys *keys);
    const char *owner_kind; /* keys NULL: instead of its own, its controller's of this kind */
};
struct controller {
    const char *name;         /* "deployment": thread's and metrics' name, ≤ 24 bytes */
    struct actor actor;       /* "system:serviceaccount:kube-system:deployment-controller" */
    const struct rule *rules; /* ends with plural NULL */
    /* One key. The op has no database connection in a transaction; writes by rest_*, one store_wait
       at the end. A fault brings the key back with back-off; *ret_again_ms as in core/reconcile.h.
     */
    enum fault (*reconcile)(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms);
    /* Once, when the cluster starts or its store was read anew: keys beyond those of its first
       rule's objects. May be NULL. */
    void (*resync)(struct cluster *cluster, struct keys *keys);
};
extern const struct controller *const controllers[]; /* NULL-terminated */

void controllers_start(void); /* threads, shared by all clusters */
void controllers_stop(void);
/* Listen to a cluster's store, add all keys. */
enum fault controllers_open(struct op *op, struct cluster *cluster);
/* No step of its runs when it returns. */
void controllers_close(struct cluster *cluster);
void controllers_metrics(struct text *out);

#endif
