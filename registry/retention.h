/*
 * Retention: where a registry's policy says so, manifests without a tag are deleted so many days
 * after they lost the last one, counted from when the policy was switched on (facts §2.4). What an
 * index lists, what refers to another manifest by subject, and what is locked stays.
 */
#ifndef SUNDOG_REGISTRY_RETENTION_H
#define SUNDOG_REGISTRY_RETENTION_H

#include "core/op.h"

/* Part of a round of collection: note what has lost its tags, delete what is due. */
enum fault retention_round(struct op *op);
void retention_store_start(void);

#endif
