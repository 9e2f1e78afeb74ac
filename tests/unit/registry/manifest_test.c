#include "registry/manifest.h"

#include <string.h>

#include "registry/repository.h"
#include "registry/tag.h"
#include "tests/unit/registry/store.h"

#define A     "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B     "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C     "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define D(x)  "{\"mediaType\":\"application/x\",\"digest\":\"" x "\",\"size\":10}"
#define IMAGE "{\"schemaVersion\":2,\"config\":" D(A) ",\"layers\":[" D(B) "," D(B) "," D(A) "]}"

static const struct {
    const char *type, *text;
    bool good;
    size_t n_blobs, n_children;
    int64_t image_size;
} cases[] = {
    {MEDIA_OCI_MANIFEST,                   IMAGE,                                                                      true,  2, 0, 40 },
    {MEDIA_OCI_MANIFEST "; charset=utf-8", IMAGE,                                                                      true,  2, 0, 40 },
    {MEDIA_DOCKER_MANIFEST,                IMAGE,                                                                      true,  2, 0, 40 },
    {MEDIA_OCI_INDEX,                      "{\"schemaVersion\":2,\"manifests\":[]}",                                   true,  0, 0, 34 },
    {MEDIA_OCI_INDEX,                      "{\"schemaVersion\":2,\"manifests\":[" D(C) "]}",                           true,  0, 1, 156},
    {MEDIA_OCI_ARTIFACT,                   "{\"blobs\":[" D(A) "],\"x\":1}",                                           true,  1, 0, 10 },
    {MEDIA_ORAS_ARTIFACT,                  "{}",                                                                       true,  0, 0, 0  },
    {NULL,                                 IMAGE,                                                                      false, 0, 0, 0  }, /* nothing says what it is */
    {MEDIA_OCI_INDEX,                      IMAGE,                                                                      false, 0, 0, 0  }, /* both forms, or the wrong one */
    {"application/json",                   IMAGE,                                                                      false, 0, 0, 0  }, /* unknown type */
    {MEDIA_OCI_MANIFEST,                   "{}",                                                                       false, 0, 0, 0  },
    {MEDIA_OCI_MANIFEST,                   "[]",                                                                       false, 0, 0, 0  },
    {MEDIA_OCI_MANIFEST,                   "",                                                                         false, 0, 0, 0  },
    {MEDIA_OCI_MANIFEST,                   IMAGE "x",                                                                  false, 0, 0, 0  },
    {MEDIA_OCI_MANIFEST,                   "{\"schemaVersion\":1}",                                                    false, 0, 0, 0  },
    {MEDIA_OCI_MANIFEST,                   "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\"}",              false, 0, 0,
     0                                                                                                                                 },
    {MEDIA_OCI_MANIFEST,                   "{\"schemaVersion\":2,\"config\":" D("sha256:x") ",\"layers\":[]}",         false,
     0,                                                                                                                          0, 0  },
    {MEDIA_OCI_MANIFEST,                   "{\"schemaVersion\":2,\"config\":" D(A) ",\"layers\":{}}",                  false, 0, 0, 0  },
    {MEDIA_OCI_MANIFEST,                   "{\"schemaVersion\":2,\"config\":" D(A) ",\"layers\":[],\"manifests\":[]}",
     false,                                                                                                                   0, 0, 0  },
    {MEDIA_OCI_MANIFEST,
     "{\"schemaVersion\":2,\"config\":" D(A) ",\"layers\":[],\"annotations\":{\"a\":1}}",                              false, 0,
     0,                                                                                                                             0  },
    {MEDIA_OCI_MANIFEST,                   "{\"schemaVersion\":2,\"config\":" D(A) ",\"layers\":[],\"subject\":{}}",
     false,                                                                                                                   0, 0, 0  },
};

static void test_parse(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct manifest m = {0};
        struct op op;

        op_init(&op);
        if (!cases[i].good) {
            CU_ASSERT_EQUAL(manifest_parse(&op, cases[i].type, BYTES(cases[i].text), &m), INVALID);
            CU_ASSERT_STRING_EQUAL(op.noun, "manifest");
        } else {
            CU_ASSERT_EQUAL(manifest_parse(&op, cases[i].type, BYTES(cases[i].text), &m), OK);
            CU_ASSERT_EQUAL(m.n_blobs, cases[i].n_blobs);
            CU_ASSERT_EQUAL(m.n_children, cases[i].n_children);
            CU_ASSERT_EQUAL(m.image_size, cases[i].image_size);
        }
        op_free(&op);
    }
}

static void test_foreign_layers(void)
{
    static const char text[] = "{\"schemaVersion\":2,\"config\":" D(
        A) ",\"layers\":[{\"mediaType\":"
           "\"application/vnd.oci.image.layer.nondistributable.v1.tar\",\"digest\":\"" B
           "\",\"size\":1},"
           "{\"digest\":\"" C "\",\"size\":1,\"urls\":[\"http://x\"]}]}";
    struct manifest m;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(manifest_parse(&op, MEDIA_OCI_MANIFEST, BYTES(text), &m), OK);
    CU_ASSERT_EQUAL_FATAL(m.n_blobs, 1);
    CU_ASSERT_STRING_EQUAL(m.blobs[0], A);
    op_free(&op);
}

static void test_platform(void)
{
    struct manifest m = {0};
    struct op op;

    op_init(&op);
    manifest_platform(&op, BYTES("{\"architecture\":\"arm64\",\"os\":\"linux\"}"), &m);
    CU_ASSERT_STRING_EQUAL(m.architecture, "arm64");
    CU_ASSERT_STRING_EQUAL(m.os, "linux");
    m = (struct manifest){0};
    manifest_platform(&op, BYTES("no JSON"), &m);
    CU_ASSERT_PTR_NULL(m.architecture);
    CU_ASSERT_EQUAL(op.fault, OK);
    op_free(&op);
}

static struct manifest parsed(struct op *op, const char *digest)
{
    struct manifest m;

    CU_ASSERT_EQUAL_FATAL(manifest_parse(op, MEDIA_OCI_MANIFEST, BYTES(IMAGE), &m), OK);
    m.digest = digest;
    return m;
}

/* The blobs must be there; then it is found by tag and digest, byte for byte. */
static void test_put_and_get(void)
{
    static const char *const names[] = {"v1", "v2"};
    struct manifest_content found;
    struct repository repository;
    struct manifest m;
    int64_t registry;
    struct op op;

    store_begin(&op, &registry, &repository);
    m = parsed(&op, C);
    CU_ASSERT_EQUAL(manifest_check_blobs(&op, repository.id, &m), NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(op.detail, "[{\"digest\":\"" A "\"},{\"digest\":\"" B "\"}]");
    store_link(&op, &repository, A);
    CU_ASSERT_EQUAL(manifest_check_blobs(&op, repository.id, &m), NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(op.detail, "[{\"digest\":\"" B "\"}]");
    store_link(&op, &repository, B);
    CU_ASSERT_EQUAL(manifest_check_blobs(&op, repository.id, &m), OK);
    CU_ASSERT_EQUAL_FATAL(manifest_put(&op, repository.id, &m, names, 2), OK);
    CU_ASSERT_EQUAL_FATAL(manifest_get(&op, registry, "team/app", "v2", &found), OK);
    CU_ASSERT_STRING_EQUAL(found.digest, C);
    CU_ASSERT_EQUAL(found.content.len, strlen(IMAGE));
    CU_ASSERT_EQUAL(memcmp(found.content.data, IMAGE, strlen(IMAGE)), 0);
    CU_ASSERT_EQUAL(manifest_get(&op, registry, "team/app", C, &found), OK);
    CU_ASSERT_EQUAL(manifest_get(&op, registry, "team/app", "v3", &found), NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(op.noun, "manifest");
    CU_ASSERT_EQUAL(manifest_get(&op, registry, "other", "v1", &found), NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(op.noun, "name");
    unit_op_end(&op);
}

static void test_delete(void)
{
    static const char *const names[] = {"v1"};
    struct attribute_changes lock = {.delete_enabled = "f"}, free_again = {.delete_enabled = "t"};
    struct manifest_content found;
    struct repository repository;
    struct manifest m;
    const char *media_type;
    int64_t registry;
    struct op op;

    store_begin(&op, &registry, &repository);
    store_link(&op, &repository, A);
    store_link(&op, &repository, B);
    m = parsed(&op, C);
    CU_ASSERT_EQUAL_FATAL(manifest_put(&op, repository.id, &m, names, 1), OK);
    CU_ASSERT_EQUAL(tag_change(&op, repository.id, "v1", &lock), OK);
    CU_ASSERT_EQUAL(manifest_delete(&op, repository.id, C, &media_type), FORBIDDEN);
    CU_ASSERT_EQUAL(tag_delete(&op, repository.id, "v1", "tag"), FORBIDDEN);
    CU_ASSERT_EQUAL(tag_change(&op, repository.id, "v1", &free_again), OK);
    CU_ASSERT_EQUAL(manifest_delete(&op, repository.id, C, &media_type), OK);
    CU_ASSERT_EQUAL(manifest_get(&op, registry, "team/app", "v1", &found), NOT_FOUND);
    CU_ASSERT_EQUAL(manifest_delete(&op, repository.id, C, &media_type), NOT_FOUND);
    unit_op_end(&op);
}

CU_TestInfo registry_manifest_tests[] = {
    {"parse",          test_parse         },
    {"foreign layers", test_foreign_layers},
    {"platform",       test_platform      },
    {"put and get",    test_put_and_get   },
    {"delete",         test_delete        },
    CU_TEST_INFO_NULL,
};
