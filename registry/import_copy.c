/*
 * What an import copies: the manifest, all that it lists, and their blobs. From another registry
 * blobs are downloaded one by one, each kept as soon as it is verified, so that a job goes on where
 * it was cut off; from one of ours they are linked. The manifests and tags come last, in one
 * transaction: the image is there wholly, or not at all.
 */
#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "core/json.h"
#include "registry/blob.h"
#include "registry/hash.h"
#include "registry/hot.h"
#include "registry/import_job.h"
#include "registry/names.h"
#include "registry/platform.h"
#include "registry/repository.h"
#include "registry/upload.h"
#include "registry/webhook.h"

#define MANIFESTS_MAX     1000
#define CONTENT_MAX       ((size_t)64 << 20) /* of all manifests together */
#define BLOBS_MAX         20000
#define PROGRESS_EVERY_MS 1000

atomic_bool import_ending;

struct wanted_blob {
    const char *digest;
    int64_t size;
};

struct copy {
    const struct import_work *work;
    const struct registry *target, *origin; /* origin: of ours, or NULL: */
    struct source source;
    struct repository from;     /* within origin */
    struct manifest *manifests; /* the root first; children after whoever lists them */
    size_t n_manifests, content_bytes;
    struct wanted_blob *blobs; /* each once */
    size_t n_blobs;
    int64_t total, done; /* bytes */
    int64_t told_ms;
    struct repository *targets; /* one for each of work->targets */
    struct upload *upload;      /* under way */
    int64_t expected;
};

/* ---- progress ---- */

static enum fault tell(struct op *op, struct copy *c, bool now)
{
    bool cancelled;

    if (atomic_load(&import_ending))
        return fail_on(op, "Stopping", UNAVAILABLE, "the service is stopping");
    if (!now && now_ms() - c->told_ms < PROGRESS_EVERY_MS)
        return OK;
    c->told_ms = now_ms();
    if (!c->work->id)
        return OK;
    TRY(import_progress(op, c->work->id, c->done < c->total ? c->done : c->total, c->total,
                        &cancelled));
    return cancelled ? fail_on(op, "Canceled", GONE, "the import was canceled") : OK;
}

/* ---- what there is to copy ---- */

static enum fault get_manifest(struct op *op, struct copy *c, const char *reference,
                               const char **ret_media_type, struct bytes *ret_content)
{
    struct manifest_content content;
    enum fault fault;

    /* a digest that the source has just named: what we have of it is the same */
    if (c->work->one_platform && c->n_manifests > 0 && reference_is_digest(reference)) {
        fault =
            manifest_get(op, c->target->id, c->work->targets[0].repository, reference, &content);
        if (fault == OK) {
            *ret_media_type = content.media_type;
            *ret_content = content.content;
            return OK;
        }
        op_clear_fault(op);
    }
    if (!c->origin)
        return source_manifest(op, &c->source, reference, ret_media_type, ret_content);
    fault = manifest_get(op, c->origin->id, c->work->repository, reference, &content);
    if (fault == OK && c->origin->options.quarantine && content.quarantined)
        fault = NOT_FOUND;
    if (fault == NOT_FOUND || fault == FORBIDDEN)
        return fail_on(op, fault == NOT_FOUND ? "ManifestNotFound" : "SourceUnauthorized", fault,
                       "registry %s has no manifest \"%s\" of %s that may be read", c->origin->name,
                       reference, c->work->repository);
    TRY(fault);
    *ret_media_type = content.media_type;
    *ret_content = content.content;
    return OK;
}

static bool is_among(const struct manifest *m, const char *digest)
{
    for (size_t i = 0; i < m->n_blobs; i++)
        if (strcmp(m->blobs[i], digest) == 0)
            return true;
    return false;
}

static enum fault want_blob(struct op *op, struct copy *c, const struct manifest *m,
                            const json_t *descriptor)
{
    const char *digest = json_string_value(json_object_get(descriptor, "digest"));
    int64_t size = json_integer_value(json_object_get(descriptor, "size"));

    if (!digest || !is_among(m, digest)) /* foreign layers are not copied */
        return OK;
    for (size_t i = 0; i < c->n_blobs; i++)
        if (strcmp(c->blobs[i].digest, digest) == 0)
            return OK;
    if (c->n_blobs == BLOBS_MAX)
        return fail_on(op, "SourceInvalid", INVALID, "the image has more than %d blobs", BLOBS_MAX);
    if (size > registry_settings->blob_max)
        return fail_on(op, "SourceInvalid", INVALID, "the blob %s is too large", digest);
    c->blobs[c->n_blobs++] = (struct wanted_blob){digest, size};
    c->total += size;
    return OK;
}

/* The descriptors of config, layers and blobs, for their sizes. */
static enum fault want_blobs(struct op *op, struct copy *c, const struct manifest *m)
{
    static const char *const lists[] = {"layers", "blobs"};
    json_t *root;

    if (m->n_blobs == 0)
        return OK;
    TRY(json_parse(op, m->content, &root));
    TRY(want_blob(op, c, m, json_object_get(root, "config")));
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        const json_t *list = json_object_get(root, lists[k]);

        for (size_t i = 0; i < json_array_size(list); i++)
            TRY(want_blob(op, c, m, json_array_get(list, i)));
    }
    return OK;
}

static bool has_manifest(const struct copy *c, const char *digest)
{
    for (size_t i = 0; i < c->n_manifests; i++)
        if (strcmp(c->manifests[i].digest, digest) == 0)
            return true;
    return false;
}

static enum fault add_manifest(struct op *op, struct copy *c, const char *reference)
{
    struct manifest m;
    const char *media_type;
    struct bytes content;

    TRY(get_manifest(op, c, reference, &media_type, &content));
    c->content_bytes += content.len;
    if (c->n_manifests == MANIFESTS_MAX || c->content_bytes > CONTENT_MAX)
        return fail_on(op, "SourceInvalid", INVALID, "the image has too many manifests");
    if (manifest_parse(op, media_type, content, &m) != OK) {
        const char *why = op->message;

        op_clear_fault(op);
        return fail_on(op, "SourceInvalid", INVALID, "the manifest %s is not usable: %s", reference,
                       why);
    }
    m.digest = reference_is_digest(reference) ? reference : hash_bytes(op, HASH_SHA256, content);
    m.quarantined = c->target->options.quarantine;
    TRY(want_blobs(op, c, &m));
    c->manifests[c->n_manifests++] = m;
    return tell(op, c, false);
}

static enum fault find_one_platform(struct op *op, struct copy *c)
{
    for (size_t i = 0; i < c->n_manifests && c->manifests[i].n_children > 0; i++) {
        const char *what = arena_printf(&op->arena, "%s/%s:%s", c->source.host, c->work->repository,
                                        c->work->reference),
                   *digest;

        TRY(platform_choose(op, what, c->manifests[i].content, &digest));
        if (!has_manifest(c, digest))
            TRY(add_manifest(op, c, digest));
    }
    return OK;
}

/* All platforms and nested indexes. What the source itself lacks of an index is left out. */
static enum fault find_all(struct op *op, struct copy *c)
{
    c->manifests = arena_alloc(&op->arena, MANIFESTS_MAX * sizeof(*c->manifests));
    c->blobs = arena_alloc(&op->arena, BLOBS_MAX * sizeof(*c->blobs));
    TRY(add_manifest(op, c, c->work->reference));
    if (c->work->one_platform)
        return find_one_platform(op, c);
    for (size_t i = 0; i < c->n_manifests; i++) {
        for (size_t k = 0; k < c->manifests[i].n_children; k++) {
            const char *digest = c->manifests[i].children[k].digest;
            enum fault fault = has_manifest(c, digest) ? OK : add_manifest(op, c, digest);

            if (fault == NOT_FOUND)
                op_clear_fault(op);
            else
                TRY(fault);
        }
    }
    return OK;
}

/* ---- blobs from elsewhere ---- */

static enum fault write_piece(void *arg, struct op *op, struct bytes piece)
{
    struct copy *c = arg;
    enum fault fault;

    if (c->upload->offset + (int64_t)piece.len > c->expected)
        return fail_on(op, "SourceInvalid", INVALID,
                       "a blob has more bytes than its manifest says");
    fault = c->upload->sink.write(&c->upload->sink, op, piece);
    if (fault != OK && !op->noun)
        op->noun = "StorageUnavailable";
    TRY(fault);
    c->done += (int64_t)piece.len;
    return tell(op, c, false);
}

static enum fault fetch_into(struct op *op, struct copy *c, const struct wanted_blob *blob)
{
    const char *digest;
    enum hash_kind kind;

    if (!hash_kind_parse(blob->digest, &kind))
        return fail_on(op, "SourceInvalid", INVALID, "the digest %s is unknown", blob->digest);
    if (check_free_space(op, blob->size) != OK) {
        op->noun = "StorageUnavailable";
        return UNAVAILABLE;
    }
    TRY(upload_open_single(op, kind, &c->upload));
    c->expected = blob->size;
    TRY(source_blob(op, &c->source, blob->digest, write_piece, c));
    TRY(c->upload->sink.finish(&c->upload->sink, op));
    TRY(upload_digest(op, c->upload, kind, &digest));
    if (strcmp(digest, blob->digest) != 0 || c->upload->offset != blob->size)
        return fail_on(op, "SourceInvalid", INVALID,
                       "what %s gives as blob %s has another digest or size", c->source.host,
                       blob->digest);
    return OK;
}

/* Its own op: the file and its buffers go as soon as the blob is kept. */
static enum fault download(struct op *op, struct copy *c, const struct wanted_blob *blob)
{
    int64_t before = c->done;
    enum fault fault;
    struct op own;

    op_init(&own);
    own.db = op->db;
    fault = fetch_into(&own, c, blob);
    if (fault == OK)
        fault = db_begin(&own);
    if (fault == OK)
        fault = blob_adopt(&own, c->targets[0].id, blob->digest, blob->size,
                           upload_path(&own, c->upload->id));
    if (fault == OK)
        fault = db_commit(&own);
    if (fault != OK) {
        c->done = before;
        db_rollback(&own);
        if (own.noun)
            fail_on(op, arena_strdup(&op->arena, own.noun), fault, "%s",
                    own.message ? own.message : "");
        else
            fail(op, fault, "%s", own.message ? own.message : "");
    }
    own.db = NULL;
    op_free(&own);
    return fault;
}

/* Only what this repository has already is not asked for: that a manifest elsewhere names a digest
 * is no right to our copy of it. */
static enum fault get_blobs(struct op *op, struct copy *c)
{
    for (size_t i = 0; i < c->n_blobs; i++) {
        const struct wanted_blob *w = &c->blobs[i];
        struct blob blob;
        enum fault fault = blob_find(op, c->targets[0].id, w->digest, &blob);

        if (fault == NOT_FOUND) {
            op_clear_fault(op);
            TRY(download(op, c, w));
        } else {
            TRY(fault);
            TRY(blob_link(op, c->targets[0].id, w->digest)); /* renews its lease */
            c->done += w->size;
        }
        TRY(tell(op, c, false));
    }
    return OK;
}

/* ---- the end ---- */

static enum fault make_targets(struct op *op, struct copy *c)
{
    c->targets = arena_alloc(&op->arena, c->work->n_targets * sizeof(*c->targets));
    for (size_t i = 0; i < c->work->n_targets; i++) {
        TRY(repository_make(op, c->target->id, c->work->targets[i].repository, &c->targets[i]));
        TRY(check_lock(op, c->targets[i].attributes.write_enabled, "writing to",
                       c->targets[i].name));
    }
    return OK;
}

static enum fault check_tag_free(struct op *op, const struct copy *c, size_t i)
{
    const struct import_target *t = &c->work->targets[i];
    struct manifest_content there;
    enum fault fault = NOT_FOUND;

    if (t->tag && !c->work->force)
        fault = manifest_get(op, c->target->id, t->repository, t->tag, &there);
    if (fault == OK || fault == FORBIDDEN)
        return fail_on(op, "TagAlreadyExists", CONFLICT,
                       "Tag %s:%s already exists in target registry.", t->repository, t->tag);
    op_clear_fault(op);
    return fault == NOT_FOUND ? OK : fault;
}

static enum fault link_blobs(struct op *op, struct copy *c, size_t target)
{
    struct blob blob;

    for (size_t i = 0; i < c->n_blobs; i++) {
        if (c->origin)
            TRY(blob_find(op, c->from.id, c->blobs[i].digest, &blob));
        TRY(blob_link(op, c->targets[target].id, c->blobs[i].digest));
    }
    return OK;
}

static void look_at_config(struct op *op, struct manifest *m)
{
    struct bytes config;

    if (m->config && m->config_size <= CONFIG_LOOK_BYTES &&
        blob_read(op, m->config, m->config_size, &config) == OK)
        manifest_platform(op, config, m);
    op_clear_fault(op);
}

static enum fault put_all(struct op *op, struct copy *c, size_t i)
{
    const struct import_target *t = &c->work->targets[i];
    const struct manifest *root = &c->manifests[0];

    TRY(check_tag_free(op, c, i));
    if (i > 0 || c->origin)
        TRY(link_blobs(op, c, i));
    for (size_t k = c->n_manifests; k-- > 0;) { /* children before who lists them */
        struct manifest *m = &c->manifests[k];

        TRY(manifest_check_blobs(op, c->targets[i].id, m));
        look_at_config(op, m);
        TRY(manifest_put(op, c->targets[i].id, m, &t->tag, k == 0 && t->tag ? 1 : 0));
    }
    return webhook_event(op, c->target, root->quarantined ? WEBHOOK_QUARANTINE : WEBHOOK_PUSH,
                         &(struct webhook_target){.repository = t->repository,
                                                  .tag = t->tag,
                                                  .digest = root->digest,
                                                  .media_type = root->media_type,
                                                  .size = (int64_t)root->content.len},
                         NULL);
}

static enum fault finish(struct op *op, struct copy *c)
{
    TRY(db_begin(op));
    TRY(tell(op, c, true));   /* holds the job's row: who cancels it from now on is too late */
    TRY(make_targets(op, c)); /* again: this transaction holds them */
    for (size_t i = 0; i < c->work->n_targets; i++)
        TRY(put_all(op, c, i));
    if (c->work->id)
        TRY(import_finish(op, c->work->id, IMPORT_SUCCEEDED, NULL, NULL));
    return db_commit(op);
}

static enum fault make_ready(struct op *op, struct copy *c)
{
    TRY(db_begin(op));
    TRY(make_targets(op, c));
    for (size_t i = 0; i < c->work->n_targets; i++)
        TRY(check_tag_free(op, c, i));
    return db_commit(op);
}

static enum fault copy(struct op *op, struct copy *c)
{
    enum fault fault;

    if (c->origin)
        TRY(repository_find(op, c->origin->id, c->work->repository, &c->from));
    TRY(find_all(op, c));
    TRY(tell(op, c, true));
    TRY(make_ready(op, c));
    if (!c->origin)
        TRY(get_blobs(op, c));
    fault = finish(op, c);
    /* also when it failed: nobody knows then whether it did */
    for (size_t i = 0; i < c->work->n_targets; i++)
        hot_changed(c->target->id, c->work->targets[i].repository);
    webhook_wake();
    return fault;
}

enum fault import_copy(struct op *op, const struct import_work *work)
{
    struct copy c = {.work = work, .target = registry_find_id(op, work->registry_id)};

    if (work->source_registry)
        c.origin = registry_find_id(op, work->source_registry);
    else
        source_init(op, work, &c.source);
    if (!c.target || (work->source_registry && !c.origin))
        return fail_on(op, "RegistryNotFound", NOT_FOUND, "the registry has been deleted");
    return copy(op, &c);
}

/* Collection may have taken the image from below its index. */
static bool has_platform(struct op *op, const struct copy *c, const struct manifest_content *index)
{
    struct manifest_content child;
    struct manifest m;
    const char *digest;
    bool has = manifest_parse(op, index->media_type, index->content, &m) == OK;

    if (has && m.n_children > 0)
        has = platform_choose(op, "it", index->content, &digest) == OK &&
              manifest_get(op, c->target->id, c->work->targets[0].repository, digest, &child) == OK;
    op_clear_fault(op);
    return has;
}

/* Is what we have of it what the source has? Tags are set when all of an image is there. */
static enum fault is_current(struct op *op, struct copy *c, bool *ret)
{
    const struct import_target *t = &c->work->targets[0];
    struct manifest_content there;
    const char *digest;
    enum fault fault;

    *ret = false;
    if (!t->tag)
        return OK;
    fault = manifest_get(op, c->target->id, t->repository, t->tag, &there);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    TRY(source_digest(op, &c->source, c->work->reference, &digest));
    *ret = strcmp(digest, there.digest) == 0 && has_platform(op, c, &there);
    return OK;
}

enum fault import_copy_into(struct op *op, const struct import_work *work,
                            const struct registry *target)
{
    struct copy c = {.work = work, .target = target};
    bool current;

    source_init(op, work, &c.source);
    TRY(is_current(op, &c, &current));
    return current ? OK : copy(op, &c);
}
