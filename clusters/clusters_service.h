/* Managed clusters as a service that main.c lists: life, background work, metrics. */
#ifndef SUNDOG_CLUSTERS_CLUSTERS_SERVICE_H
#define SUNDOG_CLUSTERS_CLUSTERS_SERVICE_H

#include "core/call.h"

extern const struct service clusters_service;
/* The Kubernetes API of clusters, on their own listeners (clusters/http/). */
extern const struct service kubernetes_service;

#endif
