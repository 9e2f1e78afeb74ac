/*
 * Forward-only migrations (GUIDE §4): registry/schema/0001_init.sql and so on, compiled in by
 * CMake, applied in order under one advisory lock, each in a transaction, recorded in
 * core.migration(folder, name, sha256, applied_at).
 */
#ifndef SUNDOG_CORE_MIGRATE_H
#define SUNDOG_CORE_MIGRATE_H

#include "core/op.h"

struct migration {
    const char *name; /* "0001_init"; NULL ends the table */
    const char *sql;
    const char *sha256; /* hex, of sql */
};

/* Generated from the folders' schema/: core_migrations, auth_migrations, registry_migrations and so
 * on. */
extern const struct migration core_migrations[], auth_migrations[], registry_migrations[],
    instances_migrations[], clusters_migrations[], api_migrations[], web_migrations[];

struct service;
/* Apply what is missing for each service, core first. CONFLICT: the database has a migration we do
   not know, or one whose text differs from ours (the message says which). */
enum fault migrate(struct op *op, const struct service *const *services);

#endif
