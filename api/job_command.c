/* `sundog new` and `sundog delete`: jobs of a running Sundog of this machine. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/commands.h"
#include "api/job.h"
#include "auth/local_client.h"
#include "core/env.h"
#include "core/json.h"
#include "core/uri.h"

#define LOOK_MS     50
#define LOOK_MS_MAX 1000

static const char *path_of(struct op *op, const char *name)
{
    return arena_printf(&op->arena, JOBS_PATH "/%s", uri_encode(&op->arena, name, ""));
}

/* ---- new ---- */

/* Nobody saw its secret. */
static void take_back(const struct settings *settings, const struct local_client *client,
                      const char *name)
{
    struct op scratch; /* the reason why stays */

    op_init(&scratch);
    env_forget_job(&scratch, settings, name);
    if (local_client_ask(&scratch, client, "DELETE", path_of(&scratch, name), NULL, NULL) != OK)
        fprintf(stderr, "sundog: the job %s stays (%s): sundog delete %s\n", name,
                scratch.message ? scratch.message : fault_name(scratch.fault), name);
    op_free(&scratch);
}

static enum fault make(struct op *op, const struct settings *settings,
                       const struct local_client *client)
{
    json_t *ask = json_new_object(op), *answer;
    enum fault fault;
    const char *name;

    TRY(env_check_job(op, settings));
    json_set_text(ask, "name", settings_args[0]);
    if (settings->for_s > 0)
        json_object_set_new(ask, "expiresInSeconds", json_integer(settings->for_s));
    TRY(local_client_ask(op, client, "POST", JOBS_PATH, ask, &answer));
    name = json_text(answer, "name");
    fault = env_show_job(op, settings, json_object_get(answer, "properties"), name);
    if (fault != OK)
        take_back(settings, client, name);
    return fault;
}

static void print_line(const json_t *job)
{
    const json_t *p = json_object_get(job, "properties");
    const char *expires = json_text(p, "expires");

    printf("%-40s %-8s %s %-20s %6lld %.19s %.19s\n", json_text(job, "name"), json_text(p, "state"),
           json_text(p, "subscriptionId"), json_text(p, "registryName"),
           (long long)json_integer_value(json_object_get(p, "resources")), json_text(p, "created"),
           *expires ? expires : "-");
}

static void print_head(void)
{
    printf("%-40s %-8s %-36s %-20s %6s %-19s %s\n", "JOB", "STATE", "SUBSCRIPTION", "REGISTRY",
           "THINGS", "CREATED", "EXPIRES");
}

/* All pages; --format json: one array. */
static enum fault list(struct op *op, const struct settings *settings,
                       const struct local_client *client)
{
    json_t *all = json_new_array(op), *page;
    const char *path = JOBS_PATH;
    size_t i;
    json_t *job;

    while (path) {
        const char *next;

        TRY(local_client_ask(op, client, "GET", path, NULL, &page));
        json_array_extend(all, json_object_get(page, "value"));
        next = strstr(json_text(page, "nextLink"), JOBS_PATH);
        path = next;
    }
    if (strcmp(settings->format, "json") == 0) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        return OK;
    }
    print_head();
    json_array_foreach(all, i, job) print_line(job);
    return OK;
}

static enum fault new_job(struct op *op, const struct settings *settings,
                          const struct local_client *client)
{
    if (settings_args[0] && (settings_args[1] || settings->list))
        return fail(op, INVALID, "usage: sundog new [NAME], or sundog new --list");
    return settings->list ? list(op, settings, client) : make(op, settings, client);
}

/* ---- delete ---- */

static void say_progress(const json_t *answer)
{
    const json_t *p = json_object_get(answer, "properties");

    fprintf(stderr, "\rsundog: deleting %s: %lld resource groups, %lld resources left   ",
            json_text(answer, "name"),
            (long long)json_integer_value(json_object_get(p, "resourceGroups")),
            (long long)json_integer_value(json_object_get(p, "resources")));
}

/* Until it is gone; whoever interrupts us does not stop the deletion. */
static enum fault wait_gone(struct op *op, const struct local_client *client, const char *name)
{
    bool terminal = isatty(2), said = false;
    int pause_ms = LOOK_MS;

    for (;;) {
        struct op scratch;
        enum fault fault;
        json_t *answer;

        op_init(&scratch);
        fault = local_client_ask(&scratch, client, "GET", path_of(&scratch, name), NULL, &answer);
        if (fault == OK && terminal) {
            say_progress(answer);
            said = true;
        } else if (fault != OK && fault != NOT_FOUND) {
            fail(op, fault, "%s", scratch.message);
        }
        op_free(&scratch);
        if (fault != OK) {
            if (said)
                fputs("\n", stderr);
            return fault == NOT_FOUND ? OK : fault;
        }
        poll(NULL, 0, pause_ms);
        pause_ms = pause_ms * 2 > LOOK_MS_MAX ? LOOK_MS_MAX : pause_ms * 2;
    }
}

static enum fault delete_job(struct op *op, const struct settings *settings,
                             const struct local_client *client)
{
    const char *name = settings_args[0];

    if (!name || settings_args[1])
        return fail(op, INVALID, "usage: sundog delete JOB");
    TRY(local_client_ask(op, client, "DELETE", path_of(op, name), NULL, NULL));
    TRY(wait_gone(op, client, name));
    env_forget_job(op, settings, name);
    return OK;
}

int new_run(struct settings *settings)
{
    return local_client_run(settings, new_job);
}

int delete_run(struct settings *settings)
{
    return local_client_run(settings, delete_job);
}
