/*
 * What pages ask: the very routes of the APIs, as the viewer, inside this process. So rights,
 * locks, validation, operations and the activity log are as for every client.
 */
#ifndef SUNDOG_WEB_ASK_H
#define SUNDOG_WEB_ASK_H

#include <jansson.h>

#include "api/cluster_access.h"
#include "web/page.h"

/*
 * The resource manager: path is an id or a collection, without api-version. *ret is the answer's
 * JSON, op's arena's. A refusal is the fault whose message the API said.
 */
enum fault ask_manager(struct call *c, const char *path, json_t **ret);
/* All pages of a collection, at most max values, as one array. */
enum fault ask_manager_all(struct call *c, const char *path, size_t max, json_t **ret);
/* Its first page, as text. *ret_header: a header of the answer, or NULL. */
enum fault ask_manager_text(struct call *c, const char *path, const char *header, struct bytes *ret,
                            const char **ret_header);
/* POST, PUT, PATCH, DELETE. body NULL: none. ret may be NULL. UNAVAILABLE, too: half of the workers
   wait for changes already. */
enum fault ask_manager_do(struct call *c, enum method method, const char *path, const json_t *body,
                          json_t **ret);
/* A text of a $filter, in quotes: "'It''s'". */
const char *ask_text(struct op *op, const char *text);
/* Where the next page begins: $skiptoken of an answer's nextLink (or NULL). NULL: it was the last.
 */
const char *ask_next(struct op *op, const char *link);
/* To a query that has others before: "&$skiptoken=…"; "" where after is "". */
const char *ask_after(struct op *op, const char *after);
/* The directory: path is "/users?$top=9". body NULL: none. */
enum fault ask_graph(struct call *c, enum method method, const char *path, const json_t *body,
                     json_t **ret);
/*
 * A registry's data plane: path after the registry ("/v2/app/tags/list"); registry is its name.
 * accept NULL: any. ret and ret_type may be NULL. FORBIDDEN: too small a right; CONFLICT: a lock is
 * on it; TOO_LARGE: more than ASK_FILE_MAX of a blob.
 */
#define ASK_FILE_MAX ((size_t)1 << 20)
enum fault ask_registry(struct call *c, enum method method, const char *registry, const char *path,
                        const char *accept, struct bytes *ret, const char **ret_type);
/* The same for what is JSON both ways. body NULL: none. ret may be NULL. */
enum fault ask_registry_json(struct call *c, enum method method, const char *registry,
                             const char *path, const json_t *body, json_t **ret);

/* A cluster's API, as whom its kubeconfig would make the viewer. type: of body. */
enum fault ask_cluster(struct call *c, enum method method, const struct cluster_access *cluster,
                       const char *path, const char *type, const json_t *body, json_t **ret);
/* GET of what is no JSON (logs), or of another form of it. */
enum fault ask_cluster_text(struct call *c, const struct cluster_access *cluster, const char *path,
                            const char *accept, struct bytes *ret);

#endif
