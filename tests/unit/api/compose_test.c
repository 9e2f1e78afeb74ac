#include "api/compose.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "tests/unit/unit.h"

static const char *variable(void *arg, const char *name)
{
    static char longer[3 * COMPOSE_TEXT_MAX];

    (void)arg;
    memset(longer, 'x', sizeof(longer) - 1);
    if (strcmp(name, "LONG") == 0)
        return longer;
    return strcmp(name, "SET") == 0 ? "v" : strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static enum fault read(struct op *op, const char *text, struct compose_group *ret)
{
    struct compose_source source = {
        .fallback = "My_App", .folder = unit_folder(), .variable = variable};

    return compose_read(op, BYTES(text), &source, ret);
}

static const char *left_of(struct op *op, const struct compose_group *group)
{
    struct text out;

    text_init(&out, &op->arena, 65536);
    for (const struct compose_left *l = group->left; l; l = l->next)
        if (!l->is_note)
            text_printf(&out, "%s%s", out.len ? " " : "", l->path);
    return out.len ? out.data : "";
}

#define WEB "services: {web: {image: x, "

/* clang-format off */
static const struct {
    const char *file, *has, *left; /* has: a part of the group as JSON with sorted keys */
} fits[] = {
    {WEB "}}", "\"name\":\"my-app\"", ""},
    {WEB "}}", "\"resources\":{\"requests\":{\"cpu\":1.0,\"memoryInGB\":1.5}}", ""},
    {WEB "}}", "\"restartPolicy\":\"Never\"", ""},
    {"name: n\n" WEB "}}", "\"name\":\"n\"", ""},
    {WEB "restart: unless-stopped}}", "\"restartPolicy\":\"Always\"", ""},
    {WEB "restart: 'on-failure:3'}}", "\"restartPolicy\":\"OnFailure\"", "services.web.restart"},
    {WEB "command: \"a 'b c'\"}}", "\"command\":[\"a\",\"b c\"]", ""},
    {WEB "entrypoint: [e], command: [c]}}", "\"command\":[\"e\",\"c\"]", ""},
    {WEB "environment: {A: \"${SET}-${NO:-d${SET}}-${EMPTY-d}-${EMPTY:-e}-${SET:+w}-$$\"}}}",
     "\"value\":\"v-dv--e-w-$\"", ""},
    {WEB "environment: [A=1, SET]}}", "[{\"name\":\"A\",\"value\":\"1\"},{\"name\":\"SET\",\"value\":\"v\"}]", ""},
    {WEB "environment: {U: 'http://db:1'}}, db: {image: y}}", "http://db:1", "services.web.environment.U"},
    {WEB "environment: {U: 'dbx', V: 'adb:1'}}, db: {image: y}}", "dbx", ""},
    {WEB "ports: ['80:80', '53/udp']}}",
     "\"ipAddress\":{\"ports\":[{\"port\":80,\"protocol\":\"TCP\"},{\"port\":53,\"protocol\":\"UDP\"}],\"type\":\"Public\"}", ""},
    {WEB "ports: [{target: 80, published: '80'}], hostname: h}}", "\"dnsNameLabel\":\"h\"", ""},
    {WEB "ports: ['8080:80']}}", "\"port\":80", "services.web.ports[0]"},
    {WEB "ports: ['127.0.0.1:80:80']}}", "\"port\":80", "services.web.ports[0]"},
    {WEB "ports: ['1-6:1-6']}}", "\"port\":5", "services.web.ports[0]"},
    {WEB "ports: ['80']}, b: {image: y, ports: ['80']}}", "\"port\":80", "services.b.ports[0]"},
    {WEB "mem_limit: 100m, cpus: '0.255'}}",
     "{\"limits\":{\"cpu\":0.26,\"memoryInGB\":0.1},\"requests\":{\"cpu\":0.26,\"memoryInGB\":0.1}}", ""},
    {WEB "deploy: {resources: {limits: {cpus: 2}, reservations: {memory: 2g}}}}}",
     "\"requests\":{\"cpu\":2.0,\"memoryInGB\":2.0}", ""},
    {WEB "deploy: {replicas: 3}}}", "\"image\":\"x\"", "services.web.scale"},
    {WEB "volumes: ['d:/d:ro', './b:/c', '/t']}}\nvolumes: {d: }", "{\"mountPath\":\"/d\",\"name\":\"d\",\"readOnly\":true}", "services.web.volumes[1]"},
    {WEB "volumes: ['d:/d']}}\nvolumes: {d: {driver: azure_file, driver_opts: {share_name: s, storage_account_name: a, storage_account_key: k}}}",
     "\"azureFile\":{\"shareName\":\"s\",\"storageAccountKey\":\"k\",\"storageAccountName\":\"a\"}", ""},
    {WEB "volumes: ['d:/d']}}\nvolumes: {d: {external: true}}", "\"image\":\"x\"", "volumes.d"},
    {WEB "secrets: [s]}}\nsecrets: {s: {environment: SET}}", "\"secret\":{\"s\":\"dg==\"}", ""},
    {WEB "healthcheck: {test: [CMD, a], interval: 1m30s, retries: 2}}}",
     "\"livenessProbe\":{\"exec\":{\"command\":[\"a\"]},\"failureThreshold\":2,\"periodSeconds\":90,\"timeoutSeconds\":30}", ""},
    {WEB "user: '10:20', cap_drop: [ALL]}}", "\"securityContext\":{\"capabilities\":{\"drop\":[\"ALL\"]},\"runAsGroup\":20,\"runAsUser\":10}", ""},
    {WEB "depends_on: [b]}, b: {image: y}}", "\"containers\":[{\"name\":\"b\"", ""},
    {WEB "depends_on: {b: {condition: service_healthy}}}, b: {image: y}}", "[{\"name\":\"b\"", "services.web.depends_on.b.condition"},
    {WEB "build: ., networks: [n], devices: [d], privileged: true}}\nnetworks: {n: }", "\"image\":\"x\"",
     "networks services.web.build services.web.networks services.web.devices services.web.privileged"},
    {WEB "}, b: {build: .}}", "\"image\":\"x\"", "services.b.build services.b"},
    {"x-a: &a {image: x}\nservices: {web: {<<: *a, restart: always}}", "\"image\":\"x\"", ""},
    {"x-a: &a {image: x}\nx-b: &b {<<: *a}\nservices: {web: {<<: *b}}", "\"image\":\"x\"", ""},
    {"x-a: &a {image: x}\nx-b: &b {<<: [*a]}\nservices: {web: {<<: [{restart: always}, *b]}}", "\"image\":\"x\"", ""},
    {"x-a: &a {environment: {A: $$SET}}\nservices: {web: {<<: *a, image: x}, b: {<<: *a, image: x}}",
     "\"name\":\"b\",\"properties\":{\"environmentVariables\":[{\"name\":\"A\",\"value\":\"$SET\"}]", ""},
    {WEB "healthcheck: {test: [CMD, a], retries: '${NO:-5}'}}}", "\"failureThreshold\":5", ""},
    {WEB "healthcheck: {test: [CMD, a], retries: '${NO:-many}'}}}", "\"failureThreshold\":3", "services.web.healthcheck.retries"},
    {WEB "healthcheck: {test: [CMD, a], disable: '${NO:-true}'}}}", "\"properties\":{\"image\":\"x\",\"resources\"", ""},
    {WEB "volumes: [{type: volume, source: d, target: /d, read_only: '${NO:-true}'}]}}\nvolumes: {d: }", "\"readOnly\":true", ""},
    {WEB "env_file: [{path: none.env, required: '${NO:-false}'}]}}", "\"image\":\"x\"", ""},
    {"services: {a: {build: ., restart: always, hostname: a, ports: ['80']}, web: {image: x, hostname: h, ports: ['80']}}",
     "\"restartPolicy\":\"Never\"", "services.a.build services.a"},
    {"services: {a: {build: ., hostname: a, ports: ['80']}, web: {image: x, hostname: h, ports: ['80']}}", "\"dnsNameLabel\":\"h\"",
     "services.a.build services.a"},
};
static const struct {
    const char *file, *says;
} refused[] = {
    {"services: [", "line"},
    {"a: 1", "no services"},
    {WEB "profiles: [p]}}", "services.web.profiles"},
    {WEB "extends: {service: y}}}", "services.web.extends"},
    {"include: [a]\n" WEB "}}", "include"},
    {"services: {web: {build: .}}", "build and push"},
    {WEB "environment: {A: '${NO:?say it}'}}}", "NO is required: say it"},
    {WEB "environment: {A: '${NO'}}}", "without its"},
    {WEB "environment: {A: '$ '}}}", "$$"},
    {WEB "environment: {A: '${LONG}'}}}", "longer than"},
    {WEB "command: \"a 'b\"}}", "quote"},
    {WEB "depends_on: [b]}, b: {image: y, depends_on: [web]}}", "circle"},
    {WEB "depends_on: [c]}}", "no service c"},
    {WEB "env_file: none.env}}", "none.env"},
};
/* clang-format on */

static void test_what_fits(void)
{
    for (size_t i = 0; i < ARRAY_LEN(fits); i++) {
        struct compose_group group = {0};
        struct op op;
        char *json;

        op_init(&op);
        CU_ASSERT_EQUAL_FATAL(read(&op, fits[i].file, &group), OK);
        json = json_dumps(group.group, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(6));
        if (!strstr(json, fits[i].has))
            printf("\n%s: %s", fits[i].has, json);
        CU_ASSERT_PTR_NOT_NULL(strstr(json, fits[i].has));
        if (strcmp(left_of(&op, &group), fits[i].left) != 0)
            printf("\n%s: left %s", fits[i].file, left_of(&op, &group));
        CU_ASSERT_STRING_EQUAL(left_of(&op, &group), fits[i].left);
        CU_ASSERT_EQUAL(group.fits, !*fits[i].left);
        free(json);
        op_free(&op);
    }
}

static void test_what_is_refused(void)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct compose_group group = {0};
        struct op op;

        op_init(&op);
        CU_ASSERT_EQUAL(read(&op, refused[i].file, &group), INVALID);
        if (!op.message || !strstr(op.message, refused[i].says))
            printf("\n%s: %s", refused[i].says, op.message ? op.message : "");
        CU_ASSERT_PTR_NOT_NULL(op.message ? strstr(op.message, refused[i].says) : NULL);
        op_free(&op);
    }
}

static void test_amounts(void)
{
    CU_ASSERT_EQUAL(compose_seconds("1m30s"), 90);
    CU_ASSERT_EQUAL(compose_seconds("500ms"), 1);
    CU_ASSERT_EQUAL(compose_seconds("5"), -1);
    CU_ASSERT_EQUAL(compose_bytes("1gb"), 1 << 30);
    CU_ASSERT_EQUAL(compose_bytes("1.5k"), 1536);
    CU_ASSERT_EQUAL(compose_bytes("12"), 12);
    CU_ASSERT_EQUAL(compose_bytes("1x"), -1);
}

CU_TestInfo api_compose_tests[] = {
    {"a compose file as a group, and what is left out", test_what_fits      },
    {"what cannot be read is refused",                  test_what_is_refused},
    {"times and sizes",                                 test_amounts        },
    CU_TEST_INFO_NULL,
};
