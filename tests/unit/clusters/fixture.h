/* A cluster for a test: a row, a store, and (fixture_rest) all that a new cluster has. */
#ifndef SUNDOG_TESTS_CLUSTERS_FIXTURE_H
#define SUNDOG_TESTS_CLUSTERS_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "clusters/cluster.h"
#include "clusters/rest/rest.h"
#include "core/seal.h"
#include "tests/unit/unit.h"

struct fixture {
    struct op op;
    struct db *db; /* its own connection, so that nothing is rolled back */
    struct cluster cluster;
    int lost;
};

static inline void fixture_lost(void *user)
{
    struct fixture *f = user;

    f->lost++;
}

static inline void fixture_exec(struct fixture *f, const char *sql)
{
    CU_ASSERT_EQUAL(db_exec(&f->op, sql), OK);
}

static inline int64_t fixture_number(struct fixture *f, const char *sql)
{
    PGresult *result;
    int64_t number;

    CU_ASSERT_EQUAL_FATAL(db_check(&f->op), OK);
    result = PQexec(db_pgconn(f->db), sql);
    CU_ASSERT_EQUAL_FATAL(PQresultStatus(result), PGRES_TUPLES_OK);
    number = PQntuples(result) ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : -1;
    PQclear(result);
    return number;
}

/* The row only. */
static inline void fixture_row(struct fixture *f)
{
    char uuid[37], sql[1024];

    memset(f, 0, sizeof(*f));
    unit_database();
    f->db = db_open();
    op_init(&f->op);
    f->op.db = f->db;
    random_uuid(uuid);
    snprintf(f->cluster.id, sizeof(f->cluster.id), "%.8s", uuid);
    snprintf(sql, sizeof(sql),
             "INSERT INTO clusters.managed_cluster (key, scope, subscription, resource_group, "
             "location, name, uid, fqdn, document, sealed, host, ca, sealed_keys, created_us) "
             "VALUES ('%s', '', '', '', '', 'c', '%s', '%s', '{}', '', '%s', '', '', 0) "
             "RETURNING id",
             uuid, f->cluster.id, uuid, uuid);
    f->cluster.row = fixture_number(f, sql);
}

static inline void fixture_open(struct fixture *f)
{
    CU_ASSERT_EQUAL_FATAL(store_open(&f->op, f->cluster.row, 1, f, fixture_lost, &f->cluster.store),
                          OK);
}

static inline void fixture_start(struct fixture *f)
{
    fixture_row(f);
    stores_start();
    fixture_open(f);
}

/* And what rest_open makes. */
static inline void fixture_rest(struct fixture *f)
{
    struct cluster *c = &f->cluster;

    fixture_start(f);
    c->service_cidr = "10.0.0.0/16";
    c->pod_cidr = "10.244.0.0/16";
    c->dns_ip = "10.0.0.10";
    c->kubernetes_ip = "10.0.0.1";
    c->issuer = "https://issuer.example";
    c->ca_pem = "PEM";
    c->endpoint_address = "10.244.0.1";
    c->endpoint_port = 443;
    c->token_key = EVP_EC_gen("P-256");
    c->token_key_id = "k1";
    CU_ASSERT_EQUAL_FATAL(rest_open(&f->op, c), OK);
}

static inline void fixture_end(struct fixture *f)
{
    char sql[128];

    if (f->cluster.rest)
        rest_close(&f->cluster);
    EVP_PKEY_free(f->cluster.token_key);
    store_close(f->cluster.store);
    stores_stop();
    snprintf(sql, sizeof(sql), "DELETE FROM clusters.managed_cluster WHERE id = %lld",
             (long long)f->cluster.row);
    fixture_exec(f, sql);
    op_free(&f->op);
    db_close(f->db);
}

#endif
