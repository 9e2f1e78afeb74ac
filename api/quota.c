#include "api/quota.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/db.h"
#include "core/hub.h"
#include "core/seal.h"
#include "core/snapshot.h"
#include "instances/group.h"

#define REQUEST "number, id, name, location, value, who, api.iso(at) AS at"

enum {
    SELECT_ALL,
    SET,
    ADD_REQUEST,
    FORGET_REQUESTS,
    LIST_REQUESTS,
    GET_REQUEST,
    COUNT_GROUPS,
    COUNT_FULLEST,
    COUNT_TYPE,
};
static const struct db_stmt stmts[] = {
    [SELECT_ALL] = {"SELECT subscription, provider, name, value FROM api.quota"
                    " ORDER BY subscription, provider, name"},
    [SET] = {"INSERT INTO api.quota (subscription, provider, name, value) VALUES ($1, $2, $3, $4)"
             " ON CONFLICT (subscription, provider, name) DO UPDATE SET value = excluded.value"},
    [ADD_REQUEST] = {"INSERT INTO api.quota_request (id, subscription, provider, name, location,"
                     "  value, who) VALUES ($1, $2, $3, $4, $5, $6, $7)"
                     " RETURNING number, api.iso(at) AS at"},
    [FORGET_REQUESTS] = {"DELETE FROM api.quota_request WHERE at < now() - interval '1 year'"},
    [LIST_REQUESTS] = {"SELECT " REQUEST " FROM api.quota_request WHERE subscription = $1"
                       " AND provider = $2 AND ($3::bigint = 0 OR number < $3)"
                       " ORDER BY number DESC LIMIT $4"},
    [GET_REQUEST] = {"SELECT " REQUEST " FROM api.quota_request WHERE subscription = $1"
                     " AND provider = $2 AND id = $3"},
    [COUNT_GROUPS] = {"SELECT count(*) AS n FROM api.resource_group WHERE subscription = $1"
                      " AND $2::text IS NULL"},
    [COUNT_FULLEST] = {"SELECT coalesce(max(held), 0) AS n FROM (SELECT count(*) AS held"
                       " FROM api.resource WHERE subscription = $1 AND $2::text IS NULL"
                       " GROUP BY group_key, type_key) AS t"},
    [COUNT_TYPE] = {"SELECT count(*) AS n FROM api.resource"
                    " WHERE subscription = $1 AND type_key = $2"},
    {0},
};

const struct quota quota_groups = {.provider = "Microsoft.Resources",
                                   .name = "resourceGroups",
                                   .display = "Resource Groups",
                                   .standard = 980,
                                   .most = 20000,
                                   .counted = &stmts[COUNT_GROUPS]};
const struct quota quota_of_type = {.provider = "Microsoft.Resources",
                                    .name = "resourcesPerTypePerResourceGroup",
                                    .display = "Resources of One Type per Resource Group",
                                    .standard = 800,
                                    .most = 20000,
                                    .counted = &stmts[COUNT_FULLEST]};
static const struct quota registries = {.provider = "Microsoft.ContainerRegistry",
                                        .name = "registries",
                                        .display = "Registries",
                                        .type = "Microsoft.ContainerRegistry/registries",
                                        .standard = 5000,
                                        .most = 100000,
                                        .counted = &stmts[COUNT_TYPE]};
static const struct quota container_groups = {.provider = "Microsoft.ContainerInstance",
                                              .name = "ContainerGroups",
                                              .display = "Container Groups",
                                              .type = "Microsoft.ContainerInstance/containerGroups",
                                              .standard = 100,
                                              .most = 10000,
                                              .counted = &stmts[COUNT_TYPE]};

static enum fault cores_used(struct op *op, const char *subscription, int64_t *ret)
{
    int64_t groups, millis;

    TRY(container_group_usage(op, subscription, &groups, &millis));
    *ret = (millis + 999) / 1000;
    return OK;
}

const struct quota quota_cores = {.provider = "Microsoft.ContainerInstance",
                                  .name = "StandardCores",
                                  .display = "Standard SKU Cores",
                                  .standard = 100,
                                  .most = 10000,
                                  .used = cores_used};
const struct quota *const quotas[] = {&quota_groups,     &quota_of_type, &registries,
                                      &container_groups, &quota_cores,   NULL};

const struct quota *quota_find(const char *provider, const char *name)
{
    for (const struct quota *const *q = quotas; *q; q++)
        if (strcasecmp((*q)->provider, provider) == 0 && strcasecmp((*q)->name, name) == 0)
            return *q;
    return NULL;
}

const struct quota *quota_for_type(const char *full_type)
{
    for (const struct quota *const *q = quotas; *q; q++)
        if ((*q)->type && strcasecmp((*q)->type, full_type) == 0)
            return *q;
    return NULL;
}

/* ---- what differs, in memory: sorted as the primary key ---- */

struct row {
    const char *subscription, *provider, *name;
    int64_t value;
};
struct all {
    struct row *rows;
    size_t n;
};

static enum fault load(struct op *op, void **ret)
{
    struct all *all = arena_alloc(&op->arena, sizeof(*all));
    struct db_rows rows;

    TRY(db_query(op, &stmts[SELECT_ALL], &rows));
    all->rows = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*all->rows));
    while (db_next(&rows))
        all->rows[all->n++] = (struct row){
            .subscription = db_text(&rows, "subscription"),
            .provider = db_text(&rows, "provider"),
            .name = db_text(&rows, "name"),
            .value = db_int(&rows, "value"),
        };
    *ret = all;
    return OK;
}

static struct snapshot_slot slot = SNAPSHOT_SLOT(load);

static void heard(const char *payload)
{
    (void)payload;
    snapshot_reload_alone(&slot);
}

enum fault quota_start(struct op *op)
{
    db_register(stmts);
    hub_listen("api-quota", heard);
    return quota_reload(op);
}

enum fault quota_reload(struct op *op)
{
    return snapshot_reload(op, &slot);
}

void quota_stop(void)
{
    snapshot_drop(&slot);
}

/* Rows are in lower case, as ASCII sorts: so does strcasecmp. */
static int compare(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int order = strcmp(a->subscription, b->subscription);

    if (!order)
        order = strcasecmp(a->provider, b->provider);
    return order ? order : strcasecmp(a->name, b->name);
}

int64_t quota_limit(struct op *op, const char *subscription, const struct quota *quota)
{
    const struct row wanted = {subscription, quota->provider, quota->name, 0}, *found = NULL;
    const struct all *all = snapshot_hold(op, &slot);

    if (all && all->n)
        found = bsearch(&wanted, all->rows, all->n, sizeof(wanted), compare);
    return found ? found->value : quota->standard;
}

/* ---- rows ---- */

enum fault quota_usage(struct op *op, const char *subscription, const struct quota *quota,
                       int64_t *ret)
{
    struct db_rows rows;

    if (quota->used)
        return quota->used(op, subscription, ret);
    TRY(db_query(op, quota->counted, &rows, DB_TEXT(subscription),
                 DB_TEXT(quota->type ? id_lower(op, quota->type) : NULL)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "a count gives no row");
    *ret = db_int(&rows, "n");
    return OK;
}

enum fault quota_set(struct op *op, const char *subscription, const struct quota *quota,
                     struct quota_request *request)
{
    const char *provider = id_lower(op, quota->provider), *name = id_lower(op, quota->name);
    struct db_rows rows;
    char id[37];

    random_uuid(id);
    request->id = arena_strdup(&op->arena, id);
    request->name = name;
    TRY(db_query(op, &stmts[SET], NULL, DB_TEXT(subscription), DB_TEXT(provider), DB_TEXT(name),
                 DB_INT(request->value)));
    TRY(db_query(op, &stmts[FORGET_REQUESTS], NULL));
    TRY(db_query(op, &stmts[ADD_REQUEST], &rows, DB_TEXT(id), DB_TEXT(subscription),
                 DB_TEXT(provider), DB_TEXT(name), DB_TEXT(request->location),
                 DB_INT(request->value), DB_TEXT(request->who)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "the quota request has no row");
    request->number = db_int(&rows, "number");
    request->at = db_text(&rows, "at");
    return hub_notify(op, "api-quota", "");
}

static struct quota_request from_row(const struct db_rows *rows)
{
    return (struct quota_request){
        .number = db_int(rows, "number"),
        .id = db_text(rows, "id"),
        .name = db_text(rows, "name"),
        .location = db_text(rows, "location"),
        .value = db_int(rows, "value"),
        .who = db_text(rows, "who"),
        .at = db_text(rows, "at"),
    };
}

enum fault quota_requests(struct op *op, const char *subscription, const char *provider,
                          int64_t before, int64_t limit, struct quota_request **ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[LIST_REQUESTS], &rows, DB_TEXT(subscription),
                 DB_TEXT(id_lower(op, provider)), DB_INT(before), DB_INT(limit)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = from_row(&rows);
    *ret_n = n;
    return OK;
}

enum fault quota_request_get(struct op *op, const char *subscription, const char *provider,
                             const char *id, struct quota_request *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[GET_REQUEST], &rows, DB_TEXT(subscription),
                 DB_TEXT(id_lower(op, provider)), DB_TEXT(id_lower(op, id))));
    if (!db_next(&rows))
        return fail_on(op, "QuotaRequestNotFound", NOT_FOUND,
                       "The quota request '%.60s' could not be found.", id);
    *ret = from_row(&rows);
    return OK;
}
