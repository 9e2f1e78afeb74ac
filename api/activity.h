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

/* A place in the log. */
struct activity_mark {
    int64_t at_us, number; /* both 0: none */
};
struct activity_filter {
    const char *subscription;
    const char *from, *to; /* times; NULL: no bound */
    const char *group;     /* lower case; NULL: all */
    const char *resource;  /* key: it and all below; NULL: all */
    const char *search;    /* part of its operation, resource, caller or status; NULL: anything */
    struct activity_mark before; /* only what is older; none: from the newest */
    int64_t limit;
};
struct activity {
    struct activity_mark mark;
    const char *body; /* the event as JSON */
};
/* A search looks at so many events at a time, so that a word that is not there costs no more than
   one that is; this header of the answer says how far it came. */
#define ACTIVITY_SEARCHED    2000
#define ACTIVITY_SEARCHED_TO "x-sundog-searched-to"
/*
 * Newest first. *ret_next: the newest that a search did not look at, or none. INVALID: from or to
 * is not a time.
 */
enum fault activity_select(struct op *op, const struct activity_filter *filter,
                           struct activity **ret, size_t *ret_n, struct activity_mark *ret_next);

#endif
