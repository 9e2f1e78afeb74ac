#include "instances/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/helper.h"
#include "instances/cgroup.h"
#include "instances/paths.h"
#include "instances/sandbox_calls.h"
#include "instances/sandbox_json.h"
#include "instances/sandbox_socket.h"

#define ANSWER_TIMEOUT_S 120 /* a supervisor that says nothing for so long is stuck */
#define STATS_TIMEOUT_S  5   /* what it has at hand */

/* Set by sandbox_start, before other threads ask. */
static struct {
    bool started;
    char *data, *run;
    enum fault fault; /* of sandbox_start */
    char *why;
} here;

/* OpenSSL reads its configuration when it first hashes: once here, not in each of the helper's
   forks, which hash a path and live long. */
void sandbox_register(void)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)"", 0, hash);
    helper_register(sandbox_calls);
}

/* ---- can this machine? ---- */

static bool has_overlay(void)
{
    FILE *file = fopen("/proc/filesystems", "re");
    char line[128];
    bool found = false;

    while (file && fgets(line, sizeof(line), file))
        found |= strstr(line, "\toverlay\n") != NULL;
    if (file)
        fclose(file);
    return found;
}

const char *sandbox_lacks(struct op *op)
{
    struct cgroups cgroups;
    const char *why = NULL;

    if (helper_lacks())
        return helper_lacks();
    if (!sandbox_runtime())
        return "there is neither crun nor runc: apt-get install crun";
    if (!has_overlay() && access("/lib/modules", F_OK) < 0)
        return "the kernel has no overlayfs (CONFIG_OVERLAY_FS)";
    if (cgroups_find(op, &cgroups) != OK) {
        why = op->message;
        op_clear_fault(op);
    }
    return why;
}

static enum fault try_start(struct op *op, const struct settings *settings)
{
    const char *lacks = sandbox_lacks(op);

    if (lacks)
        return fail(op, UNSUPPORTED, "%s", lacks);
    here.data = strdup(settings->data);
    here.run = strdup(run_folder(op, settings->data));
    TRY(helper_call(op, "sandbox.start", NULL, NULL, 0, NULL));
    return watch_start(op);
}

enum fault sandbox_start(struct op *op, const struct settings *settings)
{
    const char **ids;
    size_t n;

    here.fault = try_start(op, settings);
    if (here.fault != OK) {
        here.why = strdup(op->message);
        return here.fault;
    }
    here.started = true;
    TRY(sandbox_list(op, &ids, &n));
    for (size_t i = 0; i < n; i++)
        if (watch_add(op, ids[i]) != OK)
            op_clear_fault(op); /* half a one: whose it is will find out and delete it */
    return OK;
}

void sandbox_stop(void)
{
    if (here.started)
        watch_stop();
    free(here.data);
    free(here.run);
    free(here.why);
    memset(&here, 0, sizeof(here));
}

enum fault sandbox_supported(struct op *op)
{
    if (here.started)
        return OK;
    return fail(op, here.fault ? here.fault : UNAVAILABLE, "%s",
                here.why ? here.why : "containers are not started yet");
}

/* ---- talking ---- */

const char *sandbox_data(void)
{
    return here.data;
}

/* One that is stuck lets its queue fill: then it is the connecting that waits. */
static enum fault connect_to(struct op *op, const char *id, int timeout_s, int *ret_fd)
{
    const struct timeval patience = {.tv_sec = timeout_s};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    TRY(sandbox_supported(op));
    if (!sandbox_id_valid(id))
        return fail_on(op, "sandbox", INVALID, "\"%s\" is no sandbox's name", id);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/s/%s/sock", here.run, id);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0) {
        if (fd >= 0)
            close(fd);
        return fail(op, UNAVAILABLE, "cannot make a socket: %s", strerror(errno));
    }
    while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno;

        if (error == EINTR)
            continue;
        close(fd);
        if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR)
            return fail_on(op, "sandbox", GONE, "the sandbox \"%s\" has no supervisor", id);
        return fail(op, UNAVAILABLE, "the supervisor of \"%s\" cannot be reached: %s", id,
                    strerror(error));
    }
    *ret_fd = fd;
    return OK;
}

enum fault sandbox_connect(struct op *op, const char *id, int *ret_fd)
{
    return connect_to(op, id, ANSWER_TIMEOUT_S, ret_fd);
}

static enum fault ask_within(struct op *op, const char *id, int timeout_s, const char *call,
                             json_t *with, struct message *ret)
{
    json_t *body = json_pack("{s:s,s:o*}", "call", call, "with", with);
    struct message answer = {0};
    AUTO_CLOSE int fd = -1, again = -1;
    enum fault fault;

    arena_defer(&op->arena, (void (*)(void *))json_decref, body);
    TRY(connect_to(op, id, timeout_s, &fd));
    fault = message_call(op, fd, body, NULL, 0, &answer);
    if (fault == UNAVAILABLE) { /* it may have died just now; if so, that is the reason */
        const char *message = op->message;

        TRY(connect_to(op, id, timeout_s, &again));
        return fail(op, fault, "%s", message);
    }
    TRY(fault);
    if (ret)
        *ret = answer;
    else
        message_close_fds(&answer);
    return OK;
}

enum fault sandbox_ask(struct op *op, const char *id, const char *call, json_t *with,
                       struct message *ret)
{
    return ask_within(op, id, ANSWER_TIMEOUT_S, call, with, ret);
}

/* ---- life ---- */

enum fault sandbox_create(struct op *op, const struct sandbox_spec *spec)
{
    json_t *json;

    TRY(sandbox_supported(op));
    TRY(sandbox_spec_write(op, spec, &json));
    TRY(helper_call(op, "sandbox.create", json, NULL, 0, NULL));
    return watch_add(op, spec->id);
}

static enum fault call_and_release(struct op *op, const char *name, json_t *with)
{
    arena_defer(&op->arena, (void (*)(void *))json_decref, with);
    return helper_call(op, name, with, NULL, 0, NULL);
}

enum fault sandbox_delete(struct op *op, const char *id)
{
    TRY(sandbox_supported(op));
    return call_and_release(op, "sandbox.delete", json_pack("{s:s}", "id", id));
}

enum fault sandbox_clone(struct op *op, const char *id, const char *volume, const char *repository,
                         const char *revision, const char *directory)
{
    TRY(sandbox_supported(op));
    return call_and_release(op, "sandbox.clone",
                            json_pack("{s:s,s:s,s:s,s:s*,s:s*}", "id", id, "volume", volume,
                                      "repository", repository, "revision", revision, "directory",
                                      directory));
}

static bool listed(const char **ids, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(ids[i], id) == 0)
            return true;
    return false;
}

static enum fault list_folder(struct op *op, const char *path, const char ***ids, size_t *n)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return fail(op, UNAVAILABLE, "cannot read %s: %s", path, strerror(errno));
    while ((entry = readdir(dir))) {
        if (!sandbox_id_valid(entry->d_name) || listed(*ids, *n, entry->d_name))
            continue;
        if ((*n & (*n - 1)) == 0) { /* a power of two: as many again */
            const char **more = arena_alloc(&op->arena, (*n ? *n * 2 : 1) * sizeof(*more));

            if (*n)
                memcpy(more, *ids, *n * sizeof(*more));
            *ids = more;
        }
        (*ids)[(*n)++] = arena_strdup(&op->arena, entry->d_name);
    }
    closedir(dir);
    return OK;
}

enum fault sandbox_list(struct op *op, const char ***ret_ids, size_t *ret_n)
{
    const char **ids = NULL;
    size_t n = 0;

    TRY(sandbox_supported(op));
    TRY(list_folder(op, arena_printf(&op->arena, "%s/s", here.run), &ids, &n));
    TRY(list_folder(op, arena_printf(&op->arena, "%s/sandboxes", here.data), &ids, &n));
    *ret_ids = ids;
    *ret_n = n;
    return OK;
}

/* ---- containers ---- */

static int64_t int_of(const json_t *json, const char *member)
{
    return json_integer_value(json_object_get(json, member));
}

enum fault sandbox_states(struct op *op, const char *id, struct container_state **ret,
                          size_t *ret_n)
{
    struct container_state *all;
    struct message answer = {0};
    const json_t *list;
    size_t n;

    TRY(sandbox_ask(op, id, "states", NULL, &answer));
    message_close_fds(&answer);
    list = json_object_get(answer.body, "containers");
    n = json_array_size(list);
    all = arena_alloc(&op->arena, (n + 1) * sizeof(*all));
    for (size_t i = 0; i < n; i++) {
        const json_t *each = json_array_get(list, i);

        all[i] = (struct container_state){
            .attempt = int_of(each, "attempt"),
            .phase = (enum container_phase)int_of(each, "phase"),
            .pid = (int)int_of(each, "pid"),
            .exit_code = (int)int_of(each, "exitCode"),
            .oom_killed = json_is_true(json_object_get(each, "oomKilled")),
            .started_us = int_of(each, "startedUs"),
            .finished_us = int_of(each, "finishedUs"),
            .message = "",
        };
        TRY(message_text(op, each, "message", 8192, false, &all[i].message));
        TRY(message_text(op, each, "name", CONTAINER_NAME_MAX, true, &all[i].name));
    }
    *ret = all;
    *ret_n = n;
    return OK;
}

/* kubelet's rule and words: a name says nothing about its number. */
static enum fault check_non_root(struct op *op, const struct container_spec *spec)
{
    const char *user = spec->user ? spec->user : "";
    size_t len = strcspn(user, ":");

    if (!spec->run_as_non_root || spec->run_as_user > 0)
        return OK;
    if (spec->run_as_user == 0)
        return fail_on(op, "runAsNonRoot", INVALID, "container's runAsUser breaks non-root policy");
    if (strspn(user, "0123456789") != len)
        return fail_on(op, "runAsNonRoot", INVALID,
                       "container has runAsNonRoot and image has non-numeric user (%.*s), cannot "
                       "verify user is non-root",
                       (int)len, user);
    if (strspn(user, "0") == len)
        return fail_on(op, "runAsNonRoot", INVALID,
                       "container has runAsNonRoot and image will run as root");
    return OK;
}

enum fault container_start(struct op *op, const char *sandbox, const struct container_spec *spec,
                           int64_t *ret_started_us)
{
    struct message answer;
    json_t *json;

    TRY(check_non_root(op, spec));
    TRY(container_spec_write(op, spec, &json));
    TRY(sandbox_ask(op, sandbox, "start", json_incref(json), &answer));
    message_close_fds(&answer);
    if (ret_started_us) /* a supervisor of an older version does not say */
        *ret_started_us =
            int_of(answer.body, "startedUs") ? int_of(answer.body, "startedUs") : wall_us();
    return OK;
}

enum fault container_signal(struct op *op, const char *sandbox, const char *name, int number)
{
    return sandbox_ask(op, sandbox, "signal",
                       json_pack("{s:s,s:i}", "name", name, "signal", number), NULL);
}

enum fault container_remove(struct op *op, const char *sandbox, const char *name)
{
    return sandbox_ask(op, sandbox, "remove", json_pack("{s:s}", "name", name), NULL);
}

enum fault container_stats(struct op *op, const char *sandbox, const char *name,
                           struct container_stats *ret)
{
    struct message answer = {0};

    TRY(ask_within(op, sandbox, STATS_TIMEOUT_S, "stats", json_pack("{s:s*}", "name", name),
                   &answer));
    message_close_fds(&answer);
    ret->memory_bytes = int_of(answer.body, "memoryBytes");
    ret->cpu_us = int_of(answer.body, "cpuUs");
    ret->pids = int_of(answer.body, "pids");
    ret->working_set_bytes = json_object_get(answer.body, "workingSetBytes") /* not from old ones */
                                 ? int_of(answer.body, "workingSetBytes")
                                 : ret->memory_bytes;
    return OK;
}

enum fault container_exec(struct op *op, const char *sandbox, const char *name,
                          const struct exec_spec *spec, struct exec *ret)
{
    struct message answer = {0};
    json_t *json;

    TRY(exec_spec_write(op, spec, &json));
    json_object_set_new(json, "name", json_string(name));
    TRY(sandbox_ask(op, sandbox, "exec", json_incref(json), &answer));
    if (answer.n_fds != (spec->terminal ? 2 : 4)) {
        message_close_fds(&answer);
        return fail(op, INTERNAL, "the supervisor's answer makes no sense");
    }
    *ret = spec->terminal
               ? (struct exec){answer.fds[0], -1, -1, answer.fds[1]}
               : (struct exec){answer.fds[0], answer.fds[1], answer.fds[2], answer.fds[3]};
    return OK;
}

enum fault container_stdin(struct op *op, const char *sandbox, const char *name, int *ret_fd)
{
    struct message answer = {0};

    TRY(sandbox_ask(op, sandbox, "stdin", json_pack("{s:s}", "name", name), &answer));
    if (answer.n_fds != 1) {
        message_close_fds(&answer);
        return fail(op, INTERNAL, "the supervisor's answer makes no sense");
    }
    *ret_fd = answer.fds[0];
    return OK;
}
