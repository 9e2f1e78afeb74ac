/*
 * Lists in pages: n (how many), last (the name before the page's first), orderby, and the Link
 * header to the next page. az reads the Link as <path?k=v&k=v>, "with every part holding a ="
 * (facts §2.1).
 */
#ifndef SUNDOG_REGISTRY_PAGE_H
#define SUNDOG_REGISTRY_PAGE_H

#include "core/call.h"

enum order { ORDER_NAME, ORDER_NEWEST, ORDER_OLDEST };

struct page {
    int64_t n;
    const char *last; /* exclusive; "" = from the start */
    enum order order;
    int64_t at_us;       /* by time: when last changed; -1: look it up */
    const char *orderby; /* as sent */
};

/* n defaults to default_n and is cut to max_n. INVALID on "page". */
enum fault page_read(struct call *c, int64_t default_n, int64_t max_n, struct page *ret);
/*
 * Link: <path?last=…&n=…&orderby=…>; rel="next". path is not encoded yet; at_us < 0: not by time.
 * further is "" or more parameters, ready-made ("&artifactType=x").
 */
void page_link(struct call *c, const struct page *page, const char *path, const char *last,
               int64_t at_us, const char *further);

#endif
