#include "core/saved.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/backup.h"
#include "core/call.h"
#include "core/copy.h"
#include "core/db.h"
#include "core/files.h"
#include "core/local.h"
#include "core/log.h"
#include "core/restart.h"
#include "core/seal.h"

#define FIRST    ".first" /* what the first start made: for reset */
#define NEW_MARK ".new"   /* a state of that name: the first start has not ended yet */

enum { SAVE, LIST, FITS, LOAD, DROP, LOCK, UNLOCK, IS_NEW };
static const struct db_stmt stmts[] = {
    [SAVE] = {"SELECT core.save_state($1, $2, $3)"},
    [LIST] = {"SELECT name, to_char(created AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
              " AS created, blobs, blob_bytes, table_bytes FROM core.saved_states($1)"},
    [FITS] = {"SELECT core.state_fits($1) AS fits"},
    [LOAD] = {"SELECT core.load_state($1)"},
    [DROP] = {"SELECT core.drop_state($1)"},
    [LOCK] = {"SELECT pg_advisory_lock_shared(" BACKUP_LOCK_SQL ")"},
    [UNLOCK] = {"SELECT pg_advisory_unlock_shared(" BACKUP_LOCK_SQL ")"},
    [IS_NEW] = {"SELECT NOT EXISTS (SELECT FROM core.ca) AS yes"},
    {0},
};

static const struct settings *settings;
static int64_t loaded_s;
static char failure[1024], process[37];

int64_t saved_loaded_s(void)
{
    return loaded_s;
}

const char *saved_failure(void)
{
    return *failure ? failure : NULL;
}

const char *saved_process(void)
{
    return process;
}

/* ---- names and places ---- */

static const char *blobs_of(struct op *op, const char *name)
{
    return arena_printf(&op->arena, "%s/saved/%s", settings->blobs, name);
}

static const char *wish_path(struct op *op)
{
    return arena_printf(&op->arena, "%s/load", settings->data);
}

static enum fault check_name(struct op *op, const char *name)
{
    size_t len = strlen(name);

    if (len >= 1 && len <= SAVED_NAME_MAX && name[0] != '-' &&
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len)
        return OK;
    return fail_on(op, "InvalidSnapshotName", INVALID,
                   "The name '%.60s' of a snapshot is not well-formed: " SAVED_NAME_PATTERN ".",
                   name);
}

static enum fault check_supported(struct op *op)
{
    if (!db_is_shared())
        return OK;
    return fail_on(op, "NotSupported", UNSUPPORTED,
                   "Snapshots and reset need the embedded database: with --database, others may "
                   "write to it or serve it meanwhile. Use that server's own backups.");
}

static enum fault find(struct op *op, const char *name, struct saved *ret, bool *ret_there)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[LIST], &rows, DB_TEXT(name)));
    *ret_there = db_next(&rows);
    if (*ret_there)
        *ret = (struct saved){.name = db_text(&rows, "name"),
                              .created = db_text(&rows, "created"),
                              .blobs = db_int(&rows, "blobs"),
                              .blob_bytes = db_int(&rows, "blob_bytes"),
                              .table_bytes = db_int(&rows, "table_bytes")};
    return OK;
}

static enum fault must_be(struct op *op, const char *name)
{
    struct saved saved;
    bool there;

    TRY(check_name(op, name));
    TRY(find(op, name, &saved, &there));
    return there ? OK
                 : fail_on(op, "SnapshotNotFound", NOT_FOUND, "There is no snapshot '%s'.", name);
}

/* ---- blobs ---- */

/* One flush for all links, instead of one a folder. */
static enum fault flush_links(struct op *op)
{
    AUTO_CLOSE int fd = open(settings->blobs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || syncfs(fd) < 0)
        return fail(op, UNAVAILABLE, "cannot flush %s: %s", settings->blobs, strerror(errno));
    return OK;
}

static enum fault link_blobs(struct op *op, const char *from, const char *to, struct copy *ret)
{
    *ret = (struct copy){.op = op, .link = true, .only_link = true};
    TRY(copy_blobs(ret, from, to));
    return flush_links(op);
}

/* ---- saving ---- */

static enum fault begin_reading(struct op *op)
{
    TRY(db_begin(op));
    return db_exec(op, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;"
                       "SET LOCAL statement_timeout = 0;"
                       "SET LOCAL idle_in_transaction_session_timeout = 0"); /* while it links */
}

/* The tables' moment is before the links', so every blob that they name is among these; the
   collector waits for our lock. What a failure leaves goes with the next state of that name, or at
   the next start: after a commit of which nobody knows how it ended, it may be whole. */
static enum fault save(struct op *op, const char *name)
{
    const char *folder = blobs_of(op, name);
    struct saved saved;
    struct copy blobs;
    bool there;

    TRY(begin_reading(op));
    TRY(find(op, name, &saved, &there));
    if (there)
        return fail_on(op, "SnapshotExists", CONFLICT, "There is a snapshot '%s' already.", name);
    TRY(folder_remove(op, AT_FDCWD, folder)); /* of a crash */
    mkdir(arena_printf(&op->arena, "%s/saved", settings->blobs), 0700);
    TRY(link_blobs(op, settings->blobs, folder, &blobs));
    TRY(db_query(op, &stmts[SAVE], NULL, DB_TEXT(name), DB_INT(blobs.files), DB_INT(blobs.bytes)));
    return db_commit(op);
}

static enum fault save_locked(struct op *op, const char *name)
{
    enum fault fault;

    TRY(db_query(op, &stmts[LOCK], NULL)); /* before the transaction looks: see collect.c */
    fault = save(op, name);
    if (fault != OK)
        db_rollback(op);
    if (db_pgconn(op->db)) {
        struct op scratch; /* the reason of failure stays */

        op_init(&scratch);
        scratch.db = op->db;
        (void)db_query(&scratch, &stmts[UNLOCK], NULL);
        op_free(&scratch);
    }
    return fault;
}

/* One save or deletion at a time: two of the same name would share a folder. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static enum fault in_turn(struct op *op, const char *name,
                          enum fault (*change)(struct op *op, const char *name))
{
    enum fault fault;

    if (pthread_mutex_trylock(&turn) != 0)
        return fail_on(op, "SnapshotBusy", CONFLICT,
                       "Another snapshot is being saved or deleted. Try again when it is done.");
    fault = change(op, name);
    pthread_mutex_unlock(&turn);
    return fault;
}

enum fault saved_save(struct op *op, const char *name)
{
    TRY(check_supported(op));
    TRY(check_name(op, name));
    return in_turn(op, name, save_locked);
}

enum fault saved_list(struct op *op, struct saved **ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(check_supported(op));
    TRY(db_query(op, &stmts[LIST], &rows, DB_TEXT(NULL)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = (struct saved){.name = db_text(&rows, "name"),
                                     .created = db_text(&rows, "created"),
                                     .blobs = db_int(&rows, "blobs"),
                                     .blob_bytes = db_int(&rows, "blob_bytes"),
                                     .table_bytes = db_int(&rows, "table_bytes")};
    *ret_n = n;
    return OK;
}

static enum fault drop(struct op *op, const char *name)
{
    TRY(must_be(op, name));
    TRY(db_begin(op));
    TRY(db_query(op, &stmts[DROP], NULL, DB_TEXT(name)));
    TRY(db_commit(op));
    return folder_remove(op, AT_FDCWD, blobs_of(op, name));
}

enum fault saved_delete(struct op *op, const char *name)
{
    TRY(check_supported(op));
    return in_turn(op, name, drop);
}

/* ---- loading ---- */

static enum fault must_fit(struct op *op, const char *name)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[FITS], &rows, DB_TEXT(name)));
    if (db_next(&rows) && db_bool(&rows, "fits"))
        return OK;
    return fail_on(op, "SnapshotOfAnotherVersion", CONFLICT,
                   "It was saved by another version of Sundog, whose tables differ.");
}

static enum fault write_wish(struct op *op, const char *name)
{
    const char *path = wish_path(op), *fresh = arena_printf(&op->arena, "%s.new", path);

    TRY(file_write(op, fresh, BYTES(name)));
    if (rename(fresh, path) < 0)
        return fail(op, UNAVAILABLE, "cannot rename %s: %s", fresh, strerror(errno));
    return folder_sync(op, settings->data);
}

/* *ret: the state's name. */
static enum fault check_wish(struct op *op, const char *name, const char **ret)
{
    struct saved saved;
    bool there;

    TRY(check_supported(op));
    if (name)
        TRY(must_be(op, name));
    *ret = name ? name : FIRST;
    TRY(find(op, *ret, &saved, &there));
    if (!there)
        return fail_on(op, "NotSupported", UNSUPPORTED,
                       "This data folder was first started by a version that kept nothing for a "
                       "reset.");
    return must_fit(op, *ret);
}

enum fault saved_wish(struct op *op, const char *name)
{
    TRY(check_wish(op, name, &name));
    TRY(restart_check(op));
    return write_wish(op, name);
}

static enum fault load(struct op *op, const char *name, const struct service *const *services)
{
    struct copy blobs;
    struct saved saved;
    bool there;

    TRY(find(op, name, &saved, &there));
    if (!there)
        return fail(op, NOT_FOUND, "there is no snapshot '%s'", name);
    TRY(must_fit(op, name));
    for (const struct service *const *p = services; *p; p++)
        if ((*p)->end_all)
            TRY((*p)->end_all(op, settings));
    TRY(link_blobs(op, blobs_of(op, name), settings->blobs, &blobs));
    if (blobs.files != saved.blobs)
        return fail(op, UNAVAILABLE, "%s holds %lld blobs, and held %lld", blobs_of(op, name),
                    (long long)blobs.files, (long long)saved.blobs);
    TRY(db_begin(op));
    TRY(db_exec(op, "SET LOCAL statement_timeout = 0"));
    TRY(db_query(op, &stmts[LOAD], NULL, DB_TEXT(name)));
    TRY(db_commit(op));
    loaded_s = wall_s();
    return OK;
}

/* What stands in DATA/load; NULL: nothing. */
static const char *wish(struct op *op)
{
    struct bytes text;

    if (local_file(op, wish_path(op), &text) == OK && text.len > 0 && text.len <= SAVED_NAME_MAX)
        return arena_strndup(&op->arena, text.data, text.len);
    op_clear_fault(op);
    return NULL;
}

static enum fault fulfil(struct op *op, const char *name, const struct service *const *services)
{
    enum fault fault = load(op, name, services);

    if (fault != OK) { /* the old state stands, whole */
        snprintf(failure, sizeof(failure), "%s", op->message ? op->message : fault_name(fault));
        log_event(LOG_ERROR_, "a saved state was not loaded", "name=%s reason=%s",
                  log_quote(&op->arena, name), log_quote(&op->arena, failure));
        db_rollback(op);
        op_clear_fault(op);
    }
    if (unlink(wish_path(op)) < 0)
        return fail(op, UNAVAILABLE, "cannot remove %s: %s", wish_path(op), strerror(errno));
    return folder_sync(op, settings->data);
}

/* Folders whose state was not committed, or is deleted. */
static enum fault remove_leftovers(struct op *op)
{
    const char *path = arena_printf(&op->arena, "%s/saved", settings->blobs);
    DIR *dir = opendir(path);
    enum fault fault = OK;
    struct dirent *entry;

    while (dir && fault == OK && (entry = readdir(dir))) {
        struct saved saved;
        bool there = true;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        fault = find(op, entry->d_name, &saved, &there);
        if (fault == OK && !there)
            fault =
                folder_remove(op, AT_FDCWD, arena_printf(&op->arena, "%s/%s", path, entry->d_name));
    }
    if (dir)
        closedir(dir);
    return fault;
}

static enum fault mark_new(struct op *op)
{
    struct db_rows rows;
    struct saved saved;
    bool there;

    TRY(db_query(op, &stmts[IS_NEW], &rows));
    if (!db_next(&rows) || !db_bool(&rows, "yes"))
        return OK;
    TRY(find(op, NEW_MARK, &saved, &there));
    return there ? OK : db_query(op, &stmts[SAVE], NULL, DB_TEXT(NEW_MARK), DB_INT(0), DB_INT(0));
}

enum fault saved_begin(struct op *op, const struct settings *s,
                       const struct service *const *services)
{
    const char *name;

    settings = s;
    random_uuid(process);
    db_register(stmts);
    if (db_is_shared())
        return OK;
    TRY(mark_new(op));
    name = wish(op);
    if (name)
        TRY(fulfil(op, name, services));
    return remove_leftovers(op);
}

enum fault saved_keep_first(struct op *op, const struct settings *s)
{
    struct saved saved;
    bool there;

    (void)s;
    if (db_is_shared())
        return OK;
    TRY(find(op, NEW_MARK, &saved, &there));
    if (!there)
        return OK;
    TRY(find(op, FIRST, &saved, &there));
    if (!there)
        TRY(save_locked(op, FIRST));
    return db_query(op, &stmts[DROP], NULL, DB_TEXT(NEW_MARK));
}
