#include "web/session.h"

#include <string.h>

#include "core/db.h"
#include "core/seal.h"

#define LINK_SECONDS 300
#define COOKIE_BYTES 32

enum { ADD, FIND, END, SWEEP, ADD_LINK, TAKE_LINK, SWEEP_LINKS };
static const struct db_stmt stmts[] = {
    [ADD] = {"INSERT INTO web.session (hash, object_id, sessions, proof, expires_at) VALUES"
             " ($1, $2, $3::bigint, $4, now() + make_interval(secs => $5::bigint))"},
    [FIND] = {"SELECT object_id, sessions, proof FROM web.session WHERE hash = $1"
              " AND expires_at > now()"},
    [END] = {"DELETE FROM web.session WHERE hash = $1"},
    [SWEEP] = {"DELETE FROM web.session WHERE expires_at < now()"},
    [ADD_LINK] = {"INSERT INTO web.link (hash, object_id, expires_at) VALUES ($1, $2,"
                  " now() + make_interval(secs => $3::bigint))"},
    [TAKE_LINK] = {"DELETE FROM web.link WHERE hash = $1 AND expires_at > now()"
                   " RETURNING object_id"},
    [SWEEP_LINKS] = {"DELETE FROM web.link WHERE expires_at < now()"},
    {0},
};

void session_store_start(void)
{
    db_register(stmts);
}

/* ---- cookies ---- */

const char *cookie_find(struct call *c, const char *name)
{
    const char *at = call_header(c, "cookie");
    size_t len = strlen(name);

    while (at && *at) {
        size_t n = strcspn(at, ";");

        if (n > len && strncmp(at, name, len) == 0 && at[len] == '=')
            return arena_strndup(&c->op.arena, at + len + 1, n - len - 1);
        at += n;
        at += strspn(at, "; ");
    }
    return NULL;
}

void cookie_set(struct call *c, const char *name, const char *value, int64_t seconds)
{
    bool secure = strncmp(c->base_url, "https:", 6) == 0;

    reply_header(c, "Set-Cookie", "%s=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Lax%s", name,
                 value, (long long)seconds, secure ? "; Secure" : "");
}

/* ---- sessions ---- */

static const char *hash_of(struct op *op, const char *secret)
{
    uint8_t digest[32];

    sha256(BYTES(secret), digest);
    return hex_encode(&op->arena, (struct bytes){digest, sizeof(digest)});
}

enum fault session_begin(struct call *c, const struct identity *who)
{
    struct op *op = &c->op;
    const char *cookie = random_hex(op, COOKIE_BYTES);

    TRY(db_query(op, &stmts[SWEEP], NULL));
    TRY(db_query(op, &stmts[ADD], NULL, DB_TEXT(hash_of(op, cookie)), DB_TEXT(who->object_id),
                 DB_INT(who->sessions), DB_TEXT(random_hex(op, COOKIE_BYTES)),
                 DB_INT(SESSION_SECONDS)));
    cookie_set(c, SESSION_COOKIE, cookie, SESSION_SECONDS);
    return OK;
}

static enum fault nobody(struct op *op)
{
    return fail(op, UNAUTHENTICATED, "nobody is signed in here");
}

static enum fault find(struct op *op, const char *key, struct session **ret)
{
    struct session *session = arena_alloc(&op->arena, sizeof(*session));
    struct db_rows rows;
    int64_t sessions;

    TRY(db_query(op, &stmts[FIND], &rows, DB_TEXT(key)));
    if (!db_next(&rows))
        return nobody(op);
    session->proof = db_text(&rows, "proof");
    sessions = db_int(&rows, "sessions");
    if (entra_principal(op, db_text(&rows, "object_id"), &session->who) != OK ||
        session->who->sessions != sessions)
        return nobody(op);
    *ret = session;
    return OK;
}

enum fault session_find(struct call *c, const struct session **ret)
{
    const char *key = session_key(c);
    struct session *session;

    if (!key)
        return nobody(&c->op);
    TRY(find(&c->op, key, &session));
    *ret = session;
    return OK;
}

const char *session_key(struct call *c)
{
    const char *cookie = cookie_find(c, SESSION_COOKIE);

    return cookie && *cookie ? hash_of(&c->op, cookie) : NULL;
}

enum fault session_check(struct op *op, const char *key)
{
    struct session *session;

    return find(op, key, &session);
}

enum fault session_end(struct call *c)
{
    const char *cookie = cookie_find(c, SESSION_COOKIE);

    if (cookie)
        TRY(db_query(&c->op, &stmts[END], NULL, DB_TEXT(hash_of(&c->op, cookie))));
    cookie_set(c, SESSION_COOKIE, "", 0);
    return OK;
}

/* ---- links ---- */

enum fault session_link_add(struct op *op, const char *object_id, const char **ret_code)
{
    const char *code = random_hex(op, COOKIE_BYTES);

    TRY(db_query(op, &stmts[SWEEP_LINKS], NULL));
    TRY(db_query(op, &stmts[ADD_LINK], NULL, DB_TEXT(hash_of(op, code)), DB_TEXT(object_id),
                 DB_INT(LINK_SECONDS)));
    *ret_code = code;
    return OK;
}

enum fault session_link_take(struct op *op, const char *code, const char **ret_object_id)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[TAKE_LINK], &rows, DB_TEXT(hash_of(op, code))));
    if (!db_next(&rows))
        return fail(op, NOT_FOUND, "the link was used already, or is older than five minutes");
    *ret_object_id = db_text(&rows, "object_id");
    return OK;
}
