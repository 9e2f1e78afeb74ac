/* Managed clusters and agent pools as JSON: what a PUT asks for, and what a GET shows. */
#include <stdlib.h>
#include <string.h>

#include "api/body.h"
#include "api/managed_cluster.h"
#include "core/json.h"

#define NODE_IMAGE "AKSUbuntu-2204gen2containerd-202511.07.0"

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value ? value : "";
}

/* Takes value. Empty texts and zero count as absent: az sends both for "choose yourself". */
static void set_default(json_t *object, const char *name, json_t *value)
{
    const json_t *now = json_object_get(object, name);
    bool absent = !now || (json_is_string(now) && !json_string_length(now));

    if (absent)
        json_object_set_new(object, name, value);
    else
        json_decref(value);
}

static json_t *object_in(json_t *object, const char *name)
{
    set_default(object, name, json_object());
    return json_object_get(object, name);
}

/* ---- pools ---- */

static void set_version(json_t *properties, const char *member)
{
    const char *version = text(properties, member);

    if (!*version || strcmp(version, AKS_MINOR) == 0)
        json_object_set_new(properties, member, json_string(AKS_VERSION));
}

static void pool_defaults(json_t *p, bool first)
{
    json_t *upgrade = object_in(p, "upgradeSettings");

    set_default(p, "count", json_integer(1));
    set_default(p, "vmSize", json_string("Standard_DS2_v2"));
    if (json_integer_value(json_object_get(p, "osDiskSizeGB")) == 0)
        json_object_set_new(p, "osDiskSizeGB", json_integer(128));
    set_default(p, "osDiskType", json_string("Managed"));
    set_default(p, "kubeletDiskType", json_string("OS"));
    set_default(p, "workloadRuntime", json_string("OCIContainer"));
    if (json_integer_value(json_object_get(p, "maxPods")) == 0)
        json_object_set_new(p, "maxPods", json_integer(110));
    set_default(p, "osType", json_string("Linux"));
    set_default(p, "osSKU", json_string("Ubuntu"));
    set_default(p, "mode", json_string(first ? "System" : "User"));
    set_default(p, "type", json_string("VirtualMachineScaleSets"));
    set_default(p, "scaleDownMode", json_string("Delete"));
    set_default(p, "enableAutoScaling", json_false());
    set_default(p, "enableNodePublicIP", json_false());
    set_default(p, "enableFIPS", json_false());
    set_default(p, "enableEncryptionAtHost", json_false());
    set_default(p, "enableUltraSSD", json_false());
    set_default(upgrade, "maxSurge", json_string("10%"));
    set_version(p, "orchestratorVersion");
    if (strcmp(text(p, "scaleSetPriority"), "Spot") != 0) {
        json_object_del(p, "scaleSetPriority");
        json_object_del(p, "scaleSetEvictionPolicy");
        json_object_del(p, "spotMaxPrice");
    }
}

/* What is kept of it: name, count and power have columns of their own. */
static enum fault pool_wish(struct op *op, json_t *properties, const char *name, const char *path,
                            struct pool_wish *ret)
{
    TRY(agent_pool_check(op, name, path, properties));
    ret->name = name;
    ret->count = json_integer_value(json_object_get(properties, "count"));
    ret->stopped = strcmp(text(json_object_get(properties, "powerState"), "code"), "Stopped") == 0;
    json_object_del(properties, "count");
    json_object_del(properties, "name");
    json_object_del(properties, "powerState");
    ret->document = json_text_of(op, properties);
    return properties_size_check(op, path, ret->document, AKS_POOL_BYTES);
}

enum fault agent_pool_body_read(struct call *c, const json_t *properties, const char *name,
                                const char *path, bool first, struct pool_wish *ret)
{
    json_t *copy = json_keep(&c->op, json_deep_copy(properties));

    pool_defaults(copy, first);
    return pool_wish(&c->op, copy, name, path, ret);
}

enum fault agent_pool_properties(struct op *op, const struct agent_pool *pool, bool profile,
                                 json_t **ret)
{
    json_t *p;

    TRY(json_parse(op, BYTES(pool->document), &p));
    if (profile)
        json_set_text(p, "name", pool->name);
    json_object_set_new(p, "count", json_integer(pool->count));
    json_set_text(p, "provisioningState", pool->provisioning);
    json_object_set_new(
        p, "powerState",
        json_pack("{s:s}", "code", pool->power == CLUSTER_IS_RUNNING ? "Running" : "Stopped"));
    json_set_text(p, "currentOrchestratorVersion", AKS_VERSION);
    json_set_text(p, "nodeImageVersion", NODE_IMAGE);
    json_set_text(p, "eTag", arena_printf(&op->arena, "%08llx", (unsigned long long)pool->version));
    *ret = p;
    return OK;
}

/* ---- clusters: defaults ---- */

static void network_defaults(json_t *network)
{
    bool azure = strcmp(text(network, "networkPlugin"), "azure") == 0;

    set_default(network, "networkPlugin", json_string("kubenet"));
    if (azure)
        set_default(network, "networkPluginMode", json_string("overlay"));
    set_default(network, "podCidr", json_string("10.244.0.0/16"));
    set_default(network, "serviceCidr", json_string("10.0.0.0/16"));
    set_default(network, "dnsServiceIP", json_string("10.0.0.10"));
    set_default(network, "outboundType", json_string("loadBalancer"));
    set_default(network, "loadBalancerSku", json_string("standard"));
    json_object_set_new(network, "podCidrs", json_pack("[s]", text(network, "podCidr")));
    json_object_set_new(network, "serviceCidrs", json_pack("[s]", text(network, "serviceCidr")));
    json_object_set_new(network, "ipFamilies", json_pack("[s]", "IPv4"));
}

/* What was chosen before stays where a body says nothing. */
static void keep_chosen(json_t *now, const json_t *before)
{
    static const char *const members[] = {"dnsPrefix", "nodeResourceGroup", "networkProfile",
                                          "identityProfile"};

    for (size_t i = 0; before && i < ARRAY_LEN(members); i++)
        if (json_object_get(before, members[i]))
            set_default(now, members[i], json_deep_copy(json_object_get(before, members[i])));
}

static void cluster_defaults(struct call *c, json_t *p, const char *location)
{
    struct op *op = &c->op;
    const struct resource_id *id = arm_id(c);
    json_t *issuer = object_in(p, "oidcIssuerProfile");

    set_version(p, "kubernetesVersion");
    if (*text(p, "fqdnSubdomain"))
        set_default(p, "dnsPrefix", json_string(text(p, "fqdnSubdomain")));
    set_default(p, "dnsPrefix", json_string(id->name));
    set_default(
        p, "nodeResourceGroup",
        json_string(arena_printf(&op->arena, "MC_%s_%s_%s", id->group, id->name, location)));
    set_default(p, "enableRBAC", json_true());
    set_default(p, "disableLocalAccounts", json_false());
    set_default(p, "supportPlan", json_string("KubernetesOfficial"));
    set_default(p, "servicePrincipalProfile", json_pack("{s:s}", "clientId", "msi"));
    set_default(issuer, "enabled", json_false());
    network_defaults(object_in(p, "networkProfile"));
}

/* ---- clusters: reading ---- */

static enum fault check_size(struct op *op, const json_t *properties,
                             const struct managed_cluster_body *body)
{
    int64_t nodes = 0;

    for (size_t i = 0; i < body->n_pools; i++)
        nodes += body->pools[i].count;
    return managed_cluster_size_check(op, properties, body->n_pools, nodes);
}

static enum fault read_pools(struct call *c, const json_t *profiles,
                             struct managed_cluster_body *ret)
{
    struct op *op = &c->op;
    const json_t *profile;
    size_t i;

    if (!profiles)
        return OK;
    ret->pools = arena_alloc(&op->arena, (json_array_size(profiles) + 1) * sizeof(*ret->pools));
    json_array_foreach((json_t *)profiles, i, profile)
    {
        const char *name = text(profile, "name");

        for (size_t k = 0; k < i; k++)
            if (strcmp(ret->pools[k].name, name) == 0)
                return arm_fail_at(op, "InvalidParameter", INVALID, "agentPoolProfiles",
                                   "The agent pool name '%.60s' is used twice.", name);
        TRY(agent_pool_body_read(c, profile, name,
                                 arena_printf(&op->arena, "agentPoolProfiles[%zu]", i), i == 0,
                                 &ret->pools[i]));
    }
    ret->n_pools = i;
    return agent_pools_check(op, ret->pools, ret->n_pools);
}

static enum fault read_identity(struct op *op, const json_t *full, const json_t *properties,
                                bool *ret_system)
{
    const char *type = text(json_object_get(full, "identity"), "type");
    const char *client = text(json_object_get(properties, "servicePrincipalProfile"), "clientId");

    if (strcmp(type, "UserAssigned") == 0)
        return arm_fail_at(op, "NotSupported", UNSUPPORTED, "identity.type",
                           "user-assigned identities are not supported by this Sundog "
                           "(docs/azure-coverage.md): use SystemAssigned");
    *ret_system = strcmp(type, "SystemAssigned") == 0 || !*client || strcmp(client, "msi") == 0;
    return OK;
}

static const char *sku_of(struct op *op, const json_t *full)
{
    json_t *sku = json_new_object(op);
    const char *tier = text(json_object_get(full, "sku"), "tier");

    json_set_text(sku, "name", "Base");
    json_set_text(sku, "tier", strcmp(tier, "Paid") == 0 ? "Standard" : *tier ? tier : "Free");
    return json_text_of(op, sku);
}

enum fault managed_cluster_body_read(struct call *c, const json_t *before,
                                     struct managed_cluster_body *ret)
{
    struct op *op = &c->op;
    struct text ignored;
    json_t *body, *full, *p;

    TRY(body_read(c, false, &body));
    TRY(body_location(op, body, true, &ret->location));
    TRY(body_tags(op, body, &ret->tags, NULL));
    text_init(&ignored, &op->arena, 4096);
    TRY(shape_read(op, managed_cluster_shape, body, "", &ignored, &full));
    p = object_in(full, "properties");
    TRY(read_pools(c, json_object_get(p, "agentPoolProfiles"), ret));
    if (!ret->pools && !before)
        return arm_fail_at(op, "InvalidParameter", INVALID, "agentPoolProfiles",
                           "Required parameter agentPoolProfiles is missing (null).");
    json_object_del(p, "agentPoolProfiles");
    keep_chosen(p, before);
    cluster_defaults(c, p, ret->location);
    TRY(managed_cluster_check(op, arm_id(c)->name, p, before));
    TRY(check_size(op, p, ret));
    TRY(read_identity(op, full, p, &ret->system_identity));
    ret->full = p;
    ret->sku = sku_of(op, full);
    ret->dns_prefix = text(p, "dnsPrefix");
    if (ignored.len)
        reply_header(c, "x-sundog-ignored", "%s", ignored.data);
    return OK;
}

/* ---- clusters: showing ---- */

static void add_outbound(json_t *p, const struct managed_cluster *m)
{
    json_t *network = json_object_get(p, "networkProfile");

    (void)m;
    if (strcmp(text(network, "outboundType"), "loadBalancer") == 0)
        set_default(network, "loadBalancerProfile",
                    json_pack("{s:{s:i}, s:s}", "managedOutboundIPs", "count", 1, "backendPoolType",
                              "NodeIPConfiguration"));
}

enum fault managed_cluster_properties(struct op *op, const struct managed_cluster *m, json_t **ret)
{
    json_t *p, *profiles = json_new_array(op), *one, *issuer;

    TRY(json_parse(op, BYTES(m->document), &p));
    for (size_t i = 0; i < m->n_pools; i++) {
        TRY(agent_pool_properties(op, &m->pools[i], true, &one));
        json_array_append(profiles, one);
    }
    json_object_set(p, "agentPoolProfiles", profiles);
    json_set_text(p, "provisioningState", m->provisioning);
    json_object_set_new(
        p, "powerState",
        json_pack("{s:s}", "code", m->power == CLUSTER_IS_RUNNING ? "Running" : "Stopped"));
    json_set_text(p, "currentKubernetesVersion", AKS_VERSION);
    json_object_set_new(p, "maxAgentPools", json_integer(100));
    json_set_text(p, "fqdn", m->fqdn);
    json_set_text(p, "azurePortalFQDN", m->fqdn);
    json_set_text(p, "resourceUID", arena_printf(&op->arena, "%s00000000%s", m->uid, m->uid));
    issuer = json_object_get(p, "oidcIssuerProfile");
    if (json_is_true(json_object_get(issuer, "enabled")))
        json_set_text(issuer, "issuerURL", arena_printf(&op->arena, "https://%s", m->fqdn));
    add_outbound(p, m);
    if (m->fault_code)
        json_object_set_new(p, "status",
                            json_pack("{s:{s:s, s:s}}", "provisioningError", "code", m->fault_code,
                                      "message", m->fault_text ? m->fault_text : ""));
    *ret = p;
    return OK;
}
