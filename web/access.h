/* What the pages under Access share. */
#ifndef SUNDOG_WEB_ACCESS_H
#define SUNDOG_WEB_ACCESS_H

#include "web/ask.h"

#define ACCESS_MAX       20000
#define ACCESS_NAMES_MAX 999

/* Links to its pages; here: "" or "/users", … */
void access_tabs(struct page *p, const char *here);
/* A condition of the directory's $filter. */
const char *access_starts_with(struct op *op, const char *member, const char *q);

#endif
