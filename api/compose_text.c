/* Texts of compose files: variables, amounts, files. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/compose.h"

/* ---- ${VARIABLES} ---- */

static enum fault fill_text(struct compose *c, const char *text, size_t len, int depth,
                            struct text *out);

static size_t name_length(const char *s, const char *end)
{
    size_t n = 0;

    while (s + n < end && (isalnum((unsigned char)s[n]) || s[n] == '_') &&
           !(n == 0 && isdigit((unsigned char)s[n])))
        n++;
    return n;
}

/* The "}" of a "${" whose inside begins at s, over those within; NULL. */
static const char *closing(const char *s, const char *end)
{
    int open = 1;

    for (; s < end; s++) {
        if (s[0] == '$' && s + 1 < end && s[1] == '{')
            open++;
        else if (*s == '}' && --open == 0)
            return s;
    }
    return NULL;
}

/* ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:?words}, ${NAME:+instead}, … */
static enum fault fill_braced(struct compose *c, const char *s, const char *end, int depth,
                              struct text *out)
{
    size_t len = name_length(s, end);
    const char *name = arena_strndup(&c->op->arena, s, len), *value = NULL, *rest = s + len;
    bool colon = rest < end && *rest == ':', has;
    char kind;

    if (len)
        value = c->source->variable(c->source->arg, name);
    rest += colon;
    kind = rest < end ? *rest : '\0';
    if (!len || (kind && !strchr("-?+", kind)) || (colon && !kind))
        return fail(c->op, INVALID, "\"${%.*s}\" is not a variable", (int)(end - s), s);
    rest += kind != '\0';
    has = value && (!colon || *value);
    if (kind == '?' && !has)
        return fail(c->op, INVALID, "the variable %s is required: %.*s", name, (int)(end - rest),
                    rest);
    if ((kind == '-' && !has) || (kind == '+' && has))
        return fill_text(c, rest, (size_t)(end - rest), depth + 1, out);
    if (kind == '+')
        return OK;
    if (!value)
        compose_note(c, arena_printf(&c->op->arena, "${%s}", name), "it is not set: empty");
    text_str(out, value ? value : "");
    return OK;
}

static enum fault fill_text(struct compose *c, const char *text, size_t len, int depth,
                            struct text *out)
{
    const char *end = text + len, *close;
    size_t n;

    if (depth > COMPOSE_DEPTH_MAX)
        return fail(c->op, INVALID, "variables are nested too deep");
    for (const char *s = text; s < end; s++) {
        if (*s != '$' || s + 1 == end) {
            text_add(out, s, 1);
        } else if (s[1] == '$') {
            text_add(out, s++, 1);
        } else if (s[1] == '{') {
            close = closing(s + 2, end);
            if (!close)
                return fail(c->op, INVALID, "\"%.100s\": a \"${\" without its \"}\"", text);
            TRY(fill_braced(c, s + 2, close, depth, out));
            s = close;
        } else {
            n = name_length(s + 1, end);
            if (n == 0)
                return fail(c->op, INVALID, "\"%.100s\": write \"$$\" for a dollar", text);
            TRY(fill_braced(c, s + 1, s + 1 + n, depth, out));
            s += n;
        }
        if (out->len >= COMPOSE_TEXT_MAX || out->overflow)
            return fail(c->op, INVALID, "a value is longer than %d bytes", COMPOSE_TEXT_MAX);
    }
    return OK;
}

static enum fault filled(struct compose *c, const json_t *string, json_t **ret)
{
    const char *text = json_string_value(string);
    struct text out;

    *ret = NULL;
    if (!strchr(text, '$'))
        return OK;
    text_init(&out, &c->op->arena, 2 * COMPOSE_TEXT_MAX);
    TRY(fill_text(c, text, strlen(text), 0, &out));
    *ret = json_string(out.len ? out.data : "");
    return *ret ? OK : fail(c->op, INVALID, "a variable is not UTF-8");
}

/* "<<": *defaults, or a list of such, which may merge others themselves: what the mapping does not
 * say itself. Each alias is a copy of its own. */
static void merge(json_t *object)
{
    json_t *from = json_incref(json_object_get(object, "<<")), *one;
    size_t i;

    if (json_is_object(from)) {
        merge(from);
        json_object_del(object, "<<");
        json_object_update_missing(object, from);
    } else if (json_is_array(from)) {
        json_object_del(object, "<<");
        json_array_foreach(from, i, one)
        {
            if (json_is_object(one)) {
                merge(one);
                json_object_update_missing(object, one);
            }
        }
    }
    json_decref(from);
}

enum fault compose_fill(struct compose *c, json_t *tree)
{
    const char *key;
    json_t *value, *fresh;
    size_t i;
    void *next;

    if (json_is_object(tree))
        merge(tree);
    json_object_foreach_safe(tree, next, key, value)
    {
        if (json_is_string(value)) {
            TRY(filled(c, value, &fresh));
            if (fresh)
                json_object_set_new(tree, key, fresh);
        } else {
            TRY(compose_fill(c, value));
        }
    }
    json_array_foreach(tree, i, value)
    {
        if (json_is_string(value)) {
            TRY(filled(c, value, &fresh));
            if (fresh)
                json_array_set_new(tree, i, fresh);
        } else {
            TRY(compose_fill(c, value));
        }
    }
    return OK;
}

/* ---- amounts ---- */

const char *compose_text(struct op *op, const json_t *value)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        return arena_printf(&op->arena, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return arena_printf(&op->arena, "%.15g", json_real_value(value));
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    return NULL;
}

bool compose_flag(const json_t *value, bool otherwise)
{
    static const char *const words[] = {"true", "yes", "y", "on", "1"};
    const char *text = json_string_value(value);

    if (!value || json_is_null(value))
        return otherwise;
    for (size_t i = 0; text && i < ARRAY_LEN(words); i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return json_is_true(value);
}

/* A number and its unit; NULL: it is none. */
static const char *amount(const char *text, double *ret)
{
    char *end;

    if (!text || !isdigit((unsigned char)*text) || text[strcspn(text, "xXeEnN")])
        return NULL;
    *ret = strtod(text, &end);
    return *ret < 1e12 ? end : NULL;
}

int64_t compose_seconds(const char *text)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {
        {"ms", 0.001},
        {"us", 1e-6 },
        {"h",  3600 },
        {"m",  60   },
        {"s",  1    },
    };
    double sum = 0, n;
    size_t i;

    if (!text || !*text)
        return -1;
    while (*text) {
        text = amount(text, &n);
        for (i = 0; text && i < ARRAY_LEN(units); i++)
            if (strncmp(text, units[i].unit, strlen(units[i].unit)) == 0)
                break;
        if (!text || i == ARRAY_LEN(units))
            return -1;
        sum += n * units[i].seconds;
        text += strlen(units[i].unit);
    }
    return (int64_t)ceil(sum);
}

int64_t compose_bytes(const char *text)
{
    static const char units[] = "kmgt";
    double n;
    const char *unit = amount(text, &n), *found;

    if (!unit)
        return -1;
    if (*unit && *unit != 'b' && *unit != 'B') {
        found = strchr(units, tolower((unsigned char)*unit));
        if (!found)
            return -1;
        n = ldexp(n, 10 * (int)(found - units + 1));
        unit++;
    }
    if (tolower((unsigned char)*unit) == 'b')
        unit++;
    return *unit || n > 1e15 ? -1 : (int64_t)n;
}

const char *compose_name(struct op *op, const char *name)
{
    char *copy = arena_strdup(&op->arena, name);

    for (char *s = copy; *s; s++)
        *s = isalnum((unsigned char)*s) ? (char)tolower((unsigned char)*s) : '-';
    copy += strspn(copy, "-");
    if (strlen(copy) > 63)
        copy[63] = '\0';
    for (size_t n = strlen(copy); n > 0 && copy[n - 1] == '-'; n--)
        copy[n - 1] = '\0';
    return copy;
}
