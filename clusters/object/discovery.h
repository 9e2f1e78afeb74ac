/* What is served, as documents: discovery (aggregated v2 and v2beta1, legacy), OpenAPI. Made at
   first use, shared by all clusters, kept as long as the process lives (OpenAPI gzipped). */
#ifndef SUNDOG_CLUSTERS_OBJECT_DISCOVERY_H
#define SUNDOG_CLUSTERS_OBJECT_DISCOVERY_H

#include "clusters/object/object.h"

struct document {
    struct bytes bytes;
    const char *etag; /* quoted */
    const char *content_type;
    bool gzipped; /* bytes are: Content-Encoding: gzip */
};
enum discovery_form { DISCOVERY_V2, DISCOVERY_V2BETA1, DISCOVERY_LEGACY };
/* /api and /apis. The legacy /api names the server's address: server_address is put in. */
enum fault discovery_root(struct op *op, bool core, enum discovery_form form,
                          const char *server_address, struct document *ret);
/* /apis/G (APIGroup); /api/v1 (group "") and /apis/G/V (APIResourceList). NOT_FOUND: no such. */
enum fault discovery_group(struct op *op, const char *group, struct document *ret);
enum fault discovery_resources(struct op *op, const char *group, const char *version,
                               struct document *ret);
/* /openapi/v3 (root index with ?hash=) and /openapi/v3/<path> ("api/v1", "apis/apps/v1"): types,
   no prose; paths with their operations, parameters and x-kubernetes-group-version-kind. gzip: the
   client takes gzip (no work: it is kept so); else it is inflated into op's arena. */
enum fault openapi_v3_root(struct op *op, struct document *ret);
enum fault openapi_v3(struct op *op, const char *path, bool gzip, struct document *ret);
/* /openapi/v2: JSON, or com.github.proto-openapi.spec.v2 as protobuf. */
enum fault openapi_v2(struct op *op, bool protobuf, bool gzip, struct document *ret);

#endif
