/*
 * exec and attach as Azure's clients do them: a POST gives an address and a password; whoever opens
 * a WebSocket there and sends the password as its first frame talks to the process. Sessions are
 * kept in memory, used once, and open for a minute.
 */
#ifndef SUNDOG_INSTANCES_EXEC_SESSION_H
#define SUNDOG_INSTANCES_EXEC_SESSION_H

#include "instances/group.h"

struct exec_session {
    const char *path; /* "/exec/0123…?rows=24&cols=80" */
    const char *password;
};
/* Run args there once somebody has come with the password. UNAVAILABLE: another `serve` has the
   group; CONFLICT on "container": it does not run. */
enum fault exec_session_new(struct op *op, const struct container_group *g, const char *container,
                            const char *const *args, int rows, int cols, struct exec_session *ret);
/* The same in a container of any sandbox of this machine, which runs. */
enum fault exec_session_in(struct op *op, const char *sandbox, const char *container,
                           const char *const *args, int rows, int cols, struct exec_session *ret);
/* What the container prints, from the last lines on; input goes to its stdin where it has one. */
enum fault attach_session_new(struct op *op, const struct container_group *g, const char *container,
                              struct exec_session *ret);
/* The route's handler: STREAM lane, its path argument is the session. */
enum fault exec_session_open(struct call *c);
/* The same for a session of this id; password: whoever asks has shown it already, and sends none.
   NULL: it comes as the first frame. */
enum fault exec_session_enter(struct call *c, const char *id, const char *password);
/* Has somebody entered the session of this id, and is it not over? */
bool exec_session_is_open(const char *id);
/* End it, with its process; the client hears why (static). One that is not open: nothing. */
void exec_session_end(const char *id, const char *why);
void exec_sessions_stop(void);

#endif
