/*
 * What the pages of a registry and of what is in it share: which one the path means, its data
 * plane, locks. Repositories are at REGISTRY/repositories/NAME, and what is in one at
 * NAME/_tags/TAG and NAME/_manifests/DIGEST: no part of a repository's name begins with "_".
 */
#ifndef SUNDOG_WEB_REGISTRY_VIEW_H
#define SUNDOG_WEB_REGISTRY_VIEW_H

#include "auth/scope.h"
#include "web/ask.h"

#define ACR "Microsoft.ContainerRegistry/registries"

struct registry_view {
    const json_t *registry;           /* as the resource manager shows it */
    const char *id, *name, *link;     /* link: its page */
    const char *login_server;         /* with a port, if it needs one */
    const char *repository;           /* of the path; NULL: none is named */
    const char *image, *tag, *digest; /* "LOGIN/NAME"; tag or digest: of the path, or NULL */
    const char *here; /* page of the repository, tag or manifest; NULL: none is named */
};
/* That of the path. NOT_FOUND, FORBIDDEN: for the viewer there is none. */
enum fault registry_view_repository(struct call *c, struct registry_view *ret);
enum fault registry_view_tag(struct call *c, struct registry_view *ret);
enum fault registry_view_manifest(struct call *c, struct registry_view *ret);
/* Only the registry. */
enum fault registry_view(struct call *c, struct registry_view *ret);

/* Pages, as links. */
const char *repository_link(struct op *op, const struct registry_view *v, const char *name);
const char *tag_link(struct op *op, const struct registry_view *v, const char *tag);
const char *manifest_link(struct op *op, const struct registry_view *v, const char *digest);

/* ACR's own routes of the repository: below is "", "/_tags/v1", "/_manifests?n=100". */
enum fault ask_repository(struct call *c, enum method method, const struct registry_view *v,
                          const char *below, const json_t *body, json_t **ret);
/* Of what the page is of: "", "/_tags/v1", "/_manifests/sha256:…". */
const char *below_of(struct op *op, const struct registry_view *v);
/* May the viewer do this (SCOPE_DELETE, SCOPE_METADATA_WRITE) in the repository? */
bool registry_may(struct page *p, const struct registry_view *v, enum scope_action action);

/* "sha256:0123456789ab" */
const char *digest_short(struct op *op, const char *digest);
void page_cell_digest(struct page *p, const struct registry_view *v, const char *digest);
/* What is copied by hand, on one line. */
void page_cell_whole(struct page *p, const char *text);

/* "1 tag", "1,234 tags" */
const char *counted(struct op *op, int64_t n, const char *one, const char *several);

/* changeableAttributes in words; "none" when all is allowed. */
const char *lock_text(struct op *op, const json_t *attributes);
/* The button that locks or unlocks what v is of, for who may, and the command. */
void lock_add(struct page *p, const struct registry_view *v, const json_t *attributes);
/* What that button does. */
enum fault lock_post(struct call *c, const struct registry_view *v);

/* ---- a table of manifests (manifests_page.c) ---- */

bool manifest_is_untagged(const json_t *manifest);
void manifest_rows_begin(struct page *p, const char *label);
void manifest_row_add(struct page *p, const struct registry_view *v, const json_t *manifest);

/* ---- sections of a registry's page (registry_sections.c) ---- */

enum fault registry_traffic_add(struct page *p, const struct registry_view *v);
enum fault registry_usage_add(struct page *p, const struct registry_view *v);
enum fault registry_webhooks_add(struct page *p, const struct registry_view *v);
enum fault registry_tokens_add(struct page *p, const struct registry_view *v);

#endif
