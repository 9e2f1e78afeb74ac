/*
 * Entries of archives as files. Every name is looked up below the root by openat2: what an archive
 * says can neither reach out by ".." nor through links it has brought itself.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "instances/unpack.h"

#define LINKS_MAX 40
#define DEPTH_MAX 200
#define WHITEOUT  ".wh."
#define OPAQUE    ".wh..wh..opq"
#define AUFS      ".wh..wh." /* its own marks: nothing to us */

/* ---- names ---- */

const char *unpack_printable(struct op *op, const char *name)
{
    char *copy = arena_strndup(&op->arena, name, strnlen(name, 200));

    for (char *c = copy; *c; c++)
        if (*c < 0x20 || *c == 0x7f || (*c & 0x80))
            *c = '?';
    return copy;
}

enum fault unpack_clean(struct op *op, const char *name, char *ret)
{
    size_t len = 0, n;

    if (strlen(name) >= PATH_MAX)
        return fail(op, INVALID, "it has a name of more than %d bytes", PATH_MAX - 1);
    for (const char *p = name; *(p += strspn(p, "/")); p += n) {
        n = strcspn(p, "/");
        if (n == 1 && p[0] == '.')
            continue;
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (len == 0)
                return fail(op, INVALID, "\"%s\" leaves the root of the image",
                            unpack_printable(op, name));
            while (len > 0 && ret[--len] != '/')
                ;
            continue;
        }
        if (len > 0)
            ret[len++] = '/';
        memcpy(ret + len, p, n);
        len += n;
    }
    ret[len] = '\0';
    return OK;
}

static int resolve(int root, const char *path, int flags, uint64_t how)
{
    struct open_how ask = {.flags = (uint64_t)flags | O_CLOEXEC,
                           .resolve = how | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, root, *path ? path : ".", &ask, sizeof(ask));
}

int unpack_open(int root, const char *path, int flags)
{
    return resolve(root, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/* One step into cur, a folder's path without links; *rest is what is still to go. */
static bool step(int root, char *cur, char *rest, int *links)
{
    char part[NAME_MAX + 1], target[PATH_MAX], all[2 * PATH_MAX];
    size_t n = strcspn(rest, "/"), len = strlen(cur);
    ssize_t target_len;

    if (n > NAME_MAX || len + n + 2 > PATH_MAX)
        return false;
    snprintf(part, sizeof(part), "%.*s", (int)n, rest);
    memmove(rest, rest + n + strspn(rest + n, "/"), strlen(rest + n + strspn(rest + n, "/")) + 1);
    if (!*part || strcmp(part, ".") == 0)
        return true;
    if (strcmp(part, "..") == 0) {
        char *slash = strrchr(cur, '/');

        if (len == 0)
            return false;
        *(slash ? slash : cur) = '\0';
        return true;
    }
    snprintf(cur + len, PATH_MAX - len, "%s%s", len ? "/" : "", part);
    target_len = readlinkat(root, cur, target, sizeof(target) - 1);
    if (target_len < 0)
        return errno == EINVAL || errno == ENOENT;
    target[target_len] = '\0';
    cur[target[0] == '/' ? 0 : len] = '\0';
    snprintf(all, sizeof(all), "%s/%s", target + strspn(target, "/"), rest);
    if (strlen(all) >= PATH_MAX || ++*links > LINKS_MAX)
        return false;
    memcpy(rest, all, strlen(all) + 1);
    return true;
}

/* Absolute links mean the root of the image; those whose ".." go above it leave it. */
static bool stays(int root, const char *path)
{
    char cur[PATH_MAX] = "", rest[PATH_MAX];
    int links = 0;

    snprintf(rest, sizeof(rest), "%s", path);
    while (*rest)
        if (!step(root, cur, rest, &links))
            return false;
    return true;
}

static int open_folder(struct unpack_tree *tree, const char *path)
{
    const int flags = O_PATH | O_DIRECTORY;
    int fd = resolve(tree->root, path, flags, RESOLVE_BENEATH);

    if (fd >= 0 || errno != EXDEV)
        return fd;
    if (stays(tree->root, path))
        return resolve(tree->root, path, flags, RESOLVE_IN_ROOT);
    errno = EXDEV;
    return -1;
}

static enum fault cannot(struct op *op, const char *path, int error)
{
    const char *name = unpack_printable(op, path);

    switch (error) {
    case EXDEV:
        return fail(op, INVALID, "\"%s\" leads through a link that leaves the root of the image",
                    name);
    case ENOTDIR:
    case ELOOP:
    case EEXIST:
        return fail(op, INVALID, "\"%s\" is below something that is no folder", name);
    case ENAMETOOLONG:
    case EINVAL:
        return fail(op, INVALID, "\"%s\" is no possible name", name);
    case EPERM:
        return fail(op, INVALID, "\"%s\" may not be made", name);
    default:
        return fail(op, UNAVAILABLE, "\"%s\" cannot be made: %s", name, strerror(error));
    }
}

/* Folders that no entry has named belong to root. */
static int make_folders(struct unpack_tree *tree, const char *path)
{
    char copy[PATH_MAX];
    int at = -1, fd;

    snprintf(copy, sizeof(copy), "%s", path);
    for (char *slash = copy;; *slash++ = '/') {
        slash = strchrnul(slash, '/');
        bool last = *slash == '\0';
        const char *name;

        *slash = '\0';
        name = strrchr(copy, '/');
        fd = open_folder(tree, copy);
        if (fd < 0 && errno == ENOENT &&
            mkdirat(at < 0 ? tree->root : at, name ? name + 1 : copy, 0755) == 0)
            fd = open_folder(tree, copy);
        if (at >= 0)
            close(at);
        if (fd < 0 || last)
            return fd;
        at = fd;
    }
}

static void forget_parent(struct unpack_tree *tree)
{
    if (tree->parent_fd >= 0)
        close(tree->parent_fd);
    tree->parent_fd = -1;
}

/* The folder that path's last name is in; archives bring what is in one folder together. */
static enum fault find_parent(struct op *op, struct unpack_tree *tree, const char *path, bool make,
                              int *ret_fd, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;

    *ret_name = slash ? slash + 1 : path;
    *ret_fd = tree->root;
    if (!slash)
        return OK;
    if (tree->parent_fd < 0 || strncmp(tree->parent, path, len) != 0 || tree->parent[len]) {
        forget_parent(tree);
        snprintf(tree->parent, sizeof(tree->parent), "%.*s", (int)len, path);
        tree->parent_fd = open_folder(tree, tree->parent);
        if (tree->parent_fd < 0 && errno == ENOENT && make)
            tree->parent_fd = make_folders(tree, tree->parent);
        if (tree->parent_fd < 0)
            return cannot(op, path, errno);
    }
    *ret_fd = tree->parent_fd;
    return OK;
}

/* ---- marks ---- */

static void mark(struct op *op, struct unpack_marks *marks, const char *path, struct timespec mtime)
{
    if (marks->n == marks->cap) {
        size_t cap = marks->cap ? 2 * marks->cap : 64;
        struct unpack_mark *more = arena_alloc(&op->arena, cap * sizeof(*more));

        if (marks->n)
            memcpy(more, marks->marks, marks->n * sizeof(*more));
        marks->marks = more;
        marks->cap = cap;
    }
    marks->marks[marks->n++] = (struct unpack_mark){arena_strdup(&op->arena, path), mtime};
}

/* ---- removing ---- */

static int empty(int top, int fd, int depth);

/* What is too deep goes to the top, and is met there again. */
static int lift(int top, int fd, const char *name)
{
    static _Atomic unsigned counter;
    char to[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(to, sizeof(to), ".deep-%u", atomic_fetch_add(&counter, 1));
        if (renameat2(fd, name, top, to, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EEXIST)
            return -1;
    }
    return -1;
}

static int remove_in(int top, int fd, const char *name, int depth)
{
    AUTO_CLOSE int inner = -1;

    if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    if (depth > DEPTH_MAX)
        return lift(top, fd, name);
    inner = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0 || empty(top, inner, depth + 1) < 0)
        return -1;
    return unlinkat(fd, name, AT_REMOVEDIR);
}

static int empty(int top, int fd, int depth)
{
    DIR *dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *entry;
    int result = dir ? 0 : -1;

    while (result == 0 && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = remove_in(top, fd, entry->d_name, depth);
    if (dir)
        closedir(dir);
    return result;
}

int unpack_remove(int parent, const char *name)
{
    AUTO_CLOSE int fd = -1;

    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    do
        if (empty(fd, fd, 0) < 0)
            return -1;
    while (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno == ENOTEMPTY);
    return 0;
}

/* ---- entries ---- */

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* An earlier entry of this name goes. */
static enum fault make_way(struct op *op, struct unpack_tree *tree, const char *path, int parent,
                           const char *name)
{
    struct stat st;

    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return OK;
    if (unpack_remove(parent, name) < 0)
        return cannot(op, path, errno);
    if (S_ISDIR(st.st_mode) && tree->parent_fd != parent)
        forget_parent(tree); /* it may have been in there */
    return OK;
}

/* Devices are root's alone, whatever the archive says: our user, who may look into layers, must not
   get at the disk by one. In containers /dev is another. */
static enum fault set_rest(struct op *op, struct unpack_tree *tree, const struct unpack_entry *e,
                           int parent, const char *name)
{
    struct timespec times[2] = {e->mtime, e->mtime};
    bool device = S_ISCHR(e->mode) || S_ISBLK(e->mode);

    if (tree->owners && !device && fchownat(parent, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return cannot(op, e->path, errno);
    if (!S_ISLNK(e->mode) && fchmodat(parent, name, e->mode & (device ? 0700 : 07777), 0) < 0)
        return cannot(op, e->path, errno);
    if (S_ISDIR(e->mode))
        mark(op, &tree->folders, e->path, e->mtime);
    else
        utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW); /* a time out of range is no matter */
    return OK;
}

static enum fault put_folder(struct op *op, struct unpack_tree *tree, const struct unpack_entry *e,
                             int parent, const char *name)
{
    struct stat st = {0};
    bool there = fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0;

    if (there && S_ISDIR(st.st_mode))
        return set_rest(op, tree, e, parent, name);
    TRY(make_way(op, tree, e->path, parent, name));
    if (mkdirat(parent, name, 0700) < 0)
        return cannot(op, e->path, errno);
    if (there && is_whiteout(&st)) /* gone below, and made anew here */
        mark(op, &tree->opaque, e->path, e->mtime);
    return set_rest(op, tree, e, parent, name);
}

static int make_other(const struct unpack_entry *e, int parent, const char *name)
{
    if (S_ISLNK(e->mode))
        return symlinkat(e->target ? e->target : "", parent, name);
    if (S_ISCHR(e->mode) || S_ISBLK(e->mode) || S_ISFIFO(e->mode))
        return mknodat(parent, name, (e->mode & S_IFMT) | 0600, S_ISFIFO(e->mode) ? 0 : e->device);
    errno = EINVAL;
    return -1;
}

enum fault unpack_put(struct op *op, struct unpack_tree *tree, const struct unpack_entry *e,
                      int *ret_fd)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const char *name;
    int parent, fd;

    if (!*e->path && S_ISDIR(e->mode))
        return set_rest(op, tree, e, tree->root, ".");
    if (!*e->path)
        return fail(op, INVALID, "the root of the image must be a folder");
    TRY(find_parent(op, tree, e->path, true, &parent, &name));
    if (S_ISDIR(e->mode))
        return put_folder(op, tree, e, parent, name);
    if (S_ISREG(e->mode)) {
        fd = openat(parent, name, flags, 0600);
        if (fd < 0 && errno == EEXIST) {
            TRY(make_way(op, tree, e->path, parent, name));
            fd = openat(parent, name, flags, 0600);
        }
        if (fd < 0)
            return cannot(op, e->path, errno);
        *ret_fd = fd;
        return OK;
    }
    TRY(make_way(op, tree, e->path, parent, name));
    if (make_other(e, parent, name) < 0)
        return cannot(op, e->path, errno);
    return set_rest(op, tree, e, parent, name);
}

enum fault unpack_finish_file(struct op *op, const struct unpack_tree *tree,
                              const struct unpack_entry *e, int fd)
{
    struct timespec times[2] = {e->mtime, e->mtime};

    if (tree->owners && (e->uid || e->gid) && fchown(fd, e->uid, e->gid) < 0)
        return cannot(op, e->path, errno);
    if (fchmod(fd, e->mode & 07777) < 0)
        return cannot(op, e->path, errno);
    futimens(fd, times);
    return OK;
}

enum fault unpack_put_hard_link(struct op *op, struct unpack_tree *tree,
                                const struct unpack_entry *e)
{
    AUTO_CLOSE int from = -1;
    const char *slash = strrchr(e->target, '/'), *name;
    struct stat st;
    int parent;

    if (strcmp(e->path, e->target) == 0)
        return OK;
    from = open_folder(
        tree, slash ? arena_strndup(&op->arena, e->target, (size_t)(slash - e->target)) : "");
    if (from < 0 && errno == EXDEV)
        return cannot(op, e->target, EXDEV);
    if (from < 0 || fstatat(from, slash ? slash + 1 : e->target, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        S_ISDIR(st.st_mode))
        return fail(op, INVALID, "\"%s\" is a hard link to \"%s\", which is no file in this layer",
                    unpack_printable(op, e->path), unpack_printable(op, e->target));
    TRY(find_parent(op, tree, e->path, true, &parent, &name));
    TRY(make_way(op, tree, e->path, parent, name));
    if (linkat(from, slash ? slash + 1 : e->target, parent, name, 0) < 0)
        return cannot(op, e->path, errno);
    return OK;
}

enum fault unpack_put_whiteout(struct op *op, struct unpack_tree *tree,
                               const struct unpack_entry *e, bool *ret_was)
{
    const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path, *last;
    const char *hidden = name + strlen(WHITEOUT);
    struct stat st;
    int parent;

    *ret_was = strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0;
    if (!*ret_was)
        return OK;
    if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return fail(op, INVALID, "\"%s\" hides nothing", unpack_printable(op, e->path));
    TRY(find_parent(op, tree, e->path, true, &parent, &last));
    if (strcmp(name, OPAQUE) == 0) {
        mark(op, &tree->opaque,
             slash ? arena_strndup(&op->arena, e->path, (size_t)(slash - e->path)) : "", e->mtime);
        return OK;
    }
    if (strncmp(name, AUFS, strlen(AUFS)) == 0)
        return OK;
    /* OCI: what is in the same layer can only be hidden by a later one */
    if (fstatat(parent, hidden, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(st.st_mode))
            mark(op, &tree->opaque,
                 arena_printf(&op->arena, "%.*s%s", (int)(name - e->path), e->path, hidden),
                 e->mtime);
        return OK;
    }
    if (mknodat(parent, hidden, S_IFCHR, makedev(0, 0)) < 0)
        return cannot(op, e->path, errno);
    return OK;
}

enum fault unpack_put_xattr(struct op *op, struct unpack_tree *tree, const struct unpack_entry *e,
                            int fd, const char *name, struct bytes value)
{
    AUTO_CLOSE int own = -1;

    if (!tree->owners && strncmp(name, "user.", 5) != 0)
        return OK;
    if (fd < 0 && S_ISDIR(e->mode))
        fd = own = unpack_open(tree->root, e->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) /* links and devices have none of these */
        return OK;
    if (fsetxattr(fd, name, value.data, value.len, 0) < 0 && errno != ENOTSUP)
        return errno == ENOSPC || errno == EDQUOT
                   ? cannot(op, e->path, errno)
                   : fail(op, INVALID, "\"%s\" has an attribute %s that cannot be set: %s",
                          unpack_printable(op, e->path), unpack_printable(op, name),
                          strerror(errno));
    return OK;
}

enum fault unpack_finish(struct op *op, struct unpack_tree *tree)
{
    for (size_t i = 0; i < tree->folders.n; i++) {
        const struct unpack_mark *m = &tree->folders.marks[i];
        struct timespec times[2] = {m->mtime, m->mtime};
        const char *name;
        int parent;

        if (find_parent(op, tree, m->path, false, &parent, &name) == OK)
            utimensat(parent, *name ? name : ".", times, AT_SYMLINK_NOFOLLOW);
        else
            op_clear_fault(op); /* a later entry has replaced it */
    }
    return OK;
}

void unpack_tree_close(struct unpack_tree *tree)
{
    forget_parent(tree);
}
