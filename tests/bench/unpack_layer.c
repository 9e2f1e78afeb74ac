/* unpack_layer BLOB DIFF_ID FOLDER: what the server's helper does with a layer, for
 * tests/bench/unpack. */
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>

#include "instances/unpack.h"

int main(int argc, char **argv)
{
    const struct unpack_limits limits = {(int64_t)1 << 40, 1 << 30, 0};
    struct unpack_marks opaque = {0};
    struct op op;
    enum fault fault;

    if (argc != 4)
        return 2;
    setlocale(LC_CTYPE, "C.UTF-8");
    umask(0);
    op_init(&op);
    fault = unpack_layer(&op, open(argv[1], O_RDONLY), argv[2], &limits,
                         open(argv[3], O_RDONLY | O_DIRECTORY), &opaque);
    if (fault != OK)
        fprintf(stderr, "unpack_layer: %s\n", op.message);
    op_free(&op);
    return fault != OK;
}
