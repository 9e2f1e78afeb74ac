/* A pass over one Deployment: what its files share. */
#ifndef SUNDOG_CLUSTERS_CONTROLLER_DEPLOYMENT_H
#define SUNDOG_CLUSTERS_CONTROLLER_DEPLOYMENT_H

#include "clusters/controller/workload.h"

#define REVISION         "deployment.kubernetes.io/revision"
#define REVISION_HISTORY "deployment.kubernetes.io/revision-history"
#define DESIRED_REPLICAS "deployment.kubernetes.io/desired-replicas"
#define MAX_REPLICAS     "deployment.kubernetes.io/max-replicas"
#define TEMPLATE_HASH    "pod-template-hash"

struct deployment_pass {
    struct op *op;
    struct cluster *cluster;
    struct object *deployment;
    const json_t *tree;
    struct owned sets;      /* its ReplicaSets */
    struct object *current; /* the one of the present template; NULL: none yet */
    int64_t revision;       /* to wait for */
    bool created;           /* current was made in this pass */
    const char *failure;    /* why the present one could not be made; NULL */
    int64_t again_s;        /* 0: only events */
};

extern const struct actor deployment_actor;

int64_t set_replicas(const struct object *set); /* wanted */
int64_t set_status(const struct object *set, const char *member);
int64_t deployment_replicas(const struct deployment_pass *p);
int64_t deployment_surge(const struct deployment_pass *p);
int64_t deployment_unavailable(const struct deployment_pass *p);

/* deployment_sets.c: the ReplicaSet of the present template, made when make is set; revisions and
   annotations brought up to date. */
enum fault deployment_find_current(struct deployment_pass *p, bool make);
enum fault deployment_scale(struct deployment_pass *p, struct object **set, int64_t replicas);
enum fault deployment_clean_up(struct deployment_pass *p);
/* deployment_status.c */
enum fault deployment_write_status(struct deployment_pass *p);

#endif
