/*
 * Images of other registries that containers run: in two registries of ours whose names no API can
 * say ("_" is in no registry's name), so that nobody pulls them from here without the source's
 * leave. What was fetched by nobody in particular is in one, what took credentials in the other.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/db.h"
#include "registry/hot.h"
#include "registry/import_job.h"
#include "registry/names.h"

#define PUBLIC      "_public"
#define PRIVATE     "_private"
#define TRIES       3
#define RETRY_MS    500
#define HEX_PREFIX  "hex--"
#define HOST_LENGTH 100
#define AT_ONCE     500

enum { FIND, MAKE, LIST, STALE, EMPTY };
static const struct db_stmt stmts[] = {
    [FIND] = {"SELECT id FROM registry.registry WHERE name = $1"},
    [MAKE] = {"INSERT INTO registry.registry (name) VALUES ($1)"
              " ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id"},
    [LIST] = {"SELECT r.name, t.name AS tag FROM registry.repository r, registry.tag t"
              " WHERE r.registry_id = (SELECT id FROM registry.registry WHERE name = $1)"
              " AND t.repository_id = r.id AND (r.name, t.name) > ($2, $3)"
              " ORDER BY r.name, t.name LIMIT $4"},
    [STALE] =
        {"SELECT m.repository_id, m.digest, r.registry_id, r.name FROM registry.manifest m,"
         " registry.repository r, registry.registry g WHERE r.id = m.repository_id"
         " AND g.id = r.registry_id AND g.name IN ('" PUBLIC "', '" PRIVATE "')"
         " AND greatest(m.last_pulled, m.updated) <= now() - make_interval(secs => $1::bigint)"
         " LIMIT $2"},
    /* who fetches into it holds its row */
    [EMPTY] =
        {"DELETE FROM registry.repository WHERE id IN (SELECT r.id FROM registry.repository r,"
         " registry.registry g WHERE g.id = r.registry_id"
         " AND g.name IN ('" PUBLIC "', '" PRIVATE "')"
         " AND r.updated < now() - interval '1 day'"
         " AND NOT EXISTS (SELECT FROM registry.manifest m WHERE m.repository_id = r.id)"
         " FOR UPDATE OF r SKIP LOCKED)"},
    {0},
};

void import_hidden_start(void)
{
    db_register(stmts);
}

void import_hidden_stop(void)
{
    atomic_store(&import_ending, true);
}

/* ---- names ---- */

/* "localhost:5000" → "localhost__5000"; what even so is no repository's name: its bytes. */
static const char *encode_host(struct op *op, const char *host)
{
    struct text text;

    text_init(&text, &op->arena, REPOSITORY_NAME_MAX);
    for (const char *c = host; *c; c++)
        if (*c == ':')
            text_str(&text, "__");
        else
            text_printf(&text, "%c", tolower((unsigned char)*c));
    if (repository_name_is_valid(text.data) && !strchr(host, '/') && !strchr(host, '_') &&
        strncmp(host, HEX_PREFIX, strlen(HEX_PREFIX)) != 0)
        return text.data;
    text_init(&text, &op->arena, REPOSITORY_NAME_MAX);
    text_str(&text, HEX_PREFIX);
    for (const char *c = host; *c; c++)
        text_printf(&text, "%02x", (unsigned char)*c);
    return text.data;
}

/* "localhost__5000/app" → "localhost:5000/app" */
static const char *decode(struct op *op, const char *repository)
{
    size_t len = strcspn(repository, "/");
    struct text text;

    text_init(&text, &op->arena, (size_t)2 * REPOSITORY_NAME_MAX);
    if (strncmp(repository, HEX_PREFIX, strlen(HEX_PREFIX)) == 0) {
        for (size_t i = strlen(HEX_PREFIX); i + 1 < len; i += 2) {
            unsigned byte = 0;

            if (sscanf(repository + i, "%2x", &byte) == 1)
                text_printf(&text, "%c", (int)byte);
        }
    } else {
        for (size_t i = 0; i < len; i++)
            if (strncmp(repository + i, "__", 2) == 0) {
                text_str(&text, ":");
                i++;
            } else {
                text_add(&text, repository + i, 1);
            }
    }
    text_str(&text, repository + len);
    return text.data;
}

static enum fault kept_as(struct op *op, const char *host, const char *repository, const char **ret)
{
    if (strlen(host) > HOST_LENGTH)
        return fail_on(op, "image", INVALID, "\"%.60s…\" is no registry's address", host);
    *ret = arena_printf(&op->arena, "%s/%s", encode_host(op, host), repository);
    if (!repository_name_is_valid(*ret))
        return fail_on(op, "image", INVALID, "\"%.300s\" is no name of a repository, or too long",
                       repository);
    return OK;
}

/* ---- fetching ---- */

static enum fault make_registry(struct op *op, const char *name, int64_t *ret_id)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[FIND], &rows, DB_TEXT(name)));
    if (!db_next(&rows)) {
        TRY(db_query(op, &stmts[MAKE], &rows, DB_TEXT(name)));
        if (!db_next(&rows))
            return fail(op, INTERNAL, "there is no place for other registries' images");
    }
    *ret_id = db_int(&rows, "id");
    return OK;
}

/* A source that has answered and is cut off is asked for the rest; what arrived is kept. */
static enum fault copy_with_tries(struct op *op, const struct import_work *work,
                                  const struct registry *target)
{
    enum fault fault;

    for (int try = 1;; try++) {
        fault = import_copy_into(op, work, target);
        if (fault == OK)
            return OK;
        if (db_in_transaction(op))
            db_rollback(op);
        if (try == TRIES || fault != UNAVAILABLE || atomic_load(&import_ending))
            return fault;
        op_clear_fault(op);
        struct timespec pause = {0, RETRY_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
}

enum fault import_hidden(struct op *op, const char *host, const char *repository,
                         const char *reference, const char *username, const char *password,
                         struct hidden_image *ret)
{
    bool with_credentials = username || password;
    struct registry target = {.name = with_credentials ? PRIVATE : PUBLIC};
    struct import_target to = {.tag = reference_is_digest(reference) ? NULL : reference};
    struct import_work work = {
        .source_host = host,
        .repository = repository,
        .reference = reference,
        .username = username,
        .password = password,
        .targets = &to,
        .n_targets = 1,
        .force = true,
        .one_platform = true,
    };

    TRY(kept_as(op, host, repository, &to.repository));
    registry_options_default(&target.options, SKU_BASIC);
    TRY(make_registry(op, target.name, &target.id));
    work.registry_id = target.id;
    TRY(copy_with_tries(op, &work, &target));
    *ret = (struct hidden_image){target.id, to.repository};
    return OK;
}

enum fault import_hidden_find(struct op *op, const char *host, const char *repository,
                              bool with_credentials, struct hidden_image *ret)
{
    struct hidden_image found = {0};
    struct db_rows rows;

    TRY(kept_as(op, host, repository, &found.repository));
    TRY(db_query(op, &stmts[FIND], &rows, DB_TEXT(with_credentials ? PRIVATE : PUBLIC)));
    if (!db_next(&rows))
        return fail_on(op, "image", NOT_FOUND, "nothing of other registries is kept here");
    found.registry_id = db_int(&rows, "id");
    *ret = found;
    return OK;
}

enum fault import_hidden_list(struct op *op, const char *last, int64_t max, const char ***ret,
                              size_t *ret_n)
{
    const char *colon = last ? strrchr(last, ':') : NULL, *slash, *name = "";
    struct db_rows rows;
    const char **list;
    size_t n = 0;

    if (colon && (slash = strchr(last, '/')) && slash < colon)
        name =
            arena_printf(&op->arena, "%s%.*s",
                         encode_host(op, arena_strndup(&op->arena, last, (size_t)(slash - last))),
                         (int)(colon - slash), slash);
    TRY(db_query(op, &stmts[LIST], &rows, DB_TEXT(PUBLIC), DB_TEXT(name),
                 DB_TEXT(*name ? colon + 1 : ""), DB_INT(max)));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows))
        list[n++] = arena_printf(&op->arena, "%s:%s", decode(op, db_text(&rows, "name")),
                                 db_text(&rows, "tag"));
    *ret = list;
    *ret_n = n;
    return OK;
}

/* ---- collection ---- */

static enum fault delete_one(struct op *op, const struct db_rows *stale)
{
    const char *media_type, *digest = db_text(stale, "digest"), *name = db_text(stale, "name");
    int64_t repository_id = db_int(stale, "repository_id"), id = db_int(stale, "registry_id");
    enum fault fault;

    TRY(db_begin(op));
    fault = manifest_delete(op, repository_id, digest, &media_type);
    if (fault == OK)
        fault = db_commit(op);
    else
        db_rollback(op);
    hot_changed(id, name);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    return fault;
}

enum fault import_hidden_collect(struct op *op, int64_t older_than_s)
{
    struct db_rows stale;

    TRY(db_query(op, &stmts[STALE], &stale, DB_INT(older_than_s), DB_INT(AT_ONCE)));
    while (db_next(&stale))
        TRY(delete_one(op, &stale));
    return db_query(op, &stmts[EMPTY], NULL);
}
