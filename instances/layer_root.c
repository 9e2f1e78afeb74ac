/*
 * Layers, as root: DIR/layers/<short>/ is made under another name and renamed when it is whole. It
 * need not be on the disk by then, which would take longer than unpacking: only when it is does it
 * get the file "settled", and at a start layers of an earlier boot without one are thrown away.
 *
 * The server is not trusted here: it names layers by hex digits, and what is opened is checked to
 * be root's own.
 */
#include "instances/layer_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "instances/unpack.h"
#include "registry/hash.h"
#include "registry/names.h"

#define UNFINISHED "tmp-"
#define BOOT_FILE  "/proc/sys/kernel/random/boot_id"

/* ---- small files ---- */

static enum fault write_small(struct op *op, int dir, const char *name, const char *text, gid_t gid,
                              mode_t mode)
{
    AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0);
    size_t len = strlen(text);

    if (fd < 0 || fchown(fd, 0, gid) < 0 || fchmod(fd, mode) < 0 ||
        write(fd, text, len) != (ssize_t)len)
        return fail(op, UNAVAILABLE, "the layer's file %s cannot be written: %s", name,
                    strerror(errno));
    return OK;
}

/* Up to size - 1 bytes; "" when there is no such file. */
static void read_small(int dir, const char *name, char *ret, size_t size)
{
    AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, ret, size - 1);

    ret[n > 0 ? n : 0] = '\0';
}

/* ---- the folder ---- */

static enum fault open_layers(struct op *op, const struct helper_job *job, int *ret_fd)
{
    const char *path = arena_printf(&op->arena, "%s/" LAYERS_FOLDER, job->settings->data);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return fail(op, UNAVAILABLE, "%s cannot be opened: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0 || st.st_uid != 0 || (st.st_mode & 022)) {
        close(fd);
        return fail(op, UNAVAILABLE, "%s does not belong to root alone: remove it", path);
    }
    *ret_fd = fd;
    return OK;
}

static bool is_short(const char *name)
{
    return strlen(name) == LAYER_SHORT_LEN && strspn(name, "0123456789abcdef") == LAYER_SHORT_LEN;
}

static int open_layer(int layers, const char *name)
{
    return openat(layers, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Names in DIR/layers, copied: entries come and go meanwhile. */
static enum fault list(struct op *op, int layers, const char ***ret_names, size_t *ret_n)
{
    DIR *dir = fdopendir(openat(layers, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    size_t n = 0, cap = 64;
    const char **names = arena_alloc(&op->arena, cap * sizeof(*names));
    struct dirent *entry;

    if (!dir)
        return fail(op, UNAVAILABLE, "the layers cannot be listed: %s", strerror(errno));
    while ((entry = readdir(dir))) {
        if (n == cap) {
            const char **more = arena_alloc(&op->arena, 2 * cap * sizeof(*more));

            memcpy(more, names, n * sizeof(*names));
            names = more;
            cap *= 2;
        }
        if (entry->d_name[0] != '.')
            names[n++] = arena_strdup(&op->arena, entry->d_name);
    }
    closedir(dir);
    *ret_names = names;
    *ret_n = n;
    return OK;
}

static void boot_id(char *ret, size_t size)
{
    read_small(AT_FDCWD, BOOT_FILE, ret, size);
}

/* ---- start ---- */

static bool may_be_half(int layers, const char *name, const char *boot)
{
    AUTO_CLOSE int fd = open_layer(layers, name);
    char there[64];

    if (fd < 0)
        return true;
    if (faccessat(fd, LAYER_SETTLED, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return false;
    read_small(fd, LAYER_BOOT, there, sizeof(there));
    return strcmp(there, boot) != 0;
}

static enum fault call_start(struct op *op, struct helper_job *job)
{
    const char *path = arena_printf(&op->arena, "%s/" LAYERS_FOLDER, job->settings->data), **names;
    AUTO_CLOSE int layers = -1;
    char boot[64];
    size_t n;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return fail(op, UNAVAILABLE, "%s cannot be made: %s", path, strerror(errno));
    TRY(open_layers(op, job, &layers));
    /* programs in there may be setuid: for nobody's hands but ours */
    if (fchown(layers, 0, job->gid) < 0 || fchmod(layers, 0750) < 0)
        return fail(op, UNAVAILABLE, "%s cannot be set up: %s", path, strerror(errno));
    boot_id(boot, sizeof(boot));
    TRY(list(op, layers, &names, &n));
    for (size_t i = 0; i < n; i++)
        if (strncmp(names[i], UNFINISHED, strlen(UNFINISHED)) == 0 ||
            (is_short(names[i]) && may_be_half(layers, names[i], boot)))
            unpack_remove(layers, names[i]);
    return OK;
}

/* ---- unpack ---- */

static enum fault mark_opaque(struct op *op, int root, int list_fd)
{
    AUTO_CLOSE int fd = list_fd;
    FILE *in = fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 3), "re");
    char *path = NULL;
    size_t size = 0;
    enum fault fault = in && fseek(in, 0, SEEK_SET) == 0
                           ? OK
                           : fail(op, UNAVAILABLE, "its folders cannot be marked");

    while (fault == OK && getdelim(&path, &size, '\0', in) > 0) {
        AUTO_CLOSE int folder = unpack_open(root, path, O_RDONLY | O_DIRECTORY);

        if (folder < 0 || fsetxattr(folder, "trusted.overlay.opaque", "y", 1, 0) < 0)
            fault = fail(op, errno == ENOSPC ? UNAVAILABLE : INVALID,
                         "\"%s\" cannot be made opaque: %s", unpack_printable(op, path),
                         strerror(errno));
    }
    free(path);
    if (in)
        fclose(in);
    return fault;
}

static enum fault make_tree(struct op *op, struct helper_job *job, const char *diff_id, int folder)
{
    AUTO_CLOSE int root = -1;
    int opaque = -1;

    if (mkdirat(folder, LAYER_TREE, 0755) < 0)
        return fail(op, UNAVAILABLE, "a folder cannot be made: %s", strerror(errno));
    root = open_layer(folder, LAYER_TREE);
    if (root < 0 || fchmod(root, 0755) < 0)
        return fail(op, UNAVAILABLE, "a folder cannot be opened: %s", strerror(errno));
    TRY(layer_unpack_jailed(op, job->settings, diff_id, job->in->fds[0], root, &opaque));
    return mark_opaque(op, root, opaque);
}

static enum fault fill_folder(struct op *op, struct helper_job *job, const char *diff_id,
                              int folder)
{
    char boot[64];

    TRY(make_tree(op, job, diff_id, folder));
    boot_id(boot, sizeof(boot));
    TRY(write_small(op, folder, LAYER_BOOT, boot, 0, 0600));
    TRY(write_small(op, folder, LAYER_DIFF_ID, diff_id, job->gid, 0640));
    TRY(write_small(op, folder, LAYER_USED, "", job->gid, 0660)); /* its time is the server's */
    if (fchown(folder, 0, job->gid) < 0 || fchmod(folder, 0750) < 0)
        return fail(op, UNAVAILABLE, "the layer cannot be set up: %s", strerror(errno));
    return OK;
}

/* OK: it is this layer; NOT_FOUND: there is none. */
static enum fault check_there(struct op *op, int layers, const char *name, const char *diff_id)
{
    AUTO_CLOSE int fd = open_layer(layers, name);
    char there[DIGEST_MAX + 2];

    if (fd < 0)
        return NOT_FOUND;
    read_small(fd, LAYER_DIFF_ID, there, sizeof(there));
    if (strcmp(there, diff_id) != 0)
        return fail(op, CONFLICT, "its place is taken by the layer %.80s", there);
    return OK;
}

static enum fault unpack_new(struct op *op, struct helper_job *job, int layers, const char *name,
                             const char *diff_id)
{
    char temporary[64];
    AUTO_CLOSE int folder = -1;
    enum fault fault;

    snprintf(temporary, sizeof(temporary), UNFINISHED "%d-%s", (int)getpid(), name);
    unpack_remove(layers, temporary);
    if (mkdirat(layers, temporary, 0700) < 0)
        return fail(op, UNAVAILABLE, "a folder cannot be made: %s", strerror(errno));
    folder = open_layer(layers, temporary);
    fault = folder < 0 ? fail(op, UNAVAILABLE, "a folder cannot be opened: %s", strerror(errno))
                       : fill_folder(op, job, diff_id, folder);
    if (fault == OK && renameat2(layers, temporary, layers, name, RENAME_NOREPLACE) == 0)
        return OK;
    if (fault == OK)
        fault = errno == EEXIST
                    ? check_there(op, layers, name, diff_id) /* another was quicker */
                    : fail(op, UNAVAILABLE, "the layer cannot be named: %s", strerror(errno));
    unpack_remove(layers, temporary);
    return fault;
}

static enum fault call_unpack(struct op *op, struct helper_job *job)
{
    char name[LAYER_SHORT_LEN + 1];
    AUTO_CLOSE int layers = -1;
    const char *diff_id;
    enum fault fault;

    TRY(message_text(op, job->in->body, "diffId", DIGEST_MAX, true, &diff_id));
    TRY(check_digest(op, diff_id));
    if (job->in->n_fds != 1)
        return fail(op, INTERNAL, "one descriptor is needed");
    snprintf(name, sizeof(name), "%s", strchr(diff_id, ':') + 1);
    TRY(open_layers(op, job, &layers));
    fault = check_there(op, layers, name, diff_id);
    return fault == NOT_FOUND ? unpack_new(op, job, layers, name, diff_id) : fault;
}

/* ---- settle ---- */

static enum fault call_settle(struct op *op, struct helper_job *job)
{
    AUTO_CLOSE int layers = -1;
    const char **names;
    size_t n, loose = 0;

    TRY(open_layers(op, job, &layers));
    TRY(list(op, layers, &names, &n));
    for (size_t i = 0; i < n; i++) {
        AUTO_CLOSE int fd = is_short(names[i]) ? open_layer(layers, names[i]) : -1;

        if (fd >= 0 && faccessat(fd, LAYER_SETTLED, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            names[loose++] = names[i];
    }
    if (loose > 0 && syncfs(layers) < 0)
        return fail(op, UNAVAILABLE, "the disk does not take the layers: %s", strerror(errno));
    for (size_t i = 0; i < loose; i++) {
        AUTO_CLOSE int fd = open_layer(layers, names[i]);

        if (fd >= 0)
            TRY(write_small(op, fd, LAYER_SETTLED, "", 0, 0600));
    }
    return OK;
}

/* ---- remove ---- */

struct removal {
    const char *name, *temporary; /* temporary NULL: it stays */
    bool mounted;
};

static bool is_unused(int layers, const char *name, int64_t older_than_s)
{
    AUTO_CLOSE int fd = open_layer(layers, name);
    struct stat st;

    return fd >= 0 && (fstatat(fd, LAYER_USED, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                       st.st_mtime <= wall_s() - older_than_s);
}

static void look_for(FILE *mounts, struct removal *r, size_t n)
{
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, mounts) > 0)
        for (size_t i = 0; strstr(line, " overlay ") && i < n; i++)
            r[i].mounted = r[i].mounted || strstr(line, r[i].name);
    free(line);
}

static bool seen_before(ino_t *seen, size_t *n, size_t max, ino_t namespace)
{
    for (size_t i = 0; i < *n; i++)
        if (seen[i] == namespace)
            return true;
    if (*n < max)
        seen[(*n)++] = namespace;
    return false;
}

/* In every mount namespace of the machine: supervisors have their own. */
static void find_mounted(struct op *op, struct removal *r, size_t n)
{
    const size_t seen_max = 65536;
    ino_t *seen = arena_alloc(&op->arena, seen_max * sizeof(*seen));
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    size_t n_seen = 0;

    while (proc && (entry = readdir(proc))) {
        char path[64];
        struct stat st;
        FILE *mounts;

        snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", entry->d_name);
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || stat(path, &st) < 0 ||
            seen_before(seen, &n_seen, seen_max, st.st_ino))
            continue;
        snprintf(path, sizeof(path), "/proc/%.20s/mountinfo", entry->d_name);
        mounts = fopen(path, "re");
        if (mounts) {
            look_for(mounts, r, n);
            fclose(mounts);
        } else {
            n_seen--; /* it has just ended; another of its namespace may live */
        }
    }
    if (proc)
        closedir(proc);
}

static enum fault call_remove(struct op *op, struct helper_job *job)
{
    AUTO_CLOSE int layers = -1;
    const char *const *names;
    struct removal *r;
    int64_t older_than_s = INT64_MAX / 2, removed = 0;
    size_t n;

    TRY(message_texts(op, job->in->body, "layers", LAYER_SHORT_LEN, LAYER_REMOVE_AT_ONCE, &names,
                      &n));
    TRY(message_int(op, job->in->body, "olderThanS", 0, INT64_MAX / 2, &older_than_s));
    TRY(open_layers(op, job, &layers));
    r = arena_alloc(&op->arena, (n + 1) * sizeof(*r));
    /* out of reach first, then the questions: who came before is seen, nobody comes after */
    for (size_t i = 0; i < n; i++) {
        r[i].name = names[i];
        if (!is_short(names[i]) || !is_unused(layers, names[i], older_than_s))
            continue;
        r[i].temporary = arena_printf(&op->arena, UNFINISHED "gone-%s", names[i]);
        if (renameat(layers, names[i], layers, r[i].temporary) < 0)
            r[i].temporary = NULL;
    }
    find_mounted(op, r, n);
    for (size_t i = 0; i < n; i++) {
        if (!r[i].temporary)
            continue;
        if (r[i].mounted || !is_unused(layers, r[i].temporary, older_than_s)) {
            (void)renameat2(layers, r[i].temporary, layers, r[i].name, RENAME_NOREPLACE);
            continue; /* unpacked anew meanwhile: the mounted one goes at the next start */
        }
        removed += unpack_remove(layers, r[i].temporary) == 0;
    }
    job->out = json_pack("{s:I}", "removed", (json_int_t)removed);
    return OK;
}

const struct helper_call layer_calls[] = {
    {"layer.start",  call_start},
    {"layer.unpack",              call_unpack},
    {"layer.settle",call_settle},
    {"layer.remove", call_remove},
    {0             },
};
