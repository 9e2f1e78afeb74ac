#include "instances/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KILL_TIMEOUT_MS 10000
#define PERIOD_US       100000

/* ---- files ---- */

static const char *file_of(struct op *op, const char *tree, const char *path, const char *file)
{
    return arena_printf(&op->arena, "%s%s/%s", tree, path, file);
}

static bool read_file(struct op *op, const char *path, char **ret)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t cap = 65536, len = 0;
    char *text;
    ssize_t n;

    if (fd < 0)
        return false;
    text = arena_alloc(&op->arena, cap);
    while (len < cap - 1 && (n = read(fd, text + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    *ret = text;
    return true;
}

static bool write_file(const char *path, const char *text)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* The number behind "key " at the start of a line; -1: none. key "": the first number. */
static int64_t number_in(const char *text, const char *key)
{
    size_t len = strlen(key);

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, len) == 0 && (len == 0 || line[len] == ' '))
            return strtoll(line + len, NULL, 10);
    }
    return -1;
}

static int64_t read_number(struct op *op, const char *path, const char *key)
{
    char *text;

    return read_file(op, path, &text) ? number_in(text, key) : -1;
}

/* ---- which trees there are ---- */

static bool has_option(const char *options, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = options; (at = strstr(at, name)); at += len)
        if ((at == options || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
            return true;
    return false;
}

static void add_v1(struct cgroups *cg, const char *options, const char *at)
{
    const struct {
        const char *name;
        const char **where;
    } wanted[] = {
        {"memory",  &cg->memory },
        {"cpu",     &cg->cpu    },
        {"cpuacct", &cg->cpuacct},
        {"pids",    &cg->pids   },
        {"freezer", &cg->freezer},
    };

    if (cg->n_trees == CGROUP_TREES_MAX)
        return;
    cg->trees[cg->n_trees++] = at;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (has_option(options, wanted[i].name) && !*wanted[i].where)
            *wanted[i].where = at;
}

/* "36 35 0:30 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory" */
static void add_mount(struct op *op, char *line, const char *prefix, struct cgroups *cg,
                      const char **v2)
{
    char *dash = strstr(line, " - "), *save = NULL, *field[5], *type, *options;

    if (!dash)
        return;
    *dash = '\0';
    for (size_t i = 0; i < ARRAY_LEN(field); i++)
        if (!(field[i] = strtok_r(i ? NULL : line, " ", &save)))
            return;
    type = strtok_r(dash + 3, " ", &save);
    strtok_r(NULL, " ", &save); /* the device's name */
    options = strtok_r(NULL, " ", &save);
    if (!type || !options || strncmp(type, "cgroup", 6) != 0)
        return;
    if (strcmp(type, "cgroup2") == 0)
        *v2 = arena_printf(&op->arena, "%s%s", prefix, field[4]);
    else if (strcmp(type, "cgroup") == 0)
        add_v1(cg, options, arena_printf(&op->arena, "%s%s", prefix, field[4]));
}

enum fault cgroups_parse(struct op *op, const char *mountinfo, const char *prefix,
                         struct cgroups *ret)
{
    char *copy = arena_strdup(&op->arena, mountinfo), *save = NULL;
    struct cgroups cg = {0};
    const char *v2 = NULL;

    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        add_mount(op, line, prefix, &cg, &v2);
    cg.v2 = !cg.memory && v2;
    if (cg.v2) {
        cg.memory = cg.cpu = cg.cpuacct = cg.pids = cg.freezer = v2;
        cg.trees[0] = v2;
        cg.n_trees = 1;
    } else {
        cg.hidden = v2;
    }
    if (!cg.memory || !cg.cpu || !cg.pids || !cg.freezer)
        return fail(op, UNSUPPORTED,
                    "there is no cgroup controller for %s: mount cgroup2 at /sys/fs/cgroup, or the "
                    "v1 controllers below it",
                    !cg.memory ? "memory"
                    : !cg.cpu  ? "cpu"
                    : !cg.pids ? "pids"
                               : "freezing");
    if (!cg.cpuacct)
        cg.cpuacct = cg.cpu;
    *ret = cg;
    return OK;
}

static const char *const v2_controllers[] = {"memory", "cpu", "pids"};

/* Hand the controllers down to the folders in path. */
static bool hand_down(struct op *op, const char *tree, const char *path)
{
    const char *file = file_of(op, tree, path, "cgroup.subtree_control");
    char *now;

    for (size_t i = 0; i < ARRAY_LEN(v2_controllers); i++)
        if (!read_file(op, file, &now) ||
            (!strstr(now, v2_controllers[i]) &&
             !write_file(file, arena_printf(&op->arena, "+%s", v2_controllers[i]))))
            return false;
    return true;
}

enum fault cgroups_find(struct op *op, struct cgroups *ret)
{
    char *mountinfo;

    if (!read_file(op, "/proc/self/mountinfo", &mountinfo))
        return fail(op, UNSUPPORTED, "/proc is not mounted");
    TRY(cgroups_parse(op, mountinfo, "", ret));
    if (ret->v2 && geteuid() == 0 && !hand_down(op, ret->memory, ""))
        return fail(op, UNSUPPORTED,
                    "the cgroup controllers memory, cpu and pids are not given to us: write "
                    "\"+memory +cpu +pids\" to %s/cgroup.subtree_control",
                    ret->memory);
    return OK;
}

/* ---- making ---- */

/* What is above the last part may be removed with another sandbox just now: once more, then. */
static enum fault make_folders(struct op *op, const char *tree, const char *path, bool v2)
{
    char *part = arena_strdup(&op->arena, path);
    int tries = 0;

    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(arena_printf(&op->arena, "%s%s", tree, part), 0755) < 0 && errno != EEXIST) {
            if (errno != ENOENT || ++tries > 100)
                return fail(op, UNAVAILABLE, "cannot make the cgroup %s%s: %s", tree, part,
                            strerror(errno));
            part = arena_strdup(&op->arena, path);
            slash = part;
            continue;
        }
        if (v2 && !hand_down(op, tree, part))
            return fail(op, UNAVAILABLE, "cannot hand cgroup controllers down in %s%s: %s", tree,
                        part, strerror(errno));
        if (!slash)
            return OK;
        *slash = '/';
    }
}

static enum fault limit(struct op *op, const char *tree, const char *path, const char *file,
                        const char *text)
{
    const char *name = file_of(op, tree, path, file);

    return write_file(name, text)
               ? OK
               : fail(op, UNAVAILABLE, "cannot write %s to %s: %s", text, name, strerror(errno));
}

static const char *number(struct op *op, int64_t n)
{
    return arena_printf(&op->arena, "%lld", (long long)n);
}

/* As runtimes count shares in weights. */
static int64_t weight_of(int64_t shares)
{
    return 1 + (shares - 2) * 9999 / 262142;
}

static enum fault limit_v2(struct op *op, const struct cgroups *cg, const char *path,
                           const struct cgroup_limits *limits)
{
    if (limits->memory_bytes) {
        TRY(limit(op, cg->memory, path, "memory.max", number(op, limits->memory_bytes)));
        if (access(file_of(op, cg->memory, path, "memory.swap.max"), F_OK) == 0)
            TRY(limit(op, cg->memory, path, "memory.swap.max", "0"));
    }
    if (limits->cpu_millis)
        TRY(limit(op, cg->cpu, path, "cpu.max",
                  arena_printf(&op->arena, "%lld %d",
                               (long long)(limits->cpu_millis * (PERIOD_US / 1000)), PERIOD_US)));
    if (limits->cpu_shares)
        TRY(limit(op, cg->cpu, path, "cpu.weight", number(op, weight_of(limits->cpu_shares))));
    return limits->pids ? limit(op, cg->pids, path, "pids.max", number(op, limits->pids)) : OK;
}

static enum fault limit_v1(struct op *op, const struct cgroups *cg, const char *path,
                           const struct cgroup_limits *limits)
{
    if (limits->memory_bytes) {
        TRY(limit(op, cg->memory, path, "memory.limit_in_bytes", number(op, limits->memory_bytes)));
        if (access(file_of(op, cg->memory, path, "memory.memsw.limit_in_bytes"), F_OK) == 0)
            TRY(limit(op, cg->memory, path, "memory.memsw.limit_in_bytes",
                      number(op, limits->memory_bytes)));
    }
    if (limits->cpu_millis) {
        TRY(limit(op, cg->cpu, path, "cpu.cfs_period_us", number(op, PERIOD_US)));
        TRY(limit(op, cg->cpu, path, "cpu.cfs_quota_us",
                  number(op, limits->cpu_millis * (PERIOD_US / 1000))));
    }
    if (limits->cpu_shares)
        TRY(limit(op, cg->cpu, path, "cpu.shares", number(op, limits->cpu_shares)));
    return limits->pids ? limit(op, cg->pids, path, "pids.max", number(op, limits->pids)) : OK;
}

enum fault cgroup_make(struct op *op, const struct cgroups *cg, const char *path,
                       const struct cgroup_limits *limits)
{
    const char *const trees[] = {cg->memory, cg->cpu, cg->pids, cg->freezer};

    for (size_t i = 0; i < (cg->v2 ? 1 : ARRAY_LEN(trees)); i++)
        TRY(make_folders(op, trees[i], path, cg->v2));
    return cg->v2 ? limit_v2(op, cg, path, limits) : limit_v1(op, cg, path, limits);
}

/* ---- changing ---- */

static enum fault change_memory(struct op *op, const struct cgroups *cg, const char *path,
                                int64_t bytes)
{
    const char *text = bytes ? number(op, bytes) : cg->v2 ? "max" : "-1";
    const char *file = cg->v2 ? "memory.max" : "memory.limit_in_bytes";
    const char *both = file_of(op, cg->memory, path, "memory.memsw.limit_in_bytes");
    enum fault fault;

    /* v1: the limit with swap is never below the one without, so which is first depends */
    if (!cg->v2 && access(both, F_OK) == 0 && write_file(both, text))
        return limit(op, cg->memory, path, file, text);
    fault = limit(op, cg->memory, path, file, text);
    if (fault != OK)
        return fail_on(op, "memory", INVALID, "the memory limit cannot be %s: %s", text,
                       op->message);
    if (!cg->v2 && access(both, F_OK) == 0)
        TRY(limit(op, cg->memory, path, "memory.memsw.limit_in_bytes", text));
    return OK;
}

static enum fault change_cpu(struct op *op, const struct cgroups *cg, const char *path,
                             int64_t millis)
{
    long long quota = (long long)millis * (PERIOD_US / 1000);

    if (cg->v2)
        return limit(op, cg->cpu, path, "cpu.max",
                     millis ? arena_printf(&op->arena, "%lld %d", quota, PERIOD_US) : "max");
    return limit(op, cg->cpu, path, "cpu.cfs_quota_us", number(op, millis ? quota : -1));
}

enum fault cgroup_change(struct op *op, const struct cgroups *cg, const char *path,
                         const struct cgroup_limits *limits)
{
    int64_t shares = limits->cpu_shares ? limits->cpu_shares : 1024;

    if (limits->memory_bytes >= 0)
        TRY(change_memory(op, cg, path, limits->memory_bytes));
    if (limits->cpu_millis >= 0)
        TRY(change_cpu(op, cg, path, limits->cpu_millis));
    if (limits->cpu_shares < 0)
        return OK;
    return cg->v2 ? limit(op, cg->cpu, path, "cpu.weight", number(op, weight_of(shares)))
                  : limit(op, cg->cpu, path, "cpu.shares", number(op, shares));
}

/* ---- walking a tree ---- */

/* Call each for a folder and all below it, deepest first. */
static void walk(struct op *op, const char *folder,
                 void (*each)(struct op *op, const char *folder, void *arg), void *arg)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir)))
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0)
            walk(op, arena_printf(&op->arena, "%s/%s", folder, entry->d_name), each, arg);
    closedir(dir);
    each(op, folder, arg);
}

static void remove_one(struct op *op, const char *folder, void *arg)
{
    (void)op;
    if (rmdir(folder) < 0 && errno != ENOENT)
        *(int *)arg = errno;
}

enum fault cgroup_remove(struct op *op, const struct cgroups *cg, const char *path)
{
    int64_t until = now_ms() + KILL_TIMEOUT_MS;

    for (size_t i = 0; i < cg->n_trees; i++) {
        const char *folder = arena_printf(&op->arena, "%s%s", cg->trees[i], path);
        int wrong;

        do { /* a process that has just ended may hold it for a moment */
            wrong = 0;
            walk(op, folder, remove_one, &wrong);
        } while (wrong == EBUSY && now_ms() < until && poll(NULL, 0, 1) == 0);
        if (wrong)
            return fail(op, UNAVAILABLE, "cannot remove the cgroup %s: %s", folder,
                        strerror(wrong));
    }
    return OK;
}

/* ---- killing ---- */

static void kill_one(struct op *op, const char *folder, void *arg)
{
    char *procs;

    if (!read_file(op, arena_printf(&op->arena, "%s/cgroup.procs", folder), &procs))
        return;
    for (char *end = procs; *procs; procs = end) {
        long pid = strtol(procs, &end, 10);

        if (end == procs)
            return;
        end += *end == '\n';
        if (pid > 0) {
            (*(int *)arg)++;
            kill((pid_t)pid, SIGKILL);
        }
    }
}

/* A process enters one tree after the other: it may be in some only. */
static int kill_trees(struct op *op, const struct cgroups *cg, const char *path)
{
    int n = 0;

    for (size_t i = 0; i < cg->n_trees; i++)
        walk(op, arena_printf(&op->arena, "%s%s", cg->trees[i], path), kill_one, &n);
    return n;
}

/* Frozen processes cannot fork while the others are told; the signal acts at the thaw. */
static int kill_v1(struct op *op, const struct cgroups *cg, const char *path)
{
    const char *state = file_of(op, cg->freezer, path, "freezer.state");
    int n = kill_trees(op, cg, path);

    if (n == 0)
        return 0;
    (void)write_file(state, "FROZEN");
    n = kill_trees(op, cg, path);
    (void)write_file(state, "THAWED");
    return n;
}

static int kill_v2(struct op *op, const struct cgroups *cg, const char *path)
{
    int64_t populated =
        read_number(op, file_of(op, cg->memory, path, "cgroup.events"), "populated");
    int n = 0;

    if (populated <= 0)
        return 0;
    if (!write_file(file_of(op, cg->memory, path, "cgroup.kill"), "1")) /* before Linux 5.14 */
        walk(op, arena_printf(&op->arena, "%s%s", cg->memory, path), kill_one, &n);
    return 1;
}

enum fault cgroup_kill(struct op *op, const struct cgroups *cg, const char *path)
{
    int64_t until = now_ms() + KILL_TIMEOUT_MS;
    struct op each;
    int left;

    for (;;) {
        op_init(&each); /* a loop's memory */
        left = cg->v2 ? kill_v2(&each, cg, path) : kill_v1(&each, cg, path);
        op_free(&each);
        if (left == 0)
            return OK;
        if (now_ms() >= until)
            return fail(op, UNAVAILABLE, "processes of %s do not end", path);
        poll(NULL, 0, 1);
    }
}

/* ---- looking ---- */

bool cgroup_oom_killed(struct op *op, const struct cgroups *cg, const char *path)
{
    const char *file = cg->v2 ? "memory.events" : "memory.oom_control";

    return read_number(op, file_of(op, cg->memory, path, file), "oom_kill") > 0;
}

enum fault cgroup_stats(struct op *op, const struct cgroups *cg, const char *path,
                        struct container_stats *ret)
{
    struct container_stats stats = {0};
    int64_t inactive;

    if (cg->v2) {
        stats.memory_bytes = read_number(op, file_of(op, cg->memory, path, "memory.current"), "");
        stats.cpu_us = read_number(op, file_of(op, cg->cpu, path, "cpu.stat"), "usage_usec");
    } else {
        stats.memory_bytes =
            read_number(op, file_of(op, cg->memory, path, "memory.usage_in_bytes"), "");
        stats.cpu_us = read_number(op, file_of(op, cg->cpuacct, path, "cpuacct.usage"), "") / 1000;
    }
    stats.pids = read_number(op, file_of(op, cg->pids, path, "pids.current"), "");
    if (stats.memory_bytes < 0 || stats.cpu_us < 0 || stats.pids < 0)
        return fail(op, NOT_FOUND, "there is no cgroup %s", path);
    inactive = read_number(op, file_of(op, cg->memory, path, "memory.stat"),
                           cg->v2 ? "inactive_file" : "total_inactive_file");
    stats.working_set_bytes = inactive > 0 && inactive < stats.memory_bytes
                                  ? stats.memory_bytes - inactive
                              : inactive > 0 ? 0
                                             : stats.memory_bytes;
    *ret = stats;
    return OK;
}

/* ---- looking again and again ---- */

enum fault cgroup_gauge_open(struct op *op, const struct cgroups *cg, const char *path,
                             struct cgroup_gauge *ret)
{
    const char *memory = cg->v2 ? "memory.current" : "memory.usage_in_bytes";
    const char *cpu = cg->v2 ? "cpu.stat" : "cpuacct.usage";

    *ret = (struct cgroup_gauge){
        .memory = open(file_of(op, cg->memory, path, memory), O_RDONLY | O_CLOEXEC),
        .cpu = open(file_of(op, cg->v2 ? cg->cpu : cg->cpuacct, path, cpu), O_RDONLY | O_CLOEXEC),
        .v2 = cg->v2,
    };
    if (ret->memory >= 0 && ret->cpu >= 0)
        return OK;
    cgroup_gauge_close(ret);
    return fail(op, NOT_FOUND, "there is no cgroup %s", path);
}

/* key as of number_in; -1: it cannot be read. */
static int64_t number_at(int fd, const char *key)
{
    char text[512];
    ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);

    if (n < 0)
        return -1;
    text[n] = '\0';
    return number_in(text, key);
}

bool cgroup_gauge_read(const struct cgroup_gauge *gauge, int64_t *ret_memory_bytes,
                       int64_t *ret_cpu_us)
{
    int64_t memory = number_at(gauge->memory, "");
    int64_t cpu = number_at(gauge->cpu, gauge->v2 ? "usage_usec" : "");

    if (memory < 0 || cpu < 0)
        return false;
    *ret_memory_bytes = memory;
    *ret_cpu_us = gauge->v2 ? cpu : cpu / 1000;
    return true;
}

void cgroup_gauge_close(struct cgroup_gauge *gauge)
{
    if (gauge->memory >= 0)
        close(gauge->memory);
    if (gauge->cpu >= 0)
        close(gauge->cpu);
    gauge->memory = gauge->cpu = -1;
}
