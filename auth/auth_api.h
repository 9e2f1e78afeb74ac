/*
 * Auth's own routes: the public halves of the signing keys. Registry tokens are given out by the
 * registry (registry/), with what this folder offers.
 */
#ifndef SUNDOG_AUTH_AUTH_API_H
#define SUNDOG_AUTH_AUTH_API_H

#include "core/call.h"

extern const struct service auth_service;

#endif
