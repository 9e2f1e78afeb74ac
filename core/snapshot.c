#include "core/snapshot.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/db.h"

#define ALONE_TRIES    20
#define ALONE_PAUSE_US 250000

struct snapshot {
    atomic_int refs;
    struct op op; /* owns data */
    void *data;
};

static void release(void *arg)
{
    struct snapshot *s = arg;

    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    op_free(&s->op);
    free(s);
}

const void *snapshot_hold(struct op *op, struct snapshot_slot *slot)
{
    struct snapshot *s;

    pthread_mutex_lock(&slot->lock);
    s = slot->current;
    if (s)
        atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&slot->lock);
    if (!s)
        return NULL;
    arena_defer(&op->arena, release, s);
    return s->data;
}

static void replace(struct snapshot_slot *slot, struct snapshot *s)
{
    struct snapshot *old;

    pthread_mutex_lock(&slot->lock);
    old = slot->current;
    slot->current = s;
    pthread_mutex_unlock(&slot->lock);
    release(old);
}

static enum fault reload(struct op *op, struct snapshot_slot *slot)
{
    struct snapshot *s = calloc(1, sizeof(*s));
    enum fault fault;

    if (!s)
        abort();
    op_init(&s->op);
    atomic_init(&s->refs, 1);
    s->op.db = op->db;
    fault = slot->load(&s->op, &s->data);
    s->op.db = NULL;
    if (fault != OK) {
        fail(op, fault, "%s", s->op.message ? s->op.message : fault_name(fault));
        release(s);
        return fault;
    }
    replace(slot, s);
    return OK;
}

enum fault snapshot_reload(struct op *op, struct snapshot_slot *slot)
{
    enum fault fault;

    pthread_mutex_lock(&slot->reloading);
    fault = reload(op, slot);
    pthread_mutex_unlock(&slot->reloading);
    return fault;
}

static struct db *hub_db; /* of the hub's thread, made when first needed */

bool snapshot_reload_alone(struct snapshot_slot *slot)
{
    enum fault fault;
    struct op op;

    if (!hub_db)
        hub_db = db_open();
    for (int tries = 1;; tries++) {
        op_init(&op);
        op.db = hub_db;
        fault = snapshot_reload(&op, slot);
        db_op_ended(&op);
        op.db = NULL;
        op_free(&op);
        if (fault == OK || tries == ALONE_TRIES)
            return fault == OK;
        usleep(ALONE_PAUSE_US);
    }
}

void snapshot_drop(struct snapshot_slot *slot)
{
    replace(slot, NULL);
    if (hub_db)
        db_close(hub_db);
    hub_db = NULL;
}
