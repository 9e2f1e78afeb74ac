/* Paths and operations of resources, as OpenAPI v3 or v2. */
#include <ctype.h>
#include <string.h>

#include "clusters/object/openapi_write.h"

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

/* ---- parameters, by the actions (a bit each) that take them ---- */

enum action {
    LIST = 1,
    CREATE = 2,
    DELETE_ALL = 4,
    GET_ONE = 8,
    REPLACE = 16,
    PATCH_ONE = 32,
    DELETE_ONE = 64,
    CONNECT = 128
};
#define WRITES (CREATE | REPLACE | PATCH_ONE)
#define LISTS  (LIST | DELETE_ALL)
#define ENDS   (DELETE_ONE | DELETE_ALL)

static const struct {
    const char *name, *type;
    unsigned actions;
} parameters[] = {
    {"allowWatchBookmarks",  "boolean", LIST         },
    {"continue",             "string",  LISTS        },
    {"dryRun",               "string",  WRITES | ENDS},
    {"fieldManager",         "string",  WRITES       },
    {"fieldSelector",        "string",  LISTS        },
    {"fieldValidation",      "string",  WRITES       },
    {"force",                "boolean", PATCH_ONE    },
    {"gracePeriodSeconds",   "integer", ENDS         },
    {"labelSelector",        "string",  LISTS        },
    {"limit",                "integer", LISTS        },
    {"orphanDependents",     "boolean", ENDS         },
    {"propagationPolicy",    "string",  ENDS         },
    {"resourceVersion",      "string",  LISTS        },
    {"resourceVersionMatch", "string",  LISTS        },
    {"sendInitialEvents",    "boolean", LISTS        },
    {"timeoutSeconds",       "integer", LISTS        },
    {"watch",                "boolean", LIST         },
};

static const struct action_row {
    enum action action;
    enum verb verb;
    const char *method, *name; /* x-kubernetes-action */
    const char *id;            /* how its operationId begins */
} actions[] = {
    {LIST,       VERB_LIST,              "get",    "list",             "list"            },
    {CREATE,     VERB_CREATE,            "post",   "post",             "create"          },
    {DELETE_ALL, VERB_DELETE_COLLECTION, "delete", "deletecollection", "deleteCollection"},
    {GET_ONE,    VERB_GET,               "get",    "get",              "read"            },
    {REPLACE,    VERB_UPDATE,            "put",    "put",              "replace"         },
    {PATCH_ONE,  VERB_PATCH,             "patch",  "patch",            "patch"           },
    {DELETE_ONE, VERB_DELETE,            "delete", "delete",           "delete"          },
};

/* One path and what answers there. */
struct path {
    const struct resource *r;
    const struct subresource *sub; /* NULL: the resource itself */
    bool item, all_namespaces;
};

static const char *kind_of(const struct path *path)
{
    return path->sub ? path->sub->kind : path->r->kind;
}

static const struct type *type_of(const struct path *path, bool list)
{
    const char *group = path->sub ? path->sub->group : path->r->group;
    const char *version = path->sub ? path->sub->version : path->r->version;
    const char *kind = list ? path->r->list_kind : kind_of(path);

    for (size_t i = 0; i < n_types; i++) {
        const char *gvk = all_types[i]->gvk, *slash, *space;
        size_t len = strlen(group);

        if (!gvk)
            continue;
        slash = strchr(gvk, '/');
        space = strchr(gvk, ' ');
        if (strcmp(space + 1, kind) != 0 || (size_t)(slash ? slash - gvk : 0) != len ||
            strncmp(gvk, group, len) != 0)
            continue;
        gvk = slash ? slash + 1 : gvk;
        if (strlen(version) == (size_t)(space - gvk) && strncmp(version, gvk, strlen(version)) == 0)
            return all_types[i];
    }
    return NULL;
}

/* ---- pieces of operations ---- */

static void write_parameter(struct openapi *o, const char *name, const char *in, const char *type)
{
    const char *unique = "\"uniqueItems\":true";

    text_printf(o->out, "{\"name\":\"%s\",\"in\":\"%s\"", name, in);
    if (strcmp(in, "path") == 0)
        text_str(o->out, ",\"required\":true");
    if (o->v2)
        text_printf(o->out, ",\"type\":\"%s\",%s}", type, unique);
    else
        text_printf(o->out, ",\"schema\":{\"type\":\"%s\",%s}}", type, unique);
}

static const struct type *body_of(const struct path *path, enum action action)
{
    if (action & ENDS)
        return type_find(META "DeleteOptions");
    if (action == PATCH_ONE)
        return type_find(META "Patch");
    return action & (CREATE | REPLACE) ? type_of(path, false) : NULL;
}

static void write_parameters(struct openapi *o, enum action action, const struct type *body)
{
    const char *comma = "";

    text_str(o->out, "\"parameters\":[");
    if (o->v2 && body) {
        text_printf(o->out, "{\"name\":\"body\",\"in\":\"body\",%s\"schema\":",
                    action & ENDS ? "" : "\"required\":true,");
        openapi_ref(o, body->name);
        text_str(o->out, "}");
        comma = ",";
    }
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        if (!(parameters[i].actions & action))
            continue;
        text_str(o->out, comma);
        write_parameter(o, parameters[i].name, "query", parameters[i].type);
        comma = ",";
    }
    text_str(o->out, "],");
}

static void write_content(struct openapi *o, const struct type *type, const char *const *media)
{
    text_str(o->out, "\"content\":{");
    for (size_t i = 0; media[i]; i++) {
        text_printf(o->out, "%s\"%s\":{\"schema\":", i ? "," : "", media[i]);
        openapi_ref(o, type->name);
        text_str(o->out, "}");
    }
    text_str(o->out, "}");
}

static const char *const any_media[] = {"*/*", NULL};
static const char *const patch_media[] = {
    "application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json", NULL};
static const char *const reply_media[] = {"application/json", "application/yaml", NULL};

static void write_texts(struct text *out, const char *name, const char *const *texts)
{
    text_printf(out, "\"%s\":[", name);
    for (size_t i = 0; texts[i]; i++)
        text_printf(out, "%s\"%s\"", i ? "," : "", texts[i]);
    text_str(out, "],");
}

static void write_body(struct openapi *o, enum action action, const struct type *body)
{
    const char *const *media = action == PATCH_ONE ? patch_media : any_media;

    if (o->v2) {
        write_texts(o->out, "consumes", media);
        write_texts(o->out, "produces", reply_media);
    } else if (body) {
        text_str(o->out, "\"requestBody\":{");
        write_content(o, body, media);
        text_str(o->out, action & ENDS ? "}," : ",\"required\":true},");
    }
}

static void write_response(struct openapi *o, const char *comma, int status,
                           const char *description, const struct type *type)
{
    text_printf(o->out, "%s\"%d\":{\"description\":\"%s\"", comma, status, description);
    if (type && o->v2) {
        text_str(o->out, ",\"schema\":");
        openapi_ref(o, type->name);
    } else if (type) {
        text_str(o->out, ",");
        write_content(o, type, reply_media);
    }
    text_str(o->out, "}");
}

static void write_responses(struct openapi *o, const struct path *path, enum action action)
{
    const struct type *type = type_of(path, action == LIST);

    if (action & ENDS)
        type = type_find(META "Status");
    openapi_want(o, type);
    text_str(o->out, "\"responses\":{");
    write_response(o, "", 200, "OK", type);
    if (action & WRITES)
        write_response(o, ",", 201, "Created", type);
    if (action & (CREATE | DELETE_ONE))
        write_response(o, ",", 202, "Accepted", type);
    write_response(o, ",", 401, "Unauthorized", NULL);
    text_str(o->out, "},");
}

/* "rbac.authorization.k8s.io" → "RbacAuthorization", "" → "Core" */
static void write_group_name(struct text *out, const char *group)
{
    size_t len = strlen(group);
    bool start = true;

    if (!len) {
        text_str(out, "Core");
        return;
    }
    if (len > 7 && strcmp(group + len - 7, ".k8s.io") == 0)
        len -= 7;
    for (size_t i = 0; i < len; i++) {
        char c = start ? (char)toupper((unsigned char)group[i]) : group[i];

        start = c == '.' || c == '-';
        if (!start)
            text_add(out, &c, 1);
    }
}

static void write_capital(struct text *out, const char *word)
{
    char c = (char)toupper((unsigned char)*word);

    text_add(out, &c, 1);
    text_str(out, word + 1);
}

static void write_id(struct openapi *o, const struct path *path, const struct action_row *row,
                     const char *begin)
{
    text_printf(o->out, "\"operationId\":\"%s", begin);
    write_group_name(o->out, path->r->group);
    write_capital(o->out, path->r->version);
    if (path->r->namespaced && !path->all_namespaces)
        text_str(o->out, "Namespaced");
    text_str(o->out, path->r->kind);
    if (path->sub)
        write_capital(o->out, path->sub->name);
    if (path->all_namespaces)
        text_str(o->out, "ForAllNamespaces");
    text_printf(o->out, "\",\"x-kubernetes-action\":\"%s\"", row->name);
}

static void write_operation(struct openapi *o, const struct path *path,
                            const struct action_row *row, const char *id)
{
    const struct type *body = body_of(path, row->action);
    const struct subresource *sub = path->sub;

    openapi_want(o, body);
    text_printf(o->out, "\"%s\":{", row->method);
    write_parameters(o, row->action, body);
    write_body(o, row->action, body);
    write_responses(o, path, row->action);
    write_id(o, path, row, id);
    text_printf(o->out,
                ",\"x-kubernetes-group-version-kind\":{\"group\":\"%s\",\"kind\":\"%s\","
                "\"version\":\"%s\"}}",
                sub ? sub->group : path->r->group, kind_of(path),
                sub ? sub->version : path->r->version);
}

/* ---- paths ---- */

static bool is_connect(const struct subresource *sub)
{
    return sub && strstr(sub->kind, "Options");
}

/* Streams answer GET and POST alike (proxies any method). */
static void write_connect(struct openapi *o, const struct path *path)
{
    static const struct action_row rows[] = {
        {CONNECT, VERB_GET,    "get",    "connect", "connectGet"   },
        {CONNECT, VERB_CREATE, "post",   "connect", "connectPost"  },
        {CONNECT, VERB_UPDATE, "put",    "connect", "connectPut"   },
        {CONNECT, VERB_PATCH,  "patch",  "connect", "connectPatch" },
        {CONNECT, VERB_DELETE, "delete", "connect", "connectDelete"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (path->sub->verbs & rows[i].verb) {
            write_operation(o, path, &rows[i], rows[i].id);
            text_str(o->out, ",");
        }
    }
}

static void write_path_parameters(struct openapi *o, const struct path *path)
{
    const char *comma = "";

    text_str(o->out, "\"parameters\":[");
    if (path->item) {
        write_parameter(o, "name", "path", "string");
        comma = ",";
    }
    if (path->r->namespaced && !path->all_namespaces) {
        text_str(o->out, comma);
        write_parameter(o, "namespace", "path", "string");
        comma = ",";
    }
    text_str(o->out, comma);
    write_parameter(o, "pretty", "query", "string");
    text_str(o->out, "]}");
}

static void write_path(struct openapi *o, const struct path *path, bool comma)
{
    unsigned verbs = path->sub ? path->sub->verbs : path->r->verbs;
    unsigned here = path->sub              ? CREATE | GET_ONE | REPLACE | PATCH_ONE | DELETE_ONE
                    : path->all_namespaces ? LIST
                    : path->item           ? GET_ONE | REPLACE | PATCH_ONE | DELETE_ONE
                                           : LIST | CREATE | DELETE_ALL;

    text_printf(o->out, "%s\"/%s/%s", comma ? "," : "", *path->r->group ? "apis" : "api",
                path->r->api_version);
    if (path->r->namespaced && !path->all_namespaces)
        text_str(o->out, "/namespaces/{namespace}");
    text_printf(o->out, "/%s%s%s%s\":{", path->r->plural, path->item ? "/{name}" : "",
                path->sub ? "/" : "", path->sub ? path->sub->name : "");
    if (is_connect(path->sub)) {
        write_connect(o, path);
    } else {
        for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
            if (!(actions[i].action & here) || !(verbs & actions[i].verb))
                continue;
            write_operation(o, path, &actions[i], actions[i].id);
            text_str(o->out, ",");
        }
    }
    write_path_parameters(o, path);
}

void openapi_paths(struct openapi *o, const struct resource *r, bool comma)
{
    struct path path = {.r = r};

    write_path(o, &path, comma);
    if (r->namespaced && (r->verbs & VERB_LIST)) {
        path.all_namespaces = true;
        write_path(o, &path, true);
        path.all_namespaces = false;
    }
    path.item = true;
    if (r->verbs & (VERB_GET | VERB_DELETE | VERB_PATCH | VERB_UPDATE))
        write_path(o, &path, true);
    for (size_t i = 0; i < r->n_subresources; i++) {
        path.sub = &r->subresources[i];
        write_path(o, &path, true);
    }
}
