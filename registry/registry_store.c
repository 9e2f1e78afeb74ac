#include "registry/registry_store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/db.h"
#include "core/hub.h"
#include "core/seal.h"
#include "registry/lines.h"
#include "registry/webhook.h"

/* The switches in one number: there may be 100 000 rows, and columns are found by name. */
#define FLAGS                                                                                      \
    "(admin_enabled::int << 0) | (anonymous_pull::int << 1) | (public_access::int << 2)"           \
    " | (deny::int << 3) | (quarantine::int << 4) | (retention::int << 5)"                         \
    " | (arm_tokens::int << 6) | (abac::int << 7) | (export_enabled::int << 8)"                    \
    " | (trust::int << 9) | (data_endpoint::int << 10) | (zone_redundant::int << 11)"              \
    " | (bypass_trusted::int << 12) | (sku << 13) AS flags"
/* Enabled webhooks, a line each: id, actions, scope. */
#define WEBHOOKS                                                                                   \
    "(SELECT registry_id, string_agg(id || ' ' || actions || ' ' || scope, E'\\n') AS webhooks"    \
    " FROM registry.webhook WHERE enabled GROUP BY registry_id) w"
#define COLUMNS                                                                                    \
    "SELECT r.id, name, r.scope, " FLAGS ", retention_days, admin_password1, admin_password2,"     \
    " version, array_to_string(ip_rules, E'\\n') AS ip_rules, w.webhooks,"                         \
    " registry.us(created) AS created, registry.us(updated) AS updated,"                           \
    " registry.us(retention_updated) AS retention_updated FROM registry.registry r"                \
    " LEFT JOIN " WEBHOOKS " ON w.registry_id = r.id"
/* No name of ours: what containers pull from elsewhere (import_hidden.c). Nobody can name these. */
#define HIDDEN  "starts_with(name, '_')"
#define TOUCHED " version = version + 1, updated = now() WHERE id = $1 RETURNING version"

enum {
    SELECT_ALL,
    SELECT_ONE,
    INSERT,
    TOUCH,
    HOLD,
    SET,
    SET_SCOPE,
    SET_PASSWORD1,
    SET_PASSWORD2,
    DELETE_ROW,
    EXISTS,
    WITHOUT_SCOPE,
    USAGE,
};
static const struct db_stmt stmts[] = {
    [SELECT_ALL] = {COLUMNS " WHERE NOT " HIDDEN},
    [SELECT_ONE] = {"SELECT r.id, name, r.scope, " FLAGS
                    ", retention_days, admin_password1, admin_password2, version,"
                    " array_to_string(ip_rules, E'\\n') AS ip_rules,"
                    " (SELECT string_agg(w.id || ' ' || w.actions || ' ' || w.scope, E'\\n')"
                    " FROM registry.webhook w WHERE w.registry_id = r.id AND w.enabled) AS"
                    " webhooks, registry.us(created) AS created, registry.us(updated) AS updated,"
                    " registry.us(retention_updated) AS retention_updated"
                    " FROM registry.registry r WHERE r.id = $1 AND NOT " HIDDEN},
    [INSERT] = {"INSERT INTO registry.registry (name, scope) VALUES (lower($1), $2)"
                " ON CONFLICT (name) DO NOTHING RETURNING id"},
    [TOUCH] = {"UPDATE registry.registry SET" TOUCHED},
    [HOLD] = {"SELECT sku FROM registry.registry WHERE id = $1 FOR NO KEY UPDATE"},
    [SET] =
        {"UPDATE registry.registry SET sku = $2, admin_enabled = $3, anonymous_pull = $4,"
         " public_access = $5, deny = $6, ip_rules = $7::text[], quarantine = $8,"
         " retention_updated = CASE WHEN retention = $9 AND retention_days = $10"
         " THEN retention_updated ELSE now() END, retention = $9, retention_days = $10,"
         " arm_tokens = $11, abac = $12, export_enabled = $13, trust = $14, data_endpoint = $15,"
         " zone_redundant = $16, bypass_trusted = $17," TOUCHED},
    [SET_SCOPE] = {"UPDATE registry.registry SET scope = $2," TOUCHED},
    [SET_PASSWORD1] = {"UPDATE registry.registry SET admin_password1 = $2," TOUCHED},
    [SET_PASSWORD2] = {"UPDATE registry.registry SET admin_password2 = $2," TOUCHED},
    [DELETE_ROW] = {"DELETE FROM registry.registry WHERE id = $1"},
    [EXISTS] = {"SELECT id FROM registry.registry WHERE name = lower($1)"},
    [WITHOUT_SCOPE] = {"SELECT name FROM registry.registry WHERE scope IS NULL AND NOT " HIDDEN
                       " ORDER BY name"},
    [USAGE] = {"WITH m AS (SELECT count(*) AS n, coalesce(sum(m.size), 0) AS bytes"
               "  FROM registry.manifest m JOIN registry.repository r ON r.id = m.repository_id"
               "  WHERE r.registry_id = $1),"
               " l AS (SELECT l.digest, count(*) AS n FROM registry.repository_blob l"
               "  JOIN registry.repository r ON r.id = l.repository_id WHERE r.registry_id = $1"
               "  GROUP BY l.digest),"
               " b AS (SELECT count(*) AS n, coalesce(sum(b.size), 0) AS bytes,"
               "  coalesce(sum(l.n), 0) AS links, coalesce(sum(b.size * l.n), 0) AS linked"
               "  FROM l JOIN registry.blob b USING (digest))"
               " SELECT (SELECT count(*) FROM registry.repository WHERE registry_id = $1)"
               " AS repositories, m.n AS manifests,"
               " (SELECT count(*) FROM registry.tag t JOIN registry.repository r"
               "  ON r.id = t.repository_id WHERE r.registry_id = $1)"
               " AS tags, b.n AS blobs, m.bytes + b.bytes AS bytes,"
               " b.links, b.linked, b.bytes AS blob_bytes,"
               " (SELECT count(*) FROM registry.webhook WHERE registry_id = $1) AS webhooks,"
               " (SELECT count(*) FROM registry.scope_map WHERE registry_id = $1) AS scope_maps,"
               " (SELECT count(*) FROM registry.token WHERE registry_id = $1) AS tokens"
               " FROM m, b"},
    {0},
};

void registry_store_start(void)
{
    db_register(stmts);
}

static const char *label(struct op *op, int64_t id, int which)
{
    return arena_printf(&op->arena, "registry/admin/%lld/%d", (long long)id, which + 1);
}

const char *registry_password(struct op *op, const struct registry *registry, int which)
{
    struct bytes plain, sealed = registry->passwords[which];

    if (!sealed.data)
        return NULL;
    if (unseal(op, label(op, registry->id, which), sealed, &plain) != OK) {
        op_clear_fault(op);
        return NULL;
    }
    return plain.data;
}

/* ---- rows ---- */

/* 2026-11-20T12:00:00.1234560Z, made here: to_char costs more than all the rest of a row. */
static const char *iso(struct op *op, int64_t us)
{
    time_t s = (time_t)(us / 1000000);
    char buf[32];
    struct tm tm;

    strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &tm));
    return arena_printf(&op->arena, "%s.%06d0Z", buf, (int)(us % 1000000));
}

static void options_from_row(const struct db_rows *rows, struct registry_options *o)
{
    int64_t flags = db_int(rows, "flags");

    o->admin_enabled = flags & 1;
    o->anonymous_pull = flags & 1 << 1;
    o->public_access = flags & 1 << 2;
    o->deny = flags & 1 << 3;
    o->quarantine = flags & 1 << 4;
    o->retention = flags & 1 << 5;
    o->arm_tokens = flags & 1 << 6;
    o->abac = flags & 1 << 7;
    o->export_enabled = flags & 1 << 8;
    o->trust = flags & 1 << 9;
    o->data_endpoint = flags & 1 << 10;
    o->zone_redundant = flags & 1 << 11;
    o->bypass_trusted = flags & 1 << 12;
    o->sku = (enum sku)(flags >> 13);
    o->retention_days = db_int(rows, "retention_days");
}

static void webhooks_from_row(struct op *op, const char *text, struct registry *r)
{
    const char *const *lines = lines_split(op, text, &r->n_webhooks);
    struct webhook_filter *list = arena_alloc(&op->arena, (r->n_webhooks + 1) * sizeof(*list));
    char *end;

    for (size_t i = 0; i < r->n_webhooks; i++) {
        list[i].id = strtoll(lines[i], &end, 10);
        list[i].actions = (unsigned)strtoul(end, &end, 10);
        list[i].scope = *end ? end + 1 : end;
    }
    r->webhooks = list;
}

static void registry_from_row(struct op *op, struct db_rows *rows, struct registry *r)
{
    const char *webhooks = db_text(rows, "webhooks"), *ip_rules = db_text(rows, "ip_rules");

    *r = (struct registry){
        .id = db_int(rows, "id"),
        .name = db_text(rows, "name"),
        .scope = db_text(rows, "scope"),
        .passwords = {db_bytes(rows, "admin_password1"), db_bytes(rows, "admin_password2")},
        .created = iso(op, db_int(rows, "created")),
        .updated = iso(op, db_int(rows, "updated")),
        .retention_updated = iso(op, db_int(rows, "retention_updated")),
        .version = db_int(rows, "version"),
    };
    options_from_row(rows, &r->options);
    if (ip_rules && *ip_rules)
        r->options.ip_rules = lines_split(op, ip_rules, &r->options.n_ip_rules);
    if (webhooks)
        webhooks_from_row(op, webhooks, r);
}

enum fault registry_store_select(struct op *op, int64_t id, struct registry **ret_registries,
                                 size_t *ret_n)
{
    struct registry *registries;
    struct db_rows rows;
    size_t n = 0;

    if (id == EVERY_REGISTRY)
        TRY(db_query(op, &stmts[SELECT_ALL], &rows));
    else
        TRY(db_query(op, &stmts[SELECT_ONE], &rows, DB_INT(id)));
    registries =
        arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*registries));
    while (db_next(&rows))
        registry_from_row(op, &rows, &registries[n++]);
    *ret_registries = registries;
    *ret_n = n;
    return OK;
}

enum fault registry_store_exists(struct op *op, const char *name, bool *ret_exists)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[EXISTS], &rows, DB_TEXT(name)));
    *ret_exists = db_next(&rows);
    return OK;
}

/* ---- changes ---- */

/* "id version": whoever has that version already need not read it. */
static enum fault notify(struct op *op, int64_t id, int64_t version)
{
    return hub_notify(op, "registry",
                      arena_printf(&op->arena, "%lld %lld", (long long)id, (long long)version));
}

static enum fault touched(struct op *op, int64_t id, struct db_rows *rows)
{
    if (!db_next(rows))
        return fail_on(op, "registry", NOT_FOUND, "the registry does not exist");
    return notify(op, id, db_int(rows, "version"));
}

enum fault registry_store_insert(struct op *op, const char *name, const char *scope,
                                 const struct registry_options *options, int64_t *ret_id)
{
    struct db_rows rows;
    int64_t id;

    TRY(db_query(op, &stmts[INSERT], &rows, DB_TEXT(name), DB_TEXT(scope)));
    if (!db_next(&rows)) {
        *ret_id = 0;
        return OK;
    }
    id = db_int(&rows, "id");
    TRY(registry_store_set(op, id, options));
    *ret_id = id;
    return OK;
}

enum fault registry_store_touch(struct op *op, int64_t id)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[TOUCH], &rows, DB_INT(id)));
    return touched(op, id, &rows);
}

enum fault registry_store_hold(struct op *op, int64_t id, enum sku *ret_sku)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[HOLD], &rows, DB_INT(id)));
    if (!db_next(&rows))
        return fail_on(op, "registry", NOT_FOUND, "the registry does not exist");
    *ret_sku = (enum sku)db_int(&rows, "sku");
    return OK;
}

enum fault registry_store_set(struct op *op, int64_t id, const struct registry_options *o)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[SET], &rows, DB_INT(id), DB_INT(o->sku), DB_BOOL(o->admin_enabled),
                 DB_BOOL(o->anonymous_pull), DB_BOOL(o->public_access), DB_BOOL(o->deny),
                 DB_TEXTS(o->ip_rules, o->n_ip_rules), DB_BOOL(o->quarantine),
                 DB_BOOL(o->retention), DB_INT(o->retention_days), DB_BOOL(o->arm_tokens),
                 DB_BOOL(o->abac), DB_BOOL(o->export_enabled), DB_BOOL(o->trust),
                 DB_BOOL(o->data_endpoint), DB_BOOL(o->zone_redundant),
                 DB_BOOL(o->bypass_trusted)));
    return touched(op, id, &rows);
}

enum fault registry_store_set_scope(struct op *op, int64_t id, const char *scope)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[SET_SCOPE], &rows, DB_INT(id), DB_TEXT(scope)));
    return touched(op, id, &rows);
}

enum fault registry_store_set_password(struct op *op, int64_t id, int which, const char *password)
{
    struct bytes sealed = seal(op, label(op, id, which), BYTES(password));
    struct db_rows rows;

    TRY(db_query(op, &stmts[which ? SET_PASSWORD2 : SET_PASSWORD1], &rows, DB_INT(id),
                 DB_BYTES(sealed)));
    return touched(op, id, &rows);
}

enum fault registry_store_delete(struct op *op, int64_t id)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DELETE_ROW], &rows, DB_INT(id)));
    if (!rows.affected)
        return fail_on(op, "registry", NOT_FOUND, "the registry does not exist");
    return notify(op, id, INT64_MAX);
}

/* ---- lists and sums ---- */

enum fault registry_without_scope(struct op *op, const char ***ret_names, size_t *ret_n)
{
    struct db_rows rows;
    const char **names;
    size_t n = 0;

    TRY(db_query(op, &stmts[WITHOUT_SCOPE], &rows));
    names = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*names));
    while (db_next(&rows))
        names[n++] = db_text(&rows, "name");
    *ret_names = names;
    *ret_n = n;
    return OK;
}

enum fault registry_usage(struct op *op, int64_t id, struct registry_usage *ret_usage)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[USAGE], &rows, DB_INT(id)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "usage gave no row");
    *ret_usage = (struct registry_usage){
        .repositories = db_int(&rows, "repositories"),
        .manifests = db_int(&rows, "manifests"),
        .tags = db_int(&rows, "tags"),
        .blobs = db_int(&rows, "blobs"),
        .bytes = db_int(&rows, "bytes"),
        .links = db_int(&rows, "links"),
        .linked_bytes = db_int(&rows, "linked"),
        .blob_bytes = db_int(&rows, "blob_bytes"),
        .webhooks = db_int(&rows, "webhooks"),
        .scope_maps = db_int(&rows, "scope_maps"),
        .tokens = db_int(&rows, "tokens"),
    };
    return OK;
}
