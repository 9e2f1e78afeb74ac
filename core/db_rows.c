/* Reading results by column name. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "core/seal.h"

#define OID_BYTEA 17

/* ---- debug builds: a column that nobody reads is a bug in the SELECT or in its reader ---- */

struct db_unread {
    const struct op *op;
    const char *sql;
    int n;
    uint64_t read; /* of the first 64 columns */
    bool iterated;
    char names[];
};

#ifndef NDEBUG

static void check_columns(void *arg)
{
    struct db_unread *unread = arg;
    const char *name = unread->names;

    /* Rows only counted, or left midway with a fault, are fine. */
    if (!unread->iterated || unread->read == 0 || unread->op->fault != OK)
        return;
    for (int i = 0; i < unread->n && i < 64; i++, name += strlen(name) + 1) {
        if (unread->read & 1ull << i)
            continue;
        fprintf(stderr, "column \"%s\" was never read: %s\n", name, unread->sql);
        abort();
    }
}

void db_watch_columns(struct db_rows *rows, const char *sql)
{
    int n = PQnfields(rows->result);
    struct db_unread *unread;
    size_t len = 1;
    char *at;

    for (int i = 0; i < n; i++)
        len += strlen(PQfname(rows->result, i)) + 1;
    unread = arena_alloc(&rows->op->arena, sizeof(*unread) + len);
    *unread = (struct db_unread){.op = rows->op, .sql = sql, .n = n};
    at = unread->names;
    for (int i = 0; i < n; i++)
        at = stpcpy(at, PQfname(rows->result, i)) + 1;
    rows->unread = unread;
    arena_defer(&rows->op->arena, check_columns, unread);
}

#else

void db_watch_columns(struct db_rows *rows, const char *sql)
{
    (void)rows;
    (void)sql;
}

#endif

/* ---- values ---- */

bool db_next(struct db_rows *rows)
{
    if (rows->row + 1 >= PQntuples(rows->result))
        return false;
    rows->row++;
    if (rows->unread)
        rows->unread->iterated = true;
    return true;
}

/*
 * PQfnumber would copy and fold the name on each call. Readers take columns in the order of the
 * SELECT, row after row, so the search begins behind the last one found. No such column: a bug.
 */
static int column_number(const struct db_rows *rows, const char *column)
{
    int n = PQnfields(rows->result), i = *rows->next_column;

    for (int tries = 0; tries < n; tries++, i++) {
        if (i >= n)
            i = 0;
        if (strcmp(PQfname(rows->result, i), column) == 0) {
            if (rows->unread && i < 64)
                rows->unread->read |= 1ull << i;
            *rows->next_column = i + 1;
            return i;
        }
    }
    fprintf(stderr, "a result has no column \"%s\"\n", column);
    abort();
}

const char *db_text(const struct db_rows *rows, const char *column)
{
    int i = column_number(rows, column);

    return PQgetisnull(rows->result, rows->row, i) ? NULL : PQgetvalue(rows->result, rows->row, i);
}

bool db_is_null(const struct db_rows *rows, const char *column)
{
    return db_text(rows, column) == NULL;
}

int64_t db_int(const struct db_rows *rows, const char *column)
{
    const char *text = db_text(rows, column);

    return text ? strtoll(text, NULL, 10) : 0;
}

bool db_bool(const struct db_rows *rows, const char *column)
{
    const char *text = db_text(rows, column);

    return text && *text == 't';
}

struct bytes db_bytes(const struct db_rows *rows, const char *column)
{
    int i = column_number(rows, column);
    const char *text = PQgetvalue(rows->result, rows->row, i);
    struct bytes bytes = {NULL, 0};

    if (PQgetisnull(rows->result, rows->row, i))
        return bytes;
    if (PQftype(rows->result, i) != OID_BYTEA)
        return (struct bytes){text, (size_t)PQgetlength(rows->result, rows->row, i)};
    if (strncmp(text, "\\x", 2) != 0 || !hex_decode(&rows->op->arena, text + 2, &bytes))
        abort(); /* bytea_output is set to hex at connect */
    return bytes;
}
