/*
 * The helper: a small process forked before any thread. It alone may hold root; it starts and
 * watches programs for us by typed requests over a socketpair, never by a shell. Today that is the
 * embedded PostgreSQL (as user postgres when we are root); mounts, namespaces and crun come with
 * container instances.
 */
#ifndef SUNDOG_CORE_HELPER_H
#define SUNDOG_CORE_HELPER_H

#include "core/settings.h"

/* Make the folders of DIR, fork the helper (before threads). When we are root the caller then calls
 * helper_drop_privileges. */
enum fault helper_start(struct op *op, const struct settings *settings);
/* Become settings->user for good: uid, gid, groups, no capabilities, no new privileges. */
enum fault helper_drop_privileges(struct op *op, const struct settings *settings);
/*
 * Start the embedded PostgreSQL under DIR/postgres (initdb when new), or adopt one that is alive
 * there. Returns when it accepts connections; *ret_conninfo for db_configure. From then on the
 * helper starts it again, with back-off, whenever it dies.
 */
enum fault helper_postgres_start(struct op *op, const char **ret_conninfo);
/* DIR/admin.json becomes the person's who called sudo (SUDO_UID); without sudo nothing happens. */
enum fault helper_hand_over_admin(struct op *op);
/* Fast shutdown (SIGINT), waits. Then the helper ends. Without helper_stop a dying sundog leaves
   PostgreSQL running, to be adopted by the next. */
void helper_stop(void);

#endif
