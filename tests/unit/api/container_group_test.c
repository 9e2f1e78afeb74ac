#include <string.h>

#include "api/body.h"
#include "api/container_instance.h"
#include "core/json.h"
#include "tests/unit/unit.h"

/* A body around a container's further properties and the group's. */
#define WITH(container, group)                                                                     \
    "{\"location\":\"eastus\",\"properties\":{\"containers\":[{\"name\":\"a\",\"properties\":{"    \
    "\"image\":\"x\"" container "}}]" group "}}"

static enum fault read(struct op *op, const char *text, json_t **ret, struct text *ignored)
{
    json_t *json;

    text_init(ignored, &op->arena, 4096);
    CU_ASSERT_EQUAL_FATAL(json_parse(op, BYTES(text), &json), OK);
    return shape_read(op, container_group_shape, json, "", ignored, ret);
}

/* What a body without defaults filled in is refused with. */
/* clang-format off */
    static const struct {
        const char *body, *code, *target;
    } refusals[] = {
        {WITH("", ",\"nope\":1"), "InvalidRequestContent", "properties.nope"},
        {WITH(",\"imagePull\":1", ""), "InvalidRequestContent",
         "properties.containers[0].properties.imagePull"},
        {WITH("", ",\"restartPolicy\":\"Sometimes\""), "InvalidRequestContent",
         "properties.restartPolicy"},
        {WITH(",\"ports\":[{\"port\":0}]", ""), "InvalidRequestContent",
         "properties.containers[0].properties.ports[0].port"},
        {WITH(",\"ports\":[{}]", ""), "InvalidRequestContent",
         "properties.containers[0].properties.ports[0].port"},
        {WITH(",\"command\":[1]", ""), "InvalidRequestContent",
         "properties.containers[0].properties.command[0]"},
        {"{\"properties\":{}}", "InvalidRequestContent", "properties.containers"},
        {"{\"properties\":{\"containers\":[]}}", "ContainersNotSpecified",
         "properties.containers"},
        {"{\"properties\":{\"containers\":[{\"name\":\"A\",\"properties\":{\"image\":\"x\"}}]}}",
         "InvalidContainerName", "properties.containers[0].name"},
        {"{\"properties\":{\"containers\":[{\"name\":\"a\",\"properties\":{\"image\":\"x\"}},"
         "{\"name\":\"a\",\"properties\":{\"image\":\"x\"}}]}}",
         "DuplicateContainerName", "properties.containers[1].name"},
        {WITH("", ",\"initContainers\":[{\"name\":\"a\",\"properties\":{\"image\":\"x\"}}]"),
         "DuplicateContainerName", "properties.containers[0].name"},
        {WITH(",\"resources\":{\"requests\":{\"cpu\":0,\"memoryInGB\":1}}", ""),
         "InvalidResourceRequests", "properties.containers[0].properties.resources.requests.cpu"},
        {WITH(",\"resources\":{\"requests\":{\"cpu\":1,\"memoryInGB\":1.23}}", ""),
         "InvalidResourceRequests",
         "properties.containers[0].properties.resources.requests.memoryInGB"},
        {WITH(",\"resources\":{\"requests\":{\"cpu\":5,\"memoryInGB\":1}}", ""),
         "ResourceRequestsExceeded", "properties.containers[0].properties.resources.requests.cpu"},
        {WITH(",\"resources\":{\"requests\":{\"cpu\":2,\"memoryInGB\":1},\"limits\":{\"cpu\":1}}",
              ""),
         "InvalidResourceLimits", "properties.containers[0].properties.resources.limits.cpu"},
        {WITH(",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}]", ""), "VolumeNotFound",
         "properties.containers[0].properties.volumeMounts[0]"},
        {WITH(",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v:w\"}]",
              ",\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]"),
         "InvalidVolumeMountPath", "properties.containers[0].properties.volumeMounts[0]"},
        {WITH("", ",\"volumes\":[{\"name\":\"v\"}]"), "InvalidVolume", "properties.volumes[0]"},
        {WITH("", ",\"volumes\":[{\"name\":\"v\",\"secret\":{\"../x\":\"aGk=\"}}]"),
         "InvalidVolume", "properties.volumes[0]"},
        {WITH("", ",\"volumes\":[{\"name\":\"v\",\"secret\":{\"x\":\"!\"}}]"), "InvalidVolume",
         "properties.volumes[0]"},
        {WITH("", ",\"volumes\":[{\"name\":\"v\",\"gitRepo\":{\"repository\":\"file:///x\"}}]"),
         "InvalidVolume", "properties.volumes[0]"},
        {WITH(",\"environmentVariables\":[{\"name\":\"A B\",\"value\":\"1\"}]", ""),
         "InvalidEnvironmentVariableName",
         "properties.containers[0].properties.environmentVariables[0]"},
        {WITH(",\"livenessProbe\":{}", ""), "InvalidProbe",
         "properties.containers[0].properties.livenessProbe"},
        {WITH("", ",\"ipAddress\":{\"type\":\"Public\",\"ports\":[{\"port\":80}]}"),
         "InvalidIPAddressPorts", "properties.ipAddress.ports[0]"},
        {WITH(",\"ports\":[{\"port\":80}]",
              ",\"ipAddress\":{\"type\":\"Public\",\"ports\":[{\"port\":80}],"
              "\"dnsNameLabel\":\"abc\"}"),
         "InvalidDnsNameLabel", "properties.ipAddress.dnsNameLabel"},
        {WITH(",\"ports\":[{\"port\":80}]",
              ",\"subnetIds\":[{\"id\":\"x\"}],"
              "\"ipAddress\":{\"type\":\"Public\",\"ports\":[{\"port\":80}]}"),
         "PrivateIPAddressRequired", "properties.ipAddress.type"},
        {WITH("", ",\"osType\":\"Windows\""), "NotSupported", "properties.osType"},
        {WITH("", ",\"imageRegistryCredentials\":[{\"server\":\"https://x\",\"username\":\"u\"}]"),
         "InvalidImageRegistryCredentials", "properties.imageRegistryCredentials[0]"},
        {WITH("", ",\"dnsConfig\":{\"nameServers\":[\"here\"]}"), "InvalidDnsConfig",
         "properties.dnsConfig.nameServers"},
    };
/* clang-format on */

static void test_refusals(void)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct text ignored;
        enum fault fault;
        json_t *full;
        struct op op;

        op_init(&op);
        fault = read(&op, refusals[i].body, &full, &ignored);
        if (fault == OK)
            fault = container_group_check(&op, "name", json_object_get(full, "properties"));
        CU_ASSERT_NOT_EQUAL_FATAL(fault, OK);
        CU_ASSERT_STRING_EQUAL(op.noun, refusals[i].code);
        CU_ASSERT_PTR_NOT_NULL_FATAL(op.detail);
        CU_ASSERT_PTR_NOT_NULL(
            strstr(op.detail, arena_printf(&op.arena, "\"%s\"", refusals[i].target)));
        op_free(&op);
    }
}

static void test_names(void)
{
    static const struct {
        const char *name;
        bool good;
    } cases[] = {
        {"a",                                                                true },
        {"web-1",                                                            true },
        {"-a",                                                               false},
        {"a-",                                                               false},
        {"Web",                                                              false},
        {"",                                                                 false},
        {"a.b",                                                              false},
        {"a123456789b123456789c123456789d123456789e123456789f123456789123",  true },
        {"a123456789b123456789c123456789d123456789e123456789f1234567891234", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text ignored;
        json_t *full;
        struct op op;

        op_init(&op);
        CU_ASSERT_EQUAL_FATAL(read(&op, WITH("", ""), &full, &ignored), OK);
        CU_ASSERT_EQUAL(
            container_group_check(&op, cases[i].name, json_object_get(full, "properties")) == OK,
            cases[i].good);
        op_free(&op);
    }
}

/* Any spelling of names, null and read-only members dropped, what has no effect named. */
static void test_shape(void)
{
    static const char body[] =
        "{\"LOCATION\":\"eastus\",\"zones\":[\"1\"],\"tags\":null,\"Properties\":{"
        "\"provisioningState\":\"Succeeded\",\"ostype\":\"linux\",\"sku\":\"Standard\","
        "\"priority\":\"Spot\",\"instanceView\":{\"state\":\"Running\"},\"volumes\":null,"
        "\"containers\":[{\"name\":\"a\",\"properties\":{\"image\":\"x\",\"ports\":[{\"port\":80,"
        "\"protocol\":\"tcp\"}],\"configMap\":{\"keyValuePairs\":{}}}}]}}";
    const json_t *properties;
    struct text ignored;
    json_t *full;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(read(&op, body, &full, &ignored), OK);
    properties = json_object_get(full, "properties");
    CU_ASSERT_STRING_EQUAL(json_string_value(body_at(properties, "osType")), "Linux");
    CU_ASSERT_PTR_NULL(body_at(properties, "provisioningState"));
    CU_ASSERT_PTR_NULL(body_at(properties, "instanceView"));
    CU_ASSERT_PTR_NULL(json_object_get(properties, "volumes"));
    CU_ASSERT_PTR_NULL(json_object_get(full, "location"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ignored.data, "zones"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ignored.data, "priority"));
    CU_ASSERT_PTR_NULL(strstr(ignored.data, "sku"));
    op_free(&op);
}

static void test_secrets(void)
{
    static const char body[] = WITH(
        ",\"environmentVariables\":[{\"name\":\"S\",\"secureValue\":\"hidden1\"}]",
        ",\"imageRegistryCredentials\":[{\"server\":\"r\",\"username\":\"u\",\"password\":"
        "\"hidden2\"}],\"volumes\":[{\"name\":\"s\",\"secret\":{\"f\":\"hidden3\"}},{\"name\":"
        "\"z\",\"azureFile\":{\"shareName\":\"s\",\"storageAccountName\":\"a\","
        "\"storageAccountKey\":\"hidden4\"}}],\"diagnostics\":{\"logAnalytics\":{\"workspaceId\":"
        "\"w\",\"workspaceKey\":\"hidden5\"}},\"extensions\":[{\"name\":\"e\",\"properties\":{"
        "\"extensionType\":\"t\",\"version\":\"1\",\"protectedSettings\":{\"k\":\"hidden6\"}}}]");
    struct text ignored;
    const char *shown;
    json_t *full;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(read(&op, body, &full, &ignored), OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(json_text_of(&op, full), "hidden6"));
    shown = json_text_of(&op, shape_public(&op, container_group_shape, full));
    CU_ASSERT_PTR_NULL(strstr(shown, "hidden"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "{\"name\":\"s\",\"secret\":{}}"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "\"username\":\"u\""));
    op_free(&op);
}

CU_TestInfo api_container_group_tests[] = {
    {"bodies that are refused, with code and target", test_refusals},
    {"names of groups",                               test_names   },
    {"spelling, nulls, what has no effect",           test_shape   },
    {"secrets are not shown",                         test_secrets },
    CU_TEST_INFO_NULL,
};
