/*
 * Saved states of a whole Sundog with an embedded database: `sundog snapshot` and `sundog reset`.
 * A state is a schema "saved:NAME" in the database (schema/0003_saved.sql) and hard links to the
 * blobs of its time under BLOBS/saved/NAME. Loading one is wished for by the file DATA/load, and
 * done by the next start before anything else reads the database: in one transaction, so a crash
 * leaves the old state or the new one, and the wish until it is fulfilled.
 *
 *~ Blobs need no such care: they are content. Those of the state are linked into the store before
 *~ the transaction; those of the old one have no row afterwards, and are collected as garbage.
 */
#ifndef SUNDOG_CORE_SAVED_H
#define SUNDOG_CORE_SAVED_H

#include "core/settings.h"

#define SAVED_NAME_MAX 40
#define SAVED_NAME_PATTERN                                                                         \
    "lower-case letters, digits and hyphens, 40 at most, a letter or digit first"

struct service;
struct saved {
    const char *name, *created; /* ISO 8601 */
    int64_t blobs, blob_bytes, table_bytes;
};

/* The wish of an earlier process, fulfilled: after migrations, before services start. A wish that
   cannot be is dropped; saved_failure tells why. Also removes what a crash left half saved. */
enum fault saved_begin(struct op *op, const struct settings *settings,
                       const struct service *const *services);
/* After the services' first start: keep it for reset. */
enum fault saved_keep_first(struct op *op, const struct settings *settings);
/* Wall clock when this process loaded a state; 0: it has not. Files older than that and without a
   row are garbage at once. */
int64_t saved_loaded_s(void);
/* Why the wish before this start was not fulfilled; NULL: it was, or there was none. */
const char *saved_failure(void);
/* Differs in each process: whoever asked for a load sees by it that another one serves. */
const char *saved_process(void);

/* All of these: UNSUPPORTED with a database of one's own; INVALID: not a name; NOT_FOUND. */
enum fault saved_save(struct op *op, const char *name); /* CONFLICT: there is one of that name */
enum fault saved_list(struct op *op, struct saved **ret, size_t *ret_n);
enum fault saved_delete(struct op *op, const char *name);
/* Wish for it, durably; NULL: for what the first start made. Then server_restart,
   which can be done: else UNSUPPORTED. CONFLICT: it was
   saved by another version. */
enum fault saved_wish(struct op *op, const char *name);

#endif
