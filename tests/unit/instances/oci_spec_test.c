#include "instances/oci_spec.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instances/oci_user.h"
#include "instances/sandbox_json.h"
#include "instances/seccomp.h"
#include "tests/unit/unit.h"

/* ---- a root file system with users ---- */

static int make_root(struct op *op)
{
    const char *root = arena_printf(&op->arena, "%s/root", unit_folder());
    FILE *file;

    mkdir(root, 0755);
    mkdir(arena_printf(&op->arena, "%s/etc", root), 0755);
    file = fopen(arena_printf(&op->arena, "%s/etc/passwd", root), "w");
    fputs("root:x:0:0:root:/root:/bin/sh\n# comment\nbad\nx:y:z\n"
          "app:x:1000:1001:App:/home/app:/bin/sh\nhomeless:x:7:8::relative:\nbig:x:99999999999:1::/"
          ":\n",
          file);
    fclose(file);
    file = fopen(arena_printf(&op->arena, "%s/etc/group", root), "w");
    fputs("root:x:0:\nwww:x:33:app,other\nmore:x:34:other,app\nnot:x:35:apple\n1234:x:77:", file);
    fclose(file);
    return open(root, O_PATH | O_DIRECTORY);
}

static void test_users(void)
{
    static const struct {
        const char *user;
        int64_t run_as_user, run_as_group;
        enum fault fault;
        int64_t uid, gid;
        size_t n_groups;
        const char *home;
    } cases[] = {
        {"",            -1, -1, OK,      0,    0,    0, "/root"    },
        {"root",        -1, -1, OK,      0,    0,    0, "/root"    },
        {"app",         -1, -1, OK,      1000, 1001, 2, "/home/app"},
        {"1000",        -1, -1, OK,      1000, 1001, 2, "/home/app"},
        {"app:www",     -1, -1, OK,      1000, 33,   0, "/home/app"},
        {"app:5",       -1, -1, OK,      1000, 5,    0, "/home/app"},
        {"5:6",         -1, -1, OK,      5,    6,    0, "/"        },
        {"5",           -1, -1, OK,      5,    0,    0, "/"        },
        {":www",        -1, -1, OK,      0,    33,   0, "/root"    },
        {"root:1234",   -1, -1, OK,      0,    77,   0, "/root"    },
        {"homeless",    -1, -1, OK,      7,    8,    0, "/"        },
        {"app",         5,  -1, OK,      5,    0,    0, "/"        },
        {"app",         -1, 9,  OK,      1000, 9,    0, "/home/app"},
        {"nosuch",      -1, -1, INVALID, 0,    0,    0, ""         },
        {"app:nosuch",  -1, -1, INVALID, 0,    0,    0, ""         },
        {"99999999999", -1, -1, INVALID, 0,    0,    0, ""         },
        {"-1",          -1, -1, INVALID, 0,    0,    0, ""         },
        {"1000x",       -1, -1, INVALID, 0,    0,    0, ""         },
    };
    struct op op;
    int root;

    op_init(&op);
    root = make_root(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct oci_user user;
        enum fault fault = oci_user_find(&op, root, cases[i].user, cases[i].run_as_user,
                                         cases[i].run_as_group, &user);

        CU_ASSERT_EQUAL(fault, cases[i].fault);
        if (fault != OK)
            continue;
        CU_ASSERT_EQUAL(user.uid, cases[i].uid);
        CU_ASSERT_EQUAL(user.gid, cases[i].gid);
        CU_ASSERT_EQUAL(user.n_groups, cases[i].n_groups);
        CU_ASSERT_STRING_EQUAL(user.home, cases[i].home);
    }
    close(root);
    op_free(&op);
}

/* ---- capabilities ---- */

static const char *caps_of(struct op *op, const char *const *add, const char *const *drop,
                           bool privileged, uint64_t held)
{
    struct container_spec spec = {.cap_add = add, .cap_drop = drop, .privileged = privileged};
    const char **list;
    struct text text;

    text_init(&text, &op->arena, 4096);
    if (oci_capabilities(op, &spec, held, &list) != OK)
        return "invalid";
    for (; *list; list++)
        text_printf(&text, "%s ", *list + 4);
    return text.data;
}

#define TEXT_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_capabilities(void)
{
    const uint64_t most = ~(uint64_t)0 & ~((uint64_t)1 << 24); /* no SYS_RESOURCE */
    struct op op;

    op_init(&op);
    CU_ASSERT_STRING_EQUAL(caps_of(&op, NULL, NULL, false, most),
                           "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP "
                           "NET_BIND_SERVICE SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP ");
    CU_ASSERT_STRING_EQUAL(caps_of(&op, TEXT_LIST("CAP_NET_RAW"), TEXT_LIST("ALL"), false, most),
                           "NET_RAW ");
    CU_ASSERT_STRING_EQUAL(caps_of(&op, NULL, TEXT_LIST("all"), false, most), "");
    CU_ASSERT_STRING_EQUAL(caps_of(&op, TEXT_LIST("sys_resource"), TEXT_LIST("ALL"), false, most),
                           "");
    CU_ASSERT_PTR_NULL(strstr(caps_of(&op, NULL, TEXT_LIST("KILL"), false, most), "KILL"));
    CU_ASSERT_PTR_NULL(
        strstr(caps_of(&op, TEXT_LIST("KILL"), TEXT_LIST("KILL"), false, most), "KILL"));
    CU_ASSERT_PTR_NOT_NULL(strstr(caps_of(&op, TEXT_LIST("ALL"), NULL, false, most), "SYS_ADMIN"));
    CU_ASSERT_PTR_NULL(strstr(caps_of(&op, NULL, NULL, true, most), "SYS_RESOURCE"));
    CU_ASSERT_STRING_EQUAL(caps_of(&op, TEXT_LIST("NO_SUCH"), NULL, false, most), "invalid");
    op_free(&op);
}

/* ---- the whole ---- */

static const char *const layers[] = {
    "sha256:0000000000000000000000000000000000000000000000000000000000000000", NULL};

static json_t *config_of(struct op *op, const struct container_spec *spec)
{
    struct oci_context context = {
        .rootfs = "/r", .hostname = "box", .etc = "/e", .cgroup = "/sundog-1/box/app"};
    json_t *config = NULL;

    context.root = make_root(op);
    CU_ASSERT_EQUAL(oci_config(op, spec, &context, &config), OK);
    close(context.root);
    return config;
}

static json_t *at(json_t *json, const char *a, const char *b)
{
    return json_object_get(json_object_get(json, a), b);
}

static bool holds(const json_t *list, const char *text)
{
    size_t i;
    json_t *each;

    json_array_foreach(list, i, each)
    {
        if (strcmp(json_string_value(each), text) == 0)
            return true;
    }
    return false;
}

static const char *const args[] = {"sh", NULL};
static const char *const env[] = {"A=1", "A=2", "PATH=/x", NULL};

static struct container_spec plain(void)
{
    return (struct container_spec){.name = "app",
                                   .layers = layers,
                                   .args = args,
                                   .env = env,
                                   .user = "app",
                                   .run_as_user = -1,
                                   .run_as_group = -1,
                                   .memory_bytes = 1 << 20,
                                   .cpu_millis = 500,
                                   .pids = 9};
}

static void test_config(void)
{
    struct container_spec spec = plain();
    json_t *config, *limits;
    struct op op;

    op_init(&op);
    config = config_of(&op, &spec);
    CU_ASSERT_TRUE(holds(at(config, "process", "env"), "A=2"));
    CU_ASSERT_FALSE(holds(at(config, "process", "env"), "A=1"));
    CU_ASSERT_TRUE(holds(at(config, "process", "env"), "PATH=/x"));
    CU_ASSERT_TRUE(holds(at(config, "process", "env"), "HOME=/home/app"));
    CU_ASSERT_TRUE(holds(at(config, "process", "env"), "HOSTNAME=box"));
    CU_ASSERT_EQUAL(json_array_size(at(at(config, "process", "capabilities"), "effective", "")), 0);
    limits = at(config, "linux", "resources");
    CU_ASSERT_EQUAL(json_integer_value(at(limits, "memory", "limit")), 1 << 20);
    CU_ASSERT_EQUAL(json_integer_value(at(limits, "memory", "swap")), 1 << 20);
    CU_ASSERT_EQUAL(json_integer_value(at(limits, "cpu", "quota")), 50000);
    CU_ASSERT_EQUAL(json_integer_value(at(limits, "pids", "limit")), 9);
    CU_ASSERT_STRING_EQUAL(json_string_value(at(config, "linux", "cgroupsPath")),
                           "/sundog-1/box/app");
    CU_ASSERT_PTR_NOT_NULL(at(config, "linux", "seccomp"));
    CU_ASSERT_PTR_NOT_NULL(at(config, "linux", "maskedPaths"));
    op_free(&op);
}

static void test_config_privileged(void)
{
    struct container_spec spec = plain();
    struct op op;
    json_t *config;

    op_init(&op);
    spec.privileged = true;
    spec.user = "";
    config = config_of(&op, &spec);
    CU_ASSERT_PTR_NULL(at(config, "linux", "seccomp"));
    CU_ASSERT_PTR_NULL(at(config, "linux", "maskedPaths"));
    op_free(&op);
}

/* ---- seccomp ---- */

static bool allows(const json_t *profile, const char *name)
{
    size_t i;
    json_t *rule;

    json_array_foreach(json_object_get(profile, "syscalls"), i, rule)
    {
        if (holds(json_object_get(rule, "names"), name) && !json_object_get(rule, "args"))
            return strcmp(json_string_value(json_object_get(rule, "action")), "SCMP_ACT_ALLOW") ==
                   0;
    }
    return false;
}

static void test_seccomp_default(void)
{
    json_t *few = seccomp_default(TEXT_LIST("CAP_CHOWN"));
    json_t *many = seccomp_default(TEXT_LIST("CAP_SYS_ADMIN", "CAP_SYS_TIME"));

    CU_ASSERT_TRUE(allows(few, "openat") && allows(few, "execve") && allows(few, "waitpid"));
    CU_ASSERT_FALSE(allows(few, "mount") || allows(few, "unshare") || allows(few, "bpf") ||
                    allows(few, "clone3") || allows(few, "keyctl") || allows(few, "kexec_load") ||
                    allows(few, "clock_settime") || allows(few, "init_module"));
    CU_ASSERT_TRUE(allows(many, "mount") && allows(many, "clone3") &&
                   allows(many, "clock_settime"));
    CU_ASSERT_FALSE(allows(many, "kexec_load") || allows(many, "init_module"));
    json_decref(few);
    json_decref(many);
}

static void test_seccomp_given(void)
{
    json_t *profile = NULL;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(seccomp_given(&op,
                                  "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\","
                                  "\"listenerMetadata\":\"y\",\"syscalls\":[]}",
                                  &profile),
                    OK);
    CU_ASSERT_PTR_NULL(json_object_get(profile, "listenerPath"));
    CU_ASSERT_PTR_NULL(json_object_get(profile, "listenerMetadata"));
    CU_ASSERT_PTR_NOT_NULL(json_object_get(profile, "syscalls"));
    json_decref(profile);
    CU_ASSERT_EQUAL(seccomp_given(&op, "[]", &profile), INVALID);
    CU_ASSERT_EQUAL(seccomp_given(&op, "{", &profile), INVALID);
    op_free(&op);
}

CU_TestInfo instances_oci_spec_tests[] = {
    {"users",               test_users            },
    {"capabilities",        test_capabilities     },
    {"config",              test_config           },
    {"config, privileged",  test_config_privileged},
    {"the default's calls", test_seccomp_default  },
    {"a profile that came", test_seccomp_given    },
    CU_TEST_INFO_NULL,
};
