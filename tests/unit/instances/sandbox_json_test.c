#include "instances/sandbox_json.h"

#include <string.h>

#include "core/json.h"
#include "instances/sandbox_pod.h"
#include "tests/unit/unit.h"

#define TEXT_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char diff_id[] =
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* ---- there and back ---- */

static void test_sandbox_returns(void)
{
    const struct volume_file files[] = {
        {"a/b",   {"\0\377z", 3}, 0600},
        {"empty", {"", 0},        0   }
    };
    const struct volume_spec volumes[] = {
        {.name = "files", .kind = VOLUME_FILES, .files = files,    .n_files = 2 },
        {.name = "s",     .kind = VOLUME_SHARE, .account = "acct", .share = "sh"}
    };
    const struct sandbox_address addresses[] = {
        {"10.1.2.3", 17, true}
    };
    const struct sandbox_port ports[] = {
        {53, true}
    };
    const struct host_entry hosts[] = {
        {"10.1.1.1", "db db.test"}
    };
    const struct sandbox_spec spec = {.id = "web-1",
                                      .hostname = "web",
                                      .bridge = "sd123456",
                                      .gateway = "10.1.0.1",
                                      .addresses = addresses,
                                      .n_addresses = 1,
                                      .ports = ports,
                                      .n_ports = 1,
                                      .nameservers = TEXT_LIST("10.1.0.1"),
                                      .hosts = hosts,
                                      .n_hosts = 1,
                                      .memory_bytes = 1 << 20,
                                      .volumes = volumes,
                                      .n_volumes = 2};
    struct sandbox_spec back = {0};
    json_t *json = NULL;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(sandbox_spec_write(&op, &spec, &json), OK);
    CU_ASSERT_EQUAL(sandbox_spec_read(&op, json, &back), OK);
    CU_ASSERT_STRING_EQUAL(back.bridge, "sd123456");
    CU_ASSERT_STRING_EQUAL(back.addresses[0].address, "10.1.2.3");
    CU_ASSERT_TRUE(back.addresses[0].closed && back.ports[0].udp);
    CU_ASSERT_EQUAL(back.ports[0].port, 53);
    CU_ASSERT_STRING_EQUAL(back.hosts[0].names, "db db.test");
    CU_ASSERT_EQUAL(back.volumes[0].files[0].content.len, 3);
    CU_ASSERT_EQUAL(memcmp(back.volumes[0].files[0].content.data, "\0\377z", 3), 0);
    CU_ASSERT_EQUAL(back.volumes[0].files[0].mode, 0600);
    CU_ASSERT_EQUAL(back.volumes[0].files[1].content.len, 0);
    CU_ASSERT_STRING_EQUAL(back.volumes[1].account, "acct");
    op_free(&op);
}

static void test_pod_returns(void)
{
    const struct sandbox_sysctl sysctls[] = {
        {"kernel.shm_rmid_forced", "1"}
    };
    const struct pod_spec pod = {.cluster = "c1",
                                 .node = "aks-pool-1.x",
                                 .host_network = true,
                                 .share_processes = true,
                                 .hosts_file = "# managed\n",
                                 .sysctls = sysctls,
                                 .n_sysctls = 1};
    const struct volume_spec volumes[] = {
        {.name = "h", .kind = VOLUME_NODE, .path = "/var/log/", .path_type = "Directory"},
        {.name = "e",           .kind = VOLUME_EMPTY,                    .fs_group = 7        }
    };
    const struct sandbox_spec spec = {.id = "p",
                                      .hostname = "p",
                                      .pod = &pod,
                                      .cpu_shares = 102,
                                      .volumes = volumes,
                                      .n_volumes = 2};
    struct sandbox_spec back = {0};
    json_t *json = NULL;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(sandbox_spec_write(&op, &spec, &json), OK);
    CU_ASSERT_EQUAL_FATAL(sandbox_spec_read(&op, json, &back), OK);
    CU_ASSERT_STRING_EQUAL(back.pod->cluster, "c1");
    CU_ASSERT_STRING_EQUAL(back.pod->node, "aks-pool-1.x");
    CU_ASSERT_TRUE(back.pod->host_network && back.pod->share_processes);
    CU_ASSERT_STRING_EQUAL(back.pod->hosts_file, "# managed\n");
    CU_ASSERT_STRING_EQUAL(back.pod->sysctls[0].value, "1");
    CU_ASSERT_EQUAL(back.cpu_shares, 102);
    CU_ASSERT_STRING_EQUAL(back.volumes[0].path, "/var/log/");
    CU_ASSERT_STRING_EQUAL(back.volumes[0].path_type, "Directory");
    CU_ASSERT_EQUAL(back.volumes[1].fs_group, 7);
    op_free(&op);
}

static void test_pods_refused(void)
{
    static const struct {
        const char *pod;
        enum fault fault;
    } cases[] = {
        {"{}",                                                                            INVALID},
        {"{\"cluster\":\"../x\"}",                                                        INVALID},
        {"{\"cluster\":\"c\",\"node\":\"..\"}",                                           INVALID},
        {"{\"cluster\":\"c\",\"node\":\"a/b\"}",                                          INVALID},
        {"{\"cluster\":\"c\",\"sysctls\":[{\"name\":\"kernel.panic\",\"value\":\"1\"}]}",
         FORBIDDEN                                                                               },
        {"{\"cluster\":\"c\",\"node\":\"n\"}",                                            OK     },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sandbox_spec spec;
        json_t *json = NULL;
        struct op op;

        op_init(&op);
        CU_ASSERT_EQUAL_FATAL(
            json_parse(&op,
                       BYTES(arena_printf(&op.arena, "{\"id\":\"p\",\"hostname\":\"p\",\"pod\":%s}",
                                          cases[i].pod)),
                       &json),
            OK);
        CU_ASSERT_EQUAL(sandbox_spec_read(&op, json, &spec), cases[i].fault);
        op_free(&op);
    }
}

static void test_container_returns(void)
{
    const struct mount_spec mounts[] = {
        {"files", "/etc/x", "a/b", true}
    };
    const struct container_spec spec = {.name = "app",
                                        .attempt = 3,
                                        .layers = TEXT_LIST(diff_id),
                                        .args = TEXT_LIST("sh", "-c", ""),
                                        .env = TEXT_LIST("A=ä"),
                                        .user = "app",
                                        .run_as_user = -1,
                                        .run_as_group = 7,
                                        .cap_add = TEXT_LIST("NET_RAW"),
                                        .mounts = mounts,
                                        .n_mounts = 1};
    struct container_spec back = {0}, bad = spec;
    json_t *json = NULL;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(container_spec_write(&op, &spec, &json), OK);
    CU_ASSERT_EQUAL(container_spec_read(&op, json, &back), OK);
    CU_ASSERT_EQUAL(back.attempt, 3);
    CU_ASSERT_STRING_EQUAL(back.args[2], "");
    CU_ASSERT_EQUAL(back.run_as_user, -1);
    CU_ASSERT_EQUAL(back.run_as_group, 7);
    CU_ASSERT_STRING_EQUAL(back.mounts[0].sub_path, "a/b");
    CU_ASSERT_TRUE(back.mounts[0].read_only);
    bad.env = TEXT_LIST("A=\xff");
    CU_ASSERT_EQUAL(container_spec_write(&op, &bad, &json), INVALID);
    op_free(&op);
}

/* ---- what root does not believe ---- */

static enum fault read_sandbox(struct op *op, const char *members)
{
    struct sandbox_spec spec;
    json_t *json;

    CU_ASSERT_EQUAL(
        json_parse(op, BYTES(arena_printf(&op->arena, "{\"hostname\":\"h\"%s}", members)), &json),
        OK);
    return sandbox_spec_read(op, json, &spec);
}

static void test_bad_sandboxes(void)
{
    static const char *const cases[] = {
        "",
        ",\"id\":\"../x\"",
        ",\"id\":\"a/b\"",
        ",\"id\":\".\"",
        ",\"id\":\"\"",
        ",\"id\":\"-a\"",
        ",\"id\":\"A\"",
        ",\"id\":\"a\",\"hostname2\":1,\"bridge\":\"../x\"",
        ",\"id\":\"a\",\"gateway\":\"1.2.3\"",
        ",\"id\":\"a\",\"memoryBytes\":-1",
        ",\"id\":\"a\",\"ports\":[{\"port\":0}]",
        ",\"id\":\"a\",\"ports\":[{}]",
        ",\"id\":\"a\",\"ports\":{}",
        ",\"id\":\"a\",\"addresses\":[{\"address\":\"x\"}]",
        ",\"id\":\"a\",\"nameservers\":[\"1.1.1.1\\nnameserver 2.2.2.2\"]",
        ",\"id\":\"a\",\"hosts\":[{\"address\":\"1.1.1.1\",\"names\":\"a\\nb\"}]",
        ",\"id\":\"a\",\"volumes\":[{\"name\":\"v\"}]",
        ",\"id\":\"a\",\"volumes\":[{\"name\":\"../v\",\"kind\":0}]",
        ",\"id\":\"a\",\"volumes\":[{\"name\":\"v\",\"kind\":9}]",
        ",\"id\":\"a\",\"volumes\":[{\"name\":\"v\",\"kind\":3,\"account\":\"..\",\"share\":\"s\"}"
        "]",
        ",\"id\":\"a\",\"volumes\":[{\"name\":\"v\",\"kind\":3,\"account\":\"a\"}]",
        ",\"id\":\"a\",\"volumes\":[{\"name\":\"v\",\"kind\":2,\"files\":[{\"path\":\"../x\","
        "\"content\":\"\"}]}]",
        ",\"id\":\"a\",\"volumes\":[{\"name\":\"v\",\"kind\":2,\"files\":[{\"path\":\"/x\","
        "\"content\":\"\"}]}]",
        ",\"id\":\"a\",\"volumes\":[{\"name\":\"v\",\"kind\":2,\"files\":[{\"path\":\"x\","
        "\"content\":\"!\"}]}]",
        ",\"id\":\"a\",\"volumes\":[7]",
    };
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CU_ASSERT_EQUAL(read_sandbox(&op, cases[i]), INVALID);
    }
    CU_ASSERT_EQUAL(read_sandbox(&op, ",\"id\":\"a\""), OK);
    op_free(&op);
}

static void test_bad_containers(void)
{
    static const char *const cases[] = {
        "\"name\":\"a\",\"args\":[\"x\"]",
        "\"name\":\"a\",\"args\":[\"x\"],\"layers\":[]",
        "\"name\":\"a\",\"args\":[\"x\"],\"layers\":[\"../../etc\"]",
        "\"name\":\"a\",\"args\":[\"x\"],\"layers\":[\"sha256:abc\"]",
        "\"name\":\"a\",\"args\":[],\"layers\":[\"%s\"]",
        "\"name\":\"a-\",\"args\":[\"x\"],\"layers\":[\"%s\"]",
        "\"name\":\"a.b\",\"args\":[\"x\"],\"layers\":[\"%s\"]",
        "\"name\":\"a\",\"args\":[\"x\"],\"layers\":[\"%s\"],\"attempt\":-1",
        "\"name\":\"a\",\"args\":[\"x\"],\"layers\":[\"%s\"],\"privileged\":\"yes\"",
        "\"name\":\"a\",\"args\":[\"x\"],\"layers\":[\"%s\"],\"runAsUser\":-2",
        "\"name\":\"a\",\"args\":[\"x\"],\"layers\":[\"%s\"],\"mounts\":[{\"volume\":\"v\","
        "\"path\":\"x\"}]",
        "\"name\":\"a\",\"args\":[\"x\"],\"layers\":[\"%s\"],\"mounts\":[{\"volume\":\"v\","
        "\"path\":\"/x\",\"subPath\":\"a/../b\"}]",
        "\"name\":\"a\",\"args\":[\"x\"],\"layers\":[\"%s\"],\"mounts\":[{\"volume\":\"v\","
        "\"path\":\"/x\",\"subPath\":\"/a\"}]",
    };
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *percent = strstr(cases[i], "%s");
        struct container_spec spec;
        struct text text;
        json_t *json;

        text_init(&text, &op.arena, 4096);
        text_str(&text, "{");
        text_add(&text, cases[i], percent ? (size_t)(percent - cases[i]) : strlen(cases[i]));
        text_str(&text, percent ? diff_id : "");
        text_str(&text, percent ? percent + 2 : "");
        text_str(&text, "}");
        CU_ASSERT_EQUAL(json_parse(&op, text_bytes(&text), &json), OK);
        CU_ASSERT_EQUAL(container_spec_read(&op, json, &spec), INVALID);
    }
    op_free(&op);
}

CU_TestInfo instances_sandbox_json_tests[] = {
    {"a pod, there and back",  test_pod_returns      },
    {"pods that are refused",  test_pods_refused     },
    {"a sandbox comes back",   test_sandbox_returns  },
    {"a container comes back", test_container_returns},
    {"bad sandboxes",          test_bad_sandboxes    },
    {"bad containers",         test_bad_containers   },
    CU_TEST_INFO_NULL,
};
