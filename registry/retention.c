#include "registry/retention.h"

#include "core/db.h"
#include "core/metrics.h"
#include "registry/hot.h"
#include "registry/manifest.h"
#include "registry/webhook.h"

#define AT_ONCE 500
#define A_ROUND 20000
#define UNWANTED                                                                                   \
    " m.subject IS NULL AND NOT EXISTS (SELECT FROM registry.tag t"                                \
    "  WHERE t.repository_id = m.repository_id AND t.digest = m.digest)"                           \
    " AND NOT EXISTS (SELECT FROM registry.manifest_child c"                                       \
    "  WHERE c.repository_id = m.repository_id AND c.child = m.digest)"
#define OF_RETAINING " r.id = m.repository_id AND g.id = r.registry_id AND g.retention"

enum { MARK, DUE, HOLD };
static const struct db_stmt stmts[] = {
    [MARK] = {"UPDATE registry.manifest m SET untagged_since = now()"
              " FROM registry.repository r, registry.registry g WHERE" OF_RETAINING
              " AND m.untagged_since IS NULL AND" UNWANTED},
    [DUE] = {"SELECT m.repository_id, m.digest, r.name, r.registry_id FROM registry.manifest m,"
             " registry.repository r, registry.registry g WHERE" OF_RETAINING
             " AND m.untagged_since IS NOT NULL"
             " AND greatest(m.untagged_since, g.retention_updated)"
             "  <= now() - make_interval(days => g.retention_days)"
             " AND m.delete_enabled AND m.write_enabled AND r.delete_enabled AND r.write_enabled"
             " AND" UNWANTED " ORDER BY m.untagged_since LIMIT $1"},
    /* whoever tags it clears the mark, and we wait for him here */
    [HOLD] = {"SELECT digest FROM registry.manifest m WHERE m.repository_id = $1 AND m.digest = $2"
              " AND m.untagged_since IS NOT NULL AND" UNWANTED " FOR UPDATE"},
    {0},
};

static struct metric deleted = {"sundog_retention_deleted_total",
                                "untagged manifests deleted by retention policies", "counter"};

void retention_store_start(void)
{
    db_register(stmts);
    metric_register(&deleted);
}

static enum fault delete_held(struct op *op, const struct registry *registry, int64_t repository_id,
                              const char *repository, const char *digest)
{
    struct webhook_target target = {.repository = repository, .digest = digest};
    struct db_rows rows;

    TRY(db_query(op, &stmts[HOLD], &rows, DB_INT(repository_id), DB_TEXT(digest)));
    if (!db_next(&rows))
        return OK;
    digest = db_text(&rows, "digest");
    TRY(manifest_delete(op, repository_id, digest, &target.media_type));
    TRY(webhook_event(op, registry, WEBHOOK_DELETE, &target, NULL));
    atomic_fetch_add(&deleted.value, 1);
    return OK;
}

static enum fault delete_one(struct op *op, const struct db_rows *due)
{
    int64_t registry_id = db_int(due, "registry_id");
    const struct registry *registry = registry_find_id(op, registry_id);
    const char *repository = db_text(due, "name"), *digest = db_text(due, "digest");
    int64_t repository_id = db_int(due, "repository_id");
    enum fault fault;

    if (!registry)
        return OK;
    TRY(db_begin(op));
    fault = delete_held(op, registry, repository_id, repository, digest);
    if (fault == OK)
        fault = db_commit(op);
    else
        db_rollback(op);
    hot_changed(registry_id, repository);
    if (fault == FORBIDDEN || fault == NOT_FOUND) { /* locked or deleted meanwhile */
        op_clear_fault(op);
        return OK;
    }
    return fault;
}

enum fault retention_round(struct op *op)
{
    struct db_rows due;
    int seen = 0, n;

    TRY(db_query(op, &stmts[MARK], NULL));
    do {
        TRY(db_query(op, &stmts[DUE], &due, DB_INT(AT_ONCE)));
        n = PQntuples(due.result);
        while (db_next(&due))
            TRY(delete_one(op, &due));
        seen += n;
    } while (n == AT_ONCE && seen < A_ROUND);
    webhook_wake();
    return OK;
}
