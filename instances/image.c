#include "instances/image.h"

#include "core/server.h"
#include "instances/image_parts.h"
#include "instances/layer.h"
#include "registry/registry.h"

static enum fault find_own(struct op *op, const struct image_name *name,
                           const struct registry *registry, struct image_parts *ret)
{
    return image_find(op, name->text, registry->id, registry->options.quarantine, name->repository,
                      name->reference, ret);
}

enum fault image_check(struct op *op, const struct image_request *request)
{
    const struct registry *registry;
    struct image_parts parts;
    struct image_name name;
    enum fault fault;

    TRY(image_name_parse(op, request->name, &name));
    TRY(image_rights(op, request, &name, &registry));
    fault = registry ? find_own(op, &name, registry, &parts) : OK;
    /* for whoever asks, another platform's image is a wrong name, not a thing that is not built */
    return fault == UNSUPPORTED ? fail_on(op, "image", INVALID, "%s", op->message) : fault;
}

static bool all_there(const struct image_parts *parts)
{
    bool all = true;

    for (size_t i = 0; i < parts->n_layers; i++) /* each: that marks it as used */
        all = layer_is_there(parts->layers[i].diff_id) && all;
    return all;
}

enum fault image_ready(struct op *op, const struct image_request *request, const char *wake,
                       struct image *ret)
{
    struct image_job_end end = {0};
    const struct registry *registry;
    enum image_job_state state;
    struct image_parts parts;
    struct image_name name;

    TRY(image_name_parse(op, request->name, &name));
    state = image_job_state(op, wake, request->name, &end);
    if (state == JOB_RUNNING)
        return WOULD_BLOCK;
    if (state == JOB_DONE)
        TRY(end.fault);
    TRY(image_rights(op, request, &name, &registry)); /* also when it is here: they may be gone */
    if (!registry && (state == JOB_NONE || !end.where.registry_id)) {
        TRY(image_job_fetch(op, wake, &name, image_credential_for(op, request, &name)));
        return WOULD_BLOCK;
    }
    if (registry)
        TRY(find_own(op, &name, registry, &parts));
    else
        TRY(image_find(op, name.text, end.where.registry_id, false, end.where.repository,
                       name.reference, &parts));
    if (!all_there(&parts)) {
        TRY(image_job_unpack(op, wake, request->name, &parts));
        return WOULD_BLOCK;
    }
    *ret = parts.image;
    ret->was_here = !end.worked;
    return OK;
}

enum fault image_cached(struct op *op, const char *last, int64_t max, const char ***ret,
                        size_t *ret_n)
{
    return import_hidden_list(op, last, max, ret, ret_n);
}

enum fault image_start(struct op *op, const struct settings *settings)
{
    image_name_start(settings, server_addresses(op));
    TRY(layer_start(op, settings));
    return image_job_start(op, settings);
}

void image_stop(void)
{
    image_job_stop();
    image_forget_parts();
    layer_stop();
}
