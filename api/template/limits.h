/* What a template may cost: the resource manager's own limits where it publishes one. */
#ifndef SUNDOG_API_TEMPLATE_LIMITS_H
#define SUNDOG_API_TEMPLATE_LIMITS_H

#include <stddef.h>

#define TEMPLATE_MAX_BYTES      ((size_t)4 << 20)
#define TEMPLATE_BODY_MAX       ((size_t)9 << 20) /* a template and its parameters */
#define TEMPLATE_RESOURCES_MAX  800               /* copies counted one by one */
#define TEMPLATE_COPY_MAX       800
#define TEMPLATE_PARAMETERS_MAX 256
#define TEMPLATE_VARIABLES_MAX  512
#define TEMPLATE_OUTPUTS_MAX    64
#define TEMPLATE_DEPTH_MAX      48 /* of values, and of calls within an expression */
#define EXPRESSION_MAX_BYTES    24576
#define EXPRESSION_STEPS_MAX    4000000            /* values looked at, of one template */
#define EXPRESSION_TEXT_MAX     ((size_t)1 << 20)  /* one text that a function makes */
#define EXPRESSION_BYTES_MAX    ((size_t)64 << 20) /* all of them, of one template */
#define EXPRESSION_RANGE_MAX    10000
#define DEPLOYMENT_HISTORY_MAX  800 /* of a scope; the oldest go */
#define DEPLOYMENT_NAME_MAX     64

#endif
