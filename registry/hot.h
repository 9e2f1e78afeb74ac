/*
 * Answers from memory: manifests by tag and digest, sizes of blobs. Read on loop threads without
 * SQL.
 *
 * Never stale: an entry remembers the generation its repository had before its SELECT; every write
 * to a repository makes a new generation after its commit and before its answer. Generations are
 * kept for 1024 groups of repositories. Off when another `serve` may write (db_is_shared).
 */
#ifndef SUNDOG_REGISTRY_HOT_H
#define SUNDOG_REGISTRY_HOT_H

#include "core/call.h"
#include "registry/blob.h"
#include "registry/manifest.h"

void hot_start(void);

/* Take it before the SELECT. */
unsigned hot_generation(int64_t registry_id, const char *repository);
/* After the commit of any write to the repository, successful or not. */
void hot_changed(int64_t registry_id, const char *repository);

void hot_keep_manifest(unsigned generation, int64_t registry_id, const char *repository,
                       const char *reference, const struct manifest_content *manifest);
/* For as long as its lease needs no renewal. */
void hot_keep_blob(unsigned generation, int64_t registry_id, const char *repository,
                   const char *digest, const struct blob *blob);

/* Routes' from_memory: OK = answered, WOULD_BLOCK. */
enum fault hot_manifest_get(struct call *c);
enum fault hot_blob_head(struct call *c);

#endif
