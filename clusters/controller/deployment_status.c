/* What a Deployment says of itself: counts, and whether its rollout goes on. */
#include <string.h>

#include "clusters/controller/deployment.h"

struct counts {
    int64_t replicas, updated, ready, available, unavailable;
};

static struct counts count(const struct deployment_pass *p)
{
    struct counts c = {0};
    int64_t wanted = 0;

    for (size_t i = 0; i < p->sets.n; i++) {
        c.replicas += set_status(p->sets.list[i], "replicas");
        c.ready += set_status(p->sets.list[i], "readyReplicas");
        c.available += set_status(p->sets.list[i], "availableReplicas");
        wanted += set_replicas(p->sets.list[i]);
    }
    if (p->current)
        c.updated = set_status(p->current, "replicas");
    c.unavailable = wanted > c.available ? wanted - c.available : 0;
    return c;
}

static bool is_complete(const struct deployment_pass *p, const struct counts *c)
{
    int64_t wanted = deployment_replicas(p);

    return p->current && c->updated == wanted && c->replicas == wanted && c->available == wanted;
}

/* Has anything moved since the last status? */
static bool has_progressed(const struct deployment_pass *p, const struct counts *c)
{
    const json_t *old = json_object_get(p->tree, "status");
    int64_t updated = int_at(old, "updatedReplicas", 0), replicas = int_at(old, "replicas", 0);

    return c->updated > updated || c->replicas - c->updated < replicas - updated ||
           c->ready > int_at(old, "readyReplicas", 0) ||
           c->available > int_at(old, "availableReplicas", 0);
}

static json_t *find(json_t *conditions, const char *type)
{
    json_t *condition;
    size_t i;

    json_array_foreach(conditions, i, condition)
    {
        if (strcmp(text_at_or(condition, "type", ""), type) == 0)
            return condition;
    }
    return NULL;
}

/* lastUpdateTime moves when what is said does, or at every progress. */
static void say(struct deployment_pass *p, json_t *conditions, const char *type, const char *status,
                const char *reason, const char *message, bool touch)
{
    json_t *condition = find(conditions, type);
    const char *now = time_text(p->op, wall_s());
    bool same = condition && strcmp(text_at_or(condition, "status", ""), status) == 0 &&
                strcmp(text_at_or(condition, "reason", ""), reason) == 0 &&
                strcmp(text_at_or(condition, "message", ""), message) == 0;

    if (same && !touch)
        return;
    condition_set(p->op, conditions, type, status, reason, message);
    json_object_set_new(find(conditions, type), "lastUpdateTime", json_string(now));
}

static void say_available(struct deployment_pass *p, json_t *conditions, const struct counts *c)
{
    if (c->available >= deployment_replicas(p) - deployment_unavailable(p))
        say(p, conditions, "Available", "True", "MinimumReplicasAvailable",
            "Deployment has minimum availability.", false);
    else
        say(p, conditions, "Available", "False", "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.", false);
}

/* Too long without progress? *ret_wait_s: until it will have been. */
static bool is_late(const struct deployment_pass *p, json_t *conditions, int64_t *ret_wait_s)
{
    int64_t limit = int_at(p->tree, "spec.progressDeadlineSeconds", 600), since;
    const json_t *condition = find(conditions, "Progressing");
    const char *reason = text_at_or(condition, "reason", "");

    *ret_wait_s = 0;
    if (!condition || limit >= INT32_MAX || strcmp(reason, "NewReplicaSetAvailable") == 0)
        return false;
    if (strcmp(reason, "ProgressDeadlineExceeded") == 0)
        return true;
    since = time_parse(text_at_or(condition, "lastUpdateTime", ""));
    if (since >= 0 && wall_s() >= since + limit)
        return true;
    *ret_wait_s = since >= 0 ? since + limit - wall_s() : limit;
    return false;
}

static bool has_reason(json_t *conditions, const char *reason)
{
    return strcmp(text_at_or(find(conditions, "Progressing"), "reason", ""), reason) == 0;
}

/* A pause is said, and its end: the time it took is not lack of progress. */
static bool say_pause(struct deployment_pass *p, json_t *conditions)
{
    bool paused = bool_at(p->tree, "spec.paused", false);
    bool was = has_reason(conditions, "DeploymentPaused");

    if (has_reason(conditions, "ProgressDeadlineExceeded"))
        return paused;
    if (paused && !was)
        say(p, conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused",
            false);
    else if (!paused && was)
        say(p, conditions, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed",
            false);
    return paused;
}

static void drop(json_t *conditions, const char *type)
{
    for (size_t i = json_array_size(conditions); i > 0; i--)
        if (strcmp(text_at_or(json_array_get(conditions, i - 1), "type", ""), type) == 0)
            json_array_remove(conditions, i - 1);
}

static void say_progress(struct deployment_pass *p, json_t *conditions, const struct counts *c)
{
    const char *set = p->current ? p->current->name : p->deployment->name;
    const char *quoted =
        arena_printf(&p->op->arena, "%s \"%s\"", p->current ? "ReplicaSet" : "Deployment", set);
    int64_t wait = 0;

    if (int_at(p->tree, "spec.progressDeadlineSeconds", INT32_MAX) >= INT32_MAX) {
        drop(conditions, "Progressing");
        return;
    }
    if (say_pause(p, conditions))
        return;
    if (c->replicas == c->updated && has_reason(conditions, "NewReplicaSetAvailable") &&
        !p->created)
        return; /* no rollout: pods that come and go are no news of one */
    if (p->failure)
        say(p, conditions, "Progressing", "False", "ReplicaSetCreateError", p->failure, false);
    else if (is_complete(p, c))
        say(p, conditions, "Progressing", "True", "NewReplicaSetAvailable",
            arena_printf(&p->op->arena, "%s has successfully progressed.", quoted), false);
    else if (p->created)
        say(p, conditions, "Progressing", "True", "NewReplicaSetCreated",
            arena_printf(&p->op->arena, "Created new replica set \"%s\"", set), true);
    else if (has_progressed(p, c) || !find(conditions, "Progressing"))
        say(p, conditions, "Progressing", "True", "ReplicaSetUpdated",
            arena_printf(&p->op->arena, "%s is progressing.", quoted), true);
    else if (is_late(p, conditions, &wait))
        say(p, conditions, "Progressing", "False", "ProgressDeadlineExceeded",
            arena_printf(&p->op->arena, "%s has timed out progressing.", quoted), false);
    if (wait && (!p->again_s || wait < p->again_s))
        p->again_s = wait;
}

/* A ReplicaSet that cannot make its pods is the Deployment's trouble, too: the present one's
   first. */
static void say_failure(struct deployment_pass *p, json_t *conditions)
{
    const json_t *failure =
        p->current ? condition_of(object_tree(p->current), "ReplicaFailure") : NULL;

    for (size_t i = 0; !failure && i < p->sets.n; i++)
        failure = condition_of(object_tree(p->sets.list[i]), "ReplicaFailure");
    if (failure)
        say(p, conditions, "ReplicaFailure", text_at_or(failure, "status", "True"),
            text_at_or(failure, "reason", ""), text_at_or(failure, "message", ""), false);
    else
        drop(conditions, "ReplicaFailure");
}

static void set_count(json_t *status, const char *member, int64_t n)
{
    if (n)
        json_object_set_new(status, member, json_integer(n));
}

enum fault deployment_write_status(struct deployment_pass *p)
{
    struct counts c = count(p);
    json_t *status = json_object();
    json_t *conditions = json_deep_copy(at(p->tree, "status.conditions"));
    struct rest r = rest_of(p->cluster, &deployment_actor, p->deployment->resource,
                            p->deployment->ns, p->deployment->name);

    if (!conditions)
        conditions = json_array();
    if (!p->deployment->deleting) {
        say_available(p, conditions, &c);
        say_progress(p, conditions, &c);
        say_failure(p, conditions);
    }
    set_count(status, "observedGeneration", int_at(p->tree, "metadata.generation", 0));
    set_count(status, "replicas", c.replicas);
    set_count(status, "updatedReplicas", c.updated);
    set_count(status, "readyReplicas", c.ready);
    set_count(status, "availableReplicas", c.available);
    set_count(status, "unavailableReplicas", c.unavailable);
    set_count(status, "collisionCount", int_at(p->tree, "status.collisionCount", 0));
    json_object_set_new(status, "conditions", conditions);
    TRY(rest_set_status(p->op, &r, status));
    moved(&p->revision, &r);
    return OK;
}
