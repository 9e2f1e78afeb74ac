/* Probes as keys: what brings them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clusters/node/pod_agent.h"
#include "tests/unit/unit.h"

#define PATIENCE_MS 60000 /* against hangs only */

/* How many are asked, by the metrics. */
static int asked(void)
{
    const char *row;
    struct text out;
    struct op op;
    int n = -1;

    op_init(&op);
    text_init(&out, &op.arena, 65536);
    pod_probes_metrics(&out);
    row = strstr(out.data, "\nsundog_pod_probes ");
    if (row)
        n = (int)strtol(row + strlen("\nsundog_pod_probes "), NULL, 10);
    op_free(&op);
    return n;
}

static void begin(struct pod_pass *p, int delay_s)
{
    const struct container_memory m = {.name = "main", .has_readiness = true, .started = true};
    json_t *container = json_pack("{s:s, s:{s:i, s:{s:[s]}}}", "name", "main", "readinessProbe",
                                  "initialDelaySeconds", delay_s, "exec", "command", "true");

    pod_probes_begin(p, container, &m);
    json_decref(container);
}

/* One that waits, of before its cluster was closed and opened again, is asked now: its step finds
   that there is no such cluster here, and ends it. */
static void test_begun_again(void)
{
    struct cluster cluster = {.id = "c1"};
    struct pod_memory memory = {.uid = "u1"};
    struct pod_pass p = {.cluster = &cluster, .memory = &memory};

    pod_probes_start();
    begin(&p, 3600);
    CU_ASSERT_EQUAL(asked(), 1);
    begin(&p, 0);
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until && asked() > 0;)
        usleep(1000);
    CU_ASSERT_EQUAL(asked(), 0);
    pod_probes_stop();
}

CU_TestInfo clusters_node_pod_probe_tests[] = {
    {"begun again", test_begun_again},
    CU_TEST_INFO_NULL,
};
