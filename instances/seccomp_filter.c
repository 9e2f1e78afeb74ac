/* Filters made of profiles, kept. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instances/sandbox_folder.h"
#include "instances/seccomp.h"

#define FILTER_MAX (32 * 1024) /* the kernel takes 4096 instructions of 8 bytes */

const char *seccomp_filter_name(struct op *op, const char *profile)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char *name = arena_alloc(&op->arena, sizeof(hash) * 2 + 1);

    SHA256((const unsigned char *)profile, strlen(profile), hash);
    for (size_t i = 0; i < sizeof(hash); i++) {
        name[2 * i] = "0123456789abcdef"[hash[i] >> 4];
        name[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
    }
    return name;
}

enum fault seccomp_filter_read(struct op *op, int folder, const char *name, struct bytes *ret)
{
    AUTO_CLOSE int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char *data = arena_alloc(&op->arena, FILTER_MAX);
    ssize_t n = fd < 0 ? -1 : read(fd, data, FILTER_MAX);

    if (n <= 0 || n % 8 != 0)
        return fail(op, NOT_FOUND, "there is no filter %s", name);
    *ret = (struct bytes){data, (size_t)n};
    return OK;
}

/* made: the path of what the runtime wrote. */
enum fault seccomp_filter_keep(struct op *op, int folder, const char *name, const char *made)
{
    const char *fresh = arena_printf(&op->arena, "%s.%d", name, (int)getpid());
    struct bytes filter;

    TRY(seccomp_filter_read(op, AT_FDCWD, made, &filter));
    TRY(folder_write(op, folder, fresh, filter, 0600));
    if (renameat(folder, fresh, folder, name) < 0)
        return fail(op, UNAVAILABLE, "cannot keep the filter %s: %s", name, strerror(errno));
    return OK;
}

const char *seccomp_filter_text(struct op *op, struct bytes filter)
{
    unsigned char *text = arena_alloc(&op->arena, filter.len / 3 * 4 + 8);

    EVP_EncodeBlock(text, filter.data, (int)filter.len);
    return (const char *)text;
}
