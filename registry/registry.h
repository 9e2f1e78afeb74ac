/*
 * Registries: what Microsoft.ContainerRegistry manages of one, and what every request needs to know
 * of it. All rows are in memory, each entry immutable and counted, so that reading never blocks; a
 * change, here or by another `serve`, re-reads its one row.
 *
 *~ Writes happen in the caller's open transaction and NOTIFY in it; the caller commits and then
 *calls ~ registry_changed, so that the next request sees the change.
 */
#ifndef SUNDOG_REGISTRY_REGISTRY_H
#define SUNDOG_REGISTRY_REGISTRY_H

#include "core/call.h"
#include "core/settings.h"

/* ---- tiers (facts §2.5) ---- */

enum sku { SKU_BASIC, SKU_STANDARD, SKU_PREMIUM };
struct sku_limits {
    const char *name;      /* "Basic" */
    int64_t storage_bytes; /* what listUsages shows as limit; not acted upon */
    int64_t webhooks, tokens, scope_maps;
    bool anonymous_pull; /* Standard and up */
    bool premium;        /* network rules, private access, retention, data endpoints, … */
};
const struct sku_limits *sku_limits(enum sku sku);
/* In any case of letters; "Classic" and others: false. */
bool sku_parse(const char *name, enum sku *ret);

/* ---- a registry ---- */

#define IP_RULES_MAX 400

/* All that may be set. What has no effect here is marked echo. */
struct registry_options {
    enum sku sku;
    bool admin_enabled, anonymous_pull;
    bool public_access;          /* publicNetworkAccess; off: nobody is let in from outside */
    bool deny;                   /* networkRuleSet.defaultAction Deny: only those of ip_rules */
    const char *const *ip_rules; /* as given: "192.0.2.0/24", "2001:db8::/32", "192.0.2.7" */
    size_t n_ip_rules;
    bool quarantine;        /* tags of what has not passed are not found; digests are disallowed */
    bool retention;         /* untagged manifests are deleted after … */
    int64_t retention_days; /* 0…365; 0: at the next collection */
    bool arm_tokens;     /* azureADAuthenticationAsArmPolicy: ARM's audience is taken at exchange */
    bool abac;           /* roleAssignmentMode AbacRepositoryPermissions, else Legacy */
    bool export_enabled; /* false needs public_access false; import from it is refused then */
    bool trust, data_endpoint, zone_redundant, bypass_trusted; /* echo */
};
/* What the real service makes of an empty body: Basic's or this sku's defaults. */
void registry_options_default(struct registry_options *options, enum sku sku);

struct ip_range {
    unsigned char address[16]; /* v4 as ::ffff:a.b.c.d */
    unsigned bits;
};
/* "192.0.2.0/24", "2001:db8::/32", "192.0.2.7". False: no such thing. */
bool ip_range_parse(const char *text, struct ip_range *ret);
struct webhook_filter; /* registry/webhook.h */

struct registry {
    int64_t id;
    const char *name;  /* lower case: of the login server */
    const char *scope; /* ARM resource id as given; NULL: none yet, so no role reaches it */
    struct registry_options options;
    const char *retention_updated; /* ISO 8601; when it was last switched */
    struct bytes passwords[2];     /* sealed; registry_password opens one */
    const char *created, *updated; /* ISO 8601, 7 fractional digits */
    int64_t version;
    const struct ip_range *ranges;         /* of options.ip_rules */
    const struct webhook_filter *webhooks; /* the enabled ones */
    size_t n_webhooks;
};

/* The settings of this `serve`, for paths, leases and limits. Set by registry_service.start. */
extern const struct settings *registry_settings;
extern const struct route registry_routes[];

/* ---- from memory, never blocking; held until op's arena is freed ---- */

/* NULL: there is no registry of that name (in any case of letters). */
const struct registry *registry_find(struct op *op, const char *name);
const struct registry *registry_find_id(struct op *op, int64_t id);
/* All of them, sorted by name: O(n). */
const struct registry *const *registry_all(struct op *op, size_t *ret_n);
/* Is there one that may be pulled from without a name? */
bool registry_any_anonymous(void);
/* Its password 0 or 1, opened, or NULL. Long-lived only in op's arena. */
const char *registry_password(struct op *op, const struct registry *registry, int which);
/* May a client of this numeric address reach it? Loopback counts like any other address. */
bool registry_admits(const struct registry *registry, const char *client);

/* ---- changes; in the caller's transaction ---- */

/* ^[a-zA-Z0-9]{5,50}$ and free in all of this Sundog. INVALID, CONFLICT; the message is ACR's. */
enum fault registry_name_check(struct op *op, const char *name);
/* Are these allowed for their sku, each rule an address? INVALID on the property's name. */
enum fault registry_options_check(struct op *op, const struct registry_options *options);
/* INVALID, CONFLICT (the name is taken). Has an admin user's passwords from the start. */
enum fault registry_create(struct op *op, const char *name, const char *scope,
                           const struct registry_options *options, int64_t *ret_id);
/* Replaces all options. INVALID, NOT_FOUND, CONFLICT: the smaller tier has no room for what is
   there (webhooks, tokens, maps). */
enum fault registry_update(struct op *op, int64_t id, const struct registry_options *options);
/* With all its content; running pulls end well. NOT_FOUND. Role assignments below it are the
   caller's affair. */
enum fault registry_delete(struct op *op, int64_t id);
/* After a move, or when a resource adopts one that has no scope. NOT_FOUND. */
enum fault registry_set_scope(struct op *op, int64_t id, const char *scope);
/* A new admin password, which: 0 "password", 1 "password2". */
enum fault registry_regenerate(struct op *op, int64_t id, int which);
/* After the commit: read that row (or its absence) into memory. UNAVAILABLE: it will be later. */
enum fault registry_changed(struct op *op, int64_t id);
/* Names of those without scope (made at first start): the resource manager adopts them. */
enum fault registry_without_scope(struct op *op, const char ***ret_names, size_t *ret_n);

struct registry_usage {
    int64_t repositories, manifests, tags, blobs;
    int64_t bytes;                        /* of its blobs, each counted once, and its manifests */
    int64_t links, linked_bytes;          /* its repositories' blobs, counted in each of them */
    int64_t blob_bytes;                   /* the same, each counted once */
    int64_t webhooks, scope_maps, tokens; /* scope_maps: without the system's */
};
enum fault registry_usage(struct op *op, int64_t id, struct registry_usage *ret_usage);
/* The same, but of a large registry not counted anew each time: as old as a millisecond for each
   20 links at most, and 10 s. Below 10,000 links: now. */
enum fault registry_usage_recent(struct op *op, int64_t id, struct registry_usage *ret_usage);

/* ---- the memory ---- */

/* Read all rows anew. UNAVAILABLE leaves the old ones, and registry_refresh tries again. */
enum fault registry_reload(struct op *op);
/* Read what was heard of and could not be read; for a thread that comes by often. */
void registry_refresh(struct op *op);
void registry_listen(void); /* before hub_start */
void registry_stop(void);

#endif
