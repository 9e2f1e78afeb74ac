/* Reading and writing objects: from a request to a call of rest/, and its answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "clusters/http/streams.h"
#include "clusters/object/patch.h"
#include "core/json.h"
#include "core/seal.h"

#define MEMORY_OBJECTS 512 /* lists up to this are answered on the loop */
#define MEMORY_BYTES   ((size_t)128 << 10)
#define PAGE           500
#define WAIT_MS        3000 /* for a revision that is to come */
#define WAITING_MAX    2

/* ---- what all begin with ---- */

static enum fault check_path(struct call *c, enum verb verb)
{
    struct kube *k = KUBE(c);
    unsigned verbs;

    if (!k->known_version)
        return kube_nowhere(c);
    if (!k->r.resource)
        return no_such_resource(&c->op);
    verbs = k->sub ? k->sub->verbs : k->r.resource->verbs;
    if (!(verbs & verb) || (!k->r.ns && (verb == VERB_CREATE || verb == VERB_DELETE_COLLECTION)))
        return not_allowed(&c->op);
    return OK;
}

static enum fault not_built(struct call *c)
{
    return status_fail(&c->op, UNSUPPORTED, "NotImplemented", NULL,
                       "%s/%s is not supported by this server yet", KUBE(c)->r.resource->plural,
                       KUBE(c)->r.subresource);
}

/* Subresources that are the object itself, or a view of it. */
static bool is_object_view(const struct rest *r)
{
    static const char *const views[] = {"status",   "scale",  "ephemeralcontainers",
                                        "finalize", "resize", "approval"};

    for (size_t i = 0; r->subresource && i < ARRAY_LEN(views); i++)
        if (strcmp(r->subresource, views[i]) == 0)
            return true;
    return !r->subresource;
}

/* Pods are not changed in place: what the node agent would not do is not taken. */
static bool is_changeable_view(const struct rest *r)
{
    return is_object_view(r) &&
           !(r->subresource && (strcmp(r->subresource, "ephemeralcontainers") == 0 ||
                                strcmp(r->subresource, "resize") == 0));
}

/* Filled in, sent when it is safe. */
static enum fault when_durable(struct call *c, enum fault answered)
{
    struct kube *k = KUBE(c);

    return answered == OK ? store_park(c, k->cluster->store, k->r.revision) : answered;
}

/*
 * The same for one object: what its making left behind is freed here, by the thread that made it,
 * and not by the loop. The answer is the object's own text, or lies in the arena.
 */
static enum fault when_object_durable(struct call *c, int status, struct object *object,
                                      const struct arena_defer *mark)
{
    object_hold(object);
    arena_release(&c->op.arena, mark);
    object_drop_later(&c->op, object);
    return when_durable(c, answer_object(c, status, object));
}

/* ---- get ---- */

static enum fault get_object(struct call *c)
{
    struct kube *k = KUBE(c);
    struct object *object = NULL;

    TRY(check_path(c, VERB_GET));
    if (is_metrics(&k->r))
        return kube_metrics(c);
    if (is_streamed(&k->r))
        return kube_streamed(c);
    if (!is_object_view(&k->r))
        return not_built(c);
    TRY(rest_get(&c->op, &k->r, &object));
    return answer_object(c, 200, object);
}

/* ---- lists ---- */

enum fault read_selectors(struct call *c, struct arena *arena, struct chosen *ret)
{
    const char *labels = call_query(c, "labelSelector", 0);
    const char *fields = call_query(c, "fieldSelector", 0);

    *ret = (struct chosen){.all = true};
    if (labels && *labels) {
        TRY(selector_parse(&c->op, arena, labels, &ret->labels));
        ret->all = false;
    }
    if (fields && *fields) {
        TRY(field_selector_parse(&c->op, arena, KUBE(c)->r.resource, fields, &ret->fields));
        ret->all = false;
    }
    return OK;
}

bool is_chosen(const struct chosen *chosen, struct object *object)
{
    if (chosen->labels && !selector_matches(chosen->labels, object->labels))
        return false;
    return !chosen->fields || field_selector_matches(chosen->fields, object_tree(object));
}

struct list_options {
    int64_t limit;
    int64_t at; /* revision; 0: the newest */
    const char *after_ns, *after_name;
};

static enum fault bad_token(struct call *c, const char *why)
{
    return bad_request(&c->op, "invalid continue token: continue key is not valid: %s", why);
}

/* Go's decoder does not mind bits of the last letter that mean nothing. */
static bool decode_token(struct call *c, const char *token, struct bytes *ret)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *text = arena_strdup(&c->op.arena, token);
    size_t len = strlen(text);
    const char *last = len ? strchr(letters, text[len - 1]) : NULL;

    if (last && len % 4 > 1)
        text[len - 1] = letters[(size_t)(last - letters) & (len % 4 == 3 ? 0x3Cu : 0x30u)];
    return base64_decode(&c->op.arena, text, true, ret);
}

/* {"v":"meta.k8s.io/v1","rv":N,"start":"ns/name"} in base64url, as upstream's looks. */
static enum fault read_token(struct call *c, const char *token, struct list_options *ret)
{
    struct bytes text = {0};
    const char *start, *slash;
    json_t *tree = NULL;
    uint8_t first;

    if (!decode_token(c, token, &text))
        return bad_token(c, "illegal base64 data");
    first = text.len ? *(const uint8_t *)text.data : 0;
    if (first != '{') /* Go shows the byte as a rune */
        return bad_token(c, first < 0x80
                                ? arena_printf(&c->op.arena,
                                               "invalid character '%c' looking for "
                                               "beginning of value",
                                               first)
                                : arena_printf(&c->op.arena,
                                               "invalid character '%c%c' looking for beginning of "
                                               "value",
                                               0xC0 | first >> 6, 0x80 | (first & 0x3F)));
    if (json_parse(&c->op, text, &tree) != OK)
        return bad_token(c, "unexpected end of JSON input");
    start = text_at_or(tree, "start", "");
    slash = strchr(start, '/');
    ret->at = int_at(tree, "rv", 0);
    if (!slash || ret->at <= 0)
        return bad_token(c, "incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
    ret->after_ns = arena_strndup(&c->op.arena, start, (size_t)(slash - start));
    ret->after_name = slash + 1;
    return OK;
}

static const char *make_token(struct call *c, int64_t revision, const struct object *last)
{
    const char *text =
        arena_printf(&c->op.arena, "{\"v\":\"meta.k8s.io/v1\",\"rv\":%lld,\"start\":\"%s/%s\"}",
                     (long long)revision, last->ns, last->name);

    return base64_encode(&c->op.arena, BYTES(text), true);
}

static enum fault read_revision(struct call *c, int64_t *ret)
{
    const char *text = call_query(c, "resourceVersion", 0);
    char *end = NULL;

    *ret = 0;
    if (!text || !*text)
        return OK;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    if (*end || errno || *ret < 0) /* upstream answers 500 without a reason */
        return fail_on(&c->op, "resourceVersion", INTERNAL,
                       "resourceVersion: Invalid value: \"%s\": strconv.ParseUint: parsing \"%s\": "
                       "invalid syntax",
                       text, text);
    return OK;
}

static enum fault list_invalid(struct call *c, const char *reason, const char *field,
                               const char *message)
{
    return status_fail(&c->op, INVALID, "Invalid",
                       json_pack("{s:s, s:s, s:[{s:s, s:s, s:s}]}", "group", "meta.k8s.io", "kind",
                                 "ListOptions", "causes", "reason", reason, "message", message,
                                 "field", field),
                       "ListOptions.meta.k8s.io \"\" is invalid: %s: %s", field, message);
}

/* Newer than anything committed: it may be about to come. Few may wait, as each has a worker. */
static enum fault wait_for(struct call *c, int64_t revision)
{
    static atomic_int waiting;
    struct store *store = KUBE(c)->cluster->store;
    int64_t until = now_ms() + WAIT_MS;
    struct timespec pause = {.tv_nsec = 20000000};

    if (atomic_fetch_add(&waiting, 1) < WAITING_MAX)
        while (store_revision(store) < revision && now_ms() < until)
            nanosleep(&pause, NULL);
    atomic_fetch_sub(&waiting, 1);
    if (store_revision(store) >= revision)
        return OK;
    return status_fail(&c->op, UNAVAILABLE, "Timeout",
                       json_pack("{s:[{s:s, s:s}], s:i}", "causes", "reason",
                                 "ResourceVersionTooLarge", "message", "Too large resource version",
                                 "retryAfterSeconds", 1),
                       "Too large resource version: %lld, current: %lld", (long long)revision,
                       (long long)store_revision(store));
}

static enum fault read_list_options(struct call *c, struct list_options *ret)
{
    const char *token = call_query(c, "continue", 0);
    const char *match = call_query(c, "resourceVersionMatch", 0);
    int64_t revision = 0;

    *ret = (struct list_options){0};
    TRY(query_int(c, "limit", 0, &ret->limit));
    TRY(read_revision(c, &revision));
    if (match && *match && !call_query(c, "resourceVersion", 0))
        return list_invalid(c, "FieldValueForbidden", "resourceVersionMatch",
                            "Forbidden: resourceVersionMatch is forbidden unless resourceVersion "
                            "is provided");
    if (match && *match && strcmp(match, "Exact") != 0 && strcmp(match, "NotOlderThan") != 0)
        return list_invalid(c, "FieldValueNotSupported", "resourceVersionMatch",
                            arena_printf(&c->op.arena,
                                         "Unsupported value: \"%s\": supported values: \"Exact\", "
                                         "\"NotOlderThan\"",
                                         match));
    if (token && *token)
        return revision ? bad_request(&c->op, "specifying resource version is not allowed when "
                                              "using continue")
                        : read_token(c, token, ret);
    if (revision > store_revision(KUBE(c)->cluster->store))
        TRY(wait_for(c, revision));
    if (match && strcmp(match, "Exact") == 0 && !revision)
        return list_invalid(c, "FieldValueForbidden", "resourceVersionMatch",
                            "Forbidden: resourceVersionMatch \"exact\" is forbidden for "
                            "resourceVersion \"0\"");
    if (revision &&
        ((match && strcmp(match, "Exact") == 0) || (ret->limit > 0 && (!match || !*match))))
        ret->at = revision;
    return OK;
}

static enum fault expired(struct call *c, const struct list_options *o)
{
    if (!o->after_name)
        return status_fail(&c->op, GONE, "Expired", NULL,
                           "The resourceVersion for the provided list is too old.");
    return status_fail(&c->op, GONE, "Expired", NULL,
                       "The provided continue parameter is too old to display a consistent list "
                       "result. You can start a new list without the continue parameter.");
}

/* One name alone: no need to look at the others. */
static enum fault list_one(struct call *c, const struct chosen *chosen, struct store_page *ret)
{
    struct kube *k = KUBE(c);
    const char *name = chosen->fields ? field_selector_name(chosen->fields) : NULL;
    struct object *object;

    if (!name || (k->r.resource->namespaced && !k->r.ns))
        return WOULD_BLOCK;
    ret->revision = store_revision(k->cluster->store); /* first: the object is not older */
    object = store_read(&c->op, k->cluster->store, k->r.resource, k->r.ns, name);
    ret->objects = arena_alloc(&c->op.arena, sizeof(*ret->objects));
    ret->remaining = 0;
    ret->n = 0;
    if (object && is_chosen(chosen, object))
        ret->objects[ret->n++] = object;
    if (object && object->revision > ret->revision)
        ret->revision = object->revision;
    return OK;
}

/* Pages of the store until limit objects are found. *ret_more: there may be others after them. */
static enum fault gather(struct call *c, const struct chosen *chosen, struct list_options o,
                         struct store_page *ret, bool *ret_more)
{
    struct kube *k = KUBE(c);
    size_t max = chosen->all ? (size_t)o.limit : o.limit ? PAGE : 0, cap = 0;
    struct store_page page = {0};
    bool full = false;

    *ret = (struct store_page){0};
    do {
        if (store_list(&c->op, k->cluster->store, k->r.resource, k->r.ns, o.after_ns, o.after_name,
                       max, o.at, &page) != OK)
            return expired(c, &o);
        if (!ret->objects) {
            o.at = ret->revision = page.revision;
            cap = o.limit && !chosen->all ? (size_t)o.limit : page.n;
            if (cap > page.n + page.remaining)
                cap = page.n + page.remaining;
            ret->objects = arena_alloc(&c->op.arena, (cap + 1) * sizeof(*ret->objects));
        }
        for (size_t i = 0; i < page.n && !full; i++) {
            o.after_ns = page.objects[i]->ns;
            o.after_name = page.objects[i]->name;
            if (chosen->all || is_chosen(chosen, page.objects[i]))
                ret->objects[ret->n++] = page.objects[i];
            full = o.limit && ret->n == (size_t)o.limit;
            *ret_more = i + 1 < page.n || page.remaining > 0;
        }
    } while (page.remaining && !full);
    ret->remaining = page.remaining;
    return OK;
}

static enum fault list_objects(struct call *c)
{
    struct kube *k = KUBE(c);
    struct store_page page = {0};
    struct list_view view = {.page = &page, .remaining = -1};
    struct list_options o;
    struct chosen chosen;
    bool more = false;
    enum fault fault;

    TRY(check_path(c, VERB_LIST));
    if (is_metrics(&k->r))
        return kube_metrics(c);
    TRY(read_selectors(c, &c->op.arena, &chosen));
    TRY(read_list_options(c, &o));
    if (strcmp(k->r.resource->plural, "events") == 0)
        rest_sweep(k->cluster);
    fault = o.at || o.after_name ? WOULD_BLOCK : list_one(c, &chosen, &page);
    if (fault == WOULD_BLOCK)
        fault = gather(c, &chosen, o, &page, &more);
    TRY(fault);
    if (o.limit && more && page.n == (size_t)o.limit)
        view.next = make_token(c, page.revision, page.objects[page.n - 1]);
    if (view.next && chosen.all)
        view.remaining = (int64_t)page.remaining;
    return answer_list(c, &view);
}

enum fault kube_read(struct call *c)
{
    struct kube *k = KUBE(c);

    if (!k->known_version || !k->r.resource)
        return check_path(c, VERB_GET);
    if (strcmp(k->verb, "watch") == 0)
        return kube_watch(c);
    return strcmp(k->verb, "get") == 0 ? get_object(c) : list_objects(c);
}

/* ---- on the loop ---- */

static bool is_plain(struct call *c)
{
    const struct kube *k = KUBE(c);
    struct accepted accepted;

    return k->r.resource && !k->r.subresource && k->r.resource->stored_as == k->r.resource &&
           !k->r.resource->virtual_ && negotiate(c, &accepted) == OK &&
           accepted.form == FORM_JSON && !accepted.pretty;
}

static enum fault list_from_memory(struct call *c)
{
    struct kube *k = KUBE(c);
    struct store *store = k->cluster->store;
    struct store_page page = {0};
    struct list_view view = {.page = &page, .remaining = -1};
    size_t bytes = 0;

    if (*c->query && strcmp(c->query, "resourceVersion=0") != 0)
        return WOULD_BLOCK;
    if (store_count(store, k->r.resource, k->r.ns) > MEMORY_OBJECTS)
        return WOULD_BLOCK;
    TRY(check_path(c, VERB_LIST));
    TRY(store_list(&c->op, store, k->r.resource, k->r.ns, NULL, NULL, 0, 0, &page));
    for (size_t i = 0; i < page.n; i++)
        bytes += page.objects[i]->text.len;
    return bytes > MEMORY_BYTES ? WOULD_BLOCK : answer_list(c, &view);
}

enum fault kube_from_memory(struct call *c)
{
    struct kube *k = KUBE(c);
    struct object *object = NULL;

    if (!is_plain(c)) {
        op_clear_fault(&c->op);
        return WOULD_BLOCK;
    }
    if (strcmp(k->verb, "list") == 0)
        return list_from_memory(c);
    if (strcmp(k->verb, "get") != 0)
        return WOULD_BLOCK;
    TRY(check_path(c, VERB_GET));
    TRY(rest_get(&c->op, &k->r, &object));
    if (object->text.len > MEMORY_BYTES)
        return WOULD_BLOCK;
    return reply_bytes(c, 200, "application/json", object->text);
}

/* ---- create ---- */

static enum fault read_delete_options(struct call *c, const json_t *tree,
                                      struct delete_options *ret)
{
    *ret = (struct delete_options){
        .propagation = text_at(tree, "propagationPolicy"),
        .grace_s = int_at(tree, "gracePeriodSeconds", -1),
        .uid = text_at(tree, "preconditions.uid"),
        .resource_version = text_at(tree, "preconditions.resourceVersion"),
    };
    if (!ret->propagation && bool_at(tree, "orphanDependents", false))
        ret->propagation = "Orphan";
    if (json_array_size(json_object_get(tree, "dryRun")))
        KUBE(c)->r.dry_run = true;
    return OK;
}

static enum fault bind(struct call *c, json_t *tree, const char *name)
{
    struct kube *k = KUBE(c);
    struct object *pod = NULL;

    k->r.name = name;
    TRY(rest_bind(&c->op, &k->r, tree, &pod));
    return when_durable(c, answer_success(c, 201, NULL));
}

static enum fault evict(struct call *c, json_t *tree)
{
    struct kube *k = KUBE(c);
    struct delete_options options;

    TRY(read_delete_options(c, json_object_get(tree, "deleteOptions"), &options));
    TRY(rest_evict(&c->op, &k->r, &options));
    return when_durable(c, answer_success(c, 201, NULL));
}

static enum fault create_subresource(struct call *c, enum field_validation validation)
{
    struct kube *k = KUBE(c);
    bool is_binding = strcmp(k->r.subresource, "binding") == 0;
    bool is_eviction = strcmp(k->r.subresource, "eviction") == 0;
    json_t *tree = NULL, *answer = NULL;

    if (is_streamed(&k->r))
        return kube_streamed(c);
    if (!is_binding && !is_eviction && !is_review(&k->r))
        return not_built(c);
    TRY(read_body(c, subresource_type(&c->op, k->sub), NULL, validation, &tree));
    if (is_binding)
        return bind(c, tree, k->r.name);
    if (is_eviction)
        return evict(c, tree);
    TRY(rest_review(&c->op, &k->r, tree, &k->who, &answer));
    return answer_tree(c, 201, answer);
}

static enum fault create_virtual(struct call *c, json_t *tree)
{
    struct kube *k = KUBE(c);
    json_t *answer = NULL;

    if (strcmp(k->r.resource->plural, "bindings") == 0)
        return bind(c, tree, text_at_or(tree, "metadata.name", ""));
    if (!is_review(&k->r))
        return not_allowed(&c->op);
    TRY(rest_review(&c->op, &k->r, tree, &k->who, &answer));
    return answer_tree(c, 201, answer);
}

static enum fault create_object(struct call *c, enum field_validation validation)
{
    const struct arena_defer *mark = c->op.arena.defers;
    struct kube *k = KUBE(c);
    struct object *made = NULL;
    json_t *tree = NULL;

    if (k->r.name && !k->r.subresource)
        return not_allowed(&c->op);
    TRY(check_path(c, VERB_CREATE));
    if (k->r.subresource)
        return create_subresource(c, validation);
    TRY(read_body(c, k->r.resource->type, k->r.resource, validation, &tree));
    if (k->r.resource->virtual_)
        return create_virtual(c, tree);
    TRY(rest_create(&c->op, &k->r, tree, &made));
    return when_object_durable(c, 201, made, mark);
}

/* ---- update, patch ---- */

static const struct type *body_type(struct call *c)
{
    struct kube *k = KUBE(c);

    if (k->r.subresource && strcmp(k->r.subresource, "scale") == 0)
        return subresource_type(&c->op, k->sub);
    return k->r.resource->type;
}

static enum fault update_object(struct call *c, enum field_validation validation)
{
    const struct arena_defer *mark = c->op.arena.defers;
    struct kube *k = KUBE(c);
    struct object *made = NULL;
    json_t *tree = NULL;
    bool created = false, is_scale;

    TRY(check_path(c, VERB_UPDATE));
    if (!k->r.name)
        return not_allowed(&c->op);
    if (!is_changeable_view(&k->r))
        return not_built(c);
    is_scale = body_type(c) != k->r.resource->type;
    TRY(read_body(c, body_type(c), is_scale ? NULL : k->r.resource, validation, &tree));
    TRY(rest_update(&c->op, &k->r, tree, &made, &created));
    return when_object_durable(c, created ? 201 : 200, made, mark);
}

static enum fault patch_kind_of(struct call *c, enum patch_kind *ret)
{
    static const struct {
        const char *media;
        enum patch_kind kind;
    } medias[] = {
        {"application/strategic-merge-patch+json", PATCH_STRATEGIC },
        {"application/merge-patch+json",           PATCH_MERGE_KIND},
        {"application/json-patch+json",            PATCH_JSON      },
        {"application/apply-patch+yaml",           PATCH_APPLY     }
    };
    const char *header = call_header(c, "content-type");
    size_t len = header ? strcspn(header, "; ") : 0;

    for (size_t i = 0; i < ARRAY_LEN(medias); i++) {
        if (strlen(medias[i].media) == len && strncasecmp(header, medias[i].media, len) == 0) {
            *ret = medias[i].kind;
            return OK;
        }
    }
    return status_fail(&c->op, INVALID, "UnsupportedMediaType", json_object(),
                       "415: Unsupported Media Type");
}

static enum fault no_manager(struct call *c)
{
    return status_fail(&c->op, INVALID, "Invalid",
                       json_pack("{s:s, s:s, s:[{s:s, s:s, s:s}]}", "group", "meta.k8s.io", "kind",
                                 "PatchOptions", "causes", "reason", "FieldValueRequired",
                                 "message", "Required value: is required for apply patch", "field",
                                 "fieldManager"),
                       "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is "
                       "required for apply patch");
}

static enum fault read_patch(struct call *c, struct patch_request *p)
{
    struct kube *k = KUBE(c);
    struct decoded decoded = {0};
    json_t *tree = NULL;

    TRY(patch_kind_of(c, &p->kind));
    TRY(query_bool(c, "force", false, &p->force));
    if (p->kind != PATCH_APPLY) {
        if (json_parse(&c->op, c->body, &tree) != OK)
            return bad_request(&c->op, "error decoding patch: %s", c->op.message);
        p->patch = tree;
        return OK;
    }
    if (!k->r.field_manager || !*k->r.field_manager)
        return no_manager(c);
    TRY(object_decode(&c->op, body_type(c), MEDIA_YAML, c->body, p->validation, &decoded));
    TRY(object_check_kind(&c->op, body_type(c) == k->r.resource->type ? k->r.resource : NULL,
                          decoded.tree));
    memcpy(k->r.warnings, decoded.warnings, sizeof(decoded.warnings));
    p->patch = decoded.tree;
    return OK;
}

static enum fault patch_object(struct call *c, enum field_validation validation)
{
    const struct arena_defer *mark = c->op.arena.defers;
    struct kube *k = KUBE(c);
    struct patch_request patch = {.validation = validation};
    struct object *made = NULL;
    bool created = false;

    TRY(check_path(c, VERB_PATCH));
    if (!k->r.name)
        return not_allowed(&c->op);
    if (!is_changeable_view(&k->r))
        return not_built(c);
    TRY(read_patch(c, &patch));
    TRY(rest_patch(&c->op, &k->r, &patch, &made, &created));
    return when_object_durable(c, created ? 201 : 200, made, mark);
}

/* ---- delete ---- */

/* Kinds whose deletion is answered with what was deleted. */
static bool answers_with_object(const struct resource *r)
{
    static const char *const names[] = {"pods",
                                        "services",
                                        "serviceaccounts",
                                        "persistentvolumeclaims",
                                        "persistentvolumes",
                                        "podtemplates",
                                        "resourcequotas"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(r->plural, names[i]) == 0 && !*r->group)
            return true;
    return false;
}

static enum fault read_deletion(struct call *c, struct delete_options *ret)
{
    const struct type *type = type_find("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
    const char *policy = call_query(c, "propagationPolicy", 0);
    const char *grace = call_query(c, "gracePeriodSeconds", 0);
    bool orphan = false;
    json_t *tree = NULL;

    if (c->body.len)
        TRY(read_body(c, type, NULL, FIELDS_IGNORE, &tree));
    TRY(read_delete_options(c, tree, ret));
    if (policy && *policy)
        ret->propagation = policy;
    if (grace && *grace)
        TRY(query_int(c, "gracePeriodSeconds", -1, &ret->grace_s));
    TRY(query_bool(c, "orphanDependents", false, &orphan));
    if (orphan && !ret->propagation)
        ret->propagation = "Orphan";
    return OK;
}

static enum fault delete_object(struct call *c)
{
    struct kube *k = KUBE(c);
    struct delete_options options;
    struct object *object = NULL;
    bool gone = false;

    TRY(check_path(c, VERB_DELETE));
    if (k->r.subresource)
        return not_allowed(&c->op);
    TRY(read_deletion(c, &options));
    TRY(rest_delete(&c->op, &k->r, &options, &object, &gone));
    if (gone && !answers_with_object(k->r.resource))
        return when_durable(c, answer_success(c, 200, object));
    return when_durable(c, answer_object(c, 200, object));
}

static enum fault delete_collection(struct call *c)
{
    struct kube *k = KUBE(c);
    struct store_page page = {0};
    struct list_view view = {.page = &page, .remaining = -1};
    struct delete_options options;
    struct chosen chosen;

    TRY(check_path(c, VERB_DELETE_COLLECTION));
    TRY(read_selectors(c, &c->op.arena, &chosen));
    TRY(read_deletion(c, &options));
    TRY(rest_delete_collection(&c->op, &k->r, chosen.labels, chosen.fields, &options, &page));
    return when_durable(c, answer_list(c, &view));
}

enum fault kube_write(struct call *c)
{
    enum field_validation validation = FIELDS_WARN;

    if (!KUBE(c)->known_version || !KUBE(c)->r.resource)
        return check_path(c, VERB_CREATE);
    TRY(read_write_options(c, &validation));
    switch (c->method) {
    case POST:
        return create_object(c, validation);
    case PUT:
        return update_object(c, validation);
    case PATCH:
        return patch_object(c, validation);
    default:
        return KUBE(c)->r.name ? delete_object(c) : delete_collection(c);
    }
}
