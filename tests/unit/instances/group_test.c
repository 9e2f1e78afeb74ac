#include "instances/group.h"

#include <string.h>

#include "core/json.h"
#include "instances/event.h"
#include "instances/group_run.h"
#include "instances/network.h"
#include "tests/unit/unit.h"

/* ---- when it is started again ---- */

static void test_policies(void)
{
    static const struct {
        enum restart_policy policy;
        bool init;
        int64_t exit_code, delay;
    } cases[] = {
        {RESTART_ALWAYS,     false, 0, 0 },
        {RESTART_ALWAYS,     false, 1, 0 },
        {RESTART_ON_FAILURE, false, 0, -1},
        {RESTART_ON_FAILURE, false, 1, 0 },
        {RESTART_NEVER,      false, 0, -1},
        {RESTART_NEVER,      false, 1, -1},
        {RESTART_ALWAYS,     true,  0, -1},
        {RESTART_ALWAYS,     true,  1, 0 },
        {RESTART_NEVER,      true,  1, -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t failures = 0;

        CU_ASSERT_EQUAL(
            group_restart_delay_s(cases[i].policy, cases[i].init, cases[i].exit_code, 0, &failures),
            cases[i].delay);
        CU_ASSERT_EQUAL(failures, cases[i].delay < 0 ? 0 : 1);
    }
}

static void test_back_off(void)
{
    static const int64_t delays[] = {0, 10, 20, 40, 80, 160, 300, 300};
    int64_t failures = 0;

    for (size_t i = 0; i < ARRAY_LEN(delays); i++)
        CU_ASSERT_EQUAL(group_restart_delay_s(RESTART_ALWAYS, false, 1, 1000, &failures),
                        delays[i]);
    /* ten minutes of running are a new begin */
    CU_ASSERT_EQUAL(group_restart_delay_s(RESTART_ALWAYS, false, 1, INT64_C(600000000), &failures),
                    0);
    CU_ASSERT_EQUAL(group_restart_delay_s(RESTART_ALWAYS, false, 1, 1000, &failures), 10);
}

/* ---- what a group is, by its containers ---- */

#define INIT(s, code, n)                                                                           \
    {                                                                                              \
        .init = true, .state = s, .exit_code = code, .starts = n                                   \
    }
#define MAIN(s, code, n)                                                                           \
    {                                                                                              \
        .state = s, .exit_code = code, .starts = n                                                 \
    }

static void test_states(void)
{
    static struct {
        enum restart_policy policy;
        size_t n;
        struct container_row rows[3];
        enum group_state state;
    } cases[] = {
        {RESTART_ALWAYS,     1, {MAIN(SHOW_WAITING, 0, 0)},                                 GROUP_PENDING  },
        {RESTART_ALWAYS,     1, {MAIN(SHOW_RUNNING, 0, 1)},                                 GROUP_RUNNING  },
        {RESTART_ALWAYS,     1, {MAIN(SHOW_WAITING, 0, 1)},                                 GROUP_RUNNING  },
        {RESTART_ON_FAILURE, 1, {MAIN(SHOW_TERMINATED, 0, 1)},                              GROUP_SUCCEEDED},
        {RESTART_NEVER,      1, {MAIN(SHOW_TERMINATED, 3, 1)},                              GROUP_FAILED   },
        {RESTART_NEVER,      2, {MAIN(SHOW_TERMINATED, 0, 1), MAIN(SHOW_RUNNING, 0, 1)},    GROUP_RUNNING  },
        {RESTART_NEVER,
         2,                     {MAIN(SHOW_TERMINATED, 0, 1), MAIN(SHOW_TERMINATED, 1, 1)},
         GROUP_FAILED                                                                                      },
        {RESTART_NEVER,      2, {INIT(SHOW_RUNNING, 0, 1), MAIN(SHOW_WAITING, 0, 0)},       GROUP_PENDING  },
        {RESTART_NEVER,      2, {INIT(SHOW_TERMINATED, 0, 1), MAIN(SHOW_WAITING, 0, 0)},    GROUP_PENDING  },
        {RESTART_NEVER,      2, {INIT(SHOW_TERMINATED, 0, 1), MAIN(SHOW_RUNNING, 0, 1)},    GROUP_RUNNING  },
        {RESTART_NEVER,      2, {INIT(SHOW_TERMINATED, 9, 1), MAIN(SHOW_WAITING, 0, 0)},    GROUP_FAILED   },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct container_group g = {.containers = cases[i].rows, .n_containers = cases[i].n};

        CU_ASSERT_EQUAL(group_state_of(&g, cases[i].policy), cases[i].state);
    }
}

/* ---- the document ---- */

static const char document[] =
    "{\"properties\":{\"restartPolicy\":\"OnFailure\",\"containers\":[{\"name\":\"a\","
    "\"properties\":{\"image\":\"x\",\"command\":[\"/bin/sh\",\"-c\",\"hi\"],"
    "\"environmentVariables\":[{\"name\":\"A\",\"value\":\"1\"},"
    "{\"name\":\"S\",\"secureValue\":\"two=2\"}],"
    "\"resources\":{\"requests\":{\"cpu\":0.5,\"memoryInGB\":0.5},\"limits\":{\"cpu\":2}},"
    "\"volumeMounts\":[{\"name\":\"s\",\"mountPath\":\"/s\"}],"
    "\"livenessProbe\":{\"exec\":{\"command\":[\"true\"]},\"periodSeconds\":3}}},"
    "{\"name\":\"b\",\"properties\":{\"image\":\"y\",\"command\":[]}}],"
    "\"initContainers\":[{\"name\":\"i\",\"properties\":{\"image\":\"z\"}}],"
    "\"volumes\":[{\"name\":\"s\",\"azureFile\":{\"shareName\":\"sh\","
    "\"storageAccountName\":\"ac\",\"storageAccountKey\":\"k\",\"readOnly\":true}},"
    "{\"name\":\"f\",\"secret\":{\"file\":\"aGk=\"}}],"
    "\"imageRegistryCredentials\":[{\"server\":\"r\",\"username\":\"u\",\"password\":\"p\"}],"
    "\"ipAddress\":{\"type\":\"Public\",\"ports\":[{\"port\":53,\"protocol\":\"UDP\"}]},"
    "\"dnsConfig\":{\"nameServers\":[\"192.0.2.1\"],\"searchDomains\":\"a.test  b.test\"}}}";

static void test_spec(void)
{
    struct group_spec spec;
    json_t *json;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(json_parse(&op, BYTES(document), &json), OK);
    CU_ASSERT_EQUAL_FATAL(group_spec_read(&op, json, &spec), OK);
    CU_ASSERT_EQUAL(spec.restart, RESTART_ON_FAILURE);
    CU_ASSERT_EQUAL_FATAL(spec.n_containers, 3);
    CU_ASSERT_TRUE(spec.containers[0].init);
    CU_ASSERT_STRING_EQUAL(spec.containers[1].env[1], "S=two=2");
    CU_ASSERT_STRING_EQUAL(spec.containers[1].command[2], "hi");
    CU_ASSERT_PTR_NULL(spec.containers[2].command); /* an empty one is none */
    CU_ASSERT_TRUE(spec.containers[1].mounts[0].read_only);
    CU_ASSERT_EQUAL(spec.containers[1].cpu_millis, 2000);
    CU_ASSERT_EQUAL(spec.containers[1].memory_bytes, 0);
    CU_ASSERT_EQUAL(spec.containers[1].liveness->period_s, 3);
    CU_ASSERT_EQUAL(spec.containers[1].liveness->failures, 3);
    CU_ASSERT_EQUAL(spec.containers[1].run_as_user, -1);
    /* b has the defaults: 1 cpu, 1.5 GB */
    CU_ASSERT_EQUAL(spec.cpu_millis, 3000);
    CU_ASSERT_EQUAL(spec.memory_bytes, INT64_C(2) << 30);
    CU_ASSERT_EQUAL(spec.volumes[0].spec.kind, VOLUME_SHARE);
    CU_ASSERT_EQUAL(spec.volumes[1].spec.files[0].content.len, 2);
    CU_ASSERT_STRING_EQUAL(spec.credentials[0].password, "p");
    CU_ASSERT_TRUE(spec.ports[0].udp);
    CU_ASSERT_STRING_EQUAL(spec.searches[1], "b.test");
    CU_ASSERT_PTR_NULL(spec.searches[2]);
    op_free(&op);
}

/* ---- rows ---- */

static struct container_group_wish wish(const char *name, const char *label)
{
    return (struct container_group_wish){
        .key = name,
        .scope = name,
        .subscription = "unit-subscription",
        .location = "eastus",
        .name = name,
        .document = document,
        .full = document,
        .has_public = true,
        .label = label,
    };
}

static void rows_begin(struct op *op)
{
    unit_op(op);
    group_store_open("unit-host");
    event_store_start();
    CU_ASSERT_EQUAL_FATAL(network_start(op, unit_settings()), OK);
    CU_ASSERT_EQUAL_FATAL(db_begin(op), OK);
}

static void test_put(void)
{
    struct container_group_wish first = wish("/unit/one", "unitlabel"), second;
    struct container_group_written written = {0}, again = {0};
    struct container_group g;
    struct op op;

    rows_begin(&op);
    CU_ASSERT_EQUAL_FATAL(container_group_put(&op, &first, &written), OK);
    CU_ASSERT_TRUE(written.begins);
    CU_ASSERT_EQUAL(written.generation, 1);
    CU_ASSERT_EQUAL_FATAL(container_group_get(&op, "/unit/one", &g), OK);
    CU_ASSERT_EQUAL(g.n_containers, 3);
    CU_ASSERT_TRUE(g.containers[0].init);
    CU_ASSERT_STRING_EQUAL(g.containers[2].name, "b");
    CU_ASSERT_TRUE(g.public_index >= 0 && g.private_index >= 0);
    CU_ASSERT_TRUE(container_group_is_ours(&g));
    /* the same again changes nothing; another one is a new generation at the same address */
    CU_ASSERT_EQUAL(container_group_put(&op, &first, &again), OK);
    CU_ASSERT_FALSE(again.begins);
    second = first;
    second.full = "{\"properties\":{\"containers\":[{\"name\":\"c\",\"properties\":{}}]}}";
    CU_ASSERT_EQUAL(container_group_put(&op, &second, &again), OK);
    CU_ASSERT_TRUE(again.begins);
    CU_ASSERT_EQUAL(again.generation, 2);
    {
        int64_t address = g.private_index;

        CU_ASSERT_EQUAL_FATAL(container_group_get(&op, "/unit/one", &g), OK);
        CU_ASSERT_EQUAL(g.private_index, address);
        CU_ASSERT_EQUAL(g.n_containers, 1);
    }
    unit_op_end(&op);
}

static void test_labels_and_addresses(void)
{
    struct container_group_wish one = wish("/unit/one", "unitlabel"),
                                two = wish("/unit/two", "unitlabel");
    struct container_group_written written;
    struct container_group a, b;
    struct op op;

    rows_begin(&op);
    CU_ASSERT_EQUAL_FATAL(container_group_put(&op, &one, &written), OK);
    CU_ASSERT_EQUAL(container_group_put(&op, &two, &written), CONFLICT);
    CU_ASSERT_STRING_EQUAL(op.noun, "label");
    two.location = "westus";
    CU_ASSERT_EQUAL_FATAL(container_group_put(&op, &two, &written), OK);
    CU_ASSERT_EQUAL(container_group_get(&op, "/unit/one", &a), OK);
    CU_ASSERT_EQUAL(container_group_get(&op, "/unit/two", &b), OK);
    CU_ASSERT_NOT_EQUAL(a.public_index, b.public_index);
    CU_ASSERT_NOT_EQUAL(a.private_index, b.private_index);
    CU_ASSERT_STRING_EQUAL(container_group_fqdn(&op, &b),
                           "unitlabel.westus.azurecontainer.localhost");
    unit_op_end(&op);
}

static void test_deletion(void)
{
    struct container_group_wish one = wish("/unit/one", NULL);
    struct container_group_written written;
    struct container_group g;
    struct op op;

    rows_begin(&op);
    CU_ASSERT_EQUAL_FATAL(container_group_put(&op, &one, &written), OK);
    CU_ASSERT_EQUAL_FATAL(container_group_get(&op, one.key, &g), OK);
    CU_ASSERT_EQUAL(container_group_want(&op, &g, GROUP_WANT_RUNNING, false, &written), OK);
    CU_ASSERT_FALSE(written.begins);
    CU_ASSERT_EQUAL(container_group_want(&op, &g, GROUP_WANT_STOPPED, false, &written), OK);
    CU_ASSERT_EQUAL(written.generation, 2);
    CU_ASSERT_EQUAL(container_group_want(&op, &g, GROUP_WANT_DELETED, false, &written), OK);
    CU_ASSERT_EQUAL(container_group_want(&op, &g, GROUP_WANT_STOPPED, true, &written), CONFLICT);
    CU_ASSERT_STRING_EQUAL(op.noun, "ContainerGroupTransitioning");
    op_clear_fault(&op);
    CU_ASSERT_EQUAL(container_group_put(&op, &one, &written), CONFLICT);
    op_clear_fault(&op);
    CU_ASSERT_EQUAL(group_row_delete(&op, &g), OK);
    CU_ASSERT_EQUAL(container_group_get(&op, one.key, &g), NOT_FOUND);
    unit_op_end(&op);
}

static void test_events(void)
{
    struct container_group_wish one = wish("/unit/one", NULL);
    struct container_group_written written;
    struct group_event *events;
    struct op op;
    size_t n;

    rows_begin(&op);
    CU_ASSERT_EQUAL_FATAL(container_group_put(&op, &one, &written), OK);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(event_add(&op, written.id, "a", true, "BackOff", "again\xff and again"),
                        OK);
    CU_ASSERT_EQUAL_FATAL(event_list(&op, written.id, &events, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1);
    CU_ASSERT_EQUAL(events[0].count, 3);
    CU_ASSERT_STRING_EQUAL(events[0].message, "again\xef\xbf\xbd and again");
    for (int i = 0; i < EVENTS_MAX + 20; i++)
        CU_ASSERT_EQUAL(event_add(&op, written.id, NULL, false, "Some", "number %d", i), OK);
    CU_ASSERT_EQUAL_FATAL(event_list(&op, written.id, &events, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, EVENTS_MAX);
    CU_ASSERT_STRING_EQUAL(events[n - 1].message, "number 119");
    unit_op_end(&op);
}

static void test_storage_keys(void)
{
    struct op op;

    rows_begin(&op);
    CU_ASSERT_EQUAL(storage_account_check(&op, "unitaccount", "key"), OK);
    CU_ASSERT_EQUAL(storage_account_check(&op, "unitaccount", "key"), OK);
    CU_ASSERT_EQUAL(storage_account_check(&op, "unitaccount", "other"), FORBIDDEN);
    CU_ASSERT_EQUAL(storage_account_check(&op, "unitaccount2", "other"), OK);
    unit_op_end(&op);
}

CU_TestInfo instances_group_tests[] = {
    {"restart policies",                     test_policies            },
    {"back-off as the kubelet's",            test_back_off            },
    {"the state of a group",                 test_states              },
    {"a document as structs",                test_spec                },
    {"put, again and anew",                  test_put                 },
    {"labels and addresses are one group's", test_labels_and_addresses},
    {"stop, delete, and nothing after it",   test_deletion            },
    {"events count up and are bounded",      test_events              },
    {"a storage account has one key",        test_storage_keys        },
    CU_TEST_INFO_NULL,
};
