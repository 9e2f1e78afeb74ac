/* What the fields of the form that makes a container group amount to. */
#ifndef SUNDOG_WEB_INSTANCE_FORM_H
#define SUNDOG_WEB_INSTANCE_FORM_H

#include "web/page.h"

/* As typed; never NULL. */
struct instance_form {
    const char *group; /* id of the resource group */
    const char *name, *image, *ports, *command, *environment, *cpu, *memory, *policy, *address;
};

/*
 * What the API wants, with name and type, as `az container create --file` wants it, too. location
 * is the resource group's. INVALID: what is typed is no number, no port, …
 */
enum fault instance_form_body(struct op *op, const struct instance_form *f, const char *location,
                              json_t **ret);

#endif
