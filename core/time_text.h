/* Times as texts and back (RFC 3339). */
#ifndef SUNDOG_CORE_TIME_TEXT_H
#define SUNDOG_CORE_TIME_TEXT_H

#include "core/op.h"

/* "2026-11-21T16:00:00Z"; micro: "….000000Z". In op's arena. */
const char *time_text(struct op *op, int64_t unix_s);
const char *micro_time_text(struct op *op, int64_t unix_us);
int64_t time_parse(const char *text);                          /* Unix seconds; -1: none */
bool micro_time_parse(const char *text, int64_t *ret_unix_us); /* false: not RFC 3339 */

#endif
