#include "auth/directory.h"

#include <string.h>
#include <strings.h>

#include "auth/builtin_roles.h"
#include "core/db.h"
#include "core/hub.h"
#include "core/snapshot.h"

static enum fault load(struct op *op, void **ret)
{
    struct directory *d = arena_alloc(&op->arena, sizeof(*d));
    enum fault fault = directory_store_load(op, d);

    if (fault != OK)
        return fail(op, fault, "the directory cannot be read: %s", op->message);
    *ret = d;
    return OK;
}

static struct snapshot_slot slot = SNAPSHOT_SLOT(load);

const struct directory *directory_hold(struct op *op)
{
    return snapshot_hold(op, &slot);
}

enum fault directory_reload(struct op *op)
{
    return snapshot_reload(op, &slot);
}

static void heard(const char *payload)
{
    (void)payload;
    snapshot_reload_alone(&slot);
}

void directory_listen(void)
{
    hub_listen(DIRECTORY_CHANNEL, heard);
}

void directory_stop(void)
{
    snapshot_drop(&slot);
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
