/* Cells that many kinds share. */
#include "clusters/object/table_cells.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

#define CELL_MAX ((size_t)1 << 20)

/* ---- writing ---- */

void put_text(struct row *row, const char *text)
{
    json_quote(row->out, text);
}

void put_format(struct row *row, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        abort(); /* out of memory */
    va_end(args);
    json_quote(row->out, text);
    free(text);
}

static const char *missing_of(const struct column *column)
{
    return column->missing ? column->missing : "";
}

void join_text(struct text *out, size_t *count, size_t max, const char *text)
{
    if (!max || *count < max)
        text_printf(out, "%s%s", *count ? "," : "", text);
    ++*count;
}

const char *join_end(struct row *row, struct text *out, size_t count, size_t max,
                     const char *missing)
{
    (void)row;
    if (count == 0)
        return missing;
    if (max && count > max)
        text_printf(out, " + %zu more...", count - max);
    return out->data;
}

/* ---- times ---- */

const char *human_duration(struct op *op, int64_t s)
{
    static const struct {
        int64_t below;      /* seconds */
        int64_t unit, rest; /* shown in unit, and what is left in rest; 0: nothing */
        char name, rest_name;
    } scales[] = {
        {120,               1,             0,     's', ' '},
        {600,               60,            1,     'm', 's'},
        {3 * 3600,          60,            0,     'm', ' '},
        {8 * 3600,          3600,          60,    'h', 'm'},
        {48 * 3600,         3600,          0,     'h', ' '},
        {8 * 86400,         86400,         3600,  'd', 'h'},
        {2 * 365 * 86400LL, 86400,         0,     'd', ' '},
        {8 * 365 * 86400LL, 365 * 86400LL, 86400, 'y', 'd'},
        {INT64_MAX,         365 * 86400LL, 0,     'y', ' '},
    };
    size_t i = 0;
    int64_t rest;

    if (s < -1)
        return "<invalid>";
    if (s < 0)
        return "0s";
    while (s >= scales[i].below)
        i++;
    rest = scales[i].rest ? s % scales[i].unit / scales[i].rest : 0;
    if (rest)
        return arena_printf(&op->arena, "%lld%c%lld%c", (long long)(s / scales[i].unit),
                            scales[i].name, (long long)rest, scales[i].rest_name);
    return arena_printf(&op->arena, "%lld%c", (long long)(s / scales[i].unit), scales[i].name);
}

const char *age_text(struct row *row, const char *time)
{
    int64_t us;

    if (!micro_time_parse(time, &us))
        return "<unknown>";
    return human_duration(row->op, row->now - us / 1000000);
}

void cell_age(struct row *row, const struct column *column)
{
    const char *time = text_at(row->tree, column->path);

    put_text(row, time ? age_text(row, time) : missing_of(column));
}

/* ---- plain members ---- */

void cell_text(struct row *row, const struct column *column)
{
    const char *text = text_at(row->tree, column->path);

    put_text(row, text && *text ? text : missing_of(column));
}

void cell_integer(struct row *row, const struct column *column)
{
    text_printf(row->out, "%lld", (long long)int_at(row->tree, column->path, 0));
}

void cell_bool(struct row *row, const struct column *column)
{
    bool fallback = strcmp(missing_of(column), "true") == 0;

    text_str(row->out, bool_at(row->tree, column->path, fallback) ? "true" : "false");
}

void cell_bool_text(struct row *row, const struct column *column)
{
    const json_t *value = at(row->tree, column->path);

    put_text(row, !json_is_boolean(value) ? missing_of(column)
                  : json_is_true(value)   ? "True"
                                          : "False");
}

void cell_any(struct row *row, const struct column *column)
{
    const json_t *value = at(row->tree, column->path);

    if (json_is_integer(value))
        put_format(row, "%lld", (long long)json_integer_value(value));
    else
        cell_text(row, column);
}

static size_t size_at(const json_t *tree, const char *path)
{
    const json_t *value = at(tree, path);

    return json_is_array(value) ? json_array_size(value) : json_object_size(value);
}

void cell_count(struct row *row, const struct column *column)
{
    size_t n = size_at(row->tree, column->path);

    text_printf(row->out, "%zu", n + (column->missing ? size_at(row->tree, column->missing) : 0));
}

void cell_texts(struct row *row, const struct column *column)
{
    struct text text;
    size_t i, n = 0;
    json_t *item;

    text_init(&text, &row->op->arena, CELL_MAX);
    json_array_foreach(at(row->tree, column->path), i, item)
    {
        if (json_is_string(item))
            join_text(&text, &n, 0, json_string_value(item));
    }
    put_text(row, join_end(row, &text, n, 0, missing_of(column)));
}

void cell_of(struct row *row, const struct column *column)
{
    const json_t *reference = at(row->tree, column->path);

    put_format(row, "%s/%s", text_at_or(reference, "kind", ""), text_at_or(reference, "name", ""));
}

/* ---- labels and selectors ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **sorted(struct op *op, const json_t *list, size_t *ret_n)
{
    size_t n = json_array_size(list), i, have = 0;
    const char **texts = arena_alloc(&op->arena, (n + 1) * sizeof(*texts));
    json_t *item;

    json_array_foreach((json_t *)list, i, item)
    {
        if (json_is_string(item))
            texts[have++] = json_string_value(item);
    }
    qsort(texts, have, sizeof(*texts), by_text);
    *ret_n = have;
    return texts;
}

/* "a=b" of each label into texts. */
static size_t labels_into(struct op *op, const json_t *map, const char **texts)
{
    const char *key;
    json_t *value;
    size_t n = 0;

    json_object_foreach((json_t *)map, key, value)
    {
        texts[n++] = arena_printf(&op->arena, "%s=%s", key,
                                  json_is_string(value) ? json_string_value(value) : "");
    }
    return n;
}

/* "key in (a,b)" */
static const char *expression_text(struct op *op, const json_t *expression)
{
    const char *key = text_at_or(expression, "key", "");
    const char *operator= text_at_or(expression, "operator", "");
    const char **values;
    struct text text;
    size_t n;

    if (strcmp(operator, "Exists") == 0)
        return key;
    if (strcmp(operator, "DoesNotExist") == 0)
        return arena_printf(&op->arena, "!%s", key);
    text_init(&text, &op->arena, CELL_MAX);
    values = sorted(op, at(expression, "values"), &n);
    text_printf(&text, "%s %s (", key, strcmp(operator, "In") == 0 ? "in" : "notin");
    for (size_t i = 0; i < n; i++)
        text_printf(&text, "%s%s", i ? "," : "", values[i]);
    text_str(&text, ")");
    return text.data;
}

/* By key, so by text: '=' and ' ' sort before what names may have. */
static void put_sorted(struct row *row, const char **texts, size_t n, const char *missing)
{
    struct text text;

    qsort(texts, n, sizeof(*texts), by_text);
    text_init(&text, &row->op->arena, CELL_MAX);
    for (size_t i = 0; i < n; i++)
        text_printf(&text, "%s%s", i ? "," : "", texts[i]);
    put_text(row, n ? text.data : missing);
}

void cell_labels(struct row *row, const struct column *column)
{
    const json_t *map = at(row->tree, column->path);
    const char **texts = arena_alloc(&row->op->arena, (json_object_size(map) + 1) * sizeof(*texts));

    put_sorted(row, texts, labels_into(row->op, map, texts), missing_of(column));
}

void cell_selector(struct row *row, const struct column *column)
{
    const json_t *selector = at(row->tree, column->path);
    const json_t *labels = at(selector, "matchLabels");
    const json_t *expressions = at(selector, "matchExpressions");
    size_t i, n, size = json_object_size(labels) + json_array_size(expressions);
    const char **texts = arena_alloc(&row->op->arena, (size + 1) * sizeof(*texts));
    json_t *expression;

    n = labels_into(row->op, labels, texts);
    json_array_foreach((json_t *)expressions, i, expression)
    {
        texts[n++] = expression_text(row->op, expression);
    }
    put_sorted(row, texts, n, missing_of(column));
}

/* ---- pods' parts ---- */

static void put_of_containers(struct row *row, const struct column *column, const char *member)
{
    json_t *containers = at(at(row->tree, column->path), "containers"), *container;
    struct text text;
    size_t i, n = 0;

    text_init(&text, &row->op->arena, CELL_MAX);
    json_array_foreach(containers, i, container)
    {
        join_text(&text, &n, 0, text_at_or(container, member, ""));
    }
    put_text(row, text.data);
}

void cell_containers(struct row *row, const struct column *column)
{
    put_of_containers(row, column, "name");
}

void cell_images(struct row *row, const struct column *column)
{
    put_of_containers(row, column, "image");
}

void cell_modes(struct row *row, const struct column *column)
{
    static const char *const modes[][2] = {
        {"ReadWriteOnce",    "RWO" },
        {"ReadOnlyMany",     "ROX" },
        {"ReadWriteMany",    "RWX" },
        {"ReadWriteOncePod", "RWOP"}
    };
    struct text text;
    size_t i, n = 0;
    json_t *item;

    text_init(&text, &row->op->arena, CELL_MAX);
    for (size_t m = 0; m < ARRAY_LEN(modes); m++) {
        bool has = false;

        json_array_foreach(at(row->tree, column->path), i, item)
        {
            has =
                has || (json_is_string(item) && strcmp(json_string_value(item), modes[m][0]) == 0);
        }
        if (has)
            join_text(&text, &n, 0, modes[m][1]);
    }
    put_text(row, text.data);
}

const json_t *cell_condition(const json_t *tree, const char *type)
{
    json_t *condition;
    size_t i;

    json_array_foreach(at(tree, "status.conditions"), i, condition)
    {
        if (strcmp(text_at_or(condition, "type", ""), type) == 0)
            return condition;
    }
    return NULL;
}

bool cell_has_condition(const json_t *tree, const char *type)
{
    return strcmp(text_at_or(cell_condition(tree, type), "status", ""), "True") == 0;
}
