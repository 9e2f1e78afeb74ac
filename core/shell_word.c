#include "core/shell_word.h"

#include <string.h>

const char *shell_quoted(struct op *op, const char *text)
{
    struct text out;

    text_init(&out, &op->arena, 4 * strlen(text) + 3);
    text_str(&out, "'");
    for (; *text; text++)
        if (*text == '\'')
            text_str(&out, "'\\''");
        else
            text_add(&out, text, 1);
    text_str(&out, "'");
    return out.data;
}

const char *shell_word(struct op *op, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./:@=,+%";

    return *text && !text[strspn(text, plain)] ? text : shell_quoted(op, text);
}
