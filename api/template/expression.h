/*
 * The template language's expressions, as a tree: "[concat(parameters('a'), variables('b').c[0])]".
 */
#ifndef SUNDOG_API_TEMPLATE_EXPRESSION_H
#define SUNDOG_API_TEMPLATE_EXPRESSION_H

#include "core/op.h"

enum expression_kind {
    EXPRESSION_TEXT,    /* 'it''s' */
    EXPRESSION_INTEGER, /* -7 */
    EXPRESSION_CALL,    /* name(args): name may be "namespace.function" */
    EXPRESSION_MEMBER,  /* base.name */
    EXPRESSION_INDEX,   /* base[args[0]] */
};
struct expression {
    enum expression_kind kind;
    const char *text; /* TEXT, CALL, MEMBER */
    int64_t integer;
    const struct expression *base;
    struct expression **args;
    size_t n_args;
};

/* "[…]" and not "[[…": an expression. Others are texts, of which expression_plain takes a "[". */
bool expression_is(const char *text);
const char *expression_plain(const char *text);
/* Of a text that is one, brackets and all; in op's arena. INVALID on "InvalidTemplate". */
enum fault expression_parse(struct op *op, const char *text, struct expression **ret);

#endif
