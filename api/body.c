#include "api/body.h"

#include <string.h>
#include <strings.h>

#include "api/location.h"
#include "core/json.h"

#define TAGS_MAX      50
#define TAG_NAME_MAX  512
#define TAG_VALUE_MAX 256

enum fault body_read(struct call *c, bool may_be_empty, json_t **ret_body)
{
    struct op *op = &c->op;
    json_t *body;

    if (c->body.len == 0 && may_be_empty) {
        *ret_body = json_new_object(op);
        return OK;
    }
    if (c->body.len == 0)
        return fail_on(op, "MissingRequestBody", INVALID,
                       "The request content is empty: it must be a JSON object.");
    if (json_parse(op, c->body, &body) != OK)
        return fail_on(op, "InvalidRequestContent", INVALID,
                       "The request content was invalid and could not be deserialized: '%s'.",
                       op->message);
    if (!json_is_object(body))
        return fail_on(op, "InvalidRequestContent", INVALID,
                       "The request content was invalid: it must be a JSON object.");
    *ret_body = body;
    return OK;
}

/* ---- members by path ---- */

static json_t *member(const json_t *object, const char *name, size_t len)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (strlen(key) == len && strncasecmp(key, name, len) == 0)
            return value;
    }
    return NULL;
}

json_t *body_at(const json_t *body, const char *path)
{
    json_t *value = (json_t *)(uintptr_t)body;

    while (*path && value) {
        size_t len = strcspn(path, ".");

        value = json_is_object(value) ? member(value, path, len) : NULL;
        path += len + (path[len] == '.');
    }
    return json_is_null(value) ? NULL : value;
}

/* A member of the wrong kind, or one whose parent is no object. */
static enum fault wrong(struct op *op, const char *path, const char *what)
{
    return arm_fail_at(op, "InvalidRequestContent", INVALID, path,
                       "The request content was invalid: '%s' must be %s.", path, what);
}

enum fault body_text(struct op *op, const json_t *body, const char *path, size_t min, size_t max,
                     const char **ret)
{
    json_t *value = body_at(body, path);
    size_t len;

    if (!value)
        return OK;
    if (!json_is_string(value))
        return wrong(op, path, "a string");
    len = json_string_length(value);
    if (strlen(json_string_value(value)) != len)
        return wrong(op, path, "a string without NUL");
    if (len < min || len > max)
        return arm_fail_at(op, "InvalidRequestContent", INVALID, path,
                           "The request content was invalid: '%s' must have %zu to %zu bytes, not "
                           "%zu.",
                           path, min, max, len);
    *ret = json_string_value(value);
    return OK;
}

enum fault body_bool(struct op *op, const json_t *body, const char *path, bool *ret)
{
    json_t *value = body_at(body, path);

    if (!value)
        return OK;
    if (!json_is_boolean(value))
        return wrong(op, path, "true or false");
    *ret = json_is_true(value);
    return OK;
}

enum fault body_int(struct op *op, const json_t *body, const char *path, int64_t min, int64_t max,
                    int64_t *ret)
{
    json_t *value = body_at(body, path);

    if (!value)
        return OK;
    if (!json_is_integer(value))
        return wrong(op, path, "a whole number");
    if (json_integer_value(value) < min || json_integer_value(value) > max)
        return arm_fail_at(op, "InvalidRequestContent", INVALID, path,
                           "The request content was invalid: '%s' must be from %lld to %lld.", path,
                           (long long)min, (long long)max);
    *ret = json_integer_value(value);
    return OK;
}

enum fault body_choice(struct op *op, const json_t *body, const char *path,
                       const char *const *choices, const char **ret)
{
    const char *value = NULL;
    struct text list;

    TRY(body_text(op, body, path, 0, 256, &value));
    if (!value)
        return OK;
    text_init(&list, &op->arena, 1024);
    for (; *choices; choices++) {
        if (strcasecmp(*choices, value) == 0) {
            *ret = *choices;
            return OK;
        }
        text_printf(&list, "%s%s", list.len ? ", " : "", *choices);
    }
    return arm_fail_at(op, "InvalidRequestContent", INVALID, path,
                       "The request content was invalid: '%s' must be one of %s, not '%s'.", path,
                       list.data, value);
}

enum fault body_array(struct op *op, const json_t *body, const char *path, size_t max_n,
                      json_t **ret)
{
    json_t *value = body_at(body, path);

    *ret = NULL;
    if (!value)
        return OK;
    if (!json_is_array(value))
        return wrong(op, path, "an array");
    if (json_array_size(value) > max_n)
        return arm_fail_at(op, "InvalidRequestContent", INVALID, path,
                           "The request content was invalid: '%s' may have %zu items at most.",
                           path, max_n);
    *ret = value;
    return OK;
}

enum fault body_object(struct op *op, const json_t *body, const char *path, json_t **ret)
{
    json_t *value = body_at(body, path);

    *ret = NULL;
    if (!value)
        return OK;
    if (!json_is_object(value))
        return wrong(op, path, "an object");
    *ret = value;
    return OK;
}

enum fault body_texts(struct op *op, const json_t *body, const char *path, size_t max_n, size_t max,
                      const char ***ret, size_t *ret_n)
{
    const char **texts;
    json_t *array;

    TRY(body_array(op, body, path, max_n, &array));
    if (!array)
        return OK;
    texts = arena_alloc(&op->arena, (json_array_size(array) + 1) * sizeof(*texts));
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *item = json_array_get(array, i);

        if (!json_is_string(item) || json_string_length(item) > max ||
            strlen(json_string_value(item)) != json_string_length(item))
            return wrong(op, path,
                         arena_printf(&op->arena, "an array of strings of at most %zu bytes", max));
        texts[i] = json_string_value(item);
    }
    *ret = texts;
    *ret_n = json_array_size(array);
    return OK;
}

void body_ignored(struct call *c, const json_t *body, const char *const *known)
{
    const char *name;
    struct text out;
    json_t *value;

    text_init(&out, &c->op.arena, 512);
    json_object_foreach((json_t *)(uintptr_t)body, name, value)
    {
        const char *const *k = known;

        while (*k && strcasecmp(*k, name) != 0)
            k++;
        if (!*k &&
            name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "_-.$")] == '\0')
            text_printf(&out, "%s%s", out.len ? ", " : "", name);
    }
    (void)value;
    if (out.len)
        reply_header(c, "x-sundog-ignored", "%s", out.data);
}

enum fault body_required(struct op *op, const json_t *body, const char *path)
{
    if (body_at(body, path))
        return OK;
    return arm_fail_at(op, "InvalidRequestContent", INVALID, path,
                       "The request content was invalid: required property '%s' is missing.", path);
}

/* ---- tags ---- */

static enum fault check_tag(struct op *op, const char *name, const json_t *value)
{
    const char *bad = strpbrk(name, "<>%&\\?/");

    if (!*name || strlen(name) > TAG_NAME_MAX)
        return arm_fail_at(op, "InvalidTagName", INVALID, "tags",
                           "The tag name '%.40s' must have 1 to %d characters.", name,
                           TAG_NAME_MAX);
    if (bad)
        return arm_fail_at(op, "InvalidTagNameCharacters", INVALID, "tags",
                           "The tag names '%.100s' have reserved characters '<,>,%%,&,\\,?,/' or "
                           "control characters.",
                           name);
    if (!json_is_string(value))
        return arm_fail_at(op, "InvalidRequestContent", INVALID, "tags",
                           "The value of tag '%.100s' must be a string.", name);
    if (json_string_length(value) > TAG_VALUE_MAX)
        return arm_fail_at(op, "InvalidTagValueLength", INVALID, "tags",
                           "Tag value too large. Following tag value has exceeded the maximum "
                           "length of %d characters: tag '%.100s'.",
                           TAG_VALUE_MAX, name);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return wrong(op, "tags", "free of NUL");
    return OK;
}

enum fault tags_check(struct op *op, const json_t *tags)
{
    const char *name, *other;
    json_t *value, *unused;

    if (json_object_size(tags) > TAGS_MAX)
        return arm_fail_at(op, "TagCountExceeded", INVALID, "tags",
                           "Too many tags: %zu, where %d are the most a resource may have.",
                           json_object_size(tags), TAGS_MAX);
    json_object_foreach((json_t *)(uintptr_t)tags, name, value)
    {
        TRY(check_tag(op, name, value));
        json_object_foreach((json_t *)(uintptr_t)tags, other, unused)
        {
            if (other != name && strcasecmp(name, other) == 0)
                return arm_fail_at(op, "AmbiguousTagNames", INVALID, "tags",
                                   "Tag names are case-insensitive: '%.100s' is there twice.",
                                   name);
        }
    }
    (void)unused;
    return OK;
}

enum fault body_tags(struct op *op, const json_t *body, const char **ret, bool *ret_given)
{
    json_t *tags;

    TRY(body_object(op, body, "tags", &tags));
    if (ret_given)
        *ret_given = tags != NULL;
    *ret = "{}";
    if (!tags)
        return OK;
    TRY(tags_check(op, tags));
    *ret = json_text_of(op, tags);
    return OK;
}

enum fault body_location(struct op *op, const json_t *body, bool required, const char **ret)
{
    const struct location *location;
    const char *text = NULL;
    struct text list;

    TRY(body_text(op, body, "location", 0, 128, &text));
    if (!text || !*text)
        return required ? arm_fail_at(op, "LocationRequired", INVALID, "location",
                                      "The location property is required for this definition.")
                        : OK;
    location = location_find(text);
    if (location) {
        *ret = location->name;
        return OK;
    }
    text_init(&list, &op->arena, 2048);
    for (location = locations; location->name; location++)
        text_printf(&list, "%s%s", list.len ? "," : "", location->name);
    return arm_fail_at(op, "LocationNotAvailableForResourceType", INVALID, "location",
                       "The provided location '%s' is not available. List of available regions "
                       "is '%s'.",
                       text, list.data);
}
