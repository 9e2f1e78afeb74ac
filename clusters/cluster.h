/*
 * A running cluster as all of clusters/ sees it: what does not change while it runs, and its store.
 * Made and ended by clusters/cluster_run.c; everything below gets a pointer to it and never looks
 * it up. The rows of managed clusters and pools are managed_cluster.h's.
 */
#ifndef SUNDOG_CLUSTERS_CLUSTER_H
#define SUNDOG_CLUSTERS_CLUSTER_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "clusters/store/store.h"
#include "core/settings.h"

#define CLUSTER_VERSION       "v1.33.5" /* gitVersion */
#define CLUSTER_SHORT_VERSION "1.33.5"
#define CLUSTER_ID_LEN        8

struct cluster_network;
struct cluster {
    char id[CLUSTER_ID_LEN + 1]; /* hex, unique in the database: realm, names of kernel objects */
    int64_t row;
    const char *name, *resource_group, *location, *subscription, *tenant; /* of the resource */
    const char *arm_id;    /* /subscriptions/…/managedClusters/c1 */
    const char *fqdn;      /* c1-rg1-….hcp.eastus.azmk8s.localhost */
    const char *issuer;    /* of service account tokens: an https URL of this Sundog */
    const char *principal; /* object id that pulls images (the kubelet identity) */
    const char *pod_cidr, *service_cidr, *dns_ip, *kubernetes_ip;
    int api_port;                 /* on the host */
    const char *endpoint_address; /* where pods reach the API server: the `kubernetes` endpoints */
    int endpoint_port;
    X509 *ca; /* of API server and client certificates; P-256 */
    EVP_PKEY *ca_key;
    const char *ca_pem;
    EVP_PKEY *token_key; /* service account tokens: ES256 */
    const char *token_key_id;
    struct store *store;
    struct rest_state *rest;         /* clusters/rest/ */
    struct cluster_network *network; /* clusters/network/ */
    void *controllers;               /* clusters/controller/ */
    void *node_agent;                /* clusters/node/ */
    struct arena arena;              /* of the texts above */
    atomic_bool no_local_accounts;   /* disableLocalAccounts, as it is now: cluster_admins.c */
    atomic_int users; /* requests and steps that hold it: cluster_find, cluster_release */
};

/* A running cluster of this process, held until cluster_release. NULL: none (stopped, not ours). */
struct cluster *cluster_find(const char *id);
void cluster_release(struct cluster *cluster);

#endif
