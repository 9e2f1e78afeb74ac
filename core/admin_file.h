/*
 * DIR/admin.json (0600): the first credentials, for the person who started this Sundog and for
 * `sundog env`. Each service notes its members while it starts; then they are written together, and
 * members of unknown name stay. The file then is that person's, and we cannot write it any more.
 */
#ifndef SUNDOG_CORE_ADMIN_FILE_H
#define SUNDOG_CORE_ADMIN_FILE_H

#include "core/settings.h"

/* During a service's start. value NULL: nothing is noted. */
void admin_file_note(const char *name, const char *value);
/*
 * Write what was noted, durably, and hand the file over to the person who called sudo. Does nothing
 * when an earlier start has handed it over, or when nothing differs. Forgets what was noted.
 */
enum fault admin_file_write(struct op *op, const struct settings *settings);

#endif
