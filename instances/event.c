#include "instances/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/db.h"
#include "core/json.h"
#include "instances/group_run.h"

#define MESSAGE_MAX 1024

enum { ADD, FORGET, LIST };
static const struct db_stmt stmts[] = {
    [ADD] = {"INSERT INTO instances.event (group_id, container, name, message, warning, first_us,"
             " last_us) VALUES ($1, $2, $3, $4, $5, $6, $6)"
             " ON CONFLICT (group_id, container, name, md5(message)) DO UPDATE"
             " SET count = event.count + 1, last_us = $6 RETURNING count"},
    [FORGET] = {"DELETE FROM instances.event WHERE group_id = $1 AND id <= (SELECT id"
                " FROM instances.event WHERE group_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)"},
    [LIST] = {"SELECT container, name, message, warning, count, first_us, last_us"
              " FROM instances.event WHERE group_id = $1 ORDER BY first_us, id"},
    {0},
};

void event_store_start(void)
{
    db_register(stmts);
}

enum fault event_add(struct op *op, int64_t group_id, const char *container, bool warning,
                     const char *name, const char *fmt, ...)
{
    char message[MESSAGE_MAX];
    struct db_rows rows;
    va_list args;
    struct text clean;

    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    /* cut in the middle of a character, or a program's own words: the row must be UTF-8 */
    text_init(&clean, &op->arena, 4 * sizeof(message));
    utf8_clean(&clean, BYTES(message));
    TRY(db_query(op, &stmts[ADD], &rows, DB_INT(group_id), DB_TEXT(container ? container : ""),
                 DB_TEXT(name), DB_TEXT(clean.data), DB_BOOL(warning), DB_INT(wall_us())));
    if (db_next(&rows) && db_int(&rows, "count") > 1)
        return OK;
    return db_query(op, &stmts[FORGET], NULL, DB_INT(group_id), DB_INT(EVENTS_MAX));
}

enum fault event_list(struct op *op, int64_t group_id, struct group_event **ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[LIST], &rows, DB_INT(group_id)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = (struct group_event){
            .container = db_text(&rows, "container"),
            .name = db_text(&rows, "name"),
            .message = db_text(&rows, "message"),
            .warning = db_bool(&rows, "warning"),
            .count = db_int(&rows, "count"),
            .first_us = db_int(&rows, "first_us"),
            .last_us = db_int(&rows, "last_us"),
        };
    *ret_n = n;
    return OK;
}
