/* Field selectors: a table of the fields that each kind can be selected by, as upstream has it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/object/selector.h"
#include "clusters/object/status.h"

/* Which member a field means; what an absent one counts as. Paths are of the stored form. */
struct selectable {
    const char *group, *plural, *field, *path, *absent;
};
static const struct selectable selectables[] = {
    {"",                    "pods",                       "spec.nodeName",                  NULL,                             ""     },
    {"",                    "pods",                       "spec.restartPolicy",             NULL,                             ""     },
    {"",                    "pods",                       "spec.schedulerName",             NULL,                             ""     },
    {"",                    "pods",                       "spec.serviceAccountName",        NULL,                             ""     },
    {"",                    "pods",                       "spec.hostNetwork",               NULL,                             "false"},
    {"",                    "pods",                       "status.phase",                   NULL,                             ""     },
    {"",                    "pods",                       "status.podIP",                   NULL,                             ""     },
    {"",                    "pods",                       "status.podIPs",                  "status.podIP",                   ""     },
    {"",                    "pods",                       "status.nominatedNodeName",       NULL,                             ""     },
    {"",                    "events",                     "involvedObject.kind",            NULL,                             ""     },
    {"",                    "events",                     "involvedObject.namespace",       NULL,                             ""     },
    {"",                    "events",                     "involvedObject.name",            NULL,                             ""     },
    {"",                    "events",                     "involvedObject.uid",             NULL,                             ""     },
    {"",                    "events",                     "involvedObject.apiVersion",      NULL,                             ""     },
    {"",                    "events",                     "involvedObject.resourceVersion", NULL,                             ""     },
    {"",                    "events",                     "involvedObject.fieldPath",       NULL,                             ""     },
    {"",                    "events",                     "reason",                         NULL,                             ""     },
    {"",                    "events",                     "reportingComponent",             NULL,                             ""     },
    {"",                    "events",                     "source",                         "source.component",               ""     },
    {"",                    "events",                     "type",                           NULL,                             ""     },
    {"events.k8s.io",       "events",                     "regarding.kind",                 "involvedObject.kind",            ""     },
    {"events.k8s.io",       "events",                     "regarding.namespace",            "involvedObject.namespace",       ""     },
    {"events.k8s.io",       "events",                     "regarding.name",                 "involvedObject.name",            ""     },
    {"events.k8s.io",       "events",                     "regarding.uid",                  "involvedObject.uid",             ""     },
    {"events.k8s.io",       "events",                     "regarding.apiVersion",           "involvedObject.apiVersion",      ""     },
    {"events.k8s.io",       "events",                     "regarding.resourceVersion",      "involvedObject.resourceVersion", ""     },
    {"events.k8s.io",       "events",                     "regarding.fieldPath",            "involvedObject.fieldPath",       ""     },
    {"events.k8s.io",       "events",                     "reportingController",            "reportingComponent",             ""     },
    {"events.k8s.io",       "events",                     "reason",                         NULL,                             ""     },
    {"events.k8s.io",       "events",                     "type",                           NULL,                             ""     },
    {"",                    "secrets",                    "type",                           NULL,                             ""     },
    {"",                    "nodes",                      "spec.unschedulable",             NULL,                             "false"},
    {"",                    "namespaces",                 "status.phase",                   NULL,                             ""     },
    {"",                    "namespaces",                 "name",                           "metadata.name",                  ""     },
    {"",                    "replicationcontrollers",     "status.replicas",                NULL,                             "0"    },
    {"",                    "services",                   "spec.clusterIP",                 NULL,                             ""     },
    {"",                    "services",                   "spec.type",                      NULL,                             ""     },
    {"apps",                "replicasets",                "status.replicas",                NULL,                             "0"    },
    {"batch",               "jobs",                       "status.successful",              "status.succeeded",               "0"    },
    {"certificates.k8s.io", "certificatesigningrequests", "spec.signerName",                NULL,                             ""     },
};
static const struct selectable everywhere[] = {
    {NULL, NULL, "metadata.name",      NULL, ""},
    {NULL, NULL, "metadata.namespace", NULL, ""},
};

struct term {
    const struct selectable *field;
    bool negated;
    const char *value;
};
struct field_selector {
    struct term *terms;
    size_t n;
};

static const char *path_of(const struct selectable *field)
{
    return field->path ? field->path : field->field;
}

/* ---- reading ---- */

static enum fault find_field(struct op *op, const struct resource *r, const char *name,
                             const struct selectable **ret)
{
    bool own = false;

    for (size_t i = 0; i < ARRAY_LEN(everywhere); i++) {
        if (strcmp(everywhere[i].field, name) == 0) {
            *ret = &everywhere[i];
            return OK;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(selectables); i++) {
        if (strcmp(selectables[i].plural, r->plural) != 0 ||
            strcmp(selectables[i].group, r->group) != 0)
            continue;
        own = true;
        if (strcmp(selectables[i].field, name) == 0) {
            *ret = &selectables[i];
            return OK;
        }
    }
    if (own)
        return bad_request(op, "field label not supported: %s", name);
    return bad_request(op,
                       "\"%s\" is not a known field selector: only \"metadata.name\", "
                       "\"metadata.namespace\"",
                       name);
}

/* A backslash stands before what would end a value: "\,", "\=", "\\". */
static enum fault unescape(struct op *op, struct arena *arena, const char *from, size_t len,
                           const char **ret)
{
    char *to = arena_alloc(arena, len + 1);
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (from[i] == '=')
            return bad_request(op, "invalid field selector: unescaped '=' in value");
        if (from[i] == '\\') {
            i++;
            if (i >= len || !strchr("\\,=", from[i]))
                return bad_request(op, "invalid field selector: invalid escape sequence: \\%.*s",
                                   i < len, from + i);
        }
        to[n++] = from[i];
    }
    *ret = to;
    return OK;
}

static size_t term_length(const char *text)
{
    size_t len = 0;

    while (text[len] && text[len] != ',')
        len += text[len] == '\\' && text[len + 1] ? 2 : 1;
    return len;
}

static enum fault parse_term(struct op *op, struct arena *arena, const struct resource *r,
                             const char *text, size_t len, struct term *term)
{
    for (size_t i = 0; i < len; i++) {
        bool negated = text[i] == '!' && i + 1 < len && text[i + 1] == '=';
        size_t width = negated || (text[i] == '=' && i + 1 < len && text[i + 1] == '=') ? 2 : 1;

        if (text[i] != '=' && !negated)
            continue;
        term->negated = negated;
        TRY(find_field(op, r, arena_strndup(arena, text, i), &term->field));
        return unescape(op, arena, text + i + width, len - i - width, &term->value);
    }
    return bad_request(op, "invalid selector: '%.*s'; can't understand '%.*s'", (int)len, text,
                       (int)len, text);
}

enum fault field_selector_parse(struct op *op, struct arena *arena, const struct resource *r,
                                const char *text, const struct field_selector **ret)
{
    struct field_selector *selector = arena_alloc(arena, sizeof(*selector));
    size_t limit = 1;

    if (!text)
        text = "";
    for (const char *p = text; *p; p++)
        limit += *p == ',';
    if (limit > 100)
        return bad_request(op, "a field selector has more than 100 terms");
    selector->terms = arena_alloc(arena, limit * sizeof(*selector->terms));
    while (*text) {
        size_t len = term_length(text);

        if (len > 0)
            TRY(parse_term(op, arena, r, text, len, &selector->terms[selector->n++]));
        text += len + (text[len] == ',');
    }
    *ret = selector;
    return OK;
}

/* ---- matching ---- */

static const char *value_at(const json_t *tree, const struct selectable *field, char number[32])
{
    const json_t *value = at(tree, path_of(field));

    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value)) {
        snprintf(number, 32, "%lld", (long long)json_integer_value(value));
        return number;
    }
    return field->absent;
}

bool field_selector_matches(const struct field_selector *selector, const json_t *tree)
{
    char number[32];

    for (size_t i = 0; i < selector->n; i++) {
        const struct term *term = &selector->terms[i];

        if ((strcmp(value_at(tree, term->field, number), term->value) == 0) == term->negated)
            return false;
    }
    return true;
}

static const char *exact(const struct field_selector *selector, const char *path)
{
    for (size_t i = 0; i < selector->n; i++) {
        if (!selector->terms[i].negated && strcmp(path_of(selector->terms[i].field), path) == 0)
            return selector->terms[i].value;
    }
    return NULL;
}

const char *field_selector_name(const struct field_selector *selector)
{
    return exact(selector, "metadata.name");
}

const char *field_selector_namespace(const struct field_selector *selector)
{
    return exact(selector, "metadata.namespace");
}
