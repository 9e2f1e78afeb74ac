/* What the two halves of schema-compile share. A host program: it knows nothing of the service. */
#ifndef SUNDOG_CLUSTERS_COMPILE_COMPILE_H
#define SUNDOG_CLUSTERS_COMPILE_COMPILE_H

#include <jansson.h>
#include <stdio.h>

/* "" when absent. */
const char *get_text(const json_t *tree, const char *key);
/* The place in types[] of "apps/v1 Deployment"; -1: none. */
long type_of_kind(const char *gvk);
void write_resources(FILE *out, const json_t *groups);

#endif
