#include "core/metrics.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct route route = {.method = GET, .pattern = "/unit/{name}"};
static const struct service service = {.name = "unit"};

static void count_one(enum method method, int status, int64_t us)
{
    struct call c = {.method = method,
                     .route = &route,
                     .service = &service,
                     .reply.status = status,
                     .started_us = us,
                     .received_bytes = 10,
                     .sent_bytes = 100};

    metrics_count_call(&c);
}

/* A watch of an hour: a request like others, but no latency. */
static void count_stream(void)
{
    static char stream;
    struct call c = {.method = GET,
                     .route = &route,
                     .service = &service,
                     .reply.status = 500,
                     .started_us = INT64_C(3600) * 1000000,
                     .stream = (void *)&stream};

    metrics_count_call(&c);
}

static void test_counting(void)
{
    static struct metric mine = {.name = "unit_things_total", .help = "things", .type = "counter"};
    struct text out;
    struct op op;

    unit_op(&op);
    metric_register(&mine);
    metric_register(&mine);
    atomic_fetch_add(&mine.value, 5);
    count_one(GET, 200, 100);
    count_one(GET, 200, 700);
    count_one(HEAD, 404, 90000000);
    count_stream();
    text_init(&out, &op.arena, 1 << 20);
    metrics_write(&op, &out);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "unit_things_total 5\n"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(out.data, "sundog_http_requests_total{service=\"unit\",route=\"/unit/{name}\","
                         "method=\"GET\",status=\"2xx\"} 2\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "method=\"HEAD\",status=\"4xx\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "method=\"GET\",le=\"0.00025\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "method=\"GET\",le=\"0.001\"} 2\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "method=\"GET\",le=\"+Inf\"} 3\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "sundog_http_sent_bytes_total{service=\"unit\","
                                            "route=\"/unit/{name}\",method=\"GET\"} 300\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "method=\"GET\",status=\"5xx\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "sundog_http_request_seconds_sum{service=\"unit\","
                                            "route=\"/unit/{name}\",method=\"GET\"} 90.000800\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\nsundog_database_up 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\nsundog_ready 0\n")); /* no server here */
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\nprocess_resident_memory_bytes "));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "\nsundog_db_seconds_total "));
    CU_ASSERT_PTR_EQUAL(strstr(strstr(out.data, "unit_things_total 5") + 1, "unit_things_total 5"),
                        NULL);
    unit_op_end(&op);
}

CU_TestInfo core_metrics_tests[] = {
    {"what is counted is written", test_counting},
    CU_TEST_INFO_NULL,
};
