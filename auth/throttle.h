/*
 * Failed logins are rate limited: a token bucket per (client address, account), in memory, bounded.
 * 10 failures at once, then one each 6 seconds; a success empties nothing (an attacker with one
 * good password gains nothing for another account). Loopback clients are limited like all others.
 */
#ifndef SUNDOG_AUTH_THROTTLE_H
#define SUNDOG_AUTH_THROTTLE_H

#include "core/op.h"

/* TOO_MANY (with retry_after_s) when this pair has failed too often; never blocks. */
enum fault throttle_check(struct op *op, const char *client, const char *account);
void throttle_failed(const char *client, const char *account);
void throttle_reset(void); /* tests */

#endif
