#include "instances/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "registry/hash.h"
#include "tests/unit/unit.h"

/* Layers belong to root: without it there are none, and that is what is asked here then. */
static bool is_root(void)
{
    return geteuid() == 0;
}

static struct bytes make_tar(struct op *op, const char *const *names)
{
    struct archive *a = archive_write_new();
    const size_t max = (size_t)1 << 20;
    char *data = arena_alloc(&op->arena, max);
    size_t used = 0;

    archive_write_set_format_pax(a);
    archive_write_set_bytes_per_block(a, 0);
    archive_write_open_memory(a, data, max, &used);
    for (; *names; names++) {
        struct archive_entry *e = archive_entry_new();
        bool folder = (*names)[strlen(*names) - 1] == '/';

        archive_entry_set_pathname(e, *names);
        archive_entry_set_mode(e, folder ? S_IFDIR | 0755 : S_IFREG | 04755);
        archive_entry_set_uid(e, 1000);
        archive_entry_set_gid(e, 100);
        archive_entry_set_size(e, folder ? 0 : 1);
        archive_write_header(a, e);
        if (!folder)
            archive_write_data(a, "x", 1);
        archive_entry_free(e);
    }
    archive_write_close(a);
    archive_write_free(a);
    return (struct bytes){data, used};
}

static int as_file(struct bytes data)
{
    int fd = memfd_create("blob", MFD_CLOEXEC);

    CU_ASSERT_EQUAL(write(fd, data.data, data.len), (ssize_t)data.len);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static enum fault unpack(struct op *op, struct bytes tar, const char *diff_id)
{
    AUTO_CLOSE int fd = as_file(tar);

    return layer_unpack(op, diff_id, fd);
}

static const char *path_of(struct op *op, const char *diff_id, const char *name)
{
    return arena_printf(&op->arena, "%s/layers/%s/%s", unit_settings()->data,
                        layer_folder(op, diff_id), name);
}

static void begin(struct op *op)
{
    op_init(op);
    CU_ASSERT_EQUAL_FATAL(layer_start(op, unit_settings()), OK);
}

static void end(struct op *op)
{
    layer_stop();
    op_free(op);
}

/* Layers, and what is left of unpacking. */
static size_t count_folders(struct op *op)
{
    DIR *dir = opendir(arena_printf(&op->arena, "%s/layers", unit_settings()->data));
    struct dirent *entry;
    size_t n = 0;

    while (dir && (entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

static void test_unpack(void)
{
    static const char *const names[] = {"bin/", "bin/su", "o/.wh..wh..opq", "bin/.wh.sh", NULL};
    struct stat st = {0};
    const char *diff_id;
    struct bytes tar;
    char value[4];
    struct op op;

    begin(&op);
    tar = make_tar(&op, names);
    diff_id = hash_bytes(&op, HASH_SHA256, tar);
    CU_ASSERT_FALSE(layer_is_there(diff_id));
    if (!is_root()) {
        CU_ASSERT_EQUAL(unpack(&op, tar, diff_id), UNSUPPORTED);
        CU_ASSERT_FALSE(layer_is_there(diff_id));
        end(&op);
        return;
    }
    CU_ASSERT_EQUAL_FATAL(unpack(&op, tar, diff_id), OK);
    CU_ASSERT_TRUE(layer_is_there(diff_id));
    CU_ASSERT_EQUAL(stat(path_of(&op, diff_id, "bin/su"), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode, S_IFREG | 04755);
    CU_ASSERT_EQUAL(st.st_uid, 1000);
    CU_ASSERT_EQUAL(st.st_gid, 100);
    CU_ASSERT_EQUAL(lstat(path_of(&op, diff_id, "bin/sh"), &st), 0);
    CU_ASSERT_TRUE(S_ISCHR(st.st_mode) && st.st_rdev == 0);
    CU_ASSERT_EQUAL(getxattr(path_of(&op, diff_id, "o"), "trusted.overlay.opaque", value, 4), 1);
    /* nobody but root and the server gets to setuid programs in there */
    CU_ASSERT_EQUAL(stat(arena_printf(&op.arena, "%s/layers", unit_settings()->data), &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0750);
    CU_ASSERT_EQUAL(st.st_uid, 0);
    end(&op);
    begin(&op); /* another start finds it */
    CU_ASSERT_TRUE(layer_is_there(hash_bytes(&op, HASH_SHA256, make_tar(&op, names))));
    end(&op);
}

static void test_bad_layers_leave_nothing(void)
{
    static const char *const names[] = {"../evil", NULL}, *const good[] = {"good", NULL};
    struct bytes tar;
    const char *diff_id;
    size_t before;
    struct op op;

    begin(&op);
    before = count_folders(&op);
    tar = make_tar(&op, names);
    diff_id = hash_bytes(&op, HASH_SHA256, tar);
    CU_ASSERT_EQUAL(unpack(&op, tar, diff_id), is_root() ? INVALID : UNSUPPORTED);
    op_clear_fault(&op);
    CU_ASSERT_FALSE(layer_is_there(diff_id));
    CU_ASSERT_EQUAL(unpack(&op, make_tar(&op, good), diff_id), is_root() ? INVALID : UNSUPPORTED);
    CU_ASSERT_EQUAL(strstr(op.message, "not what the image's config says") != NULL, is_root());
    CU_ASSERT_FALSE(layer_is_there(diff_id));
    CU_ASSERT_EQUAL(count_folders(&op), before);
    end(&op);
}

struct one {
    struct bytes tar;
    const char *diff_id;
    enum fault fault;
};

static void *unpack_thread(void *arg)
{
    struct one *one = arg;
    struct op op;

    op_init(&op);
    one->fault = unpack(&op, one->tar, one->diff_id);
    op_free(&op);
    return NULL;
}

static void test_many_at_once(void)
{
    static const char *const names[] = {"a", "b/", "b/c", NULL};
    pthread_t threads[6];
    struct one ones[6];
    struct bytes tar;
    size_t before;
    struct op op;

    begin(&op);
    before = count_folders(&op);
    tar = make_tar(&op, names);
    for (int i = 0; i < 6; i++) {
        ones[i] = (struct one){tar, hash_bytes(&op, HASH_SHA256, tar), INTERNAL};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, unpack_thread, &ones[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(ones[i].fault, is_root() ? OK : UNSUPPORTED);
    }
    CU_ASSERT_EQUAL(count_folders(&op), before + is_root());
    end(&op);
}

static void put_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "we");

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    fputs(text, out);
    fclose(out);
}

/* After a crash of the machine only what has settled is believed. */
static void test_halves_go(void)
{
    static const char *const names[] = {"half", NULL}, *const other[] = {"settled", NULL};
    const char *half, *settled, *folder;
    struct op op;

    begin(&op);
    half = hash_bytes(&op, HASH_SHA256, make_tar(&op, names));
    settled = hash_bytes(&op, HASH_SHA256, make_tar(&op, other));
    CU_ASSERT_EQUAL(unpack(&op, make_tar(&op, other), settled), is_root() ? OK : UNSUPPORTED);
    CU_ASSERT_EQUAL(layer_settle(&op), OK);
    CU_ASSERT_EQUAL(unpack(&op, make_tar(&op, names), half), is_root() ? OK : UNSUPPORTED);
    layer_stop();
    if (is_root()) {
        folder = arena_printf(&op.arena, "%s/layers/tmp-1-0123/fs", unit_settings()->data);
        CU_ASSERT_EQUAL(mkdir(arena_strndup(&op.arena, folder, strlen(folder) - 3), 0700), 0);
        CU_ASSERT_EQUAL(mkdir(folder, 0700), 0);
        put_file(path_of(&op, half, "../boot"), "another boot");
        put_file(path_of(&op, settled, "../boot"), "another boot");
    }
    CU_ASSERT_EQUAL(layer_start(&op, unit_settings()), OK);
    CU_ASSERT_FALSE(layer_is_there(half));
    CU_ASSERT_EQUAL(layer_is_there(settled), is_root());
    CU_ASSERT_NOT_EQUAL(
        access(arena_printf(&op.arena, "%s/layers/tmp-1-0123", unit_settings()->data), F_OK), 0);
    end(&op);
}

static void test_collect(void)
{
    static const char *const names[] = {"wanted", NULL}, *const other[] = {"unwanted", NULL};
    const char *in_use[2] = {NULL, NULL}, *unwanted;
    size_t removed = 99;
    struct op op;

    begin(&op);
    in_use[0] = hash_bytes(&op, HASH_SHA256, make_tar(&op, names));
    unwanted = hash_bytes(&op, HASH_SHA256, make_tar(&op, other));
    CU_ASSERT_EQUAL(unpack(&op, make_tar(&op, names), in_use[0]), is_root() ? OK : UNSUPPORTED);
    CU_ASSERT_EQUAL(unpack(&op, make_tar(&op, other), unwanted), is_root() ? OK : UNSUPPORTED);
    CU_ASSERT_EQUAL(layer_collect(&op, in_use, 3600, &removed), OK);
    CU_ASSERT_EQUAL(removed, 0);
    CU_ASSERT_EQUAL(layer_collect(&op, in_use, 0, &removed), OK);
    CU_ASSERT_TRUE(is_root() ? removed >= 1 : removed == 0);
    CU_ASSERT_EQUAL(layer_is_there(in_use[0]), is_root());
    CU_ASSERT_FALSE(layer_is_there(unwanted));
    CU_ASSERT_EQUAL(count_folders(&op), is_root() ? 1 : 0);
    end(&op);
}

static void test_folder(void)
{
    struct op op;

    op_init(&op);
    CU_ASSERT_STRING_EQUAL(layer_folder(&op, "sha256:0123456789abcdef0123456789abcdef"),
                           "0123456789abcdef01234567/fs");
    op_free(&op);
}

CU_TestInfo instances_layer_tests[] = {
    {"unpacking",                test_unpack                  },
    {"bad layers leave nothing", test_bad_layers_leave_nothing},
    {"many at once",             test_many_at_once            },
    {"halves go",                test_halves_go               },
    {"collection",               test_collect                 },
    {"folders' names",           test_folder                  },
    CU_TEST_INFO_NULL,
};
