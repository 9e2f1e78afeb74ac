/*
 * Blobs: files named by the hash of their bytes, BLOBS/sha256/ab/abcd…, one copy for all
 * registries, and links by which repositories see them. A file is synced and in its place before
 * the row that names it is committed; a row is gone before its file is unlinked; both under one
 * advisory lock of the digest, so a crash leaves at most a file without a row.
 */
#ifndef SUNDOG_REGISTRY_BLOB_H
#define SUNDOG_REGISTRY_BLOB_H

#include "core/op.h"

struct blob {
    int64_t size;
    int64_t leased_s; /* seconds until the link's lease ends; negative: it has ended */
};

/* ---- files (blob.c) ---- */

/* Make BLOBS and its folders. */
enum fault blob_store_open(struct op *op, const char *folder);
/* BLOBS/sha256/ab/abcd…; digest is valid. */
const char *blob_path(struct op *op, const char *digest);
/* BLOBS/uploads/<id> */
const char *upload_path(struct op *op, const char *id);
/* Open for reading. INTERNAL: its file is missing or has another size: the store is damaged. */
enum fault blob_open(struct op *op, const char *digest, int64_t size, int *ret_fd);
/* The first max bytes, for a look into configs. */
enum fault blob_read(struct op *op, const char *digest, int64_t size, struct bytes *ret);
/*
 * Take a synced file of the digest's bytes into the store and link it to the repository, within the
 * open transaction (which then holds the digest's lock). path is gone afterwards. UNAVAILABLE.
 */
enum fault blob_adopt(struct op *op, int64_t repository_id, const char *digest, int64_t size,
                      const char *path);
/* Move a file and make the move durable. */
enum fault file_move(struct op *op, const char *from, const char *to);
/* What of the blobs' disk is free to us, in bytes; -1: nobody knows. */
int64_t blob_free_bytes(void);
/* UNAVAILABLE when writing so many bytes would go into the reserve of free space. */
enum fault check_free_space(struct op *op, int64_t bytes);

/* ---- rows (blob_store.c) ---- */

/* A blob as a repository sees it: NOT_FOUND on "blob". */
enum fault blob_find(struct op *op, int64_t repository_id, const char *digest, struct blob *ret);
/* Somebody asked for it: renew the link's lease if less than half of it remains. */
enum fault blob_touch(struct op *op, int64_t repository_id, const char *digest, struct blob *blob);
/* Link a blob that another repository sees. NOT_FOUND on "blob" when it is collected meanwhile. */
enum fault blob_link(struct op *op, int64_t repository_id, const char *digest);
/* Remove the link. NOT_FOUND on "blob". */
enum fault blob_unlink(struct op *op, int64_t repository_id, const char *digest);
/* Names of up to 100 repositories of a registry that see the blob and may be read. */
enum fault blob_sources(struct op *op, int64_t registry_id, const char *digest,
                        const char ***ret_names, size_t *ret_n);

/* For blob_adopt and collection: the lock of a digest, until the transaction ends. */
enum fault blob_lock(struct op *op, const char *digest);
/* The size its row says, or -1 when no row names it. */
enum fault blob_row_size(struct op *op, const char *digest, int64_t *ret_size);
enum fault blob_insert(struct op *op, const char *digest, int64_t size);
void blob_store_start(void);

/* What a manifest holds needs no lease: collection marks it with this time, once. */
#define LEASE_WITHOUT_END "'9999-01-01 00:00Z'"

#endif
