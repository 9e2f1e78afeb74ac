/*
 * ACR's own data plane, /acr/v1 (facts §2.1): repositories, tags and manifests in detail, their
 * changeable attributes, and deletion.
 */
#include <string.h>

#include "core/db.h"
#include "core/json.h"
#include "registry/api.h"
#include "registry/manifest.h"
#include "registry/names.h"
#include "registry/tag.h"
#include "registry/webhook.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000

/* ---- attributes ---- */

struct patch {
    bool delete_enabled, write_enabled, read_enabled, list_enabled, teleport_enabled;
    bool has_delete, has_write, has_read, has_list, has_teleport;
    const char *quarantine_state, *quarantine_details;
};
static const struct json_field patch_json[] = {
    BOOL_IF(patch, delete_enabled, has_delete, "deleteEnabled", 0),
    BOOL_IF(patch, write_enabled, has_write, "writeEnabled", 0),
    BOOL_IF(patch, read_enabled, has_read, "readEnabled", 0),
    BOOL_IF(patch, list_enabled, has_list, "listEnabled", 0),
    BOOL_IF(patch, teleport_enabled, has_teleport, "teleportEnabled",
            0), /* az sends it; no effect */
    TEXT(patch, quarantine_state, "quarantineState", 1, 64, 0),
    TEXT(patch, quarantine_details, "quarantineDetails", 0, 65536, 0),
    {0},
};

static const char *change(bool has, bool value)
{
    if (!has)
        return NULL;
    return value ? "t" : "f";
}

static enum fault read_patch(struct call *c, struct patch *patch, struct attribute_changes *changes)
{
    *patch = (struct patch){0};
    TRY(call_json(c, patch_json, patch));
    *changes = (struct attribute_changes){
        .delete_enabled = change(patch->has_delete, patch->delete_enabled),
        .write_enabled = change(patch->has_write, patch->write_enabled),
        .read_enabled = change(patch->has_read, patch->read_enabled),
        .list_enabled = change(patch->has_list, patch->list_enabled),
    };
    if (patch->has_teleport)
        reply_header(c, "x-sundog-ignored", "teleportEnabled");
    return OK;
}

enum fault not_built(struct call *c)
{
    return fail(&c->op, UNSUPPORTED, "Sundog does not have this yet: %s", c->route->summary);
}

/* ---- repositories ---- */

struct repository_reply {
    const char *registry, *image_name;
    struct repository_details details;
};
static const struct json_field repository_json[] = {
    TEXT(repository_reply, registry, "registry", 0, 0, 0),
    TEXT(repository_reply, image_name, "imageName", 0, 0, 0),
    TEXT(repository_reply, details.created, "createdTime", 0, 0, 0),
    TEXT(repository_reply, details.updated, "lastUpdateTime", 0, 0, 0),
    INT(repository_reply, details.manifest_count, "manifestCount", 0, 0, 0),
    INT(repository_reply, details.tag_count, "tagCount", 0, 0, 0),
    OBJECT(repository_reply, details.attributes, "changeableAttributes", attributes_json, 0),
    {0},
};

enum fault acr_repository_get(struct call *c)
{
    const struct target *target = &caller_of(c)->target;
    struct repository_reply reply = {login_server(&c->op, c, target), target->repository, {0}};

    TRY(repository_details(&c->op, target->registry->id, target->repository, &reply.details));
    return reply_json(c, 200, repository_json, &reply);
}

enum fault acr_repository_patch(struct call *c)
{
    struct attribute_changes changes;
    struct repository repository;
    struct patch patch;

    TRY(read_patch(c, &patch, &changes));
    TRY(db_begin(&c->op));
    TRY(api_repository(c, &repository));
    TRY(repository_change(&c->op, repository.id, &changes));
    TRY(acr_repository_get(c));
    return api_commit(c);
}

struct deleted {
    const char **manifests, **tags;
    size_t n_manifests, n_tags;
};
static const struct json_field deleted_json[] = {
    TEXTS(deleted, manifests, n_manifests, "manifestsDeleted", 0),
    TEXTS(deleted, tags, n_tags, "tagsDeleted", 0),
    {0},
};

enum fault acr_repository_delete(struct call *c)
{
    struct repository repository;
    struct deleted deleted;

    TRY(db_begin(&c->op));
    TRY(api_repository(c, &repository));
    TRY(repository_delete(&c->op, &repository, &deleted.manifests, &deleted.n_manifests,
                          &deleted.tags, &deleted.n_tags));
    TRY(api_tell_delete(c, NULL, NULL));
    TRY(reply_json(c, 202, deleted_json, &deleted));
    return api_commit(c);
}

/* ---- tags ---- */

static const struct json_field tag_json[] = {
    TEXT(tag_details, name, "name", 0, 0, 0),
    TEXT(tag_details, digest, "digest", 0, 0, 0),
    TEXT(tag_details, created, "createdTime", 0, 0, 0),
    TEXT(tag_details, updated, "lastUpdateTime", 0, 0, 0),
    TEXT(tag_details, last_pulled, "lastPulledTime", 0, 0, OMIT_NULL),
    BOOL(tag_details, is_signed, "signed", 0),
    OBJECT(tag_details, attributes, "changeableAttributes", attributes_json, 0),
    {0},
};
struct tag_reply {
    const char *registry, *image_name;
    struct tag_details *tags; /* of a list */
    size_t n;
    struct tag_details tag; /* alone */
};
static const struct json_field tag_list_json[] = {
    TEXT(tag_reply, registry, "registry", 0, 0, 0),
    TEXT(tag_reply, image_name, "imageName", 0, 0, 0),
    LIST(tag_reply, tags, n, "tags", tag_json, tag_details, 0),
    {0},
};
static const struct json_field tag_one_json[] = {
    TEXT(tag_reply, registry, "registry", 0, 0, 0),
    TEXT(tag_reply, image_name, "imageName", 0, 0, 0),
    OBJECT(tag_reply, tag, "tag", tag_json, 0),
    {0},
};

/* Cut what is beyond the page; true: there was more. */
static bool cut_page(const struct page *page, size_t *n)
{
    if ((int64_t)*n <= page->n)
        return false;
    *n = (size_t)page->n;
    return *n > 0;
}

enum fault acr_tags_get(struct call *c)
{
    const struct target *target = &caller_of(c)->target;
    const char *digest = call_query(c, "digest", 0), *further = "";
    struct tag_reply reply = {login_server(&c->op, c, target), target->repository, NULL, 0, {0}};
    struct repository repository;
    struct page page;

    digest = digest && *digest ? digest : NULL;
    TRY(page_read(c, PAGE_DEFAULT, PAGE_MAX, &page));
    if (digest) {
        TRY(check_digest(&c->op, digest));
        further = arena_printf(&c->op.arena, "&digest=%s", digest);
    }
    TRY(api_repository(c, &repository));
    TRY(tag_list(&c->op, repository.id, digest, &page, &reply.tags, &reply.n));
    if (cut_page(&page, &reply.n))
        page_link(c, &page, c->path, reply.tags[reply.n - 1].name,
                  page.order == ORDER_NAME ? -1 : reply.tags[reply.n - 1].updated_us, further);
    return reply_json(c, 200, tag_list_json, &reply);
}

static enum fault reply_tag(struct call *c, int64_t repository_id)
{
    const struct target *target = &caller_of(c)->target;
    struct tag_reply reply = {login_server(&c->op, c, target), target->repository, NULL, 0, {0}};

    TRY(tag_details(&c->op, repository_id, c->path_args[1], &reply.tag));
    return reply_json(c, 200, tag_one_json, &reply);
}

enum fault acr_tag_get(struct call *c)
{
    struct repository repository;

    TRY(api_repository(c, &repository));
    return reply_tag(c, repository.id);
}

enum fault acr_tag_patch(struct call *c)
{
    struct attribute_changes changes;
    struct repository repository;
    struct patch patch;

    TRY(read_patch(c, &patch, &changes));
    TRY(db_begin(&c->op));
    TRY(api_repository(c, &repository));
    TRY(tag_change(&c->op, repository.id, c->path_args[1], &changes));
    TRY(reply_tag(c, repository.id));
    return api_commit(c);
}

static enum fault repository_to_delete_from(struct call *c, struct repository *ret)
{
    TRY(api_repository(c, ret));
    return check_lock(&c->op, ret->attributes.delete_enabled && ret->attributes.write_enabled,
                      "deleting from", ret->name);
}

enum fault acr_tag_delete(struct call *c)
{
    struct repository repository;

    TRY(repository_to_delete_from(c, &repository));
    TRY(db_begin(&c->op));
    TRY(tag_delete(&c->op, repository.id, c->path_args[1], "tag"));
    reply_empty(c, 202);
    return api_commit(c);
}

/* ---- manifests ---- */

static const struct json_field manifest_json[] = {
    TEXT(manifest_details, digest, "digest", 0, 0, 0),
    INT(manifest_details, image_size, "imageSize", 0, 0, 0),
    TEXT(manifest_details, created, "createdTime", 0, 0, 0),
    TEXT(manifest_details, updated, "lastUpdateTime", 0, 0, 0),
    TEXT(manifest_details, last_pulled, "lastPulledTime", 0, 0, OMIT_NULL),
    TEXT(manifest_details, architecture, "architecture", 0, 0, OMIT_NULL),
    TEXT(manifest_details, os, "os", 0, 0, OMIT_NULL),
    TEXT(manifest_details, media_type, "mediaType", 0, 0, 0),
    TEXT(manifest_details, config_media_type, "configMediaType", 0, 0, OMIT_NULL),
    RAW(manifest_details, tags, "tags", 0),
    RAW(manifest_details, references, "references", OMIT_NULL),
    OBJECT(manifest_details, attributes, "changeableAttributes", attributes_json, 0),
    TEXT(manifest_details, quarantine_state, "quarantineState", 0, 0, OMIT_NULL),
    TEXT(manifest_details, quarantine_details, "quarantineDetails", 0, 0, OMIT_NULL),
    {0},
};
struct manifest_reply {
    const char *registry, *image_name;
    struct manifest_details *manifests; /* of a list */
    size_t n;
    struct manifest_details manifest; /* alone */
};
static const struct json_field manifest_list_json[] = {
    TEXT(manifest_reply, registry, "registry", 0, 0, 0),
    TEXT(manifest_reply, image_name, "imageName", 0, 0, 0),
    LIST(manifest_reply, manifests, n, "manifests", manifest_json, manifest_details, 0),
    {0},
};
static const struct json_field manifest_one_json[] = {
    TEXT(manifest_reply, registry, "registry", 0, 0, 0),
    TEXT(manifest_reply, image_name, "imageName", 0, 0, 0),
    OBJECT(manifest_reply, manifest, "manifest", manifest_json, 0),
    {0},
};

enum fault acr_manifests_get(struct call *c)
{
    const struct target *target = &caller_of(c)->target;
    struct manifest_reply reply = {
        login_server(&c->op, c, target), target->repository, NULL, 0, {0}};
    struct repository repository;
    struct page page;

    TRY(page_read(c, PAGE_DEFAULT, PAGE_MAX, &page));
    TRY(api_repository(c, &repository));
    TRY(manifest_list(&c->op, repository.id, &page, &reply.manifests, &reply.n));
    if (cut_page(&page, &reply.n))
        page_link(c, &page, c->path, reply.manifests[reply.n - 1].digest,
                  page.order == ORDER_NAME ? -1 : reply.manifests[reply.n - 1].updated_us, "");
    return reply_json(c, 200, manifest_list_json, &reply);
}

static enum fault reply_manifest_details(struct call *c, int64_t repository_id)
{
    const struct target *target = &caller_of(c)->target;
    struct manifest_reply reply = {
        login_server(&c->op, c, target), target->repository, NULL, 0, {0}};

    TRY(manifest_details(&c->op, repository_id, c->path_args[1], &reply.manifest));
    return reply_json(c, 200, manifest_one_json, &reply);
}

enum fault acr_manifest_get(struct call *c)
{
    struct repository repository;

    TRY(check_digest(&c->op, c->path_args[1]));
    TRY(api_repository(c, &repository));
    return reply_manifest_details(c, repository.id);
}

/* Where quarantine is on, who pushed an image may not let it out as well. */
static enum fault check_judge(struct call *c)
{
    const struct caller *caller = caller_of(c);
    const struct registry *registry = caller->target.registry;

    if (!registry->options.quarantine ||
        principal_may_quarantine(&c->op, &caller->principal, registry, true))
        return OK;
    return fail(&c->op, FORBIDDEN,
                "changing the quarantine state needs the right registries/quarantine/write");
}

/* What has left quarantine counts as pushed only now (facts §2.5). */
static enum fault tell_passed(struct call *c, int64_t repository_id)
{
    const struct registry *registry = caller_of(c)->target.registry;
    struct page page = {.n = TAGS_PER_PUT_MAX, .last = "", .at_us = -1};
    struct manifest_content content;
    struct tag_details *tags;
    size_t n;

    if (!registry->options.quarantine || registry->n_webhooks == 0)
        return OK;
    TRY(manifest_get(&c->op, registry->id, caller_of(c)->target.repository, c->path_args[1],
                     &content));
    TRY(tag_list(&c->op, repository_id, c->path_args[1], &page, &tags, &n));
    for (size_t i = 0; i < n; i++)
        TRY(webhook_event(&c->op, registry, WEBHOOK_PUSH,
                          &(struct webhook_target){.repository = caller_of(c)->target.repository,
                                                   .tag = tags[i].name,
                                                   .digest = content.digest,
                                                   .media_type = content.media_type,
                                                   .size = (int64_t)content.content.len},
                          c));
    return OK;
}

enum fault acr_manifest_patch(struct call *c)
{
    struct attribute_changes changes;
    struct repository repository;
    struct patch patch;

    TRY(check_digest(&c->op, c->path_args[1]));
    TRY(read_patch(c, &patch, &changes));
    if (patch.quarantine_state && strcmp(patch.quarantine_state, "Passed") != 0 &&
        strcmp(patch.quarantine_state, "Failed") != 0)
        return fail(&c->op, INVALID, "quarantineState is Passed or Failed");
    if (patch.quarantine_state)
        TRY(check_judge(c));
    TRY(db_begin(&c->op));
    TRY(api_repository(c, &repository));
    TRY(manifest_change(&c->op, repository.id, c->path_args[1], &changes, patch.quarantine_state,
                        patch.quarantine_details));
    if (patch.quarantine_state && strcmp(patch.quarantine_state, "Passed") == 0)
        TRY(tell_passed(c, repository.id));
    TRY(reply_manifest_details(c, repository.id));
    return api_commit(c);
}

enum fault acr_manifest_delete(struct call *c)
{
    struct repository repository;
    const char *media_type;

    TRY(check_digest(&c->op, c->path_args[1]));
    TRY(repository_to_delete_from(c, &repository));
    TRY(db_begin(&c->op));
    TRY(manifest_delete(&c->op, repository.id, c->path_args[1], &media_type));
    TRY(api_tell_delete(c, c->path_args[1], media_type));
    reply_empty(c, 202);
    return api_commit(c);
}
