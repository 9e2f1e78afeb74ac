/*
 * The grammar of names: registries, repositories, tags, digests (OCI distribution spec, "Pulling
 * manifests"). Matched by hand: each is a few characters of state, and none can be made to loop.
 */
#ifndef SUNDOG_REGISTRY_NAMES_H
#define SUNDOG_REGISTRY_NAMES_H

#include "core/op.h"

#define REPOSITORY_NAME_MAX 255
#define TAG_MAX             128
#define DIGEST_MAX          (7 + 128) /* "sha512:" and its hex */
#define REGISTRY_NAME_MIN   5
#define REGISTRY_NAME_MAX   50

/* 5 to 50 alphanumerics, as ACR asks; upper case is as good as lower case. */
bool registry_name_is_valid(const char *name);
/* OCI dist v1.1: "[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*", at most
   255 characters. */
bool repository_name_is_valid(const char *name);
/* OCI dist v1.1: "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}". */
bool tag_is_valid(const char *tag);
/* "sha256:" or "sha512:" and as many lower-case hex digits as that hash has. */
bool digest_is_valid(const char *digest);
/* A reference is a digest if it has a colon (no tag can); whether it is a good one is another
 * question. */
bool reference_is_digest(const char *reference);
/* An upload's id: 8-4-4-4-12 lower-case hex digits. */
bool uuid_is_valid(const char *id);

/* The same as faults: INVALID on "name", "tag" or "digest". */
enum fault check_repository_name(struct op *op, const char *name);
enum fault check_tag(struct op *op, const char *tag);
enum fault check_digest(struct op *op, const char *digest);

#endif
