#include "instances/address.h"

#include <stdio.h>

#include "core/db.h"

#define TRIES 20 /* of two who take one for the same owner, one has to look again */

#define NOBODY                                                                                     \
    "NOT EXISTS (SELECT FROM instances.address_lease n WHERE n.host = $1 AND n.range = $2"

enum { FIND, HOLD, OF_OWNER, TAKE, GIVE, GIVE_OTHERS };
static const struct db_stmt stmts[] = {
    /* $1 host, $2 range, $3 … $4: the first index that nobody has is the first, or next to one that
       somebody has; ordered, so that leases are read only until it is found. */
    [FIND] = {"SELECT coalesce((SELECT $3::int8 WHERE $3::int8 <= $4 AND " NOBODY
              " AND n.index = $3)), (SELECT l.index + 1 FROM instances.address_lease l"
              " WHERE l.host = $1 AND l.range = $2 AND l.index >= $3 AND l.index < $4 AND " NOBODY
              " AND n.index = l.index + 1) ORDER BY l.index LIMIT 1)) AS i"},
    [HOLD] = {"SELECT pg_try_advisory_xact_lock(hashtext($1 || '/address/' || $2::int8), $3::int4)"
              " AS held"},
    [OF_OWNER] = {"SELECT index FROM instances.address_lease WHERE owner = $1 AND range = $2"
                  " AND host = $3"},
    [TAKE] = {"INSERT INTO instances.address_lease (host, range, index, owner)"
              " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"},
    [GIVE] = {"DELETE FROM instances.address_lease WHERE host = $2 AND (owner = $1"
              " OR (right($1, 1) = '/' AND starts_with(owner, $1)))"},
    [GIVE_OTHERS] = {"DELETE FROM instances.address_lease WHERE host = $1 AND range = $2"
                     " AND starts_with(owner, $3) AND substr(owner, length($3) + 1) <> ALL ($4)"},
    {0},
};

static char this_host[64];
static atomic_llong cursors[RANGES]; /* where the search begins */

void address_open(const char *host)
{
    snprintf(this_host, sizeof(this_host), "%s", host);
    db_register(stmts);
}

static enum fault find(struct op *op, const char *host, enum range range, int64_t from, int64_t to,
                       int64_t *ret_index)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[FIND], &rows, DB_TEXT(host), DB_INT(range), DB_INT(from), DB_INT(to)));
    *ret_index = db_next(&rows) && !db_is_null(&rows, "i") ? db_int(&rows, "i") : -1;
    return OK;
}

/* Whoever held it may have taken it before we do: so look once more. */
static enum fault hold(struct op *op, const char *host, enum range range, int64_t index,
                       bool *ret_ours)
{
    struct db_rows rows;
    int64_t now;

    TRY(db_query(op, &stmts[HOLD], &rows, DB_TEXT(host), DB_INT(range), DB_INT(index)));
    *ret_ours = db_next(&rows) && db_bool(&rows, "held");
    if (*ret_ours) {
        TRY(find(op, host, range, index, index, &now));
        *ret_ours = now == index;
    }
    return OK;
}

/* -1: all are in use. */
static enum fault find_and_hold(struct op *op, const char *host, enum range range, int64_t from,
                                int64_t to, int64_t *ret_index)
{
    bool ours = false;

    TRY(find(op, host, range, from, to, ret_index));
    while (*ret_index >= 0) {
        TRY(hold(op, host, range, *ret_index, &ours));
        if (ours)
            return OK;
        TRY(find(op, host, range, *ret_index + 1, to, ret_index));
    }
    return OK;
}

/* Two requests at the same moment look from different places. */
enum fault address_find(struct op *op, const char *host, enum range range, int64_t *ret_index)
{
    int64_t size = network_size(range), index = -1;
    int64_t from = size > 0 ? atomic_fetch_add(&cursors[range], 1) % size : 0;

    if (size > 0)
        TRY(find_and_hold(op, host, range, from, size - 1, &index));
    if (size > 0 && index < 0)
        TRY(find_and_hold(op, host, range, 0, from, &index));
    if (index < 0)
        return fail(op, UNAVAILABLE, "all %lld addresses of the %s range are in use",
                    (long long)size, range == RANGE_PUBLIC ? "public" : "private");
    atomic_store(&cursors[range], index + 1);
    *ret_index = index;
    return OK;
}

static enum fault of_owner(struct op *op, enum range range, const char *owner, int64_t *ret_index)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[OF_OWNER], &rows, DB_TEXT(owner), DB_INT(range), DB_TEXT(this_host)));
    *ret_index = db_next(&rows) ? db_int(&rows, "index") : -1;
    return OK;
}

static enum fault find_and_take(struct op *op, enum range range, const char *owner)
{
    int64_t index;

    TRY(address_find(op, this_host, range, &index));
    return db_query(op, &stmts[TAKE], NULL, DB_TEXT(this_host), DB_INT(range), DB_INT(index),
                    DB_TEXT(owner));
}

/* In one transaction: what is found stays nobody's until it is taken. */
static enum fault take(struct op *op, enum range range, const char *owner)
{
    enum fault fault;

    if (db_in_transaction(op))
        return find_and_take(op, range, owner);
    TRY(db_begin(op));
    fault = find_and_take(op, range, owner);
    if (fault == OK)
        return db_commit(op);
    db_rollback(op);
    return fault;
}

enum fault address_take(struct op *op, enum range range, const char *owner, int64_t *ret_index)
{
    int64_t index = -1;

    TRY(network_up(op));
    for (int i = 0; i < TRIES; i++) {
        TRY(of_owner(op, range, owner, &index));
        if (index >= 0) {
            *ret_index = index;
            return OK;
        }
        TRY(take(op, range, owner));
    }
    return fail(op, UNAVAILABLE, "no address could be had: too many ask at once");
}

enum fault address_give(struct op *op, const char *owner)
{
    return db_query(op, &stmts[GIVE], NULL, DB_TEXT(owner), DB_TEXT(this_host));
}

enum fault address_give_others(struct op *op, enum range range, const char *prefix,
                               const char *const *kept, size_t n_kept, size_t *ret_given)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[GIVE_OTHERS], &rows, DB_TEXT(this_host), DB_INT(range), DB_TEXT(prefix),
                 DB_TEXTS(kept, n_kept)));
    *ret_given = (size_t)rows.affected;
    return OK;
}
