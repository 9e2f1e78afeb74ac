/*
 * OCI distribution: manifests, tags, referrers.
 */
#include <string.h>

#include "core/db.h"
#include "core/uri.h"
#include "registry/api.h"
#include "registry/blob.h"
#include "registry/hash.h"
#include "registry/hot.h"
#include "registry/manifest.h"
#include "registry/pulls.h"
#include "registry/tag.h"

/* All of them without n, for clients that do not follow Link; but never more than these. */
#define TAGS_MAX      10000
#define REFERRERS_MAX 1000

/* ---- pulling ---- */

static enum fault check_reference(struct op *op, const char *reference)
{
    return reference_is_digest(reference) ? check_digest(op, reference) : check_tag(op, reference);
}

enum fault manifest_get_handler(struct call *c)
{
    const struct target *target = &caller_of(c)->target;
    const char *reference = c->path_args[1];
    unsigned generation = hot_generation(target->registry->id, target->repository);
    struct manifest_content manifest;

    TRY(check_reference(&c->op, reference));
    TRY(manifest_get(&c->op, target->registry->id, target->repository, reference, &manifest));
    if (target->registry->options.quarantine)
        TRY(api_check_quarantine(c, reference, &manifest));
    hot_keep_manifest(generation, target->registry->id, target->repository, reference, &manifest);
    if (!c->vouched) /* the console looks, and looks again: that is no pull */
        pulls_note(manifest.repository_id, reference, manifest.digest);
    return api_reply_manifest(c, manifest.digest, manifest.media_type, manifest.content);
}

/* ---- pushing ---- */

/* end-7a: the reference is a tag. end-7b: a digest, and ?tag=a&tag=b name tags besides. */
static enum fault read_tags(struct call *c, const char *reference, const char **tags, size_t *ret_n)
{
    const char *tag = reference_is_digest(reference) ? call_query(c, "tag", 0) : reference;
    size_t n = 0;

    for (size_t nth = 1; tag; tag = call_query(c, "tag", nth++)) {
        bool known = false;

        if (nth > TAGS_PER_PUT_MAX)
            return fail_on(&c->op, "tag", INVALID, "more than %d tags at once", TAGS_PER_PUT_MAX);
        TRY(check_tag(&c->op, tag));
        for (size_t i = 0; i < n; i++)
            known = known || strcmp(tags[i], tag) == 0;
        if (!known)
            tags[n++] = tag;
        if (tag == reference)
            break;
    }
    *ret_n = n;
    return OK;
}

/* A push by tag is named by SHA-256, one by digest in the digest's own algorithm. */
static enum fault find_digest(struct call *c, const char *reference, struct manifest *manifest)
{
    enum hash_kind kind = HASH_SHA256;

    if (reference_is_digest(reference)) {
        TRY(check_digest(&c->op, reference));
        hash_kind_parse(reference, &kind);
    }
    manifest->digest = hash_bytes(&c->op, kind, manifest->content);
    if (reference_is_digest(reference) && strcmp(manifest->digest, reference) != 0)
        return fail_on(&c->op, "digest", INVALID, "the manifest hashes to %s, not to %s",
                       manifest->digest, reference);
    return OK;
}

/* Lists show the platform; a config that cannot be read shows none. */
static void look_at_config(struct op *op, struct manifest *manifest)
{
    struct bytes config;

    if (!manifest->config || manifest->config_size > CONFIG_LOOK_BYTES)
        return;
    if (blob_read(op, manifest->config, manifest->config_size, &config) == OK)
        manifest_platform(op, config, manifest);
    op_clear_fault(op);
}

static enum fault reply_manifest_created(struct call *c, const struct manifest *manifest,
                                         const char *const *tags, size_t n_tags)
{
    struct text names;

    text_init(&names, &c->op.arena, 20000);
    for (size_t i = 0; i < n_tags; i++)
        text_printf(&names, "%s%s", i ? ", " : "", tags[i]);
    reply_header(c, "Location", "/v2/%s/manifests/%s", caller_of(c)->target.full_name,
                 manifest->digest);
    reply_header(c, "Docker-Content-Digest", "%s", manifest->digest);
    if (manifest->subject)
        reply_header(c, "OCI-Subject", "%s", manifest->subject);
    if (n_tags > 0 && reference_is_digest(c->path_args[1]))
        reply_header(c, "OCI-Tag", "%s", names.data);
    return reply_empty(c, 201);
}

enum fault manifest_put_handler(struct call *c)
{
    const char *reference = c->path_args[1], *tags[TAGS_PER_PUT_MAX];
    struct repository repository;
    struct manifest manifest;
    size_t n_tags = 0;

    TRY(check_reference(&c->op, reference));
    TRY(read_tags(c, reference, tags, &n_tags));
    TRY(manifest_parse(&c->op, call_header(c, "content-type"), c->body, &manifest));
    TRY(find_digest(c, reference, &manifest));
    TRY(db_begin(&c->op));
    TRY(api_repository_to_write(c, &repository));
    TRY(manifest_check_blobs(&c->op, repository.id, &manifest));
    look_at_config(&c->op, &manifest);
    manifest.quarantined = caller_of(c)->target.registry->options.quarantine;
    TRY(manifest_put(&c->op, repository.id, &manifest, tags, n_tags));
    TRY(api_tell_push(c, &manifest, tags, n_tags));
    reply_manifest_created(c, &manifest, tags, n_tags);
    return api_commit(c);
}

/* ---- deleting ---- */

/* OCI dist v1.1: by tag only the tag goes, by digest the manifest with all its tags. */
enum fault manifest_delete_handler(struct call *c)
{
    const char *reference = c->path_args[1], *media_type;
    struct repository repository;

    TRY(check_reference(&c->op, reference));
    TRY(api_repository(c, &repository));
    TRY(check_lock(&c->op,
                   repository.attributes.delete_enabled && repository.attributes.write_enabled,
                   "deleting", reference));
    TRY(db_begin(&c->op));
    if (reference_is_digest(reference)) {
        TRY(manifest_delete(&c->op, repository.id, reference, &media_type));
        TRY(api_tell_delete(c, reference, media_type));
    } else {
        TRY(tag_delete(&c->op, repository.id, reference, "manifest"));
    }
    reply_empty(c, 202);
    return api_commit(c);
}

/* ---- lists ---- */

struct tags {
    const char *name, **tags;
    size_t n;
};
static const struct json_field tags_json[] = {
    TEXT(tags, name, "name", 0, 0, 0),
    TEXTS(tags, tags, n, "tags", 0),
    {0},
};

enum fault tags_list(struct call *c)
{
    struct tags tags = {.name = caller_of(c)->target.full_name};
    struct repository repository;
    struct page page;

    TRY(page_read(c, TAGS_MAX, TAGS_MAX, &page));
    TRY(api_repository(c, &repository));
    TRY(tag_names(&c->op, repository.id, page.last, page.n + 1, &tags.tags, &tags.n));
    if ((int64_t)tags.n > page.n) {
        tags.n = (size_t)page.n;
        if (page.n > 0)
            page_link(c, &page, c->path, tags.tags[page.n - 1], -1, "");
    }
    return reply_json(c, 200, tags_json, &tags);
}

static const struct json_field referrer_json[] = {
    TEXT(referrer, media_type, "mediaType", 0, 0, 0),
    TEXT(referrer, digest, "digest", 0, 0, 0),
    INT(referrer, size, "size", 0, 0, 0),
    TEXT(referrer, artifact_type, "artifactType", 0, 0, OMIT_NULL),
    RAW(referrer, annotations, "annotations", OMIT_NULL),
    {0},
};
struct referrers {
    int64_t version;
    const char *media_type;
    struct referrer *list;
    size_t n;
};
static const struct json_field referrers_json[] = {
    INT(referrers, version, "schemaVersion", 0, 0, 0),
    TEXT(referrers, media_type, "mediaType", 0, 0, 0),
    LIST(referrers, list, n, "manifests", referrer_json, referrer, 0),
    {0},
};

static const char *filter_parameter(struct call *c, const char *artifact_type)
{
    if (!artifact_type)
        return "";
    return arena_printf(&c->op.arena, "&artifactType=%s",
                        uri_encode(&c->op.arena, artifact_type, "/"));
}

static enum fault reply_referrers(struct call *c, const struct referrers *referrers)
{
    struct text out;

    text_init(&out, &c->op.arena, (size_t)16 << 20);
    json_write(&out, referrers_json, referrers);
    return reply_bytes(c, 200, "application/vnd.oci.image.index.v1+json", text_bytes(&out));
}

/* end-12a, end-12b. "If no referrers … the registry MUST return … an image index with an empty
 * list". */
enum fault referrers_get(struct call *c)
{
    const char *digest = c->path_args[1], *type = call_query(c, "artifactType", 0);
    struct referrers referrers = {.version = 2, .media_type = MEDIA_OCI_INDEX};
    struct repository repository;
    struct page page;
    bool more;

    TRY(check_digest(&c->op, digest));
    TRY(page_read(c, REFERRERS_MAX, REFERRERS_MAX, &page));
    TRY(api_repository(c, &repository));
    TRY(check_lock(&c->op, repository.attributes.read_enabled, "reading", repository.name));
    type = type && *type ? type : NULL;
    TRY(manifest_referrers(&c->op, repository.id, digest, type, page.last, page.n, &referrers.list,
                           &referrers.n, &more));
    if (type)
        reply_header(c, "OCI-Filters-Applied", "artifactType");
    if (more && referrers.n > 0)
        page_link(c, &page, c->path, referrers.list[referrers.n - 1].digest, -1,
                  filter_parameter(c, type));
    return reply_referrers(c, &referrers);
}
