#include "clusters/network/balancer_lease.h"

#include "instances/address.h"

const char *balancer_lease_owner(struct op *op, const char *cluster, const char *uid)
{
    return arena_printf(&op->arena, "c%s/lb/%s", cluster, uid);
}

enum fault balancer_leases_keep(struct op *op, const char *cluster, const char *const *uids,
                                size_t n, size_t *ret_given)
{
    return address_give_others(op, RANGE_PUBLIC, balancer_lease_owner(op, cluster, ""), uids, n,
                               ret_given);
}
