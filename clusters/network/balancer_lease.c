#include "clusters/network/balancer_lease.h"

#include <stdlib.h>
#include <string.h>

#include "instances/address.h"
#include "instances/network.h"

struct balancer_lease {
    struct balancer_lease *next;
    char *uid; /* the service's */
    int64_t index;
    bool used; /* in this pass */
};

static const char *owner_of(struct op *op, const struct balancer_leases *l, const char *uid)
{
    return arena_printf(&op->arena, "c%s/lb/%s", l->cluster, uid);
}

static void drop(struct balancer_lease **place)
{
    struct balancer_lease *lease = *place;

    *place = lease->next;
    free(lease->uid);
    free(lease);
}

/* Where it stands, or the list's end. */
static struct balancer_lease **find(struct balancer_leases *l, const char *uid)
{
    struct balancer_lease **place = &l->list;

    while (*place && strcmp((*place)->uid, uid) != 0)
        place = &(*place)->next;
    return place;
}

void balancer_leases_free(struct balancer_leases *l)
{
    while (l->list)
        drop(&l->list);
}

void balancer_leases_begin(struct balancer_leases *l)
{
    for (struct balancer_lease *lease = l->list; lease; lease = lease->next)
        lease->used = false;
}

enum fault balancer_lease_take(struct op *op, struct balancer_leases *l, const char *uid,
                               const char **ret_address)
{
    struct balancer_lease **place = find(l, uid);
    int64_t index;

    if (!*place) {
        TRY(address_take(op, RANGE_PUBLIC, owner_of(op, l, uid), &index));
        *place = calloc(1, sizeof(**place));
        if (!*place || !((*place)->uid = strdup(uid)))
            abort();
        (*place)->index = index;
    }
    (*place)->used = true;
    *ret_address = network_address(op, RANGE_PUBLIC, (*place)->index);
    return OK;
}

/* Before its row: what is not its own any more is never believed to be. */
enum fault balancer_lease_give(struct op *op, struct balancer_leases *l, const char *uid)
{
    struct balancer_lease **place = find(l, uid);

    if (*place)
        drop(place);
    return address_give(op, owner_of(op, l, uid));
}

static enum fault give_unknown(struct op *op, struct balancer_leases *l)
{
    const char **uids;
    size_t n = 0, given;

    for (struct balancer_lease *lease = l->list; lease; lease = lease->next)
        n++;
    uids = arena_alloc(&op->arena, (n + 1) * sizeof(*uids));
    n = 0;
    for (struct balancer_lease *lease = l->list; lease; lease = lease->next)
        uids[n++] = lease->uid;
    return address_give_others(op, RANGE_PUBLIC, owner_of(op, l, ""), uids, n, &given);
}

enum fault balancer_leases_sweep(struct op *op, struct balancer_leases *l)
{
    struct balancer_lease **place = &l->list;

    while (*place) {
        if ((*place)->used) {
            place = &(*place)->next;
            continue;
        }
        TRY(address_give(op, owner_of(op, l, (*place)->uid)));
        drop(place);
    }
    if (!l->swept)
        TRY(give_unknown(op, l));
    l->swept = true;
    return OK;
}
