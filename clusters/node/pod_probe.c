/*
 * Probes and hooks: each a key of reconcilers of their own, "<cluster> <uid> <container> <attempt>
 * <kind>". What they find goes into the pod's memory, and the pod is looked at again when it
 * matters.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clusters/node/pod_agent.h"
#include "core/fetch.h"
#include "core/metrics.h"
#include "core/reconcile.h"
#include "instances/exec_wait.h"

/* Each question holds a thread until it is answered, or its time is over. */
#define THREADS         8
#define THREADS_MAX     256
#define HOOK_THREADS    4
#define HOOK_MAX        512
#define HOOK_TIMEOUT_MS 600000
#define KEY_MAX         256
#define EARLY_MS        50
#define NAP_US          50000

enum probe_kind { PROBE_STARTUP = 's', PROBE_LIVENESS = 'l', PROBE_READINESS = 'r' };
enum hook_kind { HOOK_POST_START = 'o', HOOK_PRE_STOP = 'e' };

static struct reconciler *probes, *hooks;

/* Counts of a probe, by its key. since_ms: its first question, 0 before. */
struct counts {
    struct counts *next;
    int64_t good, bad, since_ms;
    char key[KEY_MAX];
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of both lists */
static struct counts *all_counts;
static struct asked *under_way;

/* ---- what a key names ---- */

struct asked {
    struct asked *next; /* under way */
    struct op *op;      /* cancelled: its cluster closes, and nothing of what was found counts */
    struct cluster *cluster;
    struct object *pod;
    const json_t *container;
    char uid[POD_UID_MAX], name[CONTAINER_NAME_MAX + 1], sandbox[SANDBOX_ID_MAX + 1], address[16];
    long long attempt;
    char kind;
    bool refused; /* nobody listened */
};

static void copy_memory(struct pod_memory *memory, struct container_memory *c, void *arg)
{
    struct asked *a = arg;

    (void)c;
    memcpy(a->sandbox, memory->sandbox, sizeof(a->sandbox));
    memcpy(a->address, memory->address, sizeof(a->address));
    a->pod = store_read(a->op, memory->cluster->store, resource_find("", "v1", "pods"), memory->ns,
                        memory->name);
}

static const json_t *find_container(const json_t *pod, const char *name)
{
    static const char *const lists[] = {"spec.containers", "spec.initContainers"};
    json_t *container;
    size_t i;

    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        json_array_foreach(at(pod, lists[k]), i, container)
        {
            if (strcmp(text_at_or(container, "name", ""), name) == 0)
                return container;
        }
    return NULL;
}

/* false: it is not there any more. */
static bool read_key(struct op *op, struct cluster *cluster, const char *key, struct asked *a)
{
    *a = (struct asked){.op = op, .cluster = cluster};
    if (sscanf(key, "%*s %39s %63s %lld %c", a->uid, a->name, &a->attempt, &a->kind) != 4)
        return false;
    if (!pod_memory_update(cluster, a->uid, a->name, a->attempt, copy_memory, a) || !a->pod ||
        strcmp(a->pod->uid, a->uid) != 0)
        return false;
    a->container = find_container(object_tree(a->pod), a->name);
    return a->container != NULL && !pod_has_ended(object_tree(a->pod));
}

static void write_key(char *key, const struct cluster *cluster, const char *uid,
                      const struct container_memory *m, char kind)
{
    snprintf(key, KEY_MAX, "%s %s %s %lld %c", cluster->id, uid, m->name, (long long)m->restarts,
             kind);
}

/* ---- asking ---- */

static int port_of(const json_t *container, const json_t *action)
{
    const json_t *port = json_object_get(action, "port");
    json_t *one;
    size_t i;

    if (json_is_integer(port))
        return (int)json_integer_value(port);
    json_array_foreach(json_object_get(container, "ports"), i, one)
    {
        if (strcmp(text_at_or(one, "name", "-"),
                   json_string_value(port) ? json_string_value(port) : "") == 0)
            return (int)int_at(one, "containerPort", -1);
    }
    return -1;
}

/* kubelet asks at the pod's address; host is for those that say otherwise. */
static enum fault dial(struct asked *a, const json_t *action, int64_t timeout_ms, int *ret_fd)
{
    const char *host = text_at(action, "host");
    int port = port_of(a->container, action);

    if (port < 1 || port > 65535)
        return fail(a->op, INVALID, "there is no such port");
    if (!host || !*host)
        host = *a->address ? a->address : "127.0.0.1";
    if (sandbox_dial(a->op, a->sandbox, host, port, timeout_ms, ret_fd) != OK)
        a->refused = true;
    return a->refused ? a->op->fault : OK;
}

static bool ask_tcp(struct asked *a, const json_t *action, int64_t timeout_ms, const char **ret_why)
{
    int fd = -1;

    if (dial(a, action, timeout_ms, &fd) != OK) {
        *ret_why = a->op->message;
        return false;
    }
    close(fd);
    return true;
}

static const struct header *headers_of(struct asked *a, const json_t *action, size_t *ret_n)
{
    const json_t *list = json_object_get(action, "httpHeaders");
    struct header *headers =
        arena_alloc(&a->op->arena, (json_array_size(list) + 2) * sizeof(*headers));

    for (size_t i = 0; i < json_array_size(list); i++)
        headers[(*ret_n)++] = (struct header){text_at_or(json_array_get(list, i), "name", ""),
                                              text_at_or(json_array_get(list, i), "value", "")};
    headers[(*ret_n)++] = (struct header){"User-Agent", "kube-probe/1.33"};
    return headers;
}

static bool ask_http(struct asked *a, const json_t *action, int64_t timeout_ms,
                     const char **ret_why)
{
    bool tls = strcasecmp(text_at_or(action, "scheme", "HTTP"), "HTTPS") == 0;
    const char *path = text_at_or(action, "path", "/");
    struct fetch ask = {.timeout_ms = timeout_ms, .answer_max = 65536, .direct = true};
    struct fetched answer = {0};
    enum fault fault;

    if (dial(a, action, timeout_ms, &ask.socket) != OK) {
        *ret_why = a->op->message;
        return false;
    }
    ask.url = arena_printf(&a->op->arena, "%s://%s:%d%s%s", tls ? "https" : "http",
                           *a->address ? a->address : "127.0.0.1", port_of(a->container, action),
                           *path == '/' ? "" : "/", path);
    ask.headers = headers_of(a, action, &ask.n_headers);
    fault = fetch(a->op, &ask, &answer);
    if (fault == TOO_LARGE || (fault == OK && answer.status >= 200 && answer.status < 400))
        return true;
    *ret_why = fault == OK ? arena_printf(&a->op->arena, "HTTP probe failed with statuscode: %d",
                                          answer.status)
                           : a->op->message;
    return false;
}

/* grpc.health.v1.Health/Check: {1: service} → {1: status}, SERVING is 1. */
static bool ask_grpc(struct asked *a, const json_t *action, int64_t timeout_ms,
                     const char **ret_why)
{
    static const struct header headers[] = {
        {"Content-Type", "application/grpc"},
        {"TE",           "trailers"        }
    };
    const char *service = text_at_or(action, "service", "");
    size_t len = strlen(service) < 120 ? strlen(service) : 120;
    unsigned char *body = arena_alloc(&a->op->arena, len + 7);
    struct fetch ask = {.method = "POST",
                        .timeout_ms = timeout_ms,
                        .answer_max = 65536,
                        .direct = true,
                        .http2 = true,
                        .headers = headers,
                        .n_headers = 2};
    struct fetched answer = {0};
    const unsigned char *said;

    body[4] = (unsigned char)(len ? len + 2 : 0);
    body[5] = 0x0a;
    body[6] = (unsigned char)len;
    memcpy(body + 7, service, len);
    ask.body = (struct bytes){body, len ? len + 7 : 5};
    ask.url = arena_printf(&a->op->arena, "http://%s:%d/grpc.health.v1.Health/Check",
                           *a->address ? a->address : "127.0.0.1", port_of(a->container, action));
    if (dial(a, action, timeout_ms, &ask.socket) != OK || fetch(a->op, &ask, &answer) != OK) {
        *ret_why = a->op->message;
        return false;
    }
    said = answer.body.data;
    if (answer.status == 200 && answer.body.len >= 7 && said[5] == 0x08 && said[6] == 1)
        return true;
    *ret_why = "service unhealthy (responded with \"NOT_SERVING\")";
    return false;
}

static bool ask_exec(struct asked *a, const json_t *action, int64_t timeout_ms,
                     const char **ret_why)
{
    const json_t *list = json_object_get(action, "command");
    const char **args = arena_alloc(&a->op->arena, (json_array_size(list) + 1) * sizeof(*args));
    struct exec_result result = {0};

    for (size_t i = 0; i < json_array_size(list); i++)
        args[i] = json_string_value(json_array_get(list, i));
    if (exec_wait(a->op, a->sandbox, a->name, args, timeout_ms, &result) != OK) {
        *ret_why = a->op->message;
        return false;
    }
    *ret_why = !result.ended ? arena_printf(&a->op->arena, "command timed out after %llds",
                                            (long long)timeout_ms / 1000)
                             : result.said;
    return result.ended && result.exit_code == 0;
}

/* Until the cluster closes, at the longest. */
static void nap(const struct asked *a, int64_t ms, int64_t at_most_ms)
{
    int64_t until = now_ms() + (ms < at_most_ms ? ms : at_most_ms);

    while (now_ms() < until && !a->op->cancelled)
        usleep(NAP_US);
}

static bool ask_one(struct asked *a, const json_t *handler, int64_t timeout_ms,
                    const char **ret_why)
{
    const json_t *action;

    if ((action = json_object_get(handler, "exec")))
        return ask_exec(a, action, timeout_ms, ret_why);
    if ((action = json_object_get(handler, "httpGet")))
        return ask_http(a, action, timeout_ms, ret_why);
    if ((action = json_object_get(handler, "tcpSocket")))
        return ask_tcp(a, action, timeout_ms, ret_why);
    if ((action = json_object_get(handler, "grpc")))
        return ask_grpc(a, action, timeout_ms, ret_why);
    if ((action = json_object_get(handler, "sleep")))
        nap(a, int_at(action, "seconds", 0) * 1000, timeout_ms);
    return true;
}

/* The cluster may have begun to close before it could be seen here. */
static void note_under_way(struct asked *a)
{
    pthread_mutex_lock(&lock);
    a->next = under_way;
    under_way = a;
    pthread_mutex_unlock(&lock);
    if (agent_is_closing(a->cluster))
        a->op->cancelled = true;
}

static void note_over(struct asked *a)
{
    pthread_mutex_lock(&lock);
    for (struct asked **p = &under_way; *p; p = &(*p)->next)
        if (*p == a) {
            *p = a->next;
            break;
        }
    pthread_mutex_unlock(&lock);
}

void pod_probes_cancel(const struct cluster *cluster)
{
    pthread_mutex_lock(&lock);
    for (struct asked *a = under_way; a; a = a->next)
        if (a->cluster == cluster)
            a->op->cancelled = true;
    pthread_mutex_unlock(&lock);
}

/* One of exec, httpGet, tcpSocket, grpc, sleep. */
static bool ask(struct asked *a, const json_t *handler, int64_t timeout_ms, const char **ret_why)
{
    bool good;

    *ret_why = "";
    note_under_way(a);
    good = ask_one(a, handler, timeout_ms, ret_why);
    note_over(a);
    if (!good && !*ret_why)
        *ret_why = "it failed";
    return good;
}

/* ---- counting ---- */

static struct counts **find_counts(const char *key)
{
    struct counts **p = &all_counts;

    while (*p && strcmp((*p)->key, key) != 0)
        p = &(*p)->next;
    return p;
}

static void drop_counts(const char *key)
{
    struct counts **p, *gone;

    pthread_mutex_lock(&lock);
    p = find_counts(key);
    gone = *p;
    if (gone)
        *p = gone->next;
    pthread_mutex_unlock(&lock);
    free(gone);
}

/* Under the lock; made when it is not there. */
static struct counts *get_counts(const char *key)
{
    struct counts **p = find_counts(key);

    if (*p)
        return *p;
    *p = calloc(1, sizeof(**p));
    if (!*p)
        abort();
    snprintf((*p)->key, sizeof((*p)->key), "%s", key);
    return *p;
}

/* A program that was just started may not listen yet. Until the first period is over this is no
 * answer: it is asked again soon, as its pod would else be Ready a whole period late. */
static bool too_early(const char *key, const json_t *probe)
{
    struct counts *c;
    bool early = false;

    pthread_mutex_lock(&lock);
    c = get_counts(key);
    if (!c->since_ms)
        c->since_ms = now_ms();
    if (c->good + c->bad == 0)
        early = now_ms() - c->since_ms < int_at(probe, "periodSeconds", 10) * 1000;
    pthread_mutex_unlock(&lock);
    return early;
}

/* Has its threshold been reached? */
static bool count(const char *key, bool good, const json_t *probe)
{
    struct counts *c;
    bool reached;

    pthread_mutex_lock(&lock);
    c = get_counts(key);
    c->good = good ? c->good + 1 : 0;
    c->bad = good ? 0 : c->bad + 1;
    reached = good ? c->good >= int_at(probe, "successThreshold", 1)
                   : c->bad >= int_at(probe, "failureThreshold", 3);
    pthread_mutex_unlock(&lock);
    return reached;
}

/* ---- what follows ---- */

struct verdict {
    char kind;
    bool good, changed;
};

static void note(struct pod_memory *memory, struct container_memory *c, void *arg)
{
    struct verdict *v = arg;

    (void)memory;
    if (c->killing)
        return; /* what it says now does not matter any more */
    if (v->kind == PROBE_READINESS) {
        v->changed = c->ready != v->good;
        c->ready = v->good;
    } else if (v->kind == PROBE_STARTUP && v->good) {
        v->changed = !c->started;
        c->started = true;
        if (!c->has_readiness)
            c->ready = true;
    } else if (!v->good) {
        v->changed = true;
        c->killing = true;
        c->killing_since_ms = now_ms();
    }
}

static void wake(const struct asked *a)
{
    pod_wake(a->cluster, a->pod->ns, a->pod->name);
}

static const struct named_kind {
    char kind;
    const char *member, *word;
} kinds[] = {
    {PROBE_STARTUP,   "startupProbe",   "Startup"  },
    {PROBE_LIVENESS,  "livenessProbe",  "Liveness" },
    {PROBE_READINESS, "readinessProbe", "Readiness"},
};

static const struct named_kind *kind_of(char kind)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].kind == kind)
            return &kinds[i];
    return &kinds[0];
}

static void say(struct asked *a, const char *type, const char *reason, const char *message)
{
    rest_event(a->op, a->cluster, &node_actor, a->pod, type, reason, "%s", message);
}

static bool has_started(const struct cluster *cluster, const struct asked *a);

/* A probe that is over: a startup probe that was good, or a container that is being killed. */
static enum fault probe_step(struct asked *a, const char *key, int64_t *ret_again_ms)
{
    const struct named_kind *k = kind_of(a->kind);
    const json_t *probe = json_object_get(a->container, k->member);
    struct verdict verdict = {.kind = a->kind};
    const char *why = "";
    int64_t timeout_ms = int_at(probe, "timeoutSeconds", 1) * 1000;

    if (!probe) {
        drop_counts(key);
        return OK;
    }
    *ret_again_ms = int_at(probe, "periodSeconds", 10) * 1000;
    if (a->kind != PROBE_STARTUP && !has_started(a->cluster, a)) {
        *ret_again_ms = 100; /* after the startup probe */
        return OK;
    }
    verdict.good = ask(a, probe, timeout_ms, &why);
    op_clear_fault(a->op);
    if (a->op->cancelled)
        return OK;
    if (a->kind != PROBE_LIVENESS && too_early(key, probe) && a->refused) {
        *ret_again_ms = EARLY_MS;
        return OK;
    }
    if (!verdict.good)
        say(a, "Warning", "Unhealthy",
            arena_printf(&a->op->arena, "%s probe failed: %s", k->word, why));
    if (!count(key, verdict.good, probe))
        return OK;
    if (a->kind == PROBE_LIVENESS && verdict.good)
        return OK;
    if (!pod_memory_update(a->cluster, a->uid, a->name, a->attempt, note, &verdict))
        verdict.changed = false;
    if (verdict.changed && !verdict.good && a->kind != PROBE_READINESS)
        say(a, "Normal", "Killing",
            arena_printf(&a->op->arena, "Container %s failed %s probe, will be restarted", a->name,
                         a->kind == PROBE_LIVENESS ? "liveness" : "startup"));
    if (verdict.changed)
        wake(a);
    if (a->kind == PROBE_STARTUP && verdict.good) {
        drop_counts(key);
        *ret_again_ms = RECONCILE_DONE;
    }
    return OK;
}

static void copy_started(struct pod_memory *memory, struct container_memory *c, void *arg)
{
    (void)memory;
    *(bool *)arg = c->started;
}

static bool has_started(const struct cluster *cluster, const struct asked *a)
{
    bool started = false;

    pod_memory_update(cluster, a->uid, a->name, a->attempt, copy_started, &started);
    return started;
}

/* The cluster of a key, held. */
static struct cluster *enter(struct op *op, const char *key)
{
    return agent_enter(arena_strndup(&op->arena, key, strcspn(key, " ")));
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    struct cluster *cluster = enter(op, key);
    enum fault fault = OK;
    struct asked a;

    if (cluster && read_key(op, cluster, key, &a))
        fault = probe_step(&a, key, ret_again_ms);
    else
        drop_counts(key);
    if (cluster)
        agent_leave(cluster);
    return fault;
}

/* ---- hooks ---- */

struct hook_end {
    char kind;
    bool good;
};

static void note_hook(struct pod_memory *memory, struct container_memory *c, void *arg)
{
    const struct hook_end *end = arg;

    (void)memory;
    if (end->kind == HOOK_PRE_STOP) {
        c->pre_stop_done = true;
        return;
    }
    c->post_start_done = true;
    if (!end->good && !c->killing) {
        c->killing = true;
        c->killing_since_ms = now_ms();
    }
}

static enum fault run_hook(struct asked *a)
{
    bool stop = a->kind == HOOK_PRE_STOP;
    const json_t *handler = at(a->container, stop ? "lifecycle.preStop" : "lifecycle.postStart");
    int64_t grace = int_at(object_tree(a->pod), "spec.terminationGracePeriodSeconds", 30) * 1000;
    struct hook_end end = {.kind = a->kind, .good = true};
    const char *why;

    if (handler) /* after its grace the container is killed, whatever preStop does */
        end.good = ask(a, handler, stop && grace < HOOK_TIMEOUT_MS ? grace : HOOK_TIMEOUT_MS, &why);
    op_clear_fault(a->op);
    if (a->op->cancelled)
        return OK;
    if (!end.good)
        say(a, "Warning", stop ? "FailedPreStopHook" : "FailedPostStartHook",
            stop ? "PreStopHook failed" : "PostStartHook failed");
    pod_memory_update(a->cluster, a->uid, a->name, a->attempt, note_hook, &end);
    wake(a);
    return OK;
}

static enum fault hook_step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    struct cluster *cluster = enter(op, key);
    enum fault fault = OK;
    struct asked a;

    (void)ret_again_ms;
    if (cluster && read_key(op, cluster, key, &a))
        fault = run_hook(&a);
    if (cluster)
        agent_leave(cluster);
    return fault;
}

void pod_hook_begin(struct pod_pass *p, const struct container_memory *m, const char *hook)
{
    char key[KEY_MAX];

    write_key(key, p->cluster, p->memory->uid, m,
              strcmp(hook, "preStop") == 0 ? HOOK_PRE_STOP : HOOK_POST_START);
    reconciler_add(hooks, key);
}

/* ---- life ---- */

void pod_probes_begin(struct pod_pass *p, const json_t *container, const struct container_memory *m)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const json_t *probe = json_object_get(container, kinds[i].member);
        char key[KEY_MAX];

        if (!probe || (kinds[i].kind == PROBE_STARTUP && m->started))
            continue;
        write_key(key, p->cluster, p->memory->uid, m, kinds[i].kind);
        drop_counts(key); /* of before its cluster was closed and opened again */
        reconciler_add_after(probes, key, int_at(probe, "initialDelaySeconds", 0) * 1000);
    }
}

void pod_probes_start(void)
{
    probes = reconciler_new_growing("podprobe", THREADS, THREADS_MAX, step);
    hooks = reconciler_new_growing("podhook", HOOK_THREADS, HOOK_MAX, hook_step);
}

void pod_probes_stop(void)
{
    reconciler_free(probes);
    reconciler_free(hooks);
    probes = hooks = NULL;
    while (all_counts) {
        struct counts *next = all_counts->next;

        free(all_counts);
        all_counts = next;
    }
}

void pod_probes_metrics(struct text *out)
{
    metric_head(out, "sundog_pod_probes", "gauge", "probes of containers that are asked");
    text_printf(out, "sundog_pod_probes %zu\n", reconciler_depth(probes));
    metric_head(out, "sundog_pod_hooks", "gauge", "postStart and preStop hooks that run or wait");
    text_printf(out, "sundog_pod_hooks %zu\n", reconciler_depth(hooks));
}
