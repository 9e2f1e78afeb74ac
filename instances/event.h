/* What happened to a container group, as its users see it: "Pulling", "Started", "BackOff". */
#ifndef SUNDOG_INSTANCES_EVENT_H
#define SUNDOG_INSTANCES_EVENT_H

#include "core/op.h"

#define EVENTS_MAX 100 /* kept of a group */

struct group_event {
    const char *container; /* "": of the group */
    const char *name, *message;
    bool warning;
    int64_t count, first_us, last_us;
};
/* In the open transaction, or at once. The same message again counts up. container NULL: of the
   group. */
enum fault event_add(struct op *op, int64_t group_id, const char *container, bool warning,
                     const char *name, const char *fmt, ...) PRINTF_LIKE(6, 7);
/* Oldest first. */
enum fault event_list(struct op *op, int64_t group_id, struct group_event **ret, size_t *ret_n);
void event_store_start(void);

#endif
