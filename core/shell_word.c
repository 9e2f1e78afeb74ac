#include "core/shell_word.h"

#include <string.h>

const char *shell_word(struct op *op, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./:@=,+%";
    struct text out;

    if (*text && !text[strspn(text, plain)])
        return text;
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
