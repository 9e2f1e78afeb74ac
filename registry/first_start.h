/*
 * The first start: a registry ("sundog") with its admin user, DIR/admin.json that tells its
 * password, and the image hello in it, so that every walk works offline.
 */
#ifndef SUNDOG_REGISTRY_FIRST_START_H
#define SUNDOG_REGISTRY_FIRST_START_H

#include "core/settings.h"

/* What is there already stays as it is; admin.json is written anew when it does not tell the truth.
 */
enum fault first_start(struct op *op, const struct settings *settings);

/* hello_image.c: an image of one layer, compiled in; the same bytes every time. */
struct hello_image {
    struct bytes layer, config, manifest;
    const char *layer_digest, *config_digest;
};
void hello_image_make(struct op *op, struct hello_image *ret);

#endif
