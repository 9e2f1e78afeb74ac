/*
 * Jobs: many at once on one Sundog that never meet. A job is a subscription with a service
 * principal that owns it and nothing else, and a registry of a name nobody else has; deleting it
 * takes all of that along. Sundog's own: a pipeline makes one at its start (`sundog new`), and
 * deletes it at its end.
 */
#ifndef SUNDOG_API_JOB_H
#define SUNDOG_API_JOB_H

#include "api/arm.h"

#define JOBS_PATH       "/providers/Sundog.Jobs/jobs"
#define JOB_NAME_MAX    40
#define JOB_SECONDS_MAX 31536000
#define JOB_NAME_PATTERN                                                                           \
    "lower-case letters, digits and hyphens, 40 at most, a letter or digit at both ends"

struct job {
    const char *name;
    const char *subscription;         /* GUID */
    const char *application, *app_id; /* object id; what clients sign in as */
    const char *registry;             /* its name */
    bool deleting;
    bool doomed;                /* under deletion, or its time is over; job_hold only */
    const char *created, *ends; /* ISO 8601; ends NULL: when somebody says so */
    int64_t groups, resources;  /* what is in it now; job_get and job_list only */
};

/* ---- rows (job_store.c) ---- */

void job_store_start(void);
/* lives_s 0: until somebody deletes it. CONFLICT on "JobExists": the name is taken. */
enum fault job_insert(struct op *op, const struct job *job, int64_t lives_s);
/* NOT_FOUND on "JobNotFound". */
enum fault job_get(struct op *op, const char *name, struct job *ret);
/* Sorted by name, those after last. */
enum fault job_list(struct op *op, const char *last, int64_t limit, struct job **ret,
                    size_t *ret_n);
/* Locked until the transaction ends. *ret_there false: it is gone. */
enum fault job_hold(struct op *op, const char *name, bool *ret_there, struct job *ret);
enum fault job_set_deleting(struct op *op, const char *name);
/* Names of those that are under deletion, or whose time is over. */
enum fault job_list_doomed(struct op *op, const char ***ret, size_t *ret_n);

/* ---- deletion (job_delete.c) ---- */

/*
 * From now on the job's principal, its tokens and the logins of its registries are refused, and
 * nothing new can be made in it; a reconciler takes the rest apart, of whatever `serve` is there.
 * One under deletion stays so. NOT_FOUND on "JobNotFound". Outside a transaction.
 */
enum fault job_delete(struct op *op, const char *name);
void job_delete_start(void);
void job_delete_stop(void);

#endif
