/*
 * The directory as Microsoft Graph v1.0 shows it, as far as az, Terraform's azuread and the SDKs
 * ask: graph_api.c has the routes and rights, graph_json.c turns rows into JSON, graph_write.c JSON
 * into rows, graph_filter.c answers $filter.
 */
#ifndef SUNDOG_AUTH_GRAPH_H
#define SUNDOG_AUTH_GRAPH_H

#include <jansson.h>

#include "auth/entra.h"
#include "auth/object.h"
#include "core/call.h"

enum graph_access {
    GRAPH_READ = 1,  /* any valid token for Graph */
    GRAPH_WRITE = 2, /* who may assign roles at "/", or an owner of the object in the path */
    GRAPH_ADMIN = 3, /* who may assign roles at "/" */
};
/* The action at "/" that makes somebody an administrator of the directory. */
#define GRAPH_ADMIN_ACTION "Microsoft.Authorization/roleAssignments/write"

extern const struct dialect graph_dialect;
const struct identity *graph_who(const struct call *c);
enum fault graph_authorise(struct call *c, bool may_block);

/* ---- graph_json.c ---- */

/* Does the object fit the $filter? INVALID: the filter is not understood. filter NULL: yes. */
enum fault graph_filter(struct op *op, const char *filter, const json_t *object, bool *ret);
/* Leaves out objects that cannot fit, without looking at them: what the database can tell by. Those
   that are left are still to be asked for. */
void graph_filter_narrow(struct op *op, const char *filter, struct object_filter *ret);
/* A row as Graph shows it; typed adds @odata.type; full adds credentials. Freed with the arena. */
enum fault graph_object(struct op *op, const struct object_row *row, bool typed, bool full,
                        json_t **ret);
json_t *graph_secret(const struct credential_row *row);
json_t *graph_federated(const struct federated_row *row);
/* Answer with it (freed with the arena). */
enum fault graph_reply(struct call *c, int status, json_t *value);
/* {"value": […]} of rows: $filter, $top, $skiptoken and @odata.nextLink. */
enum fault graph_reply_rows(struct call *c, const struct object_row *rows, size_t n, bool typed);
/* The same of all objects of a kind, which are read as far as the answer needs. */
enum fault graph_reply_kind(struct call *c, enum object_kind kind);
/* Keep with the arena. */
json_t *graph_keep(struct op *op, json_t *value);

/* ---- graph_write.c ---- */

/* The body, an object. INVALID. */
enum fault graph_body(struct call *c, json_t **ret);
/* What a create or change says, checked, into the row (its document merged). INVALID. */
enum fault graph_apply(struct op *op, const json_t *body, struct object_row *row);
/* keyCredentials of an application or service principal become these. */
enum fault graph_certificates(struct op *op, const char *object_id, const json_t *list);
/* "2026-11-21T10:00:00Z" in seconds; absent: 0 seconds. INVALID. */
enum fault graph_time(struct op *op, const json_t *object, const char *name, int64_t *ret_s);
/* Commit durably and read the directory anew, before the answer. */
enum fault graph_commit(struct call *c);

#endif
