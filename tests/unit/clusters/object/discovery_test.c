#include "clusters/object/discovery.h"

#include <string.h>

#include "tests/unit/clusters/golden.h"
#include "tests/unit/unit.h"

static json_t *parsed(const struct document *document)
{
    json_t *tree = json_loadb(document->bytes.data, document->bytes.len, 0, NULL);

    CU_ASSERT_PTR_NOT_NULL_FATAL(tree);
    return tree;
}

/* ---- aggregated ---- */

/* The recorded server was a 1.31 that served a beta: what 1.33 has otherwise. */
static bool left_out(const char *group, const char *version)
{
    return strcmp(group, "flowcontrol.apiserver.k8s.io") == 0 && strcmp(version, "v1beta3") == 0;
}

static bool is_new(const char *group, const char *plural)
{
    return strcmp(group, "metrics.k8s.io") == 0 || strcmp(plural, "ipaddresses") == 0 ||
           strcmp(plural, "servicecidrs") == 0;
}

/* {"group/version/plural": resource}, in order */
static json_t *flat(const json_t *document, bool ours)
{
    json_t *out = json_object(), *item, *version, *resource;
    size_t i, j, k;

    json_array_foreach(json_object_get(document, "items"), i, item)
    {
        const char *group = text_at_or(item, "metadata.name", "");

        json_array_foreach(json_object_get(item, "versions"), j, version)
        {
            const char *v = text_at_or(version, "version", "");

            CU_ASSERT_STRING_EQUAL(text_at_or(version, "freshness", ""), "Current");
            json_array_foreach(json_object_get(version, "resources"), k, resource)
            {
                const char *plural = text_at_or(resource, "resource", "");
                char key[300];

                snprintf(key, sizeof(key), "%s/%s/%s", group, v, plural);
                if (ours ? !is_new(group, plural) : !left_out(group, v))
                    json_object_set(out, key, resource);
            }
        }
    }
    return out;
}

/* 1.33 has pods/resize. */
static void without_resize(json_t *flat_resources)
{
    json_t *subresources = at(json_object_get(flat_resources, "/v1/pods"), "subresources"), *item;
    size_t i;

    json_array_foreach(subresources, i, item)
    {
        if (strcmp(text_at_or(item, "subresource", ""), "resize") == 0) {
            json_array_remove(subresources, i);
            return;
        }
    }
    CU_FAIL("pods/resize is not there");
}

static void same_as_golden(bool core, const char *file)
{
    json_t *theirs = golden(file), *ours, *a, *b, *value;
    struct document document;
    const char *key;
    struct op op;

    op_init(&op);
    CU_ASSERT_PTR_NOT_NULL_FATAL(theirs);
    CU_ASSERT_EQUAL_FATAL(discovery_root(&op, core, DISCOVERY_V2, "", &document), OK);
    CU_ASSERT_STRING_EQUAL(document.content_type,
                           "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    ours = parsed(&document);
    a = flat(ours, true);
    b = flat(theirs, false);
    if (core)
        without_resize(a);
    CU_ASSERT_EQUAL(json_object_size(a), json_object_size(b));
    json_object_foreach(b, key, value)
    {
        CU_ASSERT(json_equal(json_object_get(a, key), value));
    }
    CU_ASSERT(json_equal(at(json_array_get(json_object_get(ours, "items"), 0), "metadata"),
                         at(json_array_get(json_object_get(theirs, "items"), 0), "metadata")));
    json_decref(a);
    json_decref(b);
    json_decref(ours);
    json_decref(theirs);
    op_free(&op);
}

static void aggregated(void)
{
    struct document v2, beta, again;
    struct op op;

    same_as_golden(true, "discovery_api.json");
    same_as_golden(false, "discovery_apis.json");
    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(discovery_root(&op, true, DISCOVERY_V2, "", &v2), OK);
    CU_ASSERT_EQUAL_FATAL(discovery_root(&op, true, DISCOVERY_V2, "", &again), OK);
    CU_ASSERT_EQUAL_FATAL(discovery_root(&op, true, DISCOVERY_V2BETA1, "", &beta), OK);
    CU_ASSERT_PTR_EQUAL(v2.bytes.data, again.bytes.data);
    CU_ASSERT_STRING_NOT_EQUAL(v2.etag, beta.etag);
    CU_ASSERT(v2.etag[0] == '"' && strlen(v2.etag) == 66);
    CU_ASSERT_PTR_NOT_NULL(strstr(beta.content_type, "v=v2beta1"));
    op_free(&op);
}

/* ---- legacy ---- */

static void legacy(void)
{
    struct document document;
    bool eviction = false;
    json_t *tree, *item;
    struct op op;
    size_t i;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(discovery_root(&op, true, DISCOVERY_LEGACY, "10.0.0.1:443", &document),
                          OK);
    CU_ASSERT_STRING_EQUAL(document.bytes.data,
                           "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],"
                           "\"serverAddressByClientCIDRs\":[{\"clientCIDR\":\"0.0.0.0/0\","
                           "\"serverAddress\":\"10.0.0.1:443\"}]}");
    CU_ASSERT_EQUAL_FATAL(discovery_root(&op, false, DISCOVERY_LEGACY, "", &document), OK);
    tree = parsed(&document);
    CU_ASSERT_EQUAL(json_array_size(at(tree, "groups")), 20);
    json_decref(tree);
    CU_ASSERT_EQUAL_FATAL(discovery_group(&op, "autoscaling", &document), OK);
    tree = parsed(&document);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "preferredVersion.groupVersion", ""), "autoscaling/v2");
    CU_ASSERT_EQUAL(json_array_size(at(tree, "versions")), 2);
    json_decref(tree);
    CU_ASSERT_EQUAL_FATAL(discovery_resources(&op, "", "v1", &document), OK);
    tree = parsed(&document);
    json_array_foreach(at(tree, "resources"), i, item)
    {
        eviction = eviction || (strcmp(text_at_or(item, "name", ""), "pods/eviction") == 0 &&
                                strcmp(text_at_or(item, "group", ""), "policy") == 0);
    }
    CU_ASSERT(eviction);
    json_decref(tree);
    CU_ASSERT_EQUAL(discovery_group(&op, "", &document), NOT_FOUND);
    CU_ASSERT_EQUAL(discovery_resources(&op, "apps", "v1beta1", &document), NOT_FOUND);
    op_free(&op);
}

/* ---- OpenAPI ---- */

/* Every $ref is a schema that is there. */
static void check_refs(const json_t *value, const json_t *schemas, const char *prefix)
{
    const char *key;
    json_t *item;
    size_t i;

    json_object_foreach((json_t *)value, key, item)
    {
        if (strcmp(key, "$ref") == 0 && json_is_string(item)) {
            const char *name = json_string_value(item);

            CU_ASSERT(strncmp(name, prefix, strlen(prefix)) == 0 &&
                      json_object_get(schemas, name + strlen(prefix)) != NULL);
        }
        check_refs(item, schemas, prefix);
    }
    json_array_foreach((json_t *)value, i, item)
    {
        check_refs(item, schemas, prefix);
    }
}

static void openapi_3(void)
{
    struct document root, document;
    json_t *tree, *doc, *value;
    const char *path;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(openapi_v3_root(&op, &root), OK);
    tree = parsed(&root);
    CU_ASSERT_EQUAL(json_object_size(at(tree, "paths")), 22);
    json_object_foreach(at(tree, "paths"), path, value)
    {
        const char *url = text_at_or(value, "serverRelativeURL", ""), *hash = strstr(url, "?hash=");

        CU_ASSERT_EQUAL_FATAL(openapi_v3(&op, path, false, &document), OK);
        CU_ASSERT(hash && strncmp(hash + 6, document.etag + 1, 64) == 0);
        doc = parsed(&document);
        CU_ASSERT_PTR_NOT_NULL(json_object_get(doc, "components"));
        check_refs(doc, at(doc, "components.schemas"), "#/components/schemas/");
        json_decref(doc);
    }
    json_decref(tree);
    CU_ASSERT_EQUAL_FATAL(openapi_v3(&op, "apis/apps/v1", true, &document), OK);
    CU_ASSERT(document.gzipped && memcmp(document.bytes.data, "\x1f\x8b", 2) == 0);
    CU_ASSERT_EQUAL(openapi_v3(&op, "apis/apps/v2", true, &document), NOT_FOUND);
    op_free(&op);
}

/* What kubectl's apply looks for: list keys, merge keys, kinds, fieldValidation on PATCH. */
static void openapi_for_apply(void)
{
    struct document document;
    json_t *tree, *schemas, *containers, *patch, *parameter;
    bool validates = false;
    struct op op;
    size_t i;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(openapi_v3(&op, "apis/apps/v1", false, &document), OK);
    tree = parsed(&document);
    schemas = at(tree, "components.schemas");
    containers =
        at(json_object_get(schemas, "io.k8s.api.core.v1.PodSpec"), "properties.containers");
    CU_ASSERT_STRING_EQUAL(text_at_or(containers, "x-kubernetes-patch-merge-key", ""), "name");
    CU_ASSERT_STRING_EQUAL(text_at_or(containers, "x-kubernetes-patch-strategy", ""), "merge");
    CU_ASSERT_STRING_EQUAL(text_at_or(containers, "x-kubernetes-list-type", ""), "map");
    patch = at(json_object_get(at(tree, "paths"),
                               "/apis/apps/v1/namespaces/{namespace}/deployments/{name}"),
               "patch");
    CU_ASSERT_STRING_EQUAL(
        text_at_or(json_object_get(patch, "x-kubernetes-group-version-kind"), "kind", ""),
        "Deployment");
    CU_ASSERT_PTR_NOT_NULL(json_object_get(at(patch, "requestBody.content"),
                                           "application/strategic-merge-patch+json"));
    json_array_foreach(at(patch, "parameters"), i, parameter)
    {
        validates = validates || strcmp(text_at_or(parameter, "name", ""), "fieldValidation") == 0;
    }
    CU_ASSERT(validates);
    json_decref(tree);
    op_free(&op);
}

/* ---- v2 ---- */

static uint64_t varint(const unsigned char **p, const unsigned char *end)
{
    uint64_t value = 0;
    int shift = 0;

    do {
        CU_ASSERT_FATAL(*p < end && shift < 64);
        value |= (uint64_t)(**p & 0x7f) << shift;
        shift += 7;
    } while (*(*p)++ & 0x80);
    return value;
}

/* How many fields of that number a message has; the last of them in *ret. */
static size_t members(struct bytes message, unsigned number, struct bytes *ret)
{
    const unsigned char *p = message.data, *end = p + message.len;
    size_t n = 0;

    while (p < end) {
        uint64_t tag = varint(&p, end), value = varint(&p, end);

        if ((tag & 7) == 2) {
            CU_ASSERT_FATAL(value <= (size_t)(end - p));
            if (tag >> 3 == number) {
                *ret = (struct bytes){p, value};
                n++;
            }
            p += value;
        }
    }
    return n;
}

static void openapi_2(void)
{
    struct bytes definitions = {0}, paths = {0}, named = {0}, name = {0};
    struct document document;
    json_t *tree;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(openapi_v2(&op, false, false, &document), OK);
    tree = parsed(&document);
    check_refs(tree, at(tree, "definitions"), "#/definitions/");
    CU_ASSERT_EQUAL_FATAL(openapi_v2(&op, true, false, &document), OK);
    CU_ASSERT_EQUAL(members(document.bytes, 9, &definitions), 1);
    CU_ASSERT_EQUAL(members(definitions, 1, &named), json_object_size(at(tree, "definitions")));
    CU_ASSERT_EQUAL(members(document.bytes, 8, &paths), 1);
    CU_ASSERT_EQUAL(members(paths, 2, &named), json_object_size(at(tree, "paths")));
    CU_ASSERT_EQUAL(members(named, 1, &name), 1);
    CU_ASSERT(name.len > 5 && memcmp(name.data, "/apis", 5) == 0);
    json_decref(tree);
    op_free(&op);
}

CU_TestInfo clusters_object_discovery_tests[] = {
    {"aggregated discovery is the recorded server's", aggregated       },
    {"legacy discovery",                              legacy           },
    {"OpenAPI v3 documents are whole and hashed",     openapi_3        },
    {"OpenAPI v3 has what apply needs",               openapi_for_apply},
    {"OpenAPI v2, in JSON and protobuf",              openapi_2        },
    CU_TEST_INFO_NULL,
};
