/* Rules without state: when a container is started again, and what a group's state is. */
#include <time.h>

#include "instances/group_run.h"

#define BACKOFF_FIRST_S 10
#define BACKOFF_MAX_S   300
#define GOOD_RUN_US     (INT64_C(600) * 1000000) /* after that its failures are forgotten */

int64_t group_restart_delay_s(enum restart_policy policy, bool init, int64_t exit_code,
                              int64_t ran_us, int64_t *failures)
{
    int64_t delay = 0;

    if (policy == RESTART_NEVER || (exit_code == 0 && (init || policy == RESTART_ON_FAILURE)))
        return -1;
    if (ran_us >= GOOD_RUN_US)
        *failures = 0;
    if (*failures > 0)
        delay = *failures < 6 ? BACKOFF_FIRST_S << (*failures - 1) : BACKOFF_MAX_S;
    ++*failures;
    return delay > BACKOFF_MAX_S ? BACKOFF_MAX_S : delay;
}

enum group_state group_state_of(const struct container_group *g, enum restart_policy policy)
{
    size_t ended = 0, failed = 0, all = 0;
    bool begun = true;

    for (size_t i = 0; i < g->n_containers; i++) {
        const struct container_row *row = &g->containers[i];
        bool done = row->state == SHOW_TERMINATED;

        if (row->init) {
            if (done && row->exit_code != 0)
                return GROUP_FAILED;
            begun = begun && done;
            continue;
        }
        all++;
        ended += done;
        failed += done && row->exit_code != 0;
        begun = begun && row->starts > 0;
    }
    if (!begun)
        return GROUP_PENDING;
    if (ended < all || policy == RESTART_ALWAYS)
        return GROUP_RUNNING;
    return failed && policy == RESTART_NEVER ? GROUP_FAILED : GROUP_SUCCEEDED;
}

const char *iso_time(struct op *op, int64_t us)
{
    time_t s = (time_t)(us / 1000000);
    struct tm tm;
    char text[32];

    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &tm));
    return arena_printf(&op->arena, "%s.%03dZ", text, (int)(us % 1000000 / 1000));
}

json_t *container_state_json(struct op *op, enum container_show state, const char *detail,
                             int64_t exit_code, int64_t started_us, int64_t finished_us)
{
    json_t *o = json_object();

    arena_defer(&op->arena, (void (*)(void *))json_decref, o);
    json_object_set_new(o, "state", json_string(container_show_words[state]));
    if (started_us)
        json_object_set_new(o, "startTime", json_string(iso_time(op, started_us)));
    if (state == SHOW_TERMINATED) {
        json_object_set_new(o, "exitCode", json_integer(exit_code));
        if (finished_us)
            json_object_set_new(o, "finishTime", json_string(iso_time(op, finished_us)));
    }
    json_object_set_new(o, "detailStatus", json_string(detail));
    return o;
}
