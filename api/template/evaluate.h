/*
 * Evaluation of a template's expressions. All values are jansson's, in op's arena; none that was
 * given is changed. Faults are INVALID on "InvalidTemplate", or what template_calls said; of those
 * WOULD_BLOCK means that something referred to is not there yet: evaluate again later.
 */
#ifndef SUNDOG_API_TEMPLATE_EVALUATE_H
#define SUNDOG_API_TEMPLATE_EVALUATE_H

#include "api/arm.h"

struct scope;

/* What expressions ask of the world. Where it is NULL, reference() and its kin are refused. */
struct template_calls {
    void *arg;
    /* reference(): the whole resource. id as the template says it: an id or a name of its own. */
    enum fault (*reference)(struct scope *s, void *arg, const char *id, const char *version,
                            json_t **ret);
    /* list…(): POST id/action. */
    enum fault (*list)(struct scope *s, void *arg, const char *id, const char *action,
                       const char *version, const json_t *body, json_t **ret);
    /* resourceInfo(), references(): what the template says of a resource; all of a loop. */
    enum fault (*info)(struct scope *s, void *arg, const char *symbol, json_t **ret);
};

/* Where the deployment is. */
struct template_facts {
    const char *subscription_id, *group_name; /* group_name NULL: of a subscription */
    const json_t *deployment, *group;         /* deployment(), resourceGroup() or NULL */
    const json_t *subscription, *tenant, *environment;
};

struct copy {
    const char *name;
    int64_t index;
    bool is_property; /* of a member "copy", not of a resource */
    const struct copy *outer;
};
/* A variable of a lambda expression. */
struct binding {
    const char *name;
    json_t *value;
    const struct binding *outer;
};
/* Shared by all scopes of one template. */
struct effort {
    int64_t steps;
    size_t bytes;
    int depth;
};

struct scope {
    struct op *op;
    const json_t *template;
    const struct template_facts *facts;
    const struct template_calls *calls;
    json_t *parameters; /* name → value */
    json_t *secure;     /* names of those that are secrets → true; NULL: none */
    json_t *variables;  /* name → value, filled as they are asked for */
    json_t *tainted;    /* names of variables made of secrets → true */
    const struct copy *copies;
    const struct binding *bindings;
    struct effort *effort;
    bool is_default;  /* of a parameter: newGuid() and utcNow() are allowed */
    bool is_function; /* a user's own: sees its own parameters alone */
    bool is_secret;   /* set when a secret has been read */
};

/* A scope with empty variables and an effort of its own. */
struct scope scope_new(struct op *op, const json_t *template, const struct template_facts *facts);
/* All expressions within a value; "copy" of objects is expanded. */
enum fault evaluate(struct scope *s, const json_t *value, json_t **ret);
/* A text that must be there after evaluation; what names it in the fault. */
enum fault evaluate_text(struct scope *s, const json_t *value, const char *what, const char **ret);
enum fault evaluate_bool(struct scope *s, const json_t *value, const char *what, bool *ret);
enum fault evaluate_int(struct scope *s, const json_t *value, const char *what, int64_t *ret);
/* The name of a member, which may be an expression. */
enum fault evaluate_name(struct scope *s, const char *name, const char **ret);
/* The "count" of a loop: 0 to TEMPLATE_COPY_MAX. name: for the fault. */
enum fault evaluate_count(struct scope *s, const json_t *loop, const char *name, int64_t *ret);
/* The array of a loop's "input", evaluated for each. is_property: of a member "copy". */
enum fault evaluate_loop(struct scope *s, const json_t *loop, const char *name, bool is_property,
                         json_t **ret);
/* A member in any case of letters; NULL. */
json_t *member_of(const json_t *object, const char *name);
/* INVALID: it is nested deeper than TEMPLATE_DEPTH_MAX, or has too much in it. */
enum fault check_depth(struct scope *s, const json_t *value);
/* Count n more values that are looked at, or bytes that are made. INVALID: of this template they
   are more than EXPRESSION_STEPS_MAX or EXPRESSION_BYTES_MAX. */
enum fault spend(struct scope *s, size_t n);
enum fault spend_bytes(struct scope *s, size_t n);
/* INVALID on "InvalidTemplate". */
enum fault template_fail(struct op *op, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
