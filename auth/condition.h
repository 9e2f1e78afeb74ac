/*
 * Conditions of role assignments (Azure ABAC, version 2.0), in the form Azure publishes for
 * registries: ((!(ActionMatches{'A'} AND …)) OR (@Request[…/repositories:name] StringEquals 'x')).
 *
 *     or       = and { ("OR" | "||") and }
 *     and      = not { ("AND" | "&&") not }
 *     not      = ("!" | "NOT") not | "(" or ")" | matches | compares
 *     matches  = "ActionMatches" "{" string "}"
 *     compares = ("@Request" | "@Resource") "[" NAME "]" [quantifier ":"] operator values
 *     values   = string | "{" string { "," string } "}"
 *
 * NAME is Microsoft.ContainerRegistry/registries/repositories:name; operators are String{Equals,
 * EqualsIgnoreCase,Like,StartsWith} and their Not forms; quantifiers ForAnyOfAnyValues and
 * ForAllOfAnyValues. Anything else is refused rather than guessed.
 */
#ifndef SUNDOG_AUTH_CONDITION_H
#define SUNDOG_AUTH_CONDITION_H

#include "core/op.h"

#define CONDITION_BYTES_MAX 8192
#define CONDITION_NODES_MAX 512
#define CONDITION_DEPTH_MAX 64

struct condition;
/* In op's arena. INVALID: not understood, and where; never more than the limits above. */
enum fault condition_parse(struct op *op, const char *text, const struct condition **ret);
/*
 * Does it hold for this action on this repository? repository NULL: the request names none, and
 * every comparison fails. No allocation.
 */
bool condition_holds(const struct condition *condition, const char *action, const char *repository);

#endif
