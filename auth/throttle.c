#include "auth/throttle.h"

#include <pthread.h>
#include <string.h>

#include "core/seal.h"

#define BURST       10
#define INTERVAL_MS 6000
#define SETS        1024
#define WAYS        8

/*
 * A token bucket in one number: when it will be full again. Each failure moves that by one
 * interval; more than BURST intervals ahead of now, the pair must wait.
 */
struct bucket {
    uint64_t pair; /* of client and account, by a secret hash: nobody can choose whom to evict */
    int64_t full_at_ms;
};

static struct {
    pthread_mutex_t lock;
    bool salted;
    uint8_t salt[16];
    struct bucket sets[SETS][WAYS];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t hash_pair(const char *client, const char *account)
{
    struct arena arena;
    uint8_t digest[32];
    uint64_t pair;
    char *text;
    size_t len = sizeof(state.salt) + strlen(client) + 1 + strlen(account);

    pthread_mutex_lock(&state.lock);
    if (!state.salted) {
        char uuid[37];

        random_uuid(uuid);
        sha256(BYTES(uuid), digest);
        memcpy(state.salt, digest, sizeof(state.salt));
        state.salted = true;
    }
    pthread_mutex_unlock(&state.lock);
    arena_init(&arena);
    text = arena_alloc(&arena, len + 1);
    memcpy(text, state.salt, sizeof(state.salt));
    stpcpy(stpcpy(text + sizeof(state.salt), client) + 1, account);
    sha256((struct bytes){text, len}, digest);
    arena_free(&arena);
    memcpy(&pair, digest, sizeof(pair));
    return pair ? pair : 1;
}

static struct bucket *find(uint64_t pair)
{
    struct bucket *set = state.sets[pair % SETS];

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].pair == pair)
            return &set[i];
    }
    return NULL;
}

/* The place of the one nearest to forgiveness. */
static struct bucket *replace(uint64_t pair)
{
    struct bucket *set = state.sets[pair % SETS], *best = set;

    for (size_t i = 1; i < WAYS; i++) {
        if (set[i].full_at_ms < best->full_at_ms)
            best = &set[i];
    }
    *best = (struct bucket){.pair = pair};
    return best;
}

enum fault throttle_check(struct op *op, const char *client, const char *account)
{
    uint64_t pair = hash_pair(client, account);
    const struct bucket *bucket;
    int64_t wait_ms = 0;

    pthread_mutex_lock(&state.lock);
    bucket = find(pair);
    if (bucket)
        wait_ms = bucket->full_at_ms - now_ms() - (BURST - 1) * INTERVAL_MS;
    pthread_mutex_unlock(&state.lock);
    if (wait_ms <= 0)
        return OK;
    op->retry_after_s = (int)((wait_ms + 999) / 1000);
    return fail(op, TOO_MANY, "too many failed logins: wait %d seconds", op->retry_after_s);
}

void throttle_failed(const char *client, const char *account)
{
    uint64_t pair = hash_pair(client, account);
    int64_t now = now_ms(), limit = now + 2 * BURST * INTERVAL_MS;
    struct bucket *bucket;

    pthread_mutex_lock(&state.lock);
    bucket = find(pair);
    if (!bucket)
        bucket = replace(pair);
    if (bucket->full_at_ms < now)
        bucket->full_at_ms = now;
    bucket->full_at_ms += INTERVAL_MS;
    if (bucket->full_at_ms > limit) /* tries that were under way together */
        bucket->full_at_ms = limit;
    pthread_mutex_unlock(&state.lock);
}

void throttle_reset(void)
{
    pthread_mutex_lock(&state.lock);
    memset(state.sets, 0, sizeof(state.sets));
    pthread_mutex_unlock(&state.lock);
}
