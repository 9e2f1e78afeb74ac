#include "instances/volume_pod.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "core/files.h"
#include "instances/sandbox_folder.h"

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define DATA "..data"
#define HASH_XATTR                                                                                 \
    "trusted.sundog.files" /* of the folder they are in; containers cannot see it                  \
                            */

static enum fault cannot(struct op *op, const struct volume_spec *volume)
{
    return fail(op, UNAVAILABLE, "cannot make the volume \"%s\": %s", volume->name,
                strerror(errno));
}

/* ---- ATOMIC ---- */

/* kubelet's writer: everybody in fsGroup may read. */
static mode_t mode_of(const struct volume_spec *volume, const struct volume_file *file)
{
    return (file->mode ? file->mode : 0444) | (volume->fs_group ? 0440 : 0);
}

static enum fault write_one(struct op *op, int root, const struct volume_spec *volume,
                            const struct volume_file *file)
{
    const char *slash = strrchr(file->path, '/'), *name = slash ? slash + 1 : file->path;
    AUTO_CLOSE int inside = -1;
    int folder = root;

    if (slash) {
        const char *above = arena_strndup(&op->arena, file->path, (size_t)(slash - file->path));

        TRY(folder_make_inside(op, root, above, &inside));
        folder = inside;
    }
    TRY(folder_write(op, folder, name, file->content, mode_of(volume, file)));
    if ((file->owner || volume->fs_group) &&
        fchownat(folder, name, (uid_t)file->owner, (gid_t)volume->fs_group, AT_SYMLINK_NOFOLLOW) <
            0)
        return cannot(op, volume);
    return OK;
}

static void hash_of(const struct volume_spec *volume, unsigned char ret[EVP_MAX_MD_SIZE])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        abort();
    EVP_DigestUpdate(md, &volume->fs_group, sizeof(volume->fs_group));
    for (size_t i = 0; i < volume->n_files; i++) {
        const struct volume_file *file = &volume->files[i];

        EVP_DigestUpdate(md, file->path, strlen(file->path) + 1);
        EVP_DigestUpdate(md, &file->mode, sizeof(file->mode));
        EVP_DigestUpdate(md, &file->owner, sizeof(file->owner));
        EVP_DigestUpdate(md, &file->content.len, sizeof(file->content.len));
        EVP_DigestUpdate(md, file->content.data, file->content.len);
    }
    EVP_DigestFinal_ex(md, ret, NULL);
    EVP_MD_CTX_free(md);
}

static bool holds_already(int root, const unsigned char *hash)
{
    AUTO_CLOSE int data = open_beneath(root, DATA, O_RDONLY | O_DIRECTORY);
    unsigned char there[EVP_MAX_MD_SIZE];

    return data >= 0 && fgetxattr(data, HASH_XATTR, there, 32) == 32 &&
           memcmp(there, hash, 32) == 0;
}

static const char *folder_name(struct op *op)
{
    struct timespec now;
    struct tm tm;
    char text[64];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(text, sizeof(text), "..%Y_%m_%d_%H_%M_%S", &tm);
    return arena_printf(&op->arena, "%s.%09ld", text, now.tv_nsec);
}

static enum fault write_folder(struct op *op, int root, const struct volume_spec *volume,
                               const char *name, const unsigned char *hash)
{
    AUTO_CLOSE int folder = -1;

    TRY(folder_enter(op, root, name, 0755, (gid_t)volume->fs_group, &folder));
    for (size_t i = 0; i < volume->n_files; i++)
        TRY(write_one(op, folder, volume, &volume->files[i]));
    /* a kernel without them writes the files anew each time */
    (void)fsetxattr(folder, HASH_XATTR, hash, 32, 0);
    return OK;
}

/* ..data leads to name from one moment to the next. */
static enum fault switch_to(struct op *op, int root, const struct volume_spec *volume,
                            const char *name)
{
    (void)unlinkat(root, DATA "_tmp", 0); /* of a writer that was killed */
    if (symlinkat(name, root, DATA "_tmp") < 0 || renameat(root, DATA "_tmp", root, DATA) < 0)
        return cannot(op, volume);
    return OK;
}

static const char *top_of(struct op *op, const char *path)
{
    return arena_strndup(&op->arena, path, strcspn(path, "/"));
}

static enum fault link_names(struct op *op, int root, const struct volume_spec *volume)
{
    for (size_t i = 0; i < volume->n_files; i++) {
        const char *top = top_of(op, volume->files[i].path);

        if (symlinkat(arena_printf(&op->arena, DATA "/%s", top), root, top) < 0 && errno != EEXIST)
            return cannot(op, volume);
    }
    return OK;
}

static bool is_wanted(const struct volume_spec *volume, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < volume->n_files; i++)
        if (strcspn(volume->files[i].path, "/") == len &&
            strncmp(volume->files[i].path, name, len) == 0)
            return true;
    return false;
}

/* Former folders, and links that lead nowhere now. */
static enum fault tidy(struct op *op, int root, const struct volume_spec *volume, const char *keep)
{
    const char **names = NULL;
    size_t n = 0;

    TRY(folder_names(op, root, &names, &n));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], keep) == 0 || strcmp(names[i], DATA) == 0 ||
            is_wanted(volume, names[i]))
            continue;
        if (strncmp(names[i], "..", 2) == 0)
            TRY(folder_remove(op, root, names[i]));
        else
            (void)unlinkat(root, names[i], 0);
    }
    return OK;
}

static enum fault write_all(struct op *op, int root, const struct volume_spec *volume)
{
    const char *name = folder_name(op);
    unsigned char hash[EVP_MAX_MD_SIZE] = {0};

    hash_of(volume, hash);
    if (holds_already(root, hash))
        return OK;
    TRY(write_folder(op, root, volume, name, hash));
    TRY(switch_to(op, root, volume, name));
    TRY(link_names(op, root, volume));
    return tidy(op, root, volume, name);
}

/* Of a size that no set of files reaches, since each comes in one message. Containers' mounts of it
   are read-only; this one is not. */
enum fault volume_atomic_make(struct op *op, const struct volume_spec *volume, const char *target)
{
    AUTO_CLOSE int root = -1;

    if (mount("tmpfs", target, "tmpfs", SAFE,
              arena_printf(&op->arena, "mode=%s,gid=%lld,size=64m",
                           volume->fs_group ? "3777" : "1777", (long long)volume->fs_group)) < 0)
        return cannot(op, volume);
    TRY(folder_open(op, target, &root));
    return write_all(op, root, volume);
}

enum fault volume_atomic_write(struct op *op, const char *run, const struct volume_spec *volume)
{
    AUTO_CLOSE int root = -1;

    TRY(volume_open(op, run, volume->name, NULL, &root));
    return write_all(op, root, volume);
}

/* ---- NODE ---- */

static const struct {
    const char *name;
    mode_t is;          /* S_IF…; 0: anything */
    mode_t make;        /* what is made when nothing is there; 0: nothing */
    const char *not_it; /* after the path, when it is something else */
} types[] = {
    {"",                  0,        S_IFDIR, ""                         },
    {"DirectoryOrCreate", S_IFDIR,  S_IFDIR, "is not a directory"       },
    {"Directory",         S_IFDIR,  0,       "is not a directory"       },
    {"FileOrCreate",      S_IFREG,  S_IFREG, "is not a file"            },
    {"File",              S_IFREG,  0,       "is not a file"            },
    {"Socket",            S_IFSOCK, 0,       "is not a socket file"     },
    {"CharDevice",        S_IFCHR,  0,       "is not a character device"},
    {"BlockDevice",       S_IFBLK,  0,       "is not a block device"    },
};

/* "a/b" and "c" of "/a/b/c"; false: it is the root itself. */
static bool split(struct op *op, const char *path, const char **ret_above, const char **ret_name)
{
    char *copy = arena_strdup(&op->arena, path), *slash;
    size_t len = strlen(copy);

    while (len > 0 && copy[len - 1] == '/')
        copy[--len] = '\0';
    if (len == 0)
        return false;
    slash = strrchr(copy, '/');
    *slash = '\0';
    *ret_above = copy;
    *ret_name = slash + 1;
    return true;
}

static enum fault make_there(struct op *op, int root, const struct volume_spec *volume, mode_t kind,
                             int *ret_fd)
{
    const char *above = NULL, *name = NULL;
    AUTO_CLOSE int folder = -1;

    if (kind == S_IFDIR)
        return folder_make_inside(op, root, volume->path, ret_fd);
    if (!split(op, volume->path, &above, &name))
        return fail_on(op, "hostPath", INVALID, "hostPath type check failed: %s is not a file",
                       volume->path);
    folder = above[0] ? open_inside(root, above, O_PATH | O_DIRECTORY) : dup(root);
    if (folder < 0)
        return fail_on(op, "hostPath", INVALID, "open %s: no such file or directory", volume->path);
    TRY(folder_write(op, folder, name, BYTES(""), 0644));
    *ret_fd = open_beneath(folder, name, O_PATH);
    return *ret_fd >= 0 ? OK : cannot(op, volume);
}

static enum fault open_node_path(struct op *op, int root, const struct volume_spec *volume,
                                 int *ret_fd)
{
    size_t t = 0;
    struct stat st;
    int fd;

    while (t < ARRAY_LEN(types) && strcmp(types[t].name, volume->path_type) != 0)
        t++;
    if (t == ARRAY_LEN(types))
        return fail_on(op, "hostPath", INVALID, "\"%s\" is no type of a hostPath",
                       volume->path_type);
    fd = open_inside(root, volume->path, O_PATH);
    if (fd < 0 && errno == ENOENT && types[t].make)
        TRY(make_there(op, root, volume, types[t].make, &fd));
    if (fd < 0 || fstat(fd, &st) < 0 || (types[t].is && (st.st_mode & S_IFMT) != types[t].is)) {
        if (fd >= 0)
            close(fd);
        return fail_on(op, "hostPath", INVALID, "hostPath type check failed: %s %s", volume->path,
                       types[t].not_it);
    }
    *ret_fd = fd;
    return OK;
}

static bool make_target(int folder, const char *name, int fd)
{
    struct stat st;
    int made;

    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        return mkdirat(folder, name, 0755) == 0;
    made = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (made >= 0)
        close(made);
    return made >= 0;
}

enum fault volume_node_make(struct op *op, const struct volume_place *place, int folder,
                            const struct volume_spec *volume, const char *target)
{
    const char *const above[] = {"nodes", place->pod ? place->pod->cluster : "", NULL};
    AUTO_CLOSE int nodes = -1, root = -1, fd = -1;

    if (!place->pod || !place->pod->node)
        return fail(op, INVALID, "the volume \"%s\" has no node", volume->name);
    /* others on the machine are kept out above, as of all volumes */
    TRY(folder_descend(op, place->data, above, 0700, 0, &nodes));
    TRY(folder_enter(op, nodes, place->pod->node, 0755, 0, &root));
    TRY(open_node_path(op, root, volume, &fd));
    if (!make_target(folder, volume->name, fd) ||
        mount(fd_path(op, fd), target, NULL, MS_BIND, NULL) < 0)
        return cannot(op, volume);
    return OK;
}
