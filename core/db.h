/*
 * PostgreSQL: one connection a thread, statements prepared once from tables, results read by
 * column name. A connection that breaks makes the op UNAVAILABLE and is opened again (with
 * back-off) before the next op; whatever transaction was open is gone as a whole.
 */
#ifndef SUNDOG_CORE_DB_H
#define SUNDOG_CORE_DB_H

#include <libpq-fe.h>

#include "core/op.h"

/* A row of a store's `static const struct db_stmt stmts[]`; the table ends with sql NULL. */
struct db_stmt {
    const char *sql; /* its address is its identity; the name is made from table and index */
};

/* ---- set-up ---- */

/* Once, before any connection: a libpq URL or "host=… dbname=…"; shared: others may use it too. */
void db_configure(const char *conninfo, bool shared);
bool db_is_shared(void);
/*
 * A statement table that connections prepare, each before its next query. Registering one twice is
 * fine; so is doing it after the migrations that its statements need.
 */
void db_register(const struct db_stmt *stmts);
/* Never fails: an unreachable server shows as UNAVAILABLE at first use. */
struct db *db_open(void);
void db_close(struct db *db);
/* Connect when not connected. OK, UNAVAILABLE (with the reason), or INTERNAL (a statement of ours
   does not prepare: a bug). */
enum fault db_check(struct op *op);

/* ---- queries; op->db must be set ---- */

enum db_kind { DB_END_KIND, DB_TEXT_KIND, DB_INT_KIND, DB_BYTES_KIND, DB_BOOL_KIND, DB_TEXTS_KIND };
struct db_param {
    enum db_kind kind;
    const char *text; /* DB_TEXT(NULL) is SQL NULL */
    int64_t integer;
    struct bytes bytes;
    const char *const *texts; /* a text[] of n */
    size_t n;
};
#define DB_TEXT(s)     ((struct db_param){.kind = DB_TEXT_KIND, .text = (s)})
#define DB_INT(i)      ((struct db_param){.kind = DB_INT_KIND, .integer = (i)})
#define DB_BOOL(b)     ((struct db_param){.kind = DB_BOOL_KIND, .integer = (b)})
#define DB_BYTES(b)    ((struct db_param){.kind = DB_BYTES_KIND, .bytes = (b)})
#define DB_TEXTS(a, k) ((struct db_param){.kind = DB_TEXTS_KIND, .texts = (a), .n = (k)})
#define DB_END         ((struct db_param){.kind = DB_END_KIND})

struct db_rows {
    struct op *op;
    PGresult *result;         /* freed with the op's arena */
    int row;                  /* -1 before db_next */
    int affected;             /* rows an INSERT, UPDATE, DELETE touched */
    int *next_column;         /* where the search for the next name begins */
    struct db_unread *unread; /* debug builds: which columns nobody read yet */
};

/* Run a prepared statement: db_query(op, &stmts[X], &rows, DB_TEXT(name), DB_INT(id)).
   rows may be NULL. Faults: UNAVAILABLE (connection), CONFLICT (unique or foreign key violation),
   INTERNAL. A deadlock or serialization failure marks the op for a second run (db_wants_retry). */
#define db_query(op, stmt, rows, ...)                                                              \
    db_query_params(op, stmt, rows, (struct db_param[]){__VA_ARGS__ __VA_OPT__(, ) DB_END})
enum fault db_query_params(struct op *op, const struct db_stmt *stmt, struct db_rows *rows,
                           const struct db_param *params);

bool db_next(struct db_rows *rows);
/* By column name; the strings live in the arena's PGresult. NULL column: NULL, 0, false, {NULL,0}.
 */
const char *db_text(const struct db_rows *rows, const char *column);
int64_t db_int(const struct db_rows *rows, const char *column);
bool db_bool(const struct db_rows *rows, const char *column);
struct bytes db_bytes(const struct db_rows *rows, const char *column);
bool db_is_null(const struct db_rows *rows, const char *column);

/* ---- transactions: without one, each query commits by itself, durably ---- */

enum fault db_begin(struct op *op);
enum fault db_commit(struct op *op); /* durable on return */
/*
 * Commit without waiting for the disk. The rows are seen by all at once; they are durable only
 * after the next flush. A handler that answers success must wait for one: see call_durable.
 */
enum fault db_commit_async(struct op *op);
void db_rollback(struct op *op); /* also when none is open */
bool db_in_transaction(const struct op *op);
bool db_wants_retry(const struct op *op);
void db_op_ended(struct op *op); /* the worker is done with it: rolls back what is open */

/* Run SQL text of our own making outside the tables: migrations, LISTEN. Never user data. */
enum fault db_exec(struct op *op, const char *sql);
PGconn *db_pgconn(struct db *db); /* NULL when down */

/* NOTIFY, within the transaction when one is open (hub_notify). */
enum fault db_notify(struct op *op, const char *channel, const char *payload);

/*
 * For core/durable.c. Each connection made has a number, 0 is none. db_flusher is the one that
 * flushes for all. A commit notes which flusher was up when it began: a later flush on that very
 * connection covers it, since PostgreSQL cannot have crashed in between without breaking the
 * connection. One on a newer connection would succeed too, and prove nothing.
 */
extern atomic_uint db_flusher;
unsigned db_session(const struct op *op);
unsigned db_commit_flusher(const struct op *op); /* of the last db_commit_async */
unsigned db_commit_session(const struct op *op);
/* Flush PostgreSQL's log on connection number session. UNAVAILABLE: that connection is gone. */
enum fault db_flush(struct op *op, unsigned session);

/* Total seconds spent in queries and their number, for /metrics. */
void db_metrics(struct text *out);

void db_watch_columns(struct db_rows *rows, const char *sql); /* db.c to db_rows.c */

#endif
