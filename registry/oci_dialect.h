#ifndef SUNDOG_REGISTRY_OCI_DIALECT_H
#define SUNDOG_REGISTRY_OCI_DIALECT_H

#include "core/call.h"

/*
 * Nouns it knows (fail_on): "name" (of a repository), "tag", "digest", "size", "manifest",
 * "referenced blobs", "blob", "upload", "page", "lock".
 */
extern const struct dialect oci_dialect;

#endif
