/* Processes of root's that go on after a call of the helper's: known by a file "pid" in a folder of
   theirs under RUN, which says when they began, too, since numbers are used again. */
#ifndef SUNDOG_INSTANCES_PROCESS_H
#define SUNDOG_INSTANCES_PROCESS_H

#include <sys/types.h>

#include "core/op.h"

/* This process is the folder's. */
enum fault process_mark(struct op *op, int folder);
/* It ends in good order: whoever finds the mark later knows that it has not. */
void process_unmark(int folder);
bool process_marked(int folder);
/* A descriptor of the folder's process (pidfd_open(2)); -1: it does not live. */
int process_find(struct op *op, int folder);
/* SIGTERM, and SIGKILL when that does not end it within term_ms. */
void process_end(int pidfd, int term_ms, int kill_ms);
/* This thread enters the network namespace of the process. */
enum fault process_enter_network(struct op *op, int pidfd);

/*
 * The kernel gives the first process of a namespace no signal that it has no handler for. One that
 * neither catches a signal nor waits for it cannot hear it, and to wait for it would be in vain.
 */
bool process_hears(int pid, int signal);

#endif
