/*
 * The registry's table of contents. {name+} is a repository; by path it begins with its registry
 * (registry/target.h). What comes first wins: /acr/v1/{name+} is the last of its kind.
 */
#include "registry/api.h"
#include "registry/hot.h"
#include "registry/manifest.h"

#define SMALL ((size_t)64 << 10)
#define MOUNT "digest, mount, from, digest-algorithm"

const struct route registry_routes[] = {
  /* OCI distribution */
    {GET,                                               "/v2/", RIGHT_LOGIN, CALL, api_base, "is this a registry, and who am I?"},
    {GET,                                      "/v2", RIGHT_LOGIN, CALL, api_base, "the same"},
    {GET,                                         "/v2/_catalog", RIGHT_CATALOG, CALL, catalog_get, "list repositories",
     .query = "n, last"},
    {GET,                                                 "/v2/{name+}/blobs/{digest}", RIGHT_PULL, CALL, blob_get_handler,
     "a blob's bytes, or ranges of them", .from_memory = hot_blob_head},
    {DELETE,       "/v2/{name+}/blobs/{digest}", RIGHT_DELETE, CALL, blob_delete_handler,
     "take a blob out of a repository"},
    {POST,                                             "/v2/{name+}/blobs/uploads/", RIGHT_PUSH, UPLOAD, upload_post,
     "open an upload, push a blob whole, or mount one", .open = upload_post_open, .query = MOUNT},
    {POST,                                       "/v2/{name+}/blobs/uploads", RIGHT_PUSH, UPLOAD, upload_post, "the same",
     .open = upload_post_open, .query = MOUNT},
    {GET,                                               "/v2/{name+}/blobs/uploads/{id}", RIGHT_PUSH, CALL, upload_get,
     "how much of an upload has arrived"},
    {PATCH,                                    "/v2/{name+}/blobs/uploads/{id}", RIGHT_PUSH, UPLOAD, upload_patch,
     "send a chunk, or a stream", .open = upload_write_open},
    {PUT,                                      "/v2/{name+}/blobs/uploads/{id}", RIGHT_PUSH, UPLOAD, upload_put,
     "send what is left and close an upload", .open = upload_write_open, .query = "digest"},
    {DELETE,                                "/v2/{name+}/blobs/uploads/{id}", RIGHT_PUSH, CALL, upload_cancel,
     "give up an upload"},
    {GET,                                               "/v2/{name+}/manifests/{reference}", RIGHT_PULL, CALL, manifest_get_handler,
     "a manifest by tag or digest", .from_memory = hot_manifest_get},
    {PUT,                                       "/v2/{name+}/manifests/{reference}", RIGHT_PUSH, CALL, manifest_put_handler,
     "push a manifest, with tags", MANIFEST_MAX, .query = "tag"},
    {DELETE,                                 "/v2/{name+}/manifests/{reference}", RIGHT_DELETE, CALL, manifest_delete_handler,
     "delete a manifest with its tags, or one tag"},
    {GET,                     "/v2/{name+}/tags/list", RIGHT_LIST_TAGS, CALL, tags_list, "list tags",
     .query = "n, last"},
    {GET,                                            "/v2/{name+}/referrers/{digest}", RIGHT_PULL, CALL, referrers_get,
     "list what refers to a manifest", .query = "artifactType, n, last"},

 /* tokens */
    {GET,                                     "/oauth2/token", RIGHT_NONE, CALL, token_get, "an access token, for Basic credentials",
     .query = "service, scope, offline_token"},
    {POST,                              "/oauth2/token", RIGHT_NONE, CALL, token_post,
     "an access token, for a password or a refresh token", SMALL},
    {POST,                                                 "/oauth2/exchange", RIGHT_NONE, CALL, token_exchange, "a refresh token", SMALL},

 /* ACR's data plane */
    {GET,"/acr/v1/_catalog", RIGHT_CATALOG, CALL, catalog_get, "list repositories",
     .query = "n, last"},
    {GET,                                           "/acr/v1/{registry}/_catalog", RIGHT_REGISTRY_CATALOG, CALL, catalog_of_registry_get,
     "by path: list one registry's repositories", .query = "n, last"},
    {GET, "/acr/v1/_deleted/{what+}", RIGHT_LOGIN, CALL, not_built, "soft delete: not built yet"},
    {POST,                                   "/acr/v1/_deleted/{what+}", RIGHT_LOGIN, CALL, not_built, "soft delete: not built yet"},
    {GET,                                              "/acr/v1/{name+}/_tags", RIGHT_METADATA_READ, CALL, acr_tags_get, "list tags in detail",
     .query = "n, last, orderby, digest"},
    {GET,                                       "/acr/v1/{name+}/_tags/{tag}", RIGHT_METADATA_READ, CALL, acr_tag_get, "a tag in detail"},
    {PATCH,                                      "/acr/v1/{name+}/_tags/{tag}", RIGHT_METADATA_WRITE, CALL, acr_tag_patch,
     "change a tag's attributes", SMALL},
    {DELETE,                          "/acr/v1/{name+}/_tags/{tag}", RIGHT_DELETE, CALL, acr_tag_delete,
     "untag: the manifest stays"},
    {GET,                                                 "/acr/v1/{name+}/_manifests", RIGHT_METADATA_READ, CALL, acr_manifests_get,
     "list manifests in detail", .query = "n, last, orderby"},
    {GET,"/acr/v1/{name+}/_manifests/{digest}", RIGHT_METADATA_READ, CALL, acr_manifest_get,
     "a manifest in detail"},
    {PATCH,                                             "/acr/v1/{name+}/_manifests/{digest}", RIGHT_METADATA_WRITE, CALL, acr_manifest_patch,
     "change a manifest's attributes", SMALL},
    {DELETE,               "/acr/v1/{name+}/_manifests/{digest}", RIGHT_DELETE, CALL, acr_manifest_delete,
     "delete a manifest with its tags"},
    {GET,                                             "/acr/v1/{name+}", RIGHT_METADATA_READ, CALL, acr_repository_get,
     "a repository in detail"},
    {PATCH,                                       "/acr/v1/{name+}", RIGHT_METADATA_WRITE, CALL, acr_repository_patch,
     "change a repository's attributes", SMALL},
    {DELETE,                                     "/acr/v1/{name+}", RIGHT_DELETE, CALL, acr_repository_delete,
     "delete a repository with all it holds"},

 /* charts of Helm 2, retired upstream */
    {GET,                        "/helm/v1/{what+}", RIGHT_LOGIN, CALL, not_built,
     "Helm 2 charts: push them as OCI artifacts"},
    {PUT,                                               "/helm/v1/{what+}", RIGHT_LOGIN, CALL, not_built, "the same"},
    {DELETE,                                       "/helm/v1/{what+}", RIGHT_LOGIN, CALL, not_built, "the same"},
    {0                                      },
};
