#include "core/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files.h"

#define PROGRESS_MS 2000

static const char *under(struct op *op, const char *folder, const char *name)
{
    return arena_printf(&op->arena, "%s/%s", folder, name);
}

static void progress(struct copy *copy)
{
    int64_t now = now_ms();

    if (copy->only_link || now - copy->said_ms < PROGRESS_MS)
        return;
    copy->said_ms = now;
    fprintf(stderr, "sundog: %lld files, %lld MiB\n", (long long)copy->files,
            (long long)(copy->bytes >> 20));
}

/* ---- files ---- */

static bool copy_bytes(int in, int out)
{
    char buffer[1 << 16];
    ssize_t n;

    while ((n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0)) > 0)
        ;
    if (n == 0)
        return true;
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return false;
    while ((n = read(in, buffer, sizeof(buffer))) > 0) {
        for (ssize_t done = 0, m; done < n; done += m) {
            m = write(out, buffer + done, (size_t)(n - done));
            if (m <= 0)
                return false;
        }
    }
    return n == 0;
}

enum fault copy_file(struct copy *copy, const char *from, const char *to)
{
    struct op *op = copy->op;
    AUTO_CLOSE int in = -1, out = -1;
    struct stat st;

    if (lstat(from, &st) < 0 || !S_ISREG(st.st_mode))
        return fail(op, UNAVAILABLE, "cannot look at %s: %s", from, strerror(errno));
    copy->files++;
    copy->bytes += st.st_size;
    if (copy->link && (link(from, to) == 0 || (copy->only_link && errno == EEXIST)))
        return OK;
    if (copy->only_link)
        return fail(op, UNAVAILABLE, "cannot link %s to %s: %s", from, to, strerror(errno));
    in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0)
        return fail(op, UNAVAILABLE, "cannot read %s: %s", from, strerror(errno));
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
    if (out < 0 || !copy_bytes(in, out) || (copy->give && fchown(out, copy->uid, copy->gid) < 0) ||
        fchmod(out, st.st_mode & 0777) < 0 || fsync(out) < 0)
        return fail(op, UNAVAILABLE, "cannot write %s: %s", to, strerror(errno));
    return OK;
}

static enum fault copy_entry(struct copy *copy, const char *from, const char *to, const char *name)
{
    struct op scratch; /* its paths go with it: a store may hold millions */
    enum fault fault = OK;
    const char *source, *target;
    struct stat st;

    if (*name == '.')
        return OK;
    op_init(&scratch);
    source = under(&scratch, from, name);
    target = under(&scratch, to, name);
    if (lstat(source, &st) == 0) { /* else it is gone by now: then nothing named it */
        if (S_ISDIR(st.st_mode))
            fault = copy_tree(copy, source, target);
        else if (S_ISREG(st.st_mode))
            fault = copy_file(copy, source, target);
    }
    op_free(&scratch);
    progress(copy);
    return fault;
}

enum fault copy_tree(struct copy *copy, const char *from, const char *to)
{
    struct op *op = copy->op;
    DIR *dir = opendir(from);
    enum fault fault = OK;
    struct dirent *entry;
    struct stat st;

    if (!dir || fstat(dirfd(dir), &st) < 0) {
        if (dir)
            closedir(dir);
        return fail(op, UNAVAILABLE, "cannot read %s: %s", from, strerror(errno));
    }
    if ((mkdir(to, st.st_mode & 0777) < 0 && errno != EEXIST) ||
        (copy->give && chown(to, copy->uid, copy->gid) < 0))
        fault = fail(op, UNAVAILABLE, "cannot make %s: %s", to, strerror(errno));
    while (fault == OK && (entry = readdir(dir)))
        fault = copy_entry(copy, from, to, entry->d_name);
    closedir(dir);
    return fault == OK && !copy->only_link ? folder_sync(op, to) : fault;
}

/* Only what is content: uploads under way are nothing without their rows. */
enum fault copy_blobs(struct copy *copy, const char *from, const char *to)
{
    static const char *const algorithms[] = {"sha256", "sha512"};

    if (mkdir(to, 0700) < 0 && errno != EEXIST)
        return fail(copy->op, UNAVAILABLE, "cannot make %s: %s", to, strerror(errno));
    if (copy->give && chown(to, copy->uid, copy->gid) < 0)
        return fail(copy->op, UNAVAILABLE, "cannot give %s away: %s", to, strerror(errno));
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
        if (access(under(copy->op, from, algorithms[i]), F_OK) == 0)
            TRY(copy_tree(copy, under(copy->op, from, algorithms[i]),
                          under(copy->op, to, algorithms[i])));
    }
    return folder_sync(copy->op, to);
}
