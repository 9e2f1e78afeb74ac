/* A group's containers: started in order, watched, and started again as the restart policy says. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "instances/group_pass.h"
#include "instances/probe.h"

#define START_ERROR_EXIT 128

/* ---- what has ended ---- */

static const char *state_text(struct op *op, const struct container_row *row)
{
    char *text = json_dumps(container_state_json(op, row->state, row->detail, row->exit_code,
                                                 row->started_us, row->finished_us),
                            JSON_COMPACT);

    if (text)
        arena_defer(&op->arena, free, text);
    return text;
}

/* It has ended: will it be started again, and when? */
static void ended(struct op *op, struct group_pass *p, struct container_row *row)
{
    int64_t ran_us = row->finished_us - row->started_us, delay_s;

    row->state = SHOW_TERMINATED;
    row->ready = false;
    if (p->g.wanted != GROUP_WANT_RUNNING || p->g.observed != p->g.generation)
        return;
    delay_s =
        group_restart_delay_s(p->spec.restart, row->init, row->exit_code, ran_us, &row->failures);
    if (delay_s < 0)
        return;
    row->previous = state_text(op, row);
    row->state = SHOW_WAITING;
    row->started_us = 0;
    row->next_start_us = row->finished_us + delay_s * 1000000;
    row->detail = "";
    if (delay_s == 0)
        return;
    row->detail = "CrashLoopBackOff";
    pass_event(op, p, row->name, true, "BackOff", "Back-off restarting failed container");
}

static void absorb_exit(struct op *op, struct group_pass *p, struct container_row *row,
                        const struct container_state *s)
{
    row->exit_code = s->exit_code;
    row->started_us = s->started_us;
    row->finished_us = s->finished_us ? s->finished_us : wall_us();
    row->detail = s->oom_killed ? "OOMKilled" : s->exit_code == 0 ? "Completed" : "Error";
    ended(op, p, row);
}

static void absorb_one(struct op *op, struct group_pass *p, struct container_row *row)
{
    const struct container_state *s = pass_state(p, row->name);

    if (!s && row->state == SHOW_RUNNING && p->alive) {
        row->exit_code = 137;
        row->detail = "ContainerStatusUnknown";
        row->finished_us = wall_us();
        ended(op, p, row);
    }
    if (!s || s->attempt + 1 < row->starts)
        return;
    if (s->attempt >= row->starts) { /* started, and then we were killed before we could note it */
        row->starts = s->attempt + 1;
        row->state = SHOW_RUNNING;
    }
    if (row->state != SHOW_RUNNING)
        return;
    if (s->phase == CONTAINER_EXITED)
        absorb_exit(op, p, row, s);
    else if (s->started_us)
        row->started_us = s->started_us;
}

void group_absorb(struct op *op, struct group_pass *p)
{
    for (size_t i = 0; i < p->g.n_containers; i++)
        absorb_one(op, p, &p->g.containers[i]);
}

/* ---- starting ---- */

static void start_failed(struct op *op, struct group_pass *p, struct container_row *row)
{
    const char *why = op->message ? op->message : "";

    group_count_start_failure();
    pass_event(op, p, row->name, true, "Failed", "Error: %s", why);
    row->starts++;
    row->exit_code = START_ERROR_EXIT;
    row->detail = arena_printf(&op->arena, "StartError: %.500s", why);
    row->started_us = row->finished_us = wall_us();
    op_clear_fault(op);
    ended(op, p, row);
}

static enum fault start(struct op *op, struct group_pass *p, size_t i)
{
    struct container_row *row = &p->g.containers[i];
    struct container_spec spec;
    enum fault fault = group_container_spec(op, p, i, &spec);
    int64_t started_us = 0;
    bool again = row->starts > 0;

    if (fault == OK)
        fault = container_start(op, p->sandbox, &spec, &started_us);
    if (again && (fault == OK || fault == INVALID)) {
        row->restarts++;
        group_count_restart();
    }
    if (fault == INVALID) {
        start_failed(op, p, row);
        return OK;
    }
    TRY(fault);
    if (!again)
        pass_event(op, p, row->name, false, "Created", "Created container");
    pass_event(op, p, row->name, false, "Started", "Started container");
    row->starts++;
    row->state = SHOW_RUNNING;
    row->detail = "";
    row->started_us = started_us;
    row->finished_us = row->next_start_us = 0;
    row->ready = !p->spec.containers[i].readiness;
    return OK;
}

/* Start it when its time has come. *ret_did: something was done in this pass. */
static enum fault start_if_due(struct op *op, struct group_pass *p, size_t i, bool *ret_did)
{
    struct container_row *row = &p->g.containers[i];
    int64_t wait_us = row->next_start_us - wall_us();

    if (row->state != SHOW_WAITING)
        return OK;
    if (row->next_start_us && wait_us > 0) {
        pass_again(p, wait_us / 1000 + 1);
        return OK;
    }
    *ret_did = true;
    return start(op, p, i);
}

/* ---- all of them ---- */

/* Init containers, one after the other. *ret_done: all have succeeded. */
static enum fault drive_init(struct op *op, struct group_pass *p, bool *ret_done)
{
    bool did = false;

    *ret_done = true;
    for (size_t i = 0; i < p->g.n_containers && *ret_done; i++) {
        const struct container_row *row = &p->g.containers[i];

        if (!row->init || (row->state == SHOW_TERMINATED && row->exit_code == 0))
            continue;
        *ret_done = false;
        if (row->state == SHOW_TERMINATED)
            pass_fail(op, p, "InitContainerFailed",
                      arena_printf(&op->arena,
                                   "The init container '%s' of container group '%s' ended with "
                                   "exit code %lld.",
                                   row->name, p->g.name, (long long)row->exit_code));
        else
            TRY(start_if_due(op, p, i, &did));
    }
    if (did)
        pass_again(p, 0);
    return OK;
}

static enum fault drive_main(struct op *op, struct group_pass *p)
{
    bool did = false;

    for (size_t i = 0; i < p->g.n_containers && !did; i++)
        if (!p->g.containers[i].init)
            TRY(start_if_due(op, p, i, &did));
    if (did)
        pass_again(p, 0);
    return OK;
}

static bool all_were_started(const struct container_group *g)
{
    for (size_t i = 0; i < g->n_containers; i++)
        if (g->containers[i].starts == 0)
            return false;
    return true;
}

enum fault group_drive(struct op *op, struct group_pass *p)
{
    enum fault fault;
    bool done;

    fault = drive_init(op, p, &done);
    if (fault == OK && done)
        fault = drive_main(op, p);
    if (p->g.provisioning != PROVISIONING_FAILED)
        p->g.state = group_state_of(&p->g, p->spec.restart);
    if (p->g.provisioning == PROVISIONING_CREATING && all_were_started(&p->g)) {
        p->g.provisioning = PROVISIONING_SUCCEEDED;
        group_count_start(wall_us() - p->g.begun_us);
    }
    probes_sync(&p->g, &p->spec);
    return fault;
}
