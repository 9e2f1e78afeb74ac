/* Volumes that need more than a folder: shares of a storage account, and git repositories, which
   are cloned on the slow pool, one after the other. */
#include <stdlib.h>
#include <string.h>

#include "core/pool.h"
#include "instances/group_pass.h"

#define CLONE_AGAIN_MS 10000

enum fault group_volumes_check(struct op *op, struct group_pass *p, bool *ret_good)
{
    *ret_good = true;
    for (size_t i = 0; i < p->spec.n_volumes; i++) {
        const struct group_volume *v = &p->spec.volumes[i];
        enum fault fault;

        if (v->spec.kind != VOLUME_SHARE)
            continue;
        fault = storage_account_check(op, v->spec.account, v->key ? v->key : "");
        if (fault != FORBIDDEN) {
            TRY(fault);
            continue;
        }
        pass_event(op, p, NULL, true, "FailedMount",
                   "MountVolume.SetUp failed for volume \"%s\": "
                   "%s",
                   v->spec.name, op->message);
        pass_fail(op, p, "FailedMount", op->message);
        op_clear_fault(op);
        *ret_good = false;
        return OK;
    }
    return OK;
}

/* ---- cloning ---- */

struct clone {
    struct clone *next;
    struct task task;
    int64_t group_id;
    char *sandbox, *volume, *repository, *revision, *directory, *message;
    bool done;
    enum fault fault;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct clone *clones;

static char *copy(const char *s)
{
    char *c = s ? strdup(s) : NULL;

    if (s && !c)
        abort();
    return c;
}

static void clone_free(struct clone *c)
{
    free(c->sandbox);
    free(c->volume);
    free(c->repository);
    free(c->revision);
    free(c->directory);
    free(c->message);
    free(c);
}

static void clone_on_slow(struct task *task, struct db *db)
{
    struct clone *c = (struct clone *)((char *)task - offsetof(struct clone, task));
    int64_t group_id = c->group_id;
    enum fault fault;
    struct op op;

    (void)db;
    op_init(&op);
    fault = sandbox_clone(&op, c->sandbox, c->volume, c->repository, c->revision, c->directory);
    pthread_mutex_lock(&lock);
    c->message = copy(op.message ? op.message : "");
    c->fault = fault;
    c->done = true;
    pthread_mutex_unlock(&lock);
    op_free(&op);
    container_group_wake(group_id);
}

/* Under the lock. */
static struct clone **find(const char *sandbox, const char *volume)
{
    struct clone **at = &clones;

    while (*at && (strcmp((*at)->sandbox, sandbox) != 0 || strcmp((*at)->volume, volume) != 0))
        at = &(*at)->next;
    return at;
}

static bool begin_clone(const struct group_pass *p, const struct group_volume *v)
{
    struct clone *c = calloc(1, sizeof(*c));

    if (!c)
        abort();
    c->group_id = p->g.id;
    c->sandbox = copy(p->sandbox);
    c->volume = copy(v->spec.name);
    c->repository = copy(v->repository);
    c->revision = copy(v->revision);
    c->directory = copy(v->directory);
    c->task.run = clone_on_slow;
    pthread_mutex_lock(&lock);
    c->next = clones;
    clones = c;
    pthread_mutex_unlock(&lock);
    if (pool_post(slow_pool, &c->task))
        return true;
    pthread_mutex_lock(&lock);
    *find(p->sandbox, v->spec.name) = c->next;
    pthread_mutex_unlock(&lock);
    clone_free(c);
    return false;
}

/* NULL: none is done; *ret_running: one is under way. */
static struct clone *take_done(const char *sandbox, const char *volume, bool *ret_running)
{
    struct clone **at, *c;

    pthread_mutex_lock(&lock);
    at = find(sandbox, volume);
    c = *at;
    *ret_running = c && !c->done;
    if (c && c->done)
        *at = c->next;
    else
        c = NULL;
    pthread_mutex_unlock(&lock);
    return c;
}

static void clone_failed(struct op *op, struct group_pass *p, const struct clone *c)
{
    const char *why = arena_strdup(&op->arena, c->message);

    pass_event(op, p, NULL, true, "FailedMount", "MountVolume.SetUp failed for volume \"%s\": %s",
               c->volume, why);
    if (c->fault == INVALID || c->fault == NOT_FOUND || c->fault == FORBIDDEN)
        pass_fail(op, p, "FailedMount", why);
    else
        pass_again(p, CLONE_AGAIN_MS);
}

static const struct group_volume *volume_to_clone(const struct group_pass *p)
{
    int64_t n = 0;

    for (size_t i = 0; i < p->spec.n_volumes; i++)
        if (p->spec.volumes[i].spec.kind == VOLUME_GIT && n++ == p->g.cloned)
            return &p->spec.volumes[i];
    return NULL;
}

enum fault group_clone(struct op *op, struct group_pass *p, bool *ret_all)
{
    const struct group_volume *v = volume_to_clone(p);
    struct clone *c;
    bool running;

    *ret_all = v == NULL;
    if (!v)
        return OK;
    c = take_done(p->sandbox, v->spec.name, &running);
    if (c) {
        if (c->fault == OK)
            p->g.cloned++;
        else
            clone_failed(op, p, c);
        if (c->fault == OK)
            pass_again(p, 0);
        clone_free(c);
        return OK;
    }
    if (!running && !begin_clone(p, v))
        return fail(op, UNAVAILABLE, "too many other things are being fetched");
    return OK;
}
