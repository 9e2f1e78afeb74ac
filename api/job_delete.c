/*
 * Deleting a job: at once who it was and where its images are, in the caller's call; then its
 * resource groups, by group_delete.c; at last the subscription with what is said of it. The row of
 * the job stands until then, so that any `serve` goes on after a crash of this or another one.
 */
#include <string.h>

#include "api/cache.h"
#include "api/group.h"
#include "api/job.h"
#include "api/lock.h"
#include "api/provider.h"
#include "api/quota.h"
#include "api/subscription.h"
#include "auth/object.h"
#include "core/db.h"
#include "core/reconcile.h"

#define SWEEP_MS   5000
#define LOOK_MS    25 /* while its groups are taken apart */
#define REGISTRIES "Microsoft.ContainerRegistry/registries"
#define BATCH      100

static struct reconciler *reconciler;

static const char *scope_of(struct op *op, const struct job *job)
{
    return arena_printf(&op->arena, "/subscriptions/%s", job->subscription);
}

static enum fault forget_principal(struct op *op, const struct job *job)
{
    enum fault fault = object_delete(op, job->application);

    if (fault != NOT_FOUND) /* somebody deleted the application by itself */
        return fault;
    op_clear_fault(op);
    return OK;
}

/*
 * Whoever else the job let in is out, too: nobody makes anything in it any more. Not asked: a key
 * of the queue, which may be left from a job that is no more; its heir of the same name is none of
 * ours.
 */
static enum fault lock_out(struct op *op, const char *name, bool asked, struct job *ret)
{
    bool there;

    TRY(db_begin(op));
    TRY(job_hold(op, name, &there, ret));
    if (!there || !(asked || ret->doomed))
        return fail_on(op, "JobNotFound", NOT_FOUND, "There is no job '%.60s'.", name);
    if (ret->deleting)
        return db_commit(op);
    TRY(job_set_deleting(op, name));
    TRY(forget_principal(op, ret));
    TRY(role_assignment_delete_below(op, scope_of(op, ret)));
    TRY(subscription_set_state(op, ret->subscription, "Deleted"));
    TRY(db_commit(op));
    TRY(subscription_reload(op));
    return role_reload(op);
}

/* Rows only, and with them the logins that no directory knows. */
static enum fault remove_registries(struct op *op, const struct job *job)
{
    struct resource_filter filter = {
        .subscription = job->subscription, .type = REGISTRIES, .last = "", .limit = BATCH};
    struct resource *rows;
    size_t n;

    do {
        TRY(resource_list(op, &filter, &rows, &n));
        for (size_t i = 0; i < n; i++) {
            int64_t again_ms;

            TRY(db_begin(op));
            TRY(resource_remove(op, &rows[i], &again_ms));
            filter.last = rows[i].key;
        }
        TRY(n > 0 ? resource_reload(op) : OK);
    } while (n == BATCH);
    return OK;
}

enum fault job_delete(struct op *op, const char *name)
{
    enum fault fault;
    struct job job;

    TRY(lock_out(op, name, true, &job));
    fault = remove_registries(op, &job);
    reconciler_add(reconciler, name);
    return fault;
}

/* ---- the rest, in the background ---- */

/* *ret_n: how many there are still, under deletion from now on. */
static enum fault doom_groups(struct op *op, const struct job *job, size_t *ret_n)
{
    struct group_filter filter = {.subscription = job->subscription, .last = "", .limit = BATCH};
    struct group *groups;
    const char *operation;
    size_t n;

    TRY(group_list(op, &filter, &groups, &n));
    for (size_t i = 0; i < n; i++) {
        enum fault fault;

        if (strcmp(groups[i].state, "Deleting") == 0) /* it is looked after */
            continue;
        fault = group_set_deleting(op, groups[i].key, NULL, &operation);
        if (fault == NOT_FOUND)
            op_clear_fault(op);
        else if (fault != OK)
            return fault;
        cache_changed(groups[i].key);
        group_delete_wake(groups[i].key);
    }
    *ret_n = n;
    return OK;
}

/* Custom roles that nobody outside could be given. */
static enum fault delete_roles(struct op *op, const struct job *job)
{
    const char *scope = scope_of(op, job);
    struct role_definition *roles;
    size_t n;

    TRY(role_definition_list(op, scope, &roles, &n));
    for (size_t i = 0; i < n; i++) {
        bool inside = roles[i].custom && roles[i].n_assignable_scopes > 0;

        for (size_t k = 0; k < roles[i].n_assignable_scopes; k++)
            inside = inside && id_is_within(id_lower(op, roles[i].assignable_scopes[k]), scope);
        if (inside)
            TRY(role_definition_delete(op, roles[i].id));
    }
    return OK;
}

static enum fault finish(struct op *op, const struct job *job)
{
    const char *scope = scope_of(op, job);
    struct job now;
    bool there;

    TRY(db_begin(op));
    TRY(job_hold(op, job->name, &there, &now));
    if (!there || strcmp(now.subscription, job->subscription) != 0)
        return db_commit(op); /* another `serve` was faster */
    TRY(role_assignment_delete_below(op, scope));
    TRY(delete_roles(op, job));
    TRY(lock_delete_below(op, scope));
    TRY(subscription_delete(op, job->subscription)); /* and the job's row */
    TRY(db_commit(op));
    cache_changed_all();
    TRY(subscription_reload(op));
    TRY(quota_reload(op));
    TRY(lock_reload(op));
    return role_reload(op);
}

/* Every few seconds: whose time is over, and what a `serve` that is no more has left. */
static enum fault sweep(struct op *op)
{
    const char **names;
    size_t n;

    TRY(job_list_doomed(op, &names, &n));
    for (size_t i = 0; i < n; i++)
        reconciler_add(reconciler, names[i]);
    return OK;
}

static enum fault step(struct op *op, const char *name, int64_t *ret_again_ms)
{
    enum fault fault;
    struct job job;
    size_t n;

    fault = lock_out(op, name, false, &job);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    TRY(remove_registries(op, &job));
    TRY(doom_groups(op, &job, &n));
    if (n > 0) {
        *ret_again_ms = LOOK_MS;
        return OK;
    }
    return finish(op, &job);
}

void job_delete_start(void)
{
    reconciler = reconciler_new("jobs", 1, step);
    reconciler_sweep(reconciler, sweep, SWEEP_MS);
}

void job_delete_stop(void)
{
    reconciler_free(reconciler);
    reconciler = NULL;
}
