/*
 * One flush for many: a handler commits asynchronously (db_commit_async) and parks; one thread
 * flushes PostgreSQL's log again and again and completes whoever had parked before each flush
 * began. So a worker never waits for the disk, and 32 pushes cost one fsync.
 */
#ifndef SUNDOG_CORE_DURABLE_H
#define SUNDOG_CORE_DURABLE_H

#include "core/call.h"

void durable_start(void); /* its thread and connection */
void durable_stop(void);
/* To be returned by a handler that filled in its reply and committed asynchronously: PARKED. The
   call is completed OK after the flush, or UNAVAILABLE when the database went away before it. */
enum fault call_durable(struct call *c);

/*
 * How handlers end: commit, and answer when it is durable. With nobody else at work the commit
 * itself waits for the disk, which spares a lone client two changes of thread; otherwise
 * call_durable.
 */
enum fault call_commit(struct call *c);

#endif
