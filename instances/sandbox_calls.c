#include "instances/sandbox_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/files.h"
#include "instances/network_host.h"
#include "instances/paths.h"
#include "instances/process.h"
#include "instances/sandbox_folder.h"
#include "instances/sandbox_json.h"
#include "instances/sandbox_pod.h"
#include "instances/shim.h"
#include "instances/volume.h"

#define STOP_TIMEOUT_MS 5000
#define KILL_TIMEOUT_MS 10000

const char *sandbox_runtime(void)
{
    static const char *const paths[] = {
        "/usr/local/bin/crun", "/usr/bin/crun",        "/usr/local/sbin/crun", "/usr/sbin/crun",
        "/usr/local/bin/runc", "/usr/local/sbin/runc", "/usr/bin/runc",        "/usr/sbin/runc",
    };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    return NULL;
}

/* ---- folders ---- */

/* DIR, DIR/sandboxes, RUN, RUN/s; closed with close_base. */
struct base {
    const char *run;
    int data, sandboxes, run_fd, s;
};

static void close_base(struct base *base)
{
    const int fds[] = {base->data, base->sandboxes, base->run_fd, base->s};

    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}
#define AUTO_BASE __attribute__((cleanup(close_base)))

static enum fault open_base(struct op *op, const struct helper_job *job, struct base *ret)
{
    AUTO_CLOSE int run = -1, seccomp = -1;

    *ret = (struct base){.data = -1, .sandboxes = -1, .run_fd = -1, .s = -1};
    ret->run = run_folder(op, job->settings->data);
    TRY(folder_open(op, job->settings->data, &ret->data));
    TRY(folder_enter(op, ret->data, "sandboxes", 0750, job->gid, &ret->sandboxes));
    TRY(folder_open(op, "/run", &run));
    TRY(folder_enter(op, run, strrchr(ret->run, '/') + 1, 0755, 0, &ret->run_fd));
    TRY(folder_enter(op, ret->run_fd, "seccomp", 0700, 0, &seccomp));
    return folder_enter(op, ret->run_fd, "s", 0750, job->gid, &ret->s);
}

static const char *cgroup_of(struct op *op, const struct helper_job *job, const char *id)
{
    return arena_printf(&op->arena, "/sundog-%s/%s", data_id(op, job->settings->data), id);
}

static enum fault call_start(struct op *op, struct helper_job *job)
{
    AUTO_BASE struct base base;
    struct cgroups cgroups;

    TRY(cgroups_find(op, &cgroups));
    return open_base(op, job, &base);
}

/* ---- supervisors ---- */

/* Does that process see the supervisor's own mounts? place: " /run/sundog-…/s/<id>/c ". */
static bool is_within(const char *pid, const char *place)
{
    char path[64], *line = NULL;
    size_t size = 0;
    bool found = false;
    FILE *mounts;

    snprintf(path, sizeof(path), "/proc/%.20s/mountinfo", pid);
    mounts = fopen(path, "re");
    while (mounts && !found && getline(&line, &size, mounts) > 0)
        found = strstr(line, place) != NULL;
    free(line);
    if (mounts)
        fclose(mounts);
    return found;
}

/* A supervisor that was killed may have left crun at work, in no cgroup of ours yet: it is known by
   where it is. One that is born behind a look's back is seen by the next: two must see none. */
static void kill_strays(struct op *op, const char *run, const char *id)
{
    const char *place = arena_printf(&op->arena, " %s/s/%s/c ", run, id);
    int64_t until = now_ms() + KILL_TIMEOUT_MS;
    int in_vain = 0;

    while (in_vain < 2 && now_ms() < until) {
        DIR *dir = opendir("/proc");
        struct dirent *entry;

        in_vain++;
        while (dir && (entry = readdir(dir)))
            if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
                is_within(entry->d_name, place)) {
                in_vain = 0;
                kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
            }
        if (dir)
            closedir(dir);
    }
}

/* SIGTERM makes it kill and see the end of all it has started; then it takes its mark away. One
   that is being killed by somebody else just now ends as soon, and has not. */
static void end_shim(struct op *op, const char *run, const char *id, int folder)
{
    AUTO_CLOSE int pidfd = process_find(op, folder);

    if (pidfd >= 0)
        process_end(pidfd, STOP_TIMEOUT_MS, KILL_TIMEOUT_MS);
    if (process_marked(folder))
        kill_strays(op, run, id);
}

/* ---- delete ---- */

static bool is_empty(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    bool empty = dir != NULL;

    while (dir && (entry = readdir(dir)))
        empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (dir)
        closedir(dir);
    return empty;
}

/* With the last sandbox the cgroup above all of them goes; cgroup_make copes with that. */
static void remove_top(const struct cgroups *cgroups, const char *path, int sandboxes)
{
    char name[4096];

    if (!is_empty(sandboxes))
        return;
    for (size_t i = 0; i < cgroups->n_trees; i++) {
        snprintf(name, sizeof(name), "%s%.*s", cgroups->trees[i], (int)(strrchr(path, '/') - path),
                 path);
        (void)rmdir(name);
    }
}

/* Folders and cgroups alone say what there is: the supervisor may be gone, or never have been. */
static enum fault remove_all(struct op *op, const struct helper_job *job, const struct base *base,
                             const char *id)
{
    const char *cgroup = cgroup_of(op, job, id);
    struct cgroups cgroups;

    TRY(cgroups_find(op, &cgroups));
    TRY(cgroup_kill(op, &cgroups, cgroup));
    TRY(cgroup_remove(op, &cgroups, cgroup));
    TRY(folder_remove(op, base->sandboxes, id));
    TRY(folder_remove(op, base->s, id)); /* last: it names the sandbox as long as any is left */
    remove_top(&cgroups, cgroup, base->sandboxes);
    return OK;
}

static enum fault call_delete(struct op *op, struct helper_job *job)
{
    AUTO_BASE struct base base = {.data = -1, .sandboxes = -1, .run_fd = -1, .s = -1};
    AUTO_CLOSE int folder = -1;
    const char *id;

    TRY(sandbox_id_read(op, job->in->body, "id", &id));
    TRY(open_base(op, job, &base));
    if (folder_enter(op, base.s, id, 0, 0, &folder) == OK)
        end_shim(op, base.run, id, folder);
    op_clear_fault(op);
    return remove_all(op, job, &base, id);
}

/* ---- create ---- */

static enum fault write_hosts(struct op *op, const struct sandbox_spec *spec, int folder)
{
    const char *own = spec->n_addresses ? spec->addresses[0].address : "127.0.1.1";
    struct text text;

    if (spec->pod && spec->pod->hosts_file)
        return folder_write(op, folder, "hosts", BYTES(spec->pod->hosts_file), 0644);
    text_init(&text, &op->arena, 65536);
    text_str(&text, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    text_printf(&text, "%s\t%s\n", own, spec->hostname);
    for (size_t i = 0; i < spec->n_hosts; i++)
        text_printf(&text, "%s\t%s\n", spec->hosts[i].address, spec->hosts[i].names);
    return folder_write(op, folder, "hosts", text_bytes(&text), 0644);
}

static void add_list(struct text *text, const char *word, const char *const *list)
{
    if (list && *list)
        text_str(text, word);
    for (; list && *list; list++)
        text_printf(text, " %s", *list);
    if (text->len > 0 && text->data[text->len - 1] != '\n')
        text_str(text, "\n");
}

static enum fault write_resolv(struct op *op, const struct sandbox_spec *spec, int folder)
{
    struct text text;

    text_init(&text, &op->arena, 65536);
    for (const char *const *each = spec->nameservers; *each; each++)
        text_printf(&text, "nameserver %s\n", *each);
    add_list(&text, "search", spec->searches);
    add_list(&text, "options", spec->resolv_options);
    return folder_write(op, folder, "resolv.conf", text_bytes(&text), 0644);
}

/* In memory of a size: containers may write to them, and RUN is not theirs to fill. */
static enum fault make_etc(struct op *op, const struct sandbox_spec *spec, struct shim *shim)
{
    const char *path = arena_printf(&op->arena, "%s/etc", shim->run);
    AUTO_CLOSE int folder = -1;

    if (mkdir(path, 0755) < 0 ||
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=256k") < 0)
        return fail(op, UNAVAILABLE, "cannot make %s: %s", path, strerror(errno));
    TRY(folder_open(op, path, &folder));
    TRY(write_hosts(op, spec, folder));
    TRY(write_resolv(op, spec, folder));
    return folder_write(op, folder, "hostname",
                        BYTES(arena_printf(&op->arena, "%s\n", spec->hostname)), 0644);
}

/* Mounts of our own, which end with us; the host's come and go as before. crun refuses hybrid
   trees, and makes folders where the v2 tree would be: in memory that is ours. */
static enum fault enter_mounts(struct op *op, const struct cgroups *cgroups)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return fail(op, UNAVAILABLE, "cannot make a mount namespace: %s", strerror(errno));
    if (cgroups->hidden && mount("tmpfs", cgroups->hidden, "tmpfs",
                                 MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700,size=1m") < 0)
        return fail(op, UNAVAILABLE, "cannot hide %s: %s", cgroups->hidden, strerror(errno));
    return OK;
}

/* crun makes a read-only mount of itself each time it is run, which costs 8 ms, unless it finds
   that it is run from one and is told so (shim.c). */
static enum fault protect_crun(struct op *op, struct shim *shim)
{
    const char *folder = arena_printf(&op->arena, "%s/c/.bin", shim->run);
    const char *path = arena_printf(&op->arena, "%s/crun", folder);
    AUTO_CLOSE int file = -1;

    if (strcmp(strrchr(shim->crun, '/'), "/crun") != 0)
        return OK;
    if (mkdir(folder, 0700) < 0 ||
        (file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700)) < 0 ||
        mount(shim->crun, path, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
        return fail(op, UNAVAILABLE, "cannot mount %s: %s", path, strerror(errno));
    shim->crun = path;
    return OK;
}

/* RUN/s/<id>/c: configurations with their secrets, crun's state, mount points; in memory, and gone
   with the supervisor. */
static enum fault make_place(struct op *op, struct shim *shim)
{
    const char *path = arena_printf(&op->arena, "%s/c", shim->run);

    if (mkdir(path, 0700) < 0 ||
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=256m") < 0 ||
        mkdir(shim->crun_root, 0700) < 0)
        return fail(op, UNAVAILABLE, "cannot make %s: %s", path, strerror(errno));
    return protect_crun(op, shim);
}

/* Any user may ping, without raw sockets. */
static void allow_ping(void)
{
    AUTO_CLOSE int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, "0 2147483647", 12) < 0)
        return; /* without it, ping only works as root with NET_RAW */
}

static enum fault make_socket(struct op *op, struct shim *shim, gid_t gid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", shim->run);
    shim->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (shim->listener < 0 ||
        bind(shim->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        chown(address.sun_path, 0, gid) < 0 || chmod(address.sun_path, 0660) < 0 ||
        listen(shim->listener, 64) < 0)
        return fail(op, UNAVAILABLE, "cannot listen on %s: %s", address.sun_path, strerror(errno));
    return OK;
}

static void keep_text(struct shim *shim, const char **text)
{
    if (*text)
        *text = arena_strdup(&shim->arena, *text);
}

/* What outlives the op. */
static void keep(struct shim *shim)
{
    struct cgroups *cg = &shim->cgroups;
    const char **texts[] = {&shim->id,        &shim->hostname, &shim->run,   &shim->crun,
                            &shim->crun_root, &shim->cgroup,   &cg->memory,  &cg->cpu,
                            &cg->cpuacct,     &cg->pids,       &cg->freezer, &cg->hidden};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        keep_text(shim, texts[i]);
    for (size_t i = 0; i < cg->n_trees; i++)
        keep_text(shim, &cg->trees[i]);
}

static enum fault make_folders(struct op *op, const struct base *base, const char *id, gid_t gid,
                               struct shim *shim)
{
    TRY(folder_enter(op, base->s, id, 0750, gid, &shim->run_fd));
    TRY(folder_enter(op, base->sandboxes, id, 0750, gid, &shim->folder));
    TRY(folder_enter(op, shim->folder, "logs", 0750, gid, &shim->logs));
    shim->data = fcntl(base->data, F_DUPFD_CLOEXEC, 3);
    return folder_enter(op, base->run_fd, "seccomp", 0700, 0, &shim->filters);
}

/* The cluster's own namespace is not one pod's to change; IPC is each pod's. */
static enum fault set_sysctl(struct op *op, const struct pod_spec *pod,
                             const struct sandbox_sysctl *sysctl)
{
    char *path = arena_printf(&op->arena, "/proc/sys/%s", sysctl->name);
    AUTO_CLOSE int fd = -1;
    size_t len = strlen(sysctl->value);

    for (char *dot = path; (dot = strchr(dot, '.'));)
        *dot = '/';
    if (pod->host_network && strncmp(sysctl->name, "net.", 4) == 0)
        return fail_on(op, "sysctls", FORBIDDEN,
                       "forbidden sysctl: \"%s\" not allowed with host net enabled", sysctl->name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, sysctl->value, len) != (ssize_t)len)
        return fail_on(op, "sysctls", INVALID, "sysctl \"%s\" cannot be \"%s\": %s", sysctl->name,
                       sysctl->value, strerror(errno));
    return OK;
}

/* What the containers of a pod have in common: they are in the supervisor's namespaces. */
static enum fault pod_enter(struct op *op, const struct sandbox_spec *spec, struct shim *shim)
{
    const char *shm = arena_printf(&op->arena, "%s/shm", shim->run);

    shim->pod = true;
    if (unshare(CLONE_NEWIPC | CLONE_NEWUTS) < 0 ||
        sethostname(spec->hostname, strlen(spec->hostname)) < 0)
        return fail(op, UNAVAILABLE, "cannot make the pod's namespaces: %s", strerror(errno));
    if (mkdir(shm, 0755) < 0 ||
        mount("shm", shm, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=64m") < 0)
        return fail(op, UNAVAILABLE, "cannot make %s: %s", shm, strerror(errno));
    for (size_t i = 0; i < spec->pod->n_sysctls; i++)
        TRY(set_sysctl(op, spec->pod, &spec->pod->sysctls[i]));
    return spec->pod->share_processes ? shim_share_processes(op, shim) : OK;
}

static enum fault make_all(struct op *op, const struct helper_job *job, const struct base *base,
                           const struct sandbox_spec *spec, struct shim *shim)
{
    const struct cgroup_limits limits = {spec->memory_bytes, spec->cpu_millis, spec->pids,
                                         spec->cpu_shares};
    struct volume_place place;

    TRY(make_folders(op, base, spec->id, job->gid, shim));
    TRY(process_mark(op, shim->run_fd));
    TRY(cgroup_make(op, &shim->cgroups, shim->cgroup, &limits));
    place = (struct volume_place){base->data, shim->folder, shim->run, shim->run_fd, spec->pod};
    TRY(volumes_make(op, &place, spec));
    TRY(make_etc(op, spec, shim));
    TRY(make_place(op, shim));
    TRY(network_join(op, spec, base->run_fd));
    if (spec->pod)
        TRY(pod_enter(op, spec, shim));
    if (!spec->pod || !spec->pod->host_network)
        allow_ping();
    return make_socket(op, shim, job->gid);
}

static bool exists(int at, const char *name)
{
    return faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void favour(void)
{
    AUTO_CLOSE int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, "-900", 4) < 0)
        return; /* without CAP_SYS_RESOURCE it stays as it is */
}

static enum fault prepare_shim(struct op *op, struct helper_job *job, const struct base *base,
                               const struct sandbox_spec *spec, struct shim *shim)
{
    shim->id = spec->id;
    shim->hostname = spec->hostname;
    shim->run = arena_printf(&op->arena, "%s/s/%s", base->run, spec->id);
    shim->crun = sandbox_runtime();
    shim->crun_root = arena_printf(&op->arena, "%s/c/.crun", shim->run);
    shim->cgroup = cgroup_of(op, job, spec->id);
    shim->gid = job->gid;
    if (!shim->crun)
        return fail(op, UNSUPPORTED, "there is neither crun nor runc: apt-get install crun");
    if (mkdirat(base->s, spec->id, 0750) < 0) {
        if (errno == EEXIST)
            return fail_on(op, "sandbox", CONFLICT, "the sandbox \"%s\" is there already",
                           spec->id);
        return fail(op, UNAVAILABLE, "cannot make %s: %s", shim->run, strerror(errno));
    }
    if (fchownat(base->s, spec->id, 0, job->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(op, UNAVAILABLE, "cannot give %s away: %s", shim->run, strerror(errno));
    return OK;
}

static void undo(const struct helper_job *job, const struct base *base,
                 const struct sandbox_spec *spec, const char *run)
{
    const char *id = spec->id;
    struct op op;

    op_init(&op);
    (void)umount2(arena_printf(&op.arena, "%s/etc", run), MNT_DETACH);
    (void)umount2(arena_printf(&op.arena, "%s/c", run), MNT_DETACH);
    (void)umount2(arena_printf(&op.arena, "%s/shm", run), MNT_DETACH);
    for (size_t i = 0; i < spec->n_volumes; i++)
        (void)umount2(arena_printf(&op.arena, "%s/v/%s", run, spec->volumes[i].name), MNT_DETACH);
    (void)remove_all(&op, job, base, id); /* what is left is found by sandbox_list */
    op_free(&op);
}

static enum fault call_create(struct op *op, struct helper_job *job)
{
    AUTO_BASE struct base base = {.data = -1, .sandboxes = -1, .run_fd = -1, .s = -1};
    struct shim *shim = calloc(1, sizeof(*shim));
    struct sandbox_spec spec;
    enum fault fault;

    if (!shim)
        abort();
    TRY(sandbox_spec_read(op, job->in->body, &spec));
    if (spec.bridge && strcmp(spec.bridge, network_bridge_name(op, job->settings->data)) != 0)
        return fail_on(op, "bridge", INVALID, "the bridge %s is not ours", spec.bridge);
    TRY(cgroups_find(op, &shim->cgroups));
    TRY(enter_mounts(op, &shim->cgroups)); /* what is opened before cannot be mounted in it */
    TRY(open_base(op, job, &base));
    if (exists(base.sandboxes, spec.id))
        return fail_on(op, "sandbox", CONFLICT, "the sandbox \"%s\" is there already", spec.id);
    TRY(prepare_shim(op, job, &base, &spec, shim));
    fault = make_all(op, job, &base, &spec, shim);
    if (fault != OK) {
        undo(job, &base, &spec, shim->run);
        return fault;
    }
    keep(shim);
    favour();
    job->stay = shim_main;
    job->stay_arg = shim;
    return OK;
}

static enum fault call_node_remove(struct op *op, struct helper_job *job)
{
    const char *cluster = NULL, *node = NULL;
    AUTO_CLOSE int data = -1, nodes = -1, folder = -1;
    enum fault fault;

    TRY(sandbox_id_read(op, job->in->body, "cluster", &cluster));
    TRY(node_name_read(op, job->in->body, "node", false, &node));
    TRY(folder_open(op, job->settings->data, &data));
    fault = folder_enter(op, data, "nodes", 0, 0, &nodes);
    if (fault == OK && !node)
        return folder_remove(op, nodes, cluster);
    if (fault == OK)
        fault = folder_enter(op, nodes, cluster, 0, 0, &folder);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    return fault != OK ? fault : folder_remove(op, folder, node);
}

const struct helper_call sandbox_calls[] = {
    {"sandbox.start",     call_start},
    {"sandbox.create",                   call_create},
    {"sandbox.delete",call_delete},
    {"sandbox.clone",    sandbox_clone_call},
    {"sandbox.node-remove",                   call_node_remove},
    {0},
};
