#include "core/db.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TABLES_MAX  64
#define PARAMS_MAX  32
#define BACK_OFF_MS 100

enum transaction {
    TX_NONE,
    TX_WANTED, /* BEGIN goes out together with the first statement: one round trip less */
    TX_OPEN,
    TX_LOST, /* the connection broke in it: nothing may run before the rollback */
};

struct db {
    PGconn *conn;
    size_t n_prepared;  /* tables */
    int64_t attempt_ms; /* of the last connect */
    enum transaction transaction;
    bool wants_retry;
    unsigned session; /* 0: not connected */
    unsigned commit_flusher, commit_session;
};

/* What a statement is sent with. */
struct message {
    char name[24];
    int n;
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
};

enum { BEGIN, COMMIT, ROLLBACK, ASYNC, FLUSH, NOTIFY };
static const struct db_stmt own[] = {
    [BEGIN] = {"BEGIN"},
    [COMMIT] = {"COMMIT"},
    [ROLLBACK] = {"ROLLBACK"},
    [ASYNC] = {"SET LOCAL synchronous_commit = off"},
    /* Any durable commit flushes all WAL before it, but only one that wrote WAL is one: a bare
       transaction id is not enough (RecordTransactionCommit, wrote_xlog), a message is. */
    [FLUSH] = {"SELECT pg_logical_emit_message(true, 'sundog', '') IS NULL AS nothing"},
    [NOTIFY] = {"SELECT pg_notify($1, $2) IS NULL AS nothing"},
    {0},
};

static struct {
    const struct db_stmt *stmts;
    size_t n;
} tables[TABLES_MAX] = {
    {own, ARRAY_LEN(own) - 1}
};
static atomic_size_t n_tables = 1;
static pthread_mutex_t tables_lock = PTHREAD_MUTEX_INITIALIZER;

static atomic_uint last_session;
static atomic_llong last_connect_ms;
static char *conninfo_text;
static bool is_shared;
static atomic_ullong total_us, total_queries, total_connects, total_failures;
atomic_uint db_flusher;

/* ---- set-up ---- */

void db_configure(const char *conninfo, bool shared)
{
    free(conninfo_text);
    conninfo_text = strdup(conninfo);
    is_shared = shared;
}

bool db_is_shared(void)
{
    return is_shared;
}

void db_register(const struct db_stmt *stmts)
{
    size_t i, n = 0;

    if (!stmts)
        return;
    while (stmts[n].sql)
        n++;
    pthread_mutex_lock(&tables_lock);
    for (i = 0; i < n_tables && tables[i].stmts != stmts; i++)
        ;
    if (i == n_tables) {
        assert(i < TABLES_MAX);
        tables[i].stmts = stmts;
        tables[i].n = n;
        n_tables = i + 1;
    }
    pthread_mutex_unlock(&tables_lock);
}

struct db *db_open(void)
{
    struct db *db = calloc(1, sizeof(*db));

    if (!db)
        abort();
    db->attempt_ms = INT64_MIN / 2;
    return db;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    PQfinish(db->conn);
    free(db);
}

PGconn *db_pgconn(struct db *db)
{
    return db->conn;
}

static void drop(struct db *db)
{
    PQfinish(db->conn);
    db->conn = NULL;
    db->n_prepared = 0;
    db->session = 0;
    db_flusher = 0; /* see new_session */
    if (db->transaction != TX_NONE)
        db->transaction = TX_LOST;
    atomic_fetch_add(&total_failures, 1);
}

/* ---- faults ---- */

struct state_class {
    const char *prefix;
    enum fault fault;
    bool retry;
};

/* First match wins. */
static const struct state_class state_classes[] = {
    {"23505", CONFLICT,    false}, /* unique violation */
    {"23503", CONFLICT,    false}, /* foreign key violation */
    {"40001", UNAVAILABLE, true }, /* serialization failure */
    {"40P01", UNAVAILABLE, true }, /* deadlock */
    {"57",    UNAVAILABLE, false}, /* shutdown, crash, starting up, statement timeout */
    {"08",    UNAVAILABLE, false}, /* connection */
    {"53",    UNAVAILABLE, false}, /* disk full, out of memory, too many connections */
    {"55P03", UNAVAILABLE, false}, /* lock timeout */
    {"25P03", UNAVAILABLE, false}, /* idle in transaction for too long */
    {"25006", UNAVAILABLE, false}, /* read only: a standby, or a failover under way */
    {"58",    UNAVAILABLE, false}, /* input and output errors */
    {"22",    INVALID,     false}, /* a value that does not fit: bad UTF-8, out of range */
};

static enum fault fail_by_state(struct op *op, const char *state, const char *message)
{
    for (size_t i = 0; state && i < ARRAY_LEN(state_classes); i++) {
        const struct state_class *class = &state_classes[i];

        if (strncmp(state, class->prefix, strlen(class->prefix)) != 0)
            continue;
        if (class->retry)
            op->db->wants_retry = true;
        return fail(op, class->fault, "the database: %s", message);
    }
    return fail(op, INTERNAL, "the database: %s (%s)", message, state ? state : "no state");
}

static const char *first_line(struct op *op, const char *message)
{
    return arena_strndup(&op->arena, message, strcspn(message, "\n"));
}

/* What libpq says, without the address: answers to strangers show it. */
static const char *reason_of(struct op *op, PGconn *conn)
{
    const char *message = first_line(op, PQerrorMessage(conn)),
               *failed = strstr(message, "failed: ");

    return failed ? failed + strlen("failed: ") : message;
}

static enum fault fail_lost(struct op *op)
{
    const char *why = op->db->conn ? reason_of(op, op->db->conn) : "";

    drop(op->db);
    return fail(op, UNAVAILABLE, "the connection to the database is lost%s%s", *why ? ": " : "",
                why);
}

static bool result_failed(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

/* OK, or the fault of a result (NULL: the connection failed). */
static enum fault check_result(struct op *op, const PGresult *result)
{
    const char *message;

    if (result && !result_failed(result))
        return OK;
    if (!result || PQstatus(op->db->conn) == CONNECTION_BAD)
        return fail_lost(op);
    message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return fail_by_state(op, PQresultErrorField(result, PG_DIAG_SQLSTATE),
                         message ? arena_strdup(&op->arena, message)
                                 : first_line(op, PQresultErrorMessage(result)));
}

/* ---- connecting ---- */

static void ignore_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

static PGconn *connect_now(void)
{
    static const char *const keys[] = {
        "dbname",           "fallback_application_name", "client_encoding",
        "connect_timeout",  "keepalives_idle",           "keepalives_interval",
        "keepalives_count", "tcp_user_timeout",          NULL};
    const char *const values[] = {conninfo_text, "sundog", "UTF8",  "5", "30",
                                  "10",          "3",      "30000", NULL};
    PGconn *conn = PQconnectdbParams(keys, values, 1);

    if (conn)
        PQsetNoticeProcessor(conn, ignore_notice, NULL);
    return conn;
}

/*
 * Where one connection was lost or had to be made anew, the flushing one is likely gone as well.
 * Until its thread has looked (core/durable.c, each second) commits flush by themselves, instead of
 * waiting for a flush that cannot come.
 */
static void new_session(struct db *db)
{
    db->session = ++last_session;
    atomic_store(&last_connect_ms, now_ms());
    db_flusher = 0;
}

static enum fault set_session(struct op *op)
{
    /* A database with synchronous_commit off would break the promise of db_commit. */
    PGresult *result =
        PQexec(op->db->conn,
               "SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s';"
               "SET bytea_output = hex; SET standard_conforming_strings = on;"
               "SELECT set_config('synchronous_commit', 'on', false)"
               " WHERE current_setting('synchronous_commit') = 'off'");
    enum fault fault = check_result(op, result);

    PQclear(result);
    return fault;
}

static enum fault reconnect(struct op *op)
{
    struct db *db = op->db;
    int64_t now = now_ms();
    PGconn *conn;

    /* not again at once, unless somebody else has got through since */
    if (!conninfo_text ||
        (now < db->attempt_ms + BACK_OFF_MS && atomic_load(&last_connect_ms) < db->attempt_ms))
        return fail(op, UNAVAILABLE, "the database is away");
    db->attempt_ms = now;
    atomic_fetch_add(&total_connects, 1);
    conn = connect_now();
    if (!conn || PQstatus(conn) != CONNECTION_OK) {
        const char *why = conn ? reason_of(op, conn) : "out of memory";

        PQfinish(conn);
        return fail(op, UNAVAILABLE, "cannot connect to the database: %s", why);
    }
    db->conn = conn;
    TRY(set_session(op));
    new_session(db);
    return OK;
}

/* Did the server close this connection while nobody looked? Then it is no loss to anybody. Twice,
   because its last words come before the end. */
static bool went_stale(PGconn *conn)
{
    struct pollfd poll_fd = {.fd = PQsocket(conn), .events = POLLIN};

    for (int i = 0; i < 2 && poll(&poll_fd, 1, 0) > 0; i++) {
        if (PQconsumeInput(conn) == 0 || PQstatus(conn) == CONNECTION_BAD)
            return true;
    }
    return false;
}

static enum fault ensure_connected(struct op *op)
{
    struct db *db = op->db;

    if (!db)
        return fail(op, INTERNAL, "no database connection is lent to this operation");
    if (db->transaction == TX_LOST)
        return fail(op, UNAVAILABLE, "the connection to the database was lost in the transaction");
    if (db->conn && db->transaction != TX_OPEN && went_stale(db->conn)) {
        enum transaction wanted = db->transaction;

        drop(db);
        db->transaction = wanted;
    }
    return db->conn ? OK : reconnect(op);
}

static void name_statement(char name[24], size_t in_table, size_t index)
{
    snprintf(name, 24, "t%u_%u", (unsigned)in_table, (unsigned)index);
}

/* All in one pipeline: a hundred statements cost one round trip. */
static enum fault prepare_from(struct op *op, size_t first, size_t end)
{
    PGconn *conn = op->db->conn;
    const char *sql = NULL;
    enum fault fault = OK;
    bool sent = PQenterPipelineMode(conn) == 1;
    char name[24];

    for (size_t i = first; sent && i < end; i++) {
        for (size_t j = 0; sent && j < tables[i].n; j++) {
            name_statement(name, i, j);
            sent = PQsendPrepare(conn, name, tables[i].stmts[j].sql, 0, NULL) == 1;
        }
    }
    if (!sent || PQpipelineSync(conn) != 1)
        return fail_lost(op);
    for (size_t i = first; i < end && fault == OK; i++) {
        for (size_t j = 0; j < tables[i].n && fault == OK; j++) {
            PGresult *result = PQgetResult(conn);

            sql = tables[i].stmts[j].sql;
            fault = check_result(op, result);
            PQclear(result);
            if (fault == OK)
                PQclear(PQgetResult(conn)); /* the NULL after each */
        }
    }
    if (fault == OK) {
        PQclear(PQgetResult(conn)); /* the sync */
        if (PQexitPipelineMode(conn) != 1)
            return fail_lost(op);
        return OK;
    }
    if (op->db->conn)
        drop(op->db);
    if (fault == UNAVAILABLE)
        return fault;
    return fail(op, INTERNAL, "a statement does not prepare: %s: %s", op->message, sql);
}

static enum fault ensure_prepared(struct op *op)
{
    struct db *db = op->db;
    size_t n = n_tables;

    TRY(ensure_connected(op));
    if (db->n_prepared < n) {
        TRY(prepare_from(op, db->n_prepared, n));
        db->n_prepared = n;
    }
    return OK;
}

enum fault db_check(struct op *op)
{
    return ensure_prepared(op);
}

/* ---- parameters ---- */

/* {"a","b"}: a text[] literal. */
static const char *array_literal(struct op *op, const char *const *texts, size_t n)
{
    size_t len = 3;
    char *literal, *out;

    for (size_t i = 0; i < n; i++)
        len += strlen(texts[i]) * 2 + 3;
    literal = out = arena_alloc(&op->arena, len);
    *out++ = '{';
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            *out++ = ',';
        *out++ = '"';
        for (const char *c = texts[i]; *c; c++) {
            if (*c == '"' || *c == '\\')
                *out++ = '\\';
            *out++ = *c;
        }
        *out++ = '"';
    }
    *out = '}';
    return literal;
}

static void set_param(struct op *op, struct message *message, const struct db_param *param)
{
    int i = message->n++;

    switch (param->kind) {
    case DB_TEXT_KIND:
        message->values[i] = param->text;
        break;
    case DB_INT_KIND:
        message->values[i] = arena_printf(&op->arena, "%lld", (long long)param->integer);
        break;
    case DB_BOOL_KIND:
        message->values[i] = param->integer ? "t" : "f";
        break;
    case DB_TEXTS_KIND:
        message->values[i] = array_literal(op, param->texts, param->n);
        break;
    case DB_BYTES_KIND:
        message->values[i] = param->bytes.data ? param->bytes.data : NULL;
        message->lengths[i] = (int)param->bytes.len;
        message->formats[i] = 1;
        break;
    case DB_END_KIND:
        break;
    }
}

static void message_init(struct op *op, struct message *message, const struct db_stmt *stmt,
                         const struct db_param *params)
{
    size_t n = n_tables;

    memset(message, 0, sizeof(*message));
    for (size_t i = 0; i < n; i++) {
        /* as numbers: comparing pointers into different arrays is not defined */
        uintptr_t first = (uintptr_t)tables[i].stmts, at = (uintptr_t)stmt;

        if (at >= first && at < first + tables[i].n * sizeof(*stmt)) {
            name_statement(message->name, i, (size_t)(stmt - tables[i].stmts));
            break;
        }
    }
    for (const struct db_param *p = params; p && p->kind != DB_END_KIND; p++) {
        assert(message->n < PARAMS_MAX);
        set_param(op, message, p);
    }
}

/* ---- running ---- */

/* The last result, or the first failed one; NULL when the connection broke. */
static PGresult *collect(PGconn *conn)
{
    PGresult *kept = NULL;

    for (;;) {
        PGresult *result = PQgetResult(conn);
        bool ended = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;

        if (PQstatus(conn) == CONNECTION_BAD) {
            PQclear(result);
            PQclear(kept);
            return NULL;
        }
        if (!result)
            continue;
        if (ended) {
            PQclear(result);
            return kept;
        }
        if (kept && result_failed(kept)) {
            PQclear(result);
        } else {
            PQclear(kept);
            kept = result;
        }
    }
}

static PGresult *send_pipeline(PGconn *conn, const struct message *messages, size_t n)
{
    PGresult *result;

    if (PQenterPipelineMode(conn) != 1)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const struct message *m = &messages[i];

        if (PQsendQueryPrepared(conn, m->name, m->n, m->values, m->lengths, m->formats, 0) != 1)
            return NULL;
    }
    if (PQpipelineSync(conn) != 1)
        return NULL;
    result = collect(conn);
    if (result && PQexitPipelineMode(conn) != 1) {
        PQclear(result);
        return NULL;
    }
    return result;
}

static int64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

static PGresult *run(struct db *db, const struct message *messages, size_t n)
{
    int64_t began = clock_us();
    PGresult *result;

    if (n == 1)
        result = PQexecPrepared(db->conn, messages->name, messages->n, messages->values,
                                messages->lengths, messages->formats, 0);
    else
        result = send_pipeline(db->conn, messages, n);
    atomic_fetch_add_explicit(&total_us, (unsigned long long)(clock_us() - began),
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&total_queries, n, memory_order_relaxed);
    return result;
}

static void free_result(void *result)
{
    PQclear(result);
}

static void fill_rows(struct op *op, struct db_rows *rows, PGresult *result, const char *sql)
{
    arena_defer(&op->arena, free_result, result);
    *rows = (struct db_rows){.op = op,
                             .next_column = arena_alloc(&op->arena, sizeof(int)),
                             .result = result,
                             .row = -1,
                             .affected = (int)strtol(PQcmdTuples(result), NULL, 10)};
    db_watch_columns(rows, sql);
}

enum fault db_query_params(struct op *op, const struct db_stmt *stmt, struct db_rows *rows,
                           const struct db_param *params)
{
    struct message messages[2];
    size_t n = 0;
    PGresult *result;
    enum fault fault;

    TRY(ensure_prepared(op));
    if (op->db->transaction == TX_WANTED) {
        message_init(op, &messages[n++], &own[BEGIN], NULL);
        op->db->transaction = TX_OPEN;
    }
    message_init(op, &messages[n], stmt, params);
    if (!*messages[n].name)
        return fail(op, INTERNAL, "a statement is in no registered table: %s", stmt->sql);
    result = run(op->db, messages, n + 1);
    fault = check_result(op, result);
    if (fault == OK && rows)
        fill_rows(op, rows, result, stmt->sql);
    else
        PQclear(result);
    return fault;
}

enum fault db_exec(struct op *op, const char *sql)
{
    PGresult *result;
    enum fault fault;

    TRY(ensure_connected(op));
    if (op->db->transaction == TX_WANTED) {
        op->db->transaction = TX_OPEN;
        TRY(db_exec(op, "BEGIN"));
    }
    result = PQexec(op->db->conn, sql);
    fault = check_result(op, result);
    PQclear(result);
    return fault;
}

/* ---- transactions ---- */

enum fault db_begin(struct op *op)
{
    TRY(ensure_connected(op));
    assert(op->db->transaction == TX_NONE);
    op->db->wants_retry = false;
    op->db->transaction = TX_WANTED;
    return OK;
}

static enum fault commit(struct op *op, const struct message *messages, size_t n)
{
    struct db *db = op->db;
    PGresult *result;
    enum fault fault;
    bool rolled_back;

    if (db->transaction == TX_LOST)
        return fail(op, UNAVAILABLE, "the connection to the database was lost in the transaction");
    if (db->transaction != TX_OPEN) { /* nothing was done in it */
        db->transaction = TX_NONE;
        return OK;
    }
    result = run(db, messages, n);
    fault = check_result(op, result);
    /* COMMIT of a failed transaction succeeds, and rolls back. */
    rolled_back = fault == OK && strcmp(PQcmdStatus(result), "COMMIT") != 0;
    PQclear(result);
    if (db->conn && PQtransactionStatus(db->conn) == PQTRANS_IDLE)
        db->transaction = TX_NONE;
    if (rolled_back)
        return fail(op, INTERNAL, "the transaction was not committed: a statement in it failed");
    return fault;
}

enum fault db_commit(struct op *op)
{
    struct message message;

    message_init(op, &message, &own[COMMIT], NULL);
    return commit(op, &message, 1);
}

enum fault db_commit_async(struct op *op)
{
    struct message messages[2];

    op->db->commit_flusher = db_flusher; /* read before the commit is sent: see db.h */
    op->db->commit_session = op->db->session;
    message_init(op, &messages[0], &own[ASYNC], NULL);
    message_init(op, &messages[1], &own[COMMIT], NULL);
    return commit(op, messages, 2);
}

unsigned db_session(const struct op *op)
{
    return op->db->session;
}

unsigned db_commit_flusher(const struct op *op)
{
    return op->db->commit_flusher;
}

unsigned db_commit_session(const struct op *op)
{
    return op->db->commit_session;
}

enum fault db_flush(struct op *op, unsigned session)
{
    TRY(db_query(op, &own[FLUSH], NULL));
    if (session == 0 || op->db->session != session)
        return fail(op, UNAVAILABLE, "the connection to the database was lost");
    return OK;
}

void db_rollback(struct op *op)
{
    struct db *db = op->db;
    struct message message;
    PGresult *result;

    if (!db)
        return;
    if (db->transaction == TX_OPEN && db->conn) {
        message_init(op, &message, &own[ROLLBACK], NULL);
        result = run(db, &message, 1);
        if (!result || result_failed(result))
            drop(db); /* then the server rolls back */
        PQclear(result);
    }
    db->transaction = TX_NONE;
    db->wants_retry = false;
}

bool db_in_transaction(const struct op *op)
{
    return op->db && op->db->transaction != TX_NONE;
}

bool db_wants_retry(const struct op *op)
{
    return op->db && op->db->wants_retry;
}

void db_op_ended(struct op *op)
{
    if (op->db)
        db_rollback(op);
}

enum fault db_notify(struct op *op, const char *channel, const char *payload)
{
    return db_query(op, &own[NOTIFY], NULL, DB_TEXT(channel), DB_TEXT(payload));
}

/* ---- numbers ---- */

void db_metrics(struct text *out)
{
    const struct {
        const char *name, *help;
        double value;
    } numbers[] = {
        {"sundog_db_seconds_total",    "time spent waiting for the database",
         (double)atomic_load(&total_us) / 1e6                                                                     },
        {"sundog_db_statements_total", "statements run",                      (double)atomic_load(&total_queries) },
        {"sundog_db_connects_total",   "connections tried",                   (double)atomic_load(&total_connects)},
        {"sundog_db_lost_total",       "connections lost",                    (double)atomic_load(&total_failures)},
    };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        text_printf(out, "# HELP %s %s\n# TYPE %s counter\n%s %.17g\n", numbers[i].name,
                    numbers[i].help, numbers[i].name, numbers[i].name, numbers[i].value);
}
