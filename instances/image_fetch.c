/*
 * Asking another registry for an image. Many containers of one image that start at once ask it
 * once or twice, not each: pulls are counted at the source.
 */
#include <pthread.h>
#include <string.h>

#include "instances/image_parts.h"
#include "registry/hash.h"

#define ANSWERS 64

/* An answer that somebody got, and what for. */
struct answer {
    char key[80]; /* hash of the question, credentials included */
    int64_t began_ms;
};
struct running {
    struct running *next;
    const char *place; /* host and repository */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct running *running;
static struct answer answers[ANSWERS];
static size_t next_answer;

static const char *key_of(struct op *op, const struct image_fetch *a)
{
    const char *text =
        arena_printf(&op->arena, "%s\n%s\n%s\n%s\n%s", a->host, a->repository, a->reference,
                     a->username ? a->username : "", a->password ? a->password : "");

    return hash_bytes(op, HASH_SHA256, BYTES(text));
}

static bool is_running(const char *place)
{
    for (const struct running *r = running; r; r = r->next)
        if (strcmp(r->place, place) == 0)
            return true;
    return false;
}

static bool is_answered(const char *key, int64_t since_ms)
{
    for (size_t i = 0; i < ANSWERS; i++)
        if (strcmp(answers[i].key, key) == 0 && answers[i].began_ms >= since_ms)
            return true;
    return false;
}

/* False: somebody has got the answer meanwhile. */
static bool begin(struct running *me, const char *key, int64_t since_ms)
{
    bool answered;

    pthread_mutex_lock(&lock);
    while (is_running(me->place))
        pthread_cond_wait(&changed, &lock);
    answered = is_answered(key, since_ms);
    if (!answered) {
        me->next = running;
        running = me;
    }
    pthread_mutex_unlock(&lock);
    return !answered;
}

static void end(struct running *me, const char *key, int64_t began_ms, bool good)
{
    struct running **at = &running;

    pthread_mutex_lock(&lock);
    while (*at != me)
        at = &(*at)->next;
    *at = me->next;
    if (good) {
        struct answer *a = &answers[next_answer++ % ANSWERS];

        memcpy(a->key, key, strlen(key) + 1);
        a->began_ms = began_ms;
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* What anybody may have, fetched earlier, stands in for a source that is away. */
static bool find_older(struct op *op, const struct image_fetch *a, struct hidden_image *ret)
{
    struct image_parts parts;
    struct op own;
    bool found;

    op_init(&own);
    own.db = op->db;
    found = import_hidden_find(&own, a->host, a->repository, false, ret) == OK &&
            image_find(&own, a->what, ret->registry_id, false, ret->repository, a->reference,
                       &parts) == OK;
    if (found)
        ret->repository = arena_strdup(&op->arena, ret->repository);
    own.db = NULL;
    op_free(&own);
    return found;
}

/* In words of the image, not of an import. */
static enum fault reword(struct op *op, const struct image_fetch *a, enum fault fault)
{
    const char *why = op->message ? op->message : "";
    int retry_after_s = op->retry_after_s;

    op_clear_fault(op);
    op->retry_after_s = retry_after_s;
    if (fault == UNSUPPORTED)
        return fail_on(op, "image", fault, "%s", why);
    if (fault == NOT_FOUND)
        return fail_on(op, "image", fault, "the image %s was not found: %s", a->what, why);
    if (fault == FORBIDDEN)
        return fail_on(op, "image", fault, "the image %s may not be pulled: %s", a->what, why);
    return fail_on(op, "image", fault, "the image %s cannot be pulled: %s", a->what, why);
}

enum fault image_fetch(struct op *op, const struct image_fetch *a, struct hidden_image *ret)
{
    struct running me = {.place = arena_printf(&op->arena, "%s/%s", a->host, a->repository)};
    const char *key = key_of(op, a);
    int64_t began_ms;
    enum fault fault;

    if (!begin(&me, key, a->asked_ms))
        return import_hidden_find(op, a->host, a->repository, a->username || a->password, ret);
    began_ms = now_ms();
    fault = import_hidden(op, a->host, a->repository, a->reference, a->username, a->password, ret);
    end(&me, key, began_ms, fault == OK);
    if (fault == OK)
        return OK;
    if (fault == UNAVAILABLE && find_older(op, a, ret)) {
        op_clear_fault(op);
        return OK;
    }
    return reword(op, a, fault);
}
