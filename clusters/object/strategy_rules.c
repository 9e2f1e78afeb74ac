/* Demands on fields as rows: what a path may hold. Kinds' tables: strategy_validate_rules.c. */
#include <stdlib.h>
#include <string.h>

#include "clusters/object/selector.h"
#include "clusters/object/strategy_kinds.h"

static bool is_empty(const json_t *value)
{
    return !value || json_is_null(value) ||
           (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static bool is_choice(const json_t *value, const char *const *choices)
{
    for (; *choices; choices++)
        if (strcmp(*choices, json_string_value(value)) == 0)
            return true;
    return false;
}

/* Whole numbers, and texts like "25%". */
static void check_percent(struct field_errors *e, const json_t *value, const char *path)
{
    const char *text = json_string_value(value);
    char *end = NULL;
    long percent;

    if (json_is_integer(value) && json_integer_value(value) < 0) {
        field_invalid(e, path, value, "must be greater than or equal to 0");
    } else if (text) {
        percent = strtol(text, &end, 10);
        if (*text < '0' || *text > '9' || strcmp(end, "%") != 0)
            field_invalid(e, path, value,
                          "a valid percent string must be a numeric string followed by an ending "
                          "'%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')");
        else if (percent > 100)
            field_invalid(e, path, value, "must not be greater than 100%");
    }
}

static void check_selector(struct field_errors *e, const json_t *value, const char *path)
{
    const struct selector *parsed;

    if (value && selector_of(e->op, &e->op->arena, value, &parsed) != OK) {
        field_invalid(e, path, value, e->op->message);
        op_clear_fault(e->op);
    }
}

static void check_name(struct field_errors *e, const struct field_rule *rule, const json_t *value,
                       const char *path)
{
    const char *text = json_string_value(value), *fault;

    if (text && *text && (fault = rule->fault(text)) != NULL)
        field_invalid(e, path, value, fault);
}

static void check_number(struct field_errors *e, const struct field_rule *rule, const json_t *value,
                         const char *path)
{
    json_int_t n = json_integer_value(value);

    if (json_is_integer(value) && (n < rule->min || (rule->max && n > rule->max)))
        field_invalid(e, path, value, rule->detail);
}

static void check_value(struct field_errors *e, const struct field_rule *rule, const json_t *value,
                        const char *path)
{
    switch (rule->demand) {
    case THERE:
        if (is_empty(value))
            field_required(e, path, rule->detail);
        break;
    case ONE_OF:
        if (json_is_string(value) && json_string_length(value) && !is_choice(value, rule->choices))
            field_not_supported(e, path, value, rule->choices);
        break;
    case NUMBER:
        check_number(e, rule, value, path);
        break;
    case NAME:
        check_name(e, rule, value, path);
        break;
    case SELECTOR:
        check_selector(e, value, path);
        break;
    case PERCENT:
        check_percent(e, value, path);
        break;
    case SAME:
    case FROZEN:
        break;
    }
}

/* rest: what is left of the rule's path, below node, which messages name shown. */
static void walk(struct field_errors *e, const struct field_rule *rule, const json_t *node,
                 const char *rest, const char *shown)
{
    struct arena *arena = &e->op->arena;
    size_t len = strcspn(rest, ".["), i;
    char *name = arena_strndup(arena, rest, len);
    json_t *value = json_object_get(node, name), *item;
    bool each = strncmp(rest + len, "[]", 2) == 0;
    const char *path = *shown ? arena_printf(arena, "%s.%s", shown, name) : name;

    rest += len + (each ? 2 : 0);
    rest += *rest == '.';
    if (!each && !*rest)
        check_value(e, rule, value, path);
    else if (!each && value)
        walk(e, rule, value, rest, path);
    if (!each)
        return;
    json_array_foreach(value, i, item)
    {
        const char *at_item = arena_printf(arena, "%s[%zu]", path, i);

        if (*rest)
            walk(e, rule, item, rest, at_item);
        else
            check_value(e, rule, item, at_item);
    }
}

static void check_kept(struct field_errors *e, const struct field_rule *rule, const json_t *tree,
                       const json_t *live)
{
    const json_t *now = at(tree, rule->path), *was = at(live, rule->path);

    if (now == was || (now && was && json_equal(now, was)))
        return;
    if (rule->demand == SAME)
        field_invalid(e, rule->path, now, rule->detail ? rule->detail : "field is immutable");
    else
        field_forbidden(e, rule->path, rule->detail);
}

void check_rules(struct field_errors *e, const struct field_rule *rules, const json_t *tree,
                 const json_t *live, const char *shown)
{
    for (; rules->path; rules++) {
        if (rules->demand != SAME && rules->demand != FROZEN)
            walk(e, rules, tree, rules->path, shown);
        else if (live)
            check_kept(e, rules, tree, live);
    }
}
