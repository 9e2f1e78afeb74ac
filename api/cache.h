/*
 * GET answers from memory, on the loop: rendered JSON by resource id, whatever the api-version.
 *
 * Never stale: an entry remembers the generation its id had before it was read; every write makes a
 * new one after its commit and before its answer. Off when another `serve` may write.
 *
 *     unsigned generation = cache_generation(id->key);      before the first SELECT
 *     …read, render…
 *     return cache_reply(c, generation, value);             keeps it and answers 200
 *
 *     TRY(db_commit(op)); cache_changed(id->key);           a writer (call_commit: before it is
 *                                                           fine too, see cache_changed)
 */
#ifndef SUNDOG_API_CACHE_H
#define SUNDOG_API_CACHE_H

#include "api/arm.h"

void cache_start(void);
unsigned cache_generation(const char *key);
/* Answer 200 with value and keep it for arm_get_cached under arm_id(c)'s key. */
enum fault cache_reply(struct call *c, unsigned generation, const json_t *value);
/* After the commit of a change to this id, and before its answer. */
void cache_changed(const char *key);
/* The same for every id: a deletion or a move takes along what lies below. */
void cache_changed_all(void);
/* For handlers that end with call_commit: commits, then cache_changed(key), then answers when
   durable. */
enum fault cache_commit(struct call *c, const char *key);
/* A route's from_memory for GET of one thing: OK = answered, WOULD_BLOCK = not in memory. */
enum fault arm_get_cached(struct call *c);

#endif
