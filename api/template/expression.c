#include "api/template/expression.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/template/limits.h"

struct parser {
    struct op *op;
    const char *all, *p, *end;
    int depth;
};

static enum fault parse(struct parser *x, struct expression **ret);

bool expression_is(const char *text)
{
    size_t len = strlen(text);

    return len >= 2 && text[0] == '[' && text[1] != '[' && text[len - 1] == ']';
}

const char *expression_plain(const char *text)
{
    size_t len = strlen(text);

    return len >= 2 && text[0] == '[' && text[1] == '[' && text[len - 1] == ']' ? text + 1 : text;
}

static enum fault wrong(struct parser *x, const char *what)
{
    return fail_on(x->op, "InvalidTemplate", INVALID,
                   "Unable to parse language expression '%.200s': %s at position '%zu'.", x->all,
                   what, (size_t)(x->p - x->all));
}

static void skip(struct parser *x)
{
    while (x->p < x->end && isspace((unsigned char)*x->p))
        x->p++;
}

static bool is_next(struct parser *x, char c)
{
    skip(x);
    if (x->p == x->end || *x->p != c)
        return false;
    x->p++;
    return true;
}

static struct expression *node(struct parser *x, enum expression_kind kind)
{
    struct expression *made = arena_alloc(&x->op->arena, sizeof(*made));

    made->kind = kind;
    return made;
}

static enum fault parse_text(struct parser *x, struct expression **ret)
{
    struct expression *made = node(x, EXPRESSION_TEXT);
    struct text out;

    text_init(&out, &x->op->arena, EXPRESSION_MAX_BYTES);
    for (;; x->p++) {
        if (x->p == x->end)
            return wrong(x, "a text does not end");
        if (*x->p == '\'') {
            x->p++;
            if (x->p == x->end || *x->p != '\'')
                break;
        }
        text_add(&out, x->p, 1);
    }
    made->text = out.data;
    *ret = made;
    return OK;
}

static enum fault parse_integer(struct parser *x, struct expression **ret)
{
    struct expression *made = node(x, EXPRESSION_INTEGER);
    char *after;

    errno = 0;
    made->integer = strtoll(x->p, &after, 10);
    if (after == x->p || errno)
        return wrong(x, "a number is none");
    x->p = after;
    *ret = made;
    return OK;
}

static const char *parse_name(struct parser *x)
{
    const char *from;

    skip(x);
    from = x->p;
    while (x->p < x->end && (isalnum((unsigned char)*x->p) || *x->p == '_' || *x->p == '$'))
        x->p++;
    return x->p == from ? NULL : arena_strndup(&x->op->arena, from, (size_t)(x->p - from));
}

/* After "(". */
static enum fault parse_args(struct parser *x, struct expression *call)
{
    size_t room = 0;

    if (is_next(x, ')'))
        return OK;
    do {
        if (call->n_args == room) {
            struct expression **more;

            room = room ? 2 * room : 4;
            more = arena_alloc(&x->op->arena, room * sizeof(struct expression *));
            if (call->n_args)
                memcpy(more, call->args, call->n_args * sizeof(struct expression *));
            call->args = more;
        }
        TRY(parse(x, &call->args[call->n_args++]));
    } while (is_next(x, ','));
    return is_next(x, ')') ? OK : wrong(x, "')' is missing");
}

static enum fault parse_call(struct parser *x, struct expression **ret)
{
    const char *name = parse_name(x), *second;
    struct expression *made = node(x, EXPRESSION_CALL);

    if (!name)
        return wrong(x, "a function, text or number is missing");
    if (is_next(x, '.')) {
        second = parse_name(x);
        if (!second)
            return wrong(x, "a function's name is missing");
        name = arena_printf(&x->op->arena, "%s.%s", name, second);
    }
    if (!is_next(x, '('))
        return wrong(x, "'(' is missing");
    made->text = name;
    *ret = made;
    return parse_args(x, made);
}

static enum fault parse_primary(struct parser *x, struct expression **ret)
{
    skip(x);
    if (is_next(x, '\''))
        return parse_text(x, ret);
    if (x->p < x->end && (*x->p == '-' || *x->p == '+' || isdigit((unsigned char)*x->p)))
        return parse_integer(x, ret);
    return parse_call(x, ret);
}

static enum fault parse_member(struct parser *x, const struct expression *base,
                               struct expression **ret)
{
    struct expression *made = node(x, EXPRESSION_MEMBER);

    made->base = base;
    made->text = parse_name(x);
    *ret = made;
    return made->text ? OK : wrong(x, "a name is missing after '.'");
}

static enum fault parse_index(struct parser *x, const struct expression *base,
                              struct expression **ret)
{
    struct expression *made = node(x, EXPRESSION_INDEX);

    made->base = base;
    made->args = arena_alloc(&x->op->arena, sizeof(struct expression *));
    made->n_args = 1;
    TRY(parse(x, &made->args[0]));
    *ret = made;
    return is_next(x, ']') ? OK : wrong(x, "']' is missing");
}

/* Evaluation walks down a chain of members and indices as deep as it is long. */
static enum fault parse_chain(struct parser *x, struct expression **ret)
{
    int links = 0;

    TRY(parse_primary(x, ret));
    for (;;) {
        if (++links > TEMPLATE_DEPTH_MAX)
            return wrong(x, "too many members follow each other");
        if (is_next(x, '.'))
            TRY(parse_member(x, *ret, ret));
        else if (is_next(x, '['))
            TRY(parse_index(x, *ret, ret));
        else
            return OK;
    }
}

static enum fault parse(struct parser *x, struct expression **ret)
{
    enum fault fault;

    if (++x->depth > TEMPLATE_DEPTH_MAX)
        return wrong(x, "the calls are nested too deeply");
    fault = parse_chain(x, ret);
    x->depth--;
    return fault;
}

enum fault expression_parse(struct op *op, const char *text, struct expression **ret)
{
    size_t len = strlen(text);
    struct parser x = {.op = op, .all = text, .p = text + 1, .end = text + len - 1};

    if (len > EXPRESSION_MAX_BYTES)
        return wrong(&x, "it is longer than 24576 bytes");
    TRY(parse(&x, ret));
    skip(&x);
    return x.p == x.end ? OK : wrong(&x, "something unexpected");
}
