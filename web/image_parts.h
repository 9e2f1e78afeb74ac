/* What a manifest is made of, as sections of its page. All of it is what somebody pushed. */
#ifndef SUNDOG_WEB_IMAGE_PARTS_H
#define SUNDOG_WEB_IMAGE_PARTS_H

#include "web/registry_view.h"

/* The manifests that an index is of; nothing for what is no index. */
void image_platforms_add(struct page *p, const struct registry_view *v, const json_t *manifest);
void image_layers_add(struct page *p, const json_t *manifest);
void image_annotations_add(struct page *p, const json_t *manifest);
/* What containers of it begin with, and how it was built; nothing for what is no image. */
enum fault image_config_add(struct page *p, const struct registry_view *v, const json_t *manifest);
/* Signatures, SBOMs and what else refers to the digest. */
enum fault image_referrers_add(struct page *p, const struct registry_view *v, const char *digest);

#endif
