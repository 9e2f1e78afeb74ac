/*
 * The life of a pod on its node. A pass looks at the Pod, at its sandbox and at what is remembered,
 * does what is possible now, and writes the status. Init containers come one after the other, then
 * all others at once; what ends is started again as the restart policy says; a pod that is deleted
 * is asked to end, waited for, and removed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/node/pod_agent.h"
#include "clusters/node/service_proxy.h"
#include "instances/process.h"

#define CRASH_FIRST_MS  10000
#define CRASH_MAX_MS    300000
#define CRASH_FORGET_US (INT64_C(600) * 1000000) /* it ran that long: the back-off begins anew */
#define RETRY_MS        1000
#define KILL_GRACE_MS   30000
#define LEAVE_MAX_MS    2000 /* services leave a pod within that, or it is not waited for */
#define LEAVE_LOOK_MS   5

/* ---- small things ---- */

bool is_sidecar(const json_t *container)
{
    return strcmp(text_at_or(container, "restartPolicy", ""), "Always") == 0;
}

static bool runs(const struct container_state *s)
{
    return s && s->phase != CONTAINER_EXITED;
}

static const char *name_of(const json_t *container)
{
    return text_at_or(container, "name", "");
}

static const char *policy_of(const struct pod_pass *p, const json_t *container)
{
    return is_sidecar(container) ? "Always" : text_at_or(p->spec, "restartPolicy", "Always");
}

static bool is_to_restart(const struct pod_pass *p, const json_t *container,
                          const struct container_state *s, bool init)
{
    const char *policy = policy_of(p, container);

    if (init && !is_sidecar(container))
        return s->exit_code != 0 && strcmp(policy, "Never") != 0;
    return strcmp(policy, "Always") == 0 || (strcmp(policy, "OnFailure") == 0 && s->exit_code != 0);
}

/* ---- starting ---- */

/* What cannot be: the container waits with the reason, and is tried again. */
static enum fault not_started(struct pod_pass *p, struct container_memory *m, enum fault fault)
{
    const char *why = p->op->message ? p->op->message : "it cannot be started";
    const char *reason = p->op->noun && strcmp(p->op->noun, "CreateContainerConfigError") == 0
                             ? "CreateContainerConfigError"
                         : p->op->noun && strcmp(p->op->noun, "runAsNonRoot") == 0
                             ? "CreateContainerConfigError"
                             : "RunContainerError";

    if (fault != INVALID && fault != FORBIDDEN && fault != UNSUPPORTED)
        return fault;
    if (!m->waiting_message || strcmp(m->waiting_message, why) != 0)
        pod_event(p, "Warning", "Failed", "Error: %s", why);
    set_waiting(m, reason, why);
    m->failures++;
    m->next_start_ms = now_ms() + (m->failures < 5 ? RETRY_MS * m->failures : 10000);
    pod_again(p, m->next_start_ms - now_ms() + 1);
    op_clear_fault(p->op);
    return OK;
}

static void begin_attempt(struct pod_pass *p, const json_t *container, struct container_memory *m)
{
    m->restarts++;
    m->has_startup = json_object_get(container, "startupProbe") != NULL;
    m->has_readiness = json_object_get(container, "readinessProbe") != NULL;
    m->started = !m->has_startup;
    m->ready = m->started && !m->has_readiness;
    m->killing = m->pre_stop_done = m->post_start_done = m->said_back_off = false;
    m->pre_stop_begun = false;
    m->next_start_ms = 0;
    set_waiting(m, NULL, NULL);
    pod_probes_begin(p, container, m);
    if (at(container, "lifecycle.postStart"))
        pod_hook_begin(p, m, "postStart");
    else
        m->post_start_done = true;
}

static void keep_last_state(struct pod_pass *p, const json_t *container, struct container_memory *m,
                            const struct container_state *s)
{
    if (!s)
        return;
    json_decref(m->last_state);
    m->last_state = pod_terminated(p, container, s);
    if (strcmp(text_at_or(container, "imagePullPolicy", ""), "Always") == 0)
        pod_memory_set_image(m, NULL);
}

static enum fault start(struct pod_pass *p, const json_t *container, struct container_memory *m,
                        const struct container_state *before)
{
    enum fault fault;

    if (m->next_start_ms > now_ms()) {
        pod_again(p, m->next_start_ms - now_ms() + 1);
        return OK;
    }
    fault = pod_container_start(p, container, m);
    if (fault == WOULD_BLOCK) /* its image is coming */
        return OK;
    if (fault != OK)
        return not_started(p, m, fault);
    keep_last_state(p, container, m, before);
    begin_attempt(p, container, m);
    pod_event(p, "Normal", "Created", "Created container: %s", m->name);
    pod_event(p, "Normal", "Started", "Started container %s", m->name);
    return OK;
}

/* ---- starting again ---- */

static void plan_restart(struct pod_pass *p, struct container_memory *m,
                         const struct container_state *s)
{
    int64_t wait = 0;

    if (s->finished_us - s->started_us >= CRASH_FORGET_US)
        m->failures = 0;
    if (m->failures > 0)
        for (wait = CRASH_FIRST_MS;
             wait < CRASH_MAX_MS && wait < CRASH_FIRST_MS << (m->failures - 1);)
            wait *= 2;
    if (wait > CRASH_MAX_MS)
        wait = CRASH_MAX_MS;
    m->failures++;
    m->next_start_ms = now_ms() + wait + 1;
    if (!wait)
        return;
    set_waiting(m, "CrashLoopBackOff",
                arena_printf(&p->op->arena,
                             "back-off %llds restarting failed container=%s pod=%s_%s(%s)",
                             (long long)wait / 1000, m->name, p->object->name, p->object->ns,
                             p->object->uid));
    pod_event(p, "Warning", "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)",
              m->name, p->object->name, p->object->ns, p->object->uid);
}

static enum fault restart(struct pod_pass *p, const json_t *container, struct container_memory *m,
                          const struct container_state *s)
{
    if (!m->next_start_ms)
        plan_restart(p, m, s);
    return start(p, container, m, s);
}

/* ---- killing what a probe or hook has condemned ---- */

static int64_t grace_ms(const struct pod_pass *p)
{
    return int_at(p->spec, "terminationGracePeriodSeconds", 30) * 1000;
}

static enum fault signal_container(struct pod_pass *p, const char *name, int sig)
{
    enum fault fault = container_signal(p->op, p->memory->sandbox, name, sig);

    if (fault == NOT_FOUND) {
        op_clear_fault(p->op);
        return OK;
    }
    return fault;
}

/* First preStop, then its stop signal, then, at deadline, SIGKILL. */
static enum fault end_container(struct pod_pass *p, const json_t *container,
                                struct container_memory *m, const struct container_state *s,
                                int64_t deadline_ms)
{
    int sig = pod_stop_signal(p->op, m);
    bool late = now_ms() >= deadline_ms;

    if (!late && !m->pre_stop_done && at(container, "lifecycle.preStop")) {
        if (!m->pre_stop_begun)
            pod_hook_begin(p, m, "preStop");
        m->pre_stop_begun = true;
        pod_again(p, deadline_ms - now_ms() + 1);
        return OK;
    }
    if (!late && process_hears(s->pid, sig)) {
        pod_again(p, deadline_ms - now_ms() + 1);
        return signal_container(p, m->name, sig);
    }
    return signal_container(p, m->name, SIGKILL);
}

static enum fault condemned(struct pod_pass *p, const json_t *container, struct container_memory *m,
                            const struct container_state *s)
{
    return end_container(p, container, m, s, m->killing_since_ms + grace_ms(p));
}

/* ---- one container ---- */

/* What is known of attempts: a new server finds a sandbox that runs. */
static void adopt(struct pod_pass *p, const json_t *container, struct container_memory *m,
                  const struct container_state *s)
{
    if (!s || m->restarts >= s->attempt)
        return;
    m->restarts = s->attempt;
    m->has_startup = json_object_get(container, "startupProbe") != NULL;
    m->has_readiness = json_object_get(container, "readinessProbe") != NULL;
    m->started = true;
    m->ready = !m->has_readiness;
    m->post_start_done = true;
    if (runs(s))
        pod_probes_begin(p, container, m);
}

static enum fault look_after(struct pod_pass *p, const json_t *container, bool init)
{
    struct container_memory *m = pod_container_memory(p, name_of(container));
    const struct container_state *s = pod_container_state(p, name_of(container));

    adopt(p, container, m, s);
    if (runs(s))
        return m->killing ? condemned(p, container, m, s) : OK;
    if (!s)
        return start(p, container, m, NULL);
    m->ready = false;
    return is_to_restart(p, container, s, init) ? restart(p, container, m, s) : OK;
}

/* ---- all of them ---- */

/* *ret_go: the next container may come. */
static enum fault init_container(struct pod_pass *p, const json_t *container, bool *ret_go)
{
    const char *name = name_of(container);
    const struct container_state *s = pod_container_state(p, name);
    struct container_memory *m = pod_container_memory(p, name);

    *ret_go = false;
    if (is_sidecar(container)) {
        TRY(look_after(p, container, true));
        *ret_go = runs(s) && m->started && m->post_start_done;
        return OK;
    }
    if (s && s->phase == CONTAINER_EXITED && s->exit_code == 0) {
        adopt(p, container, m, s);
        *ret_go = true;
        return OK;
    }
    return look_after(p, container, true);
}

static enum fault init_containers(struct pod_pass *p, bool *ret_all)
{
    json_t *container;
    bool go = true;
    size_t i;

    *ret_all = false;
    json_array_foreach(json_object_get(p->spec, "initContainers"), i, container)
    {
        if (p->memory->initialized && !is_sidecar(container))
            continue;
        TRY(init_container(p, container, &go));
        if (!go && !p->memory->initialized)
            return OK;
    }
    p->memory->initialized = true;
    *ret_all = true;
    return OK;
}

static bool main_is_over(const struct pod_pass *p)
{
    json_t *container;
    size_t i;

    json_array_foreach(json_object_get(p->spec, "containers"), i, container)
    {
        const struct container_state *s = pod_container_state(p, name_of(container));

        if (!s || runs(s) || is_to_restart(p, container, s, false))
            return false;
    }
    return true;
}

/* Sidecars end when there is nobody left whom they serve. */
static enum fault end_sidecars(struct pod_pass *p)
{
    json_t *container;
    size_t i;

    json_array_foreach(json_object_get(p->spec, "initContainers"), i, container)
    {
        const struct container_state *s = pod_container_state(p, name_of(container));
        struct container_memory *m = pod_container_memory(p, name_of(container));

        if (!is_sidecar(container) || !runs(s))
            continue;
        if (!m->killing)
            m->killing_since_ms = now_ms();
        m->killing = true;
        TRY(condemned(p, container, m, s));
    }
    return OK;
}

static enum fault main_containers(struct pod_pass *p)
{
    json_t *container;
    size_t i;

    json_array_foreach(json_object_get(p->spec, "containers"), i, container)
    {
        TRY(look_after(p, container, false));
    }
    return OK;
}

/* ---- the sandbox ---- */

/* Its supervisor has died, or its network: what ran is over, and the pod gets a new one. */
static enum fault lost_sandbox(struct pod_pass *p)
{
    for (size_t i = 0; i < p->memory->n_containers; i++) {
        struct container_memory *m = &p->memory->containers[i];

        if (m->restarts < 0)
            continue;
        json_decref(m->last_state);
        m->last_state =
            json_pack("{s:{s:i, s:s, s:s, s:s, s:s}}", "terminated", "exitCode", 137, "reason",
                      "ContainerStatusUnknown", "message",
                      "The container could not be located when the pod was terminated", "startedAt",
                      time_text(p->op, wall_s()), "finishedAt", time_text(p->op, wall_s()));
        m->ready = m->started = m->killing = false;
    }
    TRY(sandbox_delete(p->op, p->memory->sandbox));
    p->memory->made = p->memory->initialized = false;
    *p->memory->address = '\0';
    pod_event(p, "Normal", "SandboxChanged",
              "Pod sandbox changed, it will be killed and re-created.");
    return OK;
}

static enum fault cannot_make(struct pod_pass *p, enum fault fault)
{
    if (fault == WOULD_BLOCK) {
        pod_again(p, RETRY_MS);
        return OK;
    }
    if (fault != INVALID && fault != UNSUPPORTED)
        return fault;
    pod_event(p, "Warning",
              p->op->noun && strcmp(p->op->noun, "SysctlForbidden") == 0 ? "SysctlForbidden"
                                                                         : "FailedCreatePodSandBox",
              "Failed to create pod sandbox: %s", p->op->message ? p->op->message : "");
    op_clear_fault(p->op);
    pod_again(p, 10 * RETRY_MS);
    return OK;
}

static enum fault ensure_sandbox(struct pod_pass *p)
{
    enum fault fault;

    if (p->alive)
        return OK;
    if (p->memory->made)
        TRY(lost_sandbox(p));
    fault = pod_sandbox_create(p);
    if (fault != OK)
        return cannot_make(p, fault);
    p->memory->made = p->alive = true;
    return OK;
}

/* ---- the end ---- */

static bool any_runs(const struct pod_pass *p)
{
    for (size_t i = 0; i < p->n_states; i++)
        if (runs(&p->states[i]))
            return true;
    return false;
}

static const json_t *container_named(const struct pod_pass *p, const char *name)
{
    static const char *const lists[] = {"containers", "initContainers"};
    json_t *container;
    size_t i;

    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        json_array_foreach(json_object_get(p->spec, lists[k]), i, container)
        {
            if (strcmp(name_of(container), name) == 0)
                return container;
        }
    return NULL;
}

static enum fault ask_to_end(struct pod_pass *p, int64_t deadline_ms)
{
    for (size_t i = 0; i < p->n_states; i++) {
        const struct container_state *s = &p->states[i];
        struct container_memory *m = pod_container_memory(p, s->name);

        if (!runs(s) || !m)
            continue;
        if (!m->killing)
            pod_event(p, "Normal", "Killing", "Stopping container %s", s->name);
        m->killing = true;
        m->ready = false;
        TRY(end_container(p, container_named(p, s->name), m, s, deadline_ms));
    }
    return OK;
}

static enum fault remove_pod(struct pod_pass *p)
{
    struct rest r =
        rest_of(p->cluster, &node_actor, p->object->resource, p->object->ns, p->object->name);
    const struct delete_options options = {.grace_s = 0, .uid = p->object->uid};
    enum fault fault;

    TRY(sandbox_delete(p->op, p->memory->sandbox));
    p->memory->made = false;
    fault = rest_delete(p->op, &r, &options, NULL, NULL);
    if (fault == NOT_FOUND || fault == CONFLICT) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    return store_wait(p->op, p->cluster->store, r.revision);
}

static enum fault is_in_slices(struct pod_pass *p, bool *ret)
{
    struct store_page page;
    json_t *endpoint;
    size_t k;

    *ret = false;
    TRY(store_list(p->op, p->cluster->store,
                   resource_find("discovery.k8s.io", "v1", "endpointslices"), p->object->ns, NULL,
                   NULL, 0, 0, &page));
    for (size_t i = 0; i < page.n; i++)
        json_array_foreach(json_object_get(object_tree(page.objects[i]), "endpoints"), k, endpoint)
        {
            *ret |= strcmp(text_at_or(endpoint, "targetRef.uid", ""), p->object->uid) == 0 &&
                    !bool_at(endpoint, "conditions.terminating", false);
        }
    return OK;
}

/* A container that has been asked to end takes no more connections: services are to have left the
   pod before. (A kubelet does not wait for kube-proxies, and clients see it.) */
static enum fault is_still_served(struct pod_pass *p, bool *ret)
{
    struct pod_memory *m = p->memory;
    int64_t now = now_ms();

    *ret = false;
    if (!m->stop_since_ms) {
        m->stop_since_ms = now;
        m->left_at_pass = -1;
    }
    if (now >= m->stop_deadline_ms || now - m->stop_since_ms >= LEAVE_MAX_MS)
        return OK;
    if (m->left_at_pass < 0) {
        TRY(is_in_slices(p, ret));
        if (!*ret)
            m->left_at_pass = service_proxy_passes(p->cluster);
    }
    *ret = *ret || service_proxy_sends_to(p->cluster, m->address, m->left_at_pass);
    if (*ret)
        pod_again(p, LEAVE_LOOK_MS);
    return OK;
}

static enum fault stop_pod(struct pod_pass *p)
{
    int64_t grace = int_at(p->pod, "metadata.deletionGracePeriodSeconds", 30) * 1000;
    int64_t asked = time_parse(text_at_or(p->pod, "metadata.deletionTimestamp", "")) * 1000;
    int64_t left = asked + 1000 - wall_us() / 1000, deadline; /* asked: in whole seconds, rounded */
    bool served = false;

    if (left > grace || left < 0)
        left = left < 0 ? 0 : grace;
    deadline = now_ms() + left;
    if (!p->memory->stop_deadline_ms || deadline < p->memory->stop_deadline_ms)
        p->memory->stop_deadline_ms = deadline;
    if (p->alive && any_runs(p)) {
        TRY(is_still_served(p, &served));
        if (served)
            return OK;
        TRY(ask_to_end(p, p->memory->stop_deadline_ms));
        return pod_write_status(p);
    }
    if (p->alive)
        TRY(pod_write_status(p)); /* how its containers ended is seen by watchers */
    return remove_pod(p);
}

/* activeDeadlineSeconds: then it has failed. */
static bool is_past_deadline(struct pod_pass *p)
{
    int64_t limit = int_at(p->spec, "activeDeadlineSeconds", -1);
    int64_t start = time_parse(text_at_or(p->pod, "status.startTime", "")), left;

    if (limit < 0 || start < 0)
        return false;
    left = start + limit - wall_s();
    if (left > 0)
        pod_again(p, left * 1000);
    return left <= 0;
}

/* Of a pod that has ended without being deleted; set once, or nothing would ever be late. */
static int64_t kill_at_ms(struct pod_pass *p)
{
    if (!p->memory->stop_deadline_ms)
        p->memory->stop_deadline_ms = now_ms() + KILL_GRACE_MS;
    return p->memory->stop_deadline_ms;
}

static enum fault set_failed(struct op *op, json_t *pod, void *arg, bool *ret_skip)
{
    const struct pod_pass *p = arg;
    json_t *status;

    (void)op;
    *ret_skip = strcmp(text_at_or(pod, "metadata.uid", ""), p->object->uid) != 0;
    if (*ret_skip) /* another of its name */
        return OK;
    status = object_at(pod, "status");
    json_object_set_new(status, "phase", json_string("Failed"));
    json_object_set_new(status, "reason", json_string("DeadlineExceeded"));
    json_object_set_new(status, "message",
                        json_string("Pod was active on the node longer than the specified"
                                    " deadline"));
    return OK;
}

static enum fault fail_pod(struct pod_pass *p)
{
    if (any_runs(p))
        TRY(ask_to_end(p, kill_at_ms(p)));
    return pod_change_status(p, set_failed);
}

/* Ended for good: only what still runs (of a failed one) is to be ended. */
static enum fault look_after_ended(struct pod_pass *p)
{
    return p->alive && any_runs(p) ? ask_to_end(p, kill_at_ms(p)) : OK;
}

enum fault pod_step(struct pod_pass *p)
{
    bool initialized;

    if (p->object->deleting)
        return stop_pod(p);
    if (pod_has_ended(p->pod))
        return look_after_ended(p);
    if (is_past_deadline(p))
        return fail_pod(p);
    TRY(ensure_sandbox(p));
    if (!p->alive)
        return pod_write_status(p);
    TRY(pod_volumes_refresh(p));
    TRY(init_containers(p, &initialized));
    if (initialized)
        TRY(main_is_over(p) ? end_sidecars(p) : main_containers(p));
    TRY(sandbox_states(p->op, p->memory->sandbox, &p->states, &p->n_states));
    return pod_write_status(p);
}

enum fault pod_forget(struct op *op, struct pod_memory *memory)
{
    TRY(sandbox_delete(op, memory->sandbox));
    pod_memory_drop(memory);
    return OK;
}
