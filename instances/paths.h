/* Where containers live, and the mark their kernel objects carry. */
#ifndef SUNDOG_INSTANCES_PATHS_H
#define SUNDOG_INSTANCES_PATHS_H

#include "core/op.h"

#define DATA_ID_LEN 6

/* Six hex digits of DIR's real path, so that two Sundogs on one machine never meet: in the names of
   bridge, nftables table, cgroup and /run/sundog-<id>. The result is in op's arena. */
const char *data_id(struct op *op, const char *data);
/* /run/sundog-<id>: sockets, crun's state, what must not survive a reboot. */
const char *run_folder(struct op *op, const char *data);

#endif
