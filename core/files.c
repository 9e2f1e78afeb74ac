#include "core/files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum fault file_write(struct op *op, const char *path, struct bytes data)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data.data, data.len) != (ssize_t)data.len || fsync(fd) != 0)
        return fail(op, INTERNAL, "cannot write %s: %m", path);
    return OK;
}

enum fault folder_sync(struct op *op, const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        return fail(op, errno == ENOSPC || errno == EDQUOT ? UNAVAILABLE : INTERNAL,
                    "cannot sync %s: %m", path);
    return OK;
}
