#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "instances/unpack.h"
#include "tests/fuzz/fuzz.h"

/* Whatever a layer says, nothing appears beside its root, and all of it can be removed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct unpack_limits limits = {1 << 20, 1000, 0};
    struct unpack_marks opaque = {0};
    char outer[] = "/tmp/unpack-fuzz.XXXXXX";
    int blob = memfd_create("blob", MFD_CLOEXEC), top, root;
    struct dirent *entry;
    struct op op;
    DIR *dir;

    MUST(blob >= 0 && write(blob, data, size) == (ssize_t)size && lseek(blob, 0, SEEK_SET) == 0);
    MUST(mkdtemp(outer));
    top = open(outer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(top >= 0 && mkdirat(top, "root", 0700) == 0);
    root = openat(top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    op_init(&op);
    (void)unpack_layer(&op, blob, "sha256:", &limits, root, &opaque);
    op_free(&op);
    dir = opendir(outer);
    while ((entry = readdir(dir)))
        MUST(entry->d_name[0] == '.' || strcmp(entry->d_name, "root") == 0);
    closedir(dir);
    close(root);
    close(top);
    close(blob);
    MUST(unpack_remove(AT_FDCWD, outer) == 0);
    return 0;
}
