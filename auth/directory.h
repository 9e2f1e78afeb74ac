/*
 * The directory and the roles as they are in the database, read into memory whole: who signs in, by
 * what, in which groups, with which rights. Every question on a request is answered from here; each
 * change makes a new snapshot, before it is answered here, and within a second on other `serve`.
 */
#ifndef SUNDOG_AUTH_DIRECTORY_H
#define SUNDOG_AUTH_DIRECTORY_H

#include "auth/condition.h"
#include "auth/role.h"

#define DIRECTORY_CHANNEL "directory" /* NOTIFY in the transaction of every change */

enum object_kind { OBJECT_APPLICATION, OBJECT_SERVICE_PRINCIPAL, OBJECT_USER, OBJECT_GROUP };
/* "application", … and back; OBJECT_USER for a name that is none of them never happens (CHECK). */
const char *object_kind_name(enum object_kind kind);

enum credential_kind { CREDENTIAL_SECRET, CREDENTIAL_CERTIFICATE, CREDENTIAL_IDENTITY };
struct credential {
    const char *object_id;
    enum credential_kind kind;
    const char *hash, *public_key, *thumbprint;
    int64_t starts_s, ends_s;
};
struct federated {
    const char *object_id, *issuer, *subject, *audience;
};
/* One assignment, ready to be asked. */
struct right {
    const char *principal_id;
    const char *scope; /* lower case, "" for "/" */
    size_t scope_len;
    const struct role_definition *role; /* NULL: it is gone, and grants nothing */
    const struct condition *condition;  /* NULL: none */
    bool damaged;                       /* its condition is not understood: it grants nothing */
};
struct object {
    const char *id, *app_id, *name, *upn;
    enum object_kind kind;
    bool enabled;
    int64_t sessions;
    bool managed_identity;
    const char *const *identifiers; /* application: identifierUris */
    size_t n_identifiers;
    const char *const *redirects; /* application: the URIs its codes may be sent to */
    size_t n_redirects;
    bool fallback_public; /* application: isFallbackPublicClient, needs no proof */
    const struct credential *credentials;
    size_t n_credentials;
    const struct federated *federated;
    size_t n_federated;
    const struct right **rights; /* its own and those of its groups, nested ones too */
    size_t n_rights;
    const struct object **groups; /* all it is in, nested ones too */
    size_t n_groups;
};
struct directory {
    struct object *objects; /* by id */
    size_t n;
    const struct object **by_app; /* applications, then service principals; each by app_id */
    size_t n_applications, n_service_principals;
    const struct object **by_upn;
    size_t n_users;
    struct role_definition *roles; /* custom ones, by id */
    size_t n_roles;
};

/* Held until op's arena is freed; NULL before the first load. */
const struct directory *directory_hold(struct op *op);
/* Read it anew; afterwards it is at least as new as the call. op->db is set; outside a transaction
   (or it shows what that has not committed). */
enum fault directory_reload(struct op *op);
/* Listen for changes of other `serve`. Once, before hub_start. */
void directory_listen(void);
void directory_stop(void);

/* All NULL when there is none. */
const struct object *directory_object(const struct directory *d, const char *id);
const struct object *directory_application(const struct directory *d, const char *app_id);
const struct object *directory_service_principal(const struct directory *d, const char *app_id);
const struct object *directory_user(const struct directory *d, const char *upn);
/* A built-in or custom role. */
const struct role_definition *directory_role(const struct directory *d, const char *id);

/* ---- directory_store.c: the rows ---- */

void directory_store_start(void);
/* Everything, into op's arena. */
enum fault directory_store_load(struct op *op, struct directory *ret);

#endif
