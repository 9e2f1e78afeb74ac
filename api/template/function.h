/* The template language's functions: one table (function.c), a file for each kind. */
#ifndef SUNDOG_API_TEMPLATE_FUNCTION_H
#define SUNDOG_API_TEMPLATE_FUNCTION_H

#include "api/template/evaluate.h"
#include "api/template/expression.h"

/* Arguments that are evaluated. */
struct arguments {
    struct scope *s;
    const char *name;
    json_t **v;
    size_t n;
};
typedef enum fault (*function_call)(const struct arguments *a, json_t **ret);
/* Those that evaluate their arguments by themselves: if, and, lambda, … */
typedef enum fault (*function_special)(struct scope *s, const struct expression *call,
                                       json_t **ret);

struct function {
    const char *name;
    size_t min, max; /* of arguments */
    function_call call;
    function_special special;
};
/* In any case of letters; "listX" for every X. NULL: unknown. */
const struct function *function_find(const char *name);

/* evaluate.c's, for special ones. */
enum fault evaluate_expression(struct scope *s, const struct expression *e, json_t **ret);
enum fault evaluate_variable(struct scope *s, const char *name, json_t **ret);

/* The i-th argument, 0 the first; INVALID says which function wants what. */
enum fault text_arg(const struct arguments *a, size_t i, const char **ret);
enum fault int_arg(const struct arguments *a, size_t i, int64_t *ret);
enum fault bool_arg(const struct arguments *a, size_t i, bool *ret);
enum fault array_arg(const struct arguments *a, size_t i);
enum fault object_arg(const struct arguments *a, size_t i);
enum fault wrong_arg(const struct arguments *a, size_t i, const char *wanted);
enum fault function_fail(const struct arguments *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* *ret = value, a new reference that becomes the arena's. */
enum fault give(const struct arguments *a, json_t *value, json_t **ret);
enum fault give_text(const struct arguments *a, const char *text, json_t **ret);
/* As string() says it. NULL: that is longer than EXPRESSION_TEXT_MAX. */
const char *text_of(struct scope *s, const json_t *value);
/* The same; INVALID: it is too long. */
enum fault as_text(const struct arguments *a, const json_t *value, const char **ret);
enum fault too_long(const struct arguments *a);
/* What it looks at is spent. */
enum fault values_equal(struct scope *s, const json_t *a, const json_t *b, bool *ret);
/* Letters of a text; the byte where the n-th begins (its end when there are fewer). */
size_t letters(const char *text);
size_t letter_at(const char *text, size_t n);

#define FUNCTION(f) enum fault f(const struct arguments *a, json_t **ret)
#define SPECIAL(f)  enum fault f(struct scope *s, const struct expression *call, json_t **ret)

/* function_text.c */
FUNCTION(f_concat);
FUNCTION(f_replace);
FUNCTION(f_split);
FUNCTION(f_join);
FUNCTION(f_substring);
FUNCTION(f_to_lower);
FUNCTION(f_to_upper);
FUNCTION(f_trim);
FUNCTION(f_starts_with);
FUNCTION(f_ends_with);
FUNCTION(f_index_of);
FUNCTION(f_last_index_of);
FUNCTION(f_pad_left);
FUNCTION(f_string);
/* function_format.c */
FUNCTION(f_format);
/* function_code.c: hashes and encodings */
FUNCTION(f_unique_string);
FUNCTION(f_guid);
FUNCTION(f_new_guid);
FUNCTION(f_base64);
FUNCTION(f_base64_to_string);
FUNCTION(f_base64_to_json);
FUNCTION(f_json);
FUNCTION(f_uri);
FUNCTION(f_uri_component);
FUNCTION(f_uri_component_to_string);
FUNCTION(f_data_uri);
FUNCTION(f_data_uri_to_string);
/* function_list.c: arrays and objects */
FUNCTION(f_length);
FUNCTION(f_contains);
FUNCTION(f_empty);
FUNCTION(f_first);
FUNCTION(f_last);
FUNCTION(f_take);
FUNCTION(f_skip);
FUNCTION(f_array);
FUNCTION(f_create_array);
FUNCTION(f_create_object);
FUNCTION(f_union);
FUNCTION(f_intersection);
FUNCTION(f_range);
FUNCTION(f_flatten);
FUNCTION(f_items);
FUNCTION(f_object_keys);
FUNCTION(f_shallow_merge);
FUNCTION(f_try_get);
FUNCTION(f_index_from_end);
FUNCTION(f_try_index_from_end);
/* function_number.c: numbers, logic, comparison */
FUNCTION(f_add);
FUNCTION(f_sub);
FUNCTION(f_mul);
FUNCTION(f_div);
FUNCTION(f_mod);
FUNCTION(f_int);
FUNCTION(f_float);
FUNCTION(f_min);
FUNCTION(f_max);
FUNCTION(f_not);
FUNCTION(f_equals);
FUNCTION(f_bool);
FUNCTION(f_true);
FUNCTION(f_false);
FUNCTION(f_null);
FUNCTION(f_less);
FUNCTION(f_less_or_equals);
FUNCTION(f_greater);
FUNCTION(f_greater_or_equals);
/* function_date.c */
FUNCTION(f_utc_now);
FUNCTION(f_date_time_add);
FUNCTION(f_date_time_to_epoch);
FUNCTION(f_date_time_from_epoch);
/* function_resource.c: ids, what is deployed, where */
FUNCTION(f_parameters);
FUNCTION(f_variables);
FUNCTION(f_deployment);
FUNCTION(f_environment);
FUNCTION(f_copy_index);
FUNCTION(f_resource_id);
FUNCTION(f_subscription_resource_id);
FUNCTION(f_tenant_resource_id);
FUNCTION(f_extension_resource_id);
FUNCTION(f_reference);
FUNCTION(f_references);
FUNCTION(f_resource_info);
FUNCTION(f_list);
FUNCTION(f_resource_group);
FUNCTION(f_subscription);
FUNCTION(f_tenant);
FUNCTION(f_management_group);
FUNCTION(f_providers);
FUNCTION(f_pick_zones);
/* function_lambda.c */
SPECIAL(f_if);
SPECIAL(f_and);
SPECIAL(f_or);
SPECIAL(f_coalesce);
SPECIAL(f_lambda);
SPECIAL(f_lambda_variables);
SPECIAL(f_map);
SPECIAL(f_filter);
SPECIAL(f_reduce);
SPECIAL(f_sort);
SPECIAL(f_to_object);
SPECIAL(f_group_by);
SPECIAL(f_map_values);

#endif
