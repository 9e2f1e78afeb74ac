/*
 * What unit tests share: an op, and a PostgreSQL of their own, started once and only when a test
 * asks for it. Tests of handlers and stores work in a transaction that is rolled back.
 */
#ifndef SUNDOG_TESTS_UNIT_H
#define SUNDOG_TESTS_UNIT_H

#include <CUnit/CUnit.h>

#include "core/call.h"
#include "core/db.h"
#include "core/helper.h"
#include "core/settings.h"

/* Before any thread: forks the helper. */
void unit_start(void);
void unit_stop(void);
/* A folder of this run, removed at its end. */
const char *unit_folder(void);
const struct settings *unit_settings(void);
/* "host=… dbname=…" of a running PostgreSQL with all migrations applied, secret.key loaded. */
const char *unit_database(void);
/* An op with the connection of the tests' thread; unit_op_end rolls back and frees. */
void unit_op(struct op *op);
void unit_op_end(struct op *op);

extern const struct service *const unit_services[];
extern const struct helper_call unit_helper_calls[]; /* core/helper_test.c's */

#endif
