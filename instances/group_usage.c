#include "instances/group_usage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/meter.h"
#include "instances/cgroup.h"
#include "instances/network_host.h"
#include "instances/paths.h"

#define BUCKETS 1024

/* A counter that only grows, and when it was looked at. */
struct counter {
    int64_t value, at_us; /* at_us 0: not yet */
};

struct sampled {
    char *name;
    int64_t run; /* which start of it */
    struct cgroup_gauge gauge;
    struct counter cpu;
    struct meter *cpu_meter, *memory_meter;
};

struct sampled_group {
    struct sampled_group *next;
    int64_t id;
    char *key, *sandbox;
    struct sampled *containers;
    size_t n;
    int fds[2]; /* bytes received and transmitted by the group; -1 */
    struct counter bytes[2];
    struct meter *meters[2];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool running, ending;
    struct sampled_group *groups[BUCKETS];
    size_t n, n_containers;
    struct arena arena; /* of what follows */
    const char *data;
    struct cgroups cgroups;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static char *copy(const char *text)
{
    char *out = strdup(text);

    if (!out)
        abort();
    return out;
}

/* ---- what is sampled ---- */

static void end_container(struct sampled *s)
{
    cgroup_gauge_close(&s->gauge);
    meter_close(s->cpu_meter);
    meter_close(s->memory_meter);
    free(s->name);
    state.n_containers--;
}

static void end_group(struct sampled_group *g)
{
    for (size_t i = 0; i < g->n; i++)
        end_container(&g->containers[i]);
    for (size_t i = 0; i < ARRAY_LEN(g->fds); i++) {
        if (g->fds[i] >= 0)
            close(g->fds[i]);
        meter_close(g->meters[i]);
    }
    free(g->containers);
    free(g->key);
    free(g->sandbox);
    free(g);
    state.n--;
}

static struct sampled_group **place_of(int64_t id)
{
    struct sampled_group **g = &state.groups[(uint64_t)id % BUCKETS];

    while (*g && (*g)->id != id)
        g = &(*g)->next;
    return g;
}

static void forget(struct sampled_group **place)
{
    struct sampled_group *g = *place;

    if (!g)
        return;
    *place = g->next;
    end_group(g);
}

/* Our end of the link: what it receives is what the group transmits. */
static int open_counter(struct op *op, const char *link, const char *what)
{
    return open(arena_printf(&op->arena, "/sys/class/net/%s/statistics/%s", link, what),
                O_RDONLY | O_CLOEXEC);
}

static struct sampled_group *begin_group(struct op *op, const struct container_group *row,
                                         const char *sandbox)
{
    const char *link = network_sandbox_link(op, state.data, sandbox);
    struct sampled_group *g = calloc(1, sizeof(*g));

    if (!g)
        abort();
    g->id = row->id;
    g->key = copy(row->key);
    g->sandbox = copy(sandbox);
    g->fds[0] = open_counter(op, link, "tx_bytes");
    g->fds[1] = open_counter(op, link, "rx_bytes");
    g->meters[0] = meter_open(g->key, "NetworkBytesReceivedPerSecond", "", true);
    g->meters[1] = meter_open(g->key, "NetworkBytesTransmittedPerSecond", "", true);
    state.n++;
    return g;
}

static void add_container(struct op *op, struct sampled_group *g, const struct container_row *row)
{
    const char *path = arena_printf(&op->arena, "/sundog-%s/%s/%s", data_id(op, state.data),
                                    g->sandbox, row->name);
    struct sampled s = {.run = row->starts};

    if (state.n_containers == USAGE_CONTAINERS_MAX)
        return;
    if (cgroup_gauge_open(op, &state.cgroups, path, &s.gauge) != OK) {
        op_clear_fault(op); /* it has just ended */
        return;
    }
    s.name = copy(row->name);
    s.cpu_meter = meter_open(g->key, "CpuUsage", s.name, true);
    s.memory_meter = meter_open(g->key, "MemoryUsage", s.name, true);
    g->containers = realloc(g->containers, (g->n + 1) * sizeof(s));
    if (!g->containers)
        abort();
    g->containers[g->n++] = s;
    state.n_containers++;
}

static bool runs(const struct container_group *row, const struct sampled *s)
{
    for (size_t i = 0; i < row->n_containers; i++)
        if (strcmp(row->containers[i].name, s->name) == 0)
            return row->containers[i].state == SHOW_RUNNING && row->containers[i].starts == s->run;
    return false;
}

static bool is_sampled(const struct sampled_group *g, const struct container_row *row)
{
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->containers[i].name, row->name) == 0)
            return true;
    return false;
}

static void drop_ended(struct sampled_group *g, const struct container_group *row)
{
    for (size_t i = 0; i < g->n;)
        if (runs(row, &g->containers[i])) {
            i++;
        } else {
            end_container(&g->containers[i]);
            g->containers[i] = g->containers[--g->n];
        }
}

void group_usage_set(struct op *op, const struct container_group *row, const char *sandbox)
{
    struct sampled_group **place, *g;
    bool any = false;

    for (size_t i = 0; i < row->n_containers; i++)
        any = any || row->containers[i].state == SHOW_RUNNING;
    pthread_mutex_lock(&state.lock);
    place = place_of(row->id);
    if (*place &&
        (!any || strcmp((*place)->key, row->key) != 0 || strcmp((*place)->sandbox, sandbox) != 0)) {
        forget(place);
        place = place_of(row->id);
    }
    if (any && state.running) {
        if (!*place) {
            g = begin_group(op, row, sandbox);
            g->next = *place;
            *place = g;
        }
        drop_ended(*place, row);
        for (size_t i = 0; i < row->n_containers; i++)
            if (row->containers[i].state == SHOW_RUNNING &&
                !is_sampled(*place, &row->containers[i]))
                add_container(op, *place, &row->containers[i]);
        pthread_cond_signal(&state.changed);
    }
    pthread_mutex_unlock(&state.lock);
}

void group_usage_forget(int64_t group_id)
{
    pthread_mutex_lock(&state.lock);
    forget(place_of(group_id));
    pthread_mutex_unlock(&state.lock);
}

/* ---- sampling ---- */

/* How much a second it has grown since the last look; false: there was none, or it began anew. */
static bool rate(struct counter *c, int64_t now_us, int64_t value, double *ret)
{
    struct counter before = *c;

    *c = (struct counter){value, now_us};
    if (!before.at_us || now_us <= before.at_us || value < before.value)
        return false;
    *ret = (double)(value - before.value) * 1e6 / (double)(now_us - before.at_us);
    return true;
}

static void sample_container(struct sampled *s)
{
    int64_t memory, cpu_us, now;
    double us_a_second;

    if (!cgroup_gauge_read(&s->gauge, &memory, &cpu_us))
        return;
    now = wall_us();
    meter_add(s->memory_meter, now, (double)memory);
    if (rate(&s->cpu, now, cpu_us, &us_a_second))
        meter_add(s->cpu_meter, now, us_a_second / 1000);
}

static void sample_network(struct sampled_group *g)
{
    char text[32];
    double bytes;

    for (size_t i = 0; i < ARRAY_LEN(g->fds); i++) {
        ssize_t n = g->fds[i] < 0 ? -1 : pread(g->fds[i], text, sizeof(text) - 1, 0);
        int64_t now = wall_us();

        if (n <= 0)
            continue;
        text[n] = '\0';
        if (rate(&g->bytes[i], now, strtoll(text, NULL, 10), &bytes))
            meter_add(g->meters[i], now, bytes);
    }
}

/* The middle of the next step, so that each step gets one; on the monotonic clock, and a little
   later, for otherwise it would be looked twice at what is there. */
static struct timespec next_look(void)
{
    int64_t step = METER_FINE_S * INT64_C(1000000), now = wall_us();
    int64_t wait_us = (now + step / 2) / step * step + step / 2 - now;
    int64_t at_ms = now_ms() + wait_us / 1000 + 2;

    return (struct timespec){.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
}

static void *usage_main(void *arg)
{
    (void)arg;
    pthread_setname_np(pthread_self(), "usage");
    pthread_mutex_lock(&state.lock);
    while (!state.ending) {
        struct timespec at = next_look();

        if (!state.n) {
            pthread_cond_wait(&state.changed, &state.lock);
            continue;
        }
        while (!state.ending && pthread_cond_clockwait(&state.changed, &state.lock, CLOCK_MONOTONIC,
                                                       &at) != ETIMEDOUT)
            ;
        for (size_t i = 0; i < BUCKETS && !state.ending; i++)
            for (struct sampled_group *g = state.groups[i]; g; g = g->next) {
                for (size_t k = 0; k < g->n; k++)
                    sample_container(&g->containers[k]);
                sample_network(g);
            }
    }
    pthread_mutex_unlock(&state.lock);
    return NULL;
}

enum fault group_usage_start(struct op *op, const char *data)
{
    struct op kept;
    enum fault fault;

    op_init(&kept);
    fault = cgroups_find(&kept, &state.cgroups);
    if (fault != OK) {
        fail(op, fault, "%s", kept.message);
        op_free(&kept);
        return fault;
    }
    state.arena = kept.arena; /* the trees' names live there */
    state.data = arena_strdup(&state.arena, data);
    state.ending = false;
    state.running = pthread_create(&state.thread, NULL, usage_main, NULL) == 0;
    return OK;
}

void group_usage_stop(void)
{
    if (!state.running)
        return;
    pthread_mutex_lock(&state.lock);
    state.ending = true;
    pthread_cond_signal(&state.changed);
    pthread_mutex_unlock(&state.lock);
    pthread_join(state.thread, NULL);
    pthread_mutex_lock(&state.lock);
    state.running = false;
    for (size_t i = 0; i < BUCKETS; i++)
        while (state.groups[i])
            forget(&state.groups[i]);
    pthread_mutex_unlock(&state.lock);
    arena_free(&state.arena);
}
