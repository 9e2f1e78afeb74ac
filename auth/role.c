/* The question: may this principal do this? From memory alone. */
#include "auth/role.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "auth/builtin_roles.h"
#include "auth/directory.h"
#include "auth/glob.h"

static bool any_matches(const char *const *patterns, size_t n, const char *action)
{
    for (size_t i = 0; i < n; i++)
        if (glob_match(patterns[i], action, true, false))
            return true;
    return false;
}

static bool role_has(const struct role_definition *role, const char *action, bool data)
{
    if (data)
        return any_matches(role->data_actions, role->n_data_actions, action) &&
               !any_matches(role->not_data_actions, role->n_not_data_actions, action);
    return any_matches(role->actions, role->n_actions, action) &&
           !any_matches(role->not_actions, role->n_not_actions, action);
}

/* "/" and "" are everything; the rest as it is. */
static const char *normal(const char *scope)
{
    return strcmp(scope, "/") == 0 ? "" : scope;
}

static bool right_holds(const struct right *right, const char *scope, const char *action, bool data,
                        const char *repository)
{
    if (!right->role || right->damaged || !scope_contains(right->scope, scope) ||
        !role_has(right->role, action, data))
        return false;
    return !right->condition || condition_holds(right->condition, action, repository);
}

static bool allows(struct op *op, const struct identity *who, const char *scope, const char *action,
                   bool data, const char *repository)
{
    const struct object *o = directory_object(directory_hold(op), who->object_id);

    for (size_t i = 0; o && o->enabled && i < o->n_rights; i++)
        if (right_holds(o->rights[i], normal(scope), action, data, repository))
            return true;
    return false;
}

/* How much a list of patterns allows: a "*" alone is everything. */
static size_t breadth(const char *const *patterns, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += strcmp(patterns[i], "*") == 0 ? 10000 : strchr(patterns[i], '*') ? 100 : 1;
    return sum;
}

const char *role_least(const char *action, bool data)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < n_builtin_roles; i++) {
        const struct role_definition *role = &builtin_roles[i];
        size_t all = breadth(role->actions, role->n_actions) +
                     breadth(role->data_actions, role->n_data_actions);

        if (all < least && role_has(role, action, data)) {
            best = role->name;
            least = all;
        }
    }
    return best;
}

bool role_allows(struct op *op, const struct identity *who, const char *scope, const char *action)
{
    return allows(op, who, scope, action, false, NULL);
}

bool role_allows_data(struct op *op, const struct identity *who, const char *scope,
                      const char *data_action, const char *repository)
{
    return allows(op, who, scope, data_action, true, repository);
}

/* Is the right's scope at scope or below it? */
static bool is_below(const struct right *right, const char *scope)
{
    size_t len = strlen(scope);

    return right->scope_len >= len && strncasecmp(right->scope, scope, len) == 0 &&
           (right->scope[len] == '\0' || right->scope[len] == '/');
}

bool role_sees(struct op *op, const struct identity *who, const char *scope)
{
    const struct object *o = directory_object(directory_hold(op), who->object_id);

    scope = normal(scope);
    for (size_t i = 0; o && o->enabled && i < o->n_rights; i++) {
        const struct right *right = o->rights[i];

        if (right->role && !right->damaged &&
            (scope_contains(right->scope, scope) || is_below(right, scope)))
            return true;
    }
    return false;
}
