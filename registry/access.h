/*
 * May this request do what its route asks? registry_authorise runs before any body byte is read,
 * from memory on a loop thread when it can. Whoever lacks a right is challenged, never forbidden:
 * "There is no 403 for missing scope: the client must be able to re-challenge" (facts §2.1).
 */
#ifndef SUNDOG_REGISTRY_ACCESS_H
#define SUNDOG_REGISTRY_ACCESS_H

#include "registry/target.h"
#include "registry/token.h"

/* struct route.access of the registry's routes. */
enum registry_right {
    RIGHT_NONE,  /* public */
    RIGHT_LOGIN, /* anybody we know */
    RIGHT_PULL,
    RIGHT_PUSH,
    RIGHT_DELETE,
    RIGHT_LIST_TAGS, /* pull or metadata_read */
    RIGHT_METADATA_READ,
    RIGHT_METADATA_WRITE,
    RIGHT_CATALOG,          /* of all registries by path, of one by name */
    RIGHT_REGISTRY_CATALOG, /* the path names the registry */
};

/* What authorise found out; c->caller of every route with a right. */
struct caller {
    struct target target;
    struct principal principal;
    const struct token *token; /* NULL: all that the principal may */
    bool shown;                /* credentials came with the request … */
    bool accepted;             /* … and are good */
    struct scope needs[2];     /* what the challenge asks for */
    size_t n_needs;
};

enum fault registry_authorise(struct call *c, bool may_block);
/* The challenge and the headers that every answer carries; pulls and pushes are counted. */
void registry_decorate(struct call *c);

const struct caller *caller_of(const struct call *c);
/* Which of these actions the caller may do now: the principal's rights, cut down to what its token
   was given for. */
unsigned caller_rights(struct op *op, const struct caller *caller, const struct registry *registry,
                       const char *repository, unsigned of);
/* FORBIDDEN: the registry's network rules do not let this client in. NULL: there is none. */
enum fault access_admit(struct call *c, const struct registry *registry);
/*
 * Ask for actions on one more repository than the route's own (the source of a mount).
 * UNAUTHENTICATED: the challenge then names both.
 */
enum fault access_need(struct call *c, const char *full_name, unsigned actions);
/*
 * Who stands behind an Authorization header (Basic or Bearer)? *ret_token is NULL for a password.
 * UNAUTHENTICATED, TOO_MANY, WOULD_BLOCK.
 */
enum fault access_identify(struct call *c, const char *authorization, bool may_block,
                           struct principal *ret_principal, const struct token **ret_token);
/* The same of the registry whose admin user or token somebody is: by path nothing else names it. */
enum fault access_admit_principal(struct call *c, const struct principal *principal);
/* A name and its password, limited in failures by client and name. registry: of the host. */
enum fault access_login(struct call *c, const struct registry *registry, const char *user,
                        const char *password, bool may_block, struct principal *ret_principal);
/* The registry the request's host names; NULL: by path, or there is none. */
const struct registry *access_host_registry(struct call *c);

#endif
