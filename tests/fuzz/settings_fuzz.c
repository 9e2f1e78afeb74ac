#include "core/settings.h"

#include "tests/fuzz/fuzz.h"

/* Each line is one argument. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings;
    char *argv[34] = {0}, *text;
    int argc = 0;
    struct op op;

    op_init(&op);
    text = arena_strndup(&op.arena, data, size);
    for (char *line = text; line && argc < 32; argc++) {
        argv[argc] = line;
        line = strchr(line, '\n');
        if (line)
            *line++ = '\0';
        if (strncmp(argv[argc], "--config", 8) == 0 || strncmp(argv[argc], "--data", 6) == 0)
            argv[argc] = text + size; /* it must not read the machine's files */
    }
    if (settings_load(&op, &settings, argc, argv) == OK)
        MUST(settings.queue_max >= 1 && settings.loops >= 1 && settings.data[0] == '/');
    settings_free(&settings);
    op_free(&op);
    return 0;
}
