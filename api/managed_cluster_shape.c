/* Which members managed clusters and agent pools may have. Members of newer API versions that have
   no effect here are kept and named in x-sundog-ignored. */
#include "api/managed_cluster.h"
#include "api/shape_rows.h"

static const char *const power_codes[] = {"Running", "Stopped", NULL};
static const char *const os_types[] = {"Linux", "Windows", NULL};
static const char *const modes[] = {"System", "User", "Gateway", NULL};
static const char *const pool_types[] = {"VirtualMachineScaleSets", "AvailabilitySet",
                                         "VirtualMachines", NULL};
static const char *const priorities[] = {"Regular", "Spot", NULL};
static const char *const plugins[] = {"kubenet", "azure", "none", NULL};
static const char *const outbound_types[] = {"loadBalancer",
                                             "userDefinedRouting",
                                             "managedNATGateway",
                                             "userAssignedNATGateway",
                                             "none",
                                             "block",
                                             NULL};
static const char *const balancer_skus[] = {"standard", "basic", NULL};
static const char *const identity_types[] = {"None", "SystemAssigned", "UserAssigned", NULL};
static const char *const plans[] = {"KubernetesOfficial", "AKSLongTermSupport", NULL};
static const char *const sku_names[] = {"Base", "Basic", "Automatic", NULL};
static const char *const sku_tiers[] = {"Free", "Standard", "Premium", "Paid", NULL};

/* clang-format off */
#define OTHERS ANY(SHAPE_OTHERS, SHAPE_IGNORED)

static const struct shape power_shape[] = {WORD("code", power_codes, 0), {0}};
static const struct shape upgrade_shape[] = {
    T("maxSurge", 0, 16, 0), T("maxUnavailable", 0, 16, 0), I("drainTimeoutInMinutes", 0, 1440, 0),
    I("nodeSoakDurationInMinutes", 0, 30, 0), OTHERS, {0},
};

#define POOL_MEMBERS \
    I("count", 0, 1000, 0), T("vmSize", 0, 64, 0), I("osDiskSizeGB", 0, 2048, 0), \
    T("osDiskType", 0, 32, 0), T("kubeletDiskType", 0, 32, 0), WORD("osType", os_types, 0), \
    T("osSKU", 0, 32, 0), I("maxPods", 0, 250, 0), WORD("mode", modes, 0), \
    WORD("type", pool_types, 0), T("orchestratorVersion", 0, 32, 0), B("enableAutoScaling", 0), \
    I("minCount", 0, 1000, 0), I("maxCount", 0, 1000, 0), O("powerState", power_shape, 0), \
    MAP("nodeLabels", 64, 0), TS("nodeTaints", 64, 0), MAP("tags", 50, 0), \
    TS("availabilityZones", 8, 0), O("upgradeSettings", upgrade_shape, 0), \
    T("scaleDownMode", 0, 32, 0), T("workloadRuntime", 0, 32, 0), \
    WORD("scaleSetPriority", priorities, SHAPE_DEFAULTED), \
    T("scaleSetEvictionPolicy", 0, 32, 0), NUMBER("spotMaxPrice", 0), \
    B("enableNodePublicIP", 0), B("enableEncryptionAtHost", 0), B("enableUltraSSD", 0), \
    B("enableFIPS", 0), \
    {.name = "provisioningState", .kind = SHAPE_ANY, .flags = SHAPE_READ_ONLY}, \
    {.name = "currentOrchestratorVersion", .kind = SHAPE_ANY, .flags = SHAPE_READ_ONLY}, \
    {.name = "nodeImageVersion", .kind = SHAPE_ANY, .flags = SHAPE_READ_ONLY}, \
    {.name = "eTag", .kind = SHAPE_ANY, .flags = SHAPE_READ_ONLY}, \
    OTHERS

static const struct shape pool_properties[] = {POOL_MEMBERS, {0}};
static const struct shape pool_profile[] = {T("name", 1, 12, SHAPE_REQUIRED), POOL_MEMBERS, {0}};

const struct shape agent_pool_shape[] = {
    O("properties", pool_properties, 0),
    {.name = "id", .kind = SHAPE_ANY, .flags = SHAPE_READ_ONLY},
    {.name = "name", .kind = SHAPE_ANY, .flags = SHAPE_READ_ONLY},
    {.name = "type", .kind = SHAPE_ANY, .flags = SHAPE_READ_ONLY}, {0},
};

static const struct shape network_shape[] = {
    WORD("networkPlugin", plugins, 0), T("networkPluginMode", 0, 32, 0),
    T("networkPolicy", 0, 32, SHAPE_IGNORED), T("networkDataplane", 0, 32, 0),
    T("podCidr", 0, 64, 0), TS("podCidrs", 2, 0), T("serviceCidr", 0, 64, 0),
    TS("serviceCidrs", 2, 0), T("dnsServiceIP", 0, 64, 0), T("dockerBridgeCidr", 0, 64, 0),
    TS("ipFamilies", 2, 0), WORD("outboundType", outbound_types, 0),
    WORD("loadBalancerSku", balancer_skus, 0), ANY("loadBalancerProfile", 0), OTHERS, {0},
};
static const struct shape principal_shape[] = {
    T("clientId", 1, 128, SHAPE_REQUIRED), T("secret", 0, 1024, SHAPE_SECRET), {0},
};
static const struct shape issuer_shape[] = {
    B("enabled", 0), {.name = "issuerURL", .kind = SHAPE_ANY, .flags = SHAPE_READ_ONLY}, {0},
};
static const struct shape windows_shape[] = {
    T("adminUsername", 0, 128, 0), T("adminPassword", 0, 128, SHAPE_SECRET), OTHERS, {0},
};
static const struct shape aad_shape[] = {
    B("managed", 0), B("enableAzureRBAC", 0), TS("adminGroupObjectIDs", 64, 0),
    T("clientAppID", 0, 128, 0), T("serverAppID", 0, 128, 0),
    T("serverAppSecret", 0, 1024, SHAPE_SECRET), T("tenantID", 0, 128, 0), {0},
};
#define READ_ONLY(n) {.name = n, .kind = SHAPE_ANY, .flags = SHAPE_READ_ONLY}
static const struct shape properties_shape[] = {
    T("kubernetesVersion", 0, 32, 0), T("dnsPrefix", 0, 54, 0), T("fqdnSubdomain", 0, 54, 0),
    L("agentPoolProfiles", pool_profile, 100, 0), T("nodeResourceGroup", 0, 90, 0),
    B("enableRBAC", 0), B("disableLocalAccounts", 0), WORD("supportPlan", plans, 0),
    O("networkProfile", network_shape, 0), O("servicePrincipalProfile", principal_shape, 0),
    O("oidcIssuerProfile", issuer_shape, 0), O("windowsProfile", windows_shape, SHAPE_IGNORED),
    O("aadProfile", aad_shape, 0), ANY("addonProfiles", SHAPE_IGNORED),
    ANY("linuxProfile", 0), ANY("storageProfile", 0), ANY("identityProfile", 0),
    READ_ONLY("provisioningState"), READ_ONLY("powerState"), READ_ONLY("maxAgentPools"),
    READ_ONLY("currentKubernetesVersion"), READ_ONLY("fqdn"), READ_ONLY("privateFQDN"),
    READ_ONLY("azurePortalFQDN"), READ_ONLY("resourceUID"), READ_ONLY("eTag"), READ_ONLY("status"),
    OTHERS, {0},
};
static const struct shape sku_shape[] = {
    WORD("name", sku_names, 0), WORD("tier", sku_tiers, 0), {0},
};
static const struct shape identity_shape[] = {
    WORD("type", identity_types, 0), ANY("userAssignedIdentities", 0), READ_ONLY("principalId"),
    READ_ONLY("tenantId"), ANY("delegatedResources", SHAPE_IGNORED), {0},
};
const struct shape managed_cluster_shape[] = {
    O("properties", properties_shape, 0), O("sku", sku_shape, 0), O("identity", identity_shape, 0),
    T("location", 0, 128, 0), MAP("tags", 50, 0), ANY("extendedLocation", SHAPE_IGNORED),
    T("kind", 0, 64, SHAPE_IGNORED), READ_ONLY("id"), READ_ONLY("name"), READ_ONLY("type"),
    READ_ONLY("systemData"), READ_ONLY("eTag"), {0},
};
/* clang-format on */
