#include "auth/condition.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "auth/glob.h"

#define ATTRIBUTE "Microsoft.ContainerRegistry/registries/repositories:name"

enum node_kind { NODE_OR, NODE_AND, NODE_NOT, NODE_ACTION, NODE_COMPARE };
enum compare { EQUALS, EQUALS_IGNORE_CASE, LIKE, STARTS_WITH };
struct condition {
    enum node_kind kind;
    const struct condition *left, *right; /* NOT: left alone */
    const char *pattern;                  /* ACTION */
    enum compare compare;
    bool negated, all; /* COMPARE: …Not…; every value must fit, not one */
    const char **values;
    size_t n_values;
};

struct parser {
    struct op *op;
    const char *start, *at;
    size_t n_nodes, depth;
};

static enum fault or_expression(struct parser *p, const struct condition **ret);

static enum fault refuse(struct parser *p, const char *what)
{
    return fail_on(p->op, "condition", INVALID, "the condition is not understood at byte %zu: %s",
                   (size_t)(p->at - p->start), what);
}

static void skip_space(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool take(struct parser *p, const char *symbol)
{
    skip_space(p);
    if (strncmp(p->at, symbol, strlen(symbol)) != 0)
        return false;
    p->at += strlen(symbol);
    return true;
}

/* A word ends where its letters end: "ORDER" does not begin with "OR". */
static bool take_word(struct parser *p, const char *word)
{
    size_t len = strlen(word);

    skip_space(p);
    if (strncasecmp(p->at, word, len) != 0 || isalnum((unsigned char)p->at[len]))
        return false;
    p->at += len;
    return true;
}

static enum fault node_new(struct parser *p, enum node_kind kind, struct condition **ret)
{
    if (++p->n_nodes > CONDITION_NODES_MAX)
        return refuse(p, "it is too long");
    *ret = arena_alloc(&p->op->arena, sizeof(**ret));
    (*ret)->kind = kind;
    return OK;
}

/* 'text', where '' stands for one quote. */
static enum fault string(struct parser *p, const char **ret)
{
    char *out;
    size_t n = 0;

    if (!take(p, "'"))
        return refuse(p, "a text in ' ' is wanted");
    out = arena_alloc(&p->op->arena, strlen(p->at) + 1);
    while (*p->at && (*p->at != '\'' || p->at[1] == '\'')) {
        p->at += *p->at == '\'';
        out[n++] = *p->at++;
    }
    if (*p->at != '\'')
        return refuse(p, "a text has no end");
    p->at++;
    *ret = out;
    return OK;
}

static enum fault action_matches(struct parser *p, const struct condition **ret)
{
    struct condition *node = NULL;

    TRY(node_new(p, NODE_ACTION, &node));
    if (!take(p, "{"))
        return refuse(p, "{ is wanted");
    TRY(string(p, &node->pattern));
    if (!take(p, "}"))
        return refuse(p, "} is wanted");
    *ret = node;
    return OK;
}

static const struct {
    const char *name;
    enum compare compare;
    bool negated;
} operators[] = {
    {"StringEquals",              EQUALS,             false},
    {"StringNotEquals",           EQUALS,             true },
    {"StringEqualsIgnoreCase",    EQUALS_IGNORE_CASE, false},
    {"StringNotEqualsIgnoreCase", EQUALS_IGNORE_CASE, true },
    {"StringLike",                LIKE,               false},
    {"StringNotLike",             LIKE,               true },
    {"StringStartsWith",          STARTS_WITH,        false},
    {"StringNotStartsWith",       STARTS_WITH,        true },
};

static enum fault read_operator(struct parser *p, struct condition *node)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (take_word(p, operators[i].name)) {
            node->compare = operators[i].compare;
            node->negated = operators[i].negated;
            return OK;
        }
    }
    return refuse(p, "a String… operator is wanted");
}

static enum fault read_set(struct parser *p, struct condition *node)
{
    const char *value;

    node->values = arena_alloc(&p->op->arena, CONDITION_NODES_MAX * sizeof(*node->values));
    do {
        if (p->n_nodes++ > CONDITION_NODES_MAX || node->n_values == CONDITION_NODES_MAX)
            return refuse(p, "it is too long");
        TRY(string(p, &value));
        node->values[node->n_values++] = value;
    } while (take(p, ","));
    return take(p, "}") ? OK : refuse(p, "} is wanted");
}

static enum fault read_values(struct parser *p, struct condition *node, bool quantified)
{
    if (take(p, "{")) {
        if (!quantified)
            return refuse(p, "a set of values needs ForAnyOfAnyValues:");
        return read_set(p, node);
    }
    node->values = arena_alloc(&p->op->arena, sizeof(*node->values));
    node->n_values = 1;
    return string(p, &node->values[0]);
}

/* After "@Request" or "@Resource": the repository is the same in both. */
static enum fault comparison(struct parser *p, const struct condition **ret)
{
    struct condition *node = NULL;
    bool quantified;

    TRY(node_new(p, NODE_COMPARE, &node));
    if (!take(p, "["))
        return refuse(p, "[ is wanted");
    skip_space(p);
    if (strncasecmp(p->at, ATTRIBUTE, strlen(ATTRIBUTE)) != 0)
        return refuse(p, "the one attribute known is " ATTRIBUTE);
    p->at += strlen(ATTRIBUTE);
    if (!take(p, "]"))
        return refuse(p, "] is wanted");
    node->all = take_word(p, "ForAllOfAnyValues");
    quantified = node->all || take_word(p, "ForAnyOfAnyValues");
    if (quantified && !take(p, ":"))
        return refuse(p, ": is wanted");
    TRY(read_operator(p, node));
    TRY(read_values(p, node, quantified));
    *ret = node;
    return OK;
}

static enum fault primary(struct parser *p, const struct condition **ret)
{
    if (take(p, "(")) {
        TRY(or_expression(p, ret));
        return take(p, ")") ? OK : refuse(p, ") is wanted");
    }
    if (take_word(p, "ActionMatches"))
        return action_matches(p, ret);
    if (take_word(p, "@Request") || take_word(p, "@Resource"))
        return comparison(p, ret);
    return refuse(p, "ActionMatches, @Request, ! or ( is wanted");
}

static enum fault not_expression(struct parser *p, const struct condition **ret)
{
    struct condition *node = NULL;
    enum fault fault;

    if (++p->depth > CONDITION_DEPTH_MAX)
        return refuse(p, "it is nested too deeply");
    if (take(p, "!") || take_word(p, "NOT")) {
        TRY(node_new(p, NODE_NOT, &node));
        fault = not_expression(p, &node->left);
        *ret = node;
    } else {
        fault = primary(p, ret);
    }
    p->depth--;
    return fault;
}

/* Left to right, so that a long chain is no deep nesting: the tree leans left and is walked so. */
static enum fault and_expression(struct parser *p, const struct condition **ret)
{
    const struct condition *left;
    struct condition *node = NULL;

    TRY(not_expression(p, &left));
    while (take_word(p, "AND") || take(p, "&&")) {
        TRY(node_new(p, NODE_AND, &node));
        node->left = left;
        TRY(not_expression(p, &node->right));
        left = node;
    }
    *ret = left;
    return OK;
}

static enum fault or_expression(struct parser *p, const struct condition **ret)
{
    const struct condition *left;
    struct condition *node = NULL;

    TRY(and_expression(p, &left));
    while (take_word(p, "OR") || take(p, "||")) {
        TRY(node_new(p, NODE_OR, &node));
        node->left = left;
        TRY(and_expression(p, &node->right));
        left = node;
    }
    *ret = left;
    return OK;
}

enum fault condition_parse(struct op *op, const char *text, const struct condition **ret)
{
    struct parser parser = {.op = op, .start = text, .at = text};
    const struct condition *root;

    if (strlen(text) > CONDITION_BYTES_MAX)
        return fail_on(op, "condition", INVALID, "the condition is longer than %d bytes",
                       CONDITION_BYTES_MAX);
    TRY(or_expression(&parser, &root));
    skip_space(&parser);
    if (*parser.at)
        return refuse(&parser, "nothing more is wanted");
    *ret = root;
    return OK;
}

/* ---- asking ---- */

static bool fits(enum compare compare, const char *name, const char *value)
{
    switch (compare) {
    case EQUALS:
        return strcmp(name, value) == 0;
    case EQUALS_IGNORE_CASE:
        return strcasecmp(name, value) == 0;
    case LIKE:
        return glob_match(value, name, false, true);
    case STARTS_WITH:
        return strncmp(name, value, strlen(value)) == 0;
    }
    return false;
}

static bool compares(const struct condition *c, const char *repository)
{
    if (!repository)
        return false;
    for (size_t i = 0; i < c->n_values; i++)
        if ((fits(c->compare, repository, c->values[i]) != c->negated) != c->all)
            return !c->all;
    return c->all;
}

bool condition_holds(const struct condition *c, const char *action, const char *repository)
{
    switch (c->kind) {
    case NODE_OR:
        return condition_holds(c->left, action, repository) ||
               condition_holds(c->right, action, repository);
    case NODE_AND:
        return condition_holds(c->left, action, repository) &&
               condition_holds(c->right, action, repository);
    case NODE_NOT:
        return !condition_holds(c->left, action, repository);
    case NODE_ACTION:
        return glob_match(c->pattern, action, true, false);
    case NODE_COMPARE:
        return compares(c, repository);
    }
    return false;
}
