/*
 * Seeing what clients ask: each call that ends is told to whoever listens (`sundog trace`), with
 * who asked, which right it needed, and, when it was refused, why and the command that mends it.
 * What is told is noted on the way, in struct call and struct op; nobody listening costs nothing
 * more.
 */
#ifndef SUNDOG_CORE_TRACE_H
#define SUNDOG_CORE_TRACE_H

#include "core/call.h"
#include "core/shell_word.h"

#define TRACE_LISTENERS_MAX 16

/* Is anybody listening? Then notes that cost something are worth it. */
bool trace_wanted(void);
/* Who asks, by the name people know and the id that rights name. NULL: not known. */
void trace_who(struct call *c, const char *name, const char *id);
/* What the call needs, in its dialect's words: "Microsoft.Resources/tags/read" on a scope; on a
   repository "pull"; in Kubernetes "create pods". */
void trace_right(struct call *c, const char *right, const char *scope);
/* The command that would have let it through. May be called where the reason is given, before or
   after fail. Whoever has to look for that command asks trace_wanted first. */
void trace_mend(struct op *op, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* In a handler of the WATCH lane: tell this client from now on, one JSON object a line, and an
   empty line now and then so that both sides know of each other. TOO_MANY listeners. */
enum fault trace_listen(struct call *c);

/* core/dispatch.c: the call has ended. */
void trace_call(const struct call *c);
void trace_start(void);
void trace_stop(void);

#endif
