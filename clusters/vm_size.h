/* Virtual machine sizes: what a pool's vmSize means for its nodes. */
#ifndef SUNDOG_CLUSTERS_VM_SIZE_H
#define SUNDOG_CLUSTERS_VM_SIZE_H

#include <stdbool.h>
#include <stdint.h>

struct vm_size {
    int64_t cores, memory_bytes;
};
/* "Standard_D4s_v5": 4 cores, 16 GiB. In any case of letters; false: not a size. */
bool vm_size_find(const char *name, struct vm_size *ret);

#endif
