/*
 * The embedded PostgreSQL. All but the search for its programs runs in the helper process
 * (core/helper.c), which is single-threaded: it may fork, and wait.
 */
#ifndef SUNDOG_CORE_POSTGRES_H
#define SUNDOG_CORE_POSTGRES_H

#include <sys/types.h>

#include "core/settings.h"

/* The folder of initdb, postgres, pg_dump, …: that of the data folder's version when there is one
   (data may be NULL), else the newest. NOT_FOUND says what to install. */
enum fault postgres_programs(struct op *op, const char *data, const char **ret_folder);
/* argv of one of them (or of a path), NULL at its end, with its path as the first word: they look
   for their folder there, and in PATH, where Debian does not have it. In op's arena. */
const char *const *postgres_command(struct op *op, const char *programs, const char *const *argv);
/* "host=DIR/postgres-socket user=sundog dbname=sundog". */
const char *postgres_conninfo(struct arena *arena, const char *dir);

struct postgres {
    char *dir, *data, *sockets, *log; /* DIR, DIR/postgres, DIR/postgres-socket, DIR/postgres.log */
    char programs[256];
    bool fast_init;
    int connections_max;
    uid_t uid; /* whom it runs as; our own unless we are root */
    gid_t gid, socket_gid;
    pid_t pid;
    int pid_fd; /* -1: not running */
    bool wanted;
    int64_t started_ms, start_at_ms, back_off_ms;
};

/* initdb when new; start or adopt; returns when it accepts connections. */
enum fault postgres_start(struct op *op, struct postgres *pg);
/* The process behind pid_fd ended: start it again, after the back-off (postgres_tick). */
void postgres_died(struct postgres *pg);
/* Start it again when it is time. Returns milliseconds until called again, or -1. */
int postgres_tick(struct postgres *pg);
void postgres_stop(struct postgres *pg);

#endif
