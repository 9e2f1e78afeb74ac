/* What registries use, remembered for a moment where counting it takes long. */
#include <pthread.h>

#include "core/loop.h"
#include "registry/registry.h"

#define REMEMBERED   256   /* registries, by id */
#define LINKS_LARGE  10000 /* fewer are counted each time */
#define LINKS_PER_MS 20
#define AGE_MAX_MS   10000

static struct {
    pthread_mutex_t lock;
    struct {
        int64_t id, until_ms;
        struct registry_usage usage;
    } slots[REMEMBERED];
} memory = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool recall(int64_t id, struct registry_usage *ret)
{
    size_t slot = (size_t)id % REMEMBERED;
    bool known;

    pthread_mutex_lock(&memory.lock);
    known = memory.slots[slot].id == id && now_ms() < memory.slots[slot].until_ms;
    if (known)
        *ret = memory.slots[slot].usage;
    pthread_mutex_unlock(&memory.lock);
    return known;
}

static void remember(int64_t id, const struct registry_usage *usage)
{
    size_t slot = (size_t)id % REMEMBERED;
    int64_t age_ms = usage->links / LINKS_PER_MS;

    pthread_mutex_lock(&memory.lock);
    memory.slots[slot].id = id;
    memory.slots[slot].usage = *usage;
    memory.slots[slot].until_ms = now_ms() + (age_ms < AGE_MAX_MS ? age_ms : AGE_MAX_MS);
    pthread_mutex_unlock(&memory.lock);
}

enum fault registry_usage_recent(struct op *op, int64_t id, struct registry_usage *ret_usage)
{
    struct registry_usage now;

    if (recall(id, ret_usage))
        return OK;
    TRY(registry_usage(op, id, &now));
    if (now.links >= LINKS_LARGE)
        remember(id, &now);
    *ret_usage = now;
    return OK;
}
