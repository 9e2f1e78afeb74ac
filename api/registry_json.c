/* Registries as JSON: one function a group of properties, reading and writing side by side. */
#include "api/body.h"
#include "api/registry_api.h"
#include "core/server.h"

static const char *const states[] = {"enabled", "disabled", NULL};
static const char *const switches[] = {"Enabled", "Disabled", NULL};
static const char *const modes[] = {"LegacyRegistryPermissions", "AbacRepositoryPermissions", NULL};
static const char *const defaults[] = {"Allow", "Deny", NULL};
static const char *const bypasses[] = {"AzureServices", "None", NULL};

/* ---- writing ---- */

static json_t *status_json(bool on)
{
    return json_pack("{s:s}", "status", states[!on]);
}

static json_t *network_json(const struct registry_options *o)
{
    json_t *rules = json_array();

    for (size_t i = 0; i < o->n_ip_rules; i++)
        json_array_append_new(rules,
                              json_pack("{s:s,s:s}", "action", "Allow", "value", o->ip_rules[i]));
    return json_pack("{s:s,s:o}", "defaultAction", defaults[o->deny], "ipRules", rules);
}

static json_t *policies_json(const struct registry *r)
{
    const struct registry_options *o = &r->options;
    const char *since = r->retention_updated ? r->retention_updated : r->created;
    json_t *p = json_object();

    json_object_set_new(p, "quarantinePolicy", status_json(o->quarantine));
    json_object_set_new(p, "trustPolicy",
                        json_pack("{s:s,s:s}", "type", "Notary", "status", states[!o->trust]));
    json_object_set_new(p, "retentionPolicy",
                        json_pack("{s:I,s:s,s:s}", "days", (json_int_t)o->retention_days,
                                  "lastUpdatedTime", since, "status", states[!o->retention]));
    json_object_set_new(p, "exportPolicy", status_json(o->export_enabled));
    json_object_set_new(p, "azureADAuthenticationAsArmPolicy", status_json(o->arm_tokens));
    json_object_set_new(p, "softDeletePolicy",
                        json_pack("{s:i,s:s,s:s}", "retentionDays", 7, "lastUpdatedTime",
                                  r->created, "status", "disabled"));
    return p;
}

static const char *login_server_of(struct op *op, const struct registry *r)
{
    return arena_printf(&op->arena, "%s%s", r->name, server_registry_suffix());
}

json_t *registry_properties(struct op *op, const struct registry *r)
{
    const struct registry_options *o = &r->options;
    json_t *p = json_new_object(op);

    json_set_text(p, "loginServer", login_server_of(op, r));
    json_set_text(p, "creationDate", r->created);
    json_set_text(p, "provisioningState", "Succeeded");
    json_object_set_new(p, "adminUserEnabled", json_boolean(o->admin_enabled));
    if (o->sku == SKU_PREMIUM)
        json_object_set_new(p, "networkRuleSet", network_json(o));
    json_object_set_new(p, "policies", policies_json(r));
    json_object_set_new(p, "encryption", status_json(false));
    json_object_set_new(p, "dataEndpointEnabled", json_boolean(o->data_endpoint));
    json_object_set_new(p, "dataEndpointHostNames", json_array());
    json_object_set_new(p, "privateEndpointConnections", json_array());
    json_set_text(p, "publicNetworkAccess", switches[!o->public_access]);
    json_set_text(p, "networkRuleBypassOptions", bypasses[!o->bypass_trusted]);
    json_set_text(p, "zoneRedundancy", switches[!o->zone_redundant]);
    json_object_set_new(p, "anonymousPullEnabled", json_boolean(o->anonymous_pull));
    json_set_text(p, "roleAssignmentMode", modes[o->abac]);
    return p;
}

const char *registry_sku_json(struct op *op, const struct registry_options *options)
{
    const char *name = sku_limits(options->sku)->name;

    return arena_printf(&op->arena, "{\"name\":\"%s\",\"tier\":\"%s\"}", name, name);
}

/* ---- reading ---- */

/* One of two words into a bool: the first is true. */
static enum fault read_flag(struct op *op, const json_t *body, const char *path,
                            const char *const *words, bool *ret)
{
    const char *word = NULL;

    TRY(body_choice(op, body, path, words, &word));
    if (word)
        *ret = word == words[0];
    return OK;
}

static enum fault refuse(struct op *op, const char *path, const char *what)
{
    return arm_fail_at(op, "NotSupported", UNSUPPORTED, path,
                       "%s is not supported by this Sundog (docs/azure-coverage.md)", what);
}

static enum fault read_sku(struct op *op, const json_t *body, struct registry_options *o)
{
    const char *name = NULL;

    TRY(body_text(op, body, "sku.name", 1, 32, &name));
    if (name && !sku_parse(name, &o->sku))
        return arm_fail_at(op, "InvalidSku", INVALID, "sku.name",
                           "the SKU \"%s\" is not one of Basic, Standard, Premium", name);
    return OK;
}

static enum fault read_ip_rules(struct op *op, const json_t *body, struct registry_options *o)
{
    json_t *rules = NULL, *rule;
    const char **values;
    size_t i;

    TRY(body_array(op, body, "properties.networkRuleSet.ipRules", IP_RULES_MAX, &rules));
    if (!rules)
        return OK;
    values = arena_alloc(&op->arena, (json_array_size(rules) + 1) * sizeof(*values));
    o->n_ip_rules = 0;
    json_array_foreach(rules, i, rule)
    {
        TRY(body_required(op, rule, "value"));
        TRY(body_text(op, rule, "value", 1, 64, &values[o->n_ip_rules++]));
    }
    o->ip_rules = values;
    return OK;
}

static enum fault read_network(struct op *op, const json_t *body, struct registry_options *o)
{
    bool allow = !o->deny;

    TRY(read_flag(op, body, "properties.networkRuleSet.defaultAction", defaults, &allow));
    o->deny = !allow;
    TRY(read_ip_rules(op, body, o));
    TRY(read_flag(op, body, "properties.publicNetworkAccess", switches, &o->public_access));
    return read_flag(op, body, "properties.networkRuleBypassOptions", bypasses, &o->bypass_trusted);
}

#define POLICY(name) "properties.policies." name

static enum fault read_policies(struct op *op, const json_t *body, struct registry_options *o)
{
    bool soft_delete = false;

    TRY(read_flag(op, body, POLICY("quarantinePolicy.status"), states, &o->quarantine));
    TRY(read_flag(op, body, POLICY("trustPolicy.status"), states, &o->trust));
    TRY(read_flag(op, body, POLICY("retentionPolicy.status"), states, &o->retention));
    TRY(body_int(op, body, POLICY("retentionPolicy.days"), 0, 365, &o->retention_days));
    TRY(read_flag(op, body, POLICY("exportPolicy.status"), states, &o->export_enabled));
    TRY(read_flag(op, body, POLICY("azureADAuthenticationAsArmPolicy.status"), states,
                  &o->arm_tokens));
    TRY(read_flag(op, body, POLICY("softDeletePolicy.status"), states, &soft_delete));
    return soft_delete ? refuse(op, POLICY("softDeletePolicy.status"), "soft delete") : OK;
}

/* What the cloud has and this Sundog has not may be named only to say that it is off. */
static enum fault check_unsupported(struct op *op, const json_t *body)
{
    static const char *const none[] = {"None", "SystemAssigned", "UserAssigned",
                                       "SystemAssigned, UserAssigned", NULL};
    const char *identity = NULL;
    bool encryption = false;

    TRY(read_flag(op, body, "properties.encryption.status", states, &encryption));
    if (encryption)
        return refuse(op, "properties.encryption.status", "encryption with keys of your own");
    TRY(body_choice(op, body, "identity.type", none, &identity));
    if (identity && identity != none[0])
        return refuse(op, "identity.type", "the managed identity of a registry");
    return OK;
}

enum fault registry_options_read(struct op *op, const json_t *body, struct registry_options *o)
{
    bool legacy = !o->abac;

    TRY(read_sku(op, body, o));
    TRY(body_bool(op, body, "properties.adminUserEnabled", &o->admin_enabled));
    TRY(body_bool(op, body, "properties.anonymousPullEnabled", &o->anonymous_pull));
    TRY(body_bool(op, body, "properties.dataEndpointEnabled", &o->data_endpoint));
    TRY(read_flag(op, body, "properties.zoneRedundancy", switches, &o->zone_redundant));
    TRY(read_flag(op, body, "properties.roleAssignmentMode", modes, &legacy));
    o->abac = !legacy;
    TRY(read_network(op, body, o));
    TRY(read_policies(op, body, o));
    return check_unsupported(op, body);
}
