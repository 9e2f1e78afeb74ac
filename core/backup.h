/*
 * `sundog backup OUTDIR` and `sundog restore OUTDIR --data NEWDIR`. A backup is a folder:
 * database.dump (pg_dump -Fc), blobs/, secret.key, tls/, admin.json, and backup.json, which is
 * written last: without it the backup is not complete.
 */
#ifndef SUNDOG_CORE_BACKUP_H
#define SUNDOG_CORE_BACKUP_H

#include "core/settings.h"

/*
 * An advisory lock of PostgreSQL. A backup holds it shared (pg_advisory_lock_shared) from before
 * the dump until the last blob is copied; garbage collection takes it exclusively for each round,
 * so no blob that the dump names goes away meanwhile.
 */
#define BACKUP_LOCK     126943972913000LL
#define BACKUP_LOCK_SQL "126943972913000"

int backup_run(struct settings *settings);  /* the exit status */
int restore_run(struct settings *settings); /* the exit status */

#endif
