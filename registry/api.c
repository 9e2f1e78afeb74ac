#include "registry/api.h"

#include <string.h>

#include "core/db.h"
#include "core/durable.h"
#include "registry/hot.h"
#include "registry/webhook.h"

enum fault api_repository(struct call *c, struct repository *ret)
{
    const struct target *target = &caller_of(c)->target;

    return repository_find(&c->op, target->registry->id, target->repository, ret);
}

static enum fault check_writable(struct call *c, const struct repository *repository)
{
    return check_lock(&c->op, repository->attributes.write_enabled, "writing to", repository->name);
}

enum fault api_check_writable(struct call *c)
{
    struct repository repository;
    enum fault fault = api_repository(c, &repository);

    if (fault == OK)
        return check_writable(c, &repository);
    if (fault != NOT_FOUND)
        return fault;
    op_clear_fault(&c->op);
    return OK;
}

enum fault api_repository_to_write(struct call *c, struct repository *ret)
{
    const struct target *target = &caller_of(c)->target;

    TRY(repository_make(&c->op, target->registry->id, target->repository, ret));
    return check_writable(c, ret);
}

enum fault api_commit(struct call *c)
{
    const struct target *target = &caller_of(c)->target;
    bool wake = target->registry->n_webhooks > 0;
    enum fault fault = call_commit(c);

    /* also when it failed: nobody knows then whether it did */
    hot_changed(target->registry->id, target->repository);
    if (wake)
        webhook_wake();
    return fault;
}

enum fault api_tell_push(struct call *c, const struct manifest *manifest, const char *const *tags,
                         size_t n_tags)
{
    const struct target *target = &caller_of(c)->target;
    unsigned action = manifest->quarantined ? WEBHOOK_QUARANTINE : WEBHOOK_PUSH;

    for (size_t i = 0; i < (n_tags ? n_tags : 1); i++)
        TRY(webhook_event(&c->op, target->registry, action,
                          &(struct webhook_target){.repository = target->repository,
                                                   .tag = n_tags ? tags[i] : NULL,
                                                   .digest = manifest->digest,
                                                   .media_type = manifest->media_type,
                                                   .size = (int64_t)manifest->content.len},
                          c));
    return OK;
}

enum fault api_tell_delete(struct call *c, const char *digest, const char *media_type)
{
    const struct target *target = &caller_of(c)->target;

    return webhook_event(&c->op, target->registry, WEBHOOK_DELETE,
                         &(struct webhook_target){.repository = target->repository,
                                                  .digest = digest,
                                                  .media_type = media_type},
                         c);
}

enum fault api_check_quarantine(struct call *c, const char *reference,
                                const struct manifest_content *manifest)
{
    const struct caller *caller = caller_of(c);

    if (!manifest->quarantined ||
        principal_may_quarantine(&c->op, &caller->principal, caller->target.registry, false))
        return OK;
    if (!reference_is_digest(reference))
        return fail_on(&c->op, "manifest", NOT_FOUND, "manifest %s is not known to the repository",
                       reference);
    return fail_on(&c->op, "lock", FORBIDDEN,
                   "The operation is disallowed on this registry, repository or image: %s is in "
                   "quarantine.",
                   reference);
}

bool api_not_modified(struct call *c, const char *digest)
{
    const char *known = call_header(c, "if-none-match");

    if (!known || (strcmp(known, "*") != 0 && !strstr(known, digest)))
        return false;
    reply_empty(c, 304);
    return true;
}

void api_content_headers(struct call *c, const char *digest)
{
    reply_header(c, "Docker-Content-Digest", "%s", digest);
    reply_header(c, "ETag", "\"%s\"", digest);
}

enum fault api_reply_manifest(struct call *c, const char *digest, const char *media_type,
                              struct bytes content)
{
    api_content_headers(c, digest);
    if (api_not_modified(c, digest))
        return OK;
    return reply_bytes(c, 200, media_type, content);
}

enum fault api_reply_blob_head(struct call *c, const char *digest, int64_t size)
{
    api_content_headers(c, digest);
    if (api_not_modified(c, digest))
        return OK;
    reply_header(c, "Accept-Ranges", "bytes");
    reply_header(c, "Content-Type", "application/octet-stream");
    reply_empty(c, 200);
    c->reply.content_length = size;
    return OK;
}
