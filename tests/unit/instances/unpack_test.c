#include "instances/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <zstd.h>

#include "registry/hash.h"
#include "tests/unit/unit.h"

/* ---- archives made here ---- */

struct member {
    const char *name;
    mode_t mode; /* 0: a hard link to target */
    const char *target, *data;
    const char *xattr, *value;
    long mtime_s;
};

static struct bytes make_tar(struct op *op, const struct member *members, size_t n)
{
    struct archive *a = archive_write_new();
    const size_t max = (size_t)1 << 20;
    char *data = arena_alloc(&op->arena, max);
    size_t used = 0;

    archive_write_set_format_pax(a);
    archive_write_set_bytes_per_block(a, 0);
    archive_write_open_memory(a, data, max, &used);
    for (size_t i = 0; i < n; i++) {
        const struct member *m = &members[i];
        struct archive_entry *e = archive_entry_new();

        archive_entry_set_pathname(e, m->name);
        archive_entry_set_mode(e, m->mode ? m->mode : (S_IFREG | 0644));
        if (!m->mode)
            archive_entry_set_hardlink(e, m->target);
        else if (S_ISLNK(m->mode))
            archive_entry_set_symlink(e, m->target);
        if (S_ISREG(m->mode))
            archive_entry_set_size(e, m->data ? (la_int64_t)strlen(m->data) : 0);
        if (S_ISCHR(m->mode))
            archive_entry_set_rdev(e, makedev(1, 3));
        if (m->xattr)
            archive_entry_xattr_add_entry(e, m->xattr, m->value, strlen(m->value));
        archive_entry_set_mtime(e, m->mtime_s ? m->mtime_s : 1000, 123456789);
        CU_ASSERT_EQUAL(archive_write_header(a, e), ARCHIVE_OK);
        if (m->data)
            archive_write_data(a, m->data, strlen(m->data));
        archive_entry_free(e);
    }
    archive_write_close(a);
    archive_write_free(a);
    return (struct bytes){data, used};
}

static struct bytes gzip(struct op *op, struct bytes plain)
{
    struct isal_zstream z;
    size_t max = plain.len + 4096;
    unsigned char *out = arena_alloc(&op->arena, max);

    isal_deflate_init(&z);
    z.gzip_flag = IGZIP_GZIP;
    z.end_of_stream = 1;
    z.next_in = (unsigned char *)(uintptr_t)plain.data;
    z.avail_in = (uint32_t)plain.len;
    z.next_out = out;
    z.avail_out = (uint32_t)max;
    CU_ASSERT_EQUAL(isal_deflate(&z), COMP_OK);
    return (struct bytes){out, z.total_out};
}

static struct bytes zstd(struct op *op, struct bytes plain)
{
    size_t max = ZSTD_compressBound(plain.len);
    char *out = arena_alloc(&op->arena, max);

    return (struct bytes){out, ZSTD_compress(out, max, plain.data, plain.len, 3)};
}

static struct bytes join(struct op *op, struct bytes a, struct bytes b)
{
    char *both = arena_alloc(&op->arena, a.len + b.len + 1);

    memcpy(both, a.data, a.len);
    memcpy(both + a.len, b.data, b.len);
    return (struct bytes){both, a.len + b.len};
}

static int as_file(struct bytes data)
{
    int fd = memfd_create("blob", MFD_CLOEXEC);

    CU_ASSERT_EQUAL(write(fd, data.data, data.len), (ssize_t)data.len);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/* ---- unpacked here ---- */

struct tree {
    char path[256];
    int root;
    struct unpack_marks opaque;
};

static void tree_open(struct tree *t)
{
    snprintf(t->path, sizeof(t->path), "%s/tree.XXXXXX", unit_folder());
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(t->path));
    t->root = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    t->opaque = (struct unpack_marks){0};
}

static void tree_close(struct tree *t)
{
    close(t->root);
    CU_ASSERT_EQUAL(unpack_remove(AT_FDCWD, t->path), 0);
    CU_ASSERT_NOT_EQUAL(access(t->path, F_OK), 0);
}

static const struct unpack_limits plenty = {1 << 30, 10000, 0};

static enum fault unpack_as(struct op *op, struct tree *t, struct bytes blob, struct bytes plain,
                            const struct unpack_limits *limits)
{
    AUTO_CLOSE int fd = as_file(blob);

    return unpack_layer(op, fd, hash_bytes(op, HASH_SHA256, plain), limits, t->root, &t->opaque);
}

static enum fault unpack(struct op *op, struct tree *t, const struct member *members, size_t n)
{
    struct bytes tar = make_tar(op, members, n);

    return unpack_as(op, t, tar, tar, &plenty);
}

static bool holds(const struct tree *t, const char *path, const char *text)
{
    AUTO_CLOSE int fd = openat(t->root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char there[256] = "";

    return fd >= 0 && read(fd, there, sizeof(there) - 1) >= 0 && strcmp(there, text) == 0;
}

static struct stat stat_of(const struct tree *t, const char *path)
{
    struct stat st = {0};

    CU_ASSERT_EQUAL(fstatat(t->root, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

/* ---- the tests ---- */

static void test_all_kinds(void)
{
    static const struct member members[] = {
        {"./",            S_IFDIR | 0711,     .mtime_s = 77},
        {"etc/",               S_IFDIR | 0750,                            .mtime_s = 500},
        {"etc/passwd", S_IFREG | 0644,.data = "root\n"},
        {"etc/hard", 0,            "etc/passwd"},
        {"/usr/bin/su",      S_IFREG | 04755,                       .data = "su", .xattr = "user.note", .value = "hi"},
        {"lib",               S_IFLNK | 0777,                     "usr/lib"},
        {"lib/x.so",   S_IFREG | 0755,.data = "so"},
        {"far",               S_IFLNK | 0777,                             "/etc"},
        {"far/motd",      S_IFREG | 0600,    .data = "hello"},
        {"pipe",S_IFIFO | 0622                          },
        {"n\xc3\xa4me",           S_IFREG | 0644, .data = "utf"},
        {"with space",               S_IFREG | 0644                       },
    };
    struct tree t;
    struct op op;
    struct stat st;
    char value[8] = "";
    AUTO_CLOSE int file = -1;

    op_init(&op);
    tree_open(&t);
    mkdirat(t.root, "usr", 0755);
    mkdirat(t.root, "usr/lib", 0755);
    setlocale(LC_CTYPE, "C.UTF-8"); /* as layer_jail.c does */
    CU_ASSERT_EQUAL(unpack(&op, &t, members, ARRAY_LEN(members)), OK);
    setlocale(LC_CTYPE, "C");
    CU_ASSERT_TRUE(holds(&t, "n\xc3\xa4me", "utf"));
    CU_ASSERT_TRUE(holds(&t, "etc/passwd", "root\n"));
    CU_ASSERT_TRUE(holds(&t, "etc/hard", "root\n"));
    CU_ASSERT_EQUAL(stat_of(&t, "etc/hard").st_ino, stat_of(&t, "etc/passwd").st_ino);
    CU_ASSERT_TRUE(holds(&t, "usr/lib/x.so", "so"));
    CU_ASSERT_TRUE(holds(&t, "etc/motd", "hello"));
    CU_ASSERT_TRUE(holds(&t, "with space", ""));
    st = stat_of(&t, "usr/bin/su");
    CU_ASSERT_EQUAL(st.st_mode, S_IFREG | 04755);
    CU_ASSERT_EQUAL(st.st_mtim.tv_sec, 1000);
    CU_ASSERT_EQUAL(st.st_mtim.tv_nsec, 123456789);
    file = openat(t.root, "usr/bin/su", O_RDONLY | O_CLOEXEC);
    CU_ASSERT_EQUAL(fgetxattr(file, "user.note", value, sizeof(value)), 2);
    CU_ASSERT_STRING_EQUAL(value, "hi");
    st = stat_of(&t, "etc");
    CU_ASSERT_EQUAL(st.st_mode, S_IFDIR | 0750);
    CU_ASSERT_EQUAL(st.st_mtim.tv_sec, 500);
    st = stat_of(&t, ".");
    CU_ASSERT_EQUAL(st.st_mode, S_IFDIR | 0711);
    CU_ASSERT_EQUAL(st.st_mtim.tv_sec, 77);
    CU_ASSERT_EQUAL(stat_of(&t, "pipe").st_mode, S_IFIFO | 0622);
    CU_ASSERT_EQUAL(t.opaque.n, 0);
    tree_close(&t);
    op_free(&op);
}

static void test_later_entries_win(void)
{
    static const struct member members[] = {
        {"a",             S_IFREG | 0644, .data = "old"},
        {"a",             S_IFREG | 0600, .data = "new"},
        {"b/c/d",         S_IFREG | 0644},
        {"b", S_IFREG | 0644, .data = "file"             },
        {"l", S_IFLNK | 0777,  "/etc/passwd"},
        {"l", S_IFREG | 0644, .data = "mine"             },
        {"s", S_IFLNK | 0777,      "nowhere"},
        {"s", S_IFDIR | 0755              },
        {"s/in",    S_IFREG | 0644,                  .data = "x"             },
    };
    struct tree t;
    struct op op;

    op_init(&op);
    tree_open(&t);
    CU_ASSERT_EQUAL(unpack(&op, &t, members, ARRAY_LEN(members)), OK);
    CU_ASSERT_TRUE(holds(&t, "a", "new"));
    CU_ASSERT_EQUAL(stat_of(&t, "a").st_mode, S_IFREG | 0600);
    CU_ASSERT_TRUE(holds(&t, "b", "file"));
    CU_ASSERT_TRUE(holds(&t, "l", "mine"));
    CU_ASSERT_TRUE(holds(&t, "s/in", "x"));
    tree_close(&t);
    op_free(&op);
}

static bool is_whiteout(const struct tree *t, const char *path)
{
    struct stat st = stat_of(t, path);

    return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static void test_whiteouts(void)
{
    static const struct member members[] = {
        {"d/.wh.gone",     S_IFREG | 0644},
        {".wh.top",        S_IFREG | 0644},
        {"o/.wh..wh..opq", S_IFREG | 0644},
        {"o/kept",         S_IFREG | 0644, .data = "k"},
        {".wh..wh.plnk",                S_IFREG | 0644                },
        {"here",                S_IFREG | 0644,         .data = "h"},
        {".wh.here",     S_IFREG | 0644          }, /* hides only what lies below */
        {".wh.again",S_IFREG | 0644 },
        {"again",     S_IFDIR | 0755                 }, /* gone, and made anew */
    };
    struct tree t;
    struct op op;

    op_init(&op);
    tree_open(&t);
    CU_ASSERT_EQUAL(unpack(&op, &t, members, ARRAY_LEN(members)), OK);
    CU_ASSERT_TRUE(is_whiteout(&t, "d/gone"));
    CU_ASSERT_TRUE(is_whiteout(&t, "top"));
    CU_ASSERT_TRUE(holds(&t, "o/kept", "k"));
    CU_ASSERT_TRUE(holds(&t, "here", "h"));
    CU_ASSERT_NOT_EQUAL(faccessat(t.root, ".wh..wh.plnk", F_OK, 0), 0);
    CU_ASSERT_NOT_EQUAL(faccessat(t.root, "o/.wh..wh..opq", F_OK, 0), 0);
    CU_ASSERT_EQUAL_FATAL(t.opaque.n, 2);
    CU_ASSERT_STRING_EQUAL(t.opaque.marks[0].path, "o");
    CU_ASSERT_STRING_EQUAL(t.opaque.marks[1].path, "again");
    tree_close(&t);
    op_free(&op);
}

/* What would leave the root, and what must be in the reason. */
static void test_escapes(void)
{
    static const struct {
        struct member members[3];
        const char *why;
    } cases[] = {
        {{{"../evil", S_IFREG | 0644, .data = "x"}},                                              "leaves the root"      },
        {{{"a/../../evil", S_IFREG | 0644, .data = "x"}},                                         "leaves the root"      },
        {{{"/../evil", S_IFREG | 0644, .data = "x"}},                                             "leaves the root"      },
        {{{"l", S_IFLNK | 0777, ".."}, {"l/evil", S_IFREG | 0644, .data = "x"}},                  "leaves the root"      },
        {{{"l", S_IFLNK | 0777, "../../tmp"}, {"l/evil", S_IFDIR | 0755}},                        "leaves the root"      },
        {{{"l", S_IFLNK | 0777, "/../tmp"}, {"l/evil", S_IFREG | 0644}},                          "leaves the root"      },
        {{{"l", S_IFLNK | 0777, "m"}, {"m", S_IFLNK | 0777, "../x"}, {"l/evil", S_IFREG | 0644}},
         "leaves the root"                                                                                               },
        {{{"h", 0, "../../etc/passwd"}},                                                          "leaves the root"      },
        {{{"h", 0, "/etc/passwd"}},                                                               "no file in this layer"},
        {{{"l", S_IFLNK | 0777, "../.."}, {"h", 0, "l/etc/passwd"}},                              "leaves the root"      },
        {{{"h", 0, "nothing"}},                                                                   "no file in this layer"},
        {{{"f", S_IFREG | 0644}, {"f/below", S_IFREG | 0644}},                                    "no folder"            },
        {{{"l", S_IFLNK | 0777, "l"}, {"l/x", S_IFREG | 0644}},                                   "no folder"            },
        {{{"l", S_IFLNK | 0777, "../.."}, {"l/.wh.etc", S_IFREG | 0644}},                         "leaves the root"      },
        {{{"..", S_IFDIR | 0777}},                                                                "leaves the root"      },
        {{{".wh...", S_IFREG | 0644}},                                                            "hides nothing"        },
        {{{".wh.", S_IFREG | 0644}},                                                              "hides nothing"        },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tree t;
        struct op op;
        size_t n = 0;

        while (n < 3 && cases[i].members[n].name)
            n++;
        op_init(&op);
        tree_open(&t);
        CU_ASSERT_EQUAL(unpack(&op, &t, cases[i].members, n), INVALID);
        if (!op.message || !strstr(op.message, cases[i].why)) {
            fprintf(stderr, "case %zu: %s\n", i, op.message ? op.message : "nothing");
            CU_FAIL("another reason");
        }
        CU_ASSERT_NOT_EQUAL(faccessat(t.root, "../evil", F_OK, 0), 0);
        tree_close(&t);
        op_free(&op);
    }
}

static const struct member one[] = {
    {"f", S_IFREG | 0644, .data = "some text that is long enough to be packed, packed, packed"}
};

static void test_packings(void)
{
    struct op op;
    struct bytes tar, half, rest, zeros = {"\0\0\0\0\0", 5};

    op_init(&op);
    tar = make_tar(&op, one, 1);
    half = (struct bytes){tar.data, 700};
    rest = (struct bytes){(const char *)tar.data + 700, tar.len - 700};
    struct bytes good[] = {
        tar,
        gzip(&op, tar),
        zstd(&op, tar),
        join(&op, gzip(&op, half), gzip(&op, rest)),
        join(&op, zstd(&op, half), zstd(&op, rest)),
        join(&op, gzip(&op, tar), zeros),
        join(&op, gzip(&op, tar), gzip(&op, (struct bytes){"", 0})),
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct tree t;

        tree_open(&t);
        CU_ASSERT_EQUAL(unpack_as(&op, &t, good[i], tar, &plenty), OK);
        CU_ASSERT_TRUE(holds(&t, "f", one[0].data));
        tree_close(&t);
    }
    op_free(&op);
}

/* As a pipe brings it, byte by byte. */
static void test_small_pieces(void)
{
    struct op op;
    struct bytes tar, packed[2];

    op_init(&op);
    tar = make_tar(&op, one, 1);
    packed[0] = join(&op, gzip(&op, (struct bytes){tar.data, 9}),
                     gzip(&op, (struct bytes){(const char *)tar.data + 9, tar.len - 9}));
    packed[1] = zstd(&op, tar);
    for (size_t i = 0; i < 2; i++) {
        struct unpack_stream *stream;
        struct bytes piece;
        int pair[2];
        pid_t pid;

        CU_ASSERT_EQUAL_FATAL(pipe2(pair, O_DIRECT | O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
            for (size_t k = 0; k < packed[i].len; k++)
                if (write(pair[1], (const char *)packed[i].data + k, 1) != 1)
                    _exit(1);
            _exit(0);
        }
        close(pair[1]);
        CU_ASSERT_EQUAL(unpack_stream_open(&op, pair[0], "sha256:", 1 << 20, &stream), OK);
        do {
            CU_ASSERT_EQUAL_FATAL(unpack_stream_read(&op, stream, &piece), OK);
        } while (piece.len > 0);
        CU_ASSERT_STRING_EQUAL(unpack_stream_digest(&op, stream),
                               hash_bytes(&op, HASH_SHA256, tar));
        close(pair[0]);
        waitpid(pid, NULL, 0);
    }
    op_free(&op);
}

static void test_damage(void)
{
    struct op op;
    struct bytes tar, gz, zs;
    char *bad;

    op_init(&op);
    tar = make_tar(&op, one, 1);
    gz = gzip(&op, tar);
    zs = zstd(&op, tar);
    bad = arena_memdup(&op.arena, gz.data, gz.len);
    bad[gz.len - 6] ^= 1; /* its checksum */
    struct bytes cases[] = {
        {gz.data,                                                                        gz.len - 9},
        {gz.data,                                                                        gz.len - 1},
        {gz.data,                                                                        gz.len / 2},
        {gz.data,                                                                        3         },
        {zs.data,                                                                        zs.len - 1},
        {zs.data,                                                                        zs.len / 2},
        {bad,                                                                            gz.len    },
        {tar.data,                                                                       600       },
        {"this is no archive at all, but long enough to be looked at as if it were one", 77        },
        join(&op, gz, BYTES("rubbish")),
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tree t;

        tree_open(&t);
        CU_ASSERT_EQUAL(unpack_as(&op, &t, cases[i], tar, &plenty), INVALID);
        op_clear_fault(&op);
        tree_close(&t);
    }
    op_free(&op);
}

static void test_wrong_hash(void)
{
    struct tree t;
    struct op op;
    struct bytes tar;

    op_init(&op);
    tree_open(&t);
    tar = make_tar(&op, one, 1);
    CU_ASSERT_EQUAL(unpack_as(&op, &t, tar, BYTES("other"), &plenty), INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "not what the image's config says"));
    op_clear_fault(&op);
    /* bytes after the archive's end count, too */
    CU_ASSERT_EQUAL(unpack_as(&op, &t, join(&op, tar, BYTES("x")), tar, &plenty), INVALID);
    tree_close(&t);
    op_free(&op);
}

static void test_bombs(void)
{
    static const struct member many[] = {
        {"a", S_IFREG | 0644},
        {"b", S_IFREG | 0644},
        {"c", S_IFREG | 0644},
        {"d", S_IFREG | 0644}
    };
    const struct unpack_limits few = {1 << 20, 3, 0}, small = {4096, 100, 0},
                               full = {1 << 30, 10000, INT64_MAX};
    static char zeros[1 << 20];
    struct tree t;
    struct op op;
    struct bytes tar;

    op_init(&op);
    tree_open(&t);
    tar = make_tar(&op, many, ARRAY_LEN(many));
    CU_ASSERT_EQUAL(unpack_as(&op, &t, tar, tar, &few), INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "more than 3 entries"));
    tar = (struct bytes){zeros, sizeof(zeros)};
    CU_ASSERT_EQUAL(unpack_as(&op, &t, gzip(&op, tar), tar, &small), INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "more than 4096 bytes"));
    tar = make_tar(&op, many, 1);
    CU_ASSERT_EQUAL(unpack_as(&op, &t, tar, tar, &full), UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "no room"));
    tree_close(&t);
    op_free(&op);
}

static void test_deep_trees_go(void)
{
    struct tree t;
    int at;

    tree_open(&t);
    at = dup(t.root);
    for (int i = 0; i < 3000; i++) {
        int next;

        CU_ASSERT_EQUAL_FATAL(mkdirat(at, "d", 0755), 0);
        next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = next;
    }
    close(at);
    tree_close(&t);
}

static void test_clean(void)
{
    static const struct {
        const char *name, *clean;
    } cases[] = {
        {"a",         "a"      },
        {"./a",       "a"      },
        {"/a//b/",    "a/b"    },
        {"a/./b",     "a/b"    },
        {"a/../b",    "b"      },
        {"a/b/../..", ""       },
        {"./",        ""       },
        {"/",         ""       },
        {"...",       "..."    },
        {"..a/b..",   "..a/b.."},
        {"..",        NULL     },
        {"a/../../b", NULL     },
        {"/..",       NULL     },
    };
    char out[PATH_MAX];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct op op;
        enum fault fault;

        op_init(&op);
        fault = unpack_clean(&op, cases[i].name, out);
        CU_ASSERT_EQUAL(fault, cases[i].clean ? OK : INVALID);
        if (fault == OK) {
            CU_ASSERT_STRING_EQUAL(out, cases[i].clean);
        }
        op_free(&op);
    }
}

CU_TestInfo instances_unpack_tests[] = {
    {"entries of all kinds",          test_all_kinds        },
    {"later entries win",             test_later_entries_win},
    {"whiteouts",                     test_whiteouts        },
    {"nothing leaves the root",       test_escapes          },
    {"packings",                      test_packings         },
    {"small pieces",                  test_small_pieces     },
    {"damage is noticed",             test_damage           },
    {"the hash is that of all bytes", test_wrong_hash       },
    {"bombs",                         test_bombs            },
    {"deep trees can be removed",     test_deep_trees_go    },
    {"names are cleaned",             test_clean            },
    CU_TEST_INFO_NULL,
};
