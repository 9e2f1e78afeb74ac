/*
 * The activity log: one row for every write call, failed ones too. Queued in memory (bounded, drops
 * are counted) and written in batches by a thread of its own, which also forgets old rows.
 */
#ifndef SUNDOG_API_ACTIVITY_H
#define SUNDOG_API_ACTIVITY_H

#include "api/arm.h"

/* The answer of a write call is ready: note it. Never blocks. */
void activity_note(struct call *c);
void activity_start(void);
void activity_stop(void); /* writes what is queued */
void activity_metrics(struct text *out);

struct activity_filter {
    const char *subscription;
    const char *from, *to; /* times; NULL: no bound */
    const char *group;     /* lower case; NULL: all */
    const char *resource;  /* key: it and all below; NULL: all */
    const char *search;    /* what stands in the event's text, in any case; NULL: anything */
    int64_t before;        /* only rows older than this number; 0: from the newest */
    int64_t limit;
};
struct activity {
    int64_t number;
    const char *body; /* the event as JSON */
};
/* Newest first. INVALID: from or to is not a time. */
enum fault activity_select(struct op *op, const struct activity_filter *filter,
                           struct activity **ret, size_t *ret_n);

#endif
