/* Handlers of the directory API that go by links and by credentials; graph_api.c routes to them. */
#ifndef SUNDOG_AUTH_GRAPH_LINKS_H
#define SUNDOG_AUTH_GRAPH_LINKS_H

#include "auth/graph.h"

/* path_args[1] as an object of the kind its path names; a user also by its name. NOT_FOUND. */
enum fault graph_path_object(struct call *c, bool for_update, struct object_row *ret);
enum object_kind graph_path_kind(const struct call *c);

/* graph_links.c */
enum fault graph_members(struct call *c);
enum fault graph_owners(struct call *c);
enum fault graph_member_of(struct call *c);
enum fault graph_link_add(struct call *c);
enum fault graph_link_delete(struct call *c);
enum fault graph_member_groups(struct call *c);
enum fault graph_owned(struct call *c);

/* graph_credentials.c */
enum fault graph_add_password(struct call *c);
enum fault graph_remove_password(struct call *c);
enum fault graph_federated_all(struct call *c);
enum fault graph_federated_get(struct call *c);
enum fault graph_federated_post(struct call *c);
enum fault graph_federated_patch(struct call *c);
enum fault graph_federated_delete(struct call *c);

#endif
