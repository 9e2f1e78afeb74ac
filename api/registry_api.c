/*
 *~ Microsoft.ContainerRegistry: the table of contents of its management API. The envelope of a
 *~ registry (location, tags) is a row of api.resource, all else a row of registry.registry; both
 *are ~ written in one transaction, then memory reads the registry anew, then the answer goes out.
 */
#include "api/registry_api.h"

#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/cache.h"
#include "api/continuous_deployment.h"
#include "api/group.h"
#include "api/location.h"
#include "api/resource_page.h"
#include "api/subscription.h"
#include "core/db.h"
#include "core/json.h"

#define NAMESPACE "Microsoft.ContainerRegistry"
#define TYPE      NAMESPACE "/registries"

/* ---- ids ---- */

enum fault registry_of_id(struct op *op, const struct resource_id *id, const struct registry **ret)
{
    const char *names = id->names ? id->names : "";
    const char *name = arena_strndup(&op->arena, names, strcspn(names, "/"));
    const struct registry *r = registry_find(op, name);

    if (!r || !r->scope || !id_is_within(id->key, id_lower(op, r->scope)))
        return arm_not_found(op, id);
    *ret = r;
    return OK;
}

enum fault registry_of_call(struct call *c, const struct registry **ret)
{
    return registry_of_id(&c->op, arm_id(c), ret);
}

const char *registry_child_id(struct op *op, const struct registry *registry, const char *type,
                              const char *name)
{
    return arena_printf(&op->arena, "%s/%s/%s", registry->scope, type, name);
}

enum fault registry_child_name(struct op *op, const struct registry *registry, const char *type,
                               const char *id, const char *target, const char **ret_name)
{
    const char *slash = strrchr(id, '/');

    if (!slash || strcasecmp(id, registry_child_id(op, registry, type, slash + 1)) != 0)
        return arm_fail_at(op, "InvalidParameter", INVALID, target,
                           "\"%s\" is not the id of one of this registry's %s", id, type);
    *ret_name = slash + 1;
    return OK;
}

enum fault registry_fault(struct op *op, enum fault fault)
{
    static const struct {
        enum fault fault;
        const char *code;
    } codes[] = {
        {INVALID,     "InvalidParameter"},
        {CONFLICT,    "Conflict"        },
        {FORBIDDEN,   "Forbidden"       },
        {NOT_FOUND,   "ResourceNotFound"},
        {UNSUPPORTED, "NotSupported"    },
    };

    if (fault == OK || (op->noun && op->noun[0] >= 'A' && op->noun[0] <= 'Z'))
        return fault;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].fault == fault)
            return arm_fail_at(op, codes[i].code, fault, op->noun, "%s",
                               op->message ? op->message : fault_name(fault));
    return fault;
}

/* ---- one registry ---- */

static enum fault render_registry(struct op *op, const struct resource *r, json_t **ret)
{
    const struct registry *registry = registry_find(op, r->name);

    *ret = resource_json(op, r);
    if (registry)
        json_object_set(*ret, "properties", registry_properties(op, registry));
    return OK;
}

static enum fault reply_registry(struct call *c, int status, const struct resource *r)
{
    json_t *value;

    TRY(render_registry(&c->op, r, &value));
    return arm_reply(c, status, value);
}

static enum fault registry_get(struct call *c)
{
    unsigned generation = cache_generation(arm_id(c)->key);
    struct resource now;
    json_t *value;

    TRY(resource_get(&c->op, arm_id(c), &now));
    TRY(render_registry(&c->op, &now, &value));
    return cache_reply(c, generation, value);
}

/* What every write reads: the options a body asks for, over those that hold without it. */
static enum fault read_new_options(struct op *op, const json_t *body, struct registry_options *ret)
{
    struct registry_options asked;

    TRY(body_required(op, body, "sku.name"));
    registry_options_default(&asked, SKU_BASIC);
    TRY(registry_options_read(op, body, &asked));
    registry_options_default(ret, asked.sku); /* a tier has defaults of its own */
    return registry_options_read(op, body, ret);
}

/*
 * As the rows know it, for what has an envelope (or had none: is_new); memory may not have heard
 * yet of what another `serve` made or deleted just now. *ret NULL: there is none.
 */
static enum fault find_stored(struct op *op, const struct resource_id *id, bool is_new,
                              const struct registry **ret)
{
    bool known = registry_of_id(op, id, ret) == OK;

    op_clear_fault(op);
    if (is_new && known)
        TRY(registry_changed(op, (*ret)->id));
    else if (!is_new && !known)
        TRY(registry_reload(op));
    else if (known)
        return OK;
    if (registry_of_id(op, id, ret) == OK)
        return OK;
    op_clear_fault(op);
    *ret = NULL;
    return OK;
}

/* In the open transaction: the registry's row, new or changed. */
static enum fault store(struct op *op, const struct resource_id *id, const struct resource *now,
                        const struct registry_options *options, bool is_new, int64_t *ret_id)
{
    const struct registry *there;

    TRY(registry_fault(op, registry_options_check(op, options)));
    TRY(find_stored(op, id, is_new, &there));
    if (there) {
        *ret_id = there->id;
        return registry_fault(op, registry_update(op, there->id, options));
    }
    if (registry_name_check(op, id->name) == CONFLICT)
        return arm_fail_at(op, "AlreadyInUse", CONFLICT, NULL,
                           "The registry DNS name %s is already in use. You can check if the name "
                           "is already claimed using the checkNameAvailability API.",
                           id->name);
    if (op->fault == INVALID)
        return arm_fail_at(op, "InvalidRegistryName", INVALID, "name", "%s", op->message);
    return registry_fault(op, registry_create(op, id->name, now->id, options, ret_id));
}

static enum fault finish_write(struct call *c, int64_t registry_id, const struct resource *now,
                               int status)
{
    TRY(db_commit(&c->op));
    TRY(registry_changed(&c->op, registry_id));
    cache_changed(arm_id(c)->key);
    return reply_registry(c, status, now);
}

static enum fault registry_put(struct call *c)
{
    struct op *op = &c->op;
    struct resource wanted = {.state = "Succeeded"}, now;
    struct registry_options options;
    int64_t registry_id;
    bool created;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_location(op, body, true, &wanted.location));
    TRY(body_tags(op, body, &wanted.tags, NULL));
    TRY(read_new_options(op, body, &options));
    wanted.sku = registry_sku_json(op, &options);
    TRY(db_begin(op));
    TRY(resource_put(c, arm_id(c), &wanted, &now, &created));
    TRY(store(op, arm_id(c), &now, &options, created, &registry_id));
    return finish_write(c, registry_id, &now, created ? 201 : 200);
}

static enum fault registry_patch(struct call *c)
{
    struct op *op = &c->op;
    const struct registry *registry;
    struct registry_options options;
    struct resource part = {0}, now;
    const char *tags;
    bool tags_given;
    json_t *body;

    TRY(body_read(c, true, &body));
    TRY(body_tags(op, body, &tags, &tags_given));
    part.tags = tags_given ? tags : NULL;
    TRY(db_begin(op));
    TRY(resource_get_for_update(op, arm_id(c), &now));
    TRY(registry_of_call(c, &registry));
    options = registry->options;
    TRY(registry_options_read(op, body, &options));
    part.sku = registry_sku_json(op, &options);
    TRY(registry_fault(op, registry_options_check(op, &options)));
    TRY(resource_patch(c, arm_id(c), &part, &now));
    TRY(registry_fault(op, registry_update(op, registry->id, &options)));
    return finish_write(c, registry->id, &now, 200);
}

/*
 * The rows of a registry whose envelope goes. One that memory does not know may have been made by
 * another `serve` just now; one that has no row any more was deleted at the same time.
 */
static enum fault remove_rows(struct op *op, const char *name, const struct registry **ret)
{
    enum fault fault;

    *ret = registry_find(op, name);
    if (!*ret) {
        TRY(registry_reload(op));
        *ret = registry_find(op, name);
    }
    fault = *ret ? registry_delete(op, (*ret)->id) : OK;
    if (fault != NOT_FOUND)
        return registry_fault(op, fault);
    op_clear_fault(op);
    return OK;
}

static enum fault remove_registry(struct op *op, const struct resource *r, int64_t *ret_again_ms)
{
    const struct registry *registry;

    (void)ret_again_ms; /* rows only: content goes with the next collection */
    return remove_rows(op, r->name, &registry);
}

static enum fault registry_remove(struct call *c)
{
    struct op *op = &c->op;
    const struct registry *registry;
    bool existed;

    TRY(db_begin(op));
    TRY(resource_delete(op, arm_id(c), &existed));
    if (!existed)
        return reply_empty(c, 204);
    TRY(remove_rows(op, arm_id(c)->name, &registry));
    TRY(db_commit(op));
    if (registry)
        TRY(registry_changed(op, registry->id));
    TRY(resource_deleted(op, arm_id(c)));
    return reply_empty(c, 200);
}

static enum fault move_registry(struct op *op, const struct resource *r,
                                const struct resource_id *to)
{
    const struct registry *registry = registry_find(op, r->name);

    return registry ? registry_fault(op, registry_set_scope(op, registry->id, to->path)) : OK;
}

/* ---- lists ---- */

static enum fault render_all(struct op *op, const struct resource *list, size_t n, json_t *values)
{
    json_t *value;

    for (size_t i = 0; i < n; i++) {
        TRY(render_registry(op, &list[i], &value));
        json_array_append(values, value);
    }
    return OK;
}

static enum fault registries_list(struct call *c)
{
    return resource_page_reply(c, TYPE, render_all);
}

/* ---- actions ---- */

static enum fault check_name(struct call *c)
{
    struct op *op = &c->op;
    const char *name = NULL, *type = TYPE, *reason;
    json_t *body, *answer = json_new_object(op);

    TRY(body_read(c, false, &body));
    TRY(body_required(op, body, "name"));
    TRY(body_text(op, body, "name", 1, 256, &name));
    TRY(body_text(op, body, "type", 1, 256, &type));
    if (strcasecmp(type, TYPE) != 0)
        return arm_fail_at(op, "InvalidParameter", INVALID, "type", "the type must be " TYPE);
    switch (registry_name_check(op, name)) {
    case OK:
        json_object_set_new(answer, "nameAvailable", json_true());
        return arm_reply(c, 200, answer);
    case INVALID:
        reason = "Invalid";
        break;
    case CONFLICT:
        reason = "AlreadyExists";
        break;
    default:
        return op->fault;
    }
    json_object_set_new(answer, "nameAvailable", json_false());
    json_set_text(answer, "reason", reason);
    json_set_text(answer, "message", op->message);
    op_clear_fault(op);
    return arm_reply(c, 200, answer);
}

static json_t *usage_json(const char *name, int64_t now, int64_t limit, const char *unit)
{
    return json_pack("{s:s,s:I,s:I,s:s}", "name", name, "currentValue", (json_int_t)now, "limit",
                     (json_int_t)limit, "unit", unit);
}

static enum fault usages_list(struct call *c)
{
    struct op *op = &c->op;
    json_t *values = json_new_array(op), *answer = json_new_object(op);
    const struct sku_limits *limits;
    const struct registry *registry;
    struct registry_usage usage;

    TRY(registry_of_call(c, &registry));
    TRY(registry_usage_recent(op, registry->id, &usage));
    limits = sku_limits(registry->options.sku);
    json_array_append_new(values, usage_json("Size", usage.bytes, limits->storage_bytes, "Bytes"));
    json_array_append_new(values,
                          usage_json("Webhooks", usage.webhooks, limits->webhooks, "Count"));
    json_array_append_new(values,
                          usage_json("ScopeMaps", usage.scope_maps, limits->scope_maps, "Count"));
    json_array_append_new(values, usage_json("Tokens", usage.tokens, limits->tokens, "Count"));
    json_array_append_new(values, usage_json("SharedLayers", usage.linked_bytes - usage.blob_bytes,
                                             usage.linked_bytes, "Bytes")); /* Sundog's own */
    json_object_set(answer, "value", values);
    return arm_reply(c, 200, answer);
}

static const char *const password_names[] = {"password", "password2", NULL};

static enum fault reply_credentials(struct call *c)
{
    struct op *op = &c->op;
    json_t *answer = json_new_object(op), *passwords = json_new_array(op);
    const struct registry *registry;

    TRY(registry_of_call(c, &registry));
    if (!registry->options.admin_enabled)
        return arm_fail_at(op, "AdminUserDisabled", INVALID, NULL,
                           "the admin user of registry %s is off: set adminUserEnabled",
                           registry->name);
    json_set_text(answer, "username", registry->name);
    for (int i = 0; i < 2; i++) {
        json_t *one = json_new_object(op);

        json_set_text(one, "name", password_names[i]);
        json_set_text(one, "value", registry_password(op, registry, i));
        json_array_append(passwords, one);
    }
    json_object_set(answer, "passwords", passwords);
    reply_header(c, "Cache-Control", "no-store");
    return arm_reply(c, 200, answer);
}

static enum fault credential_regenerate(struct call *c)
{
    struct op *op = &c->op;
    const struct registry *registry;
    const char *name = NULL;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_required(op, body, "name"));
    TRY(body_choice(op, body, "name", password_names, &name));
    TRY(registry_of_call(c, &registry));
    TRY(db_begin(op));
    TRY(registry_fault(op, registry_regenerate(op, registry->id, name == password_names[1])));
    TRY(db_commit(op));
    TRY(registry_changed(op, registry->id));
    return reply_credentials(c);
}

/* ---- what the first start made ---- */

#define FIRST_GROUP "sundog"

static enum fault adopt_one(struct op *op, const char *name)
{
    const char *subscription = subscription_first(op);
    struct group wanted = {.subscription = subscription,
                           .name = FIRST_GROUP,
                           .location = locations[0].name,
                           .tags = "{}"},
                 group;
    const struct registry *registry = registry_find(op, name);
    struct resource envelope = {.location = locations[0].name}, now;
    struct resource_id id;
    bool created;

    if (!registry) /* another `serve` has just deleted it */
        return OK;
    envelope.sku = registry_sku_json(op, &registry->options);
    TRY(db_begin(op));
    TRY(group_put(op, &wanted, &group, &created));
    TRY(resource_id_parse(op, arena_printf(&op->arena, "%s/providers/" TYPE "/%s", group.id, name),
                          &id));
    TRY(resource_put_own(op, &id, &envelope, &now));
    TRY(registry_fault(op, registry_set_scope(op, registry->id, now.id)));
    TRY(db_commit(op));
    return registry_changed(op, registry->id);
}

/* Registries that nobody made through the resource manager get a resource in the group "sundog" of
   the first subscription, so that roles can be assigned on them. */
static enum fault adopt(struct op *op)
{
    const char **names;
    size_t n;

    TRY(registry_without_scope(op, &names, &n));
    for (size_t i = 0; i < n; i++)
        TRY(adopt_one(op, names[i]));
    return OK;
}

/* ---- the provider ---- */

/* Memory still has the registry under the name it had: its id leads to the row, or its absence. */
static enum fault type_changed(struct op *op, const struct resource *r)
{
    const struct registry *registry = registry_find(op, r->name);

    return registry ? registry_changed(op, registry->id) : OK;
}

static enum fault webhook_changed(struct op *op, const struct resource *r)
{
    const struct registry *registry;
    struct resource_id id;

    TRY(resource_id_parse(op, r->id, &id));
    if (registry_of_id(op, &id, &registry) == OK)
        return registry_changed(op, registry->id);
    op_clear_fault(op);
    return OK;
}

static const char *const versions[] = {"2025-11-01",         "2025-04-01", "2025-03-01-preview",
                                       "2024-11-01-preview", "2023-07-01", "2022-12-01",
                                       "2022-02-01-preview", "2021-09-01", "2020-11-01-preview",
                                       "2019-05-01",         "2017-10-01", NULL};

/* What registry/traffic.h counts. */
#define METRIC(n, d, t)                                                                            \
    {                                                                                              \
        .name = n, .display = d, .description = t, .unit = "Count", .category = "Traffic",         \
        .primary = "Total", .zeros = true                                                          \
    }
static const struct metric_kind metrics[] = {
    METRIC("TotalPullCount", "Total Pull Count", "Number of image pulls in total"),
    METRIC("SuccessfulPullCount", "Successful Pull Count", "Number of successful image pulls"),
    METRIC("TotalPushCount", "Total Push Count", "Number of image pushes in total"),
    METRIC("SuccessfulPushCount", "Successful Push Count", "Number of successful image pushes"),
    {0},
};

static const struct resource_type types[] = {
    {"registries",                versions, .tracked = true, .render = render_registry, .remove = remove_registry,
     .move = move_registry, .changed = type_changed, .metrics = metrics},
    {"registries/webhooks",            versions, .tracked = true, .render = webhook_render,
     .remove = webhook_type_remove, .changed = webhook_changed},
    {"registries/scopeMaps",  versions, .no_row = true},
    {"registries/tokens",    versions, .no_row = true},
    {"registries/importImage",                           versions, .no_row = true},
    {"registries/listUsages",        versions, .no_row = true},
    {"registries/listCredentials",   versions, .no_row = true},
    {"registries/regenerateCredential", versions, .no_row = true},
    {"registries/generateCredentials",      versions, .no_row = true},
    {"checkNameAvailability",             versions, .no_row = true},
    {"operations",         versions, .no_row = true},
    {"locations",             versions, .no_row = true},
    {"locations/operationResults",    versions, .no_row = true},
    {0            },
};

#define OPERATION(name, resource, what)                                                            \
    {                                                                                              \
        NAMESPACE "/" name, resource, what, what, false                                            \
    }
#define DATA(name, resource, what)                                                                 \
    {                                                                                              \
        NAMESPACE "/" name, resource, what, what, true                                             \
    }

static const struct provider_operation operations[] = {
    OPERATION("register/action", "Subscription", "Register the provider"),
    OPERATION("unregister/action", "Subscription", "Unregister the provider"),
    OPERATION("checkNameAvailability/read", "Name availability", "Check a registry's name"),
    OPERATION("operations/read", "Operations", "List operations"),
    OPERATION("registries/read", "Registry", "Get or list registries"),
    OPERATION("registries/write", "Registry", "Create or update a registry"),
    OPERATION("registries/delete", "Registry", "Delete a registry"),
    OPERATION("registries/listCredentials/action", "Registry", "List admin credentials"),
    OPERATION("registries/regenerateCredential/action", "Registry", "Regenerate a password"),
    OPERATION("registries/generateCredentials/action", "Registry", "Generate a token's password"),
    OPERATION("registries/importImage/action", "Registry", "Import an image"),
    OPERATION("registries/listUsages/read", "Registry", "List quota usages"),
    OPERATION("registries/pull/read", "Pull", "Pull or get images"),
    OPERATION("registries/push/write", "Push", "Push images"),
    OPERATION("registries/artifacts/delete", "Artifact", "Delete artifacts"),
    OPERATION("registries/webhooks/read", "Webhook", "Get or list webhooks"),
    OPERATION("registries/webhooks/write", "Webhook", "Create or update a webhook"),
    OPERATION("registries/webhooks/delete", "Webhook", "Delete a webhook"),
    OPERATION("registries/webhooks/getCallbackConfig/action", "Webhook", "Get its address"),
    OPERATION("registries/webhooks/ping/action", "Webhook", "Send a ping"),
    OPERATION("registries/webhooks/listEvents/action", "Webhook", "List its events"),
    OPERATION("registries/scopeMaps/read", "Scope map", "Get or list scope maps"),
    OPERATION("registries/scopeMaps/write", "Scope map", "Create or update a scope map"),
    OPERATION("registries/scopeMaps/delete", "Scope map", "Delete a scope map"),
    OPERATION("registries/tokens/read", "Token", "Get or list tokens"),
    OPERATION("registries/tokens/write", "Token", "Create or update a token"),
    OPERATION("registries/tokens/delete", "Token", "Delete a token"),
    DATA("registries/catalog/read", "Catalog", "List repositories"),
    DATA("registries/repositories/content/read", "Repository", "Pull"),
    DATA("registries/repositories/content/write", "Repository", "Push"),
    DATA("registries/repositories/content/delete", "Repository", "Delete content"),
    DATA("registries/repositories/metadata/read", "Repository", "Read metadata"),
    DATA("registries/repositories/metadata/write", "Repository", "Change metadata"),
    DATA("registries/repositories/metadata/delete", "Repository", "Delete metadata"),
    {0},
};

#define S       "/subscriptions/{subscription}"
#define LIST_S  S "/providers/" TYPE
#define LIST_G  S "/resourceGroups/{group}/providers/" TYPE
#define R       LIST_G "/{registry}"
#define A(what) TYPE "/" what

/* A kind of thing that the cloud has below a registry and this Sundog has not. */
#define NOT_BUILT_CHILD(kind)                                                                      \
    {GET,                                                                                          \
     R "/" kind,                                                                                   \
     ARM_ACTION,                                                                                   \
     CALL,                                                                                         \
     arm_not_built,                                                                                \
     kind " of a registry",                                                                        \
     .action = A(kind "/read")},                                                                   \
        {GET,                                                                                      \
         R "/" kind "/{name+}",                                                                    \
         ARM_ACTION,                                                                               \
         CALL,                                                                                     \
         arm_not_built,                                                                            \
         kind " of a registry",                                                                    \
         .action = A(kind "/read")},                                                               \
        {PUT,           R "/" kind "/{name+}", ARM_ACTION,   CALL,                                 \
         arm_not_built, kind " of a registry", ARM_BODY_MAX, .action = A(kind "/write")},          \
        {PATCH,         R "/" kind "/{name+}", ARM_ACTION,   CALL,                                 \
         arm_not_built, kind " of a registry", ARM_BODY_MAX, .action = A(kind "/write")},          \
        {DELETE,                                                                                   \
         R "/" kind "/{name+}",                                                                    \
         ARM_ACTION,                                                                               \
         CALL,                                                                                     \
         arm_not_built,                                                                            \
         kind " of a registry",                                                                    \
         .action = A(kind "/delete")},                                                             \
    {                                                                                              \
        POST, R "/" kind "/{name+}", ARM_ACTION, CALL, arm_not_built, kind " of a registry",       \
            ARM_BODY_MAX, .action = A(kind "/write")                                               \
    }

#define NOT_BUILT_ACTION(name)                                                                     \
    {                                                                                              \
        POST, R "/" name, ARM_ACTION, CALL, arm_not_built, name " of a registry", ARM_BODY_MAX,    \
            .action = A(name "/action")                                                            \
    }

/* clang-format off */
static const struct route routes[] = {
    {POST, S "/providers/" NAMESPACE "/checkNameAvailability", ARM_ACTION, CALL, check_name,
     "is a registry's name free?", ARM_BODY_MAX, .action = NAMESPACE "/checkNameAvailability/read"},

    {GET, LIST_S, ARM_SIGNED_IN, CALL, registries_list, "registries of a subscription",
     .query = "$top, $skiptoken"},
    {GET, LIST_G, ARM_SIGNED_IN, CALL, registries_list, "registries of a group",
     .query = "$top, $skiptoken"},
    {GET, R, ARM_ACTION, CALL, registry_get, "a registry", .from_memory = arm_get_cached,
     .action = A("read")},
    {PUT, R, ARM_ACTION, CALL, registry_put, "make or replace a registry", ARM_BODY_MAX,
     .action = A("write")},
    {PATCH, R, ARM_ACTION, CALL, registry_patch, "change a registry", ARM_BODY_MAX,
     .action = A("write")},
    {DELETE, R, ARM_ACTION, CALL, registry_remove, "delete a registry and all it holds",
     .action = A("delete")},
    {GET, R "/listUsages", ARM_ACTION, CALL, usages_list, "what it uses of its tier",
     .action = A("listUsages/read")},
    {POST, R "/listCredentials", ARM_ACTION, CALL, reply_credentials, "the admin user's passwords",
     .action = A("listCredentials/action")},
    {POST, R "/regenerateCredential", ARM_ACTION, CALL, credential_regenerate,
     "a new password of the admin user", ARM_BODY_MAX, .action = A("regenerateCredential/action")},
    {POST, R "/generateCredentials", ARM_ACTION, CALL, credentials_generate,
     "a new password of a token", ARM_BODY_MAX, .action = A("generateCredentials/action")},
    {POST, R "/importImage", ARM_ACTION, CALL, import_image, "import an image (long-running)",
     ARM_BODY_MAX, .action = A("importImage/action")},

    {GET, R "/webhooks", ARM_ACTION, CALL, webhooks_list, "webhooks", .query = "$top, $skiptoken",
     .action = A("webhooks/read")},
    {GET, R "/webhooks/{webhook}", ARM_ACTION, CALL, webhook_read, "a webhook",
     .action = A("webhooks/read")},
    {PUT, R "/webhooks/{webhook}", ARM_ACTION, CALL, webhook_write, "make or replace a webhook",
     ARM_BODY_MAX, .action = A("webhooks/write")},
    {PATCH, R "/webhooks/{webhook}", ARM_ACTION, CALL, webhook_update, "change a webhook",
     ARM_BODY_MAX, .action = A("webhooks/write")},
    {DELETE, R "/webhooks/{webhook}", ARM_ACTION, CALL, webhook_remove, "delete a webhook",
     .action = A("webhooks/delete")},
    {POST, R "/webhooks/{webhook}/ping", ARM_ACTION, CALL, webhook_ping_now, "send a ping",
     .action = A("webhooks/ping/action")},
    {POST, R "/webhooks/{webhook}/listEvents", ARM_ACTION, CALL, webhook_events_list,
     "its latest events, secrets masked", .action = A("webhooks/listEvents/action")},
    {POST, R "/webhooks/{webhook}/getCallbackConfig", ARM_ACTION, CALL, webhook_callback_config,
     "its address and headers", .action = A("webhooks/getCallbackConfig/action")},

    {GET, R "/scopeMaps", ARM_ACTION, CALL, scope_maps_list, "scope maps",
     .query = "$top, $skiptoken", .action = A("scopeMaps/read")},
    {GET, R "/scopeMaps/{map}", ARM_ACTION, CALL, scope_map_read, "a scope map",
     .action = A("scopeMaps/read")},
    {PUT, R "/scopeMaps/{map}", ARM_ACTION, CALL, scope_map_write, "make or replace a scope map",
     ARM_BODY_MAX, .action = A("scopeMaps/write")},
    {PATCH, R "/scopeMaps/{map}", ARM_ACTION, CALL, scope_map_update, "change a scope map",
     ARM_BODY_MAX, .action = A("scopeMaps/write")},
    {DELETE, R "/scopeMaps/{map}", ARM_ACTION, CALL, scope_map_remove, "delete a scope map",
     .action = A("scopeMaps/delete")},

    {GET, R "/tokens", ARM_ACTION, CALL, tokens_list, "repository tokens",
     .query = "$top, $skiptoken", .action = A("tokens/read")},
    {GET, R "/tokens/{token}", ARM_ACTION, CALL, token_read, "a repository token",
     .action = A("tokens/read")},
    {PUT, R "/tokens/{token}", ARM_ACTION, CALL, token_write, "make or replace a repository token",
     ARM_BODY_MAX, .action = A("tokens/write")},
    {PATCH, R "/tokens/{token}", ARM_ACTION, CALL, token_update, "change a repository token",
     ARM_BODY_MAX, .action = A("tokens/write")},
    {DELETE, R "/tokens/{token}", ARM_ACTION, CALL, token_remove, "delete a repository token",
     .action = A("tokens/delete")},

    NOT_BUILT_CHILD("replications"), NOT_BUILT_CHILD("cacheRules"),
    NOT_BUILT_CHILD("credentialSets"), NOT_BUILT_CHILD("connectedRegistries"),
    NOT_BUILT_CHILD("privateEndpointConnections"), NOT_BUILT_CHILD("privateLinkResources"),
    NOT_BUILT_CHILD("exportPipelines"), NOT_BUILT_CHILD("importPipelines"),
    NOT_BUILT_CHILD("pipelineRuns"), NOT_BUILT_CHILD("packages"), NOT_BUILT_CHILD("tasks"),
    NOT_BUILT_CHILD("taskRuns"), NOT_BUILT_CHILD("runs"), NOT_BUILT_CHILD("agentPools"),
    NOT_BUILT_ACTION("scheduleRun"), NOT_BUILT_ACTION("listBuildSourceUploadUrl"),
    {0},
};
/* clang-format on */

static void start(void)
{
    import_api_start();
    continuous_deployment_start();
}

const struct provider registry_provider = {
    .name = NAMESPACE,
    .display = "Microsoft Container Registry",
    .types = types,
    .operations = operations,
    .start = start,
    .adopt = adopt,
};

const struct service container_registry_service = {
    .name = "containerregistry",
    .routes = routes,
    .dialect = &arm_dialect,
    .any_case = true,
    .authorise = arm_authorise,
    .decorate = arm_decorate,
};
