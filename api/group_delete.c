/*
 * Deleting a resource group with all that is in it: one resource a step, deepest first, each in a
 * transaction of its own with its service's rows. A group's row says Deleting until the last one is
 * gone, so that any `serve` goes on after a crash of this or another one; two at the same group
 * take turns.
 */
#include <string.h>

#include "api/cache.h"
#include "api/deployment.h"
#include "api/group.h"
#include "api/lock.h"
#include "api/operation.h"
#include "api/provider.h"
#include "core/db.h"
#include "core/metrics.h"
#include "core/reconcile.h"

#define BATCH    50
#define SWEEP_MS 5000

static struct reconciler *reconciler;

/* The operation ends in the transaction that ends the deletion; look only covers its loss. */
static enum fault look(struct op *op, struct operation *o)
{
    const char *state, *operation;

    TRY(group_operation(op, id_lower(op, o->resource_id), &state, &operation));
    if (state && operation && strcmp(operation, o->id) == 0)
        return OK;
    o->status = OPERATION_SUCCEEDED;
    return OK;
}

static const struct operation_kind kind = {.name = "group.delete", .look = look};

/* The group, while it is under this one deletion. */
struct doomed {
    struct resource_id id;
    const char *operation; /* NULL: none, from a time without */
};

/* In a transaction of its own, as the only `serve` that works on the group: *ret_held false, and
   nothing is to be done, when another one was faster. */
static enum fault hold(struct op *op, const struct doomed *doomed, bool *ret_held)
{
    TRY(db_begin(op));
    return group_hold_deleting(op, doomed->id.key, doomed->operation, ret_held);
}

static enum fault remove_one(struct op *op, const struct doomed *doomed, const struct resource *r,
                             int64_t *ret_again_ms)
{
    bool held;

    *ret_again_ms = RECONCILE_DONE;
    TRY(hold(op, doomed, &held));
    return held ? resource_remove(op, r, ret_again_ms) : db_commit(op);
}

static enum fault finish(struct op *op, const struct doomed *doomed)
{
    const char *key = doomed->id.key;
    bool held;

    TRY(hold(op, doomed, &held));
    if (!held)
        return db_commit(op);
    TRY(lock_delete_below(op, key));
    TRY(role_assignment_delete_below(op, key));
    TRY(deployment_delete_below(op, key));
    TRY(group_delete_row(op, key));
    if (doomed->operation)
        TRY(operation_finish(op, doomed->operation, OPERATION_SUCCEEDED, NULL, NULL, NULL));
    TRY(db_commit(op));
    return resource_reload(op);
}

/* From the end of a page of keys on: children stand behind their parents. *ret_at: the last tried.
 */
static enum fault remove_some(struct op *op, const struct doomed *doomed,
                              const struct resource *rows, size_t n, const char **ret_at,
                              int64_t *ret_again_ms)
{
    for (size_t i = n; i-- > 0;) {
        *ret_at = rows[i].id;
        TRY(remove_one(op, doomed, &rows[i], ret_again_ms));
        if (*ret_again_ms != RECONCILE_DONE)
            return OK;
    }
    *ret_again_ms = 0;
    return OK;
}

/* Something in the group refuses for good: the group stays, with what is left in it. */
static enum fault give_up(struct op *op, const struct doomed *doomed, const char *at)
{
    const char *code = op->noun ? op->noun : "ResourceGroupDeletionFailed";
    const char *why =
        arena_printf(&op->arena, "The resource group '%s' was not deleted: '%s' could not be: %s",
                     doomed->id.group, at, op->message ? op->message : fault_name(op->fault));
    bool held;

    db_rollback(op);
    op_clear_fault(op);
    TRY(hold(op, doomed, &held));
    if (held) {
        TRY(group_set_alive(op, doomed->id.key));
        if (doomed->operation)
            TRY(operation_finish(op, doomed->operation, OPERATION_FAILED, code, why, NULL));
    }
    TRY(db_commit(op));
    cache_changed(doomed->id.key);
    return OK;
}

/* Every few seconds: what a `serve` that is no more has left, and how much runs. */
static enum fault sweep(struct op *op)
{
    const char **keys, *last = "";
    size_t n;

    do {
        TRY(group_list_deleting(op, last, &keys, &n));
        for (size_t i = 0; i < n; i++)
            reconciler_add(reconciler, keys[i]);
        last = n ? keys[n - 1] : last;
    } while (n == 1000);
    return operation_measure(op);
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    struct resource_filter filter = {.last = "", .limit = BATCH};
    struct doomed doomed;
    const char *state, *at = "";
    struct resource *rows;
    enum fault fault;
    size_t n;

    TRY(resource_id_parse(op, key, &doomed.id));
    TRY(group_operation(op, doomed.id.key, &state, &doomed.operation));
    if (!state || strcmp(state, "Deleting") != 0)
        return OK;
    filter.subscription = doomed.id.subscription;
    filter.group = doomed.id.group;
    TRY(resource_list(op, &filter, &rows, &n));
    if (!n)
        return finish(op, &doomed);
    fault = remove_some(op, &doomed, rows, n, &at, ret_again_ms);
    cache_changed_all();                       /* some may be gone whatever came after */
    if (fault != OK && !fault_passes(fault)) { /* for good */
        *ret_again_ms = RECONCILE_DONE;
        fault = give_up(op, &doomed, at);
    }
    TRY(fault);
    return resource_reload(op); /* what is still there, or stays, goes on being measured */
}

void group_delete_wake(const char *key)
{
    reconciler_add(reconciler, key);
}

void group_delete_metrics(struct text *out)
{
    metric_head(out, "sundog_group_deletions", "gauge", "resource groups under deletion here");
    text_printf(out, "sundog_group_deletions %zu\n", reconciler_depth(reconciler));
}

void group_delete_start(void)
{
    operation_kind_register(&kind);
    reconciler = reconciler_new("groups", 1, step);
    reconciler_sweep(reconciler, sweep, SWEEP_MS);
}

void group_delete_stop(void)
{
    reconciler_free(reconciler);
    reconciler = NULL;
}
