/*
 * A disk that keeps only what was fsynced, for programs started with LD_PRELOAD=libpowerloss.so.
 *
 *     POWERLOSS_ROOT      folder whose files are on that disk (no links in the path)
 *     POWERLOSS_SHADOW    folder where the durable state is kept; powerloss_snapshot() makes it
 *     POWERLOSS_BLOBS     folder below ROOT with the strict rules
 *     POWERLOSS_IGNORE    "blob", "dir" or "wal": these fsyncs succeed and do nothing
 *
 * Rules. fsync and fdatasync of a file make its whole content durable, as it is at that moment. A
 * folder's entries (new, renamed, linked, unlinked) become durable by an fsync of the folder. Below
 * POWERLOSS_BLOBS nothing else makes them durable, but for a new file's own first name (as ext4
 * does). Elsewhere (PostgreSQL) an fsync of any file makes the entries of its folder durable too.
 * A file whose name is durable and whose content never was comes back empty. sync_file_range makes
 * nothing durable; syncfs and sync end the program, so that nobody relies on them unseen.
 *
 * The durable state is kept by inode, not by name: SHADOW/inodes/KEY is the content,
 * SHADOW/dirs/KEY lists a folder ("type mode uid gid key name"), SHADOW/root names the first
 * folder. KEY is inode number and birth time, since inode numbers are used again. So renames need
 * no interception at all: the listing of a folder is taken when it is fsynced. Each piece is
 * replaced by rename under a lock: a kill in between leaves the old one.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MAX 64
#define LOCKS   64

static void die(const char *what, const char *path)
{
    fprintf(stderr, "powerloss: %s %s: %s\n", what, path, strerror(errno));
    abort();
}

static char *path_of(char *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vsnprintf(out, PATH_MAX, format, args) >= PATH_MAX)
        die("path too long", format);
    va_end(args);
    return out;
}

static bool key_of(int fd, const char *name, char *key, struct statx *st)
{
    int flags = AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);

    if (statx(fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, st) < 0)
        return false; /* gone meanwhile */
    snprintf(key, KEY_MAX, "%llu.%lld.%09u", (unsigned long long)st->stx_ino,
             (long long)st->stx_btime.tv_sec, st->stx_btime.tv_nsec);
    return true;
}

/* One of a few lock files by key: two fsyncs of one file must not overtake each other. */
static int lock(const char *shadow, const char *key)
{
    char path[PATH_MAX];
    unsigned hash = 0;
    int fd;

    for (const char *c = key; *c; c++)
        hash = hash * 31 + (unsigned char)*c;
    fd = open(path_of(path, "%s/locks/%u", shadow, hash % LOCKS), O_RDWR | O_CLOEXEC);
    if (fd < 0)
        die("cannot open", path);
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            die("cannot lock", path);
    }
    return fd;
}

/* A temporary file of this thread, to be renamed into its place. */
static int temporary(const char *shadow, char *path)
{
    int fd = open(path_of(path, "%s/tmp/%d", shadow, gettid()),
                  O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0)
        die("cannot make", path);
    fchmod(fd, 0666);
    return fd;
}

/* ---- durable content ---- */

static void keep_content(const char *shadow, int fd, const char *key)
{
    char from[PATH_MAX], tmp[PATH_MAX], to[PATH_MAX];
    int locked = lock(shadow, key), in, out = temporary(shadow, tmp);
    off_t in_at = 0, out_at = 0;
    ssize_t n;

    in = open(path_of(from, "/proc/self/fd/%d", fd), O_RDONLY | O_CLOEXEC);
    if (in < 0)
        die("cannot read", from);
    while ((n = copy_file_range(in, &in_at, out, &out_at, 1 << 30, 0)) > 0)
        ;
    if (n < 0 || rename(tmp, path_of(to, "%s/inodes/%s", shadow, key)) < 0)
        die("cannot keep", from);
    close(in);
    close(out);
    close(locked);
}

/* ---- durable names ---- */

static void write_entry(FILE *out, int dir, const char *name)
{
    char key[KEY_MAX], target[PATH_MAX];
    struct statx st;
    char type;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || !key_of(dir, name, key, &st))
        return;
    type = S_ISREG(st.stx_mode) ? 'f' : S_ISDIR(st.stx_mode) ? 'd' : S_ISLNK(st.stx_mode) ? 'l' : 0;
    if (!type) /* sockets do not survive */
        return;
    if (type == 'l') {
        ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

        if (n < 0)
            return;
        target[n] = '\0';
    }
    fprintf(out, "%c %o %u %u %s %s\n", type, st.stx_mode & 07777, st.stx_uid, st.stx_gid,
            type == 'l' ? target : key, name);
}

/* The folder's entries as they are now become the durable ones. */
static void keep_folder(const char *shadow, const char *path)
{
    char key[KEY_MAX], tmp[PATH_MAX], to[PATH_MAX];
    struct statx st;
    struct dirent *entry;
    DIR *dir = opendir(path);
    int locked;
    FILE *out;

    if (!dir || !key_of(dirfd(dir), "", key, &st)) {
        if (dir)
            closedir(dir);
        return; /* removed meanwhile */
    }
    locked = lock(shadow, key);
    rewinddir(dir); /* what the lock made us wait for must be seen */
    out = fdopen(temporary(shadow, tmp), "w");
    while ((entry = readdir(dir)))
        write_entry(out, dirfd(dir), entry->d_name);
    if (fclose(out) != 0 || rename(tmp, path_of(to, "%s/dirs/%s", shadow, key)) < 0)
        die("cannot keep", path);
    close(locked);
    closedir(dir);
}

/* Strict rule: a new file's own name becomes durable with it, other names of the folder do not. */
static void keep_own_name(const char *shadow, const char *path)
{
    char folder[PATH_MAX], key[KEY_MAX], list[PATH_MAX], line[PATH_MAX + 128];
    const char *name = strrchr(path, '/') + 1;
    struct statx st;
    bool known = false;
    int locked, dir;
    FILE *file;

    path_of(folder, "%.*s", (int)(name - 1 - path), path);
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || !key_of(dir, "", key, &st)) {
        if (dir >= 0)
            close(dir);
        return;
    }
    locked = lock(shadow, key);
    file = fopen(path_of(list, "%s/dirs/%s", shadow, key), "a+e");
    if (!file)
        die("cannot open", list);
    fchmod(fileno(file), 0666);
    rewind(file);
    while (!known && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        known = strcmp(strrchr(line, ' ') + 1, name) == 0;
    }
    if (!known)
        write_entry(file, dir, name);
    if (fclose(file) != 0)
        die("cannot keep", list);
    close(locked);
    close(dir);
}

/* ---- the state before the first cut ---- */

static void snapshot(const char *shadow, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    char below[PATH_MAX], key[KEY_MAX];
    struct statx st;

    if (!dir)
        die("cannot list", path);
    keep_folder(shadow, path);
    while ((entry = readdir(dir))) {
        const char *name = entry->d_name;
        int fd;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            !key_of(dirfd(dir), name, key, &st))
            continue;
        path_of(below, "%s/%s", path, name);
        if (S_ISDIR(st.stx_mode)) {
            snapshot(shadow, below);
        } else if (S_ISREG(st.stx_mode)) {
            fd = open(below, O_RDONLY | O_CLOEXEC);
            if (fd < 0)
                die("cannot read", below);
            keep_content(shadow, fd, key);
            close(fd);
        }
    }
    closedir(dir);
}

/* Takes all of root as durable. Called by the test (ctypes), while nothing runs. */
void powerloss_snapshot(const char *root, const char *shadow)
{
    static const char *const folders[] = {"", "/inodes", "/dirs", "/tmp", "/locks"};
    char path[PATH_MAX], key[KEY_MAX];
    struct statx st;
    FILE *file;

    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        if (mkdir(path_of(path, "%s%s", shadow, folders[i]), 0777) < 0 && errno != EEXIST)
            die("cannot make", path);
        chmod(path, 0777);
    }
    for (int i = 0; i < LOCKS; i++) {
        int fd = open(path_of(path, "%s/locks/%d", shadow, i), O_RDWR | O_CREAT, 0666);

        fchmod(fd, 0666);
        close(fd);
    }
    if (!key_of(AT_FDCWD, root, key, &st))
        die("cannot find", root);
    file = fopen(path_of(path, "%s/root", shadow), "w");
    fprintf(file, "%s\n", key);
    fclose(file);
    snapshot(shadow, root);
}

/* ---- interception ---- */

static bool below(const char *path, const char *folder)
{
    size_t len = folder ? strlen(folder) : 0;

    return len > 0 && strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Is this fsync one that POWERLOSS_IGNORE takes out of the product? */
static bool ignored(const char *path, bool folder, bool blobs)
{
    const char *class = getenv("POWERLOSS_IGNORE");

    if (!class || !*class)
        return false;
    if (strcmp(class, "blob") == 0)
        return blobs && !folder;
    if (strcmp(class, "dir") == 0)
        return blobs && folder;
    if (strcmp(class, "wal") == 0)
        return strstr(path, "/pg_wal/") != NULL;
    fprintf(stderr, "powerloss: POWERLOSS_IGNORE=%s is not known\n", class);
    abort();
}

static int keep(int fd)
{
    const char *shadow = getenv("POWERLOSS_SHADOW");
    char link[PATH_MAX], path[PATH_MAX], key[KEY_MAX];
    struct statx st;
    ssize_t n = readlink(path_of(link, "/proc/self/fd/%d", fd), path, sizeof(path) - 1);
    int saved = errno;
    bool blobs, folder, nameless;

    if (n < 0) {
        errno = EBADF;
        return -1;
    }
    path[n] = '\0';
    nameless = n > 10 && strcmp(path + n - 10, " (deleted)") == 0;
    if (!shadow || !below(path, getenv("POWERLOSS_ROOT")) || !key_of(fd, "", key, &st))
        return 0;
    blobs = below(path, getenv("POWERLOSS_BLOBS"));
    folder = S_ISDIR(st.stx_mode);
    if (!ignored(path, folder, blobs)) {
        if (folder) {
            keep_folder(shadow, path);
        } else if (S_ISREG(st.stx_mode)) {
            keep_content(shadow, fd, key);
            if (!nameless && blobs) {
                keep_own_name(shadow, path);
            } else if (!nameless) {
                *strrchr(path, '/') = '\0';
                keep_folder(shadow, path);
            }
        }
    }
    errno = saved;
    return 0;
}

int fsync(int fd)
{
    return keep(fd);
}

int fdatasync(int fd)
{
    return keep(fd);
}

int syncfs(int fd)
{
    (void)fd;
    fprintf(stderr, "powerloss: syncfs is not modelled\n");
    abort();
}

void sync(void)
{
    fprintf(stderr, "powerloss: sync is not modelled\n");
    abort();
}
