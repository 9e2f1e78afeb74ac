/* Pages that are drawn again while somebody looks at them. */
#ifndef SUNDOG_WEB_LIVE_H
#define SUNDOG_WEB_LIVE_H

#include "core/call.h"

/*
 * GET /console/live?page=PATH: text/event-stream (HTML Living Standard 9.2). Each message is, as a
 * JSON string, what stands in the page's <main>, whenever it has changed; "gone": the page is no
 * more, or not the viewer's.
 */
enum fault live_open(struct call *c);
void live_start(void);
void live_stop(void);

#endif
