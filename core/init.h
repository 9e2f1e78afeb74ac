/*
 * Being process 1, as in a container: what the service's children leave behind becomes ours, and
 * somebody must wait for it. The service then runs as a child, and this process does nothing else.
 */
#ifndef SUNDOG_CORE_INIT_H
#define SUNDOG_CORE_INIT_H

/*
 * Returns at once when we are not process 1, and in the child when we are. The parent never
 * returns: it reaps, hands signals on (TERM, INT, QUIT, HUP, USR1, USR2), and exits as the child
 * did, 128 + n after signal n.
 */
void init_if_first(void);

#endif
