/*
 * Last-pull times: noted in memory by every pull, written in batches by the collector's thread. A
 * crash loses a few seconds of them.
 */
#ifndef SUNDOG_REGISTRY_PULLS_H
#define SUNDOG_REGISTRY_PULLS_H

#include "core/op.h"

void pulls_start(void);
/* A counter that moves with each batch: who noted in this one need not note again. */
unsigned pulls_batch(void);
/* reference: the tag it was pulled by, or a digest. Cheap; forgets when too many come at once. */
void pulls_note(int64_t repository_id, const char *reference, const char *digest);
enum fault pulls_write(struct op *op);

#endif
