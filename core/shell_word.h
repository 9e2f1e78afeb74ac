/* Commands that we show to be copied: what came from somebody must not be more than a word. */
#ifndef SUNDOG_CORE_SHELL_WORD_H
#define SUNDOG_CORE_SHELL_WORD_H

#include "core/op.h"

/* A text as one word of a shell, quoted where it must be. In op's arena, or text itself. */
const char *shell_word(struct op *op, const char *text);
/* The same, always in quotes. */
const char *shell_quoted(struct op *op, const char *text);

#endif
