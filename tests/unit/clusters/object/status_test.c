#include "clusters/object/status.h"

#include <string.h>

#include "clusters/object/selector.h"
#include "tests/unit/clusters/golden.h"
#include "tests/unit/unit.h"

static const struct resource *core(const char *plural)
{
    return resource_find("", "v1", plural);
}

static enum fault no_containers(struct op *op)
{
    struct field_errors e;

    field_errors_init(&e, op);
    field_required(&e, "spec.containers", "");
    field_required(&e, "spec.containers", ""); /* said once */
    return field_errors_end(&e, core("pods"), "x");
}

static enum fault bad_name(struct op *op)
{
    json_t *name = json_string("X_y");
    struct field_errors e;

    field_errors_init(&e, op);
    field_invalid(&e, "metadata.name", name, dns_subdomain_fault("X_y"));
    json_decref(name);
    return field_errors_end(&e, core("pods"), "X_y");
}

static enum fault no_name(struct op *op)
{
    struct field_errors e;

    field_errors_init(&e, op);
    field_required(&e, "metadata.name", "name or generateName is required");
    return field_errors_end(&e, core("pods"), "");
}

static enum fault selector_mismatch(struct op *op)
{
    json_t *labels = json_pack("{s:s}", "a", "b");
    struct field_errors e;

    field_errors_init(&e, op);
    field_invalid(&e, "spec.template.metadata.labels", labels,
                  "`selector` does not match template `labels`");
    json_decref(labels);
    return field_errors_end(&e, resource_find("apps", "v1", "deployments"), "x");
}

static enum fault address_changed(struct op *op)
{
    json_t *addresses = json_pack("[s]", "10.96.0.77");
    struct field_errors e;

    field_errors_init(&e, op);
    field_invalid(&e, "spec.clusterIPs[0]", addresses, "may not change once set");
    json_decref(addresses);
    return field_errors_end(&e, core("services"), "kubernetes");
}

static enum fault missing_pod(struct op *op)
{
    return not_found(op, core("pods"), "nope");
}

static enum fault missing_namespace(struct op *op)
{
    return not_found(op, core("namespaces"), "nons");
}

static enum fault modified(struct op *op)
{
    return conflict(op, core("configmaps"), "kube-root-ca.crt", CONFLICT_MODIFIED);
}

static const struct {
    const char *name; /* in errors.json */
    enum fault (*make)(struct op *op);
} cases[] = {
    {"pod-empty",                no_containers    },
    {"pod-badname",              bad_name         },
    {"pod-noname",               no_name          },
    {"deploy-selector-mismatch", selector_mismatch},
    {"immutable-svc-ip",         address_changed  },
    {"not-found",                missing_pod      },
    {"ns-missing",               missing_namespace},
    {"put-conflict",             modified         },
};

/* The whole Status as a real server answered it. */
static void recorded(void)
{
    json_t *all = golden("errors.json");

    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const json_t *wanted = at(json_object_get(all, cases[i].name), "response");
        json_t *status;
        struct op op;

        op_init(&op);
        CU_ASSERT_NOT_EQUAL(cases[i].make(&op), OK);
        status = status_of(&op);
        CU_ASSERT(json_equal(status, wanted));
        json_decref(status);
        op_free(&op);
    }
    json_decref(all);
}

static void kinds(void)
{
    json_t *tree = json_pack("{s:s, s:s}", "apiVersion", "v1", "kind", "Service");
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(object_check_kind(&op, core("pods"), tree), INVALID);
    CU_ASSERT_STRING_EQUAL(op.message, "Service in version \"v1\" cannot be handled as a Pod: "
                                       "converting (v1.Service) to (core.Pod): unknown conversion");
    CU_ASSERT_EQUAL(object_check_kind(&op, core("services"), tree), OK);
    json_object_set_new(tree, "apiVersion", json_string("v2"));
    CU_ASSERT_EQUAL(object_check_kind(&op, core("services"), tree), INVALID);
    CU_ASSERT_STRING_EQUAL(op.message, "the API version in the data (v2) does not match the "
                                       "expected API version (v1)");
    json_object_set_new(tree, "kind", json_integer(1));
    CU_ASSERT_EQUAL(object_check_kind(&op, NULL, tree), INVALID);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(op.message, "cannot unmarshal number into Go struct field .kind"));
    json_object_clear(tree);
    CU_ASSERT_EQUAL(object_check_kind(&op, NULL, tree), OK);
    CU_ASSERT_EQUAL(object_check_kind(&op, core("services"), tree), OK);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "kind", ""), "Service");
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "apiVersion", ""), "v1");
    json_decref(tree);
    op_free(&op);
}

/* Several field errors stand in brackets; each kind of them has its words. */
static void words(void)
{
    static const char *const protocols[] = {"TCP", "UDP", NULL};
    json_t *bad = json_string("x\"y"), *number = json_integer(70000);
    struct field_errors e;
    json_t *status;
    struct op op;

    op_init(&op);
    field_errors_init(&e, &op);
    CU_ASSERT_EQUAL(field_errors_end(&e, core("pods"), "p"), OK);
    field_not_supported(&e, "a", bad, protocols);
    field_duplicate(&e, "b[1]", bad);
    field_forbidden(&e, "c", "may not be set");
    field_not_found(&e, "d", bad);
    field_too_long(&e, "e", 63);
    field_too_many(&e, "f", 5, 3);
    field_invalid(&e, "g", number, "too high");
    CU_ASSERT_EQUAL(field_errors_end(&e, core("pods"), "p"), INVALID);
    CU_ASSERT_STRING_EQUAL(
        op.message, "Pod \"p\" is invalid: [a: Unsupported value: \"x\\\"y\": supported values: "
                    "\"TCP\", \"UDP\", b[1]: Duplicate value: \"x\\\"y\", c: Forbidden: may not be "
                    "set, d: Not found: \"x\\\"y\", e: Too long: may not be more than 63 bytes, f: "
                    "Too many: 5: must have at most 3 items, g: Invalid value: 70000: too high]");
    status = status_of(&op);
    CU_ASSERT_EQUAL(json_array_size(at(status, "details.causes")), 7);
    CU_ASSERT_EQUAL(int_at(status, "code", 0), 422);
    json_decref(status);
    json_decref(bad);
    json_decref(number);
    op_free(&op);
}

/* What fails below with no reason of Kubernetes' own. */
static void plain_faults(void)
{
    json_t *status;
    struct op op;

    op_init(&op);
    fail(&op, UNAVAILABLE, "the database is away");
    op.retry_after_s = 2;
    status = status_of(&op);
    CU_ASSERT_STRING_EQUAL(text_at_or(status, "reason", ""), "ServiceUnavailable");
    CU_ASSERT_EQUAL(int_at(status, "code", 0), 503);
    CU_ASSERT_EQUAL(int_at(status, "details.retryAfterSeconds", 0), 2);
    json_decref(status);
    op_clear_fault(&op);
    forbidden(&op, core("pods"), NULL, "no");
    CU_ASSERT_STRING_EQUAL(op.message, "pods is forbidden: no");
    status = status_of(&op);
    CU_ASSERT_EQUAL(int_at(status, "code", 0), 403);
    json_decref(status);
    already_exists(&op, resource_find("apps", "v1", "deployments"), "d");
    CU_ASSERT_STRING_EQUAL(op.message, "deployments.apps \"d\" already exists");
    op_free(&op);
}

CU_TestInfo clusters_object_status_tests[] = {
    {"statuses are the recorded server's", recorded    },
    {"a body of another kind",             kinds       },
    {"field errors have upstream's words", words       },
    {"faults without a reason",            plain_faults},
    CU_TEST_INFO_NULL,
};
