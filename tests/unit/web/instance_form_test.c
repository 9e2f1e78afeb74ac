#include "web/instance_form.h"

#include <string.h>

#include "clusters/object/object.h"
#include "tests/unit/unit.h"

static const struct instance_form plain = {
    .group = "/subscriptions/s/resourceGroups/g",
    .name = "n",
    .image = "i:1",
    .ports = "80, 53/UDP\t8080/tcp",
    .command = "/bin/sh -c 'a  b'",
    .environment = "A=1\r\n\r\nB=x=y\nC=",
    .cpu = "0.5",
    .memory = "2",
    .policy = "Never",
    .address = "Public",
};

static void test_body(void)
{
    struct op op;
    json_t *body;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(instance_form_body(&op, &plain, "eastus", &body), OK);
    CU_ASSERT_STRING_EQUAL(
        (const char *)object_encode_yaml(&op, at(body, "properties")).data,
        "containers:\n- name: \"n\"\n  properties:\n    command:\n    - /bin/sh\n    - \"-c\"\n"
        "    - a  b\n    environmentVariables:\n    - name: A\n      value: \"1\"\n"
        "    - name: B\n      value: x=y\n    - name: C\n      value: \"\"\n    image: i:1\n"
        "    ports:\n    - port: 80\n      protocol: TCP\n    - port: 53\n      protocol: UDP\n"
        "    - port: 8080\n      protocol: TCP\n    resources:\n      requests:\n"
        "        cpu: 0.5\n        memoryInGB: 2\nipAddress:\n  ports:\n  - port: 80\n"
        "    protocol: TCP\n  - port: 53\n    protocol: UDP\n  - port: 8080\n    protocol: TCP\n"
        "  type: Public\nosType: Linux\nrestartPolicy: Never\n");
    op_free(&op);
}

static void test_little(void)
{
    struct instance_form f = plain;
    struct op op;
    json_t *body;

    op_init(&op);
    f.ports = f.command = f.environment = " ";
    f.environment = "\r\n";
    f.address = "None";
    CU_ASSERT_EQUAL_FATAL(instance_form_body(&op, &f, "eastus", &body), OK);
    CU_ASSERT_PTR_NULL(at(body, "properties.ipAddress"));
    CU_ASSERT_EQUAL(
        json_object_size(at(json_array_get(at(body, "properties.containers"), 0), "properties")),
        2); /* image, resources */
    op_free(&op);
}

static void test_refused(void)
{
    static const char *const ports[] = {"x", "80x", "0", "65536", "-1", "80/sctp", "80,,/udp"};
    static const char *const numbers[] = {"", "x", "1x", "0", "-1", "nan", "inf", "1e9"};
    static const char *const environments[] = {"A", "=1", "A=1\nB"};
    struct instance_form f;
    struct op op;
    json_t *body;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        f = plain;
        f.ports = ports[i];
        CU_ASSERT_EQUAL(instance_form_body(&op, &f, "eastus", &body), INVALID);
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        f = plain;
        f.cpu = numbers[i];
        CU_ASSERT_EQUAL(instance_form_body(&op, &f, "eastus", &body), INVALID);
        f = plain;
        f.memory = numbers[i];
        CU_ASSERT_EQUAL(instance_form_body(&op, &f, "eastus", &body), INVALID);
    }
    for (size_t i = 0; i < ARRAY_LEN(environments); i++) {
        f = plain;
        f.environment = environments[i];
        CU_ASSERT_EQUAL(instance_form_body(&op, &f, "eastus", &body), INVALID);
    }
    f = plain;
    f.command = "a 'b";
    CU_ASSERT_EQUAL(instance_form_body(&op, &f, "eastus", &body), INVALID);
    op_free(&op);
}

CU_TestInfo web_instance_form_tests[] = {
    {"body",    test_body   },
    {"little",  test_little },
    {"refused", test_refused},
    CU_TEST_INFO_NULL,
};
