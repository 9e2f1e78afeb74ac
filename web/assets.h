/* The stylesheet and the script, compiled in; their links change with their contents. */
#ifndef SUNDOG_WEB_ASSETS_H
#define SUNDOG_WEB_ASSETS_H

#include "core/call.h"

void assets_start(void);
/* "/console/assets/style.1a2b3c4d.css"; for good. */
const char *asset_link(const char *name);
/* GET /console/assets/{file}: may be kept for ever. */
enum fault asset_get(struct call *c);

#endif
