/*
 * Drives sandboxes without a server: starts the helper as root, becomes the server's user, and does
 * what it reads, a JSON object a line, answering with another ({"fault": "OK", "us": 812, …}).
 *
 *     driver DIR [USER]
 *     {"do": "create", "spec": {…}}     the specs are those of instances/sandbox_json.h
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clusters/network/cluster_network.h"
#include "clusters/network/proxy_json.h"
#include "core/helper.h"
#include "core/json.h"
#include "core/server.h"
#include "instances/layer.h"
#include "instances/log_file.h"
#include "instances/network.h"
#include "instances/sandbox.h"
#include "instances/sandbox_json.h"
#include "instances/sandbox_pod.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned long events;

static void on_event(const char *id)
{
    (void)id;
    pthread_mutex_lock(&lock);
    events++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const char *text_of(const json_t *json, const char *member)
{
    return json_string_value(json_object_get(json, member));
}

/* Any bytes, as JSON: one character a byte. */
static json_t *bytes_json(struct op *op, const char *data, size_t len)
{
    char *out = arena_alloc(&op->arena, len * 2 + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];

        if (c < 0x80) {
            out[n++] = (char)c;
        } else {
            out[n++] = (char)(0xc0 | c >> 6);
            out[n++] = (char)(0x80 | (c & 0x3f));
        }
    }
    return json_stringn(out, n);
}

/* ---- what can be done ---- */

static enum fault do_create(struct op *op, const json_t *in, json_t *out)
{
    struct sandbox_spec spec;

    (void)out;
    TRY(sandbox_spec_read(op, json_object_get(in, "spec"), &spec));
    return sandbox_create(op, &spec);
}

static enum fault do_delete(struct op *op, const json_t *in, json_t *out)
{
    (void)out;
    return sandbox_delete(op, text_of(in, "id"));
}

static enum fault do_list(struct op *op, const json_t *in, json_t *out)
{
    const char **ids;
    json_t *list = json_array();
    size_t n;

    (void)in;
    json_object_set_new(out, "ids", list);
    TRY(sandbox_list(op, &ids, &n));
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(ids[i]));
    return OK;
}

static enum fault do_states(struct op *op, const json_t *in, json_t *out)
{
    static const char *const phases[] = {"starting", "running", "exited"};
    struct container_state *all;
    json_t *states = json_object();
    size_t n;

    json_object_set_new(out, "states", states);
    TRY(sandbox_states(op, text_of(in, "id"), &all, &n));
    for (size_t i = 0; i < n; i++)
        json_object_set_new(states, all[i].name,
                            json_pack("{s:s,s:i,s:i,s:b,s:I,s:I,s:I,s:s}", "phase",
                                      phases[all[i].phase], "pid", all[i].pid, "exitCode",
                                      all[i].exit_code, "oomKilled", all[i].oom_killed, "attempt",
                                      (json_int_t)all[i].attempt, "startedUs",
                                      (json_int_t)all[i].started_us, "finishedUs",
                                      (json_int_t)all[i].finished_us, "message", all[i].message));
    return OK;
}

static enum fault do_start(struct op *op, const json_t *in, json_t *out)
{
    struct container_spec spec;

    (void)out;
    TRY(container_spec_read(op, json_object_get(in, "spec"), &spec));
    return container_start(op, text_of(in, "id"), &spec, NULL);
}

static enum fault do_signal(struct op *op, const json_t *in, json_t *out)
{
    (void)out;
    return container_signal(op, text_of(in, "id"), text_of(in, "name"),
                            (int)json_integer_value(json_object_get(in, "signal")));
}

static enum fault do_remove(struct op *op, const json_t *in, json_t *out)
{
    (void)out;
    return container_remove(op, text_of(in, "id"), text_of(in, "name"));
}

static enum fault do_stats(struct op *op, const json_t *in, json_t *out)
{
    struct container_stats stats;

    TRY(container_stats(op, text_of(in, "id"), text_of(in, "name"), &stats));
    json_object_set_new(out, "memoryBytes", json_integer(stats.memory_bytes));
    json_object_set_new(out, "cpuUs", json_integer(stats.cpu_us));
    json_object_set_new(out, "pids", json_integer(stats.pids));
    return OK;
}

/* Until the container has ended; told by events, never by time. */
static enum fault do_wait(struct op *op, const json_t *in, json_t *out)
{
    const char *name = text_of(in, "name");

    for (;;) {
        const json_t *state;
        unsigned long seen;

        pthread_mutex_lock(&lock);
        seen = events;
        pthread_mutex_unlock(&lock);
        TRY(do_states(op, in, out));
        state = json_object_get(json_object_get(out, "states"), name);
        if (!state || strcmp(text_of(state, "phase"), "exited") == 0)
            return OK;
        pthread_mutex_lock(&lock);
        while (events == seen)
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
    }
}

/* Until the supervisor is seen to be gone. */
static enum fault do_wait_gone(struct op *op, const json_t *in, json_t *out)
{
    for (;;) {
        unsigned long seen;
        enum fault fault;

        pthread_mutex_lock(&lock);
        seen = events;
        pthread_mutex_unlock(&lock);
        fault = do_states(op, in, out);
        if (fault == GONE)
            op_clear_fault(op);
        if (fault != OK)
            return fault == GONE ? OK : fault;
        pthread_mutex_lock(&lock);
        while (events == seen)
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
    }
}

/* Reads until all ends are closed; the terminal's end is an error. */
static void read_ends(struct op *op, const int *fds, struct text *texts, size_t n)
{
    struct pollfd look[2];
    char buffer[65536];

    for (size_t i = 0; i < 2; i++)
        look[i] = (struct pollfd){.fd = i < n ? fds[i] : -1, .events = POLLIN};
    while (look[0].fd >= 0 || look[1].fd >= 0) {
        poll(look, 2, -1);
        for (size_t i = 0; i < n; i++) {
            ssize_t got;

            if (look[i].fd < 0 || !look[i].revents)
                continue;
            got = read(look[i].fd, buffer, sizeof(buffer));
            if (got > 0)
                text_add(&texts[i], buffer, (size_t)got);
            else if (got == 0 || errno != EINTR)
                look[i].fd = -1;
        }
    }
    (void)op;
}

static enum fault finish_exec(struct op *op, const json_t *in, const struct exec *exec,
                              bool terminal, json_t *out)
{
    const int ends[2] = {terminal ? exec->in : exec->out, exec->err};
    const char *input = text_of(in, "input");
    struct exec_end end = {-1};
    struct text texts[2];
    struct winsize size = {33, 101, 0, 0};

    for (int i = 0; i < 2; i++)
        text_init(&texts[i], &op->arena, (size_t)16 << 20);
    if (json_is_true(json_object_get(in, "resize")))
        ioctl(exec->in, TIOCSWINSZ, &size);
    if (input && write(exec->in, input, strlen(input)) < 0)
        return fail(op, INTERNAL, "cannot write: %s", strerror(errno));
    if (!terminal)
        close(exec->in);
    read_ends(op, ends, texts, terminal ? 1 : 2);
    while (read(exec->done, &end, sizeof(end)) < 0 && errno == EINTR)
        ;
    json_object_set_new(out, "out", bytes_json(op, texts[0].data, texts[0].len));
    json_object_set_new(out, "err", bytes_json(op, texts[1].data, texts[1].len));
    json_object_set_new(out, "exitCode", json_integer(end.exit_code));
    close(exec->done);
    for (int i = 0; i < (terminal ? 1 : 2); i++)
        close(ends[i]);
    return OK;
}

static enum fault do_exec(struct op *op, const json_t *in, json_t *out)
{
    struct exec_spec spec;
    struct exec exec;

    TRY(exec_spec_read(op, json_object_get(in, "spec"), &spec));
    TRY(container_exec(op, text_of(in, "id"), text_of(in, "name"), &spec, &exec));
    if (!json_is_true(json_object_get(in, "abandon")))
        return finish_exec(op, in, &exec, spec.terminal, out);
    close(exec.done);
    close(exec.in);
    if (!spec.terminal) {
        close(exec.out);
        close(exec.err);
    }
    return OK;
}

static enum fault do_stdin(struct op *op, const json_t *in, json_t *out)
{
    const char *input = text_of(in, "input");
    AUTO_CLOSE int fd = -1;

    (void)out;
    TRY(container_stdin(op, text_of(in, "id"), text_of(in, "name"), &fd));
    return write(fd, input, strlen(input)) < 0 ? fail(op, INTERNAL, "cannot write") : OK;
}

static enum fault read_query(const json_t *in, struct log_query *ret)
{
    const json_t *tail = json_object_get(in, "tail");

    *ret = (struct log_query){
        .tail = tail ? json_integer_value(tail) : -1,
        .since_us = json_integer_value(json_object_get(in, "sinceUs")),
        .bytes_max = json_integer_value(json_object_get(in, "bytesMax")),
        .timestamps = json_is_true(json_object_get(in, "timestamps")),
        .stream = text_of(in, "stream"),
    };
    return OK;
}

static enum fault do_log(struct op *op, const json_t *in, json_t *out)
{
    struct log_query query;
    struct bytes bytes = {0};

    TRY(read_query(in, &query));
    TRY(log_read(op, text_of(in, "id"), text_of(in, "name"),
                 json_integer_value(json_object_get(in, "attempt")), &query, &bytes));
    json_object_set_new(out, "log", bytes_json(op, bytes.data, bytes.len));
    return OK;
}

/* All that a follower has been given when the container has ended. */
static enum fault do_follow(struct op *op, const json_t *in, json_t *out)
{
    struct log_cursor *cursor;
    struct log_query query;
    struct bytes bytes = {0};
    struct text all;
    bool ended = false;

    text_init(&all, &op->arena, (size_t)256 << 20);
    TRY(read_query(in, &query));
    TRY(log_cursor_new(op, text_of(in, "id"), text_of(in, "name"),
                       json_integer_value(json_object_get(in, "attempt")), &query, &cursor));
    for (;;) {
        enum fault fault = log_cursor_read(op, cursor, &bytes);

        if (fault != OK) {
            log_cursor_free(cursor);
            return fault;
        }
        text_add(&all, bytes.data, bytes.len);
        if (bytes.len > 0)
            continue;
        if (ended)
            break;
        TRY(do_states(op, in, out));
        ended = strcmp(text_of(json_object_get(json_object_get(out, "states"), text_of(in, "name")),
                               "phase"),
                       "running") != 0;
        json_object_del(out, "states");
    }
    log_cursor_free(cursor);
    json_object_set_new(out, "log", bytes_json(op, all.data, all.len));
    return OK;
}

static enum fault do_clone(struct op *op, const json_t *in, json_t *out)
{
    (void)out;
    return sandbox_clone(op, text_of(in, "id"), text_of(in, "volume"), text_of(in, "repository"),
                         text_of(in, "revision"), text_of(in, "directory"));
}

static enum fault do_lacks(struct op *op, const json_t *in, json_t *out)
{
    const char *lacks = sandbox_lacks(op);

    (void)in;
    json_object_set_new(out, "lacks", lacks ? json_string(lacks) : json_null());
    return OK;
}

/* ---- pods ---- */

static enum fault do_files(struct op *op, const json_t *in, json_t *out)
{
    struct volume_spec volume = {0};

    (void)out;
    TRY(volume_spec_read(op, json_object_get(in, "volume"), &volume));
    return sandbox_files(op, text_of(in, "id"), &volume);
}

/* What the other side says, after input, until it closes. */
static enum fault talk(struct op *op, const json_t *in, int fd, json_t *out)
{
    const char *input = text_of(in, "input");
    struct text text;

    text_init(&text, &op->arena, (size_t)1 << 20);
    if (input && send(fd, input, strlen(input), MSG_NOSIGNAL) < 0)
        return fail(op, INTERNAL, "cannot send: %s", strerror(errno));
    read_ends(op, &fd, &text, 1);
    json_object_set_new(out, "out", bytes_json(op, text.data, text.len));
    return OK;
}

static int64_t int_of(const json_t *json, const char *member, int64_t otherwise)
{
    const json_t *value = json_object_get(json, member);

    return value ? json_integer_value(value) : otherwise;
}

static enum fault do_dial(struct op *op, const json_t *in, json_t *out)
{
    AUTO_CLOSE int fd = -1;

    TRY(sandbox_dial(op, text_of(in, "id"), text_of(in, "address"), (int)int_of(in, "port", 0),
                     int_of(in, "timeoutMs", 30000), &fd));
    return talk(op, in, fd, out);
}

static enum fault do_resize(struct op *op, const json_t *in, json_t *out)
{
    const struct container_limits limits = {
        int_of(in, "memoryBytes", -1), int_of(in, "cpuMillis", -1), int_of(in, "cpuShares", -1)};

    (void)out;
    return container_resize(op, text_of(in, "id"), text_of(in, "name"), &limits);
}

static enum fault do_node_remove(struct op *op, const json_t *in, json_t *out)
{
    (void)out;
    return sandbox_node_remove(op, text_of(in, "cluster"), text_of(in, "node"));
}

/* Many at once, as a Deployment's: each created and its container started by a thread of its own.
 */
struct one_of {
    const json_t *spec, *container;
    pthread_t thread;
    enum fault fault;
    int64_t created_us, started_us;
};

static enum fault make_one(struct op *op, struct one_of *one, int64_t begin)
{
    struct container_spec container;
    struct sandbox_spec spec;

    TRY(sandbox_spec_read(op, one->spec, &spec));
    TRY(sandbox_create(op, &spec));
    one->created_us = now_us() - begin;
    TRY(container_spec_read(op, one->container, &container));
    TRY(container_start(op, spec.id, &container, NULL));
    one->started_us = now_us() - begin;
    return OK;
}

static void *run_one(void *arg)
{
    struct one_of *one = arg;
    struct op op;

    op_init(&op);
    one->fault = make_one(&op, one, now_us());
    op_free(&op);
    return NULL;
}

static enum fault do_burst(struct op *op, const json_t *in, json_t *out)
{
    const json_t *specs = json_object_get(in, "specs");
    size_t n = json_array_size(specs);
    struct one_of *all = arena_alloc(&op->arena, (n + 1) * sizeof(*all));
    json_t *list = json_array();

    json_object_set_new(out, "each", list);
    for (size_t i = 0; i < n; i++) {
        all[i] = (struct one_of){json_array_get(specs, i), json_object_get(in, "container")};
        if (pthread_create(&all[i].thread, NULL, run_one, &all[i]) != 0)
            return fail(op, INTERNAL, "no thread");
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(all[i].thread, NULL);
        json_array_append_new(list, json_pack("{s:s,s:I,s:I}", "fault", fault_name(all[i].fault),
                                              "createdUs", (json_int_t)all[i].created_us,
                                              "startedUs", (json_int_t)all[i].started_us));
    }
    return OK;
}

/* ---- clusters' networks ---- */

static struct place {
    char id[64];
    struct cluster_network *network;
    json_t *names; /* what its DNS knows: {"name": [{"type", "target", "port"}]} */
} places[8];

static struct place *place_of(const char *id)
{
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (places[i].network && id && strcmp(places[i].id, id) == 0)
            return &places[i];
    return NULL;
}

static void forget(struct place *place)
{
    cluster_network_release(place->network);
    json_decref(place->names);
    *place = (struct place){0};
}

static enum fault do_network_up(struct op *op, const json_t *in, json_t *out)
{
    (void)in;
    TRY(network_up(op));
    json_object_set_new(out, "gateway", json_string(network_gateway(op, RANGE_PRIVATE)));
    json_object_set_new(out, "public", json_string(network_address(op, RANGE_PUBLIC, 7)));
    json_object_set_new(out, "private", json_string(network_address(op, RANGE_PRIVATE, 7)));
    return OK;
}

static enum fault do_cluster_up(struct op *op, const json_t *in, json_t *out)
{
    const struct cluster_network_spec spec = {text_of(in, "id"), text_of(in, "podCidr"),
                                              text_of(in, "serviceCidr"), text_of(in, "dnsIp"),
                                              int_of(in, "uplinkIndex", 0)};
    struct place *place = place_of(spec.id);
    bool is_new = false;

    if (place)
        forget(place);
    for (place = places; place->network;)
        place++;
    TRY(cluster_network_up(op, &spec, &place->network, &is_new));
    snprintf(place->id, sizeof(place->id), "%s", spec.id);
    json_object_set_new(out, "new", json_boolean(is_new));
    json_object_set_new(out, "uplink", json_string(cluster_network_uplink(place->network)));
    json_object_set_new(out, "gateway", json_string(cluster_network_gateway(place->network)));
    return OK;
}

static enum fault do_cluster_delete(struct op *op, const json_t *in, json_t *out)
{
    struct place *place = place_of(text_of(in, "id"));

    (void)out;
    if (place)
        forget(place);
    return cluster_network_delete(op, text_of(in, "id"));
}

static enum fault do_cluster_list(struct op *op, const json_t *in, json_t *out)
{
    json_t *list = json_array();
    const char **ids = NULL;
    size_t n = 0;

    (void)in;
    json_object_set_new(out, "ids", list);
    TRY(cluster_network_list(op, &ids, &n));
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(ids[i]));
    return OK;
}

static enum fault do_cluster_proxy(struct op *op, const json_t *in, json_t *out)
{
    struct proxy_state state;

    (void)out;
    TRY(proxy_state_read(op, json_object_get(in, "state"), &state));
    return cluster_network_proxy(op, place_of(text_of(in, "id"))->network, &state);
}

static enum fault do_cluster_dial(struct op *op, const json_t *in, json_t *out)
{
    AUTO_CLOSE int fd = -1;

    TRY(cluster_network_dial(op, place_of(text_of(in, "id"))->network, text_of(in, "address"),
                             (int)int_of(in, "port", 0), int_of(in, "timeoutMs", 30000), &fd));
    return talk(op, in, fd, out);
}

/* One who is said hello and asked nothing, by a thread that ends with the program. */
static void *greet(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;
    struct pollfd look = {.fd = listener, .events = POLLIN};

    while (poll(&look, 1, -1) == 1 && (fd = accept(listener, NULL, NULL)) >= 0) {
        if (write(fd, "hello from the server\n", 22) != 22)
            perror("driver");
        close(fd);
    }
    return NULL;
}

static enum fault do_cluster_listen(struct op *op, const json_t *in, json_t *out)
{
    pthread_t thread;
    int fd = -1;

    (void)out;
    TRY(cluster_network_listen(op, place_of(text_of(in, "id"))->network, text_of(in, "address"),
                               (int)int_of(in, "port", 0), &fd));
    if (pthread_create(&thread, NULL, greet, (void *)(intptr_t)fd) != 0)
        return fail(op, INTERNAL, "no thread");
    pthread_detach(thread);
    return OK;
}

static void resolve(struct op *op, void *user, const char *name, bool *ret_known,
                    const struct dns_record **ret, size_t *ret_n)
{
    const struct place *place = user;
    const json_t *list = json_object_get(place->names, name);
    struct dns_record *all = arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*all));

    *ret_known = list != NULL;
    *ret_n = json_array_size(list);
    for (size_t i = 0; i < *ret_n; i++)
        all[i] = (struct dns_record){
            (uint16_t)int_of(json_array_get(list, i), "type", 1),
            arena_strdup(&op->arena, text_of(json_array_get(list, i), "target")),
            (uint16_t)int_of(json_array_get(list, i), "port", 0),
        };
    *ret = all;
}

static enum fault do_cluster_dns(struct op *op, const json_t *in, json_t *out)
{
    struct place *place = place_of(text_of(in, "id"));

    (void)out;
    json_decref(place->names);
    place->names = json_deep_copy(json_object_get(in, "names"));
    return cluster_network_dns(op, place->network, resolve, place);
}

static const struct {
    const char *name;
    enum fault (*run)(struct op *op, const json_t *in, json_t *out);
} verbs[] = {
    {"create",         do_create        },
    {"delete",         do_delete        },
    {"list",           do_list          },
    {"states",         do_states        },
    {"start",          do_start         },
    {"signal",         do_signal        },
    {"remove",         do_remove        },
    {"stats",          do_stats         },
    {"wait",           do_wait          },
    {"exec",           do_exec          },
    {"stdin",          do_stdin         },
    {"log",            do_log           },
    {"follow",         do_follow        },
    {"clone",          do_clone         },
    {"lacks",          do_lacks         },
    {"wait-gone",      do_wait_gone     },
    {"files",          do_files         },
    {"dial",           do_dial          },
    {"burst",          do_burst         },
    {"resize",         do_resize        },
    {"node-remove",    do_node_remove   },
    {"network-up",     do_network_up    },
    {"cluster-up",     do_cluster_up    },
    {"cluster-delete", do_cluster_delete},
    {"cluster-list",   do_cluster_list  },
    {"cluster-proxy",  do_cluster_proxy },
    {"cluster-dial",   do_cluster_dial  },
    {"cluster-listen", do_cluster_listen},
    {"cluster-dns",    do_cluster_dns   },
};

/* ---- the program ---- */

static void answer(const char *line)
{
    json_t *in, *out = json_object();
    enum fault fault = INVALID;
    const char *verb;
    struct op op;
    int64_t begin;

    op_init(&op);
    if (json_parse(&op, BYTES(line), &in) == OK && (verb = text_of(in, "do"))) {
        begin = now_us();
        for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
            if (strcmp(verbs[i].name, verb) == 0)
                fault = verbs[i].run(&op, in, out);
        json_object_set_new(out, "us", json_integer(now_us() - begin));
    }
    json_object_set_new(out, "fault", json_string(fault_name(fault)));
    if (fault != OK)
        json_object_set_new(out, "message", json_string(op.message ? op.message : ""));
    json_dumpf(out, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(out);
    op_free(&op);
}

static bool start(struct op *op, struct settings *settings)
{
    sandbox_register();
    layer_register();
    network_register();
    cluster_networks_register();
    if (helper_start(op, settings) != OK || helper_drop_privileges(op, settings) != OK)
        return false;
    sandbox_on_event(on_event);
    return sandbox_start(op, settings) == OK && network_start(op, settings) == OK &&
           cluster_networks_start(op, settings) == OK;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    char *line = NULL;
    size_t size = 0;
    struct op op;
    bool fine;

    if (argc < 2)
        return 2;
    signal(SIGPIPE, SIG_IGN);
    settings.data = argv[1];
    settings.blobs = argv[1];
    settings.privileged_containers = true;
    settings.public_range = settings.private_range = "auto";
    server_settings = &settings;
    settings.user = argc > 2 ? argv[2] : "sundog";
    op_init(&op);
    fine = start(&op, &settings);
    printf("{\"started\": %s, \"fault\": \"%s\"}\n", fine ? "true" : "false", fault_name(op.fault));
    if (!fine)
        fprintf(stderr, "driver: %s\n", op.message);
    fflush(stdout);
    op_free(&op);
    while (fine && getline(&line, &size, stdin) > 0)
        answer(line);
    free(line);
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (places[i].network)
            forget(&places[i]);
    cluster_networks_stop();
    network_stop();
    sandbox_stop();
    helper_stop();
    return fine ? 0 : 1;
}
