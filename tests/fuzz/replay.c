/* Runs every fuzzer over its corpus: what was found once is tried at each test run, by any
 * compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/op.h"

struct fuzzer {
    const char *name;
    int (*run)(const uint8_t *data, size_t size);
};
#include FUZZERS

#define INPUT_MAX ((size_t)4 << 20)

static void replay_file(const struct fuzzer *fuzzer, const char *path)
{
    FILE *in = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_MAX), *exact;
    size_t n;

    if (!in || !data)
        abort();
    n = fread(data, 1, INPUT_MAX, in);
    fclose(in);
    exact = malloc(n ? n : 1); /* so that the sanitizer sees a read past the end */
    memcpy(exact, data, n);
    fuzzer->run(exact, n);
    free(exact);
    free(data);
}

static size_t replay(const struct fuzzer *fuzzer, const char *corpus)
{
    struct arena arena;
    struct dirent *entry;
    const char *folder;
    size_t n = 0;
    DIR *dir;

    arena_init(&arena);
    folder = arena_printf(&arena, "%s/%s", corpus, fuzzer->name);
    dir = opendir(folder);
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        replay_file(fuzzer, arena_printf(&arena, "%s/%s", folder, entry->d_name));
        n++;
    }
    if (dir)
        closedir(dir);
    arena_free(&arena);
    return n;
}

int main(int argc, char **argv)
{
    int status = 0;

    for (size_t i = 0; i < ARRAY_LEN(fuzzers); i++) {
        size_t n = replay(&fuzzers[i], argc > 1 ? argv[1] : "tests/fuzz/corpus");

        printf("%-12s %zu inputs\n", fuzzers[i].name, n);
        if (n == 0) /* a fuzzer without a corpus tests nothing */
            status = 1;
    }
    return status;
}
