#include "web/history.h"

#include <pthread.h>

#include "core/metrics.h"
#include "core/reconcile.h"
#include "registry/collect.h"

static struct {
    pthread_mutex_t lock;
    struct history_point points[HISTORY_POINTS];
    size_t n, next;
    struct history_store store;
    struct metrics_requests before;
    int64_t before_ms;
    struct reconciler *reconciler;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The bound below which 95 of 100 are. */
static double p95_ms(const struct metrics_requests *now, const struct metrics_requests *before)
{
    uint64_t total = now->total - before->total, seen = 0;

    for (size_t i = 0; i < METRICS_BUCKETS && total; i++) {
        seen += now->buckets[i] - before->buckets[i];
        if (seen * 100 >= total * 95) {
            int64_t bound = metrics_bound_us(i < METRICS_BUCKETS - 1 ? i : i - 1);

            return (double)bound / 1000;
        }
    }
    return 0;
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    struct metrics_requests now = metrics_requests();
    int64_t now_at = now_ms();
    struct history_store store = {0};
    struct history_point point;

    (void)key;
    *ret_again_ms = HISTORY_SECONDS * 1000;
    TRY(collect_store_size(op, &store.blobs, &store.bytes));
    pthread_mutex_lock(&state.lock);
    state.store = store;
    if (state.before_ms && now_at > state.before_ms) {
        point.requests_per_s =
            (double)(now.total - state.before.total) * 1000 / (double)(now_at - state.before_ms);
        point.p95_ms = p95_ms(&now, &state.before);
        state.points[state.next] = point;
        state.next = (state.next + 1) % HISTORY_POINTS;
        if (state.n < HISTORY_POINTS)
            state.n++;
    }
    state.before = now;
    state.before_ms = now_at;
    pthread_mutex_unlock(&state.lock);
    return OK;
}

size_t history_read(struct history_point *ret)
{
    size_t n;

    pthread_mutex_lock(&state.lock);
    n = state.n;
    for (size_t i = 0; i < n; i++)
        ret[i] = state.points[(state.next + HISTORY_POINTS - n + i) % HISTORY_POINTS];
    pthread_mutex_unlock(&state.lock);
    return n;
}

struct history_store history_store(void)
{
    struct history_store store;

    pthread_mutex_lock(&state.lock);
    store = state.store;
    pthread_mutex_unlock(&state.lock);
    return store;
}

void history_start(void)
{
    state.reconciler = reconciler_new("history", 1, step);
    reconciler_add(state.reconciler, "now");
}

void history_stop(void)
{
    reconciler_free(state.reconciler);
    state.reconciler = NULL;
}
