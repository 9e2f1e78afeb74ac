/* Which members a container group may have. */
#include "api/container_instance.h"
#include "api/shape_rows.h"

#define TEXT_MAX SHAPE_TEXT_MAX

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
