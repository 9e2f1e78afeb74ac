#include <string.h>

#include "auth/sign_in.h"
#include "core/db.h"
#include "core/seal.h"

#define SECRET_BYTES 32
#define DEVICES_MAX  1000 /* that wait for approval at once: anybody can ask for one */
#define GRACE        "60 seconds"

enum { ADD, SWEEP, WAITING, TAKE, DEVICE, BY_USER_CODE, DECIDE, REFRESH, END_FAMILY };
static const struct db_stmt stmts[] = {
    [ADD] = {"INSERT INTO auth.sign_in (hash, kind, user_id, user_code, family, sessions, document,"
             " expires_at) VALUES ($1, $2, $3, $4, $5, $6::bigint, $7,"
             " now() + make_interval(secs => $8::bigint))"},
    [SWEEP] = {"DELETE FROM auth.sign_in WHERE hash IN (SELECT hash FROM auth.sign_in"
               " WHERE expires_at < now() LIMIT 50 FOR UPDATE SKIP LOCKED)"},
    [WAITING] = {"SELECT count(*) AS n FROM auth.sign_in WHERE kind = 'device'"},
    [TAKE] = {"DELETE FROM auth.sign_in WHERE hash = $1 AND kind = $2 AND expires_at > now()"
              " RETURNING user_id, family, sessions, document, refused"},
    [DEVICE] = {"SELECT user_id, family, sessions, document, refused FROM auth.sign_in"
                " WHERE hash = $1 AND kind = 'device' AND expires_at > now()"},
    [BY_USER_CODE] = {"SELECT user_id, family, sessions, document, refused FROM auth.sign_in"
                      " WHERE user_code = $1 AND user_id IS NULL AND NOT refused"
                      " AND expires_at > now()"},
    [DECIDE] = {"UPDATE auth.sign_in SET user_id = $2, sessions = $3::bigint, refused = $4"
                " WHERE user_code = $1 AND user_id IS NULL AND NOT refused AND expires_at > now()"},
    [REFRESH] = {"UPDATE auth.sign_in SET used_at = coalesce(used_at, now()) WHERE hash = $1"
                 " AND kind = 'refresh' AND expires_at > now()"
                 " RETURNING user_id, family, sessions, document,"
                 " used_at < now() - interval '" GRACE "' AS refused"},
    [END_FAMILY] = {"DELETE FROM auth.sign_in WHERE family = $1"},
    {0},
};

static const char *const kinds[] = {"code", "device", "refresh"};

void sign_in_store_start(void)
{
    db_register(stmts);
}

static const char *hash_of(struct op *op, const char *secret)
{
    uint8_t digest[32];

    sha256(BYTES(secret), digest);
    return hex_encode(&op->arena, (struct bytes){digest, sizeof(digest)});
}

static void from_row(const struct db_rows *rows, enum sign_in_kind kind, struct sign_in *s)
{
    *s = (struct sign_in){
        .kind = kind,
        .user_id = db_text(rows, "user_id"),
        .family = db_text(rows, "family"),
        .sessions = db_int(rows, "sessions"),
        .document = db_text(rows, "document"),
        .refused = db_bool(rows, "refused"),
    };
}

static enum fault check_room(struct op *op)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[WAITING], &rows));
    if (db_next(&rows) && db_int(&rows, "n") >= DEVICES_MAX)
        return fail(op, TOO_MANY, "too many sign-ins of devices wait for approval");
    return OK;
}

enum fault sign_in_add(struct op *op, const struct sign_in *s, int64_t seconds,
                       const char **ret_secret)
{
    const char *secret = random_hex(op, SECRET_BYTES);
    const char *family = s->family ? s->family : random_hex(op, 16);

    TRY(db_query(op, &stmts[SWEEP], NULL));
    if (s->kind == SIGN_IN_DEVICE)
        TRY(check_room(op));
    TRY(db_query(op, &stmts[ADD], NULL, DB_TEXT(hash_of(op, secret)), DB_TEXT(kinds[s->kind]),
                 DB_TEXT(s->user_id), DB_TEXT(s->user_code), DB_TEXT(family), DB_INT(s->sessions),
                 DB_TEXT(s->document), DB_INT(seconds)));
    *ret_secret = secret;
    return OK;
}

static enum fault not_found(struct op *op)
{
    return fail(op, NOT_FOUND, "the code is unknown, used or expired");
}

enum fault sign_in_take(struct op *op, enum sign_in_kind kind, const char *secret,
                        struct sign_in *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[TAKE], &rows, DB_TEXT(hash_of(op, secret)), DB_TEXT(kinds[kind])));
    if (!db_next(&rows))
        return not_found(op);
    from_row(&rows, kind, ret);
    return OK;
}

enum fault sign_in_device(struct op *op, const char *secret, struct sign_in *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DEVICE], &rows, DB_TEXT(hash_of(op, secret))));
    if (!db_next(&rows))
        return not_found(op);
    from_row(&rows, SIGN_IN_DEVICE, ret);
    return OK;
}

enum fault sign_in_by_user_code(struct op *op, const char *user_code, struct sign_in *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[BY_USER_CODE], &rows, DB_TEXT(user_code)));
    if (!db_next(&rows))
        return not_found(op);
    from_row(&rows, SIGN_IN_DEVICE, ret);
    return OK;
}

enum fault sign_in_decide(struct op *op, const char *user_code, const char *user_id,
                          int64_t sessions, bool refused)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DECIDE], &rows, DB_TEXT(user_code), DB_TEXT(user_id), DB_INT(sessions),
                 DB_BOOL(refused)));
    return rows.affected ? OK : not_found(op);
}

enum fault sign_in_refresh(struct op *op, const char *secret, struct sign_in *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[REFRESH], &rows, DB_TEXT(hash_of(op, secret))));
    if (!db_next(&rows))
        return not_found(op);
    from_row(&rows, SIGN_IN_REFRESH, ret);
    if (!ret->refused)
        return OK;
    TRY(db_query(op, &stmts[END_FAMILY], NULL, DB_TEXT(ret->family)));
    return fail(op, CONFLICT, "the refresh token was used before");
}
