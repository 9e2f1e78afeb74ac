/* What rest/ keeps beside a running cluster, and sweeping old events. */
#include <stdlib.h>
#include <string.h>

#include "clusters/rest/rest_internal.h"

#define EVENT_SECONDS 3600
#define SWEEP_MS      60000

enum fault rest_open(struct op *op, struct cluster *cluster)
{
    struct rest_state *state = calloc(1, sizeof(*state));
    enum fault fault;

    if (!state)
        abort();
    known_find();
    pthread_mutex_init(&state->lock, NULL);
    pthread_mutex_init(&state->quota_lock, NULL);
    state->tokens = token_cache_new();
    cluster->rest = state;
    fault = bootstrap(op, cluster);
    if (fault == OK)
        address_pool_open(cluster);
    else
        rest_close(cluster);
    return fault;
}

void rest_close(struct cluster *cluster)
{
    struct rest_state *state = cluster->rest;

    if (!state)
        return;
    address_pool_free(cluster);
    token_cache_free(state->tokens);
    rights_free(state->rights);
    pthread_mutex_destroy(&state->lock);
    pthread_mutex_destroy(&state->quota_lock);
    free(state);
    cluster->rest = NULL;
}

/* ---- events live for an hour after they were said last ---- */

static int64_t said_at(struct object *event)
{
    /* not object_tree: what is about to go needs no parsed form that stays */
    json_t *tree = json_loadb(event->text.data, event->text.len, JSON_ALLOW_NUL, NULL);
    static const char *const members[] = {"series.lastObservedTime", "lastTimestamp", "eventTime",
                                          "metadata.creationTimestamp"};
    int64_t newest = -1;

    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const char *text = text_at(tree, members[i]);
        int64_t when = text ? time_parse(text) : -1;

        newest = when > newest ? when : newest;
    }
    json_decref(tree);
    return newest;
}

void rest_sweep(struct cluster *cluster)
{
    struct store_page page = {0};
    int64_t now = now_ms(), revision = 0;
    long long due;
    struct op op;

    due = atomic_load(&cluster->rest->sweep_ms);
    if (now < due ||
        !atomic_compare_exchange_strong(&cluster->rest->sweep_ms, &due, now + SWEEP_MS))
        return;
    op_init(&op);
    if (store_list(&op, cluster->store, known.events, NULL, NULL, NULL, 0, 0, &page) != OK)
        page.n = 0;
    for (size_t i = 0; i < page.n; i++) {
        struct object *event = page.objects[i];
        struct write w = {.change = CHANGE_DELETE,
                          .resource = known.events,
                          .ns = event->ns,
                          .name = event->name,
                          .expected = event->revision};

        if (said_at(event) + EVENT_SECONDS < wall_s())
            store_submit(&op, cluster->store, &w, &revision, NULL);
    }
    op_free(&op);
}
