#include "clusters/network/balancer_lease.h"

#include <string.h>

#include "instances/address.h"
#include "tests/unit/unit.h"

static int64_t leases_of(struct op *op, const char *owner)
{
    PGresult *result =
        PQexecParams(db_pgconn(op->db), "SELECT 1 FROM instances.address_lease WHERE owner = $1", 1,
                     NULL, &owner, NULL, NULL, 0);
    int64_t n = PQntuples(result);

    PQclear(result);
    return n;
}

static void test_services_that_went(void)
{
    static const char *const uids[] = {"here"};
    const char *owner;
    size_t given = 9;
    struct op op;

    unit_op(&op);
    address_open("lease-host");
    CU_ASSERT_EQUAL_FATAL(db_begin(&op), OK);
    CU_ASSERT_EQUAL(
        db_exec(&op, "INSERT INTO instances.address_lease (host, range, index, owner) VALUES"
                     " ('lease-host', 0, 1, 'cafe/lb/here'), ('lease-host', 0, 2, 'cafe/lb/gone'),"
                     " ('lease-host', 1, 1, 'cafe/aks-nodepool1-1-vmss000000'),"
                     " ('lease-host', 0, 3, 'cbee/lb/gone')"),
        OK);
    owner = balancer_lease_owner(&op, "afe", "here");
    CU_ASSERT_STRING_EQUAL(owner, "cafe/lb/here");
    CU_ASSERT_EQUAL(balancer_leases_keep(&op, "afe", uids, 1, &given), OK);
    CU_ASSERT_EQUAL(given, 1);
    CU_ASSERT_EQUAL(leases_of(&op, owner), 1);
    CU_ASSERT_EQUAL(leases_of(&op, "cafe/lb/gone"), 0);
    CU_ASSERT_EQUAL(leases_of(&op, "cafe/aks-nodepool1-1-vmss000000"), 1);
    CU_ASSERT_EQUAL(leases_of(&op, "cbee/lb/gone"), 1);
    unit_op_end(&op);
}

CU_TestInfo clusters_network_balancer_lease_tests[] = {
    {"of services that went", test_services_that_went},
    CU_TEST_INFO_NULL,
};
