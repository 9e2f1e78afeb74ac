/*
 * OCI distribution: blobs, uploads and the catalog.
 */
#include <string.h>

#include "core/db.h"
#include "core/durable.h"
#include "core/files.h"
#include "core/seal.h"
#include "registry/api.h"
#include "registry/blob.h"
#include "registry/hot.h"
#include "registry/page.h"
#include "registry/upload.h"

#define CATALOG_DEFAULT 100
#define CATALOG_MAX     1000

enum fault api_base(struct call *c)
{
    return reply_bytes(c, 200, "application/json; charset=utf-8", BYTES("{}"));
}

/* ---- blobs ---- */

static enum fault find_blob(struct call *c, const char *digest, struct blob *ret)
{
    const struct target *target = &caller_of(c)->target;
    unsigned generation = hot_generation(target->registry->id, target->repository);
    struct repository repository;

    TRY(check_digest(&c->op, digest));
    TRY(api_repository(c, &repository));
    TRY(check_lock(&c->op, repository.attributes.read_enabled, "reading", target->repository));
    TRY(blob_find(&c->op, repository.id, digest, ret));
    TRY(blob_touch(&c->op, repository.id, digest, ret));
    hot_keep_blob(generation, target->registry->id, target->repository, digest, ret);
    return OK;
}

enum fault blob_get_handler(struct call *c)
{
    const char *digest = c->path_args[1];
    struct blob blob;
    int fd;

    TRY(find_blob(c, digest, &blob));
    if (c->method == HEAD)
        return api_reply_blob_head(c, digest, blob.size);
    api_content_headers(c, digest);
    if (api_not_modified(c, digest))
        return OK;
    TRY(blob_open(&c->op, digest, blob.size, &fd));
    return reply_file(c, "application/octet-stream", fd, blob.size);
}

enum fault blob_delete_handler(struct call *c)
{
    const char *digest = c->path_args[1];
    struct repository repository;

    TRY(check_digest(&c->op, digest));
    TRY(api_repository(c, &repository));
    TRY(check_lock(&c->op,
                   repository.attributes.delete_enabled && repository.attributes.write_enabled,
                   "deleting", digest));
    TRY(db_begin(&c->op));
    TRY(blob_unlink(&c->op, repository.id, digest));
    reply_header(c, "Docker-Content-Digest", "%s", digest);
    reply_empty(c, 202);
    return api_commit(c);
}

/* ---- answers about uploads ---- */

/* OCI dist v1.1: "Location" may be relative; it is the path form that the client used. */
static void upload_headers(struct call *c, const char *id, int64_t received)
{
    reply_header(c, "Location", "/v2/%s/blobs/uploads/%s", caller_of(c)->target.full_name, id);
    reply_header(c, "Range", "0-%lld", (long long)(received > 0 ? received - 1 : 0));
    reply_header(c, "Docker-Upload-UUID", "%s", id);
}

static enum fault reply_blob_created(struct call *c, const char *digest, const char *id)
{
    reply_header(c, "Location", "/v2/%s/blobs/%s", caller_of(c)->target.full_name, digest);
    reply_header(c, "Docker-Content-Digest", "%s", digest);
    if (id)
        reply_header(c, "Docker-Upload-UUID", "%s", id);
    return reply_empty(c, 201);
}

/* ---- POST ---- */

enum fault upload_post_open(struct call *c)
{
    const char *digest = call_query(c, "digest", 0);
    enum hash_kind kind = HASH_SHA256;
    struct upload *upload;

    TRY(api_check_writable(c));
    if (!digest) {
        upload = upload_discard(&c->op);
    } else {
        TRY(check_digest(&c->op, digest));
        hash_kind_parse(digest, &kind);
        TRY(upload_open_single(&c->op, kind, &upload));
        TRY(upload_expect(&c->op, upload, NULL, c->content_length));
    }
    c->scratch = upload;
    c->sink = &upload->sink;
    return OK;
}

static enum fault fail_digest(struct op *op, const char *claimed, const char *found)
{
    return fail_on(op, "digest", INVALID, "the bytes hash to %s, not to %s", found, claimed);
}

/* All bytes are there: do they hash to what was said? */
static enum fault check_bytes(struct call *c, const struct upload *upload, const char *digest)
{
    enum hash_kind kind = HASH_SHA256;
    const char *found;

    hash_kind_parse(digest, &kind);
    TRY(upload_digest(&c->op, upload, kind, &found));
    return strcmp(found, digest) == 0 ? OK : fail_digest(&c->op, digest, found);
}

/* Let the file become the blob, in the open transaction's repository. */
static enum fault adopt(struct call *c, const struct upload *upload, int64_t repository_id,
                        const char *digest)
{
    TRY(blob_adopt(&c->op, repository_id, digest, upload->offset, upload_path(&c->op, upload->id)));
    reply_blob_created(c, digest, upload->id);
    return api_commit(c);
}

/* The source of a mount without "from": any repository the caller may pull from. */
static enum fault find_source(struct call *c, const char *digest, bool *ret_found)
{
    const struct caller *caller = caller_of(c);
    const char **names;
    size_t n;

    TRY(blob_sources(&c->op, caller->target.registry->id, digest, &names, &n));
    *ret_found = false;
    for (size_t i = 0; i < n && !*ret_found; i++)
        *ret_found = principal_rights(&c->op, &caller->principal, caller->target.registry, names[i],
                                      SCOPE_PULL) != 0;
    return OK;
}

/*
 * May the blob be taken from there? Too small a token is challenged for both repositories; whoever
 * may never read the source gets an upload session, as for any blob that is not there.
 */
static enum fault check_source(struct call *c, const char *from, const char *digest,
                               bool *ret_found)
{
    const struct caller *caller = caller_of(c);
    struct repository source;
    struct target target;
    struct blob blob;
    enum fault fault;

    *ret_found = false;
    if (target_find(&c->op, c->host, from, &target) != OK || !target.registry ||
        !target.repository || !registry_admits(target.registry, c->client)) {
        op_clear_fault(&c->op);
        return OK;
    }
    if (!principal_rights(&c->op, &caller->principal, target.registry, target.repository,
                          SCOPE_PULL))
        return OK;
    TRY(access_need(c, from, SCOPE_PULL));
    fault = repository_find(&c->op, target.registry->id, target.repository, &source);
    if (fault == OK)
        fault = source.attributes.read_enabled ? blob_find(&c->op, source.id, digest, &blob)
                                               : NOT_FOUND;
    if (fault != OK && fault != NOT_FOUND)
        return fault;
    op_clear_fault(&c->op);
    *ret_found = fault == OK;
    return OK;
}

/* Where from? *ret_found false: an upload session is the answer. */
static enum fault find_mount(struct call *c, const char *digest, bool *ret_found)
{
    const char *from = call_query(c, "from", 0);

    *ret_found = false;
    if (!digest || !digest_is_valid(digest))
        return OK;
    return from && *from ? check_source(c, from, digest, ret_found)
                         : find_source(c, digest, ret_found);
}

/* OCI dist v1.1, end-11. NOT_FOUND: it has been collected meanwhile. */
static enum fault mount(struct call *c, const char *digest)
{
    struct repository repository;

    TRY(db_begin(&c->op));
    TRY(api_repository_to_write(c, &repository));
    TRY(blob_link(&c->op, repository.id, digest));
    reply_blob_created(c, digest, NULL);
    return api_commit(c);
}

static enum fault open_session(struct call *c)
{
    const char *algorithm = call_query(c, "digest-algorithm", 0);
    enum hash_kind kind = HASH_SHA256;
    struct repository repository;
    char id[37];

    if (algorithm && !hash_kind_parse(algorithm, &kind))
        return fail_on(&c->op, "digest", INVALID, "\"%.40s\" is no digest algorithm of ours",
                       algorithm);
    random_uuid(id);
    TRY(db_begin(&c->op));
    TRY(api_repository_to_write(c, &repository));
    TRY(upload_insert(&c->op, repository.id, id, kind));
    upload_headers(c, id, 0);
    reply_empty(c, 202);
    return call_commit(c);
}

static enum fault push_single(struct call *c, const char *digest)
{
    const struct upload *upload = c->scratch;
    struct repository repository;

    if (c->body_state == BODY_CUT)
        return fail(&c->op, UNAVAILABLE, "the client has left");
    TRY(check_bytes(c, upload, digest));
    TRY(db_begin(&c->op));
    TRY(api_repository_to_write(c, &repository));
    return adopt(c, upload, repository.id, digest);
}

enum fault upload_post(struct call *c)
{
    const char *digest = call_query(c, "digest", 0), *wanted = call_query(c, "mount", 0);
    enum fault fault;
    bool found;

    if (digest)
        return push_single(c, digest);
    TRY(find_mount(c, wanted, &found));
    if (!found)
        return open_session(c);
    fault = mount(c, wanted);
    if (fault != NOT_FOUND)
        return fault;
    db_rollback(&c->op);
    op_clear_fault(&c->op);
    return open_session(c);
}

/* ---- PATCH and PUT ---- */

/* In a repository that does not exist no upload does either. */
static enum fault upload_unknown(struct call *c, enum fault fault)
{
    if (fault == NOT_FOUND)
        fail_on(&c->op, "upload", NOT_FOUND, "blob upload unknown to registry");
    return fault;
}

static enum fault check_put(struct call *c)
{
    const char *digest = call_query(c, "digest", 0);

    if (c->method != PUT)
        return OK;
    if (!digest)
        return fail_on(&c->op, "digest", INVALID, "the digest parameter is missing");
    return check_digest(&c->op, digest);
}

/* A PUT that brings all of it tells the algorithm just in time. */
static void take_algorithm(struct call *c, struct upload *upload)
{
    enum hash_kind kind;

    if (c->method == PUT && upload->offset == 0 &&
        hash_kind_parse(call_query(c, "digest", 0), &kind))
        hash_init(&upload->hash, kind);
}

enum fault upload_write_open(struct call *c)
{
    const char *range = call_header(c, "content-range");
    struct repository repository;
    struct upload *upload;
    enum fault fault;

    TRY(check_put(c));
    TRY(upload_unknown(c, api_repository(c, &repository)));
    TRY(check_lock(&c->op, repository.attributes.write_enabled, "writing to", repository.name));
    TRY(upload_open(&c->op, repository.id, c->path_args[1], &upload));
    fault = upload_expect(&c->op, upload, range, c->content_length);
    if (fault != OK) {
        if (fault == RANGE)
            upload_headers(c, upload->id, upload->offset);
        upload_close(upload);
        return fault;
    }
    take_algorithm(c, upload);
    c->scratch = upload;
    c->sink = &upload->sink;
    return OK;
}

static enum fault save_progress(struct call *c, const struct upload *upload)
{
    if (upload->created)
        TRY(folder_sync(&c->op,
                        arena_printf(&c->op.arena, "%s/uploads", registry_settings->blobs)));
    TRY(db_begin(&c->op));
    TRY(upload_save(&c->op, upload));
    upload_headers(c, upload->id, upload->offset);
    reply_empty(c, 202);
    return call_commit(c);
}

static enum fault patch(struct call *c, const struct upload *upload)
{
    if (c->body_state != BODY_CUT) /* else: what came is good to go on from */
        TRY(upload_check_length(&c->op, upload));
    return save_progress(c, upload);
}

static enum fault put(struct call *c, const struct upload *upload)
{
    const char *digest = call_query(c, "digest", 0);
    const struct target *target = &caller_of(c)->target;
    struct repository repository;

    if (c->body_state == BODY_CUT)
        return save_progress(c, upload);
    TRY(upload_check_length(&c->op, upload));
    TRY(check_bytes(c, upload, digest));
    TRY(db_begin(&c->op));
    TRY(upload_unknown(
        c, repository_hold(&c->op, target->registry->id, target->repository, &repository)));
    TRY(upload_delete(&c->op, repository.id, upload->id));
    return adopt(c, upload, repository.id, digest);
}

/* The lock goes before the answer does: clients send their next request as soon as they have it. */
enum fault upload_patch(struct call *c)
{
    enum fault fault = patch(c, c->scratch);

    upload_close(c->scratch);
    return fault;
}

enum fault upload_put(struct call *c)
{
    enum fault fault = put(c, c->scratch);

    upload_close(c->scratch);
    return fault;
}

/* ---- status and cancel ---- */

static enum fault find_upload(struct call *c, struct repository *repository, struct upload_row *row)
{
    if (!uuid_is_valid(c->path_args[1]))
        return fail_on(&c->op, "upload", NOT_FOUND, "blob upload unknown to registry");
    TRY(upload_unknown(c, api_repository(c, repository)));
    return upload_find(&c->op, repository->id, c->path_args[1], row);
}

enum fault upload_get(struct call *c)
{
    struct repository repository;
    struct upload_row row;

    TRY(find_upload(c, &repository, &row));
    upload_headers(c, c->path_args[1], row.received);
    return reply_empty(c, 204);
}

enum fault upload_cancel(struct call *c)
{
    struct repository repository;
    struct upload_row row;

    TRY(find_upload(c, &repository, &row));
    TRY(upload_delete(&c->op, repository.id, c->path_args[1]));
    upload_remove_file(&c->op, c->path_args[1]);
    return reply_empty(c, 204);
}

/* ---- the catalog ---- */

struct catalog {
    const char **repositories;
    size_t n;
};
static const struct json_field catalog_json[] = {
    TEXTS(catalog, repositories, n, "repositories", 0),
    {0},
};

static enum fault reply_catalog(struct call *c, const struct page *page, const char **names,
                                size_t n)
{
    struct catalog catalog = {names, n};

    if ((int64_t)n > page->n) {
        catalog.n = (size_t)page->n;
        if (page->n > 0)
            page_link(c, page, c->path, names[page->n - 1], -1, "");
    }
    return reply_json(c, 200, catalog_json, &catalog);
}

/* By path: "last" is REGISTRY/NAME; names of registries before it are done. */
static const char *last_within(const char *last, const struct registry *registry, bool *ret_done)
{
    size_t len = strlen(registry->name);
    int order = strncmp(last, registry->name, len);

    *ret_done = order > 0 || (order == 0 && (unsigned char)last[len] > '/');
    return order == 0 && last[len] == '/' ? last + len + 1 : "";
}

/* Whoever may read the metadata of some repositories only sees these. */
static enum fault list_visible(struct call *c, const struct registry *registry, const char *last,
                               int64_t max, const char ***ret_names, size_t *ret_n)
{
    const struct principal *who = &caller_of(c)->principal;
    const char **kept, **found;
    size_t n = 0, n_found;

    if (!principal_lists_some(who))
        return repository_list(&c->op, registry->id, last, max, ret_names, ret_n);
    kept = arena_alloc(&c->op.arena, ((size_t)max + 1) * sizeof(*kept));
    do {
        TRY(repository_list(&c->op, registry->id, last, max, &found, &n_found));
        for (size_t i = 0; i < n_found && (int64_t)n < max; i++)
            if (principal_rights(&c->op, who, registry, found[i], SCOPE_METADATA_READ))
                kept[n++] = found[i];
        last = n_found ? found[n_found - 1] : last;
    } while ((int64_t)n < max && (int64_t)n_found == max);
    *ret_names = kept;
    *ret_n = n;
    return OK;
}

static enum fault add_registry(struct call *c, const struct registry *registry,
                               const struct page *page, const char **names, size_t *n)
{
    const char **found, *last;
    size_t n_found;
    bool done;

    last = last_within(page->last, registry, &done);
    if (done || !registry_admits(registry, c->client) ||
        !caller_rights(&c->op, caller_of(c), registry, NULL, SCOPE_CATALOG))
        return OK;
    TRY(list_visible(c, registry, last, page->n + 1 - (int64_t)*n, &found, &n_found));
    for (size_t i = 0; i < n_found; i++)
        names[(*n)++] = arena_printf(&c->op.arena, "%s/%s", registry->name, found[i]);
    return OK;
}

static enum fault catalog_of_all(struct call *c, const struct page *page)
{
    const char **names = arena_alloc(&c->op.arena, (size_t)(page->n + 1) * sizeof(*names));
    size_t n_registries, n = 0;
    const struct registry *const *all = registry_all(&c->op, &n_registries);

    for (size_t i = 0; i < n_registries && (int64_t)n <= page->n; i++)
        TRY(add_registry(c, all[i], page, names, &n));
    return reply_catalog(c, page, names, n);
}

enum fault catalog_of_registry_get(struct call *c)
{
    const char **names;
    struct page page;
    size_t n;

    TRY(page_read(c, CATALOG_DEFAULT, CATALOG_MAX, &page));
    TRY(list_visible(c, caller_of(c)->target.registry, page.last, page.n + 1, &names, &n));
    return reply_catalog(c, &page, names, n);
}

enum fault catalog_get(struct call *c)
{
    struct page page;

    if (caller_of(c)->target.by_name)
        return catalog_of_registry_get(c);
    TRY(page_read(c, CATALOG_DEFAULT, CATALOG_MAX, &page));
    return catalog_of_all(c, &page);
}
