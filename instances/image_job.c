/*
 * Attempts to have an image ready, one for each wake and name: fetching on a pool with connections,
 * each layer on a pool of two (as many as unpack at once without standing in each other's way).
 * Whoever ends last tells the listener. A finished attempt is remembered, so that its failure is
 * answered and not repeated, until it is forgotten by its asker, or an hour has passed.
 *
 *~ A thread of its own lets layers settle on the disk and removes those that nobody uses.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "core/log.h"
#include "core/pool.h"
#include "instances/image_parts.h"
#include "instances/layer.h"
#include "registry/blob.h"

#define FETCH_THREADS   4
#define UNPACK_THREADS  2
#define QUEUE_MAX       8192
#define BUCKETS         256
#define REMEMBER_MS     ((int64_t)3600 * 1000)
#define SETTLE_AFTER_MS 10000
#define COLLECT_MAX_S   3600

struct job {
    struct job *next;
    struct task task;
    struct arena arena; /* of all texts below */
    const char *wake, *name;
    struct image_fetch ask; /* host NULL: nothing to fetch */
    struct image_end {
        enum fault fault;
        const char *message, *noun;
    } end;
    struct hidden_image where;
    size_t left;                 /* layers still to unpack, and one while they are handed out */
    bool worked, done, detached; /* detached: in no bucket; its end frees it */
    int64_t done_ms;
};
struct layer_task {
    struct task task;
    struct job *job;
    const char *digest, *diff_id;
    int64_t size;
};

#define USERS_MAX 4 /* container groups, pods */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *buckets[BUCKETS];
    struct pool *fetch, *unpack;
    bool ending;
    void (*event[USERS_MAX])(const char *wake);
    const char *const *(*in_use[USERS_MAX])(struct op *op);
    size_t n_events, n_in_use;
    pthread_t keeper;
    bool has_keeper;
    int64_t settle_ms; /* when to; 0: there is nothing to settle */
    int64_t keep_s;
} jobs = {.lock = PTHREAD_MUTEX_INITIALIZER};

void image_on_event(void (*event)(const char *wake))
{
    pthread_mutex_lock(&jobs.lock);
    if (jobs.n_events < USERS_MAX)
        jobs.event[jobs.n_events++] = event;
    pthread_mutex_unlock(&jobs.lock);
}

void image_add_in_use(const char *const *(*in_use)(struct op *op))
{
    pthread_mutex_lock(&jobs.lock);
    if (jobs.n_in_use < USERS_MAX)
        jobs.in_use[jobs.n_in_use++] = in_use;
    pthread_mutex_unlock(&jobs.lock);
}

/* ---- the table; under the lock ---- */

static struct job **bucket(const char *wake)
{
    size_t h = 5381;

    for (const char *c = wake; *c; c++)
        h = h * 33 + (unsigned char)*c;
    return &jobs.buckets[h % BUCKETS];
}

static void job_free(struct job *job)
{
    arena_free(&job->arena);
    free(job);
}

/* Out of the table; one that runs is freed at its end. */
static void take_out(struct job **at)
{
    struct job *job = *at;

    *at = job->next;
    job->next = NULL;
    job->detached = true;
    if (job->done)
        job_free(job);
}

static struct job **find(const char *wake, const char *name)
{
    struct job **at = bucket(wake);

    while (*at && (strcmp((*at)->wake, wake) != 0 || strcmp((*at)->name, name) != 0))
        at = &(*at)->next;
    return at;
}

static void purge(int64_t now)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct job **at = &jobs.buckets[i]; *at;)
            if ((*at)->done && now - (*at)->done_ms > REMEMBER_MS)
                take_out(at);
            else
                at = &(*at)->next;
}

enum image_job_state image_job_state(struct op *op, const char *wake, const char *name,
                                     struct image_job_end *ret)
{
    enum image_job_state state = JOB_NONE;
    struct job *job;

    pthread_mutex_lock(&jobs.lock);
    job = *find(wake, name);
    if (job)
        state = job->done ? JOB_DONE : JOB_RUNNING;
    if (state == JOB_DONE) {
        *ret = (struct image_job_end){job->end.fault, job->where, job->worked};
        if (job->where.repository)
            ret->where.repository = arena_strdup(&op->arena, job->where.repository);
        if (job->end.fault != OK)
            fail_on(op, job->end.noun ? arena_strdup(&op->arena, job->end.noun) : NULL,
                    job->end.fault, "%s", job->end.message);
    }
    pthread_mutex_unlock(&jobs.lock);
    return state;
}

void image_forget(const char *wake)
{
    pthread_mutex_lock(&jobs.lock);
    for (struct job **at = bucket(wake); *at;)
        if (strcmp((*at)->wake, wake) == 0)
            take_out(at);
        else
            at = &(*at)->next;
    pthread_mutex_unlock(&jobs.lock);
}

static struct job *job_new(const char *wake, const char *name)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        abort();
    arena_init(&job->arena);
    job->wake = arena_strdup(&job->arena, wake);
    job->name = arena_strdup(&job->arena, name);
    job->left = 1;
    return job;
}

/* False: the same is going on. What an earlier one came to is not wanted any more. */
static bool put_in(struct job *job)
{
    struct job **at;

    purge(now_ms());
    at = find(job->wake, job->name);
    if (*at && !(*at)->done)
        return false;
    if (*at)
        take_out(at);
    at = bucket(job->wake);
    job->next = *at;
    *at = job;
    return true;
}

/* ---- the end of a job ---- */

static void keep_fault(struct job *job, struct op *op, enum fault fault)
{
    if (job->end.fault != OK)
        return; /* the first one says why */
    job->end.fault = fault;
    job->end.message = arena_strdup(&job->arena, op->message ? op->message : fault_name(fault));
    job->end.noun = op->noun ? arena_strdup(&job->arena, op->noun) : NULL;
}

/* One piece of it has ended. The last one tells. */
static void piece_ended(struct job *job, struct op *op, enum fault fault)
{
    void (*events[USERS_MAX])(const char *wake);
    char *wake = NULL;
    size_t n = 0;

    pthread_mutex_lock(&jobs.lock);
    if (fault != OK)
        keep_fault(job, op, fault);
    if (--job->left == 0) {
        wake = strdup(job->wake);
        n = jobs.n_events;
        memcpy(events, jobs.event, sizeof(events));
        job->done = true;
        job->done_ms = now_ms();
        if (job->worked && jobs.settle_ms == 0) {
            jobs.settle_ms = now_ms() + SETTLE_AFTER_MS;
            pthread_cond_signal(&jobs.changed);
        }
        if (job->detached)
            job_free(job);
    }
    pthread_mutex_unlock(&jobs.lock);
    for (size_t i = 0; i < n && wake; i++)
        events[i](wake);
    free(wake);
}

/* ---- layers ---- */

static enum fault unpack_one(struct op *op, const struct layer_task *t)
{
    AUTO_CLOSE int fd = -1;

    if (layer_is_there(t->diff_id))
        return OK;
    if (blob_open(op, t->digest, t->size, &fd) != OK) {
        op_clear_fault(op);
        return fail_on(op, "image", NOT_FOUND, "the image %s has lost its layer %.19s",
                       t->job->name, t->digest);
    }
    return layer_unpack(op, t->diff_id, fd);
}

static void run_layer(struct task *task, struct db *db)
{
    struct layer_task *t = (struct layer_task *)task;
    enum fault fault;
    struct op op;
    bool skip;

    (void)db;
    op_init(&op);
    pthread_mutex_lock(&jobs.lock);
    skip = jobs.ending || t->job->end.fault != OK;
    pthread_mutex_unlock(&jobs.lock);
    fault = skip ? fail(&op, UNAVAILABLE, "the service is stopping") : unpack_one(&op, t);
    piece_ended(t->job, &op, fault);
    op_free(&op);
    free(t);
}

/* Hands out the layers that are missing. The job has one piece of ours meanwhile. */
static void hand_out(struct job *job, const struct image_parts *parts)
{
    for (size_t i = 0; i < parts->n_layers; i++) {
        const struct image_layer *layer = &parts->layers[i];
        struct layer_task *t;

        if (layer_is_there(layer->diff_id))
            continue;
        t = calloc(1, sizeof(*t));
        if (!t)
            abort();
        pthread_mutex_lock(&jobs.lock);
        job->left++;
        job->worked = true;
        *t = (struct layer_task){.task.run = run_layer,
                                 .job = job,
                                 .digest = arena_strdup(&job->arena, layer->digest),
                                 .diff_id = arena_strdup(&job->arena, layer->diff_id),
                                 .size = layer->size};
        pthread_mutex_unlock(&jobs.lock);
        pool_post_always(jobs.unpack, &t->task);
    }
}

static enum fault too_much(struct op *op)
{
    return fail_on(op, "image", UNAVAILABLE, "too many images are being pulled: try again");
}

enum fault image_job_unpack(struct op *op, const char *wake, const char *name,
                            const struct image_parts *parts)
{
    struct job *job = job_new(wake, name);
    bool is_new;

    pthread_mutex_lock(&jobs.lock);
    if (!jobs.unpack || jobs.ending || pool_depth(jobs.unpack) > QUEUE_MAX) {
        pthread_mutex_unlock(&jobs.lock);
        job_free(job);
        return too_much(op);
    }
    is_new = put_in(job);
    pthread_mutex_unlock(&jobs.lock);
    if (!is_new) {
        job_free(job);
        return OK;
    }
    hand_out(job, parts);
    piece_ended(job, op, OK);
    return OK;
}

/* ---- fetching ---- */

static enum fault fetch_one(struct op *op, struct job *job)
{
    struct hidden_image where;
    struct image_parts parts;

    TRY(image_fetch(op, &job->ask, &where));
    TRY(image_find(op, job->name, where.registry_id, false, where.repository, job->ask.reference,
                   &parts));
    pthread_mutex_lock(&jobs.lock);
    job->where = where;
    job->where.repository = arena_strdup(&job->arena, where.repository);
    pthread_mutex_unlock(&jobs.lock);
    hand_out(job, &parts);
    return OK;
}

static void run_fetch(struct task *task, struct db *db)
{
    struct job *job = (struct job *)((char *)task - offsetof(struct job, task));
    enum fault fault;
    struct op op;
    bool ending;

    op_init(&op);
    op.db = db;
    pthread_mutex_lock(&jobs.lock);
    ending = jobs.ending;
    pthread_mutex_unlock(&jobs.lock);
    fault = ending ? fail(&op, UNAVAILABLE, "the service is stopping") : fetch_one(&op, job);
    db_op_ended(&op);
    piece_ended(job, &op, fault);
    op.db = NULL;
    op_free(&op);
}

static const char *copy(struct job *job, const char *text)
{
    return text && *text ? arena_strdup(&job->arena, text) : NULL;
}

enum fault image_job_fetch(struct op *op, const char *wake, const struct image_name *name,
                           const struct image_credential *credential)
{
    struct job *job = job_new(wake, name->text);
    bool is_new = false, posted = false;

    job->task.run = run_fetch;
    job->ask = (struct image_fetch){
        .what = job->name,
        .host = copy(job, name->host),
        .repository = copy(job, name->repository),
        .reference = copy(job, name->reference),
        .username = credential ? copy(job, credential->username) : NULL,
        .password = credential ? copy(job, credential->password) : NULL,
        .asked_ms = now_ms(),
    };
    pthread_mutex_lock(&jobs.lock);
    if (jobs.fetch && !jobs.ending && pool_depth(jobs.fetch) < QUEUE_MAX) {
        is_new = put_in(job);
        if (is_new)
            pool_post_always(jobs.fetch, &job->task);
        posted = true;
    }
    pthread_mutex_unlock(&jobs.lock);
    if (!is_new)
        job_free(job);
    return posted ? OK : too_much(op);
}

/* ---- the keeper ---- */

/* What all users together have in use; NULL: one of them cannot tell. */
static const char *const *all_in_use(struct op *op)
{
    const char *const *lists[USERS_MAX];
    const char **all;
    size_t users, n = 0;

    pthread_mutex_lock(&jobs.lock);
    users = jobs.n_in_use;
    pthread_mutex_unlock(&jobs.lock);
    for (size_t i = 0; i < users; i++) {
        lists[i] = jobs.in_use[i](op);
        if (!lists[i])
            return NULL;
        for (size_t k = 0; lists[i][k]; k++)
            n++;
    }
    all = arena_alloc(&op->arena, (n + 1) * sizeof(*all));
    n = 0;
    for (size_t i = 0; i < users; i++)
        for (size_t k = 0; lists[i][k]; k++)
            all[n++] = lists[i][k];
    return users ? all : NULL;
}

static void collect(struct op *op, int64_t keep_s)
{
    const char *const *used = all_in_use(op);
    size_t removed = 0;
    enum fault fault = OK;

    if (used)
        fault = layer_collect(op, used, keep_s, &removed);
    if (used && fault == OK)
        fault = import_hidden_collect(op, keep_s);
    if (fault != OK)
        log_event(LOG_WARN_, "layers were not collected", "reason=%s",
                  log_quote(&op->arena, op->message ? op->message : ""));
    else if (removed)
        log_event(LOG_INFO_, "unused layers were removed", "layers=%zu", removed);
}

static void settle(struct op *op)
{
    if (layer_settle(op) != OK)
        log_event(LOG_WARN_, "layers did not settle", "reason=%s",
                  log_quote(&op->arena, op->message ? op->message : ""));
}

/* Waits until something is due. */
static void wait_until(int64_t due_ms)
{
    struct timespec at = {due_ms / 1000, due_ms % 1000 * 1000000};

    pthread_cond_timedwait(&jobs.changed, &jobs.lock, &at);
}

static void *keep(void *arg)
{
    struct db *db = db_open();
    int64_t every_ms, collect_ms;

    (void)arg;
    pthread_mutex_lock(&jobs.lock);
    every_ms = jobs.keep_s < 1 ? 1000 : jobs.keep_s * 1000;
    every_ms = every_ms > COLLECT_MAX_S * 1000 ? COLLECT_MAX_S * 1000 : every_ms;
    collect_ms = now_ms() + (every_ms < 60000 ? every_ms : 60000);
    while (!jobs.ending) {
        int64_t now = now_ms(), keep_s = jobs.keep_s;
        bool settles = jobs.settle_ms && jobs.settle_ms <= now, collects = collect_ms <= now;
        struct op op;

        if (!settles && !collects) {
            wait_until(jobs.settle_ms && jobs.settle_ms < collect_ms ? jobs.settle_ms : collect_ms);
            continue;
        }
        if (settles)
            jobs.settle_ms = 0;
        if (collects)
            collect_ms = now + every_ms;
        pthread_mutex_unlock(&jobs.lock);
        op_init(&op);
        op.db = db;
        if (settles)
            settle(&op);
        if (collects)
            collect(&op, keep_s);
        db_op_ended(&op);
        op.db = NULL;
        op_free(&op);
        pthread_mutex_lock(&jobs.lock);
    }
    pthread_mutex_unlock(&jobs.lock);
    db_close(db);
    return NULL;
}

enum fault image_job_start(struct op *op, const struct settings *settings)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&jobs.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    jobs.ending = false;
    jobs.keep_s = settings->layer_keep_s;
    jobs.settle_ms = now_ms() + SETTLE_AFTER_MS; /* what an earlier serve has left */
    jobs.fetch = pool_new("pull", FETCH_THREADS, QUEUE_MAX, true);
    jobs.unpack = pool_new("unpack", UNPACK_THREADS, QUEUE_MAX, false);
    jobs.has_keeper = pthread_create(&jobs.keeper, NULL, keep, NULL) == 0;
    return jobs.has_keeper ? OK : fail(op, UNAVAILABLE, "a thread cannot be started");
}

void image_job_stop(void)
{
    pthread_mutex_lock(&jobs.lock);
    if (!jobs.fetch) {
        pthread_mutex_unlock(&jobs.lock);
        return;
    }
    jobs.ending = true;
    jobs.n_events = jobs.n_in_use = 0;
    pthread_cond_broadcast(&jobs.changed);
    pthread_mutex_unlock(&jobs.lock);
    import_hidden_stop();
    if (jobs.has_keeper)
        pthread_join(jobs.keeper, NULL);
    pool_free(jobs.fetch); /* first: it posts to the other */
    pool_free(jobs.unpack);
    pthread_mutex_lock(&jobs.lock);
    jobs.fetch = jobs.unpack = NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        while (jobs.buckets[i])
            take_out(&jobs.buckets[i]);
    pthread_mutex_unlock(&jobs.lock);
    pthread_cond_destroy(&jobs.changed);
}
