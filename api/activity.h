/*
 * The activity log: one row for every write call, failed ones too. Queued in memory (bounded, drops
 * are counted) and written in batches by a thread of its own.
 */
#ifndef SUNDOG_API_ACTIVITY_H
#define SUNDOG_API_ACTIVITY_H

#include "api/arm.h"

/* The answer of a write call is ready: note it. Never blocks. */
void activity_note(const struct call *c);
void activity_start(void);
void activity_stop(void); /* writes what is queued */
void activity_metrics(struct text *out);

extern const struct route activity_routes[];

#endif
