#include "registry/manifest.h"

#include <string.h>

#include "core/db.h"
#include "registry/blob.h"
#include "registry/names.h"
#include "registry/registry.h"

#define REFERRERS_BYTES "4000000" /* of annotations in one reply: the size a manifest may have */

/* As ACR lists it; m is the manifest. */
#define DETAILS                                                                                    \
    "SELECT m.digest, registry.iso(m.created) AS created, registry.iso(m.updated) AS updated,"     \
    " registry.us(m.updated) AS updated_us, registry.iso(m.last_pulled) AS last_pulled,"           \
    " m.architecture, m.os, m.media_type, m.config_media_type, m.quarantine_state,"                \
    " m.quarantine_details, m.image_size,"                                                         \
    " (SELECT coalesce(json_agg(t.name ORDER BY t.name), '[]') FROM registry.tag t"                \
    "  WHERE t.repository_id = m.repository_id AND t.digest = m.digest)::text AS tags,"            \
    " (SELECT json_agg(json_strip_nulls(json_build_object('digest', child,"                        \
    "  'architecture', c.architecture, 'os', c.os)) ORDER BY position)"                            \
    "  FROM registry.manifest_child c WHERE c.repository_id = m.repository_id"                     \
    "  AND c.manifest = m.digest)::text AS refs, " ATTRIBUTE_COLUMNS                               \
    " FROM registry.manifest m WHERE m.repository_id = $1"

#define LISTED DETAILS " AND m.list_enabled"

/* Where a page by time goes on: from the time that the Link told, else from its last entry's. */
#define PLACE                                                                                      \
    "(coalesce(registry.from_us($4), (SELECT updated FROM registry.manifest"                       \
    " WHERE repository_id = $1 AND digest = $2)), $2)"

enum {
    HOLD_BLOBS,
    PUT_WHOLE,
    INSERT_CHILDREN,
    GET_TAG,
    GET_DIGEST,
    LOCK,
    LOCKED_TAG,
    RELEASE_BLOBS,
    DELETE_ROW,
    ONE,
    LIST_NAME,
    LIST_NEWEST,
    LIST_OLDEST,
    CHANGE,
    REFERRERS,
};
static const struct db_stmt stmts[] = {
    [HOLD_BLOBS] = {"SELECT digest FROM registry.repository_blob"
                    " WHERE repository_id = $1 AND digest = ANY($2::text[])"
                    " ORDER BY digest FOR KEY SHARE"},
    /* One statement for all of a push: a round trip costs more than what it does. */
    [PUT_WHOLE] = {"WITH m AS (INSERT INTO registry.manifest (repository_id, digest, media_type,"
                   "  config_media_type, artifact_type, size, image_size, architecture, os,"
                   "  subject, annotations, content, quarantine_state)"
                   "  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $15)"
                   "  ON CONFLICT (repository_id, digest) DO UPDATE SET updated = now(),"
                   "  untagged_since = NULL"
                   "  RETURNING xmax = 0 AS is_new),"
                   " b AS (INSERT INTO registry.manifest_blob (repository_id, manifest, blob)"
                   "  SELECT $1, $2, unnest($13::text[]) FROM m WHERE is_new),"
                   " t AS (INSERT INTO registry.tag (repository_id, name, digest)"
                   "  SELECT $1, unnest($14::text[]), $2"
                   "  ON CONFLICT (repository_id, name) DO UPDATE"
                   "  SET digest = excluded.digest, updated = now() WHERE tag.write_enabled"
                   "  RETURNING 1)"
                   " SELECT is_new, (SELECT count(*) FROM t) AS tagged FROM m"},
    [INSERT_CHILDREN] = {"INSERT INTO registry.manifest_child (repository_id, manifest, position,"
                         " child, architecture, os)"
                         " SELECT $1, $2, position, child, nullif(architecture, ''), nullif(os, '')"
                         " FROM unnest($3::text[], $4::text[], $5::text[]) WITH ORDINALITY"
                         " AS c (child, architecture, os, position)"},
    [GET_TAG] = {"SELECT r.id AS repository_id, m.digest, m.media_type, m.content,"
                 " m.quarantine_state <> 'Passed' AS quarantined,"
                 " r.read_enabled AND t.read_enabled AND m.read_enabled AS readable"
                 " FROM registry.repository r"
                 " LEFT JOIN registry.tag t ON t.repository_id = r.id AND t.name = $3"
                 " LEFT JOIN registry.manifest m ON m.repository_id = r.id AND m.digest = t.digest"
                 " WHERE r.registry_id = $1 AND r.name = $2"},
    [GET_DIGEST] = {"SELECT r.id AS repository_id, m.digest, m.media_type, m.content,"
                    " m.quarantine_state <> 'Passed' AS quarantined,"
                    " r.read_enabled AND m.read_enabled AS readable"
                    " FROM registry.repository r"
                    " LEFT JOIN registry.manifest m ON m.repository_id = r.id AND m.digest = $3"
                    " WHERE r.registry_id = $1 AND r.name = $2"},
    [LOCK] = {"SELECT delete_enabled AND write_enabled AS free, media_type FROM registry.manifest"
              " WHERE repository_id = $1 AND digest = $2 FOR UPDATE"},
    [LOCKED_TAG] = {"SELECT name FROM registry.tag WHERE repository_id = $1 AND digest = $2"
                    " AND NOT (delete_enabled AND write_enabled) LIMIT 1"},
    /* collection had given these links no end while a manifest held them */
    [RELEASE_BLOBS] = {"UPDATE registry.repository_blob"
                       " SET leased_until = now() + make_interval(secs => $3)"
                       " WHERE repository_id = $1 AND leased_until = " LEASE_WITHOUT_END
                       " AND digest IN (SELECT blob FROM registry.manifest_blob"
                       "                WHERE repository_id = $1 AND manifest = $2)"},
    [DELETE_ROW] = {"DELETE FROM registry.manifest WHERE repository_id = $1 AND digest = $2"},
    [ONE] = {DETAILS " AND m.digest = $2"},
    [LIST_NAME] = {LISTED " AND m.digest > $2 ORDER BY m.digest LIMIT $3"},
    [LIST_NEWEST] = {LISTED " AND ($2 = '' OR (m.updated, m.digest) < " PLACE ")"
                            " ORDER BY m.updated DESC, m.digest DESC LIMIT $3"},
    [LIST_OLDEST] = {LISTED " AND ($2 = '' OR (m.updated, m.digest) > " PLACE ")"
                            " ORDER BY m.updated, m.digest LIMIT $3"},
    [CHANGE] = {"UPDATE registry.manifest SET updated = now(),"
                " delete_enabled = coalesce($3::boolean, delete_enabled),"
                " write_enabled = coalesce($4::boolean, write_enabled),"
                " read_enabled = coalesce($5::boolean, read_enabled),"
                " list_enabled = coalesce($6::boolean, list_enabled),"
                " quarantine_state = coalesce($7, quarantine_state),"
                " quarantine_details = coalesce($8, quarantine_details)"
                " WHERE repository_id = $1 AND digest = $2"},
    [REFERRERS] = {"SELECT digest, media_type, artifact_type, annotations, size, available FROM"
                   " (SELECT *, count(*) OVER () AS available,"
                   "   sum(coalesce(octet_length(annotations), 0) + 400)"
                   "   OVER (ORDER BY digest) AS bytes, row_number() OVER (ORDER BY digest)"
                   "   AS number FROM"
                   "  (SELECT digest, media_type, artifact_type, annotations, size"
                   "   FROM registry.manifest WHERE repository_id = $1 AND subject = $2"
                   "   AND ($3::text IS NULL OR artifact_type = $3) AND digest > $4"
                   "   ORDER BY digest LIMIT $5) AS few) AS measured"
                   " WHERE bytes < " REFERRERS_BYTES " OR number = 1 ORDER BY digest"},
    {0},
};

void manifest_store_start(void)
{
    db_register(stmts);
}

static enum fault unknown(struct op *op, const char *reference)
{
    return fail_on(op, "manifest", NOT_FOUND, "manifest %s is not known to the repository",
                   reference);
}

/* ---- putting ---- */

/* Both lists are sorted alike: what is wanted and not found, each as its own detail. */
static enum fault fail_missing(struct op *op, const struct manifest *m, struct db_rows *found)
{
    bool more = db_next(found);
    struct text detail;
    size_t missing = 0;

    text_init(&detail, &op->arena, (size_t)1 << 19);
    text_str(&detail, "[");
    for (size_t i = 0; i < m->n_blobs; i++) {
        if (more && strcmp(db_text(found, "digest"), m->blobs[i]) == 0)
            more = db_next(found);
        else if (missing++ < 1000)
            text_printf(&detail, "%s{\"digest\":\"%s\"}", detail.len > 1 ? "," : "", m->blobs[i]);
    }
    text_str(&detail, "]");
    if (missing == 0)
        return OK;
    fail_on(op, "referenced blobs", NOT_FOUND,
            "%zu of the blobs it refers to are not known to the repository", missing);
    op->detail = detail.data;
    return NOT_FOUND;
}

enum fault manifest_check_blobs(struct op *op, int64_t repository_id,
                                const struct manifest *manifest)
{
    struct db_rows rows;

    if (manifest->n_blobs == 0)
        return OK;
    TRY(db_query(op, &stmts[HOLD_BLOBS], &rows, DB_INT(repository_id),
                 DB_TEXTS(manifest->blobs, manifest->n_blobs)));
    return fail_missing(op, manifest, &rows);
}

static enum fault insert_children(struct op *op, int64_t repository_id, const struct manifest *m)
{
    size_t n = m->n_children;
    const char **digests = arena_alloc(&op->arena, (n + 1) * sizeof(*digests));
    const char **architectures = arena_alloc(&op->arena, (n + 1) * sizeof(*architectures));
    const char **systems = arena_alloc(&op->arena, (n + 1) * sizeof(*systems));

    for (size_t i = 0; i < n; i++) {
        digests[i] = m->children[i].digest;
        architectures[i] = m->children[i].architecture ? m->children[i].architecture : "";
        systems[i] = m->children[i].os ? m->children[i].os : "";
    }
    return db_query(op, &stmts[INSERT_CHILDREN], NULL, DB_INT(repository_id), DB_TEXT(m->digest),
                    DB_TEXTS(digests, n), DB_TEXTS(architectures, n), DB_TEXTS(systems, n));
}

enum fault manifest_put(struct op *op, int64_t repository_id, const struct manifest *m,
                        const char *const *tags, size_t n_tags)
{
    struct db_rows rows;
    bool is_new;

    TRY(db_query(op, &stmts[PUT_WHOLE], &rows, DB_INT(repository_id), DB_TEXT(m->digest),
                 DB_TEXT(m->media_type), DB_TEXT(m->config_media_type), DB_TEXT(m->artifact_type),
                 DB_INT((int64_t)m->content.len), DB_INT(m->image_size), DB_TEXT(m->architecture),
                 DB_TEXT(m->os), DB_TEXT(m->subject), DB_TEXT(m->annotations), DB_BYTES(m->content),
                 DB_TEXTS(m->blobs, m->n_blobs), DB_TEXTS(tags, n_tags),
                 DB_TEXT(m->quarantined ? "Quarantined" : NULL)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "the manifest was not stored");
    is_new = db_bool(&rows, "is_new");
    TRY(check_lock(op, db_int(&rows, "tagged") == (int64_t)n_tags, "overwriting",
                   n_tags == 1 ? tags[0] : "a tag"));
    return is_new && m->n_children > 0 ? insert_children(op, repository_id, m) : OK;
}

/* ---- pulling ---- */

enum fault manifest_get(struct op *op, int64_t registry_id, const char *repository,
                        const char *reference, struct manifest_content *ret)
{
    const struct db_stmt *stmt = &stmts[reference_is_digest(reference) ? GET_DIGEST : GET_TAG];
    struct db_rows rows;
    bool readable;

    TRY(db_query(op, stmt, &rows, DB_INT(registry_id), DB_TEXT(repository), DB_TEXT(reference)));
    if (!db_next(&rows))
        return fail_on(op, "name", NOT_FOUND, "repository \"%s\" is not known to the registry",
                       repository);
    *ret = (struct manifest_content){
        .repository_id = db_int(&rows, "repository_id"),
        .digest = db_text(&rows, "digest"),
        .media_type = db_text(&rows, "media_type"),
        .content = db_bytes(&rows, "content"),
        .quarantined = db_bool(&rows, "quarantined"),
    };
    readable = db_bool(&rows, "readable");
    if (!ret->digest)
        return unknown(op, reference);
    return check_lock(op, readable, "reading", reference);
}

/* ---- deleting ---- */

enum fault manifest_delete(struct op *op, int64_t repository_id, const char *digest,
                           const char **ret_media_type)
{
    const char *media_type;
    struct db_rows rows;

    TRY(db_query(op, &stmts[LOCK], &rows, DB_INT(repository_id), DB_TEXT(digest)));
    if (!db_next(&rows))
        return unknown(op, digest);
    media_type = db_text(&rows, "media_type");
    TRY(check_lock(op, db_bool(&rows, "free"), "deleting", digest));
    TRY(db_query(op, &stmts[LOCKED_TAG], &rows, DB_INT(repository_id), DB_TEXT(digest)));
    if (db_next(&rows))
        return check_lock(op, false, "deleting", db_text(&rows, "name"));
    TRY(db_query(op, &stmts[RELEASE_BLOBS], NULL, DB_INT(repository_id), DB_TEXT(digest),
                 DB_INT(registry_settings->blob_lease_s)));
    TRY(db_query(op, &stmts[DELETE_ROW], NULL, DB_INT(repository_id), DB_TEXT(digest)));
    *ret_media_type = media_type;
    return OK;
}

/* ---- lists ---- */

static struct manifest_details details_from_row(const struct db_rows *rows)
{
    return (struct manifest_details){
        .digest = db_text(rows, "digest"),
        .created = db_text(rows, "created"),
        .updated = db_text(rows, "updated"),
        .updated_us = db_int(rows, "updated_us"),
        .last_pulled = db_text(rows, "last_pulled"),
        .architecture = db_text(rows, "architecture"),
        .os = db_text(rows, "os"),
        .media_type = db_text(rows, "media_type"),
        .config_media_type = db_text(rows, "config_media_type"),
        .quarantine_state = db_text(rows, "quarantine_state"),
        .quarantine_details = db_text(rows, "quarantine_details"),
        .image_size = db_int(rows, "image_size"),
        .tags = db_text(rows, "tags"),
        .references = db_text(rows, "refs"),
        .attributes = attributes_from_row(rows),
    };
}

enum fault manifest_details(struct op *op, int64_t repository_id, const char *digest,
                            struct manifest_details *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[ONE], &rows, DB_INT(repository_id), DB_TEXT(digest)));
    if (!db_next(&rows))
        return unknown(op, digest);
    *ret = details_from_row(&rows);
    return OK;
}

enum fault manifest_list(struct op *op, int64_t repository_id, const struct page *page,
                         struct manifest_details **ret, size_t *ret_n)
{
    struct db_param at = page->at_us < 0 ? DB_TEXT(NULL) : DB_INT(page->at_us);
    struct manifest_details *list;
    struct db_rows rows;
    size_t n = 0;

    if (page->order == ORDER_NAME)
        TRY(db_query(op, &stmts[LIST_NAME], &rows, DB_INT(repository_id), DB_TEXT(page->last),
                     DB_INT(page->n + 1)));
    else
        TRY(db_query(op, &stmts[page->order == ORDER_NEWEST ? LIST_NEWEST : LIST_OLDEST], &rows,
                     DB_INT(repository_id), DB_TEXT(page->last), DB_INT(page->n + 1), at));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows))
        list[n++] = details_from_row(&rows);
    *ret = list;
    *ret_n = n;
    return OK;
}

enum fault manifest_change(struct op *op, int64_t repository_id, const char *digest,
                           const struct attribute_changes *changes, const char *quarantine_state,
                           const char *quarantine_details)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[CHANGE], &rows, DB_INT(repository_id), DB_TEXT(digest),
                 ATTRIBUTE_PARAMS(changes), DB_TEXT(quarantine_state),
                 DB_TEXT(quarantine_details)));
    return rows.affected ? OK : unknown(op, digest);
}

enum fault manifest_referrers(struct op *op, int64_t repository_id, const char *digest,
                              const char *artifact_type, const char *last, int64_t max,
                              struct referrer **ret, size_t *ret_n, bool *ret_more)
{
    struct referrer *list;
    struct db_rows rows;
    int64_t n = 0, available = 0;

    TRY(db_query(op, &stmts[REFERRERS], &rows, DB_INT(repository_id), DB_TEXT(digest),
                 DB_TEXT(artifact_type), DB_TEXT(last), DB_INT(max + 1)));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows)) {
        available = db_int(&rows, "available");
        list[n++] = (struct referrer){
            .digest = db_text(&rows, "digest"),
            .media_type = db_text(&rows, "media_type"),
            .artifact_type = db_text(&rows, "artifact_type"),
            .annotations = db_text(&rows, "annotations"),
            .size = db_int(&rows, "size"),
        };
    }
    *ret = list;
    *ret_n = (size_t)(n > max ? max : n);
    *ret_more = available > (int64_t)*ret_n;
    return OK;
}
