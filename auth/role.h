/*
 * Role definitions and role assignments (Azure RBAC), and the question they answer: may this
 * principal do this action on this scope? Answered from a snapshot in memory that every change
 * replaces: here before the change is answered, on other `serve` within a second (NOTIFY).
 *
 * A scope is a path: "/", "/subscriptions/S", "…/resourceGroups/G", "…/providers/NS/type/name" and
 * below, a registry's repository "…/registries/R/repositories/team/app" being the last step. It is
 * compared without case, by whole segments; an assignment holds for its scope and all below it.
 */
#ifndef SUNDOG_AUTH_ROLE_H
#define SUNDOG_AUTH_ROLE_H

#include "auth/entra.h"

/* Role names that other folders need (GUIDs as Azure publishes them). */
#define ROLE_OWNER       "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
#define ROLE_CONTRIBUTOR "b24988ac-6180-42a0-ab88-20f7382dd24c"
#define ROLE_READER      "acdd72a7-3385-48ef-bd42-f606fba81ae7"
#define ROLE_ACR_PULL    "7f951dda-4ed3-4680-a7ca-43fe172d538d"
#define ROLE_ACR_PUSH    "8311e382-0749-4cb8-b61a-304f252e45ec"
#define ROLE_ACR_DELETE  "c2f4ef07-c644-48eb-af81-4b1b4947fb11"

/* ---- the question; from memory, never blocking ---- */

/* Control plane: actions minus notActions. Direct assignments and those of its groups. */
bool role_allows(struct op *op, const struct identity *who, const char *scope, const char *action);
/*
 * Data plane: dataActions minus notDataActions. repository is what a condition's
 * @Request[…/repositories:name] means; NULL: none is named, and conditions on it do not hold.
 */
bool role_allows_data(struct op *op, const struct identity *who, const char *scope,
                      const char *data_action, const char *repository);
/* The built-in role with the fewest other rights that has this action (data: data action), for
   hints; NULL: none has it. */
const char *role_least(const char *action, bool data);
/* Has it any right on this scope, above it or below it? What lists of subscriptions show by. */
bool role_sees(struct op *op, const struct identity *who, const char *scope);

/* ---- definitions ---- */

struct role_definition {
    const char *id; /* GUID */
    const char *name, *description;
    bool custom;
    const char *const *actions, *const *not_actions, *const *data_actions, *const *not_data_actions;
    size_t n_actions, n_not_actions, n_data_actions, n_not_data_actions;
    const char *const *assignable_scopes;
    size_t n_assignable_scopes;
    const char *created, *updated, *created_by, *updated_by; /* ISO 8601; object ids */
};
/* All built-in ones and the custom ones assignable at scope or below it; sorted by name. */
enum fault role_definition_list(struct op *op, const char *scope, struct role_definition **ret,
                                size_t *ret_n);
enum fault role_definition_get(struct op *op, const char *id, struct role_definition *ret);
/* Make or replace a custom one. FORBIDDEN: built in; CONFLICT: its name is taken; INVALID. */
enum fault role_definition_put(struct op *op, const struct role_definition *wanted, const char *by);
/* CONFLICT: still assigned. */
enum fault role_definition_delete(struct op *op, const char *id);

/* ---- assignments ---- */

struct role_assignment {
    const char *id; /* GUID */
    const char *scope, *role_id;
    const char *principal_id, *principal_type; /* "User", "Group", "ServicePrincipal" */
    const char *condition, *condition_version, *description;
    const char *created, *updated, *created_by, *updated_by;
};
struct role_filter {
    const char *scope;        /* those at, above and (below) below it */
    bool at_scope_only;       /* $filter=atScope(): at it and above only */
    bool exact;               /* at the scope alone */
    const char *principal_id; /* $filter=principalId eq */
    const char *assigned_to;  /* $filter=assignedTo(): with its groups' */
    const char *role_id, *last;
    int64_t max; /* last, max: paging by id */
};
enum fault role_assignment_list(struct op *op, const struct role_filter *filter,
                                struct role_assignment **ret, size_t *ret_n);
enum fault role_assignment_get(struct op *op, const char *scope, const char *id,
                               struct role_assignment *ret);
/*
 * Make one, or change its condition and description. NOT_FOUND on "PrincipalNotFound" or
 * "RoleDefinitionDoesNotExist"; CONFLICT on "RoleAssignmentExists" (same scope, principal, role) or
 * "RoleAssignmentUpdateNotPermitted"; INVALID: a condition that is not understood.
 */
enum fault role_assignment_put(struct op *op, const struct role_assignment *wanted, const char *by,
                               bool *ret_created);
/* NOT_FOUND when it is not there (ARM answers 204). */
enum fault role_assignment_delete(struct op *op, const char *scope, const char *id,
                                  struct role_assignment *ret);
/* All of a scope and below, when what it names is deleted; part of the open transaction. */
enum fault role_assignment_delete_below(struct op *op, const char *scope);
/* After the commit of a change: read the snapshot anew (and NOTIFY was sent within it). */
enum fault role_reload(struct op *op);

#endif
