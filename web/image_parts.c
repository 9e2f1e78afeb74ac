#include "web/image_parts.h"

#include <string.h>

#include "clusters/object/object.h"
#include "core/json.h"
#include "core/uri.h"

#define ROWS_MAX 200  /* of each section: what is longer was not made by a builder */
#define TEXT_MAX 2000 /* of one value */

static const char *const config_types[] = {"application/vnd.oci.image.config.v1+json",
                                           "application/vnd.docker.container.image.v1+json"};

/* ---- values ---- */

static const char *clipped(struct op *op, const char *text)
{
    size_t len = strlen(text);

    if (len <= TEXT_MAX)
        return text;
    len = TEXT_MAX;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return arena_printf(&op->arena, "%.*s… (%zu more bytes)", (int)len, text, strlen(text) - len);
}

static void cell_code(struct page *p, const char *text)
{
    page_cell_begin(p);
    page_html(p, "<code>");
    page_text(p, clipped(p->op, text));
    page_html(p, "</code>");
    page_cell_end(p);
}

static void add_more(struct page *p, size_t n)
{
    if (n <= ROWS_MAX)
        return;
    page_html(p, "<p class=\"soft\">");
    page_printf(p, "And %zu more.", n - ROWS_MAX);
    page_html(p, "</p>");
}

/* An object of texts. */
static void add_names(struct page *p, const char *heading, const json_t *object)
{
    const char *name;
    json_t *value;
    size_t n = 0;

    if (!json_object_size(object))
        return;
    page_heading(p, heading);
    page_table_begin(p, heading, (const char *const[]){"Name", "Value", NULL});
    json_object_foreach((json_t *)object, name, value)
    {
        if (n++ >= ROWS_MAX)
            continue;
        page_row_begin(p);
        cell_code(p, name);
        cell_code(p, json_is_string(value) ? json_string_value(value) : "");
        page_row_end(p);
    }
    page_table_end(p);
    add_more(p, n);
}

void image_annotations_add(struct page *p, const json_t *manifest)
{
    add_names(p, "Annotations", json_object_get(manifest, "annotations"));
}

/* ---- an index ---- */

static const char *platform_text(struct op *op, const json_t *platform)
{
    const char *os = text_at_or(platform, "os", "");
    const char *architecture = text_at_or(platform, "architecture", "");
    const char *variant = text_at_or(platform, "variant", "");
    const char *version = json_string_value(json_object_get(platform, "os.version"));

    if (!*os && !*architecture)
        return "";
    return clipped(op,
                   arena_printf(&op->arena, "%s/%s%s%s%s%s", os, architecture, *variant ? "/" : "",
                                variant, version ? " " : "", version ? version : ""));
}

void image_platforms_add(struct page *p, const struct registry_view *v, const json_t *manifest)
{
    const json_t *children = json_object_get(manifest, "manifests");
    json_t *child;
    size_t i;

    if (!json_is_array(children))
        return;
    page_heading(p, "Platforms");
    page_table_begin(p, "Platforms",
                     (const char *const[]){"Platform", "Digest", "Media type", ">Size", NULL});
    json_array_foreach(children, i, child)
    {
        if (i >= ROWS_MAX)
            break;
        page_row_begin(p);
        page_cell(p, platform_text(p->op, json_object_get(child, "platform")));
        page_cell_digest(p, v, text_at_or(child, "digest", ""));
        page_cell(p, text_at_or(child, "mediaType", ""));
        page_cell_number(p, page_bytes(p->op, int_at(child, "size", 0)));
        page_row_end(p);
    }
    page_table_end(p);
    add_more(p, json_array_size(children));
}

/* ---- layers ---- */

static int64_t largest_of(const json_t *layers)
{
    int64_t largest = 0;
    json_t *layer;
    size_t i;

    json_array_foreach(layers, i, layer)
    {
        int64_t size = int_at(layer, "size", 0);

        largest = size > largest ? size : largest;
    }
    return largest;
}

/* OCI's "layers", and the "blobs" of artifact manifests. */
void image_layers_add(struct page *p, const json_t *manifest)
{
    const json_t *layers = json_object_get(manifest, "layers");
    int64_t largest;
    json_t *layer;
    size_t i;

    if (!layers)
        layers = json_object_get(manifest, "blobs");
    if (!json_array_size(layers))
        return;
    largest = largest_of(layers);
    page_heading(p, "Layers");
    page_table_begin(
        p, "Layers",
        (const char *const[]){"Layer", "Digest", "Media type", ">Size", "Share", NULL});
    json_array_foreach(layers, i, layer)
    {
        int64_t size = int_at(layer, "size", 0);

        if (i >= ROWS_MAX)
            break;
        page_row_begin(p);
        page_cell(p, page_count(p->op, (int64_t)i + 1));
        page_cell_whole(p, digest_short(p->op, text_at_or(layer, "digest", "")));
        page_cell(p, text_at_or(layer, "mediaType", ""));
        page_cell_number(p, page_bytes(p->op, size));
        page_cell_begin(p);
        page_bar(p, "Size beside the largest", size, largest);
        page_cell_end(p);
        page_row_end(p);
    }
    page_table_end(p);
    add_more(p, json_array_size(layers));
}

/* ---- config ---- */

/* ["sh","-c","x y"] as one would type it; only for reading. */
static const char *words_of(struct op *op, const json_t *words)
{
    struct text out;
    json_t *word;
    size_t i;

    text_init(&out, &op->arena, (size_t)2 * ASK_FILE_MAX);
    json_array_foreach(words, i, word)
    {
        const char *text = json_is_string(word) ? json_string_value(word) : "";
        bool plain = *text && !text[strcspn(text, " \t\n\"'\\$")];

        if (i)
            text_str(&out, " ");
        if (plain)
            text_str(&out, text);
        else
            json_quote(&out, text);
    }
    return clipped(op, out.data);
}

/* The names of an object: "80/tcp, 443/tcp". */
static const char *keys_of(struct op *op, const json_t *object)
{
    const char *name;
    struct text out;
    json_t *value;

    text_init(&out, &op->arena, TEXT_MAX);
    json_object_foreach((json_t *)object, name, value)
    {
        text_printf(&out, "%s%.100s", out.len ? ", " : "", name);
    }
    return out.data;
}

static void add_config(struct page *p, const json_t *config)
{
    const json_t *c = json_object_get(config, "config");
    struct op *op = p->op;

    page_heading(p, "Config");
    page_facts_begin(p);
    page_fact(p, "Platform", platform_text(op, config));
    page_fact_time(p, "Built", text_at_or(config, "created", ""));
    page_fact(p, "Author", clipped(op, text_at_or(config, "author", "")));
    page_fact(p, "Entrypoint", words_of(op, json_object_get(c, "Entrypoint")));
    page_fact(p, "Command", words_of(op, json_object_get(c, "Cmd")));
    page_fact(p, "Working folder", clipped(op, text_at_or(c, "WorkingDir", "")));
    page_fact(p, "User", clipped(op, text_at_or(c, "User", "")));
    page_fact(p, "Exposed ports", keys_of(op, json_object_get(c, "ExposedPorts")));
    page_fact(p, "Volumes", keys_of(op, json_object_get(c, "Volumes")));
    page_fact(p, "Stop signal", clipped(op, text_at_or(c, "StopSignal", "")));
    page_facts_end(p);
}

static void add_environment(struct page *p, const json_t *list)
{
    json_t *item;
    size_t i;

    if (!json_array_size(list))
        return;
    page_heading(p, "Environment");
    page_table_begin(p, "Environment", (const char *const[]){"Name", "Value", NULL});
    json_array_foreach(list, i, item)
    {
        const char *text = json_is_string(item) ? json_string_value(item) : "";
        size_t len = strcspn(text, "=");

        if (i >= ROWS_MAX)
            break;
        page_row_begin(p);
        cell_code(p, arena_strndup(&p->op->arena, text, len));
        cell_code(p, text + len + (text[len] == '='));
        page_row_end(p);
    }
    page_table_end(p);
    add_more(p, json_array_size(list));
}

/* Steps that made a layer, in the layers' order; the others have no size. */
static void add_history(struct page *p, const json_t *history, const json_t *layers)
{
    size_t i, layer = 0;
    json_t *step;

    if (!json_array_size(history))
        return;
    page_heading(p, "History");
    page_table_begin(p, "History", (const char *const[]){"When", "Made by", ">Layer", NULL});
    json_array_foreach(history, i, step)
    {
        const char *by = text_at_or(step, "created_by", "");
        bool empty = bool_at(step, "empty_layer", false);
        int64_t size = int_at(json_array_get(layers, layer), "size", 0);

        if (i >= ROWS_MAX)
            break;
        page_row_begin(p);
        page_cell_time(p, text_at_or(step, "created", ""));
        cell_code(p, *by ? by : text_at_or(step, "comment", ""));
        page_cell_number(p, empty ? "" : page_bytes(p->op, size));
        page_row_end(p);
        layer += !empty;
    }
    page_table_end(p);
    add_more(p, json_array_size(history));
}

static bool is_config(const json_t *described)
{
    const char *type = text_at_or(described, "mediaType", "");

    for (size_t i = 0; i < ARRAY_LEN(config_types); i++)
        if (strcmp(config_types[i], type) == 0)
            return true;
    return false;
}

/* A config is any bytes: one that is no JSON, or too large, shows nothing. */
static enum fault read_config(struct call *c, const struct registry_view *v, const char *digest,
                              json_t **ret)
{
    struct arena *arena = &c->op.arena;
    const char *path = arena_printf(arena, "/v2/%s/blobs/%s", uri_encode(arena, v->repository, "/"),
                                    uri_encode(arena, digest, ""));
    struct bytes content;
    enum fault fault;

    *ret = NULL;
    fault = ask_registry(c, GET, v->name, path, NULL, &content, NULL);
    if (fault == OK)
        fault = json_parse(&c->op, content, ret);
    if (fault == UNAVAILABLE)
        return fault;
    op_clear_fault(&c->op);
    return OK;
}

enum fault image_config_add(struct page *p, const struct registry_view *v, const json_t *manifest)
{
    const json_t *described = json_object_get(manifest, "config");
    json_t *config;

    if (!is_config(described))
        return OK;
    TRY(read_config(p->c, v, text_at_or(described, "digest", ""), &config));
    if (!json_is_object(config)) {
        page_heading(p, "Config");
        page_html(p, "<p class=\"soft\">It cannot be shown: it is no JSON that we can read.</p>");
        return OK;
    }
    add_config(p, config);
    add_environment(p, at(config, "config.Env"));
    add_names(p, "Labels", at(config, "config.Labels"));
    add_history(p, json_object_get(config, "history"), json_object_get(manifest, "layers"));
    return OK;
}

/* ---- referrers ---- */

static void add_referrer(struct page *p, const struct registry_view *v, const json_t *referrer)
{
    const char *type = text_at_or(referrer, "artifactType", "");

    page_row_begin(p);
    page_cell(p, *type ? type : text_at_or(referrer, "mediaType", ""));
    page_cell_digest(p, v, text_at_or(referrer, "digest", ""));
    page_cell_number(p, page_bytes(p->op, int_at(referrer, "size", 0)));
    page_row_end(p);
}

/* Clients without the referrers API name theirs by tags: "sha256-HEX", "sha256-HEX.sig". */
static void add_by_tag(struct page *p, const struct registry_view *v, const char *tag)
{
    page_row_begin(p);
    page_cell(p, "by its tag");
    page_cell_link(p, tag_link(p->op, v, tag), tag);
    page_cell_number(p, "");
    page_row_end(p);
}

static enum fault tags_of_digest(struct call *c, const struct registry_view *v, const char *prefix,
                                 json_t **ret)
{
    struct arena *arena = &c->op.arena;
    size_t len = strlen(prefix);
    json_t *answer, *tag, *tags = json_array();
    size_t i;

    arena_defer(arena, (void (*)(void *))json_decref, tags);
    /* the list goes on after "last", which one character less comes before */
    TRY(ask_registry_json(c, GET, v->name,
                          arena_printf(arena, "/v2/%s/tags/list?n=20&last=%.*s",
                                       uri_encode(arena, v->repository, "/"), (int)len - 1, prefix),
                          NULL, &answer));
    json_array_foreach(json_object_get(answer, "tags"), i, tag)
    {
        if (strncmp(json_string_value(tag), prefix, len) == 0)
            json_array_append(tags, tag);
    }
    *ret = tags;
    return OK;
}

enum fault image_referrers_add(struct page *p, const struct registry_view *v, const char *digest)
{
    struct arena *arena = &p->op->arena;
    char *prefix = arena_strdup(arena, digest);
    json_t *answer, *list, *tags, *one;
    size_t i;

    TRY(ask_registry_json(p->c, GET, v->name,
                          arena_printf(arena, "/v2/%s/referrers/%s?n=%d",
                                       uri_encode(arena, v->repository, "/"),
                                       uri_encode(arena, digest, ""), ROWS_MAX),
                          NULL, &answer));
    prefix[strcspn(prefix, ":")] = '-';
    TRY(tags_of_digest(p->c, v, prefix, &tags));
    list = json_object_get(answer, "manifests");
    if (!json_array_size(list) && !json_array_size(tags))
        return OK;
    page_heading(p, "Signatures, SBOMs and what else refers to it");
    page_table_begin(p, "Referrers", (const char *const[]){"Type", "Digest", ">Size", NULL});
    json_array_foreach(list, i, one)
    {
        add_referrer(p, v, one);
    }
    json_array_foreach(tags, i, one)
    {
        add_by_tag(p, v, json_string_value(one));
    }
    page_table_end(p);
    return OK;
}
