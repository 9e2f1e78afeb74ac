/* Endpoints and EndpointSlices of services. */
#include "tests/unit/clusters/controller/stage.h"

static void pod(struct stage *s, int number, const char *more)
{
    char text[512];

    snprintf(text, sizeof(text),
             "{\"metadata\":{\"name\":\"p%03d\",\"labels\":{\"a\":\"b\"}},\"spec\":{%s"
             "\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"ports\":[{\"name\":\"web\","
             "\"containerPort\":8080}]}]}}",
             number, more);
    stage_create(s, "pods", text);
}

/* Sums over the service's slices; arg: how many are ready. */
static bool has_ready(struct stage *s, const void *arg)
{
    json_t *slices = stage_list(s, "endpointslices"), *slice, *endpoint;
    size_t i, k, ready = 0, wanted = *(const size_t *)arg;

    json_array_foreach(slices, i, slice)
    {
        if (strcmp(text_at_or(slice, "addressType", ""), "IPv4") != 0 ||
            !label_of(slice, "kubernetes.io/service-name") ||
            strcmp(label_of(slice, "kubernetes.io/service-name"), "s") != 0)
            continue;
        json_array_foreach(json_object_get(slice, "endpoints"), k, endpoint)
        {
            ready += bool_at(endpoint, "conditions.ready", false);
        }
    }
    json_decref(slices);
    return ready == wanted;
}

static void expect_ready(struct stage *s, size_t n)
{
    bool came = stage_until(s, has_ready, &n);

    CU_ASSERT(came);
}

static size_t slices_of(struct stage *s)
{
    json_t *slices = stage_list(s, "endpointslices"), *slice;
    size_t i, n = 0;

    json_array_foreach(slices, i, slice)
    {
        const char *of = label_of(slice, "kubernetes.io/service-name");

        n += of && strcmp(of, "s") == 0;
    }
    json_decref(slices);
    return n;
}

#define SERVICE(more)                                                                              \
    "{\"metadata\":{\"name\":\"s\",\"labels\":{\"l\":\"m\"}},\"spec\":{" more                      \
    "\"selector\":{\"a\":\"b\"},\"ports\":[{\"port\":80,\"targetPort\":\"web\"}]}}"

static const json_t *subset(const json_t *endpoints)
{
    return json_array_get(json_object_get(endpoints, "subsets"), 0);
}

static void test_readiness(void)
{
    struct stage s;
    json_t *endpoints;

    stage_begin(&s);
    stage_node(&s, "n1");
    stage_create(&s, "services", SERVICE(""));
    stage_expect(&s, "endpoints", "s", "metadata.labels.l", "m");
    s.pods_stay_unready = true;
    pod(&s, 1, "");
    stage_expect(&s, "pods", "p001", "status.phase", "Running");
    stage_expect(&s, "endpoints", "s", "metadata.name", "s");
    expect_ready(&s, 0);
    s.pods_stay_unready = false;
    pod(&s, 2, "");
    expect_ready(&s, 1);
    {
        const struct stage_fact both = {"pods", "p002", "status.phase", "Running"};

        CU_ASSERT(stage_until(&s, stage_says, &both));
    }
    endpoints = stage_get(&s, "endpoints", "s");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(subset(endpoints), "notReadyAddresses")), 1);
    CU_ASSERT_EQUAL(
        int_at(json_array_get(json_object_get(subset(endpoints), "ports"), 0), "port", 0), 8080);
    json_decref(endpoints);
    stage_delete(&s, "pods", "p002", NULL);
    expect_ready(&s, 0);
    stage_delete(&s, "services", "s", NULL);
    stage_expect(&s, "endpoints", "s", "metadata.name", "");
    stage_end(&s);
}

static void test_headless(void)
{
    struct stage s;
    json_t *endpoints;

    stage_begin(&s);
    stage_node(&s, "n1");
    s.pods_stay_unready = true;
    stage_create(&s, "services",
                 SERVICE("\"clusterIP\":\"None\",\"publishNotReadyAddresses\":true,"));
    pod(&s, 1, "\"hostname\":\"h\",\"subdomain\":\"s\",");
    expect_ready(&s, 1);
    stage_expect(&s, "endpoints", "s", "metadata.name", "s");
    {
        const struct stage_fact run = {"pods", "p001", "status.phase", "Running"};
        int64_t end = now_ms() + STAGE_PATIENCE_MS;

        CU_ASSERT(stage_until(&s, stage_says, &run));
        do {
            endpoints = stage_get(&s, "endpoints", "s");
            if (subset(endpoints) || now_ms() > end)
                break;
            json_decref(endpoints);
            usleep(1000);
        } while (true);
    }
    CU_ASSERT_PTR_NOT_NULL(label_of(endpoints, "service.kubernetes.io/headless"));
    CU_ASSERT_STRING_EQUAL(
        text_at_or(json_array_get(json_object_get(subset(endpoints), "addresses"), 0), "hostname",
                   ""),
        "h");
    json_decref(endpoints);
    stage_end(&s);
}

static void test_many(void)
{
    struct stage s;

    stage_begin(&s);
    stage_node(&s, "n1");
    for (int i = 0; i < 250; i++)
        pod(&s, i, "");
    stage_create(&s, "services", SERVICE(""));
    expect_ready(&s, 250);
    CU_ASSERT_EQUAL(slices_of(&s), 3);
    stage_end(&s);
}

static bool has_slices(struct stage *s, const void *arg)
{
    return slices_of(s) == *(const size_t *)arg;
}

/* Endpoints by hand are slices, too. */
static void test_mirror(void)
{
    static const size_t none = 0, one = 1;
    struct stage s;

    stage_begin(&s);
    stage_create(&s, "services",
                 "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"ports\":[{\"port\":80}]}}");
    stage_create(&s, "endpoints",
                 "{\"metadata\":{\"name\":\"s\"},\"subsets\":[{\"addresses\":[{\"ip\":"
                 "\"10.9.8.7\"}],\"ports\":[{\"port\":8080}]}]}");
    expect_ready(&s, 1);
    stage_patch(&s, "endpoints", "s", NULL,
                "{\"subsets\":[{\"addresses\":[{\"ip\":\"10.9.8.7\"},{\"ip\":\"10.9.8.8\"}],"
                "\"ports\":[{\"port\":8081}]}]}");
    expect_ready(&s, 2);
    CU_ASSERT(stage_until(&s, has_slices, &one));
    stage_delete(&s, "endpoints", "s", NULL);
    CU_ASSERT(stage_until(&s, has_slices, &none));
    stage_end(&s);
}

CU_TestInfo clusters_controller_endpoints_tests[] = {
    {"who is ready, and at which port", test_readiness},
    {"headless, and unready as well",   test_headless },
    {"250 pods are in three slices",    test_many     },
    {"endpoints by hand are mirrored",  test_mirror   },
    CU_TEST_INFO_NULL,
};
