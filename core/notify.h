/* Telling the service manager that started us how we are (systemd's sd_notify protocol). */
#ifndef SUNDOG_CORE_NOTIFY_H
#define SUNDOG_CORE_NOTIFY_H

/* Before the helper is forked: PostgreSQL speaks this protocol too, and must not speak for us. */
void notify_start(void);
/* "READY=1", "STOPPING=1". Nothing happens when nobody asked to be told ($NOTIFY_SOCKET). */
void notify_manager(const char *state);

/* Into the environment again, for the program this process becomes (core/restart.h). */
void notify_hand_on(void);

#endif
