#include "auth/credential_store.h"

#include <string.h>

#include "auth/object.h"
#include "core/db.h"
#include "core/hub.h"
#include "core/seal.h"

enum { ADD, LIST, DROP, FED_PUT, FED_LIST, FED_DROP };
static const struct db_stmt stmts[] = {
    [ADD] = {"INSERT INTO auth.credential (id, object_id, kind, hash, public_key, thumbprint, name,"
             " hint, starts_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
             " to_timestamp($9::bigint), to_timestamp($10::bigint))"},
    [LIST] = {"SELECT id, kind, name, hint, public_key, thumbprint, auth.iso(starts_at) AS starts,"
              " auth.iso(ends_at) AS ends FROM auth.credential WHERE object_id = $1"
              " ORDER BY starts_at, id"},
    [DROP] = {"DELETE FROM auth.credential WHERE object_id = $1 AND id = $2"},
    [FED_PUT] = {"INSERT INTO auth.federated (id, object_id, name, issuer, subject, audience,"
                 " description) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET"
                 " issuer = $4, subject = $5, audience = $6, description = $7"},
    [FED_LIST] = {"SELECT id, name, issuer, subject, audience, description FROM auth.federated"
                  " WHERE object_id = $1 ORDER BY id"},
    [FED_DROP] =
        {"DELETE FROM auth.federated WHERE object_id = $1 AND (id = lower($2) OR name = $2)"},
    {0},
};

static const char *const kinds[] = {"secret", "certificate", "identity"};

void credential_store_start(void)
{
    db_register(stmts);
}

static enum fault changed(struct op *op)
{
    return hub_notify(op, DIRECTORY_CHANNEL, "");
}

static const char *new_id(struct op *op)
{
    char id[37];

    random_uuid(id);
    return arena_strdup(&op->arena, id);
}

static enum fault add(struct op *op, struct credential_row *c, const char *hash)
{
    if (!c->id)
        c->id = new_id(op);
    if (!c->starts_s)
        c->starts_s = wall_s();
    TRY(db_query(op, &stmts[ADD], NULL, DB_TEXT(c->id), DB_TEXT(c->object_id),
                 DB_TEXT(kinds[c->kind]), DB_TEXT(hash), DB_TEXT(c->public_key),
                 DB_TEXT(c->thumbprint), DB_TEXT(c->name), DB_TEXT(c->hint), DB_INT(c->starts_s),
                 DB_INT(c->ends_s)));
    return changed(op);
}

enum fault secret_add(struct op *op, struct credential_row *row, const char *secret)
{
    row->hint = arena_strndup(&op->arena, secret, strlen(secret) < 12 ? 0 : 3);
    return add(op, row, secret_hash(op, secret));
}

enum fault certificate_add(struct op *op, struct credential_row *row)
{
    row->kind = CREDENTIAL_CERTIFICATE;
    return add(op, row, NULL);
}

enum fault credential_list(struct op *op, const char *object_id, struct credential_row **ret,
                           size_t *ret_n)
{
    struct credential_row *list;
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[LIST], &rows, DB_TEXT(object_id)));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    for (; db_next(&rows); n++) {
        const char *kind = db_text(&rows, "kind");

        list[n] = (struct credential_row){
            .id = db_text(&rows, "id"),
            .object_id = object_id,
            .name = db_text(&rows, "name"),
            .hint = db_text(&rows, "hint"),
            .public_key = db_text(&rows, "public_key"),
            .thumbprint = db_text(&rows, "thumbprint"),
            .starts = db_text(&rows, "starts"),
            .ends = db_text(&rows, "ends"),
        };
        while (strcmp(kinds[list[n].kind], kind) != 0)
            list[n].kind++;
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum fault credential_delete(struct op *op, const char *object_id, const char *id)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DROP], &rows, DB_TEXT(object_id), DB_TEXT(id)));
    if (!rows.affected)
        return fail_on(op, "credential", NOT_FOUND, "No password credential found with keyId '%s'.",
                       id);
    return changed(op);
}

/* ---- federated ---- */

enum fault federated_put(struct op *op, struct federated_row *f)
{
    enum fault fault;

    if (!f->id)
        f->id = new_id(op);
    fault = db_query(op, &stmts[FED_PUT], NULL, DB_TEXT(f->id), DB_TEXT(f->object_id),
                     DB_TEXT(f->name), DB_TEXT(f->issuer), DB_TEXT(f->subject),
                     DB_TEXT(f->audience), DB_TEXT(f->description));
    if (fault == CONFLICT)
        return fail_on(op, "object", CONFLICT,
                       "FederatedIdentityCredential with this name, or this issuer and subject,"
                       " already exists.");
    TRY(fault);
    return changed(op);
}

enum fault federated_list(struct op *op, const char *object_id, struct federated_row **ret,
                          size_t *ret_n)
{
    struct federated_row *list;
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[FED_LIST], &rows, DB_TEXT(object_id)));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows))
        list[n++] = (struct federated_row){
            .id = db_text(&rows, "id"),
            .object_id = object_id,
            .name = db_text(&rows, "name"),
            .issuer = db_text(&rows, "issuer"),
            .subject = db_text(&rows, "subject"),
            .audience = db_text(&rows, "audience"),
            .description = db_text(&rows, "description"),
        };
    *ret = list;
    *ret_n = n;
    return OK;
}

enum fault federated_delete(struct op *op, const char *object_id, const char *id_or_name)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[FED_DROP], &rows, DB_TEXT(object_id), DB_TEXT(id_or_name)));
    if (!rows.affected)
        return fail_on(op, "object", NOT_FOUND,
                       "Resource '%.100s' does not exist or one of its queried reference-property"
                       " objects are not present.",
                       id_or_name);
    return changed(op);
}
