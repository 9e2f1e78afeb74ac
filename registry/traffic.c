#include "registry/traffic.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/meter.h"
#include "registry/access.h"

#define SLOTS  4096 /* a power of two */
#define PROBES 8

enum what { TOTAL_PULL, GOOD_PULL, TOTAL_PUSH, GOOD_PUSH, WHATS };
static const char *const names[WHATS] = {"TotalPullCount", "SuccessfulPullCount", "TotalPushCount",
                                         "SuccessfulPushCount"};

static struct {
    pthread_mutex_t lock;
    struct slot {
        int64_t registry_id; /* 0: free */
        char *key;           /* its resource */
        struct meter *meters[WHATS];
    } slots[SLOTS];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void empty(struct slot *s)
{
    for (size_t i = 0; i < WHATS; i++)
        meter_close(s->meters[i]);
    free(s->key);
    *s = (struct slot){0};
}

static void fill(struct slot *s, const struct registry *r)
{
    s->registry_id = r->id;
    s->key = strdup(r->scope);
    if (!s->key)
        abort();
    for (char *c = s->key; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

/* Where neighbours have all the room, one of them has to go; what it has counted stays. */
static struct slot *slot_of(const struct registry *r)
{
    size_t at = (size_t)r->id & (SLOTS - 1);
    struct slot *s = &state.slots[at];

    for (size_t i = 0; i < PROBES; i++) {
        struct slot *one = &state.slots[(at + i) & (SLOTS - 1)];

        if (one->registry_id == r->id || !one->registry_id) {
            s = one;
            break;
        }
    }
    if (s->registry_id != r->id || strcasecmp(s->key, r->scope) != 0) { /* it may have moved */
        empty(s);
        fill(s, r);
    }
    return s;
}

static void count(struct slot *s, enum what what, int64_t now_us)
{
    if (!s->meters[what])
        s->meters[what] = meter_open(s->key, names[what], "", false);
    meter_add(s->meters[what], now_us, 1);
}

static bool is_manifest(const struct call *c)
{
    return c->route && strcmp(c->route->pattern, "/v2/{name+}/manifests/{reference}") == 0 &&
           (c->method == GET || c->method == PUT);
}

void traffic_count(const struct call *c)
{
    const struct caller *caller = c->caller;
    const struct registry *r = caller ? caller->target.registry : NULL;
    enum what total = c->method == GET ? TOTAL_PULL : TOTAL_PUSH;
    struct slot *s;
    int64_t now;

    /* a challenge is how a pull begins, not one */
    if (!r || !r->scope || c->reply.status == 401 || !is_manifest(c))
        return;
    now = wall_us();
    pthread_mutex_lock(&state.lock);
    s = slot_of(r);
    count(s, total, now);
    if (c->reply.status < 300)
        count(s, total + 1, now);
    pthread_mutex_unlock(&state.lock);
}

void traffic_stop(void)
{
    pthread_mutex_lock(&state.lock);
    for (size_t i = 0; i < SLOTS; i++)
        empty(&state.slots[i]);
    pthread_mutex_unlock(&state.lock);
}
