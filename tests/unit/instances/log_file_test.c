#include "instances/log_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instances/log_lines.h"
#include "instances/shim_log.h"
#include "tests/unit/unit.h"

/* ---- what the supervisor writes, read back ---- */

static int open_folder(struct op *op, const char *name)
{
    const char *path = arena_printf(&op->arena, "%s/%s", unit_folder(), name);

    mkdir(path, 0755);
    return open(path, O_RDONLY | O_DIRECTORY);
}

static const char *read_back(struct op *op, int folder, const struct log_query *query)
{
    struct log_output output;
    struct log_lines lines;
    struct text text;
    char *data;
    int64_t at;
    size_t n;

    CU_ASSERT_EQUAL(log_lines_open(op, folder, "app.0.log", &lines), OK);
    n = (size_t)log_lines_size(&lines);
    text_init(&text, &op->arena, n + 1);
    log_output_init(&output, query);
    at = log_lines_begin(op, &lines, query, false);
    data = arena_alloc(&op->arena, n + 1);
    n = log_lines_read(&lines, at, data, n);
    CU_ASSERT_EQUAL(log_output_add(&output, data, n, &text), n);
    log_lines_close(&lines);
    return text.data;
}

static const struct log_query all = {.tail = -1};

static void begin(struct op *op, struct log_writer *writer, int folder, int64_t max)
{
    CU_ASSERT_EQUAL(log_writer_open(op, writer, folder, getgid(), "app", 0, max), OK);
}

static void say(struct log_writer *writer, const char *stream, const char *text)
{
    log_writer_write(writer, stream, text, strlen(text));
}

static void test_lines(void)
{
    struct log_writer writer;
    struct op op;
    int folder;

    op_init(&op);
    folder = open_folder(&op, "lines");
    begin(&op, &writer, folder, 0);
    say(&writer, "stdout", "one\ntw");
    say(&writer, "stderr", "oops\n");
    say(&writer, "stdout", "o\n\nend");
    CU_ASSERT_STRING_EQUAL(read_back(&op, folder, &all), "one\ntwoops\no\n\nend");
    CU_ASSERT_STRING_EQUAL(
        read_back(&op, folder, &(struct log_query){.tail = -1, .stream = "stdout"}),
        "one\ntwo\n\nend");
    CU_ASSERT_STRING_EQUAL(
        read_back(&op, folder, &(struct log_query){.tail = -1, .stream = "stderr"}), "oops\n");
    log_writer_drop(&writer);
    CU_ASSERT_STRING_EQUAL(read_back(&op, folder, &all), "");
    close(folder);
    op_free(&op);
}

static void test_tails(void)
{
    static const struct {
        int64_t tail, bytes_max;
        const char *out;
    } cases[] = {
        {0,  0,  ""          },
        {1,  0,  "d"         },
        {2,  0,  "c\nd"      },
        {4,  0,  "a\nb\nc\nd"},
        {9,  0,  "a\nb\nc\nd"},
        {-1, 3,  "c\nd"      },
        {-1, 99, "a\nb\nc\nd"},
        {1,  99, "d"         },
        {-1, 0,  "a\nb\nc\nd"},
    };
    struct log_writer writer;
    struct op op;
    int folder;

    op_init(&op);
    folder = open_folder(&op, "tails");
    begin(&op, &writer, folder, 0);
    say(&writer, "stdout", "a\nb\nc\nd");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct log_query query = {.tail = cases[i].tail, .bytes_max = cases[i].bytes_max};

        CU_ASSERT_STRING_EQUAL(read_back(&op, folder, &query), cases[i].out);
    }
    log_writer_close(&writer);
    close(folder);
    op_free(&op);
}

static void test_times(void)
{
    struct log_query query = {.tail = -1, .timestamps = true};
    struct log_writer writer;
    const char *text;
    struct op op;
    int folder;

    op_init(&op);
    folder = open_folder(&op, "times");
    begin(&op, &writer, folder, 0);
    say(&writer, "stdout", "be");
    say(&writer, "stdout", "gun\n");
    text = read_back(&op, folder, &query);
    CU_ASSERT_EQUAL(strlen(text), LOG_TIME_LEN + 1 + 6);
    CU_ASSERT_STRING_EQUAL(text + LOG_TIME_LEN, " begun\n");
    query.since_us = (int64_t)4102444800 * 1000000; /* 2100 */
    CU_ASSERT_STRING_EQUAL(read_back(&op, folder, &query), "");
    query.since_us = 1;
    CU_ASSERT_EQUAL(strlen(read_back(&op, folder, &query)), LOG_TIME_LEN + 1 + 6);
    log_writer_close(&writer);
    close(folder);
    op_free(&op);
}

/* A long line is cut into pieces and is one again; any byte passes. */
static void test_long_lines(void)
{
    size_t len = 100000;
    struct log_writer writer;
    struct log_lines lines;
    struct op op;
    char *data;
    int folder;

    op_init(&op);
    folder = open_folder(&op, "long");
    begin(&op, &writer, folder, 0);
    data = arena_alloc(&op.arena, len + 1);
    memset(data, 'x', len - 1);
    data[10] = (char)0xff;
    data[len - 1] = '\n';
    log_writer_write(&writer, "stdout", data, len);
    CU_ASSERT_STRING_EQUAL(read_back(&op, folder, &all), data);
    CU_ASSERT_EQUAL(log_lines_open(&op, folder, "app.0.log", &lines), OK);
    CU_ASSERT_EQUAL(log_lines_size(&lines), (int64_t)(len + 7 * LOG_HEAD_LEN + 6));
    log_lines_close(&lines);
    CU_ASSERT_STRING_EQUAL(read_back(&op, folder, &(struct log_query){.tail = 0}), "");
    log_writer_close(&writer);
    close(folder);
    op_free(&op);
}

static void test_rotation(void)
{
    struct log_writer writer;
    struct stat st;
    const char *text;
    char line[32];
    struct op op;
    int folder;

    op_init(&op);
    folder = open_folder(&op, "rotation");
    begin(&op, &writer, folder, 4096);
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof(line), "line %d\n", i);
        say(&writer, "stdout", line);
    }
    CU_ASSERT_EQUAL(fstatat(folder, "app.0.log", &st, 0), 0);
    CU_ASSERT_TRUE(st.st_size <= 4096);
    CU_ASSERT_EQUAL(fstatat(folder, "app.0.log.1", &st, 0), 0);
    CU_ASSERT_TRUE(st.st_size <= 4096 && st.st_size > 3900);
    text = read_back(&op, folder, &all);
    for (int i = (int)strtol(text + 5, NULL, 10); i < 1000; i++) {
        snprintf(line, sizeof(line), "line %d\n", i);
        CU_ASSERT_EQUAL(strncmp(text, line, strlen(line)), 0);
        text += strlen(line);
    }
    CU_ASSERT_STRING_EQUAL(text, "");
    text = read_back(&op, folder, &(struct log_query){.tail = 80}); /* over both files */
    CU_ASSERT_EQUAL(strncmp(text, "line 920\n", 9), 0);
    log_writer_close(&writer);
    close(folder);
    op_free(&op);
}

/* What is no line of ours is passed over, and never read beyond its end. */
static void test_garbage(void)
{
    static const char *const cases[] = {
        "", "\n", "\n\n\n", "short\n", "no newline", "2026-11-21T12:00:00.123456789Z stdout F "};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct log_query query = {.tail = (int64_t)i - 1};
        struct log_output output;
        struct text text;
        struct op op;

        op_init(&op);
        text_init(&text, &op.arena, 100);
        log_output_init(&output, &query);
        CU_ASSERT_TRUE(log_output_add(&output, cases[i], strlen(cases[i]), &text) <=
                       strlen(cases[i]));
        CU_ASSERT_STRING_EQUAL(text.data, "");
        op_free(&op);
    }
}

CU_TestInfo instances_log_file_tests[] = {
    {"lines",      test_lines     },
    {"tails",      test_tails     },
    {"times",      test_times     },
    {"long lines", test_long_lines},
    {"rotation",   test_rotation  },
    {"garbage",    test_garbage   },
    CU_TEST_INFO_NULL,
};
