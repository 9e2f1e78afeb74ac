#include "core/metrics.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/db.h"
#include "core/pool.h"
#include "core/server.h"
#include "core/tls.h"

/* Upper bounds of the latency histogram; a last one without bound follows. */
static const int64_t bounds_us[] = {250,   500,    1000,   2500,   5000,    10000,   25000,
                                    50000, 100000, 250000, 500000, 1000000, 5000000, 30000000};
#define BUCKETS METRICS_BUCKETS
static_assert(METRICS_BUCKETS == ARRAY_LEN(bounds_us) + 1, "one more than bounds");

/* The numbers of one route. Found by the route's address: a table that only ever grows. */
struct route_numbers {
    _Atomic(const struct route *) route;
    _Atomic(const struct service *) service;
    atomic_ullong classes[2][6]; /* [HEAD?][status / 100] */
    atomic_ullong buckets[BUCKETS];
    atomic_ullong total_us, bytes_in, bytes_out;
};

#define SLOTS 1024 /* of routes there are a few hundred */
static struct route_numbers slots[SLOTS];
static const struct route no_route = {.pattern = "none"};
static _Atomic(struct metric *) registered;
static time_t started;

void metric_register(struct metric *metric)
{
    for (const struct metric *m = registered; m; m = m->next) {
        if (m == metric)
            return;
    }
    metric->next = registered;
    registered = metric;
}

long long metric_value(const char *name)
{
    for (struct metric *m = registered; m; m = m->next)
        if (strcmp(m->name, name) == 0)
            return atomic_load(&m->value);
    return 0;
}

static struct route_numbers *numbers_of(const struct route *route)
{
    size_t start = ((uintptr_t)route >> 4) % SLOTS;

    for (size_t i = 0; i < SLOTS; i++) {
        struct route_numbers *slot = &slots[(start + i) % SLOTS];
        const struct route *found = atomic_load_explicit(&slot->route, memory_order_relaxed);

        if (found == route)
            return slot;
        if (!found &&
            (atomic_compare_exchange_strong(&slot->route, &found, route) || found == route))
            return slot;
    }
    return NULL;
}

static void count(atomic_ullong *counter, int64_t n)
{
    if (n > 0)
        atomic_fetch_add_explicit(counter, (unsigned long long)n, memory_order_relaxed);
}

/* c->started_us holds how long the call took: see core/dispatch.c. */
void metrics_count_call(const struct call *c)
{
    struct route_numbers *numbers = numbers_of(c->route ? c->route : &no_route);
    int class = c->reply.status / 100;
    size_t bucket = 0;

    if (!numbers)
        return;
    atomic_store_explicit(&numbers->service, c->service, memory_order_relaxed);
    while (bucket < ARRAY_LEN(bounds_us) && c->started_us > bounds_us[bucket])
        bucket++;
    count(&numbers->classes[c->method == HEAD][class < 0 || class > 5 ? 0 : class], 1);
    if (!c->stream) { /* a watch lasts as long as its client likes */
        count(&numbers->buckets[bucket], 1);
        count(&numbers->total_us, c->started_us);
    }
    count(&numbers->bytes_in, c->received_bytes);
    count(&numbers->bytes_out, c->sent_bytes);
}

/* ---- writing ---- */

void metric_head(struct text *out, const char *name, const char *type, const char *help)
{
    text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static unsigned long long value_of(atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

struct metrics_requests metrics_requests(void)
{
    struct metrics_requests sum = {0};

    for (size_t i = 0; i < SLOTS; i++) {
        const struct route *route = slots[i].route;

        if (!route || route->lane == WATCH || route->lane == STREAM)
            continue;
        for (size_t k = 0; k < BUCKETS; k++)
            sum.buckets[k] += value_of(&slots[i].buckets[k]);
    }
    for (size_t k = 0; k < BUCKETS; k++)
        sum.total += sum.buckets[k];
    return sum;
}

int64_t metrics_bound_us(size_t bucket)
{
    return bucket < ARRAY_LEN(bounds_us) ? bounds_us[bucket] : INT64_MAX;
}

/* {service="registry",route="/v2/{name+}/…",method="GET" — patterns hold no quote or backslash. */
static void labels(struct text *out, const struct route_numbers *numbers, bool is_head)
{
    const struct route *route = numbers->route;
    const struct service *service = numbers->service;

    text_printf(out, "{service=\"%s\",route=\"%s\",method=\"%s\"", service ? service->name : "",
                route->pattern,
                is_head         ? "HEAD"
                : route->method ? method_name(route->method)
                                : "");
}

static void write_requests(struct text *out)
{
    metric_head(out, "sundog_http_requests_total", "counter", "requests answered");
    for (size_t i = 0; i < SLOTS; i++) {
        for (int j = 0; slots[i].route && j < 12; j++) {
            unsigned long long n = value_of(&slots[i].classes[j / 6][j % 6]);

            if (n == 0)
                continue;
            text_str(out, "sundog_http_requests_total");
            labels(out, &slots[i], j / 6 == 1);
            text_printf(out, ",status=\"%dxx\"} %llu\n", j % 6, n);
        }
    }
}

static void write_latency(struct text *out, struct route_numbers *numbers)
{
    static const char name[] = "sundog_http_request_seconds";
    unsigned long long n = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        n += value_of(&numbers->buckets[i]);
        text_printf(out, "%s_bucket", name);
        labels(out, numbers, false);
        if (i < ARRAY_LEN(bounds_us))
            text_printf(out, ",le=\"%g\"} %llu\n", (double)bounds_us[i] / 1e6, n);
        else
            text_printf(out, ",le=\"+Inf\"} %llu\n", n);
    }
    text_printf(out, "%s_sum", name);
    labels(out, numbers, false);
    text_printf(out, "} %.6f\n%s_count", (double)value_of(&numbers->total_us) / 1e6, name);
    labels(out, numbers, false);
    text_printf(out, "} %llu\n", n);
}

static void write_bytes(struct text *out, const char *name, const char *help, bool in)
{
    metric_head(out, name, "counter", help);
    for (size_t i = 0; i < SLOTS; i++) {
        if (!slots[i].route)
            continue;
        text_str(out, name);
        labels(out, &slots[i], false);
        text_printf(out, "} %llu\n", value_of(in ? &slots[i].bytes_in : &slots[i].bytes_out));
    }
}

static void write_routes(struct text *out)
{
    write_requests(out);
    metric_head(out, "sundog_http_request_seconds", "histogram",
                "from head to answer sent, streams not counted");
    for (size_t i = 0; i < SLOTS; i++) {
        if (slots[i].route)
            write_latency(out, &slots[i]);
    }
    write_bytes(out, "sundog_http_received_bytes_total", "bytes of request bodies", true);
    write_bytes(out, "sundog_http_sent_bytes_total", "bytes of answers", false);
}

static void write_registered(struct text *out)
{
    for (struct metric *m = registered; m; m = m->next) {
        metric_head(out, m->name, m->type, m->help);
        text_printf(out, "%s %lld\n", m->name, (long long)atomic_load(&m->value));
    }
}

static void write_pools(struct text *out)
{
    const struct {
        const char *name;
        const struct pool *pool;
    } pools[] = {
        {"worker", workers  },
        {"io",     io_pool  },
        {"slow",   slow_pool}
    };

    metric_head(out, "sundog_queue_depth", "gauge", "tasks waiting for a thread");
    for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
        if (pools[i].pool)
            text_printf(out, "sundog_queue_depth{pool=\"%s\"} %zu\n", pools[i].name,
                        pool_depth(pools[i].pool));
    }
    metric_head(out, "sundog_queue_limit", "gauge", "so many may wait; the next is refused");
    for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
        if (pools[i].pool)
            text_printf(out, "sundog_queue_limit{pool=\"%s\"} %zu\n", pools[i].name,
                        pool_limit(pools[i].pool));
    }
}

static long long status_kib(const char *status, const char *key)
{
    const char *at = strstr(status, key);

    return at ? strtoll(at + strlen(key), NULL, 10) : 0;
}

static size_t open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the folder itself */
}

static void gauge(struct text *out, const char *name, const char *help, double value)
{
    metric_head(out, name, "gauge", help);
    text_printf(out, "%s %.17g\n", name, value);
}

static void write_process(struct text *out)
{
    char status[4096] = "";
    FILE *in = fopen("/proc/self/status", "re");
    struct rlimit files;
    struct timespec cpu;
    size_t n;

    if (in) {
        n = fread(status, 1, sizeof(status) - 1, in);
        status[n] = '\0';
        fclose(in);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    gauge(out, "process_resident_memory_bytes", "resident memory",
          (double)status_kib(status, "VmRSS:") * 1024);
    gauge(out, "sundog_resident_anonymous_bytes", "resident memory that is not files",
          (double)status_kib(status, "RssAnon:") * 1024);
    gauge(out, "process_threads", "threads", (double)status_kib(status, "Threads:"));
    gauge(out, "process_open_fds", "open files and sockets", (double)open_files());
    gauge(out, "process_max_fds", "so many may be open",
          getrlimit(RLIMIT_NOFILE, &files) == 0 ? (double)files.rlim_cur : 0);
    gauge(out, "process_start_time_seconds", "when it started", (double)started);
    metric_head(out, "process_cpu_seconds_total", "counter", "processor time");
    text_printf(out, "process_cpu_seconds_total %.3f\n",
                (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
}

/* As /readyz says it, for who scrapes numbers only. */
static void write_state(struct op *op, struct text *out)
{
    bool database = op->db && db_check(op) == OK;

    op_clear_fault(op);
    gauge(out, "sundog_database_up", "1: the database answers", database);
    gauge(out, "sundog_ready", "1: requests may come and the database answers",
          database && server_ready());
    gauge(out, "sundog_ca_not_after_seconds",
          "until when the CA's certificate is valid, in seconds since 1970",
          (double)tls_ca_not_after_s());
}

__attribute__((constructor)) static void note_start(void)
{
    started = time(NULL);
}

void metrics_write(struct op *op, struct text *out)
{
    metric_head(out, "sundog_build_info", "gauge", "the version that runs");
    text_printf(out, "sundog_build_info{version=\"%s\"} 1\n", SUNDOG_VERSION);
    write_process(out);
    write_state(op, out);
    write_pools(out);
    write_routes(out);
    write_registered(out);
    db_metrics(out);
    for (size_t i = 0; all_services && all_services[i]; i++) {
        if (all_services[i]->metrics)
            all_services[i]->metrics(op, out);
    }
}
