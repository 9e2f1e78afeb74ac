/* What a program printed, on a page: as it stands, harmless, and its end when it is long. */
#ifndef SUNDOG_WEB_LOG_VIEW_H
#define SUNDOG_WEB_LOG_VIEW_H

#include "web/page.h"

#define LOG_VIEW_LINES 500
#define LOG_VIEW_MAX   ((size_t)100000) /* bytes of HTML */

/*
 * Colours and other control sequences of terminals are left out, other control characters are
 * shown as pictures ("␀"), and what turns the direction of text as U+FFFD.
 */
void log_view(struct page *p, const char *label, const char *text);

#endif
