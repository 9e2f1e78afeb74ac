/* Answers: objects and lists in the form that the client asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "clusters/http/kubernetes.h"
#include "clusters/object/table.h"

#define GZIP_MIN   ((size_t)128 << 10)
#define ANSWER_MAX ((size_t)512 << 20)

/* ---- bytes ---- */

static bool deflate_all(struct op *op, struct bytes body, struct bytes *ret)
{
    z_stream z = {0};
    uLong bound;
    bool good;

    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bound = deflateBound(&z, body.len);
    z.next_out = arena_alloc(&op->arena, bound);
    ret->data = z.next_out;
    z.avail_out = (uInt)bound;
    z.next_in = (Bytef *)body.data;
    z.avail_in = (uInt)body.len;
    good = deflate(&z, Z_FINISH) == Z_STREAM_END;
    ret->len = z.total_out;
    deflateEnd(&z);
    return good;
}

enum fault answer_bytes(struct call *c, int status, const char *content_type, struct bytes body)
{
    struct bytes packed;

    if (body.len > GZIP_MIN && accepts_gzip(c) && deflate_all(&c->op, body, &packed)) {
        reply_header(c, "Content-Encoding", "gzip");
        reply_header(c, "Vary", "Accept-Encoding");
        body = packed;
    }
    return reply_bytes(c, status, content_type, body);
}

static struct bytes indented(struct op *op, const json_t *tree)
{
    char *text = json_dumps(tree, JSON_INDENT(2) | JSON_ENCODE_ANY);

    if (!text)
        abort();
    arena_defer(&op->arena, free, text);
    return (struct bytes){text, strlen(text)};
}

enum fault answer_tree(struct call *c, int status, const json_t *tree)
{
    struct accepted accepted;

    TRY(negotiate(c, &accepted));
    if (accepted.form == FORM_YAML)
        return answer_bytes(c, status, "application/yaml", object_encode_yaml(&c->op, tree));
    return answer_bytes(c, status, "application/json",
                        accepted.pretty ? indented(&c->op, tree) : object_encode(&c->op, tree));
}

static enum fault answer_json(struct call *c, int status, const struct accepted *accepted,
                              struct bytes text)
{
    json_t *tree;

    if (accepted->form != FORM_YAML && !accepted->pretty)
        return answer_bytes(c, status, "application/json", text);
    tree = json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);
    if (!tree)
        return fail(&c->op, INTERNAL, "an answer of ours is not JSON");
    arena_defer(&c->op.arena, (void (*)(void *))json_decref, tree);
    if (accepted->form == FORM_YAML)
        return answer_bytes(c, status, "application/yaml", object_encode_yaml(&c->op, tree));
    return answer_bytes(c, status, "application/json", indented(&c->op, tree));
}

void add_warnings(struct call *c, const struct rest *r)
{
    for (size_t i = 0; i < ARRAY_LEN(r->warnings) && r->warnings[i]; i++) {
        struct text quoted;

        text_init(&quoted, &c->op.arena, 8192);
        for (const char *p = r->warnings[i]; *p; p++) {
            if (*p == '"' || *p == '\\')
                text_str(&quoted, "\\");
            if ((unsigned char)*p >= ' ')
                text_add(&quoted, p, 1);
        }
        if (c->reply.n_headers + 6 < REPLY_HEADERS_MAX)
            reply_header(c, "Warning", "299 - \"%s\"", quoted.data);
    }
}

/* ---- one object ---- */

static bool is_stored_form(const struct rest *r, const struct object *object)
{
    return r->resource == object->resource &&
           (!r->subresource || strcmp(r->subresource, "scale") != 0);
}

/* The object's text, in the version and of the subresource asked for. */
static struct bytes text_of(struct op *op, const struct rest *r, struct object *object)
{
    json_t *view = NULL;

    if (is_stored_form(r, object) || rest_view(op, r, object, &view) != OK)
        return object->text;
    return object_encode(op, view);
}

/* {"kind":"PartialObjectMetadata",…,"metadata":{…}}: the metadata is a piece of the text. */
static struct bytes partial_text(struct op *op, struct object *object, const char *version)
{
    const char *text = object->text.data, *begin = strstr(text, "\"metadata\":"), *end = begin;
    int depth = 0;
    bool quoted = false;
    struct text out;

    for (end += 11; *end; end++) {
        if (*end == '\\' && quoted)
            end++;
        else if (*end == '"')
            quoted = !quoted;
        else if (!quoted && *end == '{')
            depth++;
        else if (!quoted && *end == '}' && --depth == 0)
            break;
    }
    text_init(&out, &op->arena, object->text.len + 256);
    text_printf(&out, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/%s\",",
                version);
    text_add(&out, begin, (size_t)(end - begin) + 1);
    text_str(&out, "}");
    return text_bytes(&out);
}

const char *include_object(struct call *c)
{
    const char *include = call_query(c, "includeObject", 0);

    return include && *include ? include : "Metadata";
}

static struct bytes included(struct op *op, const struct rest *r, struct object *object,
                             struct bytes text, const char *version, const char *include)
{
    if (strcmp(include, "None") == 0)
        return BYTES("null");
    if (strcmp(include, "Object") == 0)
        return text.data == object->text.data ? text_of(op, r, object) : text;
    return partial_text(op, object, version);
}

static void add_row(struct op *op, struct text *out, const struct rest *r,
                    const struct accepted *accepted, struct object *object, struct bytes text,
                    const char *include)
{
    json_t *view = NULL;
    const json_t *tree = object_tree(object);

    if (!is_stored_form(r, object) && rest_view(op, r, object, &view) == OK)
        tree = view;
    table_row(op, out, r->resource, tree, included(op, r, object, text, accepted->version, include),
              wall_s());
}

static void open_table(struct text *out, const struct rest *r, const char *version,
                       int64_t revision, bool columns)
{
    text_printf(out,
                "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/%s\","
                "\"metadata\":{\"resourceVersion\":\"%lld\"",
                version, (long long)revision);
    text_str(out, "}");
    if (columns) {
        text_str(out, ",");
        text_str(out, table_columns(r->resource));
    } else {
        text_str(out, ",\"columnDefinitions\":null");
    }
}

struct bytes shape_object(struct op *op, const struct rest *r, const struct accepted *accepted,
                          struct object *object, struct bytes text, bool columns,
                          const char *include)
{
    struct text out;

    if (accepted->form == FORM_PARTIAL || accepted->form == FORM_PARTIAL_LIST)
        return partial_text(op, object, accepted->version);
    if (accepted->form != FORM_TABLE)
        return text.data == object->text.data ? text_of(op, r, object) : text;
    text_init(&out, &op->arena, ANSWER_MAX);
    open_table(&out, r, accepted->version, object->revision, columns);
    text_str(&out, ",\"rows\":[");
    add_row(op, &out, r, accepted, object, text, include);
    text_str(&out, "]}");
    return text_bytes(&out);
}

enum fault answer_object(struct call *c, int status, struct object *object)
{
    struct kube *k = KUBE(c);
    struct accepted accepted;

    TRY(negotiate(c, &accepted));
    add_warnings(c, &k->r);
    return answer_json(
        c, status, &accepted,
        shape_object(&c->op, &k->r, &accepted, object, object->text, true, include_object(c)));
}

/* ---- lists ---- */

/* Items of typed lists come without kind and apiVersion, as upstream's. */
static size_t frame_length(struct op *op, const struct resource *r)
{
    return r->type ? strlen(arena_printf(&op->arena, "\"kind\":\"%s\",\"apiVersion\":\"%s\",",
                                         r->kind, resource_api_version(r)))
                   : 0;
}

static void add_list_metadata(struct text *out, const struct list_view *list)
{
    text_printf(out, "\"metadata\":{\"resourceVersion\":\"%lld\"", (long long)list->page->revision);
    if (list->next)
        text_printf(out, ",\"continue\":\"%s\"", list->next);
    if (list->next && list->remaining >= 0)
        text_printf(out, ",\"remainingItemCount\":%lld", (long long)list->remaining);
    text_str(out, "}");
}

static void add_items(struct op *op, struct text *out, const struct rest *r,
                      const struct accepted *accepted, const struct store_page *page)
{
    size_t frame = frame_length(op, r->resource);

    for (size_t i = 0; i < page->n; i++) {
        struct object *object = page->objects[i];
        struct bytes text;

        if (i)
            text_add(out, ",", 1);
        if (accepted->form == FORM_PARTIAL_LIST || accepted->form == FORM_PARTIAL) {
            text = partial_text(op, object, accepted->version);
            text_add(out, text.data, text.len);
        } else if (is_stored_form(r, object)) {
            text_add(out, "{", 1);
            text_add(out, (const char *)object->text.data + 1 + frame,
                     object->text.len - 1 - frame);
        } else {
            text = text_of(op, r, object);
            text_add(out, text.data, text.len);
        }
    }
}

static void add_table(struct op *op, struct text *out, const struct rest *r,
                      const struct accepted *accepted, const struct list_view *list,
                      const char *include)
{
    text_printf(out, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/%s\",", accepted->version);
    add_list_metadata(out, list);
    text_str(out, ",");
    text_str(out, table_columns(r->resource));
    text_str(out, ",\"rows\":[");
    for (size_t i = 0; i < list->page->n; i++) {
        struct object *object = list->page->objects[i];

        if (i)
            text_add(out, ",", 1);
        add_row(op, out, r, accepted, object, object->text, include);
    }
    text_str(out, "]}");
}

/* One growth instead of many: about what the items have. */
static size_t estimate(const struct store_page *page)
{
    size_t bytes = 512;

    for (size_t i = 0; i < page->n; i++)
        bytes += page->objects[i]->text.len + 1;
    return bytes;
}

enum fault answer_list(struct call *c, const struct list_view *list)
{
    struct op *op = &c->op;
    struct kube *k = KUBE(c);
    struct accepted accepted;
    struct text out;

    TRY(negotiate(c, &accepted));
    text_init(&out, &op->arena, ANSWER_MAX);
    if (accepted.form == FORM_TABLE) {
        add_table(op, &out, &k->r, &accepted, list, include_object(c));
        return answer_json(c, 200, &accepted, text_bytes(&out));
    }
    out.cap = estimate(list->page);
    out.data = arena_alloc(&op->arena, out.cap);
    if (accepted.form == FORM_PARTIAL_LIST || accepted.form == FORM_PARTIAL)
        text_printf(&out,
                    "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/%s\",",
                    accepted.version);
    else
        text_printf(&out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", k->r.resource->list_kind,
                    resource_api_version(k->r.resource));
    add_list_metadata(&out, list);
    text_str(&out, ",\"items\":[");
    add_items(op, &out, &k->r, &accepted, list->page);
    text_str(&out, "]}");
    return answer_json(c, 200, &accepted, text_bytes(&out));
}

enum fault answer_success(struct call *c, int status, struct object *about)
{
    json_t *answer = json_pack("{s:s, s:s, s:{}, s:s}", "kind", "Status", "apiVersion", "v1",
                               "metadata", "status", "Success");
    const struct resource *r = KUBE(c)->r.resource;
    json_t *details;

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, answer);
    if (about) {
        details =
            json_pack("{s:s, s:s, s:s}", "name", about->name, "kind", r->plural, "uid", about->uid);
        if (*r->group)
            json_object_set_new(details, "group", json_string(r->group));
        json_object_set_new(answer, "details", details);
    } else {
        json_object_set_new(answer, "code", json_integer(status));
    }
    add_warnings(c, &KUBE(c)->r);
    return answer_tree(c, status, answer);
}
