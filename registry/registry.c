#include "registry/registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/db.h"
#include "core/hub.h"

const struct settings *registry_settings;

struct snapshot {
    atomic_int refs;
    struct op op; /* owns what the registries point to */
    struct registry *registries;
    size_t n;
};

static struct snapshot *current;
static pthread_mutex_t current_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool is_stale; /* a change was heard of, and reading it failed */

static void snapshot_release(void *arg)
{
    struct snapshot *s = arg;

    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < ARRAY_LEN(s->registries[i].passwords); k++)
            if (s->registries[i].passwords[k])
                explicit_bzero((char *)s->registries[i].passwords[k],
                               strlen(s->registries[i].passwords[k]));
    op_free(&s->op);
    free(s);
}

static const struct snapshot *snapshot_hold(struct op *op)
{
    struct snapshot *s;

    pthread_mutex_lock(&current_lock);
    s = current;
    if (s)
        atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&current_lock);
    if (s)
        arena_defer(&op->arena, snapshot_release, s);
    return s;
}

static void snapshot_replace(struct snapshot *s)
{
    struct snapshot *old;

    pthread_mutex_lock(&current_lock);
    old = current;
    current = s;
    pthread_mutex_unlock(&current_lock);
    snapshot_release(old);
}

enum fault registry_reload(struct op *op)
{
    struct snapshot *s = calloc(1, sizeof(*s));
    enum fault fault;

    if (!s)
        abort();
    op_init(&s->op);
    atomic_init(&s->refs, 1);
    s->op.db = op->db;
    fault = registry_store_select(&s->op, &s->registries, &s->n);
    s->op.db = NULL;
    if (fault != OK) {
        fail(op, fault, "the registries cannot be read: %s", s->op.message);
        s->n = 0;
        snapshot_release(s);
        return fault;
    }
    snapshot_replace(s);
    return OK;
}

void registry_refresh(struct op *op)
{
    if (atomic_exchange(&is_stale, false) && registry_reload(op) != OK) {
        atomic_store(&is_stale, true);
        op_clear_fault(op);
    }
}

/* On the hub's thread, which has no connection for us: the collector's thread comes by soon. */
static void heard(const char *payload)
{
    struct op op;

    (void)payload;
    atomic_store(&is_stale, true);
    op_init(&op);
    op.db = db_open();
    registry_refresh(&op);
    db_close(op.db);
    op.db = NULL;
    op_free(&op);
}

void registry_listen(void)
{
    hub_listen("registry", heard);
}

void registry_stop(void)
{
    snapshot_replace(NULL);
}

const struct registry *registry_find(struct op *op, const char *name)
{
    const struct snapshot *s = snapshot_hold(op);

    for (size_t i = 0; s && i < s->n; i++)
        if (strcasecmp(s->registries[i].name, name) == 0)
            return &s->registries[i];
    return NULL;
}

const struct registry *registry_find_id(struct op *op, int64_t id)
{
    const struct snapshot *s = snapshot_hold(op);

    for (size_t i = 0; s && i < s->n; i++)
        if (s->registries[i].id == id)
            return &s->registries[i];
    return NULL;
}

const struct registry *registry_all(struct op *op, size_t *ret_n)
{
    const struct snapshot *s = snapshot_hold(op);

    *ret_n = s ? s->n : 0;
    return s ? s->registries : NULL;
}
