#include "registry/api.h"

#include <string.h>

#include "core/db.h"
#include "core/durable.h"
#include "registry/hot.h"

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
    enum fault fault = call_commit(c);

    /* also when it failed: nobody knows then whether it did */
    hot_changed(target->registry->id, target->repository);
    return fault;
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
