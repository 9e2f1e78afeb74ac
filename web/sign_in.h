/*
 * Signing in: the browser goes to the Entra endpoints with the program "Sundog console" (code with
 * PKCE, RFC 7636), and comes back with a code that is changed into a session. Or by a link.
 */
#ifndef SUNDOG_WEB_SIGN_IN_H
#define SUNDOG_WEB_SIGN_IN_H

#include "core/call.h"

enum fault sign_in_get(struct call *c);       /* GET /console/sign-in?to=PATH */
enum fault signed_in_get(struct call *c);     /* GET /console/signed-in?code&state */
enum fault sign_out_post(struct call *c);     /* POST /console/sign-out */
enum fault sign_in_link_post(struct call *c); /* POST /console/link, with a token: makes a link */
enum fault sign_in_link_get(struct call *c);  /* GET /console/link/CODE */

#endif
