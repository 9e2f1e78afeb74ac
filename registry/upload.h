/*
 * Uploads: bytes on their way into the store. They stream into BLOBS/uploads/<id>, hashed as they
 * come; a row remembers how many are safe on disk and the hash so far, so that any `serve` can go
 * on. Two requests never write one upload at once: its file is locked (OFD lock) from open to end.
 */
#ifndef SUNDOG_REGISTRY_UPLOAD_H
#define SUNDOG_REGISTRY_UPLOAD_H

#include "core/call.h"
#include "registry/hash.h"
#include "registry/writer.h"

/* An upload while a request writes to it. */
struct upload {
    struct sink sink; /* first: c->sink points here */
    const char *id;
    int fd;            /* -1: nothing is kept, the body is thrown away */
    bool created;      /* its file is new: the folder must be synced once */
    int64_t start;     /* bytes there when the request came */
    int64_t offset;    /* bytes there now */
    int64_t announced; /* where Content-Range or Content-Length says the body ends; -1 */
    struct writer writer;
    int64_t space_check; /* when to look at free space again */
    struct hash hash;
};

/* A row of an unfinished upload. */
struct upload_row {
    enum hash_kind kind;
    int64_t received;
    struct bytes state;
};

/* "100-199", of a Content-Range header. OCI dist v1.1: "Content-Range: <start of range>-<end of
   range, inclusive>". False: malformed. */
bool upload_range_parse(const char *text, int64_t *ret_first, int64_t *ret_last);

/* A sink that takes a body and forgets it. */
struct upload *upload_discard(struct op *op);
/*
 * Open the upload's file for writing behind received bytes. CONFLICT: another request writes to it.
 * NOT_FOUND on "upload": its row is gone, or its bytes are. Closed with op's arena, or by
 * upload_close.
 */
enum fault upload_open(struct op *op, int64_t repository_id, const char *id, struct upload **ret);
/* One without a row, for a blob that comes in a single request. */
enum fault upload_open_single(struct op *op, enum hash_kind kind, struct upload **ret);
void upload_close(struct upload *upload);
/*
 * Will a body of these headers fit? content_range may be NULL, content_length -1. RANGE or INVALID
 * on "upload", INVALID on "size", TOO_LARGE, UNAVAILABLE (free space).
 */
enum fault upload_expect(struct op *op, struct upload *upload, const char *content_range,
                         int64_t content_length);
/* All came that was announced? INVALID on "size". */
enum fault upload_check_length(struct op *op, const struct upload *upload);
/* The digest of all bytes, by this hash; read again from the file when it is not the running one.
 */
enum fault upload_digest(struct op *op, const struct upload *upload, enum hash_kind kind,
                         const char **ret_digest);
/* Remove the file (after its row). */
void upload_remove_file(struct op *op, const char *id);

/* ---- rows (upload_store.c); NOT_FOUND on "upload" ---- */

enum fault upload_insert(struct op *op, int64_t repository_id, const char *id, enum hash_kind kind);
enum fault upload_find(struct op *op, int64_t repository_id, const char *id,
                       struct upload_row *ret);
enum fault upload_save(struct op *op, const struct upload *upload);
enum fault upload_delete(struct op *op, int64_t repository_id, const char *id);
void upload_store_start(void);

extern atomic_int uploads_writing; /* requests writing right now, for /metrics */

#endif
