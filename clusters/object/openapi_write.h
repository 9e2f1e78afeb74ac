/* The two OpenAPI dialects, written from the tables as JSON text; only clusters/object/ uses it. */
#ifndef SUNDOG_CLUSTERS_OBJECT_OPENAPI_WRITE_H
#define SUNDOG_CLUSTERS_OBJECT_OPENAPI_WRITE_H

#include "clusters/object/object.h"

struct openapi {
    struct text *out;
    bool v2;
    bool *wanted; /* by type's index: what the paths written so far name */
};

/* `"/api/v1/…":{…},…` of one resource. comma: something stands before it. */
void openapi_paths(struct openapi *o, const struct resource *r, bool comma);
/* `"name":{…},…` of all types that are wanted, and of those that they are made of. */
void openapi_types(struct openapi *o);
/* Note a type as wanted. */
void openapi_want(struct openapi *o, const struct type *type);
/* `{"$ref":"…"}` */
void openapi_ref(struct openapi *o, const char *name);

#endif
