#include <string.h>

#include "api/cache.h"
#include "api/lock.h"
#include "api/provider.h"
#include "api/quota.h"
#include "api/resource_count.h"
#include "core/db.h"
#include "core/meter.h"
#include "core/trace.h"

#define COLUMNS                                                                                    \
    "r.id, r.key, r.subscription, r.group_name, r.type, r.name, r.location, r.tags, r.sku,"        \
    " r.identity, r.kind, r.managed_by, r.state, api.iso(r.created) AS created, r.created_by,"     \
    " r.created_by_kind, api.iso(r.changed) AS changed, r.changed_by, r.changed_by_kind,"          \
    " r.version"
#define DIFFERS                                                                                    \
    "(r.tags, r.sku, r.identity, r.kind, r.managed_by, r.state) IS DISTINCT FROM (excluded.tags,"  \
    " excluded.sku, excluded.identity, excluded.kind, excluded.managed_by, excluded.state)"

enum {
    PLACE,
    PUT_ONE,
    COUNT_TYPE,
    GET_ONE,
    GET_LOCKED,
    HAS_GROUP,
    SET_STATE,
    PATCH_ONE,
    DELETE_ALL,
    LIST_RANGE,
    LIST_TYPE,
    LIST_NAME,
    COUNT,
    FIND_NAME,
    REKEY,
};
static const struct db_stmt stmts[] = {
    [PLACE] = {"SELECT g.state, g.name, p.id AS parent_id,"
               " (SELECT n.state FROM api.provider_registration n"
               "  WHERE n.subscription = $2 AND n.provider = $3) AS registration"
               " FROM api.resource_group g LEFT JOIN api.resource p ON p.key = $4"
               " WHERE g.key = $1 FOR SHARE OF g"},
    [PUT_ONE] = {"INSERT INTO api.resource AS r (key, id, subscription, group_key, group_name,"
                 "  type, type_key, name, name_key, tracked, location, tags, sku, identity, kind,"
                 "  managed_by, state, created_by, created_by_kind, changed_by, changed_by_kind)"
                 " VALUES ($1, $2, $3, $4, $5, $6, lower($6), $7, lower($7), $8, $9, $10, $11, $12,"
                 "  $13, $14, $15, $16, $17, $16, $17) ON CONFLICT (key) DO UPDATE SET"
                 "  tags = excluded.tags, sku = excluded.sku, identity = excluded.identity,"
                 "  kind = excluded.kind, managed_by = excluded.managed_by,"
                 "  state = excluded.state,"
                 "  changed = CASE WHEN " DIFFERS " THEN now() ELSE r.changed END,"
                 "  changed_by = CASE WHEN " DIFFERS
                 " THEN excluded.changed_by ELSE r.changed_by END,"
                 "  changed_by_kind = CASE WHEN " DIFFERS
                 " THEN excluded.changed_by_kind ELSE r.changed_by_kind END,"
                 "  version = r.version + (" DIFFERS ")::int"
                 " WHERE r.location IS NOT DISTINCT FROM excluded.location"
                 " RETURNING " COLUMNS ", r.xmax = 0 AS is_new"},
    [COUNT_TYPE] = {"SELECT (SELECT count(*) FROM api.resource"
                    "  WHERE group_key = $1 AND type_key = lower($2)) AS in_group,"
                    " (SELECT count(*) FROM api.resource"
                    "  WHERE subscription = $3 AND type_key = lower($2)) AS in_all"},
    [GET_ONE] = {"SELECT " COLUMNS " FROM api.resource r WHERE r.key = $1"},
    [GET_LOCKED] = {"SELECT " COLUMNS " FROM api.resource r WHERE r.key = $1 FOR UPDATE"},
    [HAS_GROUP] = {"SELECT 1 AS yes FROM api.resource_group WHERE key = $1"},
    [SET_STATE] = {"UPDATE api.resource SET state = $2, changed = now(), version = version + 1"
                   " WHERE key = $1"},
    [PATCH_ONE] = {"UPDATE api.resource AS r SET tags = coalesce($2, tags),"
                   "  sku = coalesce($3, sku), identity = coalesce($4, identity),"
                   "  kind = coalesce($5, kind), managed_by = coalesce($6, managed_by),"
                   "  state = coalesce($7, state), changed = now(), changed_by = $8,"
                   "  changed_by_kind = $9, version = version + 1"
                   " WHERE key = $1 RETURNING " COLUMNS},
    [DELETE_ALL] = {"DELETE FROM api.resource WHERE key = $1"
                    " OR (key > $1 || '/' AND key < $1 || '0')"},
    [LIST_RANGE] = {"SELECT " COLUMNS " FROM api.resource r WHERE r.key > $1 AND r.key < $2"
                    " AND (r.tracked OR NOT $4) AND ($5::text IS NULL OR strpos(r.key, $5) > 0)"
                    " ORDER BY r.key LIMIT $3"},
    [LIST_TYPE] = {"SELECT " COLUMNS " FROM api.resource r WHERE r.subscription = $5"
                   " AND r.type_key = $6 AND r.key > $1 AND r.key < $2"
                   " AND (r.tracked OR NOT $4) AND ($7::text IS NULL OR strpos(r.key, $7) > 0)"
                   " ORDER BY r.key LIMIT $3"},
    [LIST_NAME] = {"SELECT " COLUMNS " FROM api.resource r WHERE r.subscription = $5"
                   " AND r.name_key = $6 AND r.key > $1 AND r.key < $2"
                   " AND (r.tracked OR NOT $4) ORDER BY r.key LIMIT $3"},
    [COUNT] = {"SELECT min(type) AS type, count(*) AS n,"
               " count(*) FILTER (WHERE state = 'Failed') AS failed FROM api.resource"
               " WHERE subscription = $1 AND tracked GROUP BY type_key"},
    [FIND_NAME] = {"SELECT " COLUMNS " FROM api.resource r WHERE r.type_key = lower($1)"
                   " AND r.name_key = lower($2) LIMIT 1"},
    [REKEY] = {"UPDATE api.resource SET key = $2 || substr(key, length($1) + 1),"
               "  id = $3 || substr(id, length($1) + 1), subscription = $4, group_key = $5,"
               "  group_name = $6, changed = now(), version = version + 1"
               " WHERE key = $1 OR (key > $1 || '/' AND key < $1 || '0')"},
    {0},
};

void resource_store_start(void)
{
    db_register(stmts);
}

/* ---- rows ---- */

static const char *provider_name(struct op *op, const char *full_type)
{
    return arena_strndup(&op->arena, full_type, strcspn(full_type, "/"));
}

static struct resource from_row(struct op *op, const struct db_rows *rows)
{
    struct resource r = {
        .id = db_text(rows, "id"),
        .key = db_text(rows, "key"),
        .subscription = db_text(rows, "subscription"),
        .group = db_text(rows, "group_name"),
        .type = db_text(rows, "type"),
        .name = db_text(rows, "name"),
        .location = db_text(rows, "location"),
        .tags = db_text(rows, "tags"),
        .sku = db_text(rows, "sku"),
        .identity = db_text(rows, "identity"),
        .kind = db_text(rows, "kind"),
        .managed_by = db_text(rows, "managed_by"),
        .state = db_text(rows, "state"),
        .created = db_text(rows, "created"),
        .created_by = db_text(rows, "created_by"),
        .created_by_kind = db_text(rows, "created_by_kind"),
        .changed = db_text(rows, "changed"),
        .changed_by = db_text(rows, "changed_by"),
        .changed_by_kind = db_text(rows, "changed_by_kind"),
        .version = db_int(rows, "version"),
    };

    r.provider = provider_name(op, r.type);
    return r;
}

static const char *group_key(struct op *op, const struct resource_id *id)
{
    return id_lower(op, arena_printf(&op->arena, "/subscriptions/%s/resourcegroups/%s",
                                     id->subscription, id->group ? id->group : ""));
}

static enum fault no_group(struct op *op, const struct resource_id *id)
{
    return fail_on(op, "ResourceGroupNotFound", NOT_FOUND,
                   "Resource group '%s' could not be found.", id->group ? id->group : "");
}

static enum fault missing(struct op *op, const struct resource_id *id)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[HAS_GROUP], &rows, DB_TEXT(group_key(op, id))));
    if (!db_next(&rows))
        return no_group(op, id);
    (void)db_int(&rows, "yes");
    return arm_not_found(op, id);
}

static enum fault get(struct op *op, int stmt, const struct resource_id *id, struct resource *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[stmt], &rows, DB_TEXT(id->key)));
    if (!db_next(&rows))
        return missing(op, id);
    *ret = from_row(op, &rows);
    return OK;
}

enum fault resource_get(struct op *op, const struct resource_id *id, struct resource *ret)
{
    return get(op, GET_ONE, id, ret);
}

enum fault resource_get_for_update(struct op *op, const struct resource_id *id,
                                   struct resource *ret)
{
    return get(op, GET_LOCKED, id, ret);
}

/* ---- writing ---- */

struct place {
    const char *group_name, *parent_id;
};

static enum fault check_place(struct op *op, const struct resource_id *id, struct place *ret)
{
    const struct provider *provider = provider_find(id->provider);
    const char *registration, *state;
    struct db_rows rows;

    TRY(db_query(op, &stmts[PLACE], &rows, DB_TEXT(group_key(op, id)), DB_TEXT(id->subscription),
                 DB_TEXT(id_lower(op, id->provider)), DB_TEXT(id_lower(op, id->parent))));
    if (!db_next(&rows))
        return no_group(op, id);
    state = db_text(&rows, "state");
    registration = db_text(&rows, "registration");
    *ret = (struct place){db_text(&rows, "name"), db_text(&rows, "parent_id")};
    if (strcmp(state, "Deleting") == 0)
        return fail_on(op, "ResourceGroupBeingDeleted", CONFLICT,
                       "The resource group '%s' is in deprovisioning state and cannot perform this "
                       "operation.",
                       ret->group_name);
    if (registration ? strcmp(registration, "Registered") != 0 : provider && provider->not_built) {
        trace_mend(op, "az provider register --namespace %s", shell_word(op, id->provider));
        return fail_on(op, "MissingSubscriptionRegistration", CONFLICT,
                       "The subscription is not registered to use namespace '%s'. See "
                       "https://aka.ms/rps-not-found for how to register subscriptions.",
                       id->provider);
    }
    return OK;
}

/* The id as we spell it: the group's and the parent's names as they were made. */
static const char *spell_id(struct op *op, const struct resource_id *id, const struct place *place,
                            const char *full_type)
{
    const char *type = full_type + strcspn(full_type, "/") + 1, *names = id->names;
    struct text out;

    if (place->parent_id)
        return arena_printf(&op->arena, "%s/%s/%s", place->parent_id, strrchr(type, '/') + 1,
                            id->name);
    text_init(&out, &op->arena, ID_MAX_BYTES * 2);
    text_printf(&out, "/subscriptions/%s/resourceGroups/%s/providers/%s", id->subscription,
                place->group_name, provider_name(op, full_type));
    while (*type && *names) {
        size_t type_len = strcspn(type, "/"), name_len = strcspn(names, "/");

        text_printf(&out, "/%.*s/%.*s", (int)type_len, type, (int)name_len, names);
        type += type_len + (type[type_len] == '/');
        names += name_len + (names[name_len] == '/');
    }
    return out.data;
}

/* One was just added to the group, and to its subscription: is that more than the quotas allow? */
static enum fault check_count(struct op *op, const struct resource_id *id, const char *type,
                              bool is_new_to_all)
{
    const struct quota *of_all = is_new_to_all ? quota_for_type(type) : NULL;
    int64_t limit = quota_limit(op, id->subscription, &quota_of_type);
    int64_t limit_all = of_all ? quota_limit(op, id->subscription, of_all) : 0;
    int64_t in_group, in_all;
    struct db_rows rows;

    TRY(db_query(op, &stmts[COUNT_TYPE], &rows, DB_TEXT(group_key(op, id)), DB_TEXT(type),
                 DB_TEXT(of_all ? id->subscription : NULL)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "a count gives no row");
    in_group = db_int(&rows, "in_group");
    in_all = db_int(&rows, "in_all");
    if (in_group > limit)
        return fail_on(op, "ResourceQuotaExceeded", CONFLICT,
                       "The resource group '%s' may hold %lld resources of type '%s', its "
                       "subscription's quota '%s', and does.",
                       id->group, (long long)limit, type, quota_of_type.name);
    if (of_all && in_all > limit_all)
        return fail_on(op, "QuotaExceeded", CONFLICT,
                       "The subscription '%s' may hold %lld resources of type '%s', its quota "
                       "'%s', and does.",
                       id->subscription, (long long)limit_all, type, of_all->name);
    return OK;
}

static enum fault other_location(struct op *op, const struct resource_id *id, const char *wanted)
{
    struct resource now;

    TRY(resource_get(op, id, &now));
    return arm_fail_at(op, "InvalidResourceLocation", CONFLICT, "location",
                       "The resource '%s' already exists in location '%s' in resource group '%s'. "
                       "A resource with the same name cannot be created in location '%s'. Please "
                       "select a new resource name.",
                       now.name, now.location, now.group, wanted);
}

/* by, by_kind: as systemData says who wrote it. */
static enum fault put(struct op *op, const char *by, const char *by_kind,
                      const struct resource_id *id, const struct resource *wanted,
                      struct resource *ret_now, bool *ret_created)
{
    const struct resource_type *known = resource_type_find(id->full_type);
    const char *type = full_type_spelled(op, id->full_type);
    struct place place = {0};
    struct db_rows rows;

    TRY(check_place(op, id, &place));
    TRY(db_query(op, &stmts[PUT_ONE], &rows, DB_TEXT(id->key),
                 DB_TEXT(spell_id(op, id, &place, type)), DB_TEXT(id->subscription),
                 DB_TEXT(group_key(op, id)), DB_TEXT(place.group_name), DB_TEXT(type),
                 DB_TEXT(id->name), DB_BOOL(known && known->tracked), DB_TEXT(wanted->location),
                 DB_TEXT(wanted->tags ? wanted->tags : "{}"), DB_TEXT(wanted->sku),
                 DB_TEXT(wanted->identity), DB_TEXT(wanted->kind), DB_TEXT(wanted->managed_by),
                 DB_TEXT(wanted->state ? wanted->state : "Succeeded"), DB_TEXT(by),
                 DB_TEXT(by_kind)));
    if (!db_next(&rows))
        return other_location(op, id, wanted->location);
    *ret_now = from_row(op, &rows);
    *ret_created = db_bool(&rows, "is_new");
    return *ret_created ? check_count(op, id, type, true) : OK;
}

enum fault resource_put(struct call *c, const struct resource_id *id, const struct resource *wanted,
                        struct resource *ret_now, bool *ret_created)
{
    return put(&c->op, arm_who_name(c), arm_who_kind(c), id, wanted, ret_now, ret_created);
}

enum fault resource_put_own(struct op *op, const struct resource_id *id,
                            const struct resource *wanted, struct resource *ret_now)
{
    bool created;

    return put(op, "sundog", "Application", id, wanted, ret_now, &created);
}

enum fault resource_set_state(struct op *op, const char *key, const char *state)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[SET_STATE], &rows, DB_TEXT(key), DB_TEXT(state)));
    if (!rows.affected)
        return fail_on(op, "ResourceNotFound", NOT_FOUND, "The Resource '%s' was not found.", key);
    return OK;
}

enum fault resource_patch(struct call *c, const struct resource_id *id, const struct resource *part,
                          struct resource *ret_now)
{
    struct op *op = &c->op;
    struct db_rows rows;

    TRY(db_query(op, &stmts[PATCH_ONE], &rows, DB_TEXT(id->key), DB_TEXT(part->tags),
                 DB_TEXT(part->sku), DB_TEXT(part->identity), DB_TEXT(part->kind),
                 DB_TEXT(part->managed_by), DB_TEXT(part->state), DB_TEXT(arm_who_name(c)),
                 DB_TEXT(arm_who_kind(c))));
    if (!db_next(&rows))
        return missing(op, id);
    *ret_now = from_row(op, &rows);
    return OK;
}

enum fault resource_delete(struct op *op, const struct resource_id *id, bool *ret_existed)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DELETE_ALL], &rows, DB_TEXT(id->key)));
    *ret_existed = rows.affected > 0;
    if (!rows.affected)
        return OK;
    TRY(lock_delete_below(op, id->key));
    TRY(meter_delete(op, id->key));
    return role_assignment_delete_below(op, id->key);
}

enum fault resource_deleted(struct op *op, const struct resource_id *id)
{
    meter_forget(id->key);
    return resource_reload(op);
}

enum fault resource_reload(struct op *op)
{
    cache_changed_all();
    TRY(lock_reload(op));
    return role_reload(op);
}

enum fault resource_rekey(struct op *op, const struct resource *r, const struct resource_id *to,
                          const char *group_name, const char **ret_id)
{
    const char *tail = strstr(r->key, "/providers/");
    const char *id = arena_printf(&op->arena, "/subscriptions/%s/resourceGroups/%s%s",
                                  to->subscription, group_name, r->id + (tail - r->key));
    const char *to_group = group_key(op, to);

    *ret_id = id;
    TRY(db_query(op, &stmts[REKEY], NULL, DB_TEXT(r->key), DB_TEXT(id_lower(op, id)), DB_TEXT(id),
                 DB_TEXT(to->subscription), DB_TEXT(to_group), DB_TEXT(group_name)));
    TRY(meter_rekey(op, r->key, id_lower(op, id)));
    return check_count(op, to, r->type, strcmp(r->subscription, to->subscription) != 0);
}

/* ---- lists ---- */

static const char *prefix_of(struct op *op, const struct resource_filter *f)
{
    if (f->parent)
        return f->parent;
    if (f->group)
        return id_lower(op, arena_printf(&op->arena, "/subscriptions/%s/resourcegroups/%s",
                                         f->subscription, f->group));
    return arena_printf(&op->arena, "/subscriptions/%s", f->subscription);
}

enum fault resource_list(struct op *op, const struct resource_filter *f, struct resource **ret,
                         size_t *ret_n)
{
    const char *prefix = prefix_of(op, f);
    const char *low = arena_printf(&op->arena, "%s/", prefix);
    const char *high = arena_printf(&op->arena, "%s0", prefix);
    const char *within = f->within ? id_lower(op, f->within) : NULL;
    struct db_rows rows;
    size_t n = 0;

    if (f->last && strcmp(f->last, low) > 0)
        low = f->last;
    if (f->name)
        TRY(db_query(op, &stmts[LIST_NAME], &rows, DB_TEXT(low), DB_TEXT(high), DB_INT(f->limit),
                     DB_BOOL(f->tracked_only), DB_TEXT(f->subscription),
                     DB_TEXT(id_lower(op, f->name))));
    else if (f->type)
        TRY(db_query(op, &stmts[LIST_TYPE], &rows, DB_TEXT(low), DB_TEXT(high), DB_INT(f->limit),
                     DB_BOOL(f->tracked_only), DB_TEXT(f->subscription),
                     DB_TEXT(id_lower(op, f->type)), DB_TEXT(within)));
    else
        TRY(db_query(op, &stmts[LIST_RANGE], &rows, DB_TEXT(low), DB_TEXT(high), DB_INT(f->limit),
                     DB_BOOL(f->tracked_only), DB_TEXT(within)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = from_row(op, &rows);
    *ret_n = n;
    return OK;
}

enum fault resource_count(struct op *op, const char *subscription, struct resource_count **ret,
                          size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[COUNT], &rows, DB_TEXT(subscription)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = (struct resource_count){db_text(&rows, "type"), db_int(&rows, "n"),
                                              db_int(&rows, "failed")};
    *ret_n = n;
    return OK;
}

enum fault resource_find_name(struct op *op, const char *type, const char *name,
                              struct resource *ret, bool *ret_found)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[FIND_NAME], &rows, DB_TEXT(type), DB_TEXT(name)));
    *ret_found = db_next(&rows);
    if (*ret_found)
        *ret = from_row(op, &rows);
    return OK;
}
