/*
 * The management face of registries (Microsoft.ContainerRegistry): what its files share. Rows and
 * rules are the registry's own (registry/registry.h and its kin); here are JSON, ids and answers.
 */
#ifndef SUNDOG_API_REGISTRY_API_H
#define SUNDOG_API_REGISTRY_API_H

#include "api/provider.h"
#include "registry/registry.h"

extern const struct provider registry_provider;
extern const struct service container_registry_service;

/* ---- what the id in the path means ---- */

/*
 * The registry that the call's id is, or hangs below. From memory: held until op's arena is freed.
 * NOT_FOUND on "ResourceNotFound".
 */
enum fault registry_of_call(struct call *c, const struct registry **ret);
/* The same by any resource id ("…/registries/R[/…]"). NOT_FOUND. */
enum fault registry_of_id(struct op *op, const struct resource_id *id, const struct registry **ret);
/* "<registry id>/scopeMaps/name" of a child; in op's arena. */
const char *registry_child_id(struct op *op, const struct registry *registry, const char *type,
                              const char *name);
/* The last segment of "<this registry's id>/<type>/NAME". INVALID on target for any other id. */
enum fault registry_child_name(struct op *op, const struct registry *registry, const char *type,
                               const char *id, const char *target, const char **ret_name);
/*
 * A fault of the registry's functions in ARM's words: nouns in lower case become the target, and
 * the code says what kind it is. To be wrapped around every call of them.
 */
enum fault registry_fault(struct op *op, enum fault fault);

/* ---- JSON (registry_json.c) ---- */

/* "properties" of a registry, in op's arena. */
json_t *registry_properties(struct op *op, const struct registry *registry);
/* {"name","tier"} of its sku, as the envelope keeps it. */
const char *registry_sku_json(struct op *op, const struct registry_options *options);
/* sku and properties of a body over what options hold. INVALID, UNSUPPORTED. */
enum fault registry_options_read(struct op *op, const json_t *body,
                                 struct registry_options *options);

/* ---- handlers ---- */

/* scope_map_api.c */
enum fault scope_maps_list(struct call *c);
enum fault scope_map_read(struct call *c);
enum fault scope_map_write(struct call *c);
enum fault scope_map_update(struct call *c);
enum fault scope_map_remove(struct call *c);

/* registry_token_api.c */
enum fault tokens_list(struct call *c);
enum fault token_read(struct call *c);
enum fault token_write(struct call *c);
enum fault token_update(struct call *c);
enum fault token_remove(struct call *c);
enum fault credentials_generate(struct call *c);

/* webhook_api.c */
enum fault webhooks_list(struct call *c);
enum fault webhook_read(struct call *c);
enum fault webhook_write(struct call *c);
enum fault webhook_update(struct call *c);
enum fault webhook_remove(struct call *c);
enum fault webhook_ping_now(struct call *c);
enum fault webhook_events_list(struct call *c);
enum fault webhook_callback_config(struct call *c);
enum fault webhook_render(struct op *op, const struct resource *r, json_t **ret);
enum fault webhook_type_remove(struct op *op, const struct resource *r, int64_t *ret_again_ms);

/* import_api.c */
enum fault import_image(struct call *c);
void import_api_start(void);

#endif
