#include "auth/directory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/builtin_roles.h"
#include "core/db.h"
#include "core/hub.h"

struct snapshot {
    atomic_int refs;
    struct op op; /* owns what the directory points to */
    struct directory directory;
};

static struct snapshot *current;
static pthread_mutex_t current_lock = PTHREAD_MUTEX_INITIALIZER;
/* One reads at a time, so that an older state never replaces a newer one. */
static pthread_mutex_t reload_lock = PTHREAD_MUTEX_INITIALIZER;

static void snapshot_release(void *arg)
{
    struct snapshot *s = arg;

    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    op_free(&s->op);
    free(s);
}

const struct directory *directory_hold(struct op *op)
{
    struct snapshot *s;

    pthread_mutex_lock(&current_lock);
    s = current;
    if (s)
        atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&current_lock);
    if (!s)
        return NULL;
    arena_defer(&op->arena, snapshot_release, s);
    return &s->directory;
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

static enum fault reload_locked(struct op *op)
{
    struct snapshot *s = calloc(1, sizeof(*s));
    enum fault fault;

    if (!s)
        abort();
    op_init(&s->op);
    atomic_init(&s->refs, 1);
    s->op.db = op->db;
    fault = directory_store_load(&s->op, &s->directory);
    s->op.db = NULL;
    if (fault != OK) {
        fail(op, fault, "the directory cannot be read: %s", s->op.message);
        snapshot_release(s);
        return fault;
    }
    snapshot_replace(s);
    return OK;
}

enum fault directory_reload(struct op *op)
{
    enum fault fault;

    pthread_mutex_lock(&reload_lock);
    fault = reload_locked(op);
    pthread_mutex_unlock(&reload_lock);
    return fault;
}

/* On the hub's thread, which has no connection for us. A database that is away comes back with
   payload NULL, and we read then. */
static void heard(const char *payload)
{
    struct op op;

    (void)payload;
    op_init(&op);
    op.db = db_open();
    directory_reload(&op);
    db_close(op.db);
    op.db = NULL;
    op_free(&op);
}

void directory_listen(void)
{
    hub_listen(DIRECTORY_CHANNEL, heard);
}

void directory_stop(void)
{
    snapshot_replace(NULL);
}

/* ---- looking up ---- */

static const char *const kind_names[] = {"application", "servicePrincipal", "user", "group"};

const char *object_kind_name(enum object_kind kind)
{
    return kind_names[kind];
}

const struct object *directory_object(const struct directory *d, const char *id)
{
    size_t low = 0, high = d ? d->n : 0;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcasecmp(id, d->objects[middle].id);

        if (order == 0)
            return &d->objects[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static const struct object *search(const struct object *const *list, size_t n, const char *key,
                                   bool upn)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcasecmp(key, upn ? list[middle]->upn : list[middle]->app_id);

        if (order == 0)
            return list[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct object *directory_application(const struct directory *d, const char *app_id)
{
    return d ? search(d->by_app, d->n_applications, app_id, false) : NULL;
}

const struct object *directory_service_principal(const struct directory *d, const char *app_id)
{
    return d ? search(d->by_app + d->n_applications, d->n_service_principals, app_id, false) : NULL;
}

const struct object *directory_user(const struct directory *d, const char *upn)
{
    return d ? search(d->by_upn, d->n_users, upn, true) : NULL;
}

const struct role_definition *directory_role(const struct directory *d, const char *id)
{
    const struct role_definition *role = builtin_role(id);

    for (size_t i = 0; !role && d && i < d->n_roles; i++)
        if (strcasecmp(d->roles[i].id, id) == 0)
            role = &d->roles[i];
    return role;
}
