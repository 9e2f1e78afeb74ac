/*
 * Lists that are long, of a cluster's objects or of events: a few members of each are read out of
 * the text, and no tree is made but of what is shown. 10,000 objects take 10 ms so, and 200 as
 * trees.
 */
#ifndef SUNDOG_WEB_SCAN_H
#define SUNDOG_WEB_SCAN_H

#include "core/op.h"

#define SCAN_MEMBERS 12

/* Of an object, "reason"; or within one of its members, "name" of "metadata". */
struct scan_member {
    const char *within, *key; /* within NULL: of the object itself */
};
struct scanned {
    struct bytes text; /* of the object */
    struct bytes
        members[SCAN_MEMBERS]; /* texts as JSON has them, without quotes; lists and maps: "[" or
                                  "{"; data NULL: none */
};
/* All of "items", in op's arena. members ends with key NULL. list: JSON of ours, a struct text's
   (so a NUL follows it). Text that is no list: none. */
size_t scan_items(struct op *op, struct bytes list, const struct scan_member *members,
                  struct scanned **ret);
/* The same of "value", as the resource manager's lists have it. */
size_t scan_values(struct op *op, struct bytes list, const struct scan_member *members,
                   struct scanned **ret);

#endif
