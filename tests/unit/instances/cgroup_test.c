#include "instances/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* ---- recorded: the mounts of three machines ---- */

static const char v2[] =
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    "25 22 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
    "30 25 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 "
    "rw,nsdelegate,memory_recursiveprot\n";
static const char v1[] =
    "29 25 0:25 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:8 - tmpfs tmpfs ro,mode=755\n"
    "31 29 0:27 / /sys/fs/cgroup/systemd rw shared:10 - cgroup cgroup rw,xattr,name=systemd\n"
    "33 29 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 - cgroup cgroup rw,cpu,cpuacct\n"
    "34 29 0:30 / /sys/fs/cgroup/memory rw shared:13 - cgroup cgroup rw,memory\n"
    "35 29 0:31 / /sys/fs/cgroup/pids rw shared:14 - cgroup cgroup rw,pids\n"
    "36 29 0:32 / /sys/fs/cgroup/freezer rw shared:15 - cgroup cgroup rw,freezer\n";
static const char hybrid[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n"
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n"
    "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

static void test_mounts(void)
{
    struct cgroups cg;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(cgroups_parse(&op, v2, "", &cg), OK);
    CU_ASSERT_TRUE(cg.v2);
    CU_ASSERT_STRING_EQUAL(cg.memory, "/sys/fs/cgroup");
    CU_ASSERT_EQUAL(cg.n_trees, 1);
    CU_ASSERT_PTR_NULL(cg.hidden);

    CU_ASSERT_EQUAL(cgroups_parse(&op, v1, "", &cg), OK);
    CU_ASSERT_FALSE(cg.v2);
    CU_ASSERT_STRING_EQUAL(cg.cpu, "/sys/fs/cgroup/cpu,cpuacct");
    CU_ASSERT_STRING_EQUAL(cg.cpuacct, "/sys/fs/cgroup/cpu,cpuacct");
    CU_ASSERT_STRING_EQUAL(cg.freezer, "/sys/fs/cgroup/freezer");
    CU_ASSERT_EQUAL(cg.n_trees, 5);
    CU_ASSERT_PTR_NULL(cg.hidden);

    CU_ASSERT_EQUAL(cgroups_parse(&op, hybrid, "/prefix", &cg), OK);
    CU_ASSERT_FALSE(cg.v2);
    CU_ASSERT_STRING_EQUAL(cg.cpu, "/prefix/sys/fs/cgroup/cpu");
    CU_ASSERT_STRING_EQUAL(cg.cpuacct, "/prefix/sys/fs/cgroup/cpuacct");
    CU_ASSERT_STRING_EQUAL(cg.hidden, "/prefix/sys/fs/cgroup/unified");
    CU_ASSERT_EQUAL(cg.n_trees, 6);
    op_free(&op);
}

static void test_mounts_that_lack(void)
{
    static const struct {
        const char *mountinfo, *lacks;
    } cases[] = {
        {"",                                                         "memory"  },
        {"1 2 0:1 / /c rw - cgroup cgroup rw,memory\n",              "cpu"     },
        {"1 2 0:1 / /c rw - cgroup cgroup rw,memory,cpu\n",          "pids"    },
        {"1 2 0:1 / /c rw - cgroup cgroup rw,memory,cpu,pids\n",     "freezing"},
        {"garbage\n- - -\n1 2 - cgroup\n\n1 2 3 4 5 6 - cgroup x\n", "memory"  },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cgroups cg;
        struct op op;

        op_init(&op);
        CU_ASSERT_EQUAL(cgroups_parse(&op, cases[i].mountinfo, "", &cg), UNSUPPORTED);
        CU_ASSERT_PTR_NOT_NULL(strstr(op.message, cases[i].lacks));
        op_free(&op);
    }
}

/* ---- trees as the kernel shows them ---- */

static const char *root; /* of the test's trees */

static void put(struct op *op, const char *path, const char *content)
{
    char *name = arena_printf(&op->arena, "%s%s", root, path);
    FILE *file;

    for (char *slash = strchr(name + strlen(root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(name, 0755);
        *slash = '/';
    }
    file = fopen(name, "w");
    if (!file) {
        CU_FAIL("no file");
        return;
    }
    fputs(content, file);
    fclose(file);
}

static const char *get(struct op *op, const char *path)
{
    char *text = arena_alloc(&op->arena, 256);
    FILE *file = fopen(arena_printf(&op->arena, "%s%s", root, path), "r");

    if (file && !fgets(text, 256, file))
        text[0] = '\0';
    if (file)
        fclose(file);
    return text;
}

static const struct cgroup_limits limits = {16777216, 250, 64};

static void test_v2_tree(void)
{
    struct container_stats stats = {0};
    struct cgroups cg;
    struct op op;

    op_init(&op);
    root = arena_printf(&op.arena, "%s/v2", unit_folder());
    mkdir(root, 0755);
    CU_ASSERT_EQUAL(cgroups_parse(&op, v2, root, &cg), OK);
    put(&op, "/sys/fs/cgroup/s/cgroup.subtree_control", "cpu memory pids\n");
    put(&op, "/sys/fs/cgroup/s/web/cgroup.subtree_control", "cpu memory pids\n");
    put(&op, "/sys/fs/cgroup/s/web/memory.max", "max\n");
    put(&op, "/sys/fs/cgroup/s/web/memory.swap.max", "max\n");
    put(&op, "/sys/fs/cgroup/s/web/cpu.max", "max 100000\n");
    put(&op, "/sys/fs/cgroup/s/web/pids.max", "max\n");
    put(&op, "/sys/fs/cgroup/s/web/memory.events", "low 0\nmax 20\noom 1\noom_kill 0\n");
    put(&op, "/sys/fs/cgroup/s/web/memory.current", "4096\n");
    put(&op, "/sys/fs/cgroup/s/web/memory.stat", "anon 1024\nfile 3072\ninactive_file 1096\n");
    put(&op, "/sys/fs/cgroup/s/web/cpu.stat", "usage_usec 123\nuser_usec 100\n");
    put(&op, "/sys/fs/cgroup/s/web/pids.current", "3\n");
    put(&op, "/sys/fs/cgroup/s/web/cgroup.events", "populated 0\nfrozen 0\n");
    CU_ASSERT_EQUAL(cgroup_make(&op, &cg, "/s/web", &limits), OK);
    CU_ASSERT_STRING_EQUAL(get(&op, "/sys/fs/cgroup/s/web/memory.max"), "16777216");
    CU_ASSERT_EQUAL(strncmp(get(&op, "/sys/fs/cgroup/s/web/memory.swap.max"), "0", 1), 0);
    CU_ASSERT_STRING_EQUAL(get(&op, "/sys/fs/cgroup/s/web/cpu.max"), "25000 100000");
    CU_ASSERT_EQUAL(strncmp(get(&op, "/sys/fs/cgroup/s/web/pids.max"), "64", 2), 0);
    CU_ASSERT_FALSE(cgroup_oom_killed(&op, &cg, "/s/web"));
    put(&op, "/sys/fs/cgroup/s/web/memory.events", "low 0\nmax 20\noom 1\noom_kill 2\n");
    CU_ASSERT_TRUE(cgroup_oom_killed(&op, &cg, "/s/web"));
    CU_ASSERT_EQUAL(cgroup_stats(&op, &cg, "/s/web", &stats), OK);
    CU_ASSERT_EQUAL(stats.memory_bytes, 4096);
    CU_ASSERT_EQUAL(stats.working_set_bytes, 3000);
    CU_ASSERT_EQUAL(stats.cpu_us, 123);
    CU_ASSERT_EQUAL(stats.pids, 3);
    CU_ASSERT_EQUAL(cgroup_kill(&op, &cg, "/s/web"), OK);
    CU_ASSERT_EQUAL(cgroup_stats(&op, &cg, "/s/other", &stats), NOT_FOUND);
    op_free(&op);
}

static void test_v1_tree(void)
{
    struct container_stats stats = {0};
    struct cgroups cg;
    struct op op;

    op_init(&op);
    root = arena_printf(&op.arena, "%s/v1", unit_folder());
    mkdir(root, 0755);
    CU_ASSERT_EQUAL(cgroups_parse(&op, hybrid, root, &cg), OK);
    put(&op, "/sys/fs/cgroup/memory/s/web/memory.limit_in_bytes", "9223372036854771712\n");
    put(&op, "/sys/fs/cgroup/memory/s/web/memory.memsw.limit_in_bytes", "9223372036854771712\n");
    put(&op, "/sys/fs/cgroup/memory/s/web/memory.usage_in_bytes", "8192\n");
    put(&op, "/sys/fs/cgroup/memory/s/web/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    put(&op, "/sys/fs/cgroup/cpu/s/web/cpu.cfs_period_us", "100000\n");
    put(&op, "/sys/fs/cgroup/cpu/s/web/cpu.cfs_quota_us", "-1\n");
    put(&op, "/sys/fs/cgroup/cpuacct/s/web/cpuacct.usage", "5000000\n");
    put(&op, "/sys/fs/cgroup/pids/s/web/pids.max", "max\n");
    put(&op, "/sys/fs/cgroup/pids/s/web/pids.current", "7\n");
    put(&op, "/sys/fs/cgroup/freezer/s/web/cgroup.procs", "");
    CU_ASSERT_EQUAL(cgroup_make(&op, &cg, "/s/web", &limits), OK);
    CU_ASSERT_EQUAL(
        strncmp(get(&op, "/sys/fs/cgroup/memory/s/web/memory.limit_in_bytes"), "16777216", 8), 0);
    CU_ASSERT_EQUAL(
        strncmp(get(&op, "/sys/fs/cgroup/memory/s/web/memory.memsw.limit_in_bytes"), "16777216", 8),
        0);
    CU_ASSERT_STRING_EQUAL(get(&op, "/sys/fs/cgroup/cpu/s/web/cpu.cfs_quota_us"), "25000");
    CU_ASSERT_TRUE(cgroup_oom_killed(&op, &cg, "/s/web"));
    CU_ASSERT_EQUAL(cgroup_stats(&op, &cg, "/s/web", &stats), OK);
    CU_ASSERT_EQUAL(stats.memory_bytes, 8192);
    CU_ASSERT_EQUAL(stats.cpu_us, 5000);
    CU_ASSERT_EQUAL(stats.pids, 7);
    CU_ASSERT_EQUAL(cgroup_kill(&op, &cg, "/s/web"), OK);
    op_free(&op);
}

/* Folders alone, as the kernel's are once its files are not counted. */
static void test_remove(void)
{
    struct cgroups cg;
    struct op op;

    op_init(&op);
    root = arena_printf(&op.arena, "%s/gone", unit_folder());
    mkdir(root, 0755);
    CU_ASSERT_EQUAL(cgroups_parse(&op, hybrid, root, &cg), OK);
    put(&op, "/sys/fs/cgroup/memory/s/web/app/x", "");
    put(&op, "/sys/fs/cgroup/pids/s/web/x", "");
    unlink(arena_printf(&op.arena, "%s/sys/fs/cgroup/memory/s/web/app/x", root));
    unlink(arena_printf(&op.arena, "%s/sys/fs/cgroup/pids/s/web/x", root));
    CU_ASSERT_EQUAL(cgroup_remove(&op, &cg, "/s/web"), OK);
    CU_ASSERT_NOT_EQUAL(
        access(arena_printf(&op.arena, "%s/sys/fs/cgroup/memory/s/web", root), F_OK), 0);
    CU_ASSERT_EQUAL(access(arena_printf(&op.arena, "%s/sys/fs/cgroup/memory/s", root), F_OK), 0);
    CU_ASSERT_EQUAL(cgroup_remove(&op, &cg, "/s/web"), OK);
    op_free(&op);
}

CU_TestInfo instances_cgroup_tests[] = {
    {"mounts",           test_mounts          },
    {"mounts that lack", test_mounts_that_lack},
    {"a v2 tree",        test_v2_tree         },
    {"a v1 tree",        test_v1_tree         },
    {"remove",           test_remove          },
    CU_TEST_INFO_NULL,
};
