/*
 * A template and what comes of it: its parameters, the resources it makes and in which order, their
 * bodies, its outputs. Pure but for template_calls; the same input always gives the same plan.
 */
#ifndef SUNDOG_API_TEMPLATE_TEMPLATE_H
#define SUNDOG_API_TEMPLATE_TEMPLATE_H

#include "api/template/evaluate.h"

struct template_node {
    const char *symbol;                /* its symbolic name; NULL: it has none */
    const char *loop;                  /* the name of the copy it is of; NULL: none */
    int64_t index;                     /* in the copy */
    const char *type, *name, *version; /* full type; all names */
    const char *id;
    const json_t *source; /* as the template has it */
    const struct copy *copies;
    const struct template_node *parent; /* it is written within that one */
    bool existing;                      /* only referred to */
    bool skipped;                       /* its condition does not hold */
    size_t *needs, n_needs;             /* indices of those that come first */
    const char **depends;               /* dependsOn as evaluated; NULL-terminated */
    int64_t batch;                      /* of a serial copy: how many at once; 0: all */
};
struct template_plan {
    struct scope scope;
    const char *base; /* the id of what it is deployed to */
    struct template_node *nodes;
    size_t n;
    size_t *order; /* of all nodes: each comes after those it needs */
};

/* Has it the shape of a template? INVALID on "InvalidTemplate". */
enum fault template_check(struct op *op, const json_t *template);
/*
 * The values of its parameters from those given ({"name": {"value": …}}, may be NULL) and its
 * defaults, into s->parameters; s->secure names those that are secrets. *ret_shown is {"name":
 * {"type", "value"}}, secrets without value. INVALID on "InvalidTemplate".
 */
enum fault template_parameters(struct scope *s, const json_t *given, json_t **ret_shown);
/* The same from values that were found before. */
void template_parameters_restore(struct scope *s, json_t *values);

/* All resources, expanded; base is the id of a resource group or a subscription. */
enum fault template_plan(struct scope *s, const char *base, struct template_plan **ret);
/* By id, symbolic name ("x", "x[2]") or name; NULL: the template has no such resource. */
const struct template_node *template_find(const struct template_plan *plan, const char *what);
/*
 * Which nodes are there, when those are made whose made[i] is true: one that makes nothing is there
 * when all it needs is. In op's arena.
 */
const bool *template_met(const struct template_plan *plan, const bool *made);
/* resourceInfo() of all nodes of a symbolic name. */
json_t *template_infos(const struct template_plan *plan, const char *symbol);

/*
 * The body of the node's PUT. Secrets of an inner deployment whose expressions are evaluated here
 * become secure parameters of it. mask: secrets are "*****" instead (for whatIf).
 */
enum fault template_body(const struct template_plan *plan, const struct template_node *node,
                         const struct template_calls *calls, bool mask, json_t **ret);
/* {"name": {"type", "value"}}: *ret_shown without the values of secure ones, *ret_all with. */
enum fault template_outputs(const struct template_plan *plan, const struct template_calls *calls,
                            json_t **ret_shown, json_t **ret_all);

/* A type as written, or what its "$ref" leads to. */
const json_t *template_definition(const struct scope *s, const json_t *declared);
bool template_is_secure(const char *type);
/* "string" → "String", "secureObject" → "SecureObject"; NULL: there is no such type. */
const char *template_type_name(const char *type);
/* Has the value this type? */
bool template_type_fits(const char *type_name, const json_t *value);

#endif
