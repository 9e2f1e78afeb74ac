#include "web/assets.h"

#include <stdio.h>
#include <string.h>

#include "core/seal.h"

extern const unsigned char style_css[], console_js[], term_js[]; /* term_js: Debian's term.js */
extern const size_t style_css_len, console_js_len, term_js_len;

static struct asset {
    const char *name, *type;
    const unsigned char *data;
    const size_t *len;
    char link[64];
} assets[] = {
    {"style.css",  "text/css; charset=utf-8",        style_css,  &style_css_len,  ""},
    {"console.js", "text/javascript; charset=utf-8", console_js, &console_js_len, ""},
    {"term.js",    "text/javascript; charset=utf-8", term_js,    &term_js_len,    ""},
};

static const char prefix[] = "/console/assets/";

void assets_start(void)
{
    for (size_t i = 0; i < ARRAY_LEN(assets); i++) {
        struct asset *a = &assets[i];
        const char *dot = strchr(a->name, '.');
        uint8_t digest[32];

        sha256((struct bytes){a->data, *a->len}, digest);
        snprintf(a->link, sizeof(a->link), "%s%.*s.%02x%02x%02x%02x%s", prefix,
                 (int)(dot - a->name), a->name, digest[0], digest[1], digest[2], digest[3], dot);
    }
}

const char *asset_link(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(assets); i++)
        if (strcmp(assets[i].name, name) == 0)
            return assets[i].link;
    return "";
}

enum fault asset_get(struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(assets); i++) {
        const struct asset *a = &assets[i];

        if (strcmp(a->link + strlen(prefix), c->path_args[0]) != 0)
            continue;
        reply_header(c, "Cache-Control", "public, max-age=31536000, immutable");
        reply_header(c, "X-Content-Type-Options", "nosniff");
        return reply_bytes(c, 200, a->type, (struct bytes){a->data, *a->len});
    }
    return fail(&c->op, NOT_FOUND, "there is no such file: load the page again");
}
