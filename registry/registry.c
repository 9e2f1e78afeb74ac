/*
 * What a registry may be: its tier's limits, its name, who may reach it. The rows are in
 * registry_store.c, the memory in registry_memory.c.
 */
#include "registry/registry.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/db.h"
#include "core/seal.h"
#include "registry/names.h"
#include "registry/registry_store.h"
#include "registry/webhook.h"

#define PASSWORD_LENGTH    52
#define SCOPE_MAX          2048
#define GIB                ((int64_t)1 << 30)
#define RETENTION_DAYS_MAX 365

const struct settings *registry_settings;

/* ---- tiers ---- */

static const struct sku_limits skus[] = {
    [SKU_BASIC] = {"Basic",    10 * GIB,  2,   100,   100,   false, false},
    [SKU_STANDARD] = {"Standard", 100 * GIB, 10,  500,   500,   true,  false},
    [SKU_PREMIUM] = {"Premium",  500 * GIB, 100, 50000, 50000, true,  true },
};

const struct sku_limits *sku_limits(enum sku sku)
{
    return &skus[sku];
}

bool sku_parse(const char *name, enum sku *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(skus); i++) {
        if (strcasecmp(skus[i].name, name) == 0) {
            *ret = (enum sku)i;
            return true;
        }
    }
    return false;
}

void registry_options_default(struct registry_options *options, enum sku sku)
{
    *options = (struct registry_options){
        .sku = sku,
        .public_access = true,
        .retention_days = 7,
        .arm_tokens = true,
        .export_enabled = true,
        .bypass_trusted = true,
    };
}

/* What only the larger tiers may, by the name of its property. */
static enum fault check_tier(struct op *op, const struct registry_options *o)
{
    const struct sku_limits *limits = sku_limits(o->sku);
    const struct {
        const char *property;
        bool wanted, allowed;
    } rules[] = {
        {"anonymousPullEnabled",      o->anonymous_pull,        limits->anonymous_pull},
        {"publicNetworkAccess",       !o->public_access,        limits->premium       },
        {"networkRuleSet",            o->deny || o->n_ip_rules, limits->premium       },
        {"policies.retentionPolicy",  o->retention,             limits->premium       },
        {"policies.trustPolicy",      o->trust,                 limits->premium       },
        {"policies.quarantinePolicy", o->quarantine,            limits->premium       },
        {"policies.exportPolicy",     !o->export_enabled,       limits->premium       },
        {"dataEndpointEnabled",       o->data_endpoint,         limits->premium       },
        {"zoneRedundancy",            o->zone_redundant,        limits->premium       },
    };

    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].wanted && !rules[i].allowed)
            return fail_on(op, rules[i].property, INVALID,
                           "%s is not supported for the registry SKU %s", rules[i].property,
                           limits->name);
    return OK;
}

enum fault registry_options_check(struct op *op, const struct registry_options *o)
{
    struct ip_range range;

    if (o->n_ip_rules > IP_RULES_MAX)
        return fail_on(op, "networkRuleSet", INVALID, "there are more than %d IP rules",
                       IP_RULES_MAX);
    for (size_t i = 0; i < o->n_ip_rules; i++)
        if (!ip_range_parse(o->ip_rules[i], &range))
            return fail_on(op, "networkRuleSet", INVALID, "\"%.60s\" is no address or CIDR block",
                           o->ip_rules[i]);
    if (o->retention_days < 0 || o->retention_days > RETENTION_DAYS_MAX)
        return fail_on(op, "policies.retentionPolicy", INVALID,
                       "the days of a retention policy are 0 to %d", RETENTION_DAYS_MAX);
    if (!o->export_enabled && o->public_access)
        return fail_on(op, "policies.exportPolicy", INVALID,
                       "exports can be disabled only when publicNetworkAccess is disabled");
    return check_tier(op, o);
}

/* ---- the network ---- */

static bool address_parse(const char *text, unsigned char address[16], unsigned *ret_bits)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (inet_pton(AF_INET6, text, address) == 1) {
        *ret_bits = 128;
        return true;
    }
    memcpy(address, mapped, sizeof(mapped));
    *ret_bits = 32;
    return inet_pton(AF_INET, text, address + sizeof(mapped)) == 1;
}

bool ip_range_parse(const char *text, struct ip_range *ret)
{
    char address[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "/");
    unsigned width;
    long bits;
    char *end;

    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    if (!address_parse(address, ret->address, &width))
        return false;
    bits = (long)width;
    if (text[len]) {
        bits = strtol(text + len + 1, &end, 10);
        if (end == text + len + 1 || *end || text[len + 1] == '-' || bits > (long)width)
            return false;
    }
    ret->bits = (unsigned)bits + (128 - width);
    return true;
}

static bool is_within(const struct ip_range *range, const unsigned char address[16])
{
    size_t whole = range->bits / 8;
    unsigned char mask = (unsigned char)(0xff00 >> range->bits % 8);

    return memcmp(range->address, address, whole) == 0 &&
           (whole == 16 || ((range->address[whole] ^ address[whole]) & mask) == 0);
}

bool registry_admits(const struct registry *registry, const char *client)
{
    const struct registry_options *o = &registry->options;
    unsigned char address[16];
    unsigned width;

    if (o->public_access && !o->deny)
        return true;
    if (!o->public_access || !address_parse(client, address, &width))
        return false;
    for (size_t i = 0; i < o->n_ip_rules; i++)
        if (is_within(&registry->ranges[i], address))
            return true;
    return false;
}

/* ---- changes ---- */

enum fault registry_name_check(struct op *op, const char *name)
{
    bool exists;

    if (!registry_name_is_valid(name))
        return fail_on(op, "name", INVALID,
                       "Registry names may contain only alpha numeric characters and must be "
                       "between 5 and 50 characters in length.");
    TRY(registry_store_exists(op, name, &exists));
    if (exists)
        return fail_on(op, "name", CONFLICT, "The registry %s is already in use.", name);
    return OK;
}

enum fault registry_create(struct op *op, const char *name, const char *scope,
                           const struct registry_options *options, int64_t *ret_id)
{
    int64_t id;

    if (scope && strlen(scope) > SCOPE_MAX)
        return fail_on(op, "name", INVALID, "the registry's resource id is too long");
    TRY(registry_options_check(op, options));
    TRY(registry_name_check(op, name));
    TRY(registry_store_insert(op, name, scope, options, &id));
    if (!id) /* made since registry_name_check looked */
        return fail_on(op, "name", CONFLICT, "The registry %s is already in use.", name);
    for (int which = 0; which < 2; which++)
        TRY(registry_store_set_password(op, id, which, random_password(op, PASSWORD_LENGTH)));
    *ret_id = id;
    return OK;
}

static enum fault check_room(struct op *op, int64_t id, enum sku sku)
{
    const struct sku_limits *limits = sku_limits(sku);
    struct registry_usage usage;

    TRY(registry_usage(op, id, &usage));
    if (usage.webhooks > limits->webhooks)
        return fail_on(op, "quota", CONFLICT,
                       "the registry has %lld webhooks, the SKU %s allows %lld",
                       (long long)usage.webhooks, limits->name, (long long)limits->webhooks);
    if (usage.tokens > limits->tokens || usage.scope_maps > limits->scope_maps)
        return fail_on(op, "quota", CONFLICT,
                       "the registry has more tokens or scope maps than the SKU %s allows",
                       limits->name);
    return OK;
}

enum fault registry_update(struct op *op, int64_t id, const struct registry_options *options)
{
    enum sku before;

    TRY(registry_options_check(op, options));
    TRY(registry_store_hold(op, id, &before));
    if (options->sku < before)
        TRY(check_room(op, id, options->sku));
    return registry_store_set(op, id, options);
}

enum fault registry_delete(struct op *op, int64_t id)
{
    enum sku sku;

    TRY(registry_store_hold(op, id, &sku));
    return registry_store_delete(op, id);
}

enum fault registry_set_scope(struct op *op, int64_t id, const char *scope)
{
    if (scope && strlen(scope) > SCOPE_MAX)
        return fail_on(op, "registry", INVALID, "the registry's resource id is too long");
    return registry_store_set_scope(op, id, scope);
}

enum fault registry_regenerate(struct op *op, int64_t id, int which)
{
    return registry_store_set_password(op, id, which, random_password(op, PASSWORD_LENGTH));
}
