/* Documents that are made once per process, at first use. */
#ifndef SUNDOG_CLUSTERS_OBJECT_DOCUMENT_H
#define SUNDOG_CLUSTERS_OBJECT_DOCUMENT_H

#include "clusters/object/discovery.h"

/* The document of that key, kept since its first use, when write(op, arg, out) wrote it;
   compressed: gzipped. */
enum fault document_get(struct op *op, const char *key, bool compressed,
                        enum fault (*write)(struct op *op, const void *arg, struct text *out),
                        const void *arg, struct document *ret);
/* A gzipped document into op's arena as plain text. */
enum fault document_inflate(struct op *op, struct document *document);
/* SHA-256 as upper-case hex, in op's arena. */
const char *hash_of(struct op *op, struct bytes bytes);

#define DOCUMENT_MAX ((size_t)64 << 20)

#endif
