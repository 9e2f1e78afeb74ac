/*
 * The rows of the directory: objects, what they sign in by, who belongs to whom. Each write
 * notifies the other `serve`; after the commit the writer calls directory_reload.
 */
#ifndef SUNDOG_AUTH_OBJECT_H
#define SUNDOG_AUTH_OBJECT_H

#include "auth/directory.h"

#define OBJECT_LIST_MAX 100000 /* objects one list looks at */

struct object_row {
    const char *id; /* object_insert makes it when NULL */
    enum object_kind kind;
    const char *app_id, *name, *upn;
    bool enabled;
    int64_t sessions;
    const char *document; /* a JSON object's text; NULL: "{}" */
    const char *created;
    const char *password_hash; /* written and object_password only */
};

void object_store_start(void);
/* CONFLICT on noun "object" when its app_id or upn is taken. */
enum fault object_insert(struct op *op, struct object_row *row);
/* Name, upn, enabled and document; NULL password_hash leaves that, revoke ends all sessions. */
enum fault object_update(struct op *op, const struct object_row *row, bool revoke);
/* NOT_FOUND on noun "object". for_update locks the row until the transaction ends. */
enum fault object_get(struct op *op, const char *id, bool for_update, struct object_row *ret);
/* What is looked for; NULL: anything. Letters of upn and name_begins in any case. */
struct object_filter {
    const char *app_id, *upn, *name_begins;
    const char *after; /* an id: only those that follow it */
    size_t limit;      /* 0: OBJECT_LIST_MAX */
};
/* Of a kind, by id. */
enum fault object_list(struct op *op, enum object_kind kind, const struct object_filter *filter,
                       struct object_row **ret, size_t *ret_n);
/* Those of these n ids that there are, of any kind, by id. */
enum fault object_get_some(struct op *op, const char *const *ids, size_t n, struct object_row **ret,
                           size_t *ret_n);
/* With credentials, links, sign-ins and role assignments; an application with its principal. */
enum fault object_delete(struct op *op, const char *id);
enum fault object_revoke_sessions(struct op *op, const char *id);
/* A user's scrypt hash; NULL: it has no password. */
enum fault object_password(struct op *op, const char *id, const char **ret_hash);

struct credential_row {
    const char *id; /* secret_add and certificate_add make it when NULL */
    const char *object_id;
    enum credential_kind kind;
    const char *name, *hint, *public_key, *thumbprint;
    int64_t starts_s, ends_s;  /* starts_s 0: now */
    const char *starts, *ends; /* ISO 8601; reading */
};
/* Kept as its hash. kind may be CREDENTIAL_IDENTITY. */
enum fault secret_add(struct op *op, struct credential_row *row, const char *secret);
enum fault certificate_add(struct op *op, struct credential_row *row);
enum fault credential_list(struct op *op, const char *object_id, struct credential_row **ret,
                           size_t *ret_n);
/* NOT_FOUND on noun "credential". */
enum fault credential_delete(struct op *op, const char *object_id, const char *id);

struct federated_row {
    const char *id, *object_id, *name, *issuer, *subject, *audience, *description;
};
/* CONFLICT on noun "object": the name, or issuer and subject, are taken. */
enum fault federated_put(struct op *op, struct federated_row *row);
enum fault federated_list(struct op *op, const char *object_id, struct federated_row **ret,
                          size_t *ret_n);
/* id_or_name. NOT_FOUND on noun "object". */
enum fault federated_delete(struct op *op, const char *object_id, const char *id_or_name);

/* kind: "member" or "owner". CONFLICT when it stands already; NOT_FOUND when an end is missing. */
enum fault link_add(struct op *op, const char *from_id, const char *kind, const char *to_id);
enum fault link_delete(struct op *op, const char *from_id, const char *kind, const char *to_id);
/* The objects at the other end; up: who has it as a member or owner. */
enum fault link_list(struct op *op, const char *id, const char *kind, bool up,
                     struct object_row **ret, size_t *ret_n);

#endif
