/*
 * What every call to the resource manager goes through: who asks and may they (arm_authorise), how
 * faults look (arm_dialect), which headers answers carry (arm_decorate), and the answers' bodies.
 */
#ifndef SUNDOG_API_ARM_H
#define SUNDOG_API_ARM_H

#include <jansson.h>

#include "api/id.h"
#include "auth/role.h"
#include "core/call.h"

/* route.access. Both need a valid token and a well-formed api-version. */
enum arm_access {
    ARM_SIGNED_IN = 1, /* any valid token for ARM; the handler shows only what role_sees */
    ARM_ACTION = 2,    /* role_allows(who, the id in the path, route.action), and no lock against */
    ARM_NO_VERSION = 4 /* added: api-version may be absent (polling URLs) */
};

#define ARM_BODY_MAX ((size_t)4 << 20)

/*
 * service.authorise, from memory, never WOULD_BLOCK but for a token not seen before. Checks, in
 * order: token, api-version, subscription (exists; enabled, for writes), right, locks.
 */
enum fault arm_authorise(struct call *c, bool may_block);
void arm_decorate(struct call *c);
/* A noun that begins with a capital letter is the code itself. Target: arm_fail_at. */
extern const struct dialect arm_dialect;

/* Who asks, and the id in the path (a collection's or action's segment is id->rest). */
const struct identity *arm_who(const struct call *c);
const struct resource_id *arm_id(const struct call *c);
/* Who asks, as systemData says it: name or object id, and "User" or "Application". */
const char *arm_who_name(const struct call *c);
const char *arm_who_kind(const struct call *c);

/* May who do this action here, and does no lock forbid it? For handlers whose right depends on the
   body (move). FORBIDDEN on "AuthorizationFailed", CONFLICT on "ScopeLocked". */
enum fault arm_need(struct call *c, const char *scope, const char *action);

/*
 * For lists that show to everyone what they may see: FORBIDDEN when who has no right anywhere in
 * the subscription; *ret_all: has route.action on all of it, else the rows are to be asked one by
 * one.
 */
enum fault arm_sees_subscription(struct call *c, bool *ret_all);

/* Fail with {"code","message","target"}. code is used as noun. target may be NULL. */
enum fault arm_fail_at(struct op *op, const char *code, enum fault fault, const char *target,
                       const char *fmt, ...) PRINTF_LIKE(5, 6);
/* UNSUPPORTED: a clear sentence on what is not built here; a route's handler. */
enum fault arm_not_built(struct call *c);
/* What the loop calls a thing that does not exist. */
enum fault arm_not_found(struct op *op, const struct resource_id *id);

/* Reply with a JSON value (compact). The value stays the caller's. Sets ETag when etag is not
   NULL, quotes added. */
enum fault arm_reply(struct call *c, int status, const json_t *value);
/* Hand a json_t over to op's arena: released with it. NULL stays NULL. */
json_t *json_keep(struct op *op, json_t *value);
/* A new object or array in op's arena. */
json_t *json_new_object(struct op *op);
json_t *json_new_array(struct op *op);
/* Set a member; value NULL is left out. Steals no reference of object. */
void json_set_text(json_t *object, const char *name, const char *value);
/* JSON text we stored ourselves, as a member; NULL or damaged is left out. */
void json_set_raw(json_t *object, const char *name, const char *json);
/* Compact text, in op's arena. */
const char *json_text_of(struct op *op, const json_t *value);

/* Now, as ARM writes times: "2026-11-20T12:00:00.123456Z". */
const char *arm_now(struct op *op);

/*
 * If-Match and If-None-Match against the present ETag (NULL: it does not exist yet).
 * PRECONDITION on "PreconditionFailed". Weak marks and quotes are ignored in comparing.
 */
enum fault arm_preconditions(struct call *c, const char *etag);

#endif
