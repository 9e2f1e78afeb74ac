#include "registry/platform.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/json.h"
#include "registry/names.h"

#define HAVE_MAX 1000

const char *platform_architecture(void)
{
#if defined(__x86_64__)
    return "amd64";
#elif defined(__aarch64__)
    return "arm64";
#elif defined(__riscv) && __riscv_xlen == 64
    return "riscv64";
#elif defined(__s390x__)
    return "s390x";
#elif defined(__powerpc64__)
    return "ppc64le";
#else
#error "which name have images for this architecture?"
#endif
}

/* Smaller is better; -1: not for this machine. amd64's variants "v2"… need newer processors. */
static int rank(const char *variant)
{
    bool arm64 = strcmp(platform_architecture(), "arm64") == 0;

    if (!variant || !*variant || (arm64 && strcmp(variant, "v8") == 0) ||
        (!arm64 && strcmp(variant, "v1") == 0))
        return 0;
#ifdef __x86_64__
    if (strcmp(variant, "v2") == 0 && __builtin_cpu_supports("sse4.2"))
        return 2;
    if (strcmp(variant, "v3") == 0 && __builtin_cpu_supports("avx2"))
        return 3;
#endif
    return -1;
}

static void add_name(struct text *names, const json_t *platform)
{
    const char *variant = json_text(platform, "variant");

    text_printf(names, "%s%.32s/%.32s%s%.32s", names->len ? ", " : "", json_text(platform, "os"),
                json_text(platform, "architecture"), *variant ? "/" : "", variant);
}

static bool is_unknown(const json_t *platform)
{
    return strcmp(json_text(platform, "os"), "unknown") == 0;
}

enum fault platform_missing(struct op *op, const char *what, const char *have)
{
    return fail_on(op, "image", UNSUPPORTED, "there is no image for %s/%s in %s; it has %s",
                   PLATFORM_OS, platform_architecture(), what, have);
}

enum fault platform_choose(struct op *op, const char *what, struct bytes index,
                           const char **ret_digest)
{
    const char *best = NULL, *digest;
    int best_rank = 100, at;
    const json_t *list, *platform;
    struct text have;
    json_t *root;
    size_t n;

    TRY(json_parse(op, index, &root));
    text_init(&have, &op->arena, HAVE_MAX);
    list = json_object_get(root, "manifests");
    n = json_array_size(list);
    for (size_t i = 0; i < n; i++) {
        digest = json_text(json_array_get(list, i), "digest");
        platform = json_object_get(json_array_get(list, i), "platform");
        if (is_unknown(platform) || !digest_is_valid(digest))
            continue;
        if (!platform) {
            if (n == 1)
                best = digest;
            continue;
        }
        add_name(&have, platform);
        at = rank(json_text(platform, "variant"));
        if (strcmp(json_text(platform, "os"), PLATFORM_OS) == 0 &&
            strcmp(json_text(platform, "architecture"), platform_architecture()) == 0 && at >= 0 &&
            at < best_rank) {
            best = digest;
            best_rank = at;
        }
    }
    if (!best)
        return platform_missing(op, what, have.len ? have.data : "none");
    *ret_digest = best;
    return OK;
}
