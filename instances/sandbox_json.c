#include "instances/sandbox_json.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "core/message.h"
#include "instances/sandbox_pod.h"

#define TEXTS_MAX      4096
#define TEXT_BYTES_MAX ((size_t)1 << 20)
#define LAYERS_MAX     127
#define VOLUMES_MAX    256
#define FILES_MAX      1024
#define LOG_BYTES_MAX  ((int64_t)1 << 30)
#define ADDRESSES_MAX  8
#define PORTS_MAX      512
#define GROUPS_MAX     256

/* ---- names ---- */

static bool name_valid(const char *name, size_t max, bool dash_at_end)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return len > 0 && len <= max && name[len] == '\0' && name[0] != '-' &&
           (dash_at_end || name[len - 1] != '-');
}

bool sandbox_id_valid(const char *id)
{
    return name_valid(id, SANDBOX_ID_MAX, true);
}

bool container_name_valid(const char *name)
{
    return name_valid(name, CONTAINER_NAME_MAX, false);
}

enum fault sandbox_id_read(struct op *op, const json_t *json, const char *member, const char **ret)
{
    TRY(message_text(op, json, member, SANDBOX_ID_MAX, true, ret));
    return sandbox_id_valid(*ret) ? OK : fail_on(op, member, INVALID, "%s: is no name", member);
}

enum fault container_name_read(struct op *op, const json_t *json, const char *member,
                               const char **ret)
{
    TRY(message_text(op, json, member, CONTAINER_NAME_MAX, true, ret));
    return container_name_valid(*ret) ? OK : fail_on(op, member, INVALID, "%s: is no name", member);
}

/* Relative, nothing that leads out of a folder. */
static bool path_within(const char *path)
{
    for (const char *part = path;; part = strchr(part, '/') + 1) {
        size_t len = strcspn(part, "/");

        if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && strncmp(part, "..", 2) == 0))
            return false;
        if (part[len] == '\0')
            return true;
    }
}

/* ---- writing ---- */

struct writer {
    struct op *op;
    bool wrong;
};

static void put(struct writer *w, json_t *to, const char *member, json_t *value)
{
    if (!value || json_object_set_new(to, member, value) < 0)
        w->wrong = true;
}

static void put_text(struct writer *w, json_t *to, const char *member, const char *text)
{
    if (text)
        put(w, to, member, json_string(text));
}

static void put_int(struct writer *w, json_t *to, const char *member, int64_t n)
{
    put(w, to, member, json_integer(n));
}

static void put_bool(struct writer *w, json_t *to, const char *member, bool value)
{
    put(w, to, member, json_boolean(value));
}

static void put_texts(struct writer *w, json_t *to, const char *member, const char *const *texts)
{
    json_t *list = json_array();

    for (; texts && *texts; texts++)
        if (json_array_append_new(list, json_string(*texts)) < 0)
            w->wrong = true;
    put(w, to, member, list);
}

static void put_bytes(struct writer *w, json_t *to, const char *member, struct bytes bytes)
{
    unsigned char *text = arena_alloc(&w->op->arena, bytes.len / 3 * 4 + 8);

    EVP_EncodeBlock(text, bytes.data, (int)bytes.len);
    put(w, to, member, json_string((const char *)text));
}

/* A new object at the end of a list. */
static json_t *next(json_t *list)
{
    json_t *object = json_object();

    json_array_append_new(list, object);
    return object;
}

static enum fault written(struct writer *w, json_t *json, json_t **ret)
{
    arena_defer(&w->op->arena, (void (*)(void *))json_decref, json);
    if (w->wrong)
        return fail(w->op, INVALID, "a text is not UTF-8");
    *ret = json;
    return OK;
}

static void put_files(struct writer *w, json_t *to, const struct volume_spec *volume)
{
    json_t *files = json_array();

    for (size_t i = 0; i < volume->n_files; i++) {
        json_t *file = next(files);

        put_text(w, file, "path", volume->files[i].path);
        put_int(w, file, "mode", volume->files[i].mode);
        put_int(w, file, "owner", volume->files[i].owner);
        put_bytes(w, file, "content", volume->files[i].content);
    }
    put(w, to, "files", files);
}

static void put_volume(struct writer *w, json_t *to, const struct volume_spec *volume)
{
    put_text(w, to, "name", volume->name);
    put_int(w, to, "kind", volume->kind);
    put_text(w, to, "account", volume->account);
    put_text(w, to, "share", volume->share);
    put_int(w, to, "sizeBytes", volume->size_bytes);
    put_int(w, to, "fsGroup", volume->fs_group);
    put_text(w, to, "path", volume->path);
    put_text(w, to, "pathType", volume->path_type);
    put_files(w, to, volume);
}

enum fault volume_spec_write(struct op *op, const struct volume_spec *volume, json_t **ret)
{
    struct writer w = {.op = op};
    json_t *json = json_object();

    put_volume(&w, json, volume);
    return written(&w, json, ret);
}

static void put_pod(struct writer *w, json_t *to, const struct pod_spec *pod)
{
    json_t *json = json_object(), *sysctls = json_array();

    put_text(w, json, "cluster", pod->cluster);
    put_text(w, json, "node", pod->node);
    put_bool(w, json, "hostNetwork", pod->host_network);
    put_bool(w, json, "shareProcesses", pod->share_processes);
    put_text(w, json, "hostsFile", pod->hosts_file);
    for (size_t i = 0; i < pod->n_sysctls; i++) {
        json_t *each = next(sysctls);

        put_text(w, each, "name", pod->sysctls[i].name);
        put_text(w, each, "value", pod->sysctls[i].value);
    }
    put(w, json, "sysctls", sysctls);
    put(w, to, "pod", json);
}

static void put_network(struct writer *w, json_t *to, const struct sandbox_spec *spec)
{
    json_t *addresses = json_array(), *ports = json_array(), *hosts = json_array(), *each;

    put_text(w, to, "bridge", spec->bridge);
    put_text(w, to, "gateway", spec->gateway);
    for (size_t i = 0; i < spec->n_addresses; i++) {
        each = next(addresses);
        put_text(w, each, "address", spec->addresses[i].address);
        put_int(w, each, "prefix", spec->addresses[i].prefix);
        put_bool(w, each, "closed", spec->addresses[i].closed);
    }
    for (size_t i = 0; i < spec->n_ports; i++) {
        each = next(ports);
        put_int(w, each, "port", spec->ports[i].port);
        put_bool(w, each, "udp", spec->ports[i].udp);
    }
    for (size_t i = 0; i < spec->n_hosts; i++) {
        each = next(hosts);
        put_text(w, each, "address", spec->hosts[i].address);
        put_text(w, each, "names", spec->hosts[i].names);
    }
    put(w, to, "addresses", addresses);
    put(w, to, "ports", ports);
    put(w, to, "hosts", hosts);
    put_texts(w, to, "nameservers", spec->nameservers);
    put_texts(w, to, "searches", spec->searches);
    put_texts(w, to, "resolvOptions", spec->resolv_options);
}

enum fault sandbox_spec_write(struct op *op, const struct sandbox_spec *spec, json_t **ret)
{
    struct writer w = {.op = op};
    json_t *json = json_object(), *volumes = json_array();

    put_text(&w, json, "id", spec->id);
    put_text(&w, json, "hostname", spec->hostname);
    put_network(&w, json, spec);
    put_int(&w, json, "memoryBytes", spec->memory_bytes);
    put_int(&w, json, "cpuMillis", spec->cpu_millis);
    put_int(&w, json, "pids", spec->pids);
    put_int(&w, json, "cpuShares", spec->cpu_shares);
    if (spec->pod)
        put_pod(&w, json, spec->pod);
    for (size_t i = 0; i < spec->n_volumes; i++)
        put_volume(&w, next(volumes), &spec->volumes[i]);
    put(&w, json, "volumes", volumes);
    return written(&w, json, ret);
}

static void put_mounts(struct writer *w, json_t *to, const struct container_spec *spec)
{
    json_t *mounts = json_array();

    for (size_t i = 0; i < spec->n_mounts; i++) {
        json_t *each = next(mounts);

        put_text(w, each, "volume", spec->mounts[i].volume);
        put_text(w, each, "path", spec->mounts[i].path);
        put_text(w, each, "subPath", spec->mounts[i].sub_path);
        put_bool(w, each, "readOnly", spec->mounts[i].read_only);
    }
    put(w, to, "mounts", mounts);
}

static void put_pod_rights(struct writer *w, json_t *to, const struct container_spec *spec)
{
    json_t *groups = json_array();

    for (size_t i = 0; i < spec->n_groups; i++)
        json_array_append_new(groups, json_integer(spec->groups[i]));
    put(w, to, "groups", groups);
    put_int(w, to, "cpuShares", spec->cpu_shares);
    put_int(w, to, "oomScoreAdj", spec->oom_score_adj);
    put_bool(w, to, "stdinOnce", spec->stdin_once);
    put_bool(w, to, "runAsNonRoot", spec->run_as_non_root);
    put_text(w, to, "terminationPath", spec->termination_path);
}

enum fault container_spec_write(struct op *op, const struct container_spec *spec, json_t **ret)
{
    struct writer w = {.op = op};
    json_t *json = json_object();

    put_text(&w, json, "name", spec->name);
    put_int(&w, json, "attempt", spec->attempt);
    put_texts(&w, json, "layers", spec->layers);
    put_texts(&w, json, "args", spec->args);
    put_texts(&w, json, "env", spec->env);
    put_text(&w, json, "cwd", spec->cwd);
    put_text(&w, json, "user", spec->user);
    put_int(&w, json, "runAsUser", spec->run_as_user);
    put_int(&w, json, "runAsGroup", spec->run_as_group);
    put_int(&w, json, "memoryBytes", spec->memory_bytes);
    put_int(&w, json, "cpuMillis", spec->cpu_millis);
    put_int(&w, json, "pids", spec->pids);
    put_bool(&w, json, "readOnly", spec->read_only);
    put_bool(&w, json, "privileged", spec->privileged);
    put_bool(&w, json, "noNewPrivileges", spec->no_new_privileges);
    put_bool(&w, json, "terminal", spec->terminal);
    put_bool(&w, json, "stdinOpen", spec->stdin_open);
    put_texts(&w, json, "capAdd", spec->cap_add);
    put_texts(&w, json, "capDrop", spec->cap_drop);
    put_text(&w, json, "seccomp", spec->seccomp);
    put_mounts(&w, json, spec);
    put_pod_rights(&w, json, spec);
    put_int(&w, json, "logMaxBytes", spec->log_max_bytes);
    return written(&w, json, ret);
}

enum fault exec_spec_write(struct op *op, const struct exec_spec *spec, json_t **ret)
{
    struct writer w = {.op = op};
    json_t *json = json_object();

    put_texts(&w, json, "args", spec->args);
    put_texts(&w, json, "env", spec->env);
    put_text(&w, json, "user", spec->user);
    put_text(&w, json, "cwd", spec->cwd);
    put_bool(&w, json, "terminal", spec->terminal);
    put_int(&w, json, "rows", spec->rows);
    put_int(&w, json, "cols", spec->cols);
    return written(&w, json, ret);
}

/* ---- reading ---- */

static enum fault wrong(struct op *op, const char *member, const char *what)
{
    return fail_on(op, member, INVALID, "%s: %s", member, what);
}

static enum fault read_texts(struct op *op, const json_t *json, const char *member,
                             const char *const **ret)
{
    return message_texts(op, json, member, TEXT_BYTES_MAX, TEXTS_MAX, ret, NULL);
}

/* One line of a file of ours: no way to begin another. */
static bool one_line(const char *text)
{
    return text[strcspn(text, "\r\n")] == '\0';
}

static enum fault read_lines(struct op *op, const json_t *json, const char *member,
                             const char *const **ret)
{
    TRY(message_texts(op, json, member, 1024, 64, ret, NULL));
    for (const char *const *each = *ret; *each; each++)
        if (!one_line(*each))
            return wrong(op, member, "holds a line break");
    return OK;
}

static enum fault read_array(struct op *op, const json_t *json, const char *member, size_t max,
                             const json_t **ret)
{
    const json_t *list = json_object_get(json, member);

    if (list && !json_is_array(list))
        return wrong(op, member, "is not a list");
    if (json_array_size(list) > max)
        return wrong(op, member, "holds too many");
    *ret = list;
    return OK;
}

static enum fault read_int(struct op *op, const json_t *json, const char *member, int64_t min,
                           int64_t max, int *ret)
{
    int64_t wide = *ret;

    TRY(message_int(op, json, member, min, max, &wide));
    *ret = (int)wide;
    return OK;
}

static enum fault read_address(struct op *op, const json_t *json, bool required, const char **ret)
{
    struct in_addr address;

    TRY(message_text(op, json, "address", 64, required, ret));
    return !*ret || inet_pton(AF_INET, *ret, &address) == 1 ? OK : wrong(op, "address", "is none");
}

static enum fault read_file(struct op *op, const json_t *json, struct volume_file *ret)
{
    const char *text = "";
    int64_t mode = 0;
    unsigned char *data;
    size_t len;
    int n;

    TRY(message_text(op, json, "path", 1024, true, &ret->path));
    if (!path_within(ret->path))
        return wrong(op, "path", "leaves its folder");
    TRY(message_int(op, json, "mode", 0, 0777, &mode));
    TRY(message_int(op, json, "owner", 0, INT_MAX, &ret->owner));
    TRY(message_text(op, json, "content", MESSAGE_BODY_MAX, true, &text));
    len = strlen(text);
    data = arena_alloc(&op->arena, len / 4 * 3 + 4);
    n = len ? EVP_DecodeBlock(data, (const unsigned char *)text, (int)len) : 0;
    if (n < 0)
        return wrong(op, "content", "is no base64");
    while (len > 0 && text[len - 1] == '=') {
        len--;
        n--;
    }
    ret->mode = (unsigned)mode;
    ret->content = (struct bytes){data, (size_t)n};
    return OK;
}

static enum fault read_node_path(struct op *op, const json_t *json, struct volume_spec *ret)
{
    ret->path_type = "";
    TRY(message_text(op, json, "path", 4000, true, &ret->path));
    TRY(message_text(op, json, "pathType", 32, false, &ret->path_type));
    return ret->path[0] == '/' ? OK : wrong(op, "path", "is not absolute");
}

enum fault volume_spec_read(struct op *op, const json_t *json, struct volume_spec *ret)
{
    int kind = -1;
    const json_t *files = NULL;
    struct volume_file *all;

    TRY(container_name_read(op, json, "name", &ret->name));
    TRY(read_int(op, json, "kind", VOLUME_EMPTY, VOLUME_NODE, &kind));
    if (kind < 0)
        return wrong(op, "kind", "is missing");
    ret->kind = (enum volume_kind)kind;
    if (ret->kind == VOLUME_SHARE) {
        TRY(container_name_read(op, json, "account", &ret->account));
        TRY(container_name_read(op, json, "share", &ret->share));
    }
    if (ret->kind == VOLUME_NODE)
        TRY(read_node_path(op, json, ret));
    TRY(message_int(op, json, "sizeBytes", 0, INT64_MAX, &ret->size_bytes));
    TRY(message_int(op, json, "fsGroup", 0, INT_MAX, &ret->fs_group));
    TRY(read_array(op, json, "files", FILES_MAX, &files));
    ret->n_files = json_array_size(files);
    ret->files = all = arena_alloc(&op->arena, (ret->n_files + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_files; i++)
        TRY(read_file(op, json_array_get(files, i), &all[i]));
    return OK;
}

static enum fault read_volumes(struct op *op, const json_t *json, struct sandbox_spec *ret)
{
    const json_t *list = NULL;
    struct volume_spec *all;

    TRY(read_array(op, json, "volumes", VOLUMES_MAX, &list));
    ret->n_volumes = json_array_size(list);
    ret->volumes = all = arena_alloc(&op->arena, (ret->n_volumes + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_volumes; i++)
        TRY(volume_spec_read(op, json_array_get(list, i), &all[i]));
    return OK;
}

static enum fault read_addresses(struct op *op, const json_t *json, struct sandbox_spec *ret)
{
    const json_t *list = NULL;
    struct sandbox_address *all;

    TRY(read_array(op, json, "addresses", ADDRESSES_MAX, &list));
    ret->n_addresses = json_array_size(list);
    ret->addresses = all = arena_alloc(&op->arena, (ret->n_addresses + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_addresses; i++) {
        TRY(read_address(op, json_array_get(list, i), true, &all[i].address));
        TRY(read_int(op, json_array_get(list, i), "prefix", 1, 32, &all[i].prefix));
        TRY(message_bool(op, json_array_get(list, i), "closed", &all[i].closed));
    }
    return OK;
}

static enum fault read_ports(struct op *op, const json_t *json, struct sandbox_spec *ret)
{
    const json_t *list = NULL;
    struct sandbox_port *all;

    TRY(read_array(op, json, "ports", PORTS_MAX, &list));
    ret->n_ports = json_array_size(list);
    ret->ports = all = arena_alloc(&op->arena, (ret->n_ports + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_ports; i++) {
        TRY(read_int(op, json_array_get(list, i), "port", 1, 65535, &all[i].port));
        TRY(message_bool(op, json_array_get(list, i), "udp", &all[i].udp));
        if (!all[i].port)
            return wrong(op, "port", "is missing");
    }
    return OK;
}

static enum fault read_hosts(struct op *op, const json_t *json, struct sandbox_spec *ret)
{
    const json_t *list = NULL;
    struct host_entry *all;

    TRY(read_array(op, json, "hosts", TEXTS_MAX, &list));
    ret->n_hosts = json_array_size(list);
    ret->hosts = all = arena_alloc(&op->arena, (ret->n_hosts + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_hosts; i++) {
        TRY(message_text(op, json_array_get(list, i), "address", 64, true, &all[i].address));
        TRY(message_text(op, json_array_get(list, i), "names", 4096, true, &all[i].names));
        if (!one_line(all[i].address) || !one_line(all[i].names))
            return wrong(op, "hosts", "holds a line break");
    }
    return OK;
}

static enum fault read_network(struct op *op, const json_t *json, struct sandbox_spec *ret)
{
    struct in_addr gateway;

    TRY(message_text(op, json, "bridge", 15, false, &ret->bridge));
    if (ret->bridge && !name_valid(ret->bridge, 15, true))
        return wrong(op, "bridge", "is no name");
    TRY(message_text(op, json, "gateway", 64, false, &ret->gateway));
    if (ret->gateway && inet_pton(AF_INET, ret->gateway, &gateway) != 1)
        return wrong(op, "gateway", "is no address");
    TRY(read_addresses(op, json, ret));
    TRY(read_ports(op, json, ret));
    TRY(read_hosts(op, json, ret));
    TRY(read_lines(op, json, "nameservers", &ret->nameservers));
    TRY(read_lines(op, json, "searches", &ret->searches));
    return read_lines(op, json, "resolvOptions", &ret->resolv_options);
}

static enum fault read_limits(struct op *op, const json_t *json, int64_t *ret_memory,
                              int64_t *ret_cpu, int64_t *ret_pids)
{
    TRY(message_int(op, json, "memoryBytes", 0, INT64_MAX, ret_memory));
    TRY(message_int(op, json, "cpuMillis", 0, 1000000, ret_cpu));
    return message_int(op, json, "pids", 0, 4194304, ret_pids);
}

/* Names of nodes: as containers' but for dots. They become paths. */
static bool node_name_valid(const char *name)
{
    return name[0] != '.' && name[0] != '-' && strlen(name) <= 253 &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0' && name[0] != '\0';
}

enum fault node_name_read(struct op *op, const json_t *json, const char *member, bool required,
                          const char **ret)
{
    TRY(message_text(op, json, member, 253, required, ret));
    return !*ret || node_name_valid(*ret) ? OK : wrong(op, member, "is no name");
}

static enum fault read_sysctls(struct op *op, const json_t *json, struct pod_spec *ret)
{
    const json_t *list = NULL;
    struct sandbox_sysctl *all;

    TRY(read_array(op, json, "sysctls", 64, &list));
    ret->n_sysctls = json_array_size(list);
    ret->sysctls = all = arena_alloc(&op->arena, (ret->n_sysctls + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_sysctls; i++) {
        TRY(message_text(op, json_array_get(list, i), "name", 64, true, &all[i].name));
        TRY(message_text(op, json_array_get(list, i), "value", 1024, true, &all[i].value));
        if (!sandbox_sysctl_safe(all[i].name))
            return fail_on(op, "sysctls", FORBIDDEN, "forbidden sysctl: \"%s\" not allowlisted",
                           all[i].name);
    }
    return OK;
}

static enum fault read_pod(struct op *op, const json_t *json, struct sandbox_spec *ret)
{
    const json_t *in = json_object_get(json, "pod");
    struct pod_spec *pod = arena_alloc(&op->arena, sizeof(*pod));

    if (!in)
        return OK;
    *pod = (struct pod_spec){0};
    TRY(message_text(op, in, "cluster", SANDBOX_ID_MAX, true, &pod->cluster));
    if (!sandbox_id_valid(pod->cluster))
        return wrong(op, "cluster", "is no id");
    TRY(node_name_read(op, in, "node", false, &pod->node));
    TRY(message_bool(op, in, "hostNetwork", &pod->host_network));
    TRY(message_bool(op, in, "shareProcesses", &pod->share_processes));
    TRY(message_text(op, in, "hostsFile", 65536, false, &pod->hosts_file));
    TRY(read_sysctls(op, in, pod));
    ret->pod = pod;
    return OK;
}

enum fault sandbox_spec_read(struct op *op, const json_t *json, struct sandbox_spec *ret)
{
    struct sandbox_spec spec = {0};

    TRY(sandbox_id_read(op, json, "id", &spec.id));
    TRY(message_text(op, json, "hostname", 64, true, &spec.hostname));
    if (spec.hostname[strspn(spec.hostname, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789-.")] != '\0')
        return wrong(op, "hostname", "is no name");
    TRY(read_network(op, json, &spec));
    TRY(read_limits(op, json, &spec.memory_bytes, &spec.cpu_millis, &spec.pids));
    TRY(message_int(op, json, "cpuShares", 0, 262144, &spec.cpu_shares));
    TRY(read_pod(op, json, &spec));
    TRY(read_volumes(op, json, &spec));
    *ret = spec;
    return OK;
}

static enum fault read_mounts(struct op *op, const json_t *json, struct container_spec *ret)
{
    const json_t *list = NULL;
    struct mount_spec *all;

    TRY(read_array(op, json, "mounts", VOLUMES_MAX, &list));
    ret->n_mounts = json_array_size(list);
    ret->mounts = all = arena_alloc(&op->arena, (ret->n_mounts + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_mounts; i++) {
        const json_t *each = json_array_get(list, i);

        TRY(container_name_read(op, each, "volume", &all[i].volume));
        TRY(message_text(op, each, "path", 4096, true, &all[i].path));
        TRY(message_text(op, each, "subPath", 4096, false, &all[i].sub_path));
        TRY(message_bool(op, each, "readOnly", &all[i].read_only));
        if (all[i].path[0] != '/')
            return wrong(op, "path", "is not absolute");
        if (all[i].sub_path && all[i].sub_path[0] && !path_within(all[i].sub_path))
            return wrong(op, "subPath", "leaves its volume");
    }
    return OK;
}

static enum fault read_rights(struct op *op, const json_t *json, struct container_spec *ret)
{
    TRY(message_bool(op, json, "readOnly", &ret->read_only));
    TRY(message_bool(op, json, "privileged", &ret->privileged));
    TRY(message_bool(op, json, "noNewPrivileges", &ret->no_new_privileges));
    TRY(message_texts(op, json, "capAdd", 64, 128, &ret->cap_add, NULL));
    TRY(message_texts(op, json, "capDrop", 64, 128, &ret->cap_drop, NULL));
    return message_text(op, json, "seccomp", TEXT_BYTES_MAX, false, &ret->seccomp);
}

static enum fault read_user(struct op *op, const json_t *json, struct container_spec *ret)
{
    ret->user = "";
    ret->run_as_user = ret->run_as_group = -1;
    TRY(message_text(op, json, "user", 1024, false, &ret->user));
    TRY(message_int(op, json, "runAsUser", -1, INT_MAX, &ret->run_as_user));
    return message_int(op, json, "runAsGroup", -1, INT_MAX, &ret->run_as_group);
}

/* They become paths: nothing but a hash. */
static bool diff_id_valid(const char *text)
{
    return strncmp(text, "sha256:", 7) == 0 && strlen(text) == 7 + 64 &&
           strspn(text + 7, "0123456789abcdef") == 64;
}

static enum fault read_layers(struct op *op, const json_t *json, struct container_spec *ret)
{
    size_t n;

    TRY(message_texts(op, json, "layers", 128, LAYERS_MAX, &ret->layers, &n));
    for (size_t i = 0; i < n; i++)
        if (!diff_id_valid(ret->layers[i]))
            return wrong(op, "layers", "holds what is no diff id");
    return n ? OK : wrong(op, "layers", "is empty");
}

static enum fault read_groups(struct op *op, const json_t *json, struct container_spec *ret)
{
    const json_t *list = NULL;
    int64_t *all;

    TRY(read_array(op, json, "groups", GROUPS_MAX, &list));
    ret->n_groups = json_array_size(list);
    ret->groups = all = arena_alloc(&op->arena, (ret->n_groups + 1) * sizeof(*all));
    for (size_t i = 0; i < ret->n_groups; i++) {
        const json_t *each = json_array_get(list, i);

        all[i] = json_is_integer(each) ? json_integer_value(each) : -1;
        if (all[i] < 0 || all[i] > INT_MAX)
            return wrong(op, "groups", "holds what is no group");
    }
    return OK;
}

static enum fault read_pod_rights(struct op *op, const json_t *json, struct container_spec *ret)
{
    TRY(read_groups(op, json, ret));
    TRY(message_int(op, json, "cpuShares", 0, 262144, &ret->cpu_shares));
    TRY(message_int(op, json, "oomScoreAdj", 0, 1000, &ret->oom_score_adj));
    TRY(message_bool(op, json, "stdinOnce", &ret->stdin_once));
    TRY(message_bool(op, json, "runAsNonRoot", &ret->run_as_non_root));
    TRY(message_text(op, json, "terminationPath", 4096, false, &ret->termination_path));
    if (ret->termination_path && ret->termination_path[0] != '/')
        return wrong(op, "terminationPath", "is not absolute");
    return OK;
}

enum fault container_spec_read(struct op *op, const json_t *json, struct container_spec *ret)
{
    struct container_spec spec = {0};

    TRY(container_name_read(op, json, "name", &spec.name));
    TRY(message_int(op, json, "attempt", 0, INT64_MAX, &spec.attempt));
    TRY(read_layers(op, json, &spec));
    TRY(read_texts(op, json, "args", &spec.args));
    if (!spec.args[0])
        return fail_on(op, "args", INVALID, "no command is given, neither here nor by the image");
    TRY(read_texts(op, json, "env", &spec.env));
    TRY(message_text(op, json, "cwd", 4096, false, &spec.cwd));
    TRY(read_user(op, json, &spec));
    TRY(read_limits(op, json, &spec.memory_bytes, &spec.cpu_millis, &spec.pids));
    TRY(read_rights(op, json, &spec));
    TRY(message_bool(op, json, "terminal", &spec.terminal));
    TRY(message_bool(op, json, "stdinOpen", &spec.stdin_open));
    TRY(read_mounts(op, json, &spec));
    TRY(read_pod_rights(op, json, &spec));
    TRY(message_int(op, json, "logMaxBytes", 0, LOG_BYTES_MAX, &spec.log_max_bytes));
    *ret = spec;
    return OK;
}

enum fault exec_spec_read(struct op *op, const json_t *json, struct exec_spec *ret)
{
    struct exec_spec spec = {0};

    TRY(read_texts(op, json, "args", &spec.args));
    if (!spec.args[0])
        return fail_on(op, "args", INVALID, "no command is given");
    TRY(read_texts(op, json, "env", &spec.env));
    TRY(message_text(op, json, "user", 1024, false, &spec.user));
    TRY(message_text(op, json, "cwd", 4096, false, &spec.cwd));
    TRY(message_bool(op, json, "terminal", &spec.terminal));
    TRY(read_int(op, json, "rows", 0, 65535, &spec.rows));
    TRY(read_int(op, json, "cols", 0, 65535, &spec.cols));
    *ret = spec;
    return OK;
}
