#include "instances/oci_spec.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "instances/oci_user.h"
#include "instances/seccomp.h"

#define PATH_DEFAULT  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define OOM_SCORE_ADJ 500 /* under pressure containers go before PostgreSQL and ourselves */
#define SHM_BYTES     "size=65536k"

static uint64_t held_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    syscall(SYS_capget, &head, data);
    return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

static json_t *texts(const char *const *list)
{
    json_t *json = json_array();

    for (; list && *list; list++)
        json_array_append_new(json, json_string(*list));
    return json;
}

/* ---- process ---- */

static bool names_same(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");

    return strncmp(a, b, len) == 0 && (b[len] == '=' || b[len] == '\0');
}

/* The last of a name counts. */
static void env_add(json_t *env, const char *entry, bool over)
{
    size_t i;
    json_t *each;

    json_array_foreach(env, i, each)
    {
        if (!names_same(json_string_value(each), entry))
            continue;
        if (over)
            json_array_set_new(env, i, json_string(entry));
        return;
    }
    json_array_append_new(env, json_string(entry));
}

static json_t *environment(struct op *op, const struct container_spec *spec, const char *hostname,
                           const char *home)
{
    json_t *env = json_array();

    env_add(env, PATH_DEFAULT, true);
    env_add(env, arena_printf(&op->arena, "HOSTNAME=%s", hostname), true);
    for (size_t i = 0; spec->env && spec->env[i]; i++)
        env_add(env, spec->env[i], true);
    env_add(env, arena_printf(&op->arena, "HOME=%s", home), false);
    if (spec->terminal)
        env_add(env, "TERM=xterm", false);
    return env;
}

static json_t *user_json(const struct oci_user *user)
{
    json_t *groups = json_array();

    for (size_t i = 0; i < user->n_groups; i++)
        json_array_append_new(groups, json_integer(user->groups[i]));
    return json_pack("{s:I,s:I,s:o}", "uid", (json_int_t)user->uid, "gid", (json_int_t)user->gid,
                     "additionalGids", groups);
}

/* Who is not root has none in effect, and may get at most these from a file. */
static json_t *capabilities_json(const char *const *list, const struct oci_user *user)
{
    json_t *caps = json_object();

    json_object_set_new(caps, "bounding", texts(list));
    json_object_set_new(caps, "permitted", texts(user->uid == 0 ? list : NULL));
    json_object_set_new(caps, "effective", texts(user->uid == 0 ? list : NULL));
    return caps;
}

static json_t *rlimits(void)
{
    struct rlimit files = {0};

    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max > 1048576)
        files.rlim_max = 1048576;
    return json_pack("[{s:s,s:I,s:I}]", "type", "RLIMIT_NOFILE", "soft", (json_int_t)files.rlim_max,
                     "hard", (json_int_t)files.rlim_max);
}

static enum fault process(struct op *op, const struct container_spec *spec,
                          const struct oci_context *context, const char *const *caps, json_t **ret)
{
    struct oci_user user;
    json_t *json;

    TRY(oci_user_find(op, context->root, spec->user ? spec->user : "", spec->run_as_user,
                      spec->run_as_group, &user));
    for (size_t i = 0; i < spec->n_groups && user.n_groups < OCI_GROUPS_MAX; i++)
        user.groups[user.n_groups++] = spec->groups[i];
    if (spec->cwd && spec->cwd[0] && spec->cwd[0] != '/')
        return fail_on(op, "cwd", INVALID, "the working directory \"%s\" is not absolute",
                       spec->cwd);
    json = json_pack("{s:b,s:o,s:o,s:o,s:s,s:o,s:o,s:b,s:i}", "terminal", spec->terminal, "user",
                     user_json(&user), "args", texts(spec->args), "env",
                     environment(op, spec, context->hostname, user.home), "cwd",
                     spec->cwd && spec->cwd[0] ? spec->cwd : "/", "capabilities",
                     capabilities_json(caps, &user), "rlimits", rlimits(), "noNewPrivileges",
                     spec->no_new_privileges, "oomScoreAdj",
                     spec->oom_score_adj ? (int)spec->oom_score_adj : OOM_SCORE_ADJ);
    if (!json)
        return fail(op, INVALID, "a text is not UTF-8");
    if (spec->terminal)
        json_object_set_new(json, "consoleSize", json_pack("{s:i,s:i}", "height", 24, "width", 80));
    *ret = json;
    return OK;
}

/* ---- mounts ---- */

static void mount(json_t *list, const char *path, const char *type, const char *source,
                  const char *const *options)
{
    json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:o}", "destination", path, "type", type,
                                          "source", source, "options", texts(options)));
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void bind(json_t *list, const char *path, const char *source, bool read_only)
{
    mount(list, path, "bind", source,
          OPTIONS("rbind", "rprivate", "nosuid", "nodev", read_only ? "ro" : "rw"));
}

static json_t *mounts(struct op *op, const struct container_spec *spec,
                      const struct oci_context *context)
{
    static const char *const files[] = {"hosts", "hostname", "resolv.conf"};
    const char *sys = spec->privileged ? "rw" : "ro";
    json_t *list = json_array();

    mount(list, "/proc", "proc", "proc", OPTIONS("nosuid", "noexec", "nodev"));
    mount(list, "/dev", "tmpfs", "tmpfs",
          OPTIONS("nosuid", "strictatime", "mode=755", "size=65536k"));
    mount(list, "/dev/pts", "devpts", "devpts",
          OPTIONS("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"));
    if (context->shm)
        bind(list, "/dev/shm", context->shm, false);
    else
        mount(list, "/dev/shm", "tmpfs", "shm",
              OPTIONS("nosuid", "noexec", "nodev", "mode=1777", SHM_BYTES));
    mount(list, "/dev/mqueue", "mqueue", "mqueue", OPTIONS("nosuid", "noexec", "nodev"));
    mount(list, "/sys", "sysfs", "sysfs", OPTIONS("nosuid", "noexec", "nodev", sys));
    if (context->cgroup_v2) /* v1's many would cost more than all the rest */
        mount(list, "/sys/fs/cgroup", "cgroup", "cgroup",
              OPTIONS("nosuid", "noexec", "nodev", "relatime", sys));
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        bind(list, arena_printf(&op->arena, "/etc/%s", files[i]),
             arena_printf(&op->arena, "%s/%s", context->etc, files[i]), spec->read_only);
    for (size_t i = 0; i < context->n_mounts; i++)
        bind(list, context->mounts[i].path, context->mounts[i].source,
             context->mounts[i].read_only);
    if (context->termination)
        bind(list, spec->termination_path, context->termination, false);
    return list;
}

/* ---- linux ---- */

static const char *const masked[] = {"/proc/acpi",
                                     "/proc/asound",
                                     "/proc/interrupts",
                                     "/proc/kcore",
                                     "/proc/keys",
                                     "/proc/latency_stats",
                                     "/proc/timer_list",
                                     "/proc/timer_stats",
                                     "/proc/sched_debug",
                                     "/proc/scsi",
                                     "/sys/firmware",
                                     "/sys/devices/virtual/powercap",
                                     NULL};
static const char *const read_only_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};

/* No network: the runtime is in the sandbox's, and what it starts stays there; a pod's IPC and host
   name, too. */
static json_t *namespaces(const struct oci_context *context)
{
    json_t *list = json_pack("[{s:s,s:s*},{s:s},{s:s}]", "type", "pid", "path",
                             context->pid_namespace, "type", "mount", "type", "cgroup");

    for (const char *const *name = OPTIONS("ipc", "uts"); !context->shm && *name; name++)
        json_array_append_new(list, json_pack("{s:s}", "type", *name));
    return list;
}

static json_t *resources(const struct container_spec *spec)
{
    json_t *json = json_object(), *cpu = json_object();

    json_object_set_new(json, "devices",
                        json_pack("[{s:b,s:s}]", "allow", spec->privileged, "access", "rwm"));
    if (spec->memory_bytes)
        json_object_set_new(json, "memory",
                            json_pack("{s:I,s:I}", "limit", (json_int_t)spec->memory_bytes, "swap",
                                      (json_int_t)spec->memory_bytes));
    if (spec->cpu_millis)
        json_object_set_new(cpu, "quota", json_integer(spec->cpu_millis * 100));
    if (spec->cpu_millis)
        json_object_set_new(cpu, "period", json_integer(100000));
    if (spec->cpu_shares)
        json_object_set_new(cpu, "shares", json_integer(spec->cpu_shares));
    json_object_set_new(json, "cpu", cpu);
    if (spec->pids)
        json_object_set_new(json, "pids", json_pack("{s:I}", "limit", (json_int_t)spec->pids));
    return json;
}

static enum fault seccomp(struct op *op, const struct container_spec *spec, const char *const *caps,
                          json_t *to)
{
    json_t *profile = NULL;

    if (spec->privileged || (spec->seccomp && strcmp(spec->seccomp, "unconfined") == 0))
        return OK;
    if (spec->seccomp)
        TRY(seccomp_given(op, spec->seccomp, &profile));
    else
        profile = seccomp_default(caps);
    json_object_set_new(to, "seccomp", profile);
    return OK;
}

static enum fault linux_part(struct op *op, const struct container_spec *spec,
                             const struct oci_context *context, const char *const *caps, json_t *to)
{
    json_object_set_new(to, "cgroupsPath", json_string(context->cgroup));
    json_object_set_new(to, "namespaces", namespaces(context));
    json_object_set_new(to, "resources", resources(spec));
    if (!spec->privileged) {
        json_object_set_new(to, "maskedPaths", texts(masked));
        json_object_set_new(to, "readonlyPaths", texts(read_only_paths));
    }
    return seccomp(op, spec, caps, to);
}

enum fault oci_config(struct op *op, const struct container_spec *spec,
                      const struct oci_context *context, json_t **ret)
{
    json_t *config = json_object(), *part = json_object(), *process_json;
    const char **caps;

    arena_defer(&op->arena, (void (*)(void *))json_decref, config);
    json_object_set_new(config, "linux", part);
    TRY(oci_capabilities(op, spec, held_capabilities(), &caps));
    TRY(process(op, spec, context, caps, &process_json));
    json_object_set_new(config, "process", process_json);
    json_object_set_new(config, "ociVersion", json_string("1.0.2"));
    if (!context->shm)
        json_object_set_new(config, "hostname", json_string(context->hostname));
    json_object_set_new(
        config, "root",
        json_pack("{s:s,s:b}", "path", context->rootfs, "readonly", spec->read_only));
    json_object_set_new(config, "mounts", mounts(op, spec, context));
    TRY(linux_part(op, spec, context, caps, part));
    *ret = config;
    return OK;
}

/* ---- exec ---- */

static enum fault change_user(struct op *op, json_t *process_json, const char *text, int root)
{
    const json_t *caps = json_object_get(process_json, "capabilities");
    struct oci_user user;
    json_t *json;

    TRY(oci_user_find(op, root, text, -1, -1, &user));
    json_object_set_new(process_json, "user", user_json(&user));
    json = json_object_get(process_json, "capabilities");
    if (user.uid == 0) {
        json_object_set(json, "permitted", json_object_get(caps, "bounding"));
        json_object_set(json, "effective", json_object_get(caps, "bounding"));
    } else {
        json_object_set_new(json, "permitted", json_array());
        json_object_set_new(json, "effective", json_array());
    }
    env_add(json_object_get(process_json, "env"), arena_printf(&op->arena, "HOME=%s", user.home),
            true);
    return OK;
}

enum fault oci_exec_process(struct op *op, json_t *config, const struct exec_spec *spec, int root,
                            json_t **ret)
{
    json_t *process_json = json_object_get(config, "process");

    if (!process_json)
        return fail(op, INTERNAL, "the container's configuration is lost");
    if (spec->user && spec->user[0])
        TRY(change_user(op, process_json, spec->user, root));
    for (size_t i = 0; spec->env && spec->env[i]; i++)
        env_add(json_object_get(process_json, "env"), spec->env[i], true);
    if (spec->terminal)
        env_add(json_object_get(process_json, "env"), "TERM=xterm", false);
    if (spec->cwd && spec->cwd[0])
        json_object_set_new(process_json, "cwd", json_string(spec->cwd));
    json_object_set_new(process_json, "args", texts(spec->args));
    json_object_set_new(process_json, "terminal", json_boolean(spec->terminal));
    if (spec->terminal) /* set before the program can ask */
        json_object_set_new(process_json, "consoleSize",
                            json_pack("{s:i,s:i}", "height", spec->rows ? spec->rows : 24, "width",
                                      spec->cols ? spec->cols : 80));
    else
        json_object_del(process_json, "consoleSize");
    *ret = process_json;
    return OK;
}
