#include "core/migrate.h"

#include <string.h>

#include "core/call.h"
#include "core/db.h"

/* "sundog" in ASCII: two `serve` on one database apply migrations one after the other. */
#define LOCK_SQL   "SELECT pg_advisory_lock(126943972912999)"
#define UNLOCK_SQL "SELECT pg_advisory_unlock(126943972912999)"

struct folder {
    const char *name;
    const struct migration *migrations;
};

#define FOLDERS_MAX 16

static size_t list_folders(const struct service *const *services, struct folder *folders)
{
    size_t n = 0;

    folders[n++] = (struct folder){"core", core_migrations};
    for (size_t i = 0; services[i] && n < FOLDERS_MAX; i++) {
        if (services[i]->migrations && services[i]->migrations != core_migrations)
            folders[n++] =
                (struct folder){services[i]->schema ? services[i]->schema : services[i]->name,
                                services[i]->migrations};
    }
    return n;
}

/* Outside the statement tables: those are prepared only when the schema is there. */
static enum fault select_rows(struct op *op, const char *sql, const char *const *values, int n,
                              struct db_rows *rows)
{
    PGresult *result = PQexecParams(db_pgconn(op->db), sql, n, NULL, values, NULL, NULL, 0);

    arena_defer(&op->arena, (void (*)(void *))PQclear, result);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        return fail(op, UNAVAILABLE, "the database: %s", PQresultErrorMessage(result));
    *rows = (struct db_rows){
        .op = op, .next_column = arena_alloc(&op->arena, sizeof(int)), .result = result, .row = -1};
    return OK;
}

static const struct migration *find(const struct folder *folders, size_t n, const char *folder,
                                    const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(folders[i].name, folder) != 0)
            continue;
        for (const struct migration *m = folders[i].migrations; m->name; m++) {
            if (strcmp(m->name, name) == 0)
                return m;
        }
    }
    return NULL;
}

/* The rows of core.migration, or none when there is no such table yet. */
static enum fault applied_rows(struct op *op, struct db_rows *rows)
{
    TRY(select_rows(op, "SELECT to_regclass('core.migration') IS NULL AS is_new", NULL, 0, rows));
    if (db_next(rows) && db_bool(rows, "is_new"))
        return select_rows(op, "SELECT '' AS folder, '' AS name, '' AS sha256 WHERE false", NULL, 0,
                           rows);
    return select_rows(op, "SELECT folder, name, sha256 FROM core.migration", NULL, 0, rows);
}

static enum fault check_applied(struct op *op, const struct folder *folders, size_t n,
                                struct db_rows rows)
{
    while (db_next(&rows)) {
        const char *folder = db_text(&rows, "folder"), *name = db_text(&rows, "name");
        const struct migration *ours = find(folders, n, folder, name);

        if (!ours)
            return fail(
                op, CONFLICT,
                "the database has the migration %s/%s, which this version does not know: it "
                "belongs to a newer one",
                folder, name);
        if (strcmp(ours->sha256, db_text(&rows, "sha256")) != 0)
            return fail(op, CONFLICT, "the migration %s/%s in the database differs from ours",
                        folder, name);
    }
    return OK;
}

static bool is_applied(struct db_rows rows, const char *folder, const char *name)
{
    while (db_next(&rows)) {
        if (strcmp(db_text(&rows, "folder"), folder) == 0 &&
            strcmp(db_text(&rows, "name"), name) == 0)
            return true;
    }
    return false;
}

static enum fault apply(struct op *op, const char *folder, const struct migration *migration)
{
    const char *const values[] = {folder, migration->name, migration->sha256};
    struct db_rows rows;
    enum fault fault;

    TRY(db_exec(op, "BEGIN"));
    fault = db_exec(op, migration->sql);
    if (fault == OK)
        fault =
            select_rows(op, "INSERT INTO core.migration (folder, name, sha256) VALUES ($1, $2, $3)",
                        values, 3, &rows);
    if (fault == OK)
        return db_exec(op, "COMMIT");
    if (db_pgconn(op->db))
        PQclear(PQexec(db_pgconn(op->db), "ROLLBACK"));
    return fail(op, fault, "the migration %s/%s failed: %s", folder, migration->name, op->message);
}

static enum fault apply_missing(struct op *op, const struct service *const *services)
{
    struct folder folders[FOLDERS_MAX];
    size_t n = list_folders(services, folders);
    struct db_rows rows;

    TRY(applied_rows(op, &rows));
    TRY(check_applied(op, folders, n, rows));
    for (size_t i = 0; i < n; i++) {
        for (const struct migration *m = folders[i].migrations; m->name; m++) {
            if (!is_applied(rows, folders[i].name, m->name))
                TRY(apply(op, folders[i].name, m));
        }
    }
    return OK;
}

enum fault migrate(struct op *op, const struct service *const *services)
{
    enum fault fault;

    TRY(db_exec(op, "SET statement_timeout = 0")); /* another serve may be at it for long */
    fault = db_exec(op, LOCK_SQL);
    if (fault == OK) {
        fault = apply_missing(op, services);
        if (db_pgconn(op->db))
            PQclear(PQexec(db_pgconn(op->db), UNLOCK_SQL "; SET statement_timeout = '30s'"));
    }
    return fault;
}
