#include "api/filter.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX  4096
#define DEPTH_MAX 32
#define NODES_MAX 200

enum node_kind {
    NODE_AND,
    NODE_OR,
    NODE_NOT,
    NODE_EQ,
    NODE_NE,
    NODE_GE,
    NODE_GT,
    NODE_LE,
    NODE_LT,
    NODE_HAS,
    NODE_BEGINS,
    NODE_CALL
};

struct filter {
    enum node_kind kind;
    struct filter *left, *right; /* AND, OR; NOT: left */
    const char *name;            /* of a property or function */
    const char *text;
};

struct parser {
    struct op *op;
    const char *all, *at;
    int depth, nodes;
};

static enum fault parse_or(struct parser *p, struct filter **ret);

static enum fault wrong(struct parser *p, const char *what)
{
    return arm_fail_at(p->op, "InvalidFilterInQueryString", INVALID, "$filter",
                       "Invalid $filter '%.200s' specified in the query string: %s at '%.40s'.",
                       p->all, what, p->at);
}

static void skip(struct parser *p)
{
    p->at += strspn(p->at, " \t");
}

static bool take_char(struct parser *p, char wanted)
{
    skip(p);
    if (*p->at != wanted)
        return false;
    p->at++;
    return true;
}

static size_t word_length(const char *s)
{
    size_t n = 0;

    while (isalnum((unsigned char)s[n]) || (n && strchr("._/-", s[n]) && s[n]))
        n++;
    return n;
}

static bool take_word(struct parser *p, const char *wanted)
{
    size_t n;

    skip(p);
    n = word_length(p->at);
    if (n != strlen(wanted) || strncasecmp(p->at, wanted, n) != 0)
        return false;
    p->at += n;
    return true;
}

static enum fault node(struct parser *p, enum node_kind kind, struct filter **ret)
{
    if (++p->nodes > NODES_MAX)
        return wrong(p, "too many terms");
    *ret = arena_alloc(&p->op->arena, sizeof(**ret));
    (*ret)->kind = kind;
    return OK;
}

/* 'it''s' */
static enum fault parse_text(struct parser *p, const char **ret)
{
    struct text out;

    if (!take_char(p, '\''))
        return wrong(p, "a quoted text is missing");
    text_init(&out, &p->op->arena, TEXT_MAX);
    for (;; p->at++) {
        if (!*p->at)
            return wrong(p, "a text does not end");
        if (*p->at == '\'') {
            p->at++;
            if (*p->at != '\'')
                break;
        }
        text_add(&out, p->at, 1);
    }
    *ret = out.data;
    return OK;
}

static enum fault parse_name(struct parser *p, const char **ret)
{
    size_t n;

    skip(p);
    n = word_length(p->at);
    if (!n || n > 128)
        return wrong(p, "a name is missing");
    *ret = arena_strndup(&p->op->arena, p->at, n);
    p->at += n;
    return OK;
}

static enum fault close_call(struct parser *p)
{
    return take_char(p, ')') ? OK : wrong(p, "a ')' is missing");
}

/* After "name(". */
static enum fault parse_call(struct parser *p, const char *function, struct filter **ret)
{
    if (strcasecmp(function, "substringof") == 0) {
        TRY(node(p, NODE_HAS, ret));
        TRY(parse_text(p, &(*ret)->text));
        if (!take_char(p, ','))
            return wrong(p, "a ',' is missing");
        TRY(parse_name(p, &(*ret)->name));
        return close_call(p);
    }
    if (strcasecmp(function, "startswith") == 0) {
        TRY(node(p, NODE_BEGINS, ret));
        TRY(parse_name(p, &(*ret)->name));
        if (!take_char(p, ','))
            return wrong(p, "a ',' is missing");
        TRY(parse_text(p, &(*ret)->text));
        return close_call(p);
    }
    if (strcasecmp(function, "atScope") != 0 && strcasecmp(function, "assignedTo") != 0)
        return wrong(p, "an unknown function");
    TRY(node(p, NODE_CALL, ret));
    (*ret)->name = function;
    (*ret)->text = "";
    skip(p);
    if (*p->at == '\'')
        TRY(parse_text(p, &(*ret)->text));
    return close_call(p);
}

/* A quoted text, or a bare word such as a time: 2026-11-20T12:00:00Z. */
static enum fault parse_value(struct parser *p, const char **ret)
{
    size_t n;

    skip(p);
    if (*p->at == '\'')
        return parse_text(p, ret);
    n = strcspn(p->at, " \t()',");
    if (!n)
        return wrong(p, "a value is missing");
    *ret = arena_strndup(&p->op->arena, p->at, n);
    p->at += n;
    return OK;
}

static enum fault parse_term(struct parser *p, struct filter **ret)
{
    static const struct {
        const char *word;
        enum node_kind kind;
    } operators[] = {
        {"eq", NODE_EQ},
        {"ne", NODE_NE},
        {"ge", NODE_GE},
        {"gt", NODE_GT},
        {"le", NODE_LE},
        {"lt", NODE_LT},
    };
    const char *name;

    TRY(parse_name(p, &name));
    if (take_char(p, '('))
        return parse_call(p, name, ret);
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (!take_word(p, operators[i].word))
            continue;
        TRY(node(p, operators[i].kind, ret));
        (*ret)->name = name;
        return parse_value(p, &(*ret)->text);
    }
    return wrong(p, "an unknown operator");
}

static enum fault parse_factor(struct parser *p, struct filter **ret)
{
    enum fault fault;

    if (++p->depth > DEPTH_MAX)
        return wrong(p, "too deep");
    if (take_char(p, '(')) {
        TRY(parse_or(p, ret));
        fault = close_call(p);
    } else if (take_word(p, "not")) {
        TRY(node(p, NODE_NOT, ret));
        fault = parse_factor(p, &(*ret)->left);
    } else {
        fault = parse_term(p, ret);
    }
    p->depth--;
    return fault;
}

static enum fault parse_and(struct parser *p, struct filter **ret)
{
    struct filter *left, *both = NULL;

    TRY(parse_factor(p, &left));
    while (take_word(p, "and")) {
        TRY(node(p, NODE_AND, &both));
        both->left = left;
        TRY(parse_factor(p, &both->right));
        left = both;
    }
    *ret = left;
    return OK;
}

static enum fault parse_or(struct parser *p, struct filter **ret)
{
    struct filter *left, *both = NULL;

    TRY(parse_and(p, &left));
    while (take_word(p, "or")) {
        TRY(node(p, NODE_OR, &both));
        both->left = left;
        TRY(parse_and(p, &both->right));
        left = both;
    }
    *ret = left;
    return OK;
}

enum fault filter_parse(struct op *op, const char *text, struct filter **ret)
{
    struct parser p = {.op = op, .all = text, .at = text};

    *ret = NULL;
    if (!text || !text[strspn(text, " ")])
        return OK;
    if (strlen(text) > TEXT_MAX)
        return arm_fail_at(op, "InvalidFilterInQueryString", INVALID, "$filter",
                           "The $filter is longer than %d bytes.", TEXT_MAX);
    TRY(parse_or(&p, ret));
    skip(&p);
    return *p.at ? wrong(&p, "something is left over") : OK;
}

/* ---- asking ---- */

static const struct filter *needed(const struct filter *f, enum node_kind kind, const char *name)
{
    const struct filter *found;

    if (!f)
        return NULL;
    if (f->kind == kind && strcasecmp(f->name, name) == 0)
        return f;
    if (f->kind != NODE_AND)
        return NULL;
    found = needed(f->left, kind, name);
    return found ? found : needed(f->right, kind, name);
}

const char *filter_contained(const struct filter *f, const char *const *names)
{
    const char *left, *right;

    if (!f)
        return NULL;
    switch (f->kind) {
    case NODE_AND:
        left = filter_contained(f->left, names);
        return left ? left : filter_contained(f->right, names);
    case NODE_OR:
        left = filter_contained(f->left, names);
        right = filter_contained(f->right, names);
        return left && right && strcasecmp(left, right) == 0 ? left : NULL;
    case NODE_EQ:
    case NODE_HAS:
    case NODE_BEGINS:
        for (; *names; names++)
            if (strcasecmp(f->name, *names) == 0)
                return f->text;
        return NULL;
    default:
        return NULL;
    }
}

bool filter_names(const struct filter *f, const char *name)
{
    return f && ((f->name && strcasecmp(f->name, name) == 0) || filter_names(f->left, name) ||
                 filter_names(f->right, name));
}

const char *filter_equal(const struct filter *filter, const char *name)
{
    const struct filter *f = needed(filter, NODE_EQ, name);

    return f ? f->text : NULL;
}

const char *filter_bound(const struct filter *filter, const char *name, bool upper)
{
    const struct filter *f = needed(filter, upper ? NODE_LE : NODE_GE, name);

    if (!f)
        f = needed(filter, upper ? NODE_LT : NODE_GT, name);
    return f ? f->text : NULL;
}

const char *filter_call(const struct filter *filter, const char *function)
{
    const struct filter *f = needed(filter, NODE_CALL, function);

    return f ? f->text : NULL;
}

struct question {
    const char *(*value)(void *arg, const char *name);
    void *arg;
    const char *tag_name, *tag_value; /* the tag looked at now; NULL: none */
};

static const char *value_of(const struct filter *f, const struct question *q)
{
    if (strcasecmp(f->name, "tagName") == 0)
        return q->tag_name;
    if (strcasecmp(f->name, "tagValue") == 0)
        return q->tag_value;
    return q->value(q->arg, f->name);
}

static bool term_holds(const struct filter *f, const char *value)
{
    if (!value)
        return f->kind == NODE_NE;
    switch (f->kind) {
    case NODE_NE:
        return strcasecmp(value, f->text) != 0;
    case NODE_GE:
        return strcmp(value, f->text) >= 0;
    case NODE_GT:
        return strcmp(value, f->text) > 0;
    case NODE_LE:
        return strcmp(value, f->text) <= 0;
    case NODE_LT:
        return strcmp(value, f->text) < 0;
    case NODE_HAS:
        return strcasestr(value, f->text) != NULL;
    case NODE_BEGINS:
        return strncasecmp(value, f->text, strlen(f->text)) == 0;
    default:
        return strcasecmp(value, f->text) == 0;
    }
}

static bool holds(const struct filter *f, const struct question *q)
{
    switch (f->kind) {
    case NODE_AND:
        return holds(f->left, q) && holds(f->right, q);
    case NODE_OR:
        return holds(f->left, q) || holds(f->right, q);
    case NODE_NOT:
        return !holds(f->left, q);
    case NODE_CALL:
        return true;
    default:
        return term_holds(f, value_of(f, q));
    }
}

bool filter_holds(const struct filter *filter, const char *(*value)(void *arg, const char *name),
                  void *arg, const json_t *tags)
{
    struct question q = {.value = value, .arg = arg};
    const char *name;
    json_t *tag;

    if (!filter || holds(filter, &q))
        return true;
    json_object_foreach((json_t *)(uintptr_t)tags, name, tag)
    {
        q.tag_name = name;
        q.tag_value = json_string_value(tag);
        if (holds(filter, &q))
            return true;
    }
    return false;
}

enum fault filter_check(struct op *op, const struct filter *filter, const char *const *names)
{
    if (!filter)
        return OK;
    if (filter->kind == NODE_AND || filter->kind == NODE_OR || filter->kind == NODE_NOT) {
        TRY(filter_check(op, filter->left, names));
        return filter_check(op, filter->right, names);
    }
    for (; *names; names++)
        if (strcasecmp(*names, filter->name) == 0)
            return OK;
    return arm_fail_at(op, "InvalidFilterInQueryString", INVALID, "$filter",
                       "Invalid $filter: '%s' is not something that this list is filtered by.",
                       filter->name);
}
