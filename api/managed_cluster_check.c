/* Rules of managed clusters and agent pools (facts/kubernetes.md §4.3). */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "api/body.h"
#include "api/managed_cluster.h"
#include "auth/entra.h"
#include "clusters/vm_size.h"

#define POOLS_MAX  100 /* AKS's figures */
#define RANGES_MAX 200
#define RANGE_LEN  43 /* of an address of IPv6 with its prefix */

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value ? value : "";
}

static enum fault wrong(struct op *op, const char *code, const char *target, const char *why)
{
    return arm_fail_at(op, code, INVALID, target, "%s", why);
}

/* ---- words ---- */

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* ^[a-zA-Z0-9]$|^[a-zA-Z0-9][-_a-zA-Z0-9]{0,61}[a-zA-Z0-9]$ */
static bool is_cluster_name(const char *name)
{
    size_t len = strlen(name);

    if (len < 1 || len > 63 || !is_alnum(name[0]) || !is_alnum(name[len - 1]))
        return false;
    for (const char *p = name; *p; p++)
        if (!is_alnum(*p) && *p != '-' && *p != '_')
            return false;
    return true;
}

/* ^[a-z][a-z0-9]{0,11}$ */
static bool is_pool_name(const char *name)
{
    size_t len = strlen(name);

    if (len < 1 || len > 12 || name[0] < 'a' || name[0] > 'z')
        return false;
    for (const char *p = name; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')))
            return false;
    return true;
}

/* 1 to 54 letters, digits and hyphens; begins and ends with a letter or digit. */
static bool is_dns_prefix(const char *prefix)
{
    size_t len = strlen(prefix);

    if (len < 1 || len > 54 || !is_alnum(prefix[0]) || !is_alnum(prefix[len - 1]))
        return false;
    for (const char *p = prefix; *p; p++)
        if (!is_alnum(*p) && *p != '-')
            return false;
    return true;
}

/* ---- addresses ---- */

struct range {
    uint32_t first, last;
};

static bool read_range(const char *cidr, struct range *ret)
{
    const char *slash = strchr(cidr, '/');
    char address[INET_ADDRSTRLEN] = "";
    struct in_addr in;
    long bits;
    char *end;

    if (!slash || slash - cidr >= (int)sizeof(address))
        return false;
    memcpy(address, cidr, (size_t)(slash - cidr));
    bits = strtol(slash + 1, &end, 10);
    if (*end || end == slash + 1 || bits < 1 || bits > 30 || inet_pton(AF_INET, address, &in) != 1)
        return false;
    ret->first = ntohl(in.s_addr) & ~((1u << (32 - bits)) - 1);
    ret->last = ret->first | ((1u << (32 - bits)) - 1);
    return true;
}

static enum fault check_network(struct op *op, const json_t *network)
{
    struct range pods, services;
    struct in_addr dns;

    if (!read_range(text(network, "podCidr"), &pods) || pods.last - pods.first < 255)
        return wrong(op, "InvalidParameter", "networkProfile.podCidr",
                     "The value of parameter networkProfile.podCidr is invalid: a range of IPv4"
                     " addresses with at least 256 of them is wanted, like 10.244.0.0/16.");
    if (!read_range(text(network, "serviceCidr"), &services) ||
        services.last - services.first > 0xfffff)
        return wrong(op, "InvalidParameter", "networkProfile.serviceCidr",
                     "The value of parameter networkProfile.serviceCidr is invalid: a range of IPv4"
                     " addresses of /12 or smaller is wanted, like 10.0.0.0/16.");
    if (pods.first <= services.last && services.first <= pods.last)
        return wrong(op, "ServiceCidrOverlapPodCidr", "networkProfile.serviceCidr",
                     "The specified service CIDR overlaps with the pod CIDR.");
    if (inet_pton(AF_INET, text(network, "dnsServiceIP"), &dns) != 1 ||
        ntohl(dns.s_addr) <= services.first + 1 || ntohl(dns.s_addr) >= services.last)
        return wrong(op, "DnsServiceIpOutOfServiceCidr", "networkProfile.dnsServiceIP",
                     "The specified DNS service IP is not in the service CIDR, or is one of its"
                     " first addresses.");
    return OK;
}

/* ---- pools ---- */

/* "key=value" or "key", as a node may have them. */
static bool is_taint_key(struct op *op, const char *text, size_t len)
{
    char *key = arena_strndup(&op->arena, text, len), *value = strchr(key, '=');

    if (value)
        *value++ = '\0';
    return !agent_pool_label_fault(key, value);
}

static bool is_taint(struct op *op, const char *taint)
{
    static const char *const effects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
    const char *colon = strrchr(taint, ':');

    for (size_t i = 0; colon && colon > taint && i < ARRAY_LEN(effects); i++)
        if (strcmp(colon + 1, effects[i]) == 0)
            return is_taint_key(op, taint, (size_t)(colon - taint));
    return false;
}

static enum fault check_taints(struct op *op, const char *path, const json_t *properties)
{
    const json_t *taints = json_object_get(properties, "nodeTaints");

    for (size_t i = 0; i < json_array_size(taints); i++) {
        const char *taint = json_string_value(json_array_get(taints, i));

        if (!is_taint(op, taint))
            return arm_fail_at(op, "InvalidParameter", INVALID, path,
                               "The value of parameter nodeTaints is invalid: '%.100s' is not"
                               " key=value:effect with the effect NoSchedule, PreferNoSchedule or"
                               " NoExecute.",
                               taint);
    }
    return OK;
}

/* Nodes carry them. */
static enum fault check_labels(struct op *op, const char *path, const json_t *properties)
{
    const char *key, *why;
    json_t *value;

    json_object_foreach(json_object_get(properties, "nodeLabels"), key, value)
    {
        why = agent_pool_label_fault(key, json_string_value(value));
        if (why)
            return arm_fail_at(op, "InvalidParameter", INVALID, path,
                               "The value of parameter nodeLabels is invalid: '%.100s': %s.", key,
                               why);
    }
    return OK;
}

/* What would have to be pretended. */
static enum fault check_built(struct op *op, const char *path, const json_t *properties)
{
    const char *what = NULL;

    if (strcmp(text(properties, "osType"), "Windows") == 0)
        what = "Windows nodes";
    else if (json_is_true(json_object_get(properties, "enableAutoScaling")))
        what = "the cluster autoscaler";
    else if (strcmp(text(properties, "mode"), "Gateway") == 0)
        what = "gateway pools";
    if (!what)
        return OK;
    return arm_fail_at(op, "NotSupported", UNSUPPORTED, path,
                       "%s: not supported by this Sundog (docs/kubernetes.md)", what);
}

static bool is_on(const json_t *properties, const char *member, const char *flag)
{
    return json_is_true(json_object_get(json_object_get(properties, member), flag));
}

static enum fault check_access(struct op *op, const json_t *properties)
{
    const char *what = NULL;

    if (is_on(properties, "aadProfile", "enableAzureRBAC"))
        what = "Azure RBAC for Kubernetes";
    else if (is_on(properties, "apiServerAccessProfile", "enablePrivateCluster"))
        what = "private clusters";
    if (!what)
        return OK;
    return arm_fail_at(op, "NotSupported", UNSUPPORTED, "properties",
                       "%s: not supported by this Sundog (docs/kubernetes.md)", what);
}

enum fault agent_pool_check(struct op *op, const char *name, const char *path,
                            const json_t *properties)
{
    bool is_system = strcmp(text(properties, "mode"), "System") == 0;
    const char *version = text(properties, "orchestratorVersion");
    struct vm_size size;

    if (!is_pool_name(name))
        return arm_fail_at(op, "InvalidParameter", INVALID, path,
                           "The value of parameter agentPoolProfile.name is invalid: '%.60s' is"
                           " not 1 to 12 lower-case letters and digits, the first a letter.",
                           name);
    if (!vm_size_find(text(properties, "vmSize"), &size))
        return arm_fail_at(op, "VMSizeNotSupported", INVALID, path,
                           "Virtual Machine size: '%.60s' is not supported.",
                           text(properties, "vmSize"));
    if (is_system && json_integer_value(json_object_get(properties, "count")) < 1 &&
        strcmp(text(json_object_get(properties, "powerState"), "code"), "Stopped") != 0)
        return wrong(op, "InvalidParameter", path,
                     "The value of parameter agentPoolProfile.count is invalid: a System pool has"
                     " at least 1 node.");
    if (strcmp(version, AKS_VERSION) != 0)
        return arm_fail_at(op, "K8sVersionNotSupported", INVALID, path,
                           "Version %.32s is not supported; this Sundog runs " AKS_VERSION ".",
                           version);
    TRY(check_built(op, path, properties));
    TRY(tags_check(op, json_object_get(properties, "tags")));
    TRY(check_labels(op, path, properties));
    return check_taints(op, path, properties);
}

enum fault agent_pools_check(struct op *op, const struct pool_wish *pools, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_t *properties = json_loads(pools[i].document, 0, NULL);
        bool is_system = strcmp(text(properties, "mode"), "System") == 0;

        json_decref(properties);
        if (is_system)
            return OK;
    }
    return wrong(op, "InvalidParameter", "agentPoolProfiles",
                 "There has to be at least one system agent pool.");
}

/* ---- how much ---- */

enum fault managed_cluster_size_check(struct op *op, const json_t *properties, size_t pools,
                                      int64_t nodes)
{
    const char *cidr = text(json_object_get(properties, "networkProfile"), "podCidr");
    int64_t most = CLUSTER_NODES_MAX;
    struct range pods;

    if (read_range(cidr, &pods) && ((int64_t)pods.last - pods.first + 1) / 256 < most)
        most = ((int64_t)pods.last - pods.first + 1) / 256;
    if (pools > POOLS_MAX)
        return arm_fail_at(op, "InvalidParameter", INVALID, "agentPoolProfiles",
                           "A managed cluster has %d agent pools at most, not %zu.", POOLS_MAX,
                           pools);
    if (nodes > most)
        return arm_fail_at(op, "InvalidParameter", INVALID, "agentPoolProfiles",
                           "The pod CIDR %.32s has room for %lld nodes of 256 addresses each (%d at"
                           " most), not for %lld.",
                           cidr, (long long)most, CLUSTER_NODES_MAX, (long long)nodes);
    return OK;
}

enum fault properties_size_check(struct op *op, const char *path, const char *document, size_t max)
{
    if (strlen(document) <= max)
        return OK;
    return arm_fail_at(op, "InvalidRequestContent", INVALID, path,
                       "The request content was invalid: '%s' has more than %zu KiB.", path,
                       max >> 10);
}

static enum fault check_authorized_ranges(struct op *op, const json_t *properties)
{
    const json_t *ranges = json_object_get(json_object_get(properties, "apiServerAccessProfile"),
                                           "authorizedIPRanges");

    if (json_array_size(ranges) > RANGES_MAX)
        return arm_fail_at(op, "InvalidParameter", INVALID,
                           "apiServerAccessProfile.authorizedIPRanges",
                           "There are %d authorized IP ranges at most, not %zu.", RANGES_MAX,
                           json_array_size(ranges));
    for (size_t i = 0; i < json_array_size(ranges); i++)
        if (!json_is_string(json_array_get(ranges, i)) ||
            json_string_length(json_array_get(ranges, i)) > RANGE_LEN)
            return wrong(op, "InvalidParameter", "apiServerAccessProfile.authorizedIPRanges",
                         "An authorized IP range is an address or a CIDR.");
    return OK;
}

/* ---- clusters ---- */

static enum fault check_unchanged(struct op *op, const json_t *now, const json_t *before,
                                  const char *member)
{
    const json_t *old = json_object_get(before, member);

    if (!old || json_equal(old, json_object_get(now, member)))
        return OK;
    return arm_fail_at(op, "PropertyChangeNotAllowed", INVALID, member,
                       "Changing property 'properties.%s' is not allowed.", member);
}

static enum fault check_ranges_unchanged(struct op *op, const json_t *now, const json_t *before)
{
    static const char *const members[] = {"podCidr", "serviceCidr", "dnsServiceIP"};
    const json_t *network = json_object_get(now, "networkProfile");
    const json_t *old = json_object_get(before, "networkProfile");

    for (size_t i = 0; old && i < ARRAY_LEN(members); i++)
        if (strcmp(text(network, members[i]), text(old, members[i])) != 0)
            return arm_fail_at(op, "PropertyChangeNotAllowed", INVALID, "networkProfile",
                               "Changing property 'properties.networkProfile.%s' is not allowed.",
                               members[i]);
    return OK;
}

enum fault managed_cluster_check(struct op *op, const char *name, const json_t *properties,
                                 const json_t *before)
{
    const char *version = text(properties, "kubernetesVersion");

    if (!is_cluster_name(name))
        return wrong(op, "InvalidParameter", "resourceName",
                     "The managed cluster name is invalid: 1 to 63 letters, digits, underscores"
                     " and hyphens; the first and last a letter or digit.");
    if (!is_dns_prefix(text(properties, "dnsPrefix")))
        return wrong(op, "InvalidParameter", "dnsPrefix",
                     "The value of parameter dnsPrefix is invalid: 1 to 54 letters, digits and"
                     " hyphens; the first and last a letter or digit.");
    if (strcmp(version, AKS_VERSION) != 0)
        return arm_fail_at(op, "K8sVersionNotSupported", INVALID, "kubernetesVersion",
                           "Managed cluster %s is on version %.32s, which is not supported in this"
                           " region: this Sundog runs " AKS_VERSION
                           ". Please use [az aks get-versions] for supported versions.",
                           name, version);
    TRY(check_access(op, properties));
    TRY(check_authorized_ranges(op, properties));
    TRY(check_network(op, json_object_get(properties, "networkProfile")));
    TRY(check_unchanged(op, properties, before, "dnsPrefix"));
    TRY(check_unchanged(op, properties, before, "nodeResourceGroup"));
    return check_ranges_unchanged(op, properties, before);
}
