/* What regions offer container groups; all of them are this machine. */
#include "api/body.h"
#include "api/container_instance.h"
#include "api/location.h"
#include "api/page.h"
#include "api/quota.h"
#include "instances/image.h"

#define MAX_CPU 4
#define MAX_GB  16

static enum fault location_of_call(struct call *c, const struct location **ret)
{
    *ret = location_find(c->path_args[1]);
    if (*ret)
        return OK;
    return fail_on(&c->op, "InvalidLocation", INVALID, "The location '%.100s' is not known.",
                   c->path_args[1]);
}

static enum fault add_usage(struct call *c, const struct location *location,
                            const struct quota *quota, json_t *values)
{
    const char *subscription = arm_id(c)->subscription;
    const char *id = arena_printf(
        &c->op.arena, "/subscriptions/%s/providers/" ACI_NAMESPACE "/locations/%s/usages/%s",
        subscription, location->name, quota->name);
    int64_t used;

    TRY(quota_usage(&c->op, subscription, quota, &used));
    json_array_append_new(values,
                          json_pack("{s:s, s:s, s:I, s:I, s:{s:s, s:s}}", "id", id, "unit", "Count",
                                    "currentValue", (json_int_t)used, "limit",
                                    (json_int_t)quota_limit(&c->op, subscription, quota), "name",
                                    "value", quota->name, "localizedValue", quota->display));
    return OK;
}

enum fault container_usages_api(struct call *c)
{
    json_t *values = json_new_array(&c->op);
    const struct location *location;

    TRY(location_of_call(c, &location));
    TRY(add_usage(c, location, quota_find(ACI_NAMESPACE, "ContainerGroups"), values));
    TRY(add_usage(c, location, &quota_cores, values));
    return page_reply(c, values, NULL);
}

enum fault container_cached_images_api(struct call *c)
{
    json_t *values = json_new_array(&c->op);
    const struct location *location;
    const char **images = NULL;
    struct arm_page page;
    size_t n = 0;

    TRY(location_of_call(c, &location));
    TRY(page_read_arm(c, PAGE_DEFAULT, &page));
    TRY(image_cached(&c->op, page.last, page.limit, &images, &n));
    for (size_t i = 0; i < n && i < (size_t)page.top; i++)
        json_array_append_new(values,
                              json_pack("{s:s, s:s}", "osType", "Linux", "image", images[i]));
    return page_reply(c, values, n > (size_t)page.top ? images[page.top - 1] : NULL);
}

enum fault container_capabilities_api(struct call *c)
{
    static const char *const types[] = {"Public", "Private"};
    json_t *values = json_new_array(&c->op);
    const struct location *location;

    TRY(location_of_call(c, &location));
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        json_array_append_new(values, json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:f, s:f, s:f}}",
                                                "resourceType", "containerGroups", "osType",
                                                "Linux", "location", location->name,
                                                "ipAddressType", types[i], "gpu", "None",
                                                "capabilities", "maxMemoryInGB", (double)MAX_GB,
                                                "maxCpu", (double)MAX_CPU, "maxGpuCount", 0.0));
    return page_reply(c, values, NULL);
}
