/*
 * The reconciler of container groups: reads a group, does one step of its life (group_steps.c) and
 * writes what came of it. Keys are a group's id, or one of the words below.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/managed_identity.h"
#include "core/db.h"
#include "core/hub.h"
#include "core/json.h"
#include "core/log.h"
#include "core/metrics.h"
#include "instances/event.h"
#include "instances/group_pass.h"
#include "instances/group_usage.h"
#include "instances/group_wait.h"
#include "instances/log_file.h"
#include "instances/network.h"
#include "instances/paths.h"
#include "instances/probe.h"

#define THREADS       4
#define CLOCK_KEY     "clock"   /* those who waited long enough */
#define HOST_KEY      "host"    /* we are still there */
#define ORPHAN_KEY    "orphan " /* and a sandbox's id: nobody's */
#define HOST_SEEN_MS  10000
#define LOG_BYTES_MAX (INT64_C(4) << 20)

const struct container_group_listener *group_listener;
static struct reconciler *reconciler;
static char refused[512]; /* why no group can run here; "": they can */
static atomic_llong restarts, starts, start_us_total, start_failures, failures;
static const int64_t start_bounds_ms[] = {20, 50, 100, 250, 500, 1000, 2500, 10000};
static atomic_llong start_buckets[ARRAY_LEN(start_bounds_ms)];

/* ---- what steps use ---- */

void pass_event(struct op *op, struct group_pass *p, const char *container, bool warning,
                const char *name, const char *fmt, ...)
{
    struct pass_event *e = arena_alloc(&op->arena, sizeof(*e));
    char message[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    e->container = container;
    e->warning = warning;
    e->name = name;
    e->message = arena_strdup(&op->arena, message);
    *p->events_tail = e;
    p->events_tail = &e->next;
}

void pass_again(struct group_pass *p, int64_t ms)
{
    if (p->again_ms == RECONCILE_DONE || ms < p->again_ms)
        p->again_ms = ms;
}

void pass_fail(struct op *op, struct group_pass *p, const char *code, const char *message)
{
    struct text clean;

    text_init(&clean, &op->arena, 8192);
    utf8_clean(&clean, BYTES(message));
    p->g.provisioning = PROVISIONING_FAILED;
    p->g.state = GROUP_FAILED;
    p->g.fault_code = code;
    p->g.fault_text = clean.data;
}

const struct container_state *pass_state(const struct group_pass *p, const char *name)
{
    for (size_t i = 0; i < p->n_states; i++)
        if (strcmp(p->states[i].name, name) == 0)
            return &p->states[i];
    return NULL;
}

const char *pass_wake(struct op *op, const struct group_pass *p, const char *container)
{
    return arena_printf(&op->arena, "%lld/%s", (long long)p->g.id, container);
}

void group_count_start(int64_t us)
{
    atomic_fetch_add(&starts, 1);
    atomic_fetch_add(&start_us_total, us);
    for (size_t i = 0; i < ARRAY_LEN(start_bounds_ms); i++)
        if (us <= start_bounds_ms[i] * 1000)
            atomic_fetch_add(&start_buckets[i], 1);
}

void group_count_restart(void)
{
    atomic_fetch_add(&restarts, 1);
}

void group_count_start_failure(void)
{
    atomic_fetch_add(&start_failures, 1);
}

/* ---- one pass ---- */

static enum fault look(struct op *op, struct group_pass *p)
{
    enum fault fault;
    json_t *document;

    p->sandbox =
        arena_printf(&op->arena, "g%lld-%lld", (long long)p->g.id, (long long)p->g.observed);
    if (p->g.observed > 0) {
        if (refused[0]) /* what runs cannot be seen, which does not mean that it is gone */
            return fail(op, UNSUPPORTED, "%s", refused);
        fault = sandbox_states(op, p->sandbox, &p->states, &p->n_states);
        if (fault != OK && fault != GONE)
            return fault;
        p->alive = fault == OK;
        op_clear_fault(op);
    }
    TRY(container_group_unseal(op, &p->g, &document));
    p->identity_header = json_string_value(json_object_get(document, "identityHeader"));
    TRY(group_spec_read(op, document, &p->spec));
    if (p->spec.n_containers != p->g.n_containers)
        return fail(op, INTERNAL, "the rows of container group \"%s\" do not fit its document",
                    p->g.name);
    return OK;
}

static bool text_differs(const char *a, const char *b)
{
    return a != b && (!a || !b || strcmp(a, b) != 0);
}

static bool group_differs(const struct container_group *a, const struct container_group *b)
{
    return a->observed != b->observed || a->provisioning != b->provisioning ||
           a->state != b->state || a->begun_us != b->begun_us || a->stopping_us != b->stopping_us ||
           a->cloned != b->cloned || text_differs(a->fault_code, b->fault_code) ||
           text_differs(a->fault_text, b->fault_text);
}

static bool row_differs(const struct container_row *a, const struct container_row *b)
{
    return a->starts != b->starts || a->restarts != b->restarts || a->failures != b->failures ||
           a->state != b->state || a->exit_code != b->exit_code || a->started_us != b->started_us ||
           a->finished_us != b->finished_us || a->next_start_us != b->next_start_us ||
           a->ready != b->ready || text_differs(a->detail, b->detail) ||
           text_differs(a->image, b->image) || text_differs(a->previous, b->previous) ||
           text_differs(a->last_log, b->last_log);
}

static enum fault save_rows(struct op *op, struct group_pass *p, bool *changed)
{
    if (p->reset) {
        *changed = true;
        return container_rows_reset(op, &p->g);
    }
    for (size_t i = 0; i < p->g.n_containers; i++) {
        if (!row_differs(&p->g.containers[i], &p->was.containers[i]))
            continue;
        *changed = true;
        TRY(container_row_save(op, &p->g, &p->g.containers[i],
                               p->g.containers[i].ready != p->was.containers[i].ready));
    }
    return OK;
}

/* What a step reached; the rest of it (a request waits, a probe is due) hears of it after that. */
static enum fault save(struct op *op, struct group_pass *p)
{
    bool changed = group_differs(&p->g, &p->was) || p->events || p->reset;

    for (size_t i = 0; i < p->g.n_containers && !changed; i++)
        changed = row_differs(&p->g.containers[i], &p->was.containers[i]);
    if (!changed)
        return OK;
    TRY(db_begin(op));
    TRY(group_row_save(op, &p->g));
    TRY(save_rows(op, p, &changed));
    for (const struct pass_event *e = p->events; e; e = e->next)
        TRY(event_add(op, p->g.id, e->container, e->warning, e->name, "%s", e->message));
    TRY(db_commit_async(op));
    if (p->g.provisioning == PROVISIONING_FAILED && p->was.provisioning != PROVISIONING_FAILED)
        atomic_fetch_add(&failures, 1);
    if (group_listener && group_listener->changed)
        group_listener->changed(p->g.key);
    return OK;
}

static void remember(struct op *op, struct group_pass *p)
{
    p->was = p->g;
    p->was.containers = arena_memdup(&op->arena, p->g.containers,
                                     (p->g.n_containers + 1) * sizeof(*p->g.containers));
    p->events_tail = &p->events;
    p->again_ms = RECONCILE_DONE;
}

/* A fault of a step does not undo what it saw before. */
static enum fault run_pass(struct op *op, struct group_pass *p)
{
    enum fault fault = group_step(op, p);
    const char *message = op->message;

    if (db_in_transaction(op))
        db_rollback(op);
    if (!p->over)
        TRY(save(op, p));
    if (fault == OK && !p->over)
        group_waiters_look(&p->g);
    if (fault != OK && !op->fault)
        return fail(op, fault, "%s", message ? message : "");
    return fault;
}

/* Another `serve` has it. What its machine had is gone with that; only the row can be deleted. */
static enum fault step_foreign(struct op *op, const struct container_group *g,
                               int64_t *ret_again_ms)
{
    bool gone = false;

    if (group_listener && group_listener->changed)
        group_listener->changed(g->key);
    group_waiters_look(g);
    if (g->wanted != GROUP_WANT_DELETED)
        return OK;
    TRY(group_host_is_gone(op, g, &gone));
    if (gone)
        return group_remove(op, g);
    *ret_again_ms = HOST_SEEN_MS;
    return OK;
}

static enum fault step_group(struct op *op, int64_t id, int64_t *ret_again_ms)
{
    struct group_pass p = {0};
    enum fault fault = container_group_by_id(op, id, &p.g);

    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        group_usage_forget(id);
        probes_forget(id);
        group_waiters_gone(id);
        return OK;
    }
    TRY(fault);
    if (!container_group_is_ours(&p.g))
        return step_foreign(op, &p.g, ret_again_ms);
    remember(op, &p);
    TRY(look(op, &p));
    fault = run_pass(op, &p);
    if (p.over)
        group_usage_forget(id);
    else
        group_usage_set(op, &p.g, p.sandbox);
    *ret_again_ms = p.again_ms;
    return fault;
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    if (strcmp(key, CLOCK_KEY) == 0) {
        *ret_again_ms = group_waiters_expire(); /* -1 is RECONCILE_DONE */
        return OK;
    }
    if (strcmp(key, HOST_KEY) == 0) {
        *ret_again_ms = HOST_SEEN_MS;
        return group_host_seen(op);
    }
    if (strncmp(key, ORPHAN_KEY, strlen(ORPHAN_KEY)) == 0)
        return sandbox_delete(op, key + strlen(ORPHAN_KEY));
    return step_group(op, strtoll(key, NULL, 10), ret_again_ms);
}

/* ---- waking ---- */

void container_group_wake_after(int64_t id, int64_t delay_ms)
{
    char key[24];

    snprintf(key, sizeof(key), "%lld", (long long)id);
    reconciler_add_after(reconciler, key, delay_ms);
}

void container_group_wake(int64_t id)
{
    container_group_wake_after(id, 0);
}

void group_waiters_begun(int64_t group_id, int64_t timeout_ms)
{
    container_group_wake(group_id);
    reconciler_add_after(reconciler, CLOCK_KEY, timeout_ms > 0 ? timeout_ms : 0);
}

/* "g7-1", "7/name", "7" */
static void on_event(const char *text)
{
    if (*text == 'g')
        text++;
    if (*text >= '0' && *text <= '9')
        container_group_wake(strtoll(text, NULL, 10));
}

static void heard(const char *payload)
{
    if (payload)
        on_event(payload);
    else if (group_listener && group_listener->changed)
        group_listener->changed(NULL);
}

void container_group_listen(const struct container_group_listener *listener)
{
    group_listener = listener;
}

/* ---- logs ---- */

static const struct container_row *row_named(const struct container_group *g, const char *name)
{
    for (size_t i = 0; i < g->n_containers; i++)
        if (strcmp(g->containers[i].name, name) == 0)
            return &g->containers[i];
    return NULL;
}

enum fault container_group_log(struct op *op, const struct container_group *g,
                               const char *container, int64_t tail, bool timestamps,
                               struct bytes *ret)
{
    const struct container_row *row = row_named(g, container);
    const struct log_query query = {
        .tail = tail, .bytes_max = LOG_BYTES_MAX, .timestamps = timestamps};

    *ret = (struct bytes){"", 0};
    if (!row)
        return fail_on(op, "container", NOT_FOUND, "there is no such container");
    if (g->state == GROUP_STOPPED || !row->starts) {
        if (row->last_log)
            *ret = BYTES(row->last_log);
        return OK;
    }
    if (!container_group_is_ours(g))
        return fail(op, UNAVAILABLE, "the container group runs on another machine: ask there");
    return log_read(op, container_group_sandbox(op, g), container, row->starts - 1, &query, ret);
}

/* ---- names and addresses ---- */

const char *container_group_sandbox(struct op *op, const struct container_group *g)
{
    return arena_printf(&op->arena, "g%lld-%lld", (long long)g->id, (long long)g->observed);
}

static const char *fqdn(struct op *op, const struct container_group *g, const char *suffix)
{
    return arena_printf(&op->arena, "%s.%s.azurecontainer.%s", g->label, g->location, suffix);
}

const char *container_group_fqdn(struct op *op, const struct container_group *g)
{
    return g->label ? fqdn(op, g, "localhost") : NULL;
}

const char *container_group_address(struct op *op, const struct container_group *g)
{
    if (g->public_index >= 0)
        return network_address(op, RANGE_PUBLIC, g->public_index);
    return network_address(op, RANGE_PRIVATE, g->private_index);
}

/* A container that has said it is not ready gets no new callers; one that has not begun, either. */
static bool is_ready(const struct container_group *g)
{
    for (size_t i = 0; i < g->n_containers; i++)
        if (g->containers[i].state == SHOW_RUNNING && !g->containers[i].ready)
            return false;
    return true;
}

void group_names(struct op *op, const struct container_group *g)
{
    const char *key = arena_printf(&op->arena, "g%lld", (long long)g->id);
    const char *names[3] = {NULL};

    if (g->label && is_ready(g)) {
        names[0] = fqdn(op, g, "localhost");
        names[1] = fqdn(op, g, "io");
    }
    network_names(key, names[0] ? names : NULL, container_group_address(op, g));
}

/* ---- start and stop ---- */

void container_groups_refuse(const char *why)
{
    snprintf(refused, sizeof(refused), "%s", why ? why : "containers cannot run on this machine");
}

enum fault container_groups_supported(struct op *op)
{
    return refused[0] ? fail(op, UNSUPPORTED, "%s", refused) : network_up(op);
}

static bool has_row(const int64_t *ids, size_t n, const char *sandbox)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == strtoll(sandbox + 1, NULL, 10))
            return true;
    return false;
}

/* Sandboxes of groups that are no more; others' (pods') are not ours to judge. */
static void delete_orphans(struct op *op, const int64_t *ids, size_t n)
{
    const char **sandboxes;
    size_t n_sandboxes;

    if (refused[0] || sandbox_list(op, &sandboxes, &n_sandboxes) != OK) {
        op_clear_fault(op);
        return;
    }
    for (size_t i = 0; i < n_sandboxes; i++) {
        const char *id = sandboxes[i];

        if (id[0] == 'g' && id[1 + strspn(id + 1, "0123456789")] == '-' && !has_row(ids, n, id))
            reconciler_add(reconciler, arena_printf(&op->arena, ORPHAN_KEY "%s", id));
    }
}

static enum fault adopt(struct op *op)
{
    int64_t *ids;
    size_t n;

    TRY(group_ids(op, &ids, &n));
    if (n && container_groups_supported(op) != OK)
        op_clear_fault(op); /* each step asks again */
    for (size_t i = 0; i < n; i++) {
        struct container_group g;

        if (container_group_by_id(op, ids[i], &g) == OK && g.wanted == GROUP_WANT_RUNNING &&
            g.label)
            group_names(op, &g);
        op_clear_fault(op);
        container_group_wake(ids[i]);
    }
    delete_orphans(op, ids, n);
    return OK;
}

/* Of the group that has this address. */
static const char *identity_at(struct op *op, const char *client_address)
{
    int64_t index = network_index(RANGE_PRIVATE, client_address);
    const char *principal = NULL;

    if (index >= 0 && group_by_private_index(op, index, &principal) != OK)
        op_clear_fault(op);
    return principal;
}

enum fault container_groups_start(struct op *op, const struct settings *settings)
{
    group_store_open(data_id(op, settings->data));
    event_store_start();
    group_waiters_start();
    hub_listen(GROUP_CHANNEL, heard);
    TRY(group_host_seen(op));
    reconciler = reconciler_new("container", THREADS, step);
    probes_start();
    if (group_usage_start(op, settings->data) != OK)
        op_clear_fault(op); /* nor can anything run, then */
    sandbox_on_event(on_event);
    image_on_event(on_event);
    managed_identity_set_workload(identity_at);
    reconciler_add_after(reconciler, HOST_KEY, HOST_SEEN_MS);
    return adopt(op);
}

void container_groups_stop(void)
{
    probes_stop();
    reconciler_free(reconciler);
    reconciler = NULL;
    group_usage_stop();
    group_waiters_stop();
}

/* ---- numbers ---- */

static void start_metrics(struct text *out)
{
    long long n = atomic_load(&starts);

    metric_head(out, "sundog_container_group_start_seconds", "histogram",
                "from the begin of a group to the start of its last container");
    for (size_t i = 0; i < ARRAY_LEN(start_bounds_ms); i++)
        text_printf(out, "sundog_container_group_start_seconds_bucket{le=\"%g\"} %lld\n",
                    (double)start_bounds_ms[i] / 1000, (long long)atomic_load(&start_buckets[i]));
    text_printf(out, "sundog_container_group_start_seconds_bucket{le=\"+Inf\"} %lld\n", n);
    text_printf(out, "sundog_container_group_start_seconds_sum %.6f\n",
                (double)atomic_load(&start_us_total) / 1e6);
    text_printf(out, "sundog_container_group_start_seconds_count %lld\n", n);
}

void container_groups_metrics(struct op *op, struct text *out)
{
    int64_t by_state[GROUP_STOPPED + 1] = {0}, running = 0;

    if (group_counts(op, by_state, &running) != OK)
        op_clear_fault(op);
    metric_head(out, "sundog_container_groups", "gauge", "container groups by state");
    for (size_t i = 0; i <= GROUP_STOPPED; i++)
        text_printf(out, "sundog_container_groups{state=\"%s\"} %lld\n", group_state_words[i],
                    (long long)by_state[i]);
    metric_head(out, "sundog_containers_running", "gauge", "containers of groups that run");
    text_printf(out, "sundog_containers_running %lld\n", (long long)running);
    metric_head(out, "sundog_container_restarts_total", "counter", "containers started again");
    text_printf(out, "sundog_container_restarts_total %lld\n", (long long)atomic_load(&restarts));
    metric_head(out, "sundog_container_start_failures_total", "counter",
                "containers whose program could not be started");
    text_printf(out, "sundog_container_start_failures_total %lld\n",
                (long long)atomic_load(&start_failures));
    metric_head(out, "sundog_container_group_failures_total", "counter",
                "container groups whose creation failed");
    text_printf(out, "sundog_container_group_failures_total %lld\n",
                (long long)atomic_load(&failures));
    metric_head(out, "sundog_container_group_queue", "gauge", "groups that have a step to do");
    text_printf(out, "sundog_container_group_queue %zu\n", reconciler_depth(reconciler));
    start_metrics(out);
}
