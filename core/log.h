/*
 * The log: one line a request or step, key=value, buffered per thread and written whole. Library
 * code never logs: its caller knows whether it matters.
 */
#ifndef SUNDOG_CORE_LOG_H
#define SUNDOG_CORE_LOG_H

#include "core/op.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };

void log_open(const char *path, const char *level); /* path NULL: stderr */
/* message is an event in few words; fmt gives "key=value key=value" and may be "". Thread-safe. */
void log_event(enum log_level level, const char *message, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A value as it may stand after '=': quoted and escaped when it must be. In op's arena. */
const char *log_quote(struct arena *arena, const char *value);
struct call;
void log_call(const struct call *c); /* the one line of a request; buffered up to 100 ms */
/* For those who tell of calls elsewhere: the time as the log has it; a request's target with "*"
   for values that may be secret. */
const char *log_time(struct arena *arena);
const char *log_target(struct arena *arena, const char *target);
void log_flush(void);
void log_reopen(void); /* SIGHUP, after rotation */

#endif
