/* Reading bodies by tables of their members, and showing them without secrets. */
#include "api/shape.h"

#include <string.h>
#include <strings.h>

static enum fault wrong(struct op *op, const char *path, const char *what)
{
    return arm_fail_at(op, "InvalidRequestContent", INVALID, path,
                       "The request content was invalid: '%s' must be %s.", path, what);
}

static const char *below(struct op *op, const char *path, const char *name)
{
    return *path ? arena_printf(&op->arena, "%s.%.200s", path, name)
                 : arena_printf(&op->arena, "%.200s", name);
}

static bool is_clean_text(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

static enum fault read_text(struct op *op, const struct shape *s, json_t *value, const char *path,
                            json_t **ret)
{
    size_t len = json_string_length(value);
    struct text list;

    if (!is_clean_text(value))
        return wrong(op, path, "a string");
    if ((int64_t)len < s->min || (int64_t)len > s->max)
        return wrong(op, path,
                     arena_printf(&op->arena, "a string of %lld to %lld bytes", (long long)s->min,
                                  (long long)s->max));
    *ret = value;
    if (!s->words)
        return OK;
    text_init(&list, &op->arena, 1024);
    for (const char *const *w = s->words; *w; w++) {
        if (strcasecmp(*w, json_string_value(value)) == 0) {
            *ret = json_keep(op, json_string(*w));
            return OK;
        }
        text_printf(&list, "%s%s", list.len ? ", " : "", *w);
    }
    return wrong(
        op, path,
        arena_printf(&op->arena, "one of %s, not '%.100s'", list.data, json_string_value(value)));
}

static enum fault read_items(struct op *op, const struct shape *s, json_t *value, const char *path,
                             struct text *ignored, json_t **ret)
{
    json_t *list = json_new_array(op), *item;
    size_t i;

    if (!json_is_array(value))
        return wrong(op, path, "an array");
    if ((int64_t)json_array_size(value) > s->max)
        return wrong(op, path,
                     arena_printf(&op->arena, "an array of %lld items at most", (long long)s->max));
    json_array_foreach(value, i, item)
    {
        const char *at = arena_printf(&op->arena, "%s[%zu]", path, i);
        json_t *read = item;

        if (s->kind == SHAPE_LIST)
            TRY(shape_read(op, s->of, item, at, ignored, &read));
        else if (!is_clean_text(item) || json_string_length(item) > SHAPE_TEXT_MAX)
            return wrong(op, at, "a string");
        json_array_append(list, read);
    }
    *ret = list;
    return OK;
}

static enum fault read_map(struct op *op, const struct shape *s, json_t *value, const char *path)
{
    const char *name;
    json_t *item;

    if (!json_is_object(value))
        return wrong(op, path, "an object");
    if ((int64_t)json_object_size(value) > s->max)
        return wrong(
            op, path,
            arena_printf(&op->arena, "an object of %lld members at most", (long long)s->max));
    json_object_foreach(value, name, item)
    {
        if (!is_clean_text(item))
            return wrong(op, below(op, path, name), "a string");
    }
    return OK;
}

static enum fault read_number(struct op *op, const struct shape *s, json_t *value, const char *path)
{
    if (s->kind == SHAPE_NUMBER)
        return json_is_number(value) ? OK : wrong(op, path, "a number");
    if (!json_is_integer(value) || json_integer_value(value) < s->min ||
        json_integer_value(value) > s->max)
        return wrong(op, path,
                     arena_printf(&op->arena, "a whole number from %lld to %lld", (long long)s->min,
                                  (long long)s->max));
    return OK;
}

static enum fault read_member(struct op *op, const struct shape *s, json_t *value, const char *path,
                              struct text *ignored, json_t **ret)
{
    *ret = value;
    switch (s->kind) {
    case SHAPE_TEXT:
        return read_text(op, s, value, path, ret);
    case SHAPE_INT:
    case SHAPE_NUMBER:
        return read_number(op, s, value, path);
    case SHAPE_BOOL:
        return json_is_boolean(value) ? OK : wrong(op, path, "true or false");
    case SHAPE_OBJECT:
        return shape_read(op, s->of, value, path, ignored, ret);
    case SHAPE_LIST:
    case SHAPE_TEXTS:
        return read_items(op, s, value, path, ignored, ret);
    case SHAPE_MAP:
        return read_map(op, s, value, path);
    case SHAPE_ANY:
        break;
    }
    return OK;
}

static const struct shape *member_of(const struct shape *shape, const char *name)
{
    for (; shape->name; shape++)
        if (strcasecmp(shape->name, name) == 0 || strcmp(shape->name, SHAPE_OTHERS) == 0)
            return shape;
    return NULL;
}

static const char *spelled(const struct shape *s, const char *name)
{
    return strcmp(s->name, SHAPE_OTHERS) == 0 ? name : s->name;
}

static bool is_empty(const json_t *value)
{
    return (json_is_array(value) && !json_array_size(value)) ||
           (json_is_object(value) && !json_object_size(value));
}

static void note_ignored(const struct shape *s, const char *name, const json_t *value,
                         struct text *ignored)
{
    bool first =
        s->words && json_is_string(value) && strcmp(json_string_value(value), s->words[0]) == 0;

    if (is_empty(value) || !(s->flags & (SHAPE_IGNORED | SHAPE_DEFAULTED)) ||
        (s->flags & SHAPE_DEFAULTED && first) || strstr(ignored->data, name))
        return;
    text_printf(ignored, "%s%s", ignored->len ? ", " : "", name);
}

static enum fault check_required(struct op *op, const struct shape *shape, const json_t *read,
                                 const char *path)
{
    for (; shape->name; shape++)
        if (shape->flags & SHAPE_REQUIRED && !json_object_get(read, shape->name))
            return arm_fail_at(op, "InvalidRequestContent", INVALID, below(op, path, shape->name),
                               "The request content was invalid: required property '%s' is "
                               "missing.",
                               below(op, path, shape->name));
    return OK;
}

enum fault shape_read(struct op *op, const struct shape *shape, json_t *value, const char *path,
                      struct text *ignored, json_t **ret)
{
    json_t *read = json_new_object(op), *member, *kept;
    const char *name;

    if (!json_is_object(value))
        return wrong(op, path, "an object");
    json_object_foreach(value, name, member)
    {
        const struct shape *s = member_of(shape, name);
        const char *at = below(op, path, name);

        if (!s)
            return arm_fail_at(op, "InvalidRequestContent", INVALID, at,
                               "The request content was invalid: there is no property '%s'.", at);
        if (s->flags & SHAPE_READ_ONLY || json_is_null(member))
            continue;
        TRY(read_member(op, s, member, below(op, path, spelled(s, name)), ignored, &kept));
        json_object_set(read, spelled(s, name), kept);
        note_ignored(s, spelled(s, name), kept, ignored);
    }
    *ret = read;
    return check_required(op, shape, read, path);
}

/* ---- showing ---- */

json_t *shape_public(struct op *op, const struct shape *shape, const json_t *value)
{
    json_t *out = json_new_object(op), *member, *item;
    const char *name;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        const struct shape *s = member_of(shape, name);

        if (!s)
            continue;
        if (s->flags & SHAPE_SECRET) {
            if (s->kind == SHAPE_MAP) /* that it is one may be known */
                json_object_set_new(out, name, json_object());
        } else if (s->kind == SHAPE_OBJECT) {
            json_object_set(out, name, shape_public(op, s->of, member));
        } else if (s->kind == SHAPE_LIST) {
            json_t *list = json_new_array(op);

            json_array_foreach(member, i, item)
            {
                json_array_append(list, shape_public(op, s->of, item));
            }
            json_object_set(out, name, list);
        } else {
            json_object_set(out, name, member);
        }
    }
    return out;
}
