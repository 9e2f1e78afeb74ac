#include "registry/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "registry/names.h"

enum form { FORM_IMAGE, FORM_INDEX, FORM_ARTIFACT, FORM_SCHEMA1 };

static const struct media_type {
    const char *name;
    enum form form;
} media_types[] = {
    {MEDIA_OCI_MANIFEST,                                          FORM_IMAGE   },
    {MEDIA_DOCKER_MANIFEST,                                       FORM_IMAGE   },
    {MEDIA_OCI_INDEX,                                             FORM_INDEX   },
    {MEDIA_DOCKER_LIST,                                           FORM_INDEX   },
    {MEDIA_OCI_ARTIFACT,                                          FORM_ARTIFACT},
    {MEDIA_ORAS_ARTIFACT,                                         FORM_ARTIFACT},
    {"application/vnd.docker.distribution.manifest.v1+json",      FORM_SCHEMA1 },
    {"application/vnd.docker.distribution.manifest.v1+prettyjws", FORM_SCHEMA1 },
};

#define SCHEMA1_MESSAGE                                                                            \
    "Docker schema 1 manifests are not supported: push the image with a current client, as "       \
    "schema "                                                                                      \
    "2 or OCI"

#define BAD(...) fail_on(op, "manifest", INVALID, __VA_ARGS__)

static const struct media_type *find_type(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(media_types); i++)
        if (strcmp(media_types[i].name, name) == 0)
            return &media_types[i];
    return NULL;
}

/* A member that is a string of sane length, or NULL when absent. */
static enum fault get_text(struct op *op, const json_t *object, const char *name, const char **ret)
{
    const json_t *value = json_object_get(object, name);

    *ret = NULL;
    if (!value)
        return OK;
    if (!json_is_string(value) || json_string_length(value) > MEDIA_TYPE_MAX)
        return BAD("%s must be a string of at most %d bytes", name, MEDIA_TYPE_MAX);
    *ret = json_string_value(value);
    return OK;
}

/* ---- descriptors ---- */

struct descriptor {
    const char *digest, *media_type;
    int64_t size;
};

static enum fault read_descriptor(struct op *op, const json_t *value, const char *what,
                                  struct descriptor *ret)
{
    const json_t *size = json_object_get(value, "size");

    if (!json_is_object(value))
        return BAD("%s must be a descriptor", what);
    TRY(get_text(op, value, "mediaType", &ret->media_type));
    TRY(get_text(op, value, "digest", &ret->digest));
    if (!ret->digest || !digest_is_valid(ret->digest))
        return BAD("%s has no valid sha256 or sha512 digest", what);
    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return BAD("%s has no valid size", what);
    ret->size = json_integer_value(size);
    return OK;
}

/* "Non-distributable layers never pushed": they lie elsewhere, at their urls. */
static bool is_foreign(const json_t *value, const struct descriptor *d)
{
    return json_array_size(json_object_get(value, "urls")) > 0 ||
           (d->media_type &&
            (strstr(d->media_type, "nondistributable") || strstr(d->media_type, ".foreign.")));
}

static void add_size(struct manifest *m, int64_t size)
{
    if (__builtin_add_overflow(m->image_size, size, &m->image_size))
        m->image_size = INT64_MAX;
}

static enum fault read_blobs(struct op *op, const json_t *list, const char *what,
                             struct manifest *m)
{
    struct descriptor d;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);

        TRY(read_descriptor(op, value, what, &d));
        add_size(m, d.size);
        if (!is_foreign(value, &d))
            m->blobs[m->n_blobs++] = d.digest;
    }
    return OK;
}

/* ---- the three forms ---- */

static enum fault read_image(struct op *op, const json_t *root, struct manifest *m)
{
    const json_t *layers = json_object_get(root, "layers");
    struct descriptor config;

    if (json_object_get(root, "manifests"))
        return BAD("a manifest is either an image or an index: it has both layers and manifests");
    TRY(read_descriptor(op, json_object_get(root, "config"), "config", &config));
    if (!json_is_array(layers))
        return BAD("layers must be a list");
    m->blobs = arena_alloc(&op->arena, (json_array_size(layers) + 1) * sizeof(*m->blobs));
    m->blobs[m->n_blobs++] = config.digest;
    add_size(m, config.size);
    m->config_media_type = config.media_type;
    if (config.media_type && (strcmp(config.media_type, MEDIA_OCI_CONFIG) == 0 ||
                              strcmp(config.media_type, MEDIA_DOCKER_CONFIG) == 0)) {
        m->config = config.digest;
        m->config_size = config.size;
    }
    TRY(read_blobs(op, layers, "a layer", m));
    if (!m->artifact_type) /* OCI dist v1.1: "set to the config.mediaType" in referrers */
        m->artifact_type = config.media_type;
    return OK;
}

static enum fault read_index(struct op *op, const json_t *root, struct manifest *m)
{
    const json_t *manifests = json_object_get(root, "manifests");
    size_t n = json_array_size(manifests);
    struct descriptor d;

    if (json_object_get(root, "layers") || json_object_get(root, "config"))
        return BAD("a manifest is either an image or an index: it has both manifests and layers");
    if (!json_is_array(manifests))
        return BAD("manifests must be a list");
    m->children = arena_alloc(&op->arena, (n + 1) * sizeof(*m->children));
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(manifests, i);
        const json_t *platform = json_object_get(value, "platform");
        struct manifest_child *child = &m->children[m->n_children++];

        TRY(read_descriptor(op, value, "a manifest", &d));
        child->digest = d.digest;
        TRY(get_text(op, platform, "architecture", &child->architecture));
        TRY(get_text(op, platform, "os", &child->os));
    }
    m->image_size = (int64_t)m->content.len;
    return OK;
}

static enum fault read_artifact(struct op *op, const json_t *root, struct manifest *m)
{
    const json_t *blobs = json_object_get(root, "blobs");

    if (blobs && !json_is_array(blobs))
        return BAD("blobs must be a list");
    m->blobs = arena_alloc(&op->arena, (json_array_size(blobs) + 1) * sizeof(*m->blobs));
    return read_blobs(op, blobs, "a blob", m);
}

/* ---- the whole ---- */

static const char *without_parameters(struct op *op, const char *content_type)
{
    size_t len = strcspn(content_type, "; \t");

    return arena_strndup(&op->arena, content_type, len);
}

static enum fault find_form(struct op *op, const char *content_type, const json_t *root,
                            struct manifest *m, enum form *ret_form)
{
    const json_t *version = json_object_get(root, "schemaVersion");
    const struct media_type *type;
    const char *own;

    TRY(get_text(op, root, "mediaType", &own));
    m->media_type = content_type && *content_type ? without_parameters(op, content_type) : own;
    if (json_integer_value(version) == 1)
        return BAD(SCHEMA1_MESSAGE);
    if (!m->media_type)
        return BAD("neither Content-Type nor mediaType say what this is");
    type = find_type(m->media_type);
    if (!type)
        return BAD("manifests of type \"%.255s\" are not supported", m->media_type);
    if (type->form == FORM_SCHEMA1)
        return BAD(SCHEMA1_MESSAGE);
    if (own && strcmp(own, m->media_type) != 0)
        return BAD("its mediaType is %s, but it was pushed as %s", own, m->media_type);
    if (type->form != FORM_ARTIFACT && json_integer_value(version) != 2)
        return BAD("schemaVersion must be 2");
    *ret_form = type->form;
    return OK;
}

static enum fault read_annotations(struct op *op, const json_t *root, struct manifest *m)
{
    json_t *annotations = json_object_get(root, "annotations"), *value;
    const char *key;

    if (!annotations)
        return OK;
    if (!json_is_object(annotations))
        return BAD("annotations must be an object");
    json_object_foreach(annotations, key, value) if (!json_is_string(value)) return BAD(
        "annotations must be strings");
    m->annotations = json_dumps(annotations, JSON_COMPACT);
    arena_defer(&op->arena, free, (void *)m->annotations);
    return OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_blobs(struct manifest *m)
{
    size_t kept = 0;

    if (m->n_blobs == 0)
        return;
    qsort(m->blobs, m->n_blobs, sizeof(*m->blobs), compare);
    for (size_t i = 0; i < m->n_blobs; i++)
        if (i == 0 || strcmp(m->blobs[i], m->blobs[kept - 1]) != 0)
            m->blobs[kept++] = m->blobs[i];
    m->n_blobs = kept;
}

enum fault manifest_parse(struct op *op, const char *content_type, struct bytes content,
                          struct manifest *ret)
{
    struct manifest m = {.content = content};
    struct descriptor subject;
    enum form form = FORM_IMAGE;
    json_t *root;

    if (json_parse(op, content, &root) != OK)
        return BAD("it is not valid JSON: %s", op->message);
    if (!json_is_object(root))
        return BAD("it is not a JSON object");
    TRY(find_form(op, content_type, root, &m, &form));
    TRY(get_text(op, root, "artifactType", &m.artifact_type));
    TRY(read_annotations(op, root, &m));
    if (json_object_get(root, "subject")) {
        TRY(read_descriptor(op, json_object_get(root, "subject"), "subject", &subject));
        m.subject = subject.digest;
    }
    if (form == FORM_IMAGE)
        TRY(read_image(op, root, &m));
    else if (form == FORM_INDEX)
        TRY(read_index(op, root, &m));
    else
        TRY(read_artifact(op, root, &m));
    sort_blobs(&m);
    *ret = m;
    return OK;
}

void manifest_platform(struct op *op, struct bytes config, struct manifest *manifest)
{
    json_t *root;

    if (json_parse(op, config, &root) != OK ||
        get_text(op, root, "architecture", &manifest->architecture) != OK ||
        get_text(op, root, "os", &manifest->os) != OK)
        op_clear_fault(op);
}
