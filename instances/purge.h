/* `sundog purge`: end and remove every container of DIR. Containers outlive the service; this is
   for who wants none left, before the folder itself is removed. */
#ifndef SUNDOG_INSTANCES_PURGE_H
#define SUNDOG_INSTANCES_PURGE_H

#include "core/settings.h"

/* Exit status. Refuses while a service runs on DIR: it would start them again. */
int purge_run(struct settings *settings);
/* The same within a service that starts, before anything of it runs: nothing where containers do
   not run. */
enum fault purge_all(struct op *op, const struct settings *settings);

#endif
