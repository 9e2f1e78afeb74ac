#include "core/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* Arguments, separated by spaces; an empty folder stands for --data unless they name one. */
static enum fault load(struct op *op, struct settings *settings, const char *line)
{
    char *argv[20] = {0},
         *text = arena_printf(&op->arena, "--data=%s/none %s", unit_folder(), line);
    char *word;
    int argc = 0;

    while ((word = strsep(&text, " "))) {
        if (*word)
            argv[argc++] = word;
    }
    return settings_load(op, settings, argc, argv);
}

static void test_defaults(void)
{
    struct settings settings;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(load(&op, &settings, ""), OK);
    CU_ASSERT_EQUAL(settings.worker_threads, 8);
    CU_ASSERT_EQUAL(settings.free_space_reserve, 256 << 20);
    CU_ASSERT_EQUAL(settings.blob_max, 200ll << 30);
    CU_ASSERT_EQUAL(settings.upload_expire_s, 86400);
    CU_ASSERT_STRING_EQUAL(settings.listen[0], "127.0.0.1:8443");
    CU_ASSERT_STRING_EQUAL(settings.listen[1], "[::1]:8443");
    CU_ASSERT_PTR_NULL(settings.listen[2]);
    CU_ASSERT_STRING_EQUAL(settings.plain_listen[0], "127.0.0.1:8480");
    CU_ASSERT_PTR_NULL(settings.database);
    CU_ASSERT_STRING_EQUAL(strrchr(settings.blobs, '/'), "/blobs");
    settings_free(&settings);
    op_free(&op);
}

static const struct {
    const char *line, *message; /* NULL: fine */
} cases[] = {
    {"--workers 4 --queue=9",                                     NULL                                                  },
    {"--plain-listen none --listen none",                         NULL                                                  },
    {"--plain-listen [::1]:0 --plain-listen 127.3.2.1:80",        NULL                                                  },
    {"--plain-listen 0.0.0.0:80 --insecure-plain",                NULL                                                  },
    {"--listen 0.0.0.0:443 --listen [::]:443 --listen *:8443",    NULL                                                  },
    {"--insecure-plain=false --blob-max 10GiB --idle-timeout 5m", NULL                                                  },
    {"--public-url https://a.example:8443/",                      NULL                                                  },
    {"--workers 0",                                               "--workers: 0 is not between"                         },
    {"--workers x",                                               "--workers: \"x\" is not a number"                    },
    {"--workers -1",                                              "--workers: \"-1\" is not a number"                   },
    {"--workers",                                                 "--workers needs a value"                             },
    {"--blob-max 5X",                                             "--blob-max: \"5X\" is not a size"                    },
    {"--blob-max 9999999999T",                                    "--blob-max: \"9999999999T\" is not a size"           },
    {"--plain-listen 0.0.0.0:80",                                 "--plain-listen: 0.0.0.0:80 is not a loopback address"},
    {"--listen 127.0.0.1",                                        "--listen: \"127.0.0.1\" is not"                      },
    {"--listen 127.0.0.1:70000",                                  "--listen: \"127.0.0.1:70000\" is not"                },
    {"--listen [::1:80",                                          "--listen: \"[::1:80\" is not"                        },
    {"--log-level loud",                                          "--log-level: \"loud\" is not one of"                 },
    {"--log-level debug|info",                                    "--log-level: \"debug|info\" is not one of"           },
    {"--nonsense 1",                                              "there is no flag --nonsense"                         },
    {"--registry-h2=maybe",                                       "--registry-h2: \"maybe\" is not true or false"       },
    {"--public-url ftp://x",                                      "--public-url: \"ftp://x\" is not"                    },
    {"--public-url https://x/path",                               "--public-url: \"https://x/path\" is not"             },
    {"--config /nonexistent/file",                                "cannot read /nonexistent/file"                       },
};

static void test_flags(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct settings settings;
        struct op op;

        op_init(&op);
        CU_ASSERT_EQUAL(load(&op, &settings, cases[i].line), cases[i].message ? INVALID : OK);
        if (cases[i].message && op.message) {
            CU_ASSERT_NSTRING_EQUAL(op.message, cases[i].message, strlen(cases[i].message));
        }
        settings_free(&settings);
        op_free(&op);
    }
}

static void test_flag_beats_environment_beats_file(void)
{
    struct settings settings;
    struct op op;
    const char *path;
    FILE *file;

    op_init(&op);
    path = arena_printf(&op.arena, "%s/test.conf", unit_folder());
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(
        "# comment\n\n workers = 3 \nqueue=33\nio-threads = 5\nlisten = 127.0.0.1:1, 127.0.0.1:2\n",
        file);
    fclose(file);
    setenv("SUNDOG_QUEUE", "44", 1);
    setenv("SUNDOG_IO_THREADS", "6", 1);
    CU_ASSERT_EQUAL(
        load(&op, &settings, arena_printf(&op.arena, "out --config %s --io-threads 7", path)), OK);
    CU_ASSERT_EQUAL(settings.worker_threads, 3);
    CU_ASSERT_EQUAL(settings.queue_max, 44);
    CU_ASSERT_EQUAL(settings.io_threads, 7);
    CU_ASSERT_STRING_EQUAL(settings.listen[1], "127.0.0.1:2");
    CU_ASSERT_STRING_EQUAL(settings_args[0], "out");
    CU_ASSERT_PTR_NULL(settings_args[1]);
    settings_free(&settings);
    unsetenv("SUNDOG_QUEUE");
    unsetenv("SUNDOG_IO_THREADS");
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("worker = 3\n", file);
    fclose(file);
    CU_ASSERT_EQUAL(load(&op, &settings, arena_printf(&op.arena, "--config %s", path)), INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "line 1: there is no setting \"worker\""));
    settings_free(&settings);
    op_free(&op);
}

/* SUNDOG_NAME_FILE of a text: the file's first line; the variable itself beats it. */
static void test_values_from_files(void)
{
    static const char *const names[] = {"SUNDOG_CLIENT_SECRET_FILE", "SUNDOG_WORKERS_FILE"};
    struct settings settings;
    const char *path;
    struct op op;
    FILE *file;

    op_init(&op);
    path = arena_printf(&op.arena, "%s/value", unit_folder());
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("whole line \r\nnext", file);
    fclose(file);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        setenv(names[i], path, 1);
    CU_ASSERT_EQUAL(load(&op, &settings, ""), OK);
    CU_ASSERT_STRING_EQUAL(settings.client_secret, "whole line ");
    CU_ASSERT_EQUAL(settings.worker_threads, 8);
    settings_free(&settings);
    setenv("SUNDOG_CLIENT_SECRET", "itself", 1);
    CU_ASSERT_EQUAL(load(&op, &settings, ""), OK);
    CU_ASSERT_STRING_EQUAL(settings.client_secret, "itself");
    settings_free(&settings);
    unsetenv("SUNDOG_CLIENT_SECRET");
    CU_ASSERT_EQUAL(truncate(path, 0), 0);
    CU_ASSERT_EQUAL(load(&op, &settings, ""), INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "SUNDOG_CLIENT_SECRET_FILE"));
    settings_free(&settings);
    setenv(names[0], "/nonexistent", 1);
    CU_ASSERT_EQUAL(load(&op, &settings, ""), INVALID);
    settings_free(&settings);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    op_free(&op);
}

static void test_help(void)
{
    struct text text;
    struct op op;

    op_init(&op);
    text_init(&text, &op.arena, 1 << 20);
    settings_help(&text);
    CU_ASSERT_FALSE(text.overflow);
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "--plain-listen ADDR:PORT"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "[SUNDOG_FREE_SPACE_RESERVE]"));
    CU_ASSERT_PTR_NULL(strstr(text.data, "pg-fast-init"));
    for (const char *line = text.data; *line; line += strcspn(line, "\n") + 1) {
        CU_ASSERT(strcspn(line, "\n") <= 100);
    }
    op_free(&op);
}

CU_TestInfo core_settings_tests[] = {
    {"defaults",                                    test_defaults                         },
    {"flags",                                       test_flags                            },
    {"a flag beats the environment beats the file", test_flag_beats_environment_beats_file},
    {"a value from a file",                         test_values_from_files                },
    {"help is made from the table",                 test_help                             },
    CU_TEST_INFO_NULL,
};
