/*
 * The reconciler of imports: a key is a job. One job holds a thread for as long as it copies; when
 * the service stops it ends at its next piece, and the next start takes it up.
 */
#include <string.h>

#include "core/db.h"
#include "core/log.h"
#include "core/reconcile.h"
#include "registry/import_job.h"

#define THREADS       4
#define TRIES         5
#define RETRY_MS      100
#define LOOK_EVERY_MS 60000

static struct reconciler *runner;

/* May the same succeed a little later? */
static bool is_passing(const struct op *op, enum fault fault)
{
    return fault == TOO_MANY ||
           (fault == UNAVAILABLE && op->noun && strcmp(op->noun, "SourceUnavailable") == 0);
}

/* The source after so many tries, or a full disk: whoever waits should hear of it. */
static bool is_final(const struct op *op)
{
    return op->noun && (strcmp(op->noun, "SourceUnavailable") == 0 ||
                        strcmp(op->noun, "StorageUnavailable") == 0);
}

/* Codes are the nouns of our own faults; what other parts of the registry say gets one here. */
static const char *code_of(const struct op *op, enum fault fault)
{
    if (fault == FORBIDDEN && op->noun && strcmp(op->noun, "lock") == 0)
        return "RegistryDisallowedOperation";
    if (op->noun && *op->noun >= 'A' && *op->noun <= 'Z')
        return op->noun;
    return fault == UNAVAILABLE ? "ServiceUnavailable" : "ImportFailed";
}

static enum fault end(struct op *op, const char *id, enum fault fault)
{
    const char *message = op->message ? op->message : "", *code = code_of(op, fault);
    bool canceled = op->noun && strcmp(op->noun, "Canceled") == 0;

    db_rollback(op);
    op_clear_fault(op);
    log_event(LOG_INFO_, "an import ended", "id=%s code=%s", id, code);
    return import_finish(op, id, canceled ? IMPORT_CANCELED : IMPORT_FAILED, code, message);
}

static enum fault after(struct op *op, const struct import_work *work, enum fault fault,
                        int64_t *ret_again_ms)
{
    if (fault == OK)
        return OK;
    if (is_passing(op, fault) && work->tries + 1 < TRIES) {
        db_rollback(op);
        op_clear_fault(op);
        *ret_again_ms = 1000LL << work->tries;
        return import_tried(op, work->id);
    }
    if (db_wants_retry(op)) {
        db_rollback(op);
        op_clear_fault(op);
        *ret_again_ms = RETRY_MS;
        return OK;
    }
    /* our own database, or the service stops: the job stays, and is tried again */
    if (fault == UNAVAILABLE && !is_final(op)) {
        db_rollback(op);
        return fault;
    }
    return end(op, work->id, fault);
}

static enum fault work_on(struct op *op, const char *id, int64_t *ret_again_ms)
{
    struct import_work work;
    enum fault fault = import_load(op, id, &work);

    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    if (work.cancelled)
        return end(op, id, fail_on(op, "Canceled", GONE, "the import was canceled"));
    return after(op, &work, import_copy(op, &work), ret_again_ms);
}

/* Also what another `serve` left. */
static enum fault find_jobs(struct op *op)
{
    const char **ids;
    size_t n;

    TRY(import_unfinished(op, &ids, &n));
    for (size_t i = 0; i < n; i++)
        reconciler_add(runner, ids[i]);
    return OK;
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    enum fault fault;
    bool locked;

    TRY(import_lock(op, key, &locked));
    if (!locked)
        return OK; /* another `serve` works on it */
    fault = work_on(op, key, ret_again_ms);
    import_unlock(op, key);
    return fault;
}

void import_wake(const char *id)
{
    reconciler_add(runner, id);
}

void import_run(void)
{
    atomic_store(&import_ending, false);
    runner = reconciler_new("import", THREADS, step);
    reconciler_sweep(runner, find_jobs, LOOK_EVERY_MS);
}

void import_stop(void)
{
    atomic_store(&import_ending, true);
    reconciler_free(runner);
    runner = NULL;
}
