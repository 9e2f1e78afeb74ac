#include "instances/probe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "core/fetch.h"
#include "instances/event.h"
#include "instances/exec_wait.h"
#include "instances/group_pass.h"
#include "instances/network.h"

#define THREADS  4
#define GRACE_MS 30000

/* What is known of a probe: its key is "7/web/1/l", of the first start of web of group 7. */
struct live {
    struct live *next;
    int64_t fails, oks;
    bool killing;
    char key[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct live *lives;
static struct reconciler *reconciler;

/* ---- memory ---- */

static struct live **find(const char *key)
{
    struct live **at = &lives;

    while (*at && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    return at;
}

static void forget_prefix(const char *prefix)
{
    pthread_mutex_lock(&lock);
    for (struct live **at = &lives, *l; (l = *at);) {
        if (strncmp(l->key, prefix, strlen(prefix)) != 0) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        free(l);
    }
    pthread_mutex_unlock(&lock);
}

void probes_forget(int64_t group_id)
{
    char prefix[24];

    snprintf(prefix, sizeof(prefix), "%lld/", (long long)group_id);
    forget_prefix(prefix);
}

static void add(const struct container_group *g, const struct container_row *row, char kind,
                const struct group_probe *probe)
{
    int64_t ran_ms = (wall_us() - row->started_us) / 1000;
    int64_t delay_ms = probe->initial_s * 1000 - ran_ms;
    char key[CONTAINER_NAME_MAX + 64];
    struct live *l;
    bool is_new;

    snprintf(key, sizeof(key), "%lld/%.63s/%lld/%c", (long long)g->id, row->name,
             (long long)row->starts, kind);
    pthread_mutex_lock(&lock);
    is_new = !*find(key);
    if (is_new) {
        l = calloc(1, sizeof(*l) + strlen(key) + 1);
        if (!l)
            abort();
        memcpy(l->key, key, strlen(key) + 1);
        l->next = lives;
        lives = l;
    }
    pthread_mutex_unlock(&lock);
    if (is_new)
        reconciler_add_after(reconciler, key, delay_ms > 0 ? delay_ms : 0);
}

void probes_sync(const struct container_group *g, const struct group_spec *spec)
{
    for (size_t i = 0; i < g->n_containers; i++) {
        if (g->containers[i].state != SHOW_RUNNING)
            continue;
        if (spec->containers[i].liveness)
            add(g, &g->containers[i], 'l', spec->containers[i].liveness);
        if (spec->containers[i].readiness)
            add(g, &g->containers[i], 'r', spec->containers[i].readiness);
    }
}

/* ---- asking; *ret_why: in op's arena ---- */

static bool ask_http(struct op *op, const struct container_group *g, const struct group_probe *p,
                     const char **ret_why)
{
    bool tls = p->scheme && strcasecmp(p->scheme, "https") == 0;
    const char *path = p->path && *p->path ? p->path : "/";
    struct fetch ask = {
        .url = arena_printf(&op->arena, "%s://%s:%lld%s%s", tls ? "https" : "http",
                            network_address(op, RANGE_PRIVATE, g->private_index),
                            (long long)p->port, *path == '/' ? "" : "/", path),
        .headers = p->headers,
        .n_headers = p->n_headers,
        .timeout_ms = p->timeout_s * 1000,
        .answer_max = 65536,
        .direct = true,
    };
    struct fetched answer = {0};
    enum fault fault = fetch(op, &ask, &answer);

    if (fault == TOO_LARGE || (fault == OK && answer.status >= 200 && answer.status < 400))
        return true;
    *ret_why = fault == OK ? arena_printf(&op->arena, "HTTP probe failed with statuscode: %d",
                                          answer.status)
                           : op->message;
    return false;
}

static bool ask_exec(struct op *op, const char *sandbox, const char *container,
                     const struct group_probe *p, const char **ret_why)
{
    struct exec_result result = {0};

    if (exec_wait(op, sandbox, container, p->command, p->timeout_s * 1000, &result) != OK) {
        *ret_why = op->message ? op->message : "it cannot be run";
        return false;
    }
    *ret_why = !result.ended  ? arena_printf(&op->arena, "command timed out after %lld s",
                                             (long long)p->timeout_s)
               : *result.said ? result.said
                              : "the command failed";
    return result.ended && result.exit_code == 0;
}

/* ---- one probe ---- */

struct asked {
    struct container_group g;
    const struct container_row *row;
    const struct group_probe *probe;
    bool liveness;
};

/* Is what the key names still there? *ret_found false: it is not. */
static enum fault read_key(struct op *op, const char *key, struct asked *a, bool *ret_found)
{
    char name[CONTAINER_NAME_MAX + 1] = "", kind = 0;
    long long id = 0, run = 0;
    struct group_spec spec;
    json_t *document;
    enum fault fault;

    *ret_found = false;
    if (sscanf(key, "%lld/%63[^/]/%lld/%c", &id, name, &run, &kind) != 4)
        return OK;
    fault = container_group_by_id(op, id, &a->g);
    if (fault == NOT_FOUND ||
        (fault == OK && (a->g.observed != a->g.generation || a->g.wanted != GROUP_WANT_RUNNING))) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    TRY(container_group_unseal(op, &a->g, &document));
    TRY(group_spec_read(op, document, &spec));
    for (size_t i = 0; i < a->g.n_containers && i < spec.n_containers; i++) {
        const struct container_row *row = &a->g.containers[i];

        if (strcmp(row->name, name) != 0 || row->starts != run || row->state != SHOW_RUNNING)
            continue;
        a->row = row;
        a->liveness = kind == 'l';
        a->probe = a->liveness ? spec.containers[i].liveness : spec.containers[i].readiness;
        *ret_found = a->probe != NULL;
    }
    return OK;
}

/* Count in memory. *ret_turn: a threshold was reached just now, or is still. */
static bool count(const char *key, bool good, const struct group_probe *p, bool *ret_killing)
{
    struct live *l;
    bool reached = false;

    pthread_mutex_lock(&lock);
    l = *find(key);
    if (l) {
        l->oks = good ? l->oks + 1 : 0;
        l->fails = good ? 0 : l->fails + 1;
        reached = good ? l->oks >= p->successes : l->fails >= p->failures;
        *ret_killing = l->killing;
    }
    pthread_mutex_unlock(&lock);
    return reached;
}

static void set_killing(const char *key)
{
    pthread_mutex_lock(&lock);
    if (*find(key))
        (*find(key))->killing = true;
    pthread_mutex_unlock(&lock);
}

/* First asked to end, then, after the grace, killed; the restart policy does the rest. */
static enum fault not_alive(struct op *op, const char *key, const struct asked *a, bool killing,
                            int64_t *ret_again_ms)
{
    int sig = killing ? SIGKILL : group_stop_signal(op, a->row);
    enum fault fault = container_signal(op, container_group_sandbox(op, &a->g), a->row->name, sig);

    *ret_again_ms = GRACE_MS;
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    if (killing)
        return OK;
    set_killing(key);
    if (!container_hears(op, &a->g, a->row->name, sig))
        *ret_again_ms = 0;
    return event_add(op, a->g.id, a->row->name, false, "Killing",
                     "Container %s failed liveness probe, will be restarted", a->row->name);
}

static enum fault set_ready(struct op *op, const struct asked *a, bool ready)
{
    struct container_group now;
    bool changed;

    TRY(container_set_ready(op, a->g.id, a->row->name, a->row->starts, ready, &changed));
    if (!changed)
        return OK;
    TRY(container_group_by_id(op, a->g.id, &now));
    group_names(op, &now);
    if (group_listener && group_listener->changed)
        group_listener->changed(now.key);
    return OK;
}

static enum fault act(struct op *op, const char *key, const struct asked *a, bool good,
                      const char *why, int64_t *ret_again_ms)
{
    bool killing = false, reached = count(key, good, a->probe, &killing);

    *ret_again_ms = a->probe->period_s * 1000;
    if (!good && !killing) {
        TRY(event_add(op, a->g.id, a->row->name, true, "Unhealthy", "%s probe failed: %s",
                      a->liveness ? "Liveness" : "Readiness", why ? why : ""));
        if (group_listener && group_listener->changed)
            group_listener->changed(a->g.key);
    }
    if (!reached)
        return OK;
    if (!a->liveness)
        return set_ready(op, a, good);
    return good ? OK : not_alive(op, key, a, killing, ret_again_ms);
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    struct asked a = {0};
    const char *why = NULL;
    bool found, good;

    TRY(read_key(op, key, &a, &found));
    if (!found) {
        forget_prefix(key);
        return OK;
    }
    if (a.probe->command)
        good = ask_exec(op, container_group_sandbox(op, &a.g), a.row->name, a.probe, &why);
    else
        good = ask_http(op, &a.g, a.probe, &why);
    op_clear_fault(op);
    return act(op, key, &a, good, why, ret_again_ms);
}

void probes_start(void)
{
    reconciler = reconciler_new("probe", THREADS, step);
}

void probes_stop(void)
{
    reconciler_free(reconciler);
    reconciler = NULL;
    forget_prefix("");
}
