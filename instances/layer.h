/*
 * Layers: unpacked once each, under DIR/layers, named by the diff id (the hash of the uncompressed
 * archive), shared by all containers as lower folders of overlay mounts.
 *
 * A layer's tree depends on its own bytes only (whiteouts are kept as overlay's marks), so the diff
 * id alone names it, and images with different parents share it.
 */
#ifndef SUNDOG_INSTANCES_LAYER_H
#define SUNDOG_INSTANCES_LAYER_H

#include "core/op.h"
#include "core/settings.h"

void layer_register(void); /* before helper_start: its calls */
/* Make DIR/layers and throw away what a crash has left half. Without root: nothing. */
enum fault layer_start(struct op *op, const struct settings *settings);
void layer_stop(void);

/* Is it unpacked? Marks it as used now (once a minute). */
bool layer_is_there(const char *diff_id);
/*
 * Unpack, in a process of its own, chrooted and with few capabilities. fd: the blob, from its
 * start; gzip, zstd or plain. When it returns the layer can be mounted; it survives a crash of ours
 * from then on, and one of the machine once it has settled: else it is not there after that.
 * INVALID: not an archive, its hash differs from diff_id, a path leaves the root; UNAVAILABLE: no
 * room; UNSUPPORTED: there is no root. Simultaneous calls for one layer wait for the first.
 */
enum fault layer_unpack(struct op *op, const char *diff_id, int fd);
/* "<24 hex digits>/fs": the lower folder of a layer, relative to DIR/layers, so short that 127 fit
   into mount data (one page). Runs in the helper's forks, too. */
const char *layer_folder(struct op *op, const char *diff_id);
/* Wait until the disk has all layers, so that they outlive a crash of the machine. */
enum fault layer_settle(struct op *op);
/* Remove those that nothing mounts (in any mount namespace), no container names, and nobody has
   used for that long. in_use: diff ids, NULL-terminated; NULL: none. */
enum fault layer_collect(struct op *op, const char *const *in_use, int64_t older_than_s,
                         size_t *ret_removed);

#endif
