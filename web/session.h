/*
 * Who is in front of the browser. A session begins where somebody has signed in by the Entra
 * endpoints (sign_in.c) or followed a link of `sundog console`, lives in the database by the
 * SHA-256 of its cookie, and ends by signing out, after a day, or when the principal's sessions are
 * revoked.
 */
#ifndef SUNDOG_WEB_SESSION_H
#define SUNDOG_WEB_SESSION_H

#include "auth/entra.h"
#include "core/call.h"

#define SESSION_COOKIE  "sundog-session"
#define SESSION_SECONDS ((int64_t)24 * 3600)

/* c->caller of the console's calls. */
struct session {
    const struct identity *who;
    const char *proof; /* of forms: what a page of another site cannot know */
};

void session_store_start(void);
/* Begins one, and says so to the browser (Set-Cookie). */
enum fault session_begin(struct call *c, const struct identity *who);
/* That of the cookie. UNAUTHENTICATED: there is none, or not any more. */
enum fault session_find(struct call *c, const struct session **ret);
enum fault session_end(struct call *c);
/* What names the cookie's session outside of its calls; NULL: there is no cookie. */
const char *session_key(struct call *c);
/* Does it live on? UNAUTHENTICATED: not any more, for whatever reason. */
enum fault session_check(struct op *op, const char *key);
/* A cookie's value; NULL: there is none. */
const char *cookie_find(struct call *c, const char *name);
/* Max-Age 0: forget it. Secure wherever the client came by https. */
void cookie_set(struct call *c, const char *name, const char *value, int64_t seconds);

/* A link that signs in once, within 5 minutes: "CODE" of /console/link/CODE. */
enum fault session_link_add(struct op *op, const char *object_id, const char **ret_code);
/* NOT_FOUND: unknown, used, or too old. */
enum fault session_link_take(struct op *op, const char *code, const char **ret_object_id);

#endif
