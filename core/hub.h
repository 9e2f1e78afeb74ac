/*
 * The hub: one thread that LISTENs, so that several `serve` on one database tell each other which
 * keys changed. Writers NOTIFY inside their transaction; readers re-read the key.
 */
#ifndef SUNDOG_CORE_HUB_H
#define SUNDOG_CORE_HUB_H

#include "core/op.h"

/* Before hub_start: fn runs on the hub thread with the payload. payload NULL: the connection was
   lost for a while, so anything may have changed. */
void hub_listen(const char *channel, void (*fn)(const char *payload));
void hub_start(void);
void hub_stop(void);
/* NOTIFY within op's transaction (or at once without one). */
enum fault hub_notify(struct op *op, const char *channel, const char *payload);

#endif
