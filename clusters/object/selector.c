/* Label selectors: read as upstream's lexer reads them, with its messages. */
#include "clusters/object/selector.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/object/status.h"

enum requirement_kind { IS_IN, IS_NOT_IN, EXISTS, EXISTS_NOT, GREATER, LESS };
struct requirement {
    const char *key;
    enum requirement_kind kind;
    const char **values;
    size_t n_values;
};
struct selector {
    bool nothing;
    struct requirement *requirements;
    size_t n;
};
#define REQUIREMENTS_MAX 1000

static const struct selector all = {0}, none = {.nothing = true};

/* ---- tokens ---- */

enum token {
    END,
    COMMA,
    OPEN,
    CLOSE,
    IDENTIFIER,
    IN,
    NOT_IN,
    EQUAL,
    EQUAL_EQUAL,
    NOT_EQUAL,
    NOT,
    MORE,
    FEWER,
    WRONG,
};
static const struct {
    const char *text;
    enum token token;
} specials[] = {
    {"!=", NOT_EQUAL  },
    {"==", EQUAL_EQUAL},
    {"=",  EQUAL      },
    {"!",  NOT        },
    {",",  COMMA      },
    {"(",  OPEN       },
    {")",  CLOSE      },
    {">",  MORE       },
    {"<",  FEWER      }
};

struct lexer {
    struct op *op;
    struct arena *arena;
    const char *p;
    const char *literal; /* of the token that was read last */
};

static bool is_special(char c)
{
    return c && strchr("=!(),><", c);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* in_values: "in" and "notin" are values there. */
static enum token next_token(struct lexer *l, bool in_values)
{
    const char *start;

    while (is_space(*l->p))
        l->p++;
    start = l->p;
    if (!*start) {
        l->literal = "";
        return END;
    }
    for (size_t i = 0; is_special(*start) && i < ARRAY_LEN(specials); i++) {
        if (strncmp(start, specials[i].text, strlen(specials[i].text)) == 0) {
            l->p += strlen(specials[i].text);
            l->literal = specials[i].text;
            return specials[i].token;
        }
    }
    while (*l->p && !is_special(*l->p) && !is_space(*l->p))
        l->p++;
    l->literal = arena_strndup(l->arena, start, (size_t)(l->p - start));
    if (!in_values && strcmp(l->literal, "in") == 0)
        return IN;
    if (!in_values && strcmp(l->literal, "notin") == 0)
        return NOT_IN;
    return IDENTIFIER;
}

static enum token peek(const struct lexer *l, bool in_values)
{
    struct lexer copy = *l;

    return next_token(&copy, in_values);
}

/* ---- one requirement ---- */

static enum fault found(struct lexer *l, const char *expected)
{
    return bad_request(l->op, "unable to parse requirement: found '%s', expected: %s", l->literal,
                       expected);
}

static void add_value(struct lexer *l, struct requirement *r, const char *value)
{
    const char **more = arena_alloc(l->arena, (r->n_values + 1) * sizeof(*more));

    if (r->n_values)
        memcpy(more, r->values, r->n_values * sizeof(*more));
    more[r->n_values++] = value;
    r->values = more;
}

/* "(a,b)" after in and notin; empty places are empty values. */
static enum fault parse_values(struct lexer *l, struct requirement *r)
{
    bool after_value = false;

    if (next_token(l, true) != OPEN)
        return bad_request(l->op, "unable to parse requirement: found '%s' expected: '('",
                           l->literal);
    if (peek(l, true) == CLOSE) {
        next_token(l, true);
        add_value(l, r, "");
        return OK;
    }
    for (;;) {
        enum token token = next_token(l, true);

        if (token == IDENTIFIER && !after_value) {
            if (r->n_values >= REQUIREMENTS_MAX)
                return bad_request(l->op, "a selector has more than %d values", REQUIREMENTS_MAX);
            add_value(l, r, l->literal);
            after_value = true;
        } else if (token == COMMA || token == CLOSE) {
            if (!after_value)
                add_value(l, r, "");
            after_value = false;
            if (token == CLOSE)
                return OK;
        } else {
            return found(l, after_value ? "',' or ')'" : "',', ')' or identifier");
        }
    }
}

static enum fault parse_exact(struct lexer *l, struct requirement *r)
{
    enum token token = peek(l, true);

    if (token == END || token == COMMA) {
        add_value(l, r, "");
        return OK;
    }
    if (next_token(l, true) != IDENTIFIER)
        return found(l, "identifier");
    add_value(l, r, l->literal);
    return OK;
}

static enum fault check_values(struct lexer *l, const struct requirement *r)
{
    for (size_t i = 0; i < r->n_values; i++) {
        const char *fault = label_value_fault(r->values[i]);
        char *end;

        if (r->kind == GREATER || r->kind == LESS) {
            errno = 0;
            (void)strtoll(r->values[i], &end, 10);
            if (errno || *end || end == r->values[i])
                return bad_request(l->op,
                                   "unable to parse requirement: values[0]: Invalid value: \"%s\": "
                                   "for 'Gt', 'Lt' operators, the value must be an integer",
                                   r->values[i]);
        }
        if (fault)
            return bad_request(l->op,
                               "unable to parse requirement: values[%zu][%s]: Invalid value: "
                               "\"%s\": %s",
                               i, r->key, r->values[i], fault);
    }
    return OK;
}

static enum fault parse_operator(struct lexer *l, struct requirement *r)
{
    static const struct {
        enum token token;
        enum requirement_kind kind;
    } kinds[] = {
        {IN,          IS_IN    },
        {NOT_IN,      IS_NOT_IN},
        {EQUAL,       IS_IN    },
        {EQUAL_EQUAL, IS_IN    },
        {NOT_EQUAL,   IS_NOT_IN},
        {MORE,        GREATER  },
        {FEWER,       LESS     }
    };
    enum token token = next_token(l, false);

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].token == token) {
            r->kind = kinds[i].kind;
            TRY(token == IN || token == NOT_IN ? parse_values(l, r) : parse_exact(l, r));
            return check_values(l, r);
        }
    }
    return found(l, "in, notin, =, ==, !=, gt, lt");
}

static enum fault parse_requirement(struct lexer *l, struct requirement *r)
{
    enum token token = next_token(l, true);
    bool negated = token == NOT;
    const char *fault;

    *r = (struct requirement){.kind = negated ? EXISTS_NOT : EXISTS};
    if (negated)
        token = next_token(l, true);
    if (token != IDENTIFIER)
        return found(l, "identifier");
    r->key = l->literal;
    fault = label_key_fault(r->key);
    if (fault)
        return bad_request(l->op, "unable to parse requirement: <nil>: Invalid value: \"%s\": %s",
                           r->key, fault);
    token = peek(l, true);
    if (negated || token == END || token == COMMA)
        return OK;
    return parse_operator(l, r);
}

/* ---- a whole selector ---- */

static enum fault parse_comma(struct lexer *l, bool *ret_more)
{
    enum token token = next_token(l, false);

    *ret_more = token == COMMA;
    if (token == END)
        return OK;
    if (token != COMMA)
        return bad_request(l->op, "found '%s', expected: ',' or 'end of string'", l->literal);
    token = peek(l, true);
    if (token == IDENTIFIER || token == NOT)
        return OK;
    next_token(l, true);
    return bad_request(l->op, "found '%s', expected: identifier after ','", l->literal);
}

enum fault selector_parse(struct op *op, struct arena *arena, const char *text,
                          const struct selector **ret)
{
    struct lexer lexer = {.op = op, .arena = arena, .p = text ? text : "", .literal = ""};
    struct requirement *list;
    size_t n = 0, limit = 1;
    struct selector *selector;
    enum token token = peek(&lexer, true);
    bool more = true;

    if (token == END) {
        *ret = &all;
        return OK;
    }
    if (token != IDENTIFIER && token != NOT) {
        next_token(&lexer, true);
        return bad_request(op, "found '%s', expected: !, identifier, or 'end of string'",
                           lexer.literal);
    }
    for (const char *p = lexer.p; *p; p++)
        limit += *p == ',';
    if (limit > REQUIREMENTS_MAX)
        return bad_request(op, "a selector has more than %d requirements", REQUIREMENTS_MAX);
    list = arena_alloc(arena, limit * sizeof(*list));
    while (more) {
        TRY(parse_requirement(&lexer, &list[n++]));
        TRY(parse_comma(&lexer, &more));
    }
    selector = arena_alloc(arena, sizeof(*selector));
    *selector = (struct selector){.requirements = list, .n = n};
    *ret = selector;
    return OK;
}

/* ---- from objects ---- */

static enum fault expression_of(struct op *op, struct arena *arena, const json_t *expression,
                                struct requirement *r)
{
    static const struct {
        const char *name;
        enum requirement_kind kind;
    } operators[] = {
        {"In",           IS_IN     },
        {"NotIn",        IS_NOT_IN },
        {"Exists",       EXISTS    },
        {"DoesNotExist", EXISTS_NOT},
        {"Gt",           GREATER   },
        {"Lt",           LESS      }
    };
    const char *name = text_at_or(expression, "operator", "");
    struct lexer lexer = {.op = op, .arena = arena};
    json_t *value;
    size_t i;

    *r = (struct requirement){.key = arena_strdup(arena, text_at_or(expression, "key", ""))};
    for (i = 0; i < ARRAY_LEN(operators) && strcmp(operators[i].name, name) != 0; i++)
        ;
    if (i == ARRAY_LEN(operators))
        return bad_request(op, "\"%s\" is not a valid label selector operator", name);
    r->kind = operators[i].kind;
    json_array_foreach(at(expression, "values"), i, value)
    {
        if (json_is_string(value) && i < REQUIREMENTS_MAX)
            add_value(&lexer, r, arena_strdup(arena, json_string_value(value)));
    }
    return OK;
}

static void labels_of(struct arena *arena, const json_t *map, struct selector *selector)
{
    struct lexer lexer = {.arena = arena};
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)map, key, value)
    {
        struct requirement *r = &selector->requirements[selector->n++];

        *r = (struct requirement){.key = arena_strdup(arena, key), .kind = IS_IN};
        add_value(&lexer, r,
                  arena_strdup(arena, json_is_string(value) ? json_string_value(value) : ""));
    }
}

enum fault selector_of(struct op *op, struct arena *arena, const json_t *label_selector,
                       const struct selector **ret)
{
    const json_t *labels = at(label_selector, "matchLabels");
    const json_t *expressions = at(label_selector, "matchExpressions");
    struct selector *selector;
    json_t *expression;
    size_t i;

    if (!json_is_object(label_selector)) {
        *ret = &none;
        return OK;
    }
    selector = arena_alloc(arena, sizeof(*selector));
    selector->requirements =
        arena_alloc(arena, (json_object_size(labels) + json_array_size(expressions) + 1) *
                               sizeof(*selector->requirements));
    labels_of(arena, labels, selector);
    json_array_foreach((json_t *)expressions, i, expression)
    {
        TRY(expression_of(op, arena, expression, &selector->requirements[selector->n++]));
    }
    *ret = selector;
    return OK;
}

const struct selector *selector_of_map(struct arena *arena, const json_t *map)
{
    struct selector *selector;

    if (json_object_size(map) == 0)
        return &none;
    selector = arena_alloc(arena, sizeof(*selector));
    selector->requirements =
        arena_alloc(arena, json_object_size(map) * sizeof(*selector->requirements));
    labels_of(arena, map, selector);
    return selector;
}

/* ---- matching ---- */

static bool has_value(const struct requirement *r, const char *value)
{
    for (size_t i = 0; i < r->n_values; i++) {
        if (strcmp(r->values[i], value) == 0)
            return true;
    }
    return false;
}

static bool compares(const struct requirement *r, const char *value)
{
    long long have, limit;
    char *end;

    if (!value || r->n_values == 0)
        return false;
    errno = 0;
    have = strtoll(value, &end, 10);
    if (errno || *end || end == value)
        return false;
    limit = strtoll(r->values[0], NULL, 10);
    return r->kind == GREATER ? have > limit : have < limit;
}

static bool requirement_matches(const struct requirement *r, const char *value)
{
    switch (r->kind) {
    case IS_IN:
        return value && has_value(r, value);
    case IS_NOT_IN:
        return !value || !has_value(r, value);
    case EXISTS:
        return value;
    case EXISTS_NOT:
        return !value;
    case GREATER:
    case LESS:
        return compares(r, value);
    }
    return false;
}

bool selector_matches(const struct selector *selector, const json_t *labels)
{
    if (selector->nothing)
        return false;
    for (size_t i = 0; i < selector->n; i++) {
        const struct requirement *r = &selector->requirements[i];

        if (!requirement_matches(r, json_string_value(json_object_get(labels, r->key))))
            return false;
    }
    return true;
}

bool selector_is_all(const struct selector *selector)
{
    return !selector->nothing && selector->n == 0;
}
