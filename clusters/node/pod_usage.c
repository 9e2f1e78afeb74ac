/*
 * What containers use now, for metrics.k8s.io. The kernel counts processor time since a container
 * began; how much of a processor that is needs an earlier look, which is remembered per container
 * (and overwritten by another's: then the mean since its beginning has to do).
 */
#include <string.h>

#include "clusters/node/pod_agent.h"

#define LOOKS        4096
#define LOOK_MIN_MS  1000  /* less says nothing: ages are in whole seconds, too */
#define LOOK_KEEP_MS 15000 /* how far back one looks, at least, when many ask */

struct look {
    uint64_t container;
    int64_t at_ms, cpu_us;
};

static struct {
    pthread_mutex_t lock;
    struct look looks[LOOKS];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t number_of(const char *sandbox, const char *container)
{
    const char *const parts[] = {sandbox, "/", container};
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (const char *c = parts[i]; *c; c++)
            hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    return hash;
}

/* Thousand-millionths of a processor; *ret_window_ms: since when. */
static int64_t rate(uint64_t container, int64_t cpu_us, int64_t age_ms, int64_t *ret_window_ms)
{
    struct look *look = &state.looks[container % LOOKS];
    int64_t now = now_ms(), since_us = 0, since_ms = age_ms < LOOK_MIN_MS ? LOOK_MIN_MS : age_ms;
    bool known;

    pthread_mutex_lock(&state.lock);
    known = look->container == container && look->cpu_us <= cpu_us;
    if (known && now - look->at_ms >= LOOK_MIN_MS) {
        since_us = look->cpu_us;
        since_ms = now - look->at_ms;
    }
    if (!known || now - look->at_ms >= LOOK_KEEP_MS)
        *look = (struct look){container, now, cpu_us};
    pthread_mutex_unlock(&state.lock);
    *ret_window_ms = since_ms;
    return (cpu_us - since_us) * 1000000 / since_ms;
}

static enum fault add_container(struct op *op, const char *sandbox, const json_t *status,
                                struct pod_usage *usage)
{
    const char *name = text_at_or(status, "name", "");
    int64_t began = time_parse(text_at_or(status, "state.running.startedAt", ""));
    int64_t cpu, window_ms = 0;
    struct container_stats stats = {0};
    enum fault fault = container_stats(op, sandbox, name, &stats);

    if (fault == NOT_FOUND || fault == GONE) { /* it has just ended */
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    cpu = rate(number_of(sandbox, name), stats.cpu_us, began > 0 ? (wall_s() - began) * 1000 : 0,
               &window_ms);
    usage->cpu_nano += cpu;
    usage->memory_bytes += stats.working_set_bytes;
    if (window_ms > usage->window_ms)
        usage->window_ms = window_ms;
    json_array_append_new(usage->containers,
                          json_pack("{s:s, s:{s:s, s:s}}", "name", name, "usage", "cpu",
                                    usage_cpu_text(op, cpu), "memory",
                                    usage_memory_text(op, stats.working_set_bytes)));
    return OK;
}

const char *usage_cpu_text(struct op *op, int64_t nano)
{
    return nano ? arena_printf(&op->arena, "%lldn", (long long)nano) : "0";
}

const char *usage_memory_text(struct op *op, int64_t bytes)
{
    return arena_printf(&op->arena, "%lldKi", (long long)(bytes / 1024));
}

static void release(void *tree)
{
    json_decref(tree);
}

enum fault pod_usage(struct op *op, struct cluster *cluster, struct object *pod,
                     struct pod_usage *ret)
{
    static const char *const lists[] = {"status.containerStatuses", "status.initContainerStatuses"};
    const char *sandbox = pod_sandbox_id(op, cluster, pod);
    json_t *status;
    size_t i;

    *ret = (struct pod_usage){.containers = json_array()};
    arena_defer(&op->arena, release, ret->containers);
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        json_array_foreach(at(object_tree(pod), lists[k]), i, status)
        {
            if (at(status, "state.running"))
                TRY(add_container(op, sandbox, status, ret));
        }
    return OK;
}
