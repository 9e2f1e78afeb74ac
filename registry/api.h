/*
 * What the handlers of the API files (oci, manifest, acr, token) share.
 */
#ifndef SUNDOG_REGISTRY_API_H
#define SUNDOG_REGISTRY_API_H

#include "registry/access.h"
#include "registry/repository.h"

/* The repository the path names. NOT_FOUND on "name". */
enum fault api_repository(struct call *c, struct repository *ret);
/* The same for a push, within an open transaction: made when it is not there, and held. FORBIDDEN
   on "lock" when it takes no writes. */
enum fault api_repository_to_write(struct call *c, struct repository *ret);
/* May a push to it begin? It need not be there yet. */
enum fault api_check_writable(struct call *c);
/* Commit, tell the cache that the repository has changed, answer when it is durable: PARKED. */
enum fault api_commit(struct call *c);
/* Events for webhooks, in the open transaction. digest NULL: the whole repository. */
struct manifest;
enum fault api_tell_push(struct call *c, const struct manifest *manifest, const char *const *tags,
                         size_t n_tags);
enum fault api_tell_delete(struct call *c, const char *digest, const char *media_type);
/* What has not passed is not found by tag, and disallowed by digest, but for who may look into
   quarantine. NOT_FOUND, FORBIDDEN. */
struct manifest_content;
enum fault api_check_quarantine(struct call *c, const char *reference,
                                const struct manifest_content *manifest);
/* If-None-Match names this digest's ETag: 304 is answered. */
bool api_not_modified(struct call *c, const char *digest);
/* The headers of any answer that carries content of this digest. */
void api_content_headers(struct call *c, const char *digest);
enum fault api_reply_manifest(struct call *c, const char *digest, const char *media_type,
                              struct bytes content);
enum fault api_reply_blob_head(struct call *c, const char *digest, int64_t size);

/* oci_api.c */
enum fault api_base(struct call *c);
enum fault blob_get_handler(struct call *c);
enum fault blob_delete_handler(struct call *c);
enum fault upload_post_open(struct call *c);
enum fault upload_post(struct call *c);
enum fault upload_write_open(struct call *c);
enum fault upload_patch(struct call *c);
enum fault upload_put(struct call *c);
enum fault upload_get(struct call *c);
enum fault upload_cancel(struct call *c);
enum fault catalog_get(struct call *c);
enum fault catalog_of_registry_get(struct call *c);

/* manifest_api.c */
enum fault manifest_get_handler(struct call *c);
enum fault manifest_put_handler(struct call *c);
enum fault manifest_delete_handler(struct call *c);
enum fault tags_list(struct call *c);
enum fault referrers_get(struct call *c);

/* acr_api.c */
enum fault acr_repository_get(struct call *c);
enum fault acr_repository_patch(struct call *c);
enum fault acr_repository_delete(struct call *c);
enum fault acr_tags_get(struct call *c);
enum fault acr_tag_get(struct call *c);
enum fault acr_tag_patch(struct call *c);
enum fault acr_tag_delete(struct call *c);
enum fault acr_manifests_get(struct call *c);
enum fault acr_manifest_get(struct call *c);
enum fault acr_manifest_patch(struct call *c);
enum fault acr_manifest_delete(struct call *c);
enum fault not_built(struct call *c);

/* token_api.c */
enum fault token_get(struct call *c);
enum fault token_post(struct call *c);
enum fault token_exchange(struct call *c);

#endif
