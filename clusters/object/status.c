#include "clusters/object/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

#define MESSAGE_MAX ((size_t)64 << 10)

static const struct {
    const char *reason;
    int code;
    enum fault fault;
} reasons[] = {
    {"BadRequest",            400, INVALID        },
    {"Unauthorized",          401, UNAUTHENTICATED},
    {"Forbidden",             403, FORBIDDEN      },
    {"NotFound",              404, NOT_FOUND      },
    {"MethodNotAllowed",      405, UNSUPPORTED    },
    {"NotAcceptable",         406, INVALID        },
    {"AlreadyExists",         409, CONFLICT       },
    {"Conflict",              409, CONFLICT       },
    {"Gone",                  410, GONE           },
    {"Expired",               410, GONE           },
    {"Conflict",              412, PRECONDITION   },
    {"RequestEntityTooLarge", 413, TOO_LARGE      },
    {"UnsupportedMediaType",  415, INVALID        },
    {"Invalid",               422, INVALID        },
    {"TooManyRequests",       429, TOO_MANY       },
    {"InternalError",         500, INTERNAL       },
    {"NotImplemented",        501, UNSUPPORTED    },
    {"ServiceUnavailable",    503, UNAVAILABLE    },
    {"Timeout",               504, UNAVAILABLE    },
};

int status_code(const char *reason)
{
    for (size_t i = 0; reason && i < ARRAY_LEN(reasons); i++) {
        if (strcmp(reasons[i].reason, reason) == 0)
            return reasons[i].code;
    }
    return 500;
}

/* A failure of something below that knows no reasons (the database, a parser of core). */
static const char *reason_of(enum fault fault)
{
    static const char *const names[FAULT_COUNT] = {
        [INVALID] = "BadRequest",
        [UNAUTHENTICATED] = "Unauthorized",
        [FORBIDDEN] = "Forbidden",
        [NOT_FOUND] = "NotFound",
        [CONFLICT] = "Conflict",
        [PRECONDITION] = "Conflict",
        [RANGE] = "BadRequest",
        [GONE] = "Expired",
        [TOO_LARGE] = "RequestEntityTooLarge",
        [TOO_MANY] = "TooManyRequests",
        [UNSUPPORTED] = "NotImplemented",
        [UNAVAILABLE] = "ServiceUnavailable",
        [INTERNAL] = "InternalError",
    };

    return fault < FAULT_COUNT && names[fault] ? names[fault] : "InternalError";
}

json_t *status_of(struct op *op)
{
    bool known = false;
    const char *reason;
    json_t *status = json_pack("{s:s, s:s, s:{}, s:s, s:s}", "kind", "Status", "apiVersion", "v1",
                               "metadata", "status", "Failure", "message",
                               op->message ? op->message : fault_name(op->fault));

    for (size_t i = 0; op->noun && i < ARRAY_LEN(reasons); i++)
        known = known || strcmp(reasons[i].reason, op->noun) == 0;
    reason = known ? op->noun : reason_of(op->fault);
    json_object_set_new(status, "reason", json_string(reason));
    if (known && op->detail)
        json_object_set_new(status, "details", json_loads(op->detail, 0, NULL));
    if (op->retry_after_s > 0 && !known)
        json_object_set_new(object_at(status, "details"), "retryAfterSeconds",
                            json_integer(op->retry_after_s));
    json_object_set_new(status, "code", json_integer(status_code(reason)));
    return status;
}

static enum fault fail_with(struct op *op, enum fault fault, const char *reason, json_t *details,
                            const char *message)
{
    fail_on(op, reason, fault, "%s", message);
    if (details) {
        char *text = json_dumps(details, JSON_COMPACT);

        if (text) {
            op->detail = arena_strdup(&op->arena, text);
            free(text);
        }
        json_decref(details);
    }
    return fault;
}

static const char *formatted(struct op *op, const char *fmt, va_list args)
{
    char *message = NULL;
    struct text text;

    if (vasprintf(&message, fmt, args) < 0)
        abort(); /* out of memory */
    text_init(&text, &op->arena, MESSAGE_MAX);
    utf8_clean(&text, BYTES(message));
    free(message);
    return text.data;
}

enum fault status_fail(struct op *op, enum fault fault, const char *reason, json_t *details,
                       const char *fmt, ...)
{
    const char *message;
    va_list args;

    va_start(args, fmt);
    message = formatted(op, fmt, args);
    va_end(args);
    return fail_with(op, fault, reason, details, message);
}

enum fault bad_request(struct op *op, const char *fmt, ...)
{
    const char *message;
    va_list args;

    va_start(args, fmt);
    message = formatted(op, fmt, args);
    va_end(args);
    return fail_with(op, INVALID, "BadRequest", NULL, message);
}

/* {name, group, kind}: those that are there. */
static json_t *details_of(const char *name, const char *group, const char *kind)
{
    json_t *details = json_object();

    if (name && *name)
        json_object_set_new(details, "name", json_string(name));
    if (*group)
        json_object_set_new(details, "group", json_string(group));
    json_object_set_new(details, "kind", json_string(kind));
    return details;
}

enum fault not_found(struct op *op, const struct resource *r, const char *name)
{
    return status_fail(op, NOT_FOUND, "NotFound", details_of(name, r->group, r->plural),
                       "%s \"%s\" not found", r->qualified, name);
}

enum fault already_exists(struct op *op, const struct resource *r, const char *name)
{
    return status_fail(op, CONFLICT, "AlreadyExists", details_of(name, r->group, r->plural),
                       "%s \"%s\" already exists", r->qualified, name);
}

enum fault conflict(struct op *op, const struct resource *r, const char *name, const char *why)
{
    return status_fail(op, CONFLICT, "Conflict", details_of(name, r->group, r->plural),
                       "Operation cannot be fulfilled on %s \"%s\": %s", r->qualified, name, why);
}

enum fault forbidden(struct op *op, const struct resource *r, const char *name, const char *why)
{
    json_t *details = details_of(name, r->group, r->plural);

    if (!name || !*name)
        return status_fail(op, FORBIDDEN, "Forbidden", details, "%s is forbidden: %s", r->qualified,
                           why);
    return status_fail(op, FORBIDDEN, "Forbidden", details, "%s \"%s\" is forbidden: %s",
                       r->qualified, name, why);
}

/* ---- field errors ---- */

static void release(void *value)
{
    json_decref(value);
}

void field_errors_init(struct field_errors *errors, struct op *op)
{
    errors->op = op;
    errors->causes = json_array();
    arena_defer(&op->arena, release, errors->causes);
}

/* Upstream prints Go values: texts quoted, maps and lists of texts with their type. */
static void show(struct text *out, const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;
    char *dump;

    if (json_is_string(value)) {
        json_quote(out, json_string_value(value));
    } else if (json_is_object(value) && json_object_size(value) > 0 &&
               json_is_string(json_object_iter_value(json_object_iter((json_t *)value)))) {
        text_str(out, "map[string]string{");
        i = 0;
        json_object_foreach((json_t *)value, key, item)
        {
            text_str(out, i++ ? ", " : "");
            json_quote(out, key);
            text_str(out, ":");
            show(out, item);
        }
        text_str(out, "}");
    } else if (json_is_array(value) && json_is_string(json_array_get(value, 0))) {
        text_str(out, "[]string{");
        json_array_foreach((json_t *)value, i, item)
        {
            text_str(out, i ? ", " : "");
            show(out, item);
        }
        text_str(out, "}");
    } else if (value && (dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY)) != NULL) {
        text_str(out, dump);
        free(dump);
    } else {
        text_str(out, "null");
    }
}

static void add_cause(struct field_errors *e, const char *reason, const char *path,
                      const char *message)
{
    size_t i;
    json_t *cause;

    json_array_foreach(e->causes, i, cause)
    {
        if (strcmp(text_at_or(cause, "field", ""), path) == 0 &&
            strcmp(text_at_or(cause, "message", ""), message) == 0)
            return; /* said once */
    }
    json_array_append_new(e->causes, json_pack("{s:s, s:s, s:s}", "reason", reason, "message",
                                               message, "field", path));
}

/* "Invalid value: "x": detail" */
static void add_value(struct field_errors *e, const char *reason, const char *path,
                      const char *words, const json_t *bad, const char *detail)
{
    struct text text;

    text_init(&text, &e->op->arena, MESSAGE_MAX);
    text_printf(&text, "%s: ", words);
    show(&text, bad);
    if (detail && *detail)
        text_printf(&text, ": %s", detail);
    add_cause(e, reason, path, text.data);
}

static void add_plain(struct field_errors *e, const char *reason, const char *path,
                      const char *words, const char *detail)
{
    bool more = detail && *detail;

    add_cause(e, reason, path,
              arena_printf(&e->op->arena, "%s%s%s", words, more ? ": " : "", more ? detail : ""));
}

void field_required(struct field_errors *e, const char *path, const char *detail)
{
    add_plain(e, "FieldValueRequired", path, "Required value", detail);
}

void field_invalid(struct field_errors *e, const char *path, const json_t *bad, const char *detail)
{
    add_value(e, "FieldValueInvalid", path, "Invalid value", bad, detail);
}

void field_duplicate(struct field_errors *e, const char *path, const json_t *bad)
{
    add_value(e, "FieldValueDuplicate", path, "Duplicate value", bad, NULL);
}

void field_forbidden(struct field_errors *e, const char *path, const char *detail)
{
    add_plain(e, "FieldValueForbidden", path, "Forbidden", detail);
}

void field_not_supported(struct field_errors *e, const char *path, const json_t *bad,
                         const char *const *supported)
{
    struct text text;

    text_init(&text, &e->op->arena, MESSAGE_MAX);
    text_str(&text, "supported values: ");
    for (size_t i = 0; supported[i]; i++) {
        text_str(&text, i ? ", " : "");
        json_quote(&text, supported[i]);
    }
    add_value(e, "FieldValueNotSupported", path, "Unsupported value", bad, text.data);
}

void field_not_found(struct field_errors *e, const char *path, const json_t *bad)
{
    add_value(e, "FieldValueNotFound", path, "Not found", bad, NULL);
}

void field_too_long(struct field_errors *e, const char *path, int64_t max)
{
    add_plain(e, "FieldValueTooLong", path, "Too long",
              arena_printf(&e->op->arena, "may not be more than %lld bytes", (long long)max));
}

void field_too_many(struct field_errors *e, const char *path, int64_t have, int64_t max)
{
    add_plain(e, "FieldValueTooMany", path, "Too many",
              arena_printf(&e->op->arena, "%lld: must have at most %lld items", (long long)have,
                           (long long)max));
}

enum fault field_errors_end(struct field_errors *e, const struct resource *r, const char *name)
{
    size_t i, n = json_array_size(e->causes);
    json_t *cause, *details;
    struct text text;

    if (n == 0)
        return OK;
    text_init(&text, &e->op->arena, MESSAGE_MAX);
    json_array_foreach(e->causes, i, cause)
    {
        text_printf(&text, "%s%s: %s", i ? ", " : "", text_at_or(cause, "field", ""),
                    text_at_or(cause, "message", ""));
    }
    details = details_of(name, r->group, r->kind);
    json_object_set(details, "causes", e->causes);
    return status_fail(e->op, INVALID, "Invalid", details, "%s \"%s\" is invalid: %s%s%s",
                       r->qualified_kind, name ? name : "", n > 1 ? "[" : "", text.data,
                       n > 1 ? "]" : "");
}
