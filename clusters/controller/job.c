/*
 * Jobs: pods until enough of them have succeeded, or too many failed. A pod that has ended is
 * counted once: it carries a finalizer until the job's status has it (spec.completionMode Indexed:
 * by the index that it has).
 */
#include <stdlib.h>
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/job.h"

#define TRACKING        "batch.kubernetes.io/job-tracking"
#define INDEX           JOB_INDEX
#define INDEXES_MAX     100000
#define BACKOFF_FIRST_S 10
#define BACKOFF_MAX_S   360

static const struct actor actor = {
    .name = "system:serviceaccount:kube-system:job-controller",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "kube-controller-manager",
    .trusted = true,
};

static const struct resource *pods_resource(void)
{
    return resource_find("", "v1", "pods");
}

/* ---- pods ---- */

static bool is_tracked(const json_t *pod)
{
    json_t *finalizer;
    size_t i;

    json_array_foreach(at(pod, "metadata.finalizers"), i, finalizer)
    {
        if (strcmp(json_string_value(finalizer), TRACKING) == 0)
            return true;
    }
    return false;
}

static bool has_succeeded(const json_t *pod)
{
    return strcmp(text_at_or(pod, "status.phase", ""), "Succeeded") == 0;
}

/* Ended, or deleted by somebody else: that is a failure, too (our own deletions are untracked
   before), at once unless only failed pods are replaced. */
static bool is_counted(const struct job_pass *p, const json_t *pod)
{
    return pod_has_ended(pod) ||
           (!p->only_failed && text_at(pod, "metadata.deletionTimestamp") != NULL);
}

static void count_failure(struct job_pass *p, struct object *pod)
{
    int64_t index = job_index_of(object_tree(pod));
    enum job_failure failure = job_failure_of(p, pod);

    if (failure == FAILURE_IGNORED)
        return;
    p->failed++;
    if (p->index_limit < 0 || index < 0 || index >= p->completions)
        return;
    if (failure == FAILURE_ENDS_INDEX || job_index_failures(p, index) > p->index_limit)
        p->lost[index] = true;
}

/* A pod that is not in the status yet. */
static void count_end(struct job_pass *p, struct object *pod)
{
    int64_t index = job_index_of(object_tree(pod));

    if (!has_succeeded(object_tree(pod)))
        count_failure(p, pod);
    else if (!p->indexed)
        p->succeeded++;
    else if (index >= 0 && index < p->completions)
        p->done[index] = true;
}

static void count(struct job_pass *p)
{
    p->succeeded = int_at(p->tree, "status.succeeded", 0);
    p->failed = int_at(p->tree, "status.failed", 0);
    for (size_t i = 0; i < p->pods.n; i++) {
        const json_t *pod = object_tree(p->pods.list[i]);

        if (pod_is_active(pod)) {
            p->active++;
            p->ready += object_is_ready(pod);
            continue;
        }
        p->terminating += !pod_has_ended(pod);
        if (is_tracked(pod) && is_counted(p, pod))
            count_end(p, p->pods.list[i]);
    }
    if (!p->indexed)
        return;
    p->succeeded = 0;
    for (int64_t i = 0; i < p->completions; i++) {
        p->succeeded += p->done[i];
        p->n_lost += p->lost[i];
    }
}

static enum fault untrack(struct op *op, json_t *pod, void *arg, bool *ret_skip)
{
    json_t *finalizers = at(pod, "metadata.finalizers");

    (void)op;
    (void)arg;
    *ret_skip = true;
    for (size_t i = json_array_size(finalizers); i > 0; i--)
        if (strcmp(json_string_value(json_array_get(finalizers, i - 1)), TRACKING) == 0) {
            json_array_remove(finalizers, i - 1);
            *ret_skip = false;
        }
    if (!json_array_size(finalizers))
        set_at(pod, "metadata.finalizers", NULL);
    return OK;
}

/* After the status that counts them is safe. */
static enum fault untrack_ended(struct job_pass *p, bool all)
{
    for (size_t i = 0; i < p->pods.n; i++) {
        struct object *pod = p->pods.list[i];
        const json_t *tree = object_tree(pod);
        struct rest r = rest_of(p->cluster, &actor, pods_resource(), pod->ns, pod->name);
        enum fault fault;

        if (!is_tracked(tree) || (!all && !is_counted(p, tree)))
            continue;
        fault = rest_modify(p->op, &r, untrack, NULL, NULL);
        if (fault == NOT_FOUND)
            op_clear_fault(p->op);
        else
            TRY(fault);
        moved(&p->revision, &r);
    }
    return OK;
}

/* ---- how it stands ---- */

static bool has_condition(const struct job_pass *p, const char *type)
{
    json_t *condition;
    size_t i;

    json_array_foreach(p->conditions, i, condition)
    {
        if (strcmp(text_at_or(condition, "type", ""), type) == 0 &&
            strcmp(text_at_or(condition, "status", ""), "True") == 0)
            return true;
    }
    return false;
}

static bool has_finished(const struct job_pass *p)
{
    return has_condition(p, "Complete") || has_condition(p, "Failed");
}

static void say(struct job_pass *p, const char *type, const char *status, const char *reason,
                const char *message)
{
    json_t *condition;
    size_t i;

    condition_set(p->op, p->conditions, type, status, reason, message);
    json_array_foreach(p->conditions, i, condition)
    {
        if (strcmp(text_at_or(condition, "type", ""), type) == 0)
            json_object_set_new(condition, "lastProbeTime",
                                json_string(time_text(p->op, wall_s())));
    }
}

static void finish(struct job_pass *p, const char *type, const char *reason, const char *message)
{
    bool complete = strcmp(type, "Complete") == 0;

    say(p, complete ? "SuccessCriteriaMet" : "FailureTarget", "True", reason, message);
    say(p, type, "True", reason, message);
    if (complete)
        p->completion_time = time_text(p->op, wall_s());
    rest_event(p->op, p->cluster, &actor, p->job, complete ? "Normal" : "Warning",
               complete ? "Completed" : reason, "%s", complete ? "Job completed" : message);
}

static bool is_past_deadline(struct job_pass *p)
{
    int64_t limit = int_at(p->tree, "spec.activeDeadlineSeconds", -1), start, left;

    if (limit < 0 || !p->start_time)
        return false;
    start = time_parse(p->start_time);
    left = start + limit - wall_s();
    if (left > 0)
        p->again_s = p->again_s && p->again_s < left ? p->again_s : left;
    return left <= 0;
}

/* Restarts of pods that live on (restartPolicy OnFailure) count, too. */
static int64_t failures(const struct job_pass *p)
{
    int64_t n = p->failed;
    json_t *status;
    size_t k;

    if (strcmp(text_at_or(p->tree, "spec.template.spec.restartPolicy", ""), "OnFailure") != 0)
        return n;
    for (size_t i = 0; i < p->pods.n; i++)
        json_array_foreach(at(object_tree(p->pods.list[i]), "status.containerStatuses"), k, status)
        {
            n +=
                pod_is_active(object_tree(p->pods.list[i])) ? int_at(status, "restartCount", 0) : 0;
        }
    return n;
}

static bool is_complete(const struct job_pass *p)
{
    if (p->completions >= 0)
        return p->succeeded >= p->completions;
    return p->succeeded > 0 && p->active == 0; /* a work queue: one success ends the others */
}

static void judge(struct job_pass *p)
{
    int64_t rule = job_success_rule(p), most = int_at(p->tree, "spec.maxFailedIndexes", INT32_MAX);

    if (has_finished(p))
        return;
    if (p->policy_says)
        finish(p, "Failed", "PodFailurePolicy", p->policy_says);
    else if (failures(p) > int_at(p->tree, "spec.backoffLimit", 6))
        finish(p, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    else if (is_past_deadline(p))
        finish(p, "Failed", "DeadlineExceeded", "Job was active longer than specified deadline");
    else if (p->n_lost > most)
        finish(p, "Failed", "MaxFailedIndexesExceeded",
               "Job has exceeded the specified maximal number of failed indexes");
    else if (p->n_lost && p->succeeded + p->n_lost >= p->completions)
        finish(p, "Failed", "FailedIndexes", "Job has failed indexes");
    else if (rule >= 0)
        finish(p, "Complete", "SuccessPolicy",
               arena_printf(&p->op->arena, "Matched rules at index %lld", (long long)rule));
    else if (is_complete(p))
        finish(p, "Complete", "CompletionsReached", "Reached expected number of succeeded pods");
}

static void judge_suspension(struct job_pass *p)
{
    bool was = has_condition(p, "Suspended");

    if (has_finished(p) || was == p->suspended)
        return;
    if (p->suspended) {
        say(p, "Suspended", "True", "JobSuspended", "Job suspended");
        p->start_time = NULL;
        rest_event(p->op, p->cluster, &actor, p->job, "Normal", "Suspended", "Job suspended");
    } else {
        say(p, "Suspended", "False", "JobResumed", "Job resumed");
        rest_event(p->op, p->cluster, &actor, p->job, "Normal", "Resumed", "Job resumed");
    }
    if (!p->suspended)
        p->start_time = time_text(p->op, wall_s());
}

/* ---- pods: fewer and more ---- */

static enum fault delete_active(struct job_pass *p, int64_t n)
{
    const struct delete_options options = {.grace_s = -1};

    rank_for_deletion(p->op, p->pods.list, p->pods.n);
    for (size_t i = 0; i < p->pods.n && n > 0; i++) {
        struct object *pod = p->pods.list[i];
        struct rest r = rest_of(p->cluster, &actor, pods_resource(), pod->ns, pod->name);
        enum fault fault;

        if (!pod_is_active(object_tree(pod)))
            continue;
        n--;
        p->active--;
        fault = rest_modify(p->op, &r, untrack, NULL, NULL);
        if (fault == OK)
            fault = rest_delete(p->op, &r, &options, NULL, NULL);
        if (fault == NOT_FOUND)
            op_clear_fault(p->op);
        else
            TRY(fault);
        moved(&p->revision, &r);
        rest_event(p->op, p->cluster, &actor, p->job, "Normal", "SuccessfulDelete",
                   "Deleted pod: %s", pod->name);
    }
    return OK;
}

static bool is_at_work(const struct job_pass *p, int64_t index)
{
    for (size_t i = 0; i < p->pods.n; i++) {
        const json_t *pod = object_tree(p->pods.list[i]);

        if (!pod_has_ended(pod) && job_index_of(pod) == index)
            return true;
    }
    return false;
}

/* The lowest index that is neither done nor at work; -1: none. */
static int64_t next_index(const struct job_pass *p, int64_t from)
{
    for (int64_t i = from; i < p->completions; i++)
        if (!p->done[i] && !p->lost[i] && !is_at_work(p, i))
            return i;
    return -1;
}

static void set_index(struct job_pass *p, json_t *pod, int64_t index)
{
    static const char *const lists[] = {"spec.initContainers", "spec.containers"};
    const char *text = arena_printf(&p->op->arena, "%lld", (long long)index);
    json_t *container, *env;
    size_t i;

    json_object_set_new(object_at(pod, "metadata.annotations"), INDEX, json_string(text));
    json_object_set_new(object_at(pod, "metadata.labels"), INDEX, json_string(text));
    if (p->index_limit >= 0)
        json_object_set_new(object_at(pod, "metadata.annotations"), JOB_INDEX_FAILURES,
                            json_string(arena_printf(&p->op->arena, "%lld",
                                                     (long long)job_index_failures(p, index))));
    json_object_set_new(object_at(pod, "metadata"), "generateName",
                        json_string(arena_printf(&p->op->arena, "%s-%s-", p->job->name, text)));
    if (!text_at(pod, "spec.hostname"))
        set_at(pod, "spec.hostname",
               json_string(arena_printf(&p->op->arena, "%s-%s", p->job->name, text)));
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        json_array_foreach(at(pod, lists[k]), i, container)
        {
            env = array_at(container, "env");
            json_array_append_new(env, json_pack("{s:s, s:{s:{s:s}}}", "name",
                                                 "JOB_COMPLETION_INDEX", "valueFrom", "fieldRef",
                                                 "fieldPath", "metadata.annotations['" INDEX "']"));
        }
}

static enum fault create_one(struct job_pass *p, int64_t index)
{
    struct rest r = rest_of(p->cluster, &actor, pods_resource(), p->job->ns, NULL);
    json_t *pod =
        pod_of_template(p->op, p->job, p->job->resource, at(p->tree, "spec.template"), NULL);
    struct object *made = NULL;
    enum fault fault;

    json_array_append_new(array_at(pod, "metadata.finalizers"), json_string(TRACKING));
    if (index >= 0)
        set_index(p, pod, index);
    fault = rest_create(p->op, &r, pod, &made);
    if (fault == FORBIDDEN || fault == INVALID) {
        rest_event(p->op, p->cluster, &actor, p->job, "Warning", "FailedCreate",
                   "Error creating: %s", p->op->message);
        op_clear_fault(p->op);
        p->again_s = 5;
        return OK;
    }
    TRY(fault);
    moved(&p->revision, &r);
    p->active++;
    rest_event(p->op, p->cluster, &actor, p->job, "Normal", "SuccessfulCreate", "Created pod: %s",
               made->name);
    return OK;
}

/* Seconds until the next try after the last failures (of that index; -1: of all); 0: now. */
static int64_t backoff_left(const struct job_pass *p, int64_t index)
{
    int64_t last = 0, wait = BACKOFF_FIRST_S, n = 0;

    for (size_t i = 0; i < p->pods.n; i++) {
        const json_t *pod = object_tree(p->pods.list[i]), *status;
        size_t k;

        if (!pod_has_ended(pod) || has_succeeded(pod) || (index >= 0 && job_index_of(pod) != index))
            continue;
        n++;
        json_array_foreach(at(pod, "status.containerStatuses"), k, status)
        {
            int64_t at_s = time_parse(text_at_or(status, "state.terminated.finishedAt", ""));

            last = at_s > last ? at_s : last;
        }
    }
    if (!n)
        return 0;
    while (--n > 0 && wait < BACKOFF_MAX_S)
        wait *= 2;
    wait = last + (wait < BACKOFF_MAX_S ? wait : BACKOFF_MAX_S) - wall_s();
    return wait > 0 ? wait : 0;
}

static int64_t wanted_active(const struct job_pass *p)
{
    int64_t left;

    if (p->completions < 0)
        return p->succeeded > 0 ? p->active : p->parallelism;
    left = p->completions - p->succeeded - p->n_lost;
    return left < p->parallelism ? left : p->parallelism;
}

static bool must_wait(struct job_pass *p, int64_t index)
{
    int64_t left = backoff_left(p, index);

    if (left && (!p->again_s || left < p->again_s))
        p->again_s = left;
    return left > 0;
}

static enum fault manage(struct job_pass *p)
{
    int64_t wanted = has_finished(p) || p->suspended ? 0 : wanted_active(p);
    int64_t have = p->active + (p->only_failed ? p->terminating : 0), index = -1;

    if (p->active > wanted)
        return delete_active(p, p->active - wanted);
    if (have >= wanted)
        return OK;
    if (p->index_limit < 0 && must_wait(p, -1))
        return OK;
    while (have < wanted) {
        if (p->indexed) {
            index = next_index(p, index + 1);
            if (index < 0)
                return OK;
            if (p->index_limit >= 0 && must_wait(p, index))
                continue;
        }
        TRY(create_one(p, index));
        have++;
    }
    return OK;
}

/* ---- status ---- */

static void set_count(json_t *status, const char *member, int64_t n, bool always)
{
    if (n || always)
        json_object_set_new(status, member, json_integer(n));
}

static void set_indexes(const struct job_pass *p, json_t *status, const char *member,
                        const bool *marks, bool wanted)
{
    const char *text = wanted ? job_indexes_write(p->op, marks, p->completions) : "";

    if (*text)
        json_object_set_new(status, member, json_string(text));
}

static enum fault write_status(struct job_pass *p)
{
    json_t *status = json_object();
    struct rest r = rest_of(p->cluster, &actor, p->job->resource, p->job->ns, p->job->name);

    set_count(status, "active", p->active, false);
    set_count(status, "succeeded", p->succeeded, false);
    set_count(status, "failed", p->failed, false);
    set_count(status, "ready", p->ready, true);
    set_count(status, "terminating", p->terminating, true);
    set_indexes(p, status, "completedIndexes", p->done, p->indexed);
    set_indexes(p, status, "failedIndexes", p->lost, p->index_limit >= 0);
    json_object_set_new(status, "uncountedTerminatedPods", json_object());
    if (p->start_time)
        json_object_set_new(status, "startTime", json_string(p->start_time));
    if (p->completion_time)
        json_object_set_new(status, "completionTime", json_string(p->completion_time));
    if (json_array_size(p->conditions))
        json_object_set(status, "conditions", p->conditions);
    TRY(rest_set_status(p->op, &r, status));
    moved(&p->revision, &r);
    return p->revision ? store_wait(p->op, p->cluster->store, p->revision) : OK;
}

/* ---- one job ---- */

static void release(void *tree)
{
    json_decref(tree);
}

static enum fault look(struct job_pass *p)
{
    const struct selector *selector;

    p->parallelism = int_at(p->tree, "spec.parallelism", 1);
    p->completions = int_at(p->tree, "spec.completions", -1);
    p->indexed = strcmp(text_at_or(p->tree, "spec.completionMode", ""), "Indexed") == 0 &&
                 p->completions >= 0 && p->completions <= INDEXES_MAX;
    p->suspended = bool_at(p->tree, "spec.suspend", false);
    p->index_limit = p->indexed ? int_at(p->tree, "spec.backoffLimitPerIndex", -1) : -1;
    p->only_failed = strcmp(text_at_or(p->tree, "spec.podReplacementPolicy", ""), "Failed") == 0;
    p->start_time = text_at(p->tree, "status.startTime");
    p->completion_time = text_at(p->tree, "status.completionTime");
    if (!p->start_time && !p->suspended)
        p->start_time = time_text(p->op, wall_s());
    p->conditions = json_deep_copy(at(p->tree, "status.conditions"));
    if (!p->conditions)
        p->conditions = json_array();
    arena_defer(&p->op->arena, release, p->conditions);
    if (p->indexed) {
        p->done = arena_alloc(&p->op->arena, (size_t)p->completions + 1);
        p->lost = arena_alloc(&p->op->arena, (size_t)p->completions + 1);
        job_indexes_read(text_at(p->tree, "status.completedIndexes"), p->done, p->completions);
        job_indexes_read(text_at(p->tree, "status.failedIndexes"), p->lost, p->completions);
    }
    TRY(selector_of(p->op, &p->op->arena, at(p->tree, "spec.selector"), &selector));
    TRY(owned_by(p->op, p->cluster, &actor, p->job, p->job->resource, pods_resource(), selector,
                 &p->revision, &p->pods));
    count(p);
    return OK;
}

/* spec.ttlSecondsAfterFinished */
static enum fault expire(struct job_pass *p)
{
    int64_t ttl = int_at(p->tree, "spec.ttlSecondsAfterFinished", -1), since = 0, left;
    const struct delete_options options = {.propagation = "Foreground", .grace_s = -1};
    struct rest r = rest_of(p->cluster, &actor, p->job->resource, p->job->ns, p->job->name);
    json_t *condition;
    enum fault fault;
    size_t i;

    if (ttl < 0 || !has_finished(p))
        return OK;
    json_array_foreach(p->conditions, i, condition)
    {
        int64_t at_s = time_parse(text_at_or(condition, "lastTransitionTime", ""));

        since = at_s > since ? at_s : since;
    }
    left = since + ttl - wall_s();
    if (left > 0) {
        p->again_s = p->again_s && p->again_s < left ? p->again_s : left;
        return OK;
    }
    fault = rest_delete(p->op, &r, &options, NULL, NULL);
    if (fault == NOT_FOUND)
        op_clear_fault(p->op);
    return fault == NOT_FOUND ? OK : fault;
}

static enum fault pass(struct job_pass *p)
{
    TRY(look(p));
    if (p->job->deleting)
        return untrack_ended(p, true);
    judge_suspension(p);
    judge(p);
    TRY(manage(p));
    TRY(write_status(p));
    TRY(untrack_ended(p, has_finished(p)));
    return expire(p);
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct job_pass p = {.op = op, .cluster = cluster};
    enum fault fault;

    p.job = store_read(op, cluster->store, resource_find("batch", "v1", "jobs"), ns, name);
    if (!p.job)
        return OK;
    p.tree = object_tree(p.job);
    if (text_at(p.tree, "spec.managedBy") &&
        strcmp(text_at(p.tree, "spec.managedBy"), "kubernetes.io/job-controller") != 0)
        return OK;
    fault = pass(&p);
    if (p.again_s)
        *ret_again_ms = p.again_s * 1000;
    return settled(op, cluster, p.revision, fault);
}

/* Pods whose job has gone must not keep their finalizer. */
static enum fault free_orphan(struct op *op, struct cluster *cluster, struct object *pod)
{
    struct rest r = rest_of(cluster, &actor, pods_resource(), pod->ns, pod->name);
    enum fault fault = rest_modify(op, &r, untrack, NULL, NULL);

    if (fault == NOT_FOUND)
        op_clear_fault(op);
    return fault == NOT_FOUND ? OK : fault;
}

static bool job_lives(struct op *op, struct cluster *cluster, struct object *pod)
{
    const json_t *owner = controller_of(object_tree(pod));
    struct object *job = owner
                             ? store_read(op, cluster->store, resource_find("batch", "v1", "jobs"),
                                          pod->ns, text_at_or(owner, "name", ""))
                             : NULL;

    return job && strcmp(job->uid, text_at_or(owner, "uid", "")) == 0;
}

/* A second controller, keyed by pods. */
static enum fault reconcile_pod(struct op *op, struct cluster *cluster, const char *ns,
                                const char *name, int64_t *ret_again_ms)
{
    struct object *pod = store_read(op, cluster->store, pods_resource(), ns, name);

    (void)ret_again_ms;
    if (!pod || !is_tracked(object_tree(pod)) || job_lives(op, cluster, pod))
        return OK;
    return free_orphan(op, cluster, pod);
}

static void keys_of_tracked(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    (void)cluster;
    if (event->kind != EVENT_DELETED && event->object->deleting)
        keys_add(keys, event->object->ns, event->object->name);
}

static const struct rule rules[] = {
    {"batch", "jobs", NULL, NULL},
    {"",   "pods", NULL, "Job"},
    {0      },
};
static const struct rule orphan_rules[] = {
    {"",               "pods", keys_of_tracked, NULL},
    {0}
};

const struct controller job_controller = {
    .name = "job",
    .actor = {"system:serviceaccount:kube-system:job-controller"},
    .rules = rules,
    .reconcile = reconcile,
};
const struct controller job_orphan_controller = {
    .name = "joborphan",
    .actor = {"system:serviceaccount:kube-system:job-controller"},
    .rules = orphan_rules,
    .reconcile = reconcile_pod,
};
