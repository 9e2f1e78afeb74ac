/* What `sundog env` tells, and the ways to write it down. */
#ifndef SUNDOG_CORE_ENV_PRINT_H
#define SUNDOG_CORE_ENV_PRINT_H

#include "core/op.h"

#define ENV_VARIABLES_MAX 48
#define ENV_FILES_MAX     8

struct env_variable {
    const char *name, *value; /* one line */
    bool secret;              /* a pipeline's log must not show it */
};

/* A file of the clients. */
struct env_file {
    const char *name;     /* below the folder: "docker/config.json" */
    const char *first[2]; /* files of that machine, the first of which there is comes before; NULL:
                             none. "~/…" is below the home folder */
    struct bytes content;
};

struct env_lines {
    const char *folder; /* of the files, absolute */
    bool elsewhere;     /* it is another machine's: what is printed makes them */
    struct env_variable variables[ENV_VARIABLES_MAX];
    struct env_file files[ENV_FILES_MAX];
    size_t n_variables, n_files;
};

/*
 * On stdout, in a form of --format: "sh", "gitlab" (export lines), "github" and "azdo" (the same,
 * and what sets the variables for the job's further steps and masks secrets in its log; all for
 * eval), or "json" (one object; not elsewhere).
 */
void env_print(struct op *op, const struct env_lines *lines, const char *format);
/* A file here: its first lines and its content. "~" is this process' home folder. */
enum fault env_write_file(struct op *op, const char *folder, const struct env_file *file);

#endif
