/*
 * Which members a container group may have, as tables, and one function that reads by them. Names
 * match in any case of letters, as Azure's do.
 */
#include <string.h>
#include <strings.h>

#include "api/container_instance.h"

#define TEXT_MAX 65536

static const char *const protocols[] = {"TCP", "UDP", NULL};
static const char *const policies[] = {"Always", "OnFailure", "Never", NULL};
static const char *const systems[] = {"Linux", "Windows", NULL};
static const char *const ip_types[] = {"Public", "Private", NULL};
static const char *const skus[] = {"Standard", "Dedicated", "Confidential", "NotSpecified", NULL};
static const char *const priorities[] = {"Regular", "Spot", NULL};
static const char *const schemes[] = {"http", "https", NULL};
static const char *const label_scopes[] = {"Unsecure",           "TenantReuse", "SubscriptionReuse",
                                           "ResourceGroupReuse", "Noreuse",     NULL};
static const char *const identity_types[] = {"None", "SystemAssigned", "UserAssigned",
                                             "SystemAssigned, UserAssigned", NULL};
static const char *const log_types[] = {"ContainerInsights", "ContainerInstanceLogs", NULL};
static const char *const accesses[] = {"All", "System", "User", NULL};

/* clang-format off */
#define T(n, lo, hi, fl)   {.name = n, .kind = SHAPE_TEXT, .flags = fl, .min = lo, .max = hi}
#define WORD(n, w, fl)     {.name = n, .kind = SHAPE_TEXT, .flags = fl, .max = 64, .words = w}
#define I(n, lo, hi, fl)   {.name = n, .kind = SHAPE_INT, .flags = fl, .min = lo, .max = hi}
#define NUMBER(n, fl)      {.name = n, .kind = SHAPE_NUMBER, .flags = fl}
#define B(n, fl)           {.name = n, .kind = SHAPE_BOOL, .flags = fl}
#define O(n, s, fl)        {.name = n, .kind = SHAPE_OBJECT, .flags = fl, .of = s}
#define L(n, s, hi, fl)    {.name = n, .kind = SHAPE_LIST, .flags = fl, .max = hi, .of = s}
#define TS(n, hi, fl)      {.name = n, .kind = SHAPE_TEXTS, .flags = fl, .max = hi}
#define MAP(n, hi, fl)     {.name = n, .kind = SHAPE_MAP, .flags = fl, .max = hi}
#define ANY(n, fl)         {.name = n, .kind = SHAPE_ANY, .flags = fl}

static const struct shape port_shape[] = {
    I("port", 1, 65535, SHAPE_REQUIRED), WORD("protocol", protocols, 0), {0},
};
static const struct shape env_shape[] = {
    T("name", 1, 1024, SHAPE_REQUIRED), T("value", 0, TEXT_MAX, 0),
    T("secureValue", 0, TEXT_MAX, SHAPE_SECRET), T("secureValueReference", 0, 1024, 0), {0},
};
static const struct shape gpu_shape[] = {
    I("count", 1, 8, SHAPE_REQUIRED), T("sku", 1, 16, SHAPE_REQUIRED), {0},
};
static const struct shape requests_shape[] = {
    NUMBER("cpu", SHAPE_REQUIRED), NUMBER("memoryInGB", SHAPE_REQUIRED), O("gpu", gpu_shape, 0),
    {0},
};
static const struct shape limits_shape[] = {
    NUMBER("cpu", 0), NUMBER("memoryInGB", 0), O("gpu", gpu_shape, 0), {0},
};
static const struct shape resources_shape[] = {
    O("requests", requests_shape, SHAPE_REQUIRED), O("limits", limits_shape, 0), {0},
};
static const struct shape mount_shape[] = {
    T("name", 1, 64, SHAPE_REQUIRED), T("mountPath", 1, 1024, SHAPE_REQUIRED), B("readOnly", 0),
    {0},
};
static const struct shape exec_shape[] = {TS("command", 256, 0), {0}};
static const struct shape http_header_shape[] = {
    T("name", 1, 256, SHAPE_REQUIRED), T("value", 0, 4096, 0), {0},
};
static const struct shape http_get_shape[] = {
    T("path", 0, 2048, 0), I("port", 1, 65535, SHAPE_REQUIRED), WORD("scheme", schemes, 0),
    L("httpHeaders", http_header_shape, 32, 0), {0},
};
static const struct shape probe_shape[] = {
    O("exec", exec_shape, 0), O("httpGet", http_get_shape, 0),
    I("initialDelaySeconds", 0, 86400, 0), I("periodSeconds", 1, 86400, 0),
    I("failureThreshold", 1, 1000, 0), I("successThreshold", 1, 1000, 0),
    I("timeoutSeconds", 1, 3600, 0), {0},
};
static const struct shape capabilities_shape[] = {TS("add", 64, 0), TS("drop", 64, 0), {0}};
static const struct shape security_shape[] = {
    B("privileged", 0), B("allowPrivilegeEscalation", 0),
    O("capabilities", capabilities_shape, 0), I("runAsUser", 0, INT32_MAX, 0),
    I("runAsGroup", 0, INT32_MAX, 0), T("seccompProfile", 0, 1 << 20, 0), {0},
};
static const struct shape config_map_shape[] = {MAP("keyValuePairs", 256, 0), {0}};

static const struct shape container_properties[] = {
    T("image", 1, 1024, SHAPE_REQUIRED), TS("command", 1024, 0), L("ports", port_shape, 64, 0),
    L("environmentVariables", env_shape, 1000, 0),
    O("resources", resources_shape, 0), L("volumeMounts", mount_shape, 64, 0),
    O("livenessProbe", probe_shape, 0), O("readinessProbe", probe_shape, 0),
    O("securityContext", security_shape, 0), O("configMap", config_map_shape, SHAPE_IGNORED),
    ANY("instanceView", SHAPE_READ_ONLY), {0},
};
static const struct shape container_shape[] = {
    T("name", 1, 1024, SHAPE_REQUIRED), O("properties", container_properties, SHAPE_REQUIRED), {0},
};
static const struct shape init_properties[] = {
    T("image", 1, 1024, SHAPE_REQUIRED), TS("command", 1024, 0),
    L("environmentVariables", env_shape, 1000, 0), L("volumeMounts", mount_shape, 64, 0),
    O("securityContext", security_shape, 0), ANY("instanceView", SHAPE_READ_ONLY), {0},
};
static const struct shape init_shape[] = {
    T("name", 1, 1024, SHAPE_REQUIRED), O("properties", init_properties, SHAPE_REQUIRED), {0},
};

static const struct shape share_shape[] = {
    T("shareName", 1, 63, SHAPE_REQUIRED), T("storageAccountName", 1, 63, SHAPE_REQUIRED),
    T("storageAccountKey", 0, 1024, SHAPE_SECRET), T("storageAccountKeyReference", 0, 1024, 0),
    B("readOnly", 0), T("userAssignedIdentityClientId", 0, 64, SHAPE_IGNORED), {0},
};
static const struct shape git_shape[] = {
    T("repository", 1, 2048, SHAPE_REQUIRED), T("directory", 0, 1024, 0), T("revision", 0, 256, 0),
    {0},
};
static const struct shape volume_shape[] = {
    T("name", 1, 1024, SHAPE_REQUIRED), O("azureFile", share_shape, 0), MAP("emptyDir", 0, 0),
    MAP("secret", 256, SHAPE_SECRET), O("gitRepo", git_shape, 0), MAP("secretReference", 256, 0),
    {0},
};
static const struct shape credential_shape[] = {
    T("server", 1, 255, SHAPE_REQUIRED), T("username", 0, 1024, 0),
    T("password", 0, 16384, SHAPE_SECRET), T("passwordReference", 0, 1024, 0),
    T("identity", 0, 2048, 0), T("identityUrl", 0, 2048, SHAPE_IGNORED), {0},
};
static const struct shape ip_shape[] = {
    L("ports", port_shape, 64, SHAPE_REQUIRED), WORD("type", ip_types, SHAPE_REQUIRED),
    T("ip", 0, 64, SHAPE_READ_ONLY), T("dnsNameLabel", 1, 1024, 0),
    WORD("autoGeneratedDomainNameLabelScope", label_scopes, 0),
    WORD("dnsNameLabelReusePolicy", label_scopes, 0), T("fqdn", 0, 1024, SHAPE_READ_ONLY), {0},
};
static const struct shape dns_shape[] = {
    TS("nameServers", 3, SHAPE_REQUIRED), T("searchDomains", 0, 1024, 0), T("options", 0, 1024, 0),
    {0},
};
static const struct shape analytics_shape[] = {
    T("workspaceId", 1, 1024, SHAPE_REQUIRED), T("workspaceKey", 1, 1024, SHAPE_SECRET),
    T("workspaceResourceId", 0, 2048, SHAPE_SECRET), WORD("logType", log_types, 0),
    MAP("metadata", 64, 0), {0},
};
static const struct shape diagnostics_shape[] = {O("logAnalytics", analytics_shape, 0), {0}};
static const struct shape subnet_shape[] = {
    T("id", 1, 2048, SHAPE_REQUIRED), T("name", 0, 256, 0), {0},
};
static const struct shape encryption_shape[] = {
    T("vaultBaseUrl", 1, 2048, SHAPE_REQUIRED), T("keyName", 1, 256, SHAPE_REQUIRED),
    T("keyVersion", 0, 256, 0), T("identity", 0, 2048, 0), {0},
};
static const struct shape confidential_shape[] = {T("ccePolicy", 0, 1 << 20, 0), {0}};
static const struct shape extension_properties[] = {
    T("extensionType", 1, 256, SHAPE_REQUIRED), T("version", 1, 64, SHAPE_REQUIRED),
    ANY("settings", 0), ANY("protectedSettings", SHAPE_SECRET), {0},
};
static const struct shape extension_shape[] = {
    T("name", 1, 256, SHAPE_REQUIRED), O("properties", extension_properties, 0), {0},
};
static const struct shape acl_shape[] = {WORD("access", accesses, 0), T("identity", 0, 2048, 0), {0}};
static const struct shape acls_shape[] = {
    WORD("defaultAccess", accesses, 0), L("acls", acl_shape, 64, 0), {0},
};
static const struct shape profile_shape[] = {T("id", 0, 2048, 0), I("revision", 0, INT32_MAX, 0), {0}};
static const struct shape standby_shape[] = {
    T("id", 0, 2048, 0), B("failContainerGroupCreateOnReuseFailure", 0), {0},
};

static const struct shape properties_shape[] = {
    L("containers", container_shape, 1000, SHAPE_REQUIRED),
    L("initContainers", init_shape, 1000, 0), WORD("osType", systems, 0),
    WORD("restartPolicy", policies, 0), O("ipAddress", ip_shape, 0),
    L("imageRegistryCredentials", credential_shape, 60, 0), L("volumes", volume_shape, 1000, 0),
    L("subnetIds", subnet_shape, 8, SHAPE_IGNORED), O("networkProfile", profile_shape, SHAPE_IGNORED),
    O("dnsConfig", dns_shape, 0), O("diagnostics", diagnostics_shape, SHAPE_IGNORED),
    WORD("sku", skus, SHAPE_DEFAULTED), WORD("priority", priorities, SHAPE_DEFAULTED),
    O("encryptionProperties", encryption_shape, SHAPE_IGNORED),
    O("confidentialComputeProperties", confidential_shape, SHAPE_IGNORED),
    L("extensions", extension_shape, 16, SHAPE_IGNORED),
    O("identityAcls", acls_shape, SHAPE_IGNORED), ANY("secretReferences", 0),
    O("containerGroupProfile", profile_shape, 0), O("standbyPoolProfile", standby_shape, 0),
    ANY("isCreatedFromStandbyPool", SHAPE_READ_ONLY), ANY("isCustomProvisioningTimeout", SHAPE_READ_ONLY),
    ANY("provisioningTimeoutInSeconds", SHAPE_READ_ONLY),
    ANY("provisioningState", SHAPE_READ_ONLY), ANY("instanceView", SHAPE_READ_ONLY), {0},
};
static const struct shape identity_shape[] = {
    WORD("type", identity_types, 0), ANY("userAssignedIdentities", 0),
    ANY("principalId", SHAPE_READ_ONLY), ANY("tenantId", SHAPE_READ_ONLY), {0},
};
const struct shape container_group_shape[] = {
    O("properties", properties_shape, SHAPE_REQUIRED), TS("zones", 8, SHAPE_IGNORED),
    O("identity", identity_shape, 0), ANY("location", SHAPE_READ_ONLY),
    ANY("tags", SHAPE_READ_ONLY), ANY("id", SHAPE_READ_ONLY), ANY("name", SHAPE_READ_ONLY),
    ANY("type", SHAPE_READ_ONLY), ANY("systemData", SHAPE_READ_ONLY),
    ANY("apiVersion", SHAPE_READ_ONLY), ANY("additional_properties", SHAPE_READ_ONLY), {0},
};
/* clang-format on */

/* ---- reading ---- */

static enum fault wrong(struct op *op, const char *path, const char *what)
{
    return arm_fail_at(op, "InvalidRequestContent", INVALID, path,
                       "The request content was invalid: '%s' must be %s.", path, what);
}

static const char *below(struct op *op, const char *path, const char *name)
{
    return *path ? arena_printf(&op->arena, "%s.%.200s", path, name)
                 : arena_printf(&op->arena, "%.200s", name);
}

static bool is_clean_text(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

static enum fault read_text(struct op *op, const struct shape *s, json_t *value, const char *path,
                            json_t **ret)
{
    size_t len = json_string_length(value);
    struct text list;

    if (!is_clean_text(value))
        return wrong(op, path, "a string");
    if ((int64_t)len < s->min || (int64_t)len > s->max)
        return wrong(op, path,
                     arena_printf(&op->arena, "a string of %lld to %lld bytes", (long long)s->min,
                                  (long long)s->max));
    *ret = value;
    if (!s->words)
        return OK;
    text_init(&list, &op->arena, 1024);
    for (const char *const *w = s->words; *w; w++) {
        if (strcasecmp(*w, json_string_value(value)) == 0) {
            *ret = json_keep(op, json_string(*w));
            return OK;
        }
        text_printf(&list, "%s%s", list.len ? ", " : "", *w);
    }
    return wrong(
        op, path,
        arena_printf(&op->arena, "one of %s, not '%.100s'", list.data, json_string_value(value)));
}

static enum fault read_items(struct op *op, const struct shape *s, json_t *value, const char *path,
                             struct text *ignored, json_t **ret)
{
    json_t *list = json_new_array(op), *item;
    size_t i;

    if (!json_is_array(value))
        return wrong(op, path, "an array");
    if ((int64_t)json_array_size(value) > s->max)
        return wrong(op, path,
                     arena_printf(&op->arena, "an array of %lld items at most", (long long)s->max));
    json_array_foreach(value, i, item)
    {
        const char *at = arena_printf(&op->arena, "%s[%zu]", path, i);
        json_t *read = item;

        if (s->kind == SHAPE_LIST)
            TRY(shape_read(op, s->of, item, at, ignored, &read));
        else if (!is_clean_text(item) || json_string_length(item) > TEXT_MAX)
            return wrong(op, at, "a string");
        json_array_append(list, read);
    }
    *ret = list;
    return OK;
}

static enum fault read_map(struct op *op, const struct shape *s, json_t *value, const char *path)
{
    const char *name;
    json_t *item;

    if (!json_is_object(value))
        return wrong(op, path, "an object");
    if ((int64_t)json_object_size(value) > s->max)
        return wrong(
            op, path,
            arena_printf(&op->arena, "an object of %lld members at most", (long long)s->max));
    json_object_foreach(value, name, item)
    {
        if (!is_clean_text(item))
            return wrong(op, below(op, path, name), "a string");
    }
    return OK;
}

static enum fault read_number(struct op *op, const struct shape *s, json_t *value, const char *path)
{
    if (s->kind == SHAPE_NUMBER)
        return json_is_number(value) ? OK : wrong(op, path, "a number");
    if (!json_is_integer(value) || json_integer_value(value) < s->min ||
        json_integer_value(value) > s->max)
        return wrong(op, path,
                     arena_printf(&op->arena, "a whole number from %lld to %lld", (long long)s->min,
                                  (long long)s->max));
    return OK;
}

static enum fault read_member(struct op *op, const struct shape *s, json_t *value, const char *path,
                              struct text *ignored, json_t **ret)
{
    *ret = value;
    switch (s->kind) {
    case SHAPE_TEXT:
        return read_text(op, s, value, path, ret);
    case SHAPE_INT:
    case SHAPE_NUMBER:
        return read_number(op, s, value, path);
    case SHAPE_BOOL:
        return json_is_boolean(value) ? OK : wrong(op, path, "true or false");
    case SHAPE_OBJECT:
        return shape_read(op, s->of, value, path, ignored, ret);
    case SHAPE_LIST:
    case SHAPE_TEXTS:
        return read_items(op, s, value, path, ignored, ret);
    case SHAPE_MAP:
        return read_map(op, s, value, path);
    case SHAPE_ANY:
        break;
    }
    return OK;
}

static const struct shape *member_of(const struct shape *shape, const char *name)
{
    for (; shape->name; shape++)
        if (strcasecmp(shape->name, name) == 0)
            return shape;
    return NULL;
}

static bool is_empty(const json_t *value)
{
    return (json_is_array(value) && !json_array_size(value)) ||
           (json_is_object(value) && !json_object_size(value));
}

static void note_ignored(const struct shape *s, const json_t *value, struct text *ignored)
{
    bool first =
        s->words && json_is_string(value) && strcmp(json_string_value(value), s->words[0]) == 0;

    if (is_empty(value) || !(s->flags & (SHAPE_IGNORED | SHAPE_DEFAULTED)) ||
        (s->flags & SHAPE_DEFAULTED && first) || strstr(ignored->data, s->name))
        return;
    text_printf(ignored, "%s%s", ignored->len ? ", " : "", s->name);
}

static enum fault check_required(struct op *op, const struct shape *shape, const json_t *read,
                                 const char *path)
{
    for (; shape->name; shape++)
        if (shape->flags & SHAPE_REQUIRED && !json_object_get(read, shape->name))
            return arm_fail_at(op, "InvalidRequestContent", INVALID, below(op, path, shape->name),
                               "The request content was invalid: required property '%s' is "
                               "missing.",
                               below(op, path, shape->name));
    return OK;
}

enum fault shape_read(struct op *op, const struct shape *shape, json_t *value, const char *path,
                      struct text *ignored, json_t **ret)
{
    json_t *read = json_new_object(op), *member, *kept;
    const char *name;

    if (!json_is_object(value))
        return wrong(op, path, "an object");
    json_object_foreach(value, name, member)
    {
        const struct shape *s = member_of(shape, name);
        const char *at = below(op, path, name);

        if (!s)
            return arm_fail_at(op, "InvalidRequestContent", INVALID, at,
                               "The request content was invalid: there is no property '%s'.", at);
        if (s->flags & SHAPE_READ_ONLY || json_is_null(member))
            continue;
        TRY(read_member(op, s, member, below(op, path, s->name), ignored, &kept));
        json_object_set(read, s->name, kept);
        note_ignored(s, kept, ignored);
    }
    *ret = read;
    return check_required(op, shape, read, path);
}

/* ---- showing ---- */

json_t *shape_public(struct op *op, const struct shape *shape, const json_t *value)
{
    json_t *out = json_new_object(op), *member, *item;
    const char *name;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        const struct shape *s = member_of(shape, name);

        if (!s)
            continue;
        if (s->flags & SHAPE_SECRET) {
            if (s->kind == SHAPE_MAP) /* that it is one may be known */
                json_object_set_new(out, name, json_object());
        } else if (s->kind == SHAPE_OBJECT) {
            json_object_set(out, name, shape_public(op, s->of, member));
        } else if (s->kind == SHAPE_LIST) {
            json_t *list = json_new_array(op);

            json_array_foreach(member, i, item)
            {
                json_array_append(list, shape_public(op, s->of, item));
            }
            json_object_set(out, name, list);
        } else {
            json_object_set(out, name, member);
        }
    }
    return out;
}
