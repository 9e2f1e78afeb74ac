/*
 * Deleting a resource group with all that is in it: one resource a step, deepest first, each in a
 * transaction of its own with its service's rows. A group's row says Deleting until the last one is
 * gone, so that any `serve` goes on after a crash.
 */
#include <string.h>

#include "api/cache.h"
#include "api/group.h"
#include "api/lock.h"
#include "api/operation.h"
#include "api/provider.h"
#include "core/db.h"
#include "core/reconcile.h"

#define BATCH 50

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

static enum fault remove_one(struct op *op, const struct resource *r, int64_t *ret_again_ms)
{
    const struct resource_type *type = resource_type_find(r->type);
    struct resource_id id;
    bool existed;

    *ret_again_ms = RECONCILE_DONE;
    TRY(resource_id_parse(op, r->id, &id));
    TRY(db_begin(op));
    if (type && type->remove)
        TRY(type->remove(op, r, ret_again_ms));
    if (*ret_again_ms != RECONCILE_DONE)
        return db_commit(op);
    TRY(resource_delete(op, &id, &existed));
    TRY(db_commit(op));
    return type && type->changed ? type->changed(op, r) : OK;
}

static enum fault finish(struct op *op, const struct resource_id *id, const char *operation)
{
    TRY(db_begin(op));
    TRY(lock_delete_below(op, id->key));
    TRY(role_assignment_delete_below(op, id->key));
    TRY(group_delete_row(op, id->key));
    TRY(operation_finish(op, operation, OPERATION_SUCCEEDED, NULL, NULL, NULL));
    TRY(db_commit(op));
    return resource_deleted(op, id);
}

/* From the end of a page of keys on: children stand behind their parents. */
static enum fault remove_some(struct op *op, const struct resource *rows, size_t n,
                              int64_t *ret_again_ms)
{
    for (size_t i = n; i-- > 0;) {
        TRY(remove_one(op, &rows[i], ret_again_ms));
        if (*ret_again_ms != RECONCILE_DONE)
            return OK;
    }
    *ret_again_ms = 0;
    return OK;
}

/* Something in the group refuses for good: the group stays, with what is left in it. */
static enum fault give_up(struct op *op, const struct resource_id *id, const char *operation)
{
    const char *code = op->noun ? op->noun : "ResourceGroupDeletionFailed";
    const char *why = arena_printf(&op->arena, "The resource group '%s' was not deleted: %s",
                                   id->group, op->message ? op->message : "a resource refuses");

    db_rollback(op);
    op_clear_fault(op);
    TRY(db_begin(op));
    TRY(group_set_alive(op, id->key));
    TRY(operation_finish(op, operation, OPERATION_FAILED, code, why, NULL));
    TRY(db_commit(op));
    cache_changed(id->key);
    return OK;
}

static bool is_for_good(enum fault fault)
{
    return fault != OK && fault != UNAVAILABLE && fault != INTERNAL && fault != TOO_MANY;
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    const char *state, *operation;
    struct resource_filter filter = {.last = "", .limit = BATCH};
    struct resource_id id;
    struct resource *rows;
    enum fault fault;
    size_t n;

    TRY(resource_id_parse(op, key, &id));
    TRY(group_operation(op, id.key, &state, &operation));
    if (!state || strcmp(state, "Deleting") != 0)
        return OK;
    filter.subscription = id.subscription;
    filter.group = id.group;
    TRY(resource_list(op, &filter, &rows, &n));
    operation = operation ? operation : "";
    if (!n)
        return finish(op, &id, operation);
    fault = remove_some(op, rows, n, ret_again_ms);
    cache_changed_all(); /* some may be gone whatever came after */
    if (is_for_good(fault)) {
        *ret_again_ms = RECONCILE_DONE;
        fault = give_up(op, &id, operation);
    }
    TRY(fault);
    return resource_deleted(op, &id);
}

void group_delete_wake(const char *key)
{
    reconciler_add(reconciler, key);
}

enum fault group_delete_start(struct op *op)
{
    const char **keys, *last = "";
    size_t n;

    operation_kind_register(&kind);
    reconciler = reconciler_new("groups", 1, step);
    do {
        TRY(group_list_deleting(op, last, &keys, &n));
        for (size_t i = 0; i < n; i++)
            reconciler_add(reconciler, keys[i]);
        last = n ? keys[n - 1] : last;
    } while (n == 1000);
    return OK;
}

void group_delete_stop(void)
{
    reconciler_free(reconciler);
    reconciler = NULL;
}
