/* Commands as clients type them, in one text. */
#ifndef SUNDOG_API_COMMAND_WORDS_H
#define SUNDOG_API_COMMAND_WORDS_H

#include "core/op.h"

/* "/bin/sh -c 'a b'": words, as a shell would split them, without any of its other magic; ends with
   NULL. INVALID. (container_group_action.c) */
enum fault command_words(struct op *op, const char *command, const char ***ret);

#endif
