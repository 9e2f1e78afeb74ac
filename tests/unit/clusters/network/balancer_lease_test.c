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
    struct balancer_leases leases = {.cluster = "afe"};
    struct op op;

    unit_op(&op);
    address_open("lease-host");
    CU_ASSERT_EQUAL_FATAL(db_begin(&op), OK);
    CU_ASSERT_EQUAL(db_exec(&op,
                            "INSERT INTO instances.address_lease (host, range, index, owner) VALUES"
                            " ('lease-host', 0, 2, 'cafe/lb/gone'),"
                            " ('lease-host', 1, 1, 'cafe/aks-nodepool1-1-vmss000000'),"
                            " ('lease-host', 0, 3, 'cbee/lb/gone')"),
                    OK);
    balancer_leases_begin(&leases);
    CU_ASSERT_EQUAL(balancer_leases_sweep(&op, &leases), OK);
    CU_ASSERT_EQUAL(leases_of(&op, "cafe/lb/gone"), 0);
    CU_ASSERT_EQUAL(leases_of(&op, "cafe/aks-nodepool1-1-vmss000000"), 1);
    CU_ASSERT_EQUAL(leases_of(&op, "cbee/lb/gone"), 1);
    balancer_leases_free(&leases);
    unit_op_end(&op);
}

CU_TestInfo clusters_network_balancer_lease_tests[] = {
    {"of services that went", test_services_that_went},
    CU_TEST_INFO_NULL,
};
