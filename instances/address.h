/*
 * Who has which address of this machine's two ranges (instances/network.h): container groups, whose
 * rows say so themselves, and others by leases here. No two ever have the same. Rows, so op->db
 * must be set; of this machine's data folder alone.
 */
#ifndef SUNDOG_INSTANCES_ADDRESS_H
#define SUNDOG_INSTANCES_ADDRESS_H

#include "instances/network.h"

void address_open(const char *host); /* by container groups' start */

/* An index that nobody has, looked for round and round, so that one just given back is not
   another's at once. Nobody else finds it until this transaction ends: taken, then, or free again.
   UNAVAILABLE: all are in use. */
enum fault address_find(struct op *op, const char *host, enum range range, int64_t *ret_index);

/* The owner's ("cluster/<id>/node/<name>") one of this range: what it has, or a new one. Brings the
   network up first (its faults). network_address says it as text. */
enum fault address_take(struct op *op, enum range range, const char *owner, int64_t *ret_index);
/* Give back what the owner has; one that ends in "/": all owners that begin so. None: OK. */
enum fault address_give(struct op *op, const char *owner);
/* Of the owners that begin with prefix, those give theirs of this range back whose rest is not one
   of kept: what a crash left in the names of things that are no more. */
enum fault address_give_others(struct op *op, enum range range, const char *prefix,
                               const char *const *kept, size_t n_kept, size_t *ret_given);

#endif
