#ifndef SUNDOG_CLUSTERS_OBJECT_OPENAPI_V2_H
#define SUNDOG_CLUSTERS_OBJECT_OPENAPI_V2_H

#include "core/op.h"

/* OpenAPI v2 as JSON text becomes gnostic's openapi.v2.Document in protobuf: the members that
   clients of Kubernetes look at. */
enum fault openapi_v2_protobuf(struct op *op, struct bytes json, struct text *out);

#endif
