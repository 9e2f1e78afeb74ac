#include "registry/collect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/db.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/saved.h"
#include "registry/blob.h"
#include "registry/names.h"
#include "registry/pulls.h"
#include "registry/registry.h"
#include "registry/retention.h"
#include "registry/upload.h"

#define UPLOADS_A_ROUND 1000
#define LINKS_AT_ONCE   1000
#define BLOBS_AT_ONCE   2000
#define BLOBS_A_ROUND   20000
#define FOLDERS         512
#define FOLDERS_A_ROUND 16 /* of them: a walk through the store takes some 32 rounds */
#define NAMES_AT_ONCE   1000
#define ORPHAN_AGE_S    86400
#define PULLS_EVERY_S   5
#define USAGE_EVERY_S   60
/* /metrics shows these many by name: each costs a query */
#define USAGE_REGISTRIES_MAX 100

static struct metric rounds = {"sundog_gc_rounds_total", "rounds of garbage collection", "counter"};
static struct metric failed_rounds = {"sundog_gc_failed_rounds_total",
                                      "rounds that ended with a fault", "counter"};
static struct metric uploads_expired = {"sundog_gc_uploads_expired_total",
                                        "unfinished uploads removed", "counter"};
static struct metric links_deleted = {"sundog_gc_links_deleted_total",
                                      "repositories' links to blobs removed", "counter"};
static struct metric blobs_deleted = {"sundog_gc_blobs_deleted_total", "blobs removed", "counter"};
static struct metric bytes_freed = {"sundog_gc_bytes_freed_total", "bytes of removed blobs",
                                    "counter"};
static struct metric round_at = {"sundog_gc_last_round_seconds",
                                 "when a round last ended well, in seconds since 1970", "gauge"};
static struct metric blobs_waiting = {"sundog_gc_blobs_waiting",
                                      "blobs that no manifest names and leases keep", "gauge"};
static struct metric bytes_waiting = {"sundog_gc_bytes_waiting", "bytes of those blobs", "gauge"};
static struct metric orphans_deleted = {"sundog_gc_orphans_deleted_total",
                                        "files without a row removed", "counter"};

static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool running, ending, swept;
    char cursor[DIGEST_MAX + 1]; /* where the walk through the blobs goes on */
    unsigned folder;             /* and that through the folders */
    char *usage;                 /* lines for /metrics, under lock */
} collector = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static bool is_ending(void)
{
    bool ending;

    pthread_mutex_lock(&collector.lock);
    ending = collector.ending;
    pthread_mutex_unlock(&collector.lock);
    return ending;
}

/* ---- uploads ---- */

/* Somebody writes to it right now: whatever its row says, it is not given up. */
static bool is_in_use(const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fd >= 0 && fcntl(fd, F_OFD_SETLK, &whole) != 0;
}

static enum fault expire_uploads(struct op *op)
{
    const char **ids;
    size_t n;

    TRY(collect_expired_uploads(op, UPLOADS_A_ROUND, &ids, &n));
    for (size_t i = 0; i < n; i++) {
        const char *path = upload_path(op, ids[i]);
        bool deleted;

        if (is_in_use(path))
            continue;
        TRY(collect_upload(op, ids[i], &deleted));
        if (!deleted)
            continue;
        unlink(path);
        atomic_fetch_add(&uploads_expired.value, 1);
    }
    return OK;
}

/* ---- links and blobs ---- */

static enum fault collect_all_links(struct op *op)
{
    int64_t seen = LINKS_AT_ONCE, deleted;

    while (seen == LINKS_AT_ONCE && !is_ending()) {
        TRY(collect_links(op, LINKS_AT_ONCE, &seen, &deleted));
        atomic_fetch_add(&links_deleted.value, deleted);
    }
    return OK;
}

/*
 * The row goes, durably; then the file, still under the digest's lock, so that nobody can have put
 * a new one there. The lock is the connection's, so look once more whether it is the file we meant.
 */
static enum fault delete_blob(struct op *op, const struct loose_blob *blob)
{
    const char *path = blob_path(op, blob->digest);
    struct stat before, now;
    bool there = stat(path, &before) == 0, deleted;

    TRY(collect_blob(op, blob->digest, &deleted));
    if (!deleted)
        return OK;
    atomic_fetch_add(&blobs_deleted.value, 1);
    if (there && stat(path, &now) == 0 && now.st_ino == before.st_ino && unlink(path) == 0)
        atomic_fetch_add(&bytes_freed.value, blob->size);
    return OK;
}

static enum fault delete_blob_locked(struct op *op, const struct loose_blob *blob)
{
    enum fault fault;
    bool locked;

    TRY(collect_lock_blob(op, blob->digest, &locked));
    if (!locked)
        return OK; /* somebody is pushing it */
    fault = delete_blob(op, blob);
    collect_unlock_blob(op, blob->digest);
    return fault;
}

static enum fault collect_blobs(struct op *op)
{
    const char *cursor = arena_strdup(&op->arena, collector.cursor);
    struct loose_blob *blobs;
    size_t n;

    for (int walked = 0; walked < BLOBS_A_ROUND && !is_ending(); walked += BLOBS_AT_ONCE) {
        TRY(collect_loose_blobs(op, &cursor, BLOBS_AT_ONCE, &blobs, &n));
        for (size_t i = 0; i < n; i++)
            TRY(delete_blob_locked(op, &blobs[i]));
        memcpy(collector.cursor, cursor, strlen(cursor) + 1);
        if (!*cursor)
            break;
    }
    return OK;
}

/* ---- files without a row ---- */

/* The next names of a folder that nobody has written to for a day, or since another state was
   loaded, which knows what it names; at most NAMES_AT_ONCE. */
static size_t old_files(struct op *op, DIR *dir, const char **names)
{
    time_t day_ago = time(NULL) - ORPHAN_AGE_S, before = saved_loaded_s();
    struct dirent *entry;
    struct stat st;
    size_t n = 0;

    while (dir && n < NAMES_AT_ONCE && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 &&
            st.st_mtime < (before > day_ago ? before : day_ago))
            names[n++] = arena_strdup(&op->arena, entry->d_name);
    return n;
}

/* judge() deletes what has no row among these names. */
static enum fault sweep(struct op *op, const char *folder, const char *prefix,
                        enum fault (*judge)(struct op *op, const char **names, size_t n))
{
    const char **names = arena_alloc(&op->arena, NAMES_AT_ONCE * sizeof(*names));
    enum fault fault = OK;
    DIR *dir = opendir(folder);
    size_t n;

    while (fault == OK && !is_ending() && (n = old_files(op, dir, names)) > 0) {
        for (size_t i = 0; i < n; i++)
            names[i] = arena_printf(&op->arena, "%s%s", prefix, names[i]);
        fault = judge(op, names, n);
    }
    if (dir)
        closedir(dir);
    return fault;
}

static size_t keep_valid(const char **names, size_t n, bool (*is_valid)(const char *name))
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (is_valid(names[i]))
            names[kept++] = names[i];
    return kept;
}

static bool is_among(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static enum fault delete_orphan(struct op *op, const char *digest)
{
    bool locked;
    int64_t size;
    enum fault fault;

    TRY(collect_lock_blob(op, digest, &locked));
    if (!locked)
        return OK;
    fault = blob_row_size(op, digest, &size);
    if (fault == OK && size < 0 && unlink(blob_path(op, digest)) == 0)
        atomic_fetch_add(&orphans_deleted.value, 1);
    collect_unlock_blob(op, digest);
    return fault;
}

static enum fault judge_blobs(struct op *op, const char **digests, size_t n)
{
    const char **known;
    size_t n_known;

    n = keep_valid(digests, n, digest_is_valid);
    TRY(collect_known_blobs(op, digests, n, &known, &n_known));
    for (size_t i = 0; i < n; i++)
        if (!is_among(digests[i], known, n_known))
            TRY(delete_orphan(op, digests[i]));
    return OK;
}

static enum fault judge_uploads(struct op *op, const char **ids, size_t n)
{
    const char **known;
    size_t n_known;

    n = keep_valid(ids, n, uuid_is_valid);
    TRY(collect_known_uploads(op, ids, n, &known, &n_known));
    for (size_t i = 0; i < n; i++) {
        const char *path = upload_path(op, ids[i]);

        if (!is_among(ids[i], known, n_known) && !is_in_use(path) && unlink(path) == 0)
            atomic_fetch_add(&orphans_deleted.value, 1);
    }
    return OK;
}

static enum fault sweep_folder(struct op *op, const char *algorithm, unsigned number)
{
    const char *folder =
        arena_printf(&op->arena, "%s/%s/%02x", registry_settings->blobs, algorithm, number);

    return sweep(op, folder, arena_printf(&op->arena, "%s:", algorithm), judge_blobs);
}

static enum fault sweep_blobs(struct op *op)
{
    int folders = FOLDERS_A_ROUND;

    if (saved_loaded_s() && !collector.swept) { /* the whole of the state before is garbage */
        collector.swept = true;
        folders = FOLDERS;
    }
    for (int i = 0; i < folders && !is_ending(); i++) {
        unsigned at = collector.folder;

        TRY(sweep_folder(op, at < 256 ? "sha256" : "sha512", at % 256));
        collector.folder = (at + 1) % FOLDERS;
    }
    return OK;
}

static enum fault sweep_uploads(struct op *op)
{
    return sweep(op, arena_printf(&op->arena, "%s/uploads", registry_settings->blobs), "",
                 judge_uploads);
}

/* ---- rounds ---- */

static enum fault collect_everything(struct op *op)
{
    TRY(retention_round(op)); /* first: what it frees is garbage of this round's */
    TRY(expire_uploads(op));
    TRY(collect_all_links(op));
    TRY(collect_blobs(op));
    TRY(sweep_uploads(op));
    return sweep_blobs(op);
}

static enum fault note_waiting(struct op *op)
{
    int64_t blobs, bytes;

    TRY(collect_store_waiting(op, &blobs, &bytes));
    atomic_store(&blobs_waiting.value, blobs);
    atomic_store(&bytes_waiting.value, bytes);
    return OK;
}

enum fault collect_round(struct op *op)
{
    enum fault fault;
    bool locked;

    TRY(collect_lock(op, &locked));
    if (!locked)
        return OK;
    fault = collect_everything(op);
    if (fault != OK) {
        db_rollback(op);
        atomic_fetch_add(&failed_rounds.value, 1);
    } else {
        atomic_store(&round_at.value, wall_s());
    }
    collect_unlock(op);
    atomic_fetch_add(&rounds.value, 1);
    TRY(fault);
    return note_waiting(op);
}

/* ---- usage ---- */

static void write_number(struct text *out, const char *name, const char *help, int64_t n)
{
    metric_head(out, name, "gauge", help);
    text_printf(out, "%s %lld\n", name, (long long)n);
}

/* Family by family, as the format wants it. */
static void write_usages(struct text *out, const struct registry *const *all,
                         const struct registry_usage *usages, size_t n)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } families[] = {
        {"sundog_registry_bytes",        "bytes of a registry's blobs and manifests",
         offsetof(struct registry_usage,                                                                              bytes)       },
        {"sundog_registry_repositories", "repositories of a registry",
         offsetof(struct registry_usage,                                                                              repositories)},
        {"sundog_registry_manifests",    "manifests of a registry",
         offsetof(struct registry_usage,                                                                              manifests)   },
        {"sundog_registry_tags",         "tags of a registry",                        offsetof(struct registry_usage, tags)        },
        {"sundog_registry_blobs",        "blobs of a registry",                       offsetof(struct registry_usage, blobs)       },
    };

    for (size_t f = 0; f < ARRAY_LEN(families); f++) {
        metric_head(out, families[f].name, "gauge", families[f].help);
        for (size_t i = 0; i < n; i++) {
            int64_t value;

            memcpy(&value, (const char *)&usages[i] + families[f].offset, sizeof(value));
            text_printf(out, "%s{registry=\"%s\"} %lld\n", families[f].name, all[i]->name,
                        (long long)value);
        }
    }
}

static enum fault measure(struct op *op)
{
    const struct registry *const *all;
    struct registry_usage *usages;
    int64_t blobs, bytes;
    struct text out;
    size_t n;

    text_init(&out, &op->arena, (size_t)4 << 20);
    TRY(collect_store_size(op, &blobs, &bytes));
    write_number(&out, "sundog_store_blobs", "blobs in the store", blobs);
    write_number(&out, "sundog_store_bytes", "bytes of blobs in the store", bytes);
    all = registry_all(op, &n);
    n = n < USAGE_REGISTRIES_MAX ? n : USAGE_REGISTRIES_MAX;
    usages = arena_alloc(&op->arena, (n + 1) * sizeof(*usages));
    for (size_t i = 0; i < n; i++)
        TRY(registry_usage(op, all[i]->id, &usages[i]));
    write_usages(&out, all, usages, n);
    pthread_mutex_lock(&collector.lock);
    free(collector.usage);
    collector.usage = strdup(out.data);
    pthread_mutex_unlock(&collector.lock);
    return OK;
}

void collect_metrics(struct text *out)
{
    int64_t free_bytes = blob_free_bytes();

    write_number(out, "sundog_uploads_writing", "uploads that write now",
                 atomic_load(&uploads_writing));
    if (free_bytes >= 0)
        write_number(out, "sundog_disk_free_bytes", "free on the disk of the blobs", free_bytes);
    write_number(out, "sundog_disk_reserve_bytes", "uploads stop when less is free",
                 registry_settings->free_space_reserve);
    pthread_mutex_lock(&collector.lock);
    if (collector.usage)
        text_str(out, collector.usage);
    pthread_mutex_unlock(&collector.lock);
}

/* ---- the thread ---- */

static void run_job(struct db *db, const char *name, enum fault (*job)(struct op *op))
{
    struct op op;

    op_init(&op);
    op.db = db;
    if (job(&op) != OK)
        log_event(LOG_WARN_, "a background job of the registry failed", "job=%s reason=%s", name,
                  log_quote(&op.arena, op.message ? op.message : ""));
    db_op_ended(&op);
    op_free(&op);
}

static enum fault refresh(struct op *op)
{
    registry_refresh(op);
    return OK;
}

static void pause_a_second(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    pthread_mutex_lock(&collector.lock);
    if (!collector.ending)
        pthread_cond_timedwait(&collector.wake, &collector.lock, &until);
    pthread_mutex_unlock(&collector.lock);
}

static void *run(void *arg)
{
    struct db *db = db_open();
    int64_t second = 0;

    (void)arg;
    pthread_setname_np(pthread_self(), "collector");
    for (; !is_ending(); second++) {
        run_job(db, "refresh", refresh);
        if (second % PULLS_EVERY_S == 0)
            run_job(db, "pulls", pulls_write);
        if (second % registry_settings->collect_interval_s == 0)
            run_job(db, "collect", collect_round);
        if (second % USAGE_EVERY_S == 0)
            run_job(db, "usage", measure);
        pause_a_second();
    }
    run_job(db, "pulls", pulls_write);
    db_close(db);
    return NULL;
}

void collect_start(void)
{
    struct metric *metrics[] = {&rounds,        &failed_rounds, &uploads_expired, &links_deleted,
                                &blobs_deleted, &bytes_freed,   &orphans_deleted, &round_at,
                                &blobs_waiting, &bytes_waiting};

    for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
        metric_register(metrics[i]);
    collector.ending = false;
    collector.running = pthread_create(&collector.thread, NULL, run, NULL) == 0;
    if (!collector.running)
        abort();
}

void collect_stop(void)
{
    if (!collector.running)
        return;
    pthread_mutex_lock(&collector.lock);
    collector.ending = true;
    pthread_cond_signal(&collector.wake);
    pthread_mutex_unlock(&collector.lock);
    pthread_join(collector.thread, NULL);
    collector.running = false;
    free(collector.usage);
    collector.usage = NULL;
}
