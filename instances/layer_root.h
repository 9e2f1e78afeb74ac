/* Layers: what layer.c asks of layer_root.c, which runs as root in forks of the helper. */
#ifndef SUNDOG_INSTANCES_LAYER_ROOT_H
#define SUNDOG_INSTANCES_LAYER_ROOT_H

#include "core/helper.h"

#define LAYER_SHORT_LEN      24 /* hex digits of the diff id that name its folder */
#define LAYERS_FOLDER        "layers"
#define LAYER_REMOVE_AT_ONCE 200

/* DIR/layers/<short>/: */
#define LAYER_TREE    "fs"
#define LAYER_DIFF_ID "diff_id" /* all of it */
#define LAYER_USED    "used"    /* its time of change: when it was last asked for */
#define LAYER_BOOT    "boot"    /* the boot it was unpacked in … */
#define LAYER_SETTLED "settled" /* … and that it has reached the disk since */

/*
 * layer.start {}             make DIR/layers, remove what a crash has left half
 * layer.unpack {diffId} +fd  → {}
 * layer.settle {}            wait until the disk has them
 * layer.remove {layers: [short…], olderThanS} → {removed}
 */
extern const struct helper_call layer_calls[];

/* layer_jail.c: run unpack_layer in a process that sees nothing but root and the blob. *ret_opaque
   is a list of paths, NUL after each, in a descriptor. */
enum fault layer_unpack_jailed(struct op *op, const struct settings *settings, const char *diff_id,
                               int blob, int root, int *ret_opaque);

#endif
