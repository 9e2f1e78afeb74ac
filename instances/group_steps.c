/*
 *~ The life of a container group. Each change that a request makes is a new generation, and each
 *~ generation is a sandbox of its own: what runs of an older one is ended, then the new one begins,
 *~ stays stopped, or the row goes. A pass reads the row and looks at the sandbox, and does the
 *~ first of the transitions below that fits; nothing is kept in memory between passes.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/db.h"
#include "core/json.h"
#include "instances/group_pass.h"
#include "instances/log_file.h"
#include "instances/network.h"
#include "instances/probe.h"
#include "instances/process.h"

#define GRACE_US        (INT64_C(30) * 1000000)
#define CREATE_LIMIT_US (INT64_C(1800) * 1000000)
#define LAST_LOG_BYTES  16384
#define LAST_LOG_LINES  1000

static bool is_superseded(const struct group_pass *p)
{
    return p->g.observed != p->g.generation;
}

/* ---- ending what is not wanted any more ---- */

bool container_hears(struct op *op, const struct container_group *g, const char *name, int sig)
{
    struct container_state *states = NULL;
    size_t n = 0;

    if (sandbox_states(op, container_group_sandbox(op, g), &states, &n) != OK)
        op_clear_fault(op);
    for (size_t i = 0; i < n; i++)
        if (strcmp(states[i].name, name) == 0 && states[i].phase != CONTAINER_EXITED)
            return process_hears(states[i].pid, sig);
    return false;
}

static struct container_row *row_of(struct group_pass *p, const char *name)
{
    for (size_t i = 0; i < p->g.n_containers; i++)
        if (strcmp(p->g.containers[i].name, name) == 0)
            return &p->g.containers[i];
    return NULL;
}

static int signal_for(struct op *op, struct group_pass *p, const char *name)
{
    const struct container_row *row = row_of(p, name);

    return row ? group_stop_signal(op, row) : SIGTERM;
}

static bool runs(const struct container_state *s)
{
    return s->phase != CONTAINER_EXITED;
}

static void tell_to_end(struct op *op, struct group_pass *p)
{
    for (size_t i = 0; i < p->n_states; i++) {
        if (!runs(&p->states[i]))
            continue;
        pass_event(op, p, p->states[i].name, false, "Killing", "Killing container");
        if (container_signal(op, p->sandbox, p->states[i].name,
                             signal_for(op, p, p->states[i].name)) != OK)
            op_clear_fault(op); /* it has just ended, or is killed later */
    }
    p->g.stopping_us = wall_us();
}

/* Is it worth to wait for any of them? */
static bool any_will_end(struct op *op, struct group_pass *p)
{
    for (size_t i = 0; i < p->n_states; i++)
        if (runs(&p->states[i]) &&
            process_hears(p->states[i].pid, signal_for(op, p, p->states[i].name)))
            return true;
    return false;
}

/* The end of what a stopped group printed stays readable. */
static void keep_logs(struct op *op, struct group_pass *p)
{
    const struct log_query query = {.tail = LAST_LOG_LINES, .bytes_max = LAST_LOG_BYTES};

    for (size_t i = 0; i < p->g.n_containers; i++) {
        struct container_row *row = &p->g.containers[i];
        struct bytes log = {"", 0};
        struct text clean;

        if (row->starts == 0 ||
            log_read(op, p->sandbox, row->name, row->starts - 1, &query, &log) != OK) {
            op_clear_fault(op);
            continue;
        }
        text_init(&clean, &op->arena, 4 * LAST_LOG_BYTES);
        utf8_clean(&clean, log);
        row->last_log = clean.data;
    }
}

static void end_rows(struct group_pass *p)
{
    for (size_t i = 0; i < p->g.n_containers; i++) {
        struct container_row *row = &p->g.containers[i];

        if (row->state == SHOW_RUNNING) {
            row->exit_code = 128 + SIGKILL;
            row->detail = "Error";
            row->finished_us = wall_us();
        }
        if (row->starts > 0)
            row->state = SHOW_TERMINATED;
        row->ready = false;
    }
}

static enum fault end_it(struct op *op, struct group_pass *p)
{
    int64_t left_us;

    group_absorb(op, p);
    if (!p->g.stopping_us)
        tell_to_end(op, p);
    left_us = p->g.stopping_us + GRACE_US - wall_us();
    if (left_us > 0 && any_will_end(op, p)) {
        pass_again(p, left_us / 1000 + 1);
        return OK;
    }
    if (p->g.wanted == GROUP_WANT_STOPPED) {
        keep_logs(op, p);
        end_rows(p);
    }
    TRY(sandbox_delete(op, p->sandbox));
    p->alive = false;
    p->g.stopping_us = 0;
    pass_again(p, 0);
    return OK;
}

/* ---- what comes after ---- */

enum fault group_remove(struct op *op, const struct container_group *g)
{
    /* the resource's envelope goes in the same transaction, or both stay */
    if (!group_listener)
        return fail(op, UNAVAILABLE, "the resource manager has not started yet");
    TRY(db_begin(op));
    TRY(group_listener->removed(op, g));
    TRY(group_row_delete(op, g));
    TRY(db_commit(op));
    group_listener->after_removal(op, g);
    group_waiters_gone(g->id);
    return OK;
}

static void begin(struct op *op, struct group_pass *p)
{
    p->g.provisioning = PROVISIONING_CREATING;
    p->g.state = GROUP_PENDING;
    p->g.fault_code = p->g.fault_text = NULL;
    p->g.begun_us = wall_us();
    p->g.cloned = 0;
    p->reset = true;
    for (size_t i = 0; i < p->g.n_containers; i++)
        image_forget(pass_wake(op, p, p->g.containers[i].name));
    pass_again(p, 0);
}

static enum fault settle(struct op *op, struct group_pass *p)
{
    if (p->g.observed > 0)
        TRY(sandbox_delete(op, p->sandbox)); /* half of one may be left */
    probes_forget(p->g.id);
    network_names(arena_printf(&op->arena, "g%lld", (long long)p->g.id), NULL, NULL);
    p->g.stopping_us = 0;
    if (p->g.wanted == GROUP_WANT_DELETED) {
        p->over = true;
        return group_remove(op, &p->g);
    }
    p->g.observed = p->g.generation;
    p->sandbox = container_group_sandbox(op, &p->g);
    if (p->g.wanted == GROUP_WANT_RUNNING) {
        begin(op, p);
        return OK;
    }
    p->g.state = GROUP_STOPPED;
    p->g.provisioning = PROVISIONING_SUCCEEDED;
    return OK;
}

/* ---- making it run ---- */

static enum fault give_up(struct op *op, struct group_pass *p)
{
    pass_fail(op, p, "ContainerGroupCreationTimeout",
              arena_printf(&op->arena,
                           "The container group '%s' could not be created within 30 "
                           "minutes; its events say why.",
                           p->g.name));
    return OK;
}

static enum fault get_images(struct op *op, struct group_pass *p)
{
    bool all;

    TRY(group_images(op, p, &all));
    if (all)
        pass_again(p, 0);
    return OK;
}

static const char *const *own_nameserver(struct op *op)
{
    const char **servers = arena_alloc(&op->arena, 2 * sizeof(*servers));

    servers[0] = network_gateway(op, RANGE_PRIVATE);
    return servers;
}

static struct sandbox_spec sandbox_of(struct op *op, const struct group_pass *p)
{
    struct sandbox_address *addresses = arena_alloc(&op->arena, 2 * sizeof(*addresses));
    struct volume_spec *volumes =
        arena_alloc(&op->arena, (p->spec.n_volumes + 1) * sizeof(*volumes));
    size_t n = 0;

    addresses[n++] =
        (struct sandbox_address){network_address(op, RANGE_PRIVATE, p->g.private_index),
                                 network_prefix(RANGE_PRIVATE), true};
    if (p->g.public_index >= 0)
        addresses[n++] =
            (struct sandbox_address){network_address(op, RANGE_PUBLIC, p->g.public_index),
                                     network_prefix(RANGE_PUBLIC), true};
    for (size_t i = 0; i < p->spec.n_volumes; i++)
        volumes[i] = p->spec.volumes[i].spec;
    return (struct sandbox_spec){
        .id = p->sandbox,
        .hostname = p->g.name,
        .bridge = network_bridge(),
        .addresses = addresses,
        .n_addresses = n,
        .gateway = network_gateway(op, RANGE_PRIVATE),
        .ports = p->spec.ports,
        .n_ports = p->spec.n_ports,
        .nameservers = p->spec.nameservers ? p->spec.nameservers : own_nameserver(op),
        .searches = p->spec.searches,
        .resolv_options = p->spec.options,
        .memory_bytes = p->spec.memory_bytes,
        .cpu_millis = p->spec.cpu_millis,
        .volumes = volumes,
        .n_volumes = p->spec.n_volumes,
    };
}

static enum fault make_sandbox(struct op *op, struct group_pass *p)
{
    struct sandbox_spec spec;
    enum fault fault;
    bool good;

    TRY(container_groups_supported(op));
    if (!group_layers_check(op, p)) {
        pass_again(p, 0);
        return OK;
    }
    spec = sandbox_of(op, p);
    TRY(group_volumes_check(op, p, &good));
    if (!good)
        return OK;
    fault = sandbox_create(op, &spec);
    if (fault == CONFLICT) { /* half of one, left by a crash */
        op_clear_fault(op);
        TRY(sandbox_delete(op, p->sandbox));
        fault = sandbox_create(op, &spec);
    }
    TRY(fault);
    group_names(op, &p->g);
    pass_again(p, 0);
    return OK;
}

/* The machine was started anew, or the supervisor killed: what should run runs again. */
static enum fault begin_again(struct op *op, struct group_pass *p)
{
    TRY(group_row_again(op, &p->g));
    p->over = true; /* as read it is no more */
    pass_again(p, 0);
    return OK;
}

/* What may run once only has been cut off, and stays so. */
static enum fault end_for_good(struct op *op, struct group_pass *p)
{
    for (size_t i = 0; i < p->g.n_containers; i++)
        if (p->g.containers[i].state == SHOW_RUNNING)
            pass_event(op, p, p->g.containers[i].name, true, "Failed",
                       "The container was lost with its machine or supervisor");
    end_rows(p);
    p->g.state = group_state_of(&p->g, p->spec.restart);
    return OK;
}

static enum fault drive(struct op *op, struct group_pass *p)
{
    bool all;

    group_absorb(op, p);
    TRY(group_clone(op, p, &all));
    return all ? group_drive(op, p) : OK;
}

/* ---- the table ---- */

static bool ends(const struct group_pass *p)
{
    return is_superseded(p) && p->alive;
}

static bool has_come_to_rest(const struct group_pass *p)
{
    return p->g.wanted != GROUP_WANT_RUNNING || p->g.provisioning == PROVISIONING_FAILED;
}

static bool takes_too_long(const struct group_pass *p)
{
    return p->g.provisioning == PROVISIONING_CREATING &&
           wall_us() - p->g.begun_us > CREATE_LIMIT_US;
}

static bool lacks_images(const struct group_pass *p)
{
    for (size_t i = 0; i < p->g.n_containers; i++)
        if (!p->g.containers[i].image)
            return true;
    return false;
}

static bool was_started(const struct group_pass *p)
{
    for (size_t i = 0; i < p->g.n_containers; i++)
        if (p->g.containers[i].starts > 0)
            return true;
    return false;
}

static bool is_lost(const struct group_pass *p)
{
    return !p->alive && was_started(p) &&
           (p->g.state == GROUP_PENDING || p->g.state == GROUP_RUNNING);
}

static bool is_lost_for_good(const struct group_pass *p)
{
    return is_lost(p) && p->spec.restart == RESTART_NEVER && p->g.state == GROUP_RUNNING;
}

static bool has_ended(const struct group_pass *p)
{
    return !p->alive && was_started(p);
}

static bool lacks_sandbox(const struct group_pass *p)
{
    return !p->alive;
}

static bool always(const struct group_pass *p)
{
    (void)p;
    return true;
}

static enum fault nothing(struct op *op, struct group_pass *p)
{
    (void)op;
    (void)p;
    return OK;
}

static const struct transition {
    bool (*when)(const struct group_pass *p);
    enum fault (*step)(struct op *op, struct group_pass *p);
    const char *why;
} transitions[] = {
    {ends,             end_it,       "an older generation runs: told to end, killed after 30 s"},
    {is_superseded,    settle,       "nothing runs: begin the new generation, rest, or go"     },
    {has_come_to_rest, nothing,      "stopped, or failed for good"                             },
    {takes_too_long,   give_up,      "30 minutes are enough"                                   },
    {lacks_images,     get_images,   "fetch the images before anything is made"                },
    {is_lost_for_good, end_for_good, "its sandbox is gone, and nothing of it may run twice"    },
    {is_lost,          begin_again,  "its sandbox is gone, with all that ran: once more"       },
    {has_ended,        nothing,      "all had run to their end before the sandbox was lost"    },
    {lacks_sandbox,    make_sandbox, "namespace, network, volumes"                             },
    {always,           drive,        "clone volumes, start containers, and start them again"   },
};

enum fault group_step(struct op *op, struct group_pass *p)
{
    for (size_t i = 0; i < ARRAY_LEN(transitions); i++)
        if (transitions[i].when(p))
            return transitions[i].step(op, p);
    return OK;
}
