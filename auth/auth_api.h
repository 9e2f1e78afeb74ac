/*
 * Auth's services: the signing keys, the directory and roles themselves (auth_service, which starts
 * first), signing in (entra_service) and the directory API (graph_service), each in the error
 * dialect its clients read. Registry tokens are given out by the registry (registry/).
 */
#ifndef SUNDOG_AUTH_AUTH_API_H
#define SUNDOG_AUTH_AUTH_API_H

#include "core/call.h"

extern const struct service auth_service;
extern const struct service entra_service;
extern const struct service graph_service;

#endif
