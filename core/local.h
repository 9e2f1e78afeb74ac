/* What a command on this machine knows of the Sundog that serves a data folder. */
#ifndef SUNDOG_CORE_LOCAL_H
#define SUNDOG_CORE_LOCAL_H

#include <jansson.h>

#include "core/op.h"

struct local {
    const char *plain, *tls; /* "localhost:8480", "localhost:8443"; NULL: it has none such */
    json_t *admin;           /* admin.json; NULL: it is not ours to read, and op says why */
};
/* NOT_FOUND: nothing has served there yet. All in op's arena. */
enum fault local_read(struct op *op, const char *data, struct local *ret);
/* A file of at most 4 MiB. */
enum fault local_file(struct op *op, const char *path, struct bytes *ret);

#endif
