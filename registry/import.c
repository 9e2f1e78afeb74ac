/*
 * importImage: what may be asked (facts §2.4), and its images' names.
 */
#include "registry/import.h"

#include <string.h>
#include <strings.h>

#include "auth/scope.h"
#include "core/seal.h"
#include "registry/import_job.h"
#include "registry/names.h"
#include "registry/principal.h"
#include "registry/repository.h"
#include "registry/tag.h"
#include "registry/target.h"

#define HOST_MAX 255

/* ---- names of images ---- */

void import_split_image(struct op *op, const char *image, const char **ret_host,
                        const char **ret_rest)
{
    size_t len = strcspn(image, "/");

    *ret_host = NULL;
    *ret_rest = image;
    if (!image[len] || (!memchr(image, '.', len) && !memchr(image, ':', len) &&
                        strncmp(image, "localhost/", 10) != 0))
        return;
    *ret_host = arena_strndup(&op->arena, image, len);
    *ret_rest = image + len + 1;
}

/* "team/app:1", "team/app@sha256:…" → its parts; reference NULL: it names none. */
static enum fault split(struct op *op, const char *noun, const char *image,
                        const char **ret_repository, const char **ret_reference)
{
    const char *at = strchr(image, '@'), *slash = strrchr(image, '/');
    const char *colon = strchr(slash ? slash : image, ':'), *end;

    end = at && (!colon || at < colon) ? at : colon;
    end = end ? end : image + strlen(image);
    *ret_repository = arena_strndup(&op->arena, image, (size_t)(end - image));
    *ret_reference = at ? at + 1 : (*end ? end + 1 : NULL);
    if (repository_name_is_valid(*ret_repository) &&
        (!*ret_reference || (at ? digest_is_valid(*ret_reference) : tag_is_valid(*ret_reference))))
        return OK;
    return fail_on(op, noun, INVALID, "\"%.300s\" is no name of an image", image);
}

/* The name an image has at its registry: without the host, and as Docker Hub writes its own. */
static const char *name_at(struct op *op, const char *image, const char *host)
{
    const char *named, *rest;

    import_split_image(op, image, &named, &rest);
    if (host && named && strcasecmp(named, host) == 0)
        image = rest;
    if (host && !strchr(image, '/') &&
        (strcasecmp(host, "docker.io") == 0 || strcasecmp(host, "registry-1.docker.io") == 0 ||
         strcasecmp(host, "index.docker.io") == 0))
        image = arena_printf(&op->arena, "library/%s", image);
    return image;
}

enum fault import_source_repository(struct op *op, const char *source_image,
                                    const char **ret_repository)
{
    const char *reference;

    return split(op, "source", source_image, ret_repository, &reference);
}

/* ---- the targets ---- */

static enum fault add_target(struct op *op, struct import_work *w, const char *text, bool tagged)
{
    struct import_target target = {0};
    const char *source_tag = reference_is_digest(w->reference) ? "latest" : w->reference;

    TRY(split(op, "targetTags", text, &target.repository, &target.tag));
    if (target.tag && (!tagged || reference_is_digest(target.tag)))
        return fail_on(op, "targetTags", INVALID, "\"%.300s\" must name %s", text,
                       tagged ? "a tag, not a digest" : "a repository only");
    if (tagged && !target.tag)
        target.tag = source_tag;
    w->targets[w->n_targets++] = target;
    return OK;
}

static enum fault read_targets(struct op *op, const struct import_request *r, struct import_work *w)
{
    if (r->n_targets + r->n_untagged > IMPORT_TARGETS_MAX)
        return fail_on(op, "targetTags", INVALID, "there are more than %d targets",
                       IMPORT_TARGETS_MAX);
    w->targets = arena_alloc(&op->arena, (r->n_targets + r->n_untagged + 1) * sizeof(*w->targets));
    for (size_t i = 0; i < r->n_targets; i++)
        TRY(add_target(op, w, r->targets[i], true));
    for (size_t i = 0; i < r->n_untagged; i++)
        TRY(add_target(op, w, r->untagged[i], false));
    if (w->n_targets == 0)
        w->targets[w->n_targets++] = (struct import_target){
            w->repository, reference_is_digest(w->reference) ? NULL : w->reference};
    return OK;
}

static enum fault check_target(struct op *op, int64_t registry_id, const struct import_target *t,
                               bool force)
{
    struct repository repository;
    struct tag_details tag;
    enum fault fault = repository_find(op, registry_id, t->repository, &repository);

    if (fault == OK) {
        TRY(check_lock(op, repository.attributes.write_enabled, "writing to", t->repository));
        fault = t->tag ? tag_details(op, repository.id, t->tag, &tag) : NOT_FOUND;
    }
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    if (!force)
        return fail_on(
            op, "targetTags", CONFLICT,
            "Tag %s:%s already exists in target registry. Use mode Force to overwrite it.",
            t->repository, t->tag);
    return check_lock(op, tag.attributes.write_enabled, "overwriting", t->tag);
}

/* ---- the source ---- */

/* Named by its login server, one of ours needs no HTTP: the credentials are looked at here. */
static enum fault check_own(struct op *op, const struct import_request *r,
                            const struct registry *source, const char *repository)
{
    struct principal who = {.kind = PRINCIPAL_ANONYMOUS, .name = "anonymous"};
    const char *user = r->username && *r->username ? r->username : NULL;

    if (user && r->password &&
        principal_by_password(op, source, user, r->password, true, &who) != OK)
        return fail_on(op, "source", FORBIDDEN, "the credentials for %s are not accepted",
                       source->name);
    if (principal_rights(op, &who, source, repository, SCOPE_PULL))
        return OK;
    return fail_on(op, "source", FORBIDDEN, "%s may not be pulled from %s with these credentials",
                   repository, source->name);
}

static enum fault check_local_source(struct op *op, const struct import_work *w)
{
    const struct registry *source = registry_find_id(op, w->source_registry);
    struct manifest_content content;
    enum fault fault;

    if (!source)
        return fail_on(op, "source", NOT_FOUND, "the source registry does not exist");
    if (!source->options.export_enabled)
        return fail_on(op, "source", FORBIDDEN,
                       "the export policy of registry %s does not allow imports from it",
                       source->name);
    fault = manifest_get(op, source->id, w->repository, w->reference, &content);
    if (fault == OK && source->options.quarantine && content.quarantined)
        fault = NOT_FOUND;
    if (fault == NOT_FOUND || fault == FORBIDDEN)
        return fail_on(op, "source", fault, "the image %s%s%s %s in registry %s", w->repository,
                       reference_is_digest(w->reference) ? "@" : ":", w->reference,
                       fault == NOT_FOUND ? "does not exist" : "may not be read", source->name);
    return fault;
}

static bool host_is_valid(const char *host)
{
    size_t len = strlen(host);

    return len > 0 && len <= HOST_MAX && host[0] != '-' &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") ==
               len;
}

/* "https://docker.io/" → "docker.io" */
static const char *bare_host(struct op *op, const char *host)
{
    const char *start = strstr(host, "://");

    if (start && (strncasecmp(host, "https://", 8) == 0 || strncasecmp(host, "http://", 7) == 0))
        host = start + 3;
    return arena_strndup(&op->arena, host, strcspn(host, "/"));
}

static enum fault read_source(struct op *op, const struct import_request *r, struct import_work *w)
{
    const char *host = r->source_registry ? NULL : bare_host(op, r->source_host), *label;
    const struct registry *own = NULL;

    if (host && !host_is_valid(host))
        return fail_on(op, "source", INVALID, "\"%.100s\" is no registry's address", host);
    TRY(split(op, "source", name_at(op, r->source_image, host), &w->repository, &w->reference));
    if (!w->reference)
        w->reference = "latest";
    label = host ? host_registry(&op->arena, host) : NULL;
    if (label)
        own = registry_find(op, label);
    if (own)
        TRY(check_own(op, r, own, w->repository));
    w->source_registry = own ? own->id : r->source_registry;
    if (w->source_registry)
        return check_local_source(op, w);
    w->source_host = host;
    w->username = r->username && *r->username ? r->username : NULL;
    w->password = r->password && *r->password ? r->password : NULL;
    return OK;
}

enum fault import_start(struct op *op, const struct registry *target,
                        const struct import_request *request, const char **ret_id)
{
    struct import_work work = {.registry_id = target->id, .force = request->force};
    char id[37];

    if (!request->source_registry && !request->source_host)
        return fail_on(op, "source", INVALID, "the source names no registry");
    TRY(read_source(op, request, &work));
    TRY(read_targets(op, request, &work));
    for (size_t i = 0; i < work.n_targets; i++)
        TRY(check_target(op, target->id, &work.targets[i], work.force));
    random_uuid(id);
    work.id = arena_strdup(&op->arena, id);
    TRY(import_insert(op, &work, request->started_by));
    *ret_id = work.id;
    return OK;
}
